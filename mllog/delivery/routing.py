"""Inputs sorted into typed maps: ``ml.inputs.{number,keyword,boolean,text,other}``.

Elasticsearch takes "2.5" for a number and 5 for a keyword in silence, so types are decided here and nowhere
else: by the card where it knows the input and the value fits, else by the value's own type. What is missing
is in no map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mllog import values
from mllog.fields import KEYWORD_LENGTH
from mllog.ruler import category_key

if TYPE_CHECKING:
    from mllog.events import Record
    from mllog.ruler import Ruler

NAMES_WITHOUT_CARD: Final = 300
"""Each name costs a field of the index for good; beyond these, inputs go to ``ml.inputs.other``."""

ANY: Final = "any"
MISSING: Final = frozenset({"null", "nan", "infinite", "empty"})


@dataclass(slots=True)
class Routed:
    """Inputs of one event by type, and the names of those that are missing by kind."""

    maps: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)

    def set_aside(self, names: list[str]) -> None:
        """Move inputs to ``other``, where nothing counts them."""
        for name in names:
            for target in ("number", "keyword", "boolean", "text"):
                if name in self.maps.get(target, ()):
                    self.maps.setdefault("other", {})[name] = self.maps[target].pop(name)


class Router:
    """Decides where an input goes.

    Args:
        ruler: The card's ruler, where there is a card.
    """

    def __init__(self, ruler: Ruler | None) -> None:
        self._kinds = {feature.name: feature.kind for feature in ruler.inputs} if ruler else None
        self._seen: set[str] = set()

    def route(self, inputs: dict[str, Any], record: Record) -> Routed:
        """Sort ``inputs``, whose values may be adjusted: a ``1`` for a boolean becomes ``True``."""
        routed = Routed()
        maps = routed.maps
        for name, given in list(inputs.items()):
            target, value = self.place(name, given, self.kind_of(name), record)
            if target != "keyword" and value is not given and isinstance(given, float | int) and target != "other":
                inputs[name] = value
            if target in maps:
                maps[target][name] = value
            elif target in MISSING:
                routed.missing.setdefault(target, []).append(name)
            else:
                maps[target] = {name: value}
        return routed

    def place(self, name: str, value: Any, kind: str | None, record: Record) -> tuple[str, Any]:
        """Where one value goes, and what is written of it.

        Args:
            name: The input's.
            value: Typed.
            kind: The card's kind of it, as :meth:`kind_of` gives it.
            record: Where it is marked what was cut or replaced.

        Returns:
            A map of ``ml.inputs``, or a kind of *missing*; and the value.
        """
        if kind is None or kind == "other":
            if type(value) is int and not -(2**63) <= value < 2**63:
                # Beyond 64 bits: neither the encoder nor Elasticsearch takes it as a number.
                record.replaced = [*(record.replaced or ()), name]
                return "other", values.integer_text(value)
            return "other", value
        if isinstance(value, str):
            return self._text(name, value, kind, record)
        if isinstance(value, float | int):
            return _number(name, value, kind, record)
        return "null" if value is None else "other", value

    def kind_of(self, name: str) -> str | None:
        """The card's kind of an input, ``any`` where every kind will do, ``None`` where it isn't told apart."""
        return self._kinds.get(name) if self._kinds is not None else self._kind_without_card(name)

    def _kind_without_card(self, name: str) -> str | None:
        if name not in self._seen:
            if len(self._seen) >= NAMES_WITHOUT_CARD:
                return None
            self._seen.add(name)
        return ANY

    def _text(self, name: str, value: str, kind: str, record: Record) -> tuple[str, Any]:
        if not value or value.isspace():
            return "empty", value
        if kind == "text":
            return "text", value
        if kind == ANY and len(value) > KEYWORD_LENGTH:
            # Nobody has said that this text may be kept.
            record.mark_truncated(name)
            cut = values.cut(value)  # it may have been cut when it was taken
            return "other", {"length": cut.length, "hash": cut.digest}
        return "keyword", value


def _number(name: str, value: float, kind: str, record: Record) -> tuple[str, Any]:
    number = value
    if isinstance(value, bool):
        return ("keyword", category_key(value)) if kind == "category" else ("boolean", value)
    if isinstance(value, int) and value not in values.INT64:
        # Elasticsearch's ``long`` ends there; a wider one is written as the nearest double.
        record.replaced = [*(record.replaced or ()), name]
        number = values.float_of(value)
    if not math.isfinite(number):
        return "nan" if math.isnan(number) else "infinite", number
    if kind == "category":
        return "keyword", category_key(number)
    if kind == "boolean" and number in (0, 1):
        return "boolean", bool(number)
    return "number", number
