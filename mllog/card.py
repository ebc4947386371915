"""ModelCard: one JSON file beside the model artefact, made from training data in one call."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from mllog.errors import CardError
from mllog.ruler import CellKey, Ruler, SparseCounts, Task
from mllog.tokenizers import tokenizer_of

SCHEMA: Final = 1


@dataclass(frozen=True)
class ModelCard:
    """What a model was trained on: the ruler, and the training data measured by it.

    Attributes:
        model: Model's name.
        version: The version that the card was made for.
        ruler: How to measure; ``ml.card`` on an event is its hash.
        training: Counts of the training data by stratum (``"*"`` where the training data has no time).
        task: Kind of target, where known.
        target: Name of the target column, which is no feature.
        policy: What may be written of an event, as JSON types; see :class:`mllog.privacy.Policy`.
        created: ISO 8601 time, or None.
    """

    model: str
    version: str
    ruler: Ruler
    training: SparseCounts = field(default_factory=dict)
    task: Task | None = None
    target: str | None = None
    policy: dict[str, Any] = field(default_factory=lambda: {"texts": "keep"})
    created: str | None = None

    @classmethod
    def from_frame(
        cls,
        train: Any,
        model: str,
        version: str,
        *,
        target: str | None = None,
        predictions: Any = None,
        text: Sequence[str] = (),
        segments: Sequence[str] = (),
        time: str | None = None,
        previous: ModelCard | None = None,
        time_zone: str | None = None,
        policy: Mapping[str, Any] | None = None,
        salt: str | bytes | None = None,
        tokenizers: Mapping[str, str | Callable[[str], list[str]]] | None = None,
    ) -> ModelCard:
        """Make a card from training data.

        Args:
            train: pandas, polars or pyarrow frame; one row a training example, one column a feature. Columns ``@score``
                or ``@value``, ``@label``, ``@scores`` (a list or a mapping in each row) and ``@latency`` (seconds) are
                no features but the model's answers on it, beside which those of production stand.
            model: Model's name.
            version: Its version.
            target: Name of the target column.
            predictions: Model's scores or values on ``train`` (array of ``len(train)``), or the name of their column.
            text: Names of free-text columns; other string columns are categories.
            segments: Names of category columns by whose values everything is also counted.
            time: Name of the column of event times, which is no feature. With it, training counts are kept by
                hour of day and weekday/weekend.
            previous: Card whose ruler is kept for every feature that still fits it, and its pairs of such features.
            time_zone: IANA zone in which hours of the day are meant (default: that of ``previous``, else UTC).
            policy: What may be written of an event, and so stand in the card (:class:`mllog.privacy.Policy`); by
                default that of ``previous``, else everything.
            salt: Secret by which values are hashed where the policy says so; ``MLLOG_SALT`` by default. The card
                keeps its fingerprint only.
            tokenizers: How texts are cut into tokens, by name of the text: ``"words"`` (the default), ``"characters"``
                (three at a time, for scripts that put no blanks between words), ``"whitespace"``, or a function of
                yours that returns a list of strings, as ``"package.module:function"`` or itself. The card keeps its
                name, and it is imported wherever events are measured: load the cards of those only whom you trust.
                By default those of ``previous``.

        Raises:
            CardError: a named column isn't in the frame, the frame is empty, a segment is no category, the policy
                can't be carried out, or a tokenizer can't be imported by its name.
            SettingError: values are to be hashed and the salt is missing, too short, or not that of ``previous``; or
                a pattern's library isn't installed.
        """
        from mllog.laying import card_parts  # noqa: PLC0415 - numpy must not be imported with the logger
        from mllog.privacy.columns import protection_of  # noqa: PLC0415 - a card is read without it

        protection, held = protection_of(policy, previous.policy if previous else None, salt)
        ruler, training, task = card_parts(
            train,
            target=target,
            predictions=predictions,
            text=text,
            segments=segments,
            time=time,
            previous=previous,
            time_zone=time_zone,
            protection=protection,
            tokenizers=tokenizers or {},
        )
        return cls(model, version, ruler, training, task, target, held)

    def require_tokenizers(self) -> None:
        """Import what the card's texts are cut by.

        Raises:
            CardError: one can't be imported here, or isn't a tokenizer.
        """
        for feature in self.ruler.inputs:
            try:
                tokenizer_of(feature.tokenizer)
            except CardError as error:
                raise CardError(
                    f"the card of {self.model!r} {self.version!r}: field 'tokenizer' of {feature.name!r}: {error}",
                    field="tokenizer",
                    value=feature.tokenizer,
                ) from error

    @cached_property
    def totals(self) -> Counter[CellKey]:
        """Counts of training over all strata."""
        found: Counter[CellKey] = Counter()
        for cells in self.training.values():
            found.update(cells)
        return found

    @property
    def file_name(self) -> str:
        """Its name beside the events: models may share a ruler, and a model may have had several."""
        from mllog.events import dataset  # noqa: PLC0415 - a card is read without the logger too

        return f"{dataset('prediction', self.model).removeprefix('mllog.prediction.')}-{self.ruler.hash}.json"

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        position = self.ruler.index
        training = {}
        for stratum, counts in sorted(self.training.items()):
            pairs = sorted((position[key], count) for key, count in counts.items())
            training[stratum] = {"i": [i for i, _ in pairs], "c": [c for _, c in pairs]}
        return {
            "schema": SCHEMA,
            "model": self.model,
            "version": self.version,
            "created": self.created,
            "task": self.task,
            "target": self.target,
            "policy": self.policy,
            "ruler_hash": self.ruler.hash,
            "ruler": self.ruler.to_dict(),
            "training": training,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "card") -> ModelCard:
        """Read what :meth:`to_dict` wrote.

        Raises:
            CardError: it isn't a card, or of a later schema; the message names ``source``, the field and a remedy.
        """
        remedy = "make it anew with ModelCard.from_frame(...).save(...)"
        if not isinstance(data, Mapping) or "ruler" not in data:
            raise CardError(f"{source} is no model card: it has no field 'ruler'; {remedy}", field="ruler")
        if data.get("schema") != SCHEMA:
            raise CardError(
                f"{source}: schema is {data.get('schema')!r}, this release reads {SCHEMA}; "
                f"upgrade mllog-elastic or {remedy}",
                field="schema",
                value=data.get("schema"),
            )
        try:
            ruler = Ruler.from_dict(data["ruler"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise _broken(source, "ruler", error, remedy) from error
        stated = data.get("ruler_hash")
        if stated is not None and stated != ruler.hash:
            raise CardError(
                f"{source}: field 'ruler_hash' is {stated!r} but its ruler is {ruler.hash}: it was edited; {remedy}",
                field="ruler_hash",
                value=stated,
            )
        for name in ("model", "version"):
            if not isinstance(data.get(name), str) or not data[name]:
                raise CardError(
                    f"{source} is a broken model card: field {name!r} is {data.get(name)!r}, not a text; {remedy}",
                    field=name,
                    value=data.get(name),
                )
        try:
            training = _training(ruler, data.get("training") or {})
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise _broken(source, "training", error, remedy) from error
        try:
            return cls(
                model=data["model"],
                version=data["version"],
                ruler=ruler,
                training=training,
                task=data.get("task"),
                target=data.get("target"),
                policy=dict(data.get("policy") or {"texts": "keep"}),
                created=data.get("created"),
            )
        except (TypeError, ValueError) as error:
            raise _broken(source, "policy", error, remedy) from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the card to ``path``; readers see the old file or the new one, never half of it."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self.to_dict(), file, ensure_ascii=True, separators=(",", ":"))
            umask = os.umask(0)
            os.umask(umask)
            Path(name).chmod(0o666 & ~umask)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ModelCard:
        """Read a card from ``path``.

        Raises:
            CardError: the file isn't there, isn't JSON or isn't a card.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise CardError(
                f"card {str(path)!r} can't be read: {error.strerror or error}; give the file that ModelCard.save wrote",
                field="card",
            ) from error
        except (ValueError, RecursionError) as error:
            raise CardError(
                f"card {str(path)!r} is not JSON ({error}); is it the model artefact? "
                "Give the file that ModelCard.save wrote",
                field="card",
            ) from error
        return cls.from_dict(data, f"card {str(path)!r}")


def load_cards(paths: Iterable[str | os.PathLike[str]]) -> list[ModelCard]:
    """The cards in files, and in all ``*.json`` of folders.

    Raises:
        CardError: One can't be read.
    """
    found = (sorted(path.glob("*.json")) if path.is_dir() else [path] for path in map(Path, paths))
    return [ModelCard.load(file) for files in found for file in files]


def _broken(source: str, name: str, error: Exception, remedy: str) -> CardError:
    return CardError(
        f"{source} is a broken model card: field {name!r} ({type(error).__name__}: {error}); {remedy}", field=name
    )


def _training(ruler: Ruler, data: Mapping[str, Any]) -> SparseCounts:
    cells = ruler.cells
    training: SparseCounts = {}
    for stratum, counts in data.items():
        if any(not 0 <= i < len(cells) for i in counts["i"]):
            raise ValueError(f"stratum {stratum!r} counts cells that the ruler doesn't have")
        training[stratum] = {cells[i]: int(c) for i, c in zip(counts["i"], counts["c"], strict=True)}
    return training
