"""Refused: dead letters and corrupt parts that shippers kept aside, with their commonest reasons."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import orjson

from mllog.doctor.base import Diagnosis
from mllog.doctor.words import counted
from mllog.shipping import aside, dead, registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllog.doctor.base import Subject

_REASONS: Final = 3
_LENGTH: Final = 160


class Refused:
    """The check."""

    name = "refused"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:
        """A line for each destination that refused something, one for what is corrupt, or one that nothing was."""
        for folder in subject.existing():
            found = [*self._dead(folder), *self._lost(subject, folder), *self._corrupt(folder)]
            yield from found or [
                Diagnosis(
                    self.name, "ok", f"{folder}: nothing was refused or set aside", figures={"folder": str(folder)}
                )
            ]

    def _dead(self, folder: Path) -> Iterator[Diagnosis]:
        names = {entry.key: entry.name for entry in registry.entries(folder)}
        root = folder / dead.FOLDER
        for key in sorted(path.name for path in root.iterdir()) if root.is_dir() else ():
            reasons: Counter[str] = Counter()
            for path in sorted((root / key).glob("*")):
                if path.suffix in {".ndjson", ".replay"}:
                    reasons.update(_short(letter.get("reason")) for letter in dead.read(path))
            if reasons:
                name = names.get(key, key)
                yield Diagnosis(
                    self.name,
                    "warning",
                    f"{folder}: {name} refused {counted(reasons.total(), 'event')}; {_commonest(reasons)}",
                    f"mend the cause, then: mllog ship {folder} --to {names.get(key, 'PLACE')} --replay-dead",
                    {
                        "folder": str(folder),
                        "destination": name,
                        "reasons": dict(reasons.most_common(10)),
                    },
                )

    def _lost(self, subject: Subject, folder: Path) -> Iterator[Diagnosis]:
        for status in subject.statuses(folder):
            if status.lost:
                yield Diagnosis(
                    self.name,
                    "problem",
                    f"{folder}: {counted(status.lost, 'event')} that {status.destination} refused could not be kept: "
                    "the dead letters have reached their bound",
                    "replay or remove the dead letters, and raise spool_bytes (a quarter of it is theirs)",
                    {"folder": str(folder), "destination": status.destination, "lost": status.lost},
                )

    def _corrupt(self, folder: Path) -> Iterator[Diagnosis]:
        reasons: Counter[str] = Counter()
        for path in sorted((folder / aside.FOLDER).glob("*/*.reason.json")):
            try:
                reasons[_short(orjson.loads(path.read_bytes()).get("reason"))] += 1
            except (OSError, ValueError, AttributeError):
                reasons["its reason can't be read"] += 1
        if reasons:
            yield Diagnosis(
                self.name,
                "warning",
                f"{folder}: {counted(reasons.total(), 'corrupt part')} of segments set aside; {_commonest(reasons)}",
                f"look at {folder / aside.FOLDER}: a failing disk, or an editor of segments? Remove what you have seen",
                {"folder": str(folder), "reasons": dict(reasons.most_common(10))},
            )


def _short(reason: object) -> str:
    text = " ".join(str(reason).split())
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}…"


def _commonest(reasons: Counter[str]) -> str:
    return "; ".join(f"{n} x {reason}" for reason, n in reasons.most_common(_REASONS))


check = Refused()
