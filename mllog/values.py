"""Any Python value as a typed value that JSON can hold. Total: there is no value for which it raises.

A typed value is ``None``, ``bool``, ``int`` within 64 bits, ``float`` (NaN and infinities included: the
ruler tells them apart), ``str``, or a dict or list of those. numpy, pandas, torch, pyarrow and pydantic are
known by what their objects can do, so none of them is imported. Nothing that was passed is changed, used up or
kept. Objects may do anything when they are asked, and say that they are what they aren't: so types are looked up
past their own methods, and what raises becomes a mark of its type. Only what isn't an ``Exception`` passes
(``KeyboardInterrupt``).
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import math
import re
from collections import UserString, deque
from collections.abc import Callable, Iterable, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from itertools import islice
from numbers import Integral, Real
from types import NoneType
from typing import Any, Final
from uuid import UUID

from mllog import structures

SCALARS: Final = frozenset({str, int, float, bool, NoneType})
"""Types whose values are immutable and need no conversion: a shallow copy of a dict of them is a snapshot."""

TEXT_LIMIT: Final = 8_192
NAME_LIMIT: Final = 256
DEPTH_LIMIT: Final = 50
NODE_LIMIT: Final = 2_000
DIGEST: Final = 16
"""Hexadecimal digits of a hash."""
VECTOR_LIMIT: Final = 32
"""Longer vectors of numbers are summed up."""

_FOREIGN_NODES: Final = 40  # what a ``__repr__`` may cost, in values

INT64: Final = range(-(2**63), 2**63)
_BEYOND: Final = 10**400
"""Stands for what is finite, and no double holds: an integer of its size could take all memory."""

_UNKNOWN_TYPES: Final = frozenset({"NAType", "NaTType"})
_NUMBER_TYPES: Final = frozenset({int, float, bool, NoneType})
_LISTS: Final = (list, tuple, deque)
_type_name: Final[Callable[[type], str]] = type.__dict__["__name__"].__get__
_ENUMERATIONS: Final[dict[type[Enum], None]] = {}
_ENUMERATIONS_LIMIT: Final = 256
_ADDRESS: Final = re.compile(r" at 0x[0-9A-Fa-f]+")  # of an object in memory: another one in each event


class Cut(str):
    """A text that was cut: its head, and behind a mark a hash of all of it. It isn't cut again.

    Attributes:
        length: Of all of it.
    """

    __slots__ = ("length",)
    length: int

    @classmethod
    def of(cls, head: str, length: int, digest: str) -> Cut:
        """The head of a text of this length and this hash."""
        made = cls(f"{head}… #{digest}")
        made.length = length
        return made

    @property
    def digest(self) -> str:
        """Hash of all of it, as :func:`text_hash` gives it."""
        return self[-DIGEST:]


class Walk:
    """One conversion: what had to be cut or replaced on the way.

    Args:
        limit: How many values are looked at.
    """

    __slots__ = ("limit", "nodes", "path", "replaced", "truncated")

    def __init__(self, limit: int = NODE_LIMIT) -> None:
        self.limit = limit
        self.nodes = 0
        self.path: set[int] = set()
        self.replaced = False
        self.truncated = False

    def typed(self, value: object, depth: int = 0) -> Any:
        """``value`` as a typed value; see the module."""
        try:
            return self._typed(value, depth)
        except Exception:  # noqa: BLE001 - foreign code runs here: properties, __iter__, __repr__
            self.replaced = True
            return _name_of(value)

    def _typed(self, value: Any, depth: int) -> Any:
        self.nodes += 1
        kind = type(value)
        if kind in SCALARS:
            return self._scalar(value)
        if kind is Cut:
            self.truncated = True
            return value
        if depth > DEPTH_LIMIT or self.nodes > self.limit:
            return self._left_out(value)
        if _type_name(kind) in _UNKNOWN_TYPES:
            return None
        for types, convert in _SIMPLE:
            if issubclass(kind, types):
                return self._typed(convert(value), depth + 1)
        if issubclass(kind, bytes | bytearray | memoryview):
            return self._bytes(memoryview(value).tobytes())
        if id(value) in self.path:
            self.replaced = True
            return "<cycle>"
        self.path.add(id(value))
        try:
            return self._compound(value, depth)
        finally:
            self.path.discard(id(value))

    def _left_out(self, value: Any) -> str:
        self.truncated = True
        return _name_of(value)

    def _scalar(self, value: Any) -> Any:
        if type(value) is str:
            return self._text(value)
        if type(value) is int:
            return self._integer(value)
        return value

    def _text(self, text: str) -> str:
        if len(text) <= TEXT_LIMIT:
            return text
        self.truncated = True
        return cut(text)

    def _integer(self, number: int) -> int | float:
        if number in INT64:
            return number
        self.replaced = True
        return float_of(number)

    def _bytes(self, value: bytes) -> str:
        if len(value) <= TEXT_LIMIT // 2:
            return base64.b64encode(value).decode()
        self.truncated = True
        return f"<{len(value)} bytes #{hashlib.sha256(value).hexdigest()[:16]}>"

    def _compound(self, value: Any, depth: int) -> Any:
        kind = type(value)
        named = structures.members(value)
        if named is not None:
            return self._mapping(named, depth)
        for base in _LISTS:
            if issubclass(kind, base):
                return self._sequence(list(base.__iter__(value)), depth)
        if isinstance(value, AbstractSet):
            items = self._sequence(self._some(value), depth)
            return sorted(items, key=lambda item: (type_name(item), repr(item))) if type(items) is list else items
        if isinstance(value, Sequence | ValuesView):
            return self._sequence(self._some(value), depth)
        return self._foreign(value, depth)

    def _foreign(self, value: Any, depth: int) -> Any:
        """Objects of other libraries, by what they can do."""
        kind = type(value)
        if hasattr(kind, "__next__"):
            # Whoever else reads it would miss what was taken here.
            self.replaced = True
            return _name_of(value)
        if _type_name(kind) in {"datetime64", "timedelta64"} and hasattr(kind, "astype"):
            item = value.astype(f"{_type_name(kind)}[us]").item()
            return str(value) if isinstance(item, int) else self._typed(item, depth + 1)
        if issubclass(kind, Integral | Real):
            return self._scalar(int(value) if issubclass(kind, Integral) else float(value))
        if hasattr(kind, "model_dump"):
            # It has no bounds of its own: so what it would have to look at is counted first.
            content = Walk(self.limit)
            content.typed(dict(getattr(value, "__dict__", {})), depth)
            self.nodes += content.nodes
            return self._typed(value.model_dump(), depth + 1) if self.nodes <= self.limit else self._left_out(value)
        if hasattr(kind, "as_py"):
            return self._typed(value.as_py(), depth + 1)
        if structures.is_frame(kind):
            row = structures.row_of(value)
            if row is not None:
                return self._mapping(row, depth)
        if any(hasattr(kind, method) for method in _TO_LIST):
            return self._array(value, depth)
        if hasattr(kind, "item"):
            return self._typed(value.item(), depth + 1)
        self.replaced = True
        self.nodes += _FOREIGN_NODES
        text = _text_of(value)
        self.truncated = self.truncated or type(text) is Cut
        return text

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            if self.nodes > self.limit:
                self.truncated = True
                break
            name = key if type(key) is str and len(key) <= NAME_LIMIT else name_of(key)
            # 1 and "1" are two keys of a dict and one name of an object.
            self.replaced = self.replaced or name in result
            result[name] = self._inside(item, depth)
        return result

    def _sequence(self, value: list[Any], depth: int) -> Any:
        if len(value) > VECTOR_LIMIT and all(type(item) in _NUMBER_TYPES for item in value):
            self.nodes += len(value) // VECTOR_LIMIT
            numbers = [float_of(x) if isinstance(x, int) else x for x in value if x is not None]
            return structures.summary(numbers, len(value))
        result = []
        for item in value:
            if self.nodes > self.limit:
                self.truncated = True
                break
            result.append(self._inside(item, depth))
        return result

    def _inside(self, value: Any, depth: int) -> Any:
        """A value of a container, where JSON has nothing but null for what isn't a finite number."""
        item = self.typed(value, depth + 1)
        if type(item) is float and not math.isfinite(item):
            self.replaced = True
        return item

    def _some(self, value: Iterable[Any]) -> list[Any]:
        """Its items, as many as are looked at: it may say that it has three and never end."""
        items = list(islice(value, NODE_LIMIT + 1))
        if len(items) > NODE_LIMIT:
            self.truncated = True
            self.nodes += NODE_LIMIT
        return items

    def _array(self, value: Any, depth: int) -> Any:
        shape = getattr(value, "shape", None)
        size = math.prod(shape) if isinstance(shape, tuple) else len(value)
        if size > NODE_LIMIT:
            self.truncated = True
            return structures.array_summary(value, size, shape or ())
        if structures.field_names(value):  # whose own list has lost the names
            return self._typed(self._some(value), depth + 1)
        items = next(getattr(value, method) for method in _TO_LIST if hasattr(type(value), method))()
        return self._typed(items, depth + 1)


