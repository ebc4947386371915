"""What of a model's output may be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mllog.privacy.rewriting import named
from mllog.ruler import category_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.events import Record
    from mllog.privacy.cleaning import Cleaner
    from mllog.privacy.explaining import Attributions

_NUMBERS: Final = frozenset({"score", "value"})
"""Fields of numbers: where the number is a protected value there is none, and ``ml.replaced`` says so."""


class Outputs:
    """Makes outputs fit for writing.

    Args:
        without_protected: From a typed value to one in which names that the policy protects are protected.
        attributions: Makes attributions fit for writing, where the policy protects features.
        classes: The card's classes. They stay as they are, since they are counted and stand in the card.
    """

    def __init__(
        self,
        without_protected: Callable[[Any], Any],
        *,
        attributions: Attributions | None,
        classes: frozenset[str],
    ) -> None:
        self._without_protected = without_protected
        self._attributions = attributions
        self._classes = classes

    def of(self, record: Record, cleaner: Cleaner) -> Any:
        """The output of a record as it may be written; marks in the record what can't be."""
        output = record.output
        if isinstance(output, list) and len(output) == 1:
            output = output[0]
        if isinstance(output, str):
            return self._class(output, cleaner)
        if isinstance(output, int | float):
            told = cleaner.figure(output)
            # As a bare string it would be taken for a class.
            return {"score" if 0 <= output <= 1 else "value": told} if isinstance(told, str) else record.output
        if not isinstance(output, dict):
            return cleaner.value(self._without_protected(output))
        result: dict[str, Any] = {}
        for name, value in output.items():
            if name in _NUMBERS and isinstance(value, int | float):
                result[name] = cleaner.figure(value)
            elif name == "explanation" and isinstance(value, dict):
                fit = value if self._attributions is None else self._attributions.of(value)
                result[name] = cleaner.figures(fit)
            elif name == "label" and not isinstance(value, dict | list):
                result[name] = self._class(value, cleaner)
            elif name == "top_k" and isinstance(value, list):
                result[name] = [self._class(item, cleaner) for item in value]
            elif name == "scores" and isinstance(value, dict | list):
                scores = result[name] = self._scores(value, cleaner)
                if len(scores) < len(value):
                    record.replaced = [*(record.replaced or ()), "@scores"]
            else:
                result |= cleaner.value(self._without_protected({name: value}))
        return result

    def _class(self, value: Any, cleaner: Cleaner) -> Any:
        """A class; one of the card's goes through patterns only."""
        if isinstance(value, str | int | float) and category_key(value) in self._classes:
            return cleaner.pattern(value)
        return cleaner.value(self._without_protected(value))

    def _scores(self, scores: dict[str, Any] | list[Any], cleaner: Cleaner) -> dict[str, Any] | list[Any]:
        """Scores by class, or all of them, without those that are protected values."""
        if isinstance(scores, dict):
            told = {name: cleaner.figures(score) for name, score in scores.items()}
            left = [name for name, score in told.items() if not _became_text(score, scores[name])]
            return named((self._class(name, cleaner), told[name]) for name in left)
        found = [cleaner.figures(score) for score in scores]
        return [] if any(map(_became_text, found, scores)) else found


def _became_text(told: Any, value: Any) -> bool:
    return isinstance(told, str) and not isinstance(value, str)
