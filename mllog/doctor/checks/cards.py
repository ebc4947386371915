"""Cards: the card of each model lies beside its events, with the ruler that measured them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mllog.doctor.base import Diagnosis
from mllog.doctor.words import counted, some
from mllog.errors import CardError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllog.doctor.base import Subject

FOLDER = "_cards"


class Cards:
    """The check."""

    name = "cards"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:
        """A line for each model that has logged."""
        given = subject.variables.get("MLLOG_CARD")
        if given:
            yield from self._given(given)
        for folder in subject.existing():
            rulers, broken = _rulers(folder / FOLDER)
            for path, why in broken.items():
                yield Diagnosis(
                    self.name, "problem", f"{path}: {why}", "copy the model's own card there", {"card": str(path)}
                )
            seen: Counter[tuple[str, str | None]] = Counter()
            for reading in subject.readings(folder):
                seen += reading.cards
            for model in sorted({model for model, _ in seen}):
                yield self._model(folder, model, seen, rulers)

    def _given(self, path: str) -> Iterator[Diagnosis]:
        from mllog.card import ModelCard  # noqa: PLC0415 - numpy may come with it

        try:
            card = ModelCard.load(path)
        except CardError as error:
            yield Diagnosis(self.name, "problem", f"MLLOG_CARD: {error}", "name the file that ModelCard.save wrote")
        else:
            yield Diagnosis(
                self.name,
                "ok",
                f"MLLOG_CARD is the card of {card.model!r}, version {card.version}, ruler {card.ruler.hash}",
                figures={"model": card.model, "version": card.version, "ruler": card.ruler.hash},
            )

    def _model(
        self, folder: Path, model: str, seen: Counter[tuple[str, str | None]], rulers: dict[str, set[str]]
    ) -> Diagnosis:
        by_ruler = {ruler: n for (name, ruler), n in seen.items() if name == model}
        without = by_ruler.pop(None, 0)
        known = rulers.get(model, set())
        strange = {ruler: n for ruler, n in by_ruler.items() if ruler not in known}
        figures = {
            "folder": str(folder),
            "model": model,
            "rulers": by_ruler,
            "without": without,
            "cards": sorted(known),
        }
        if strange:
            return Diagnosis(
                self.name,
                "problem",
                f"{counted(sum(strange.values()), 'prediction')} of {model!r}: measured by ruler "
                f"{some(sorted(map(str, strange)))}, and no card in {folder / FOLDER} has it",
                f"copy the card that the service uses to {folder / FOLDER}: watchers need it to read these counts",
                figures,
            )
        if by_ruler and without:
            return Diagnosis(
                self.name,
                "warning",
                f"{model!r}: {counted(without, 'prediction')} without a card, {sum(by_ruler.values())} with one",
                "give every logger of the model the card (card=..., MLLOG_CARD)",
                figures,
            )
        if without:
            return Diagnosis(
                self.name,
                "ok",
                f"{model!r} logs without a card ({counted(without, 'prediction')}): nothing is measured at once; "
                "ModelCard.from_frame makes one from training data",
                figures=figures,
            )
        rulers_text = some(sorted(map(str, by_ruler)))
        return Diagnosis(
            self.name,
            "ok",
            f"{counted(sum(by_ruler.values()), 'prediction')} of {model!r}: measured by ruler {rulers_text}, "
            "whose card is there",
            figures=figures,
        )


def _rulers(folder: Path) -> tuple[dict[str, set[str]], dict[Path, str]]:
    """Hashes of the rulers of the cards in a folder, by model; and which cards can't be read, and why."""
    from mllog.card import ModelCard  # noqa: PLC0415 - numpy may come with it

    rulers: dict[str, set[str]] = {}
    broken: dict[Path, str] = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            card = ModelCard.load(path)
        except CardError as error:
            broken[path] = str(error)
        else:
            rulers.setdefault(card.model, set()).add(card.ruler.hash)
    return rulers, broken


check = Cards()