def _number_of(value: Decimal) -> float | int:
    number = math.nan if value.is_snan() else float(value)
    return number if math.isfinite(number) or not value.is_finite() else int(math.copysign(1, number)) * _BEYOND


_TO_LIST: Final = ("tolist", "to_list", "to_pylist")
_SIMPLE: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (Enum, lambda value: _remembered(value).value),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (Decimal, _number_of),
    ((dt.datetime, dt.date, dt.time), lambda value: value.isoformat()),
    (dt.timedelta, dt.timedelta.total_seconds),
    ((UUID, UserString), str),
)
"""Types of the standard library that stand for one thing, and what they become, in this order."""


def typed(value: object) -> Any:
    """``value`` as a typed value, where nobody asks what was cut or replaced."""
    return Walk().typed(value)


def cut(text: str, limit: int = TEXT_LIMIT) -> Cut:
    """The head of a text that is too long, with a mark and a hash of all of it; one that was cut already as it is."""
    return text if type(text) is Cut else Cut.of(text[:limit], len(text), text_hash(text))


def text_hash(text: str) -> str:
    """16 hex digits that are the same for the same text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST]


def enumerations() -> tuple[type[Enum], ...]:
    """Types of the enumerations of which a member was typed in this process: who knows its value finds its name."""
    return tuple(_ENUMERATIONS)


def float_of(number: int) -> float:
    """An integer of any size as the nearest double, an infinity beyond the largest."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def integer_text(number: int) -> str:
    """Digits of an integer; its length, where Python refuses to write so many (``sys.set_int_max_str_digits``)."""
    try:
        return str(number)
    except ValueError:
        return f"<integer of {number.bit_length()} bits>"


