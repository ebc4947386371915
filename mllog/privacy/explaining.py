"""Attributions of protected features: their names may hold values (``ssn=123-45-6789``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.privacy.policy import Word


class Attributions:
    """Makes attributions of an event fit for writing.

    One-hot encoders name a column by feature and value. Attributions add up (additivity is what defines Shapley
    values), so those of a protected feature's columns are summed under the feature's own name; those of a dropped
    one are left out.

    Args:
        words: What becomes of each feature.
        keeps_others: Whether names in which no feature is found may be written.
    """

    def __init__(self, words: Mapping[str, Word], *, keeps_others: bool) -> None:
        self._words = words
        self._keeps_others = keeps_others
        longest_first = sorted(words, key=len, reverse=True)
        self._feature = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, longest_first))})(?![^\W_])")

    def of(self, attributions: Mapping[str, Any]) -> dict[str, Any]:
        """Attributions by names that may be written."""
        result: dict[str, Any] = {}
        for name, value in attributions.items():
            to = self._target(name)
            if to is None:
                continue
            held = result.get(to)
            summed = isinstance(held, int | float) and isinstance(value, int | float)
            result[to] = held + value if summed else value
        return result

    def _target(self, name: str) -> str | None:
        if name in self._words:
            return None if self._words[name] == "drop" else name
        found = dict.fromkeys(self._feature.findall(name))
        if not found:
            return name if self._keeps_others else None
        words = {self._words[feature]: feature for feature in found}
        if "drop" in words:
            return None
        return words.get("hash") or words.get("redact") or name