def text_of(value: object) -> str:
    """What a field for texts says of any value; not longer than other texts."""
    text = Walk().typed(value)
    text = text if isinstance(text, str) else repr(text)
    return text if len(text) <= TEXT_LIMIT + NAME_LIMIT else cut(text)


def is_usable(name: object) -> bool:
    """Whether Elasticsearch takes ``name`` for a field's."""
    return type(name) is str and 0 < len(name) <= NAME_LIMIT and not name.isspace()


def name_of(key: object) -> str:
    """A usable field name for any key: text, not blank, not too long, the same for the same key."""
    name = key if type(key) is str else text_of(key)
    if len(name) > NAME_LIMIT:
        digest = name.digest if type(name) is Cut else text_hash(name)
        return f"{name[: NAME_LIMIT - DIGEST - 1]}#{digest}"
    return name if name.strip() else f"unnamed{len(name) or ''}"


def strict(value: Any) -> Any:
    """A typed value whose texts UTF-8 can hold: lone surrogates become ``?``."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {strict(key): strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    return value


def _text_of(value: object) -> str:
    """What an object says of itself, without where it is in memory; as much of it as a name may be long."""
    try:
        text = _ADDRESS.sub("", str.__str__(repr(value)))
    except Exception:  # noqa: BLE001 - a __repr__ may do anything
        return _name_of(value)
    return text if len(text) <= NAME_LIMIT else cut(text, NAME_LIMIT - DIGEST - len("… #"))


def _remembered(member: Enum) -> Enum:
    if len(_ENUMERATIONS) < _ENUMERATIONS_LIMIT:
        _ENUMERATIONS[type(member)] = None
    return member


def type_name(value: object) -> str:
    """Name of a value's type, whatever that says of itself."""
    return _type_name(type(value))


def _name_of(value: object) -> str:
    return f"<{type_name(value)}>"
