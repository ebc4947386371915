"""Any Python value as a typed value that JSON can hold. Total: there is no value for which it raises.

A typed value is ``None``, ``bool``, ``int`` within 64 bits, ``float`` (NaN and infinities included: the
ruler tells them apart), ``str``, or a dict or list of those. numpy, pandas, torch, pyarrow and pydantic are
known by what their objects can do, so none of them is imported. Nothing that was passed is changed or kept.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import math
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Final
from uuid import UUID

SCALARS: Final = frozenset({str, int, float, bool, NoneType})
"""Types whose values are immutable and need no conversion: a shallow copy of a dict of them is a snapshot."""

TEXT_LIMIT: Final = 8_192
NAME_LIMIT: Final = 256
DEPTH_LIMIT: Final = 50
NODE_LIMIT: Final = 2_000
VECTOR_LIMIT: Final = 32
"""Longer vectors of numbers are summed up."""

INT64: Final = range(-(2**63), 2**63)

_UNKNOWN_TYPES: Final = frozenset({"NAType", "NaTType"})
_NUMBER_TYPES: Final = frozenset({int, float, bool, NoneType})


class Walk:
    """One conversion: what had to be cut or replaced on the way."""

    __slots__ = ("nodes", "path", "replaced", "truncated")

    def __init__(self) -> None:
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
        if depth > DEPTH_LIMIT or self.nodes > NODE_LIMIT:
            self.truncated = True
            return _name_of(value)
        if kind.__name__ in _UNKNOWN_TYPES:
            return None
        for types, convert in _SIMPLE:
            if isinstance(value, types):
                return self._typed(convert(value), depth + 1)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(bytes(value))
        if id(value) in self.path:
            self.replaced = True
            return "<cycle>"
        self.path.add(id(value))
        try:
            return self._compound(value, depth)
        finally:
            self.path.discard(id(value))

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
        named = _fields(value)
        if named is not None:
            return self._mapping(named, depth)
        if isinstance(value, list | tuple):
            return self._sequence(value, depth)
        if isinstance(value, AbstractSet):
            return self._sequence(
                sorted(value, key=lambda item: (type(item).__name__, _text_of(item))), depth
            )
        if kind.__name__ in {"datetime64", "timedelta64"} and hasattr(kind, "astype"):
            return self._typed(value.astype(f"{kind.__name__}[us]").item(), depth + 1)
        for method in ("model_dump", "as_py", "to_pylist"):
            if hasattr(kind, method):
                return self._typed(getattr(value, method)(), depth + 1)
        if hasattr(kind, "tolist") or hasattr(kind, "to_list"):
            return self._array(value, depth)
        if hasattr(kind, "item"):
            return self._typed(value.item(), depth + 1)
        self.replaced = True
        return _text_of(value)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            if self.nodes > NODE_LIMIT:
                self.truncated = True
                break
            result[key if type(key) is str and len(key) <= NAME_LIMIT else name_of(key)] = self.typed(
                item, depth + 1
            )
        return result

    def _sequence(self, value: list[Any] | tuple[Any, ...], depth: int) -> Any:
        if len(value) > VECTOR_LIMIT and set(map(type, value)) <= _NUMBER_TYPES:
            return _summary(value)
        result = []
        for item in value:
            if self.nodes > NODE_LIMIT:
                self.truncated = True
                break
            result.append(self.typed(item, depth + 1))
        return result

    def _array(self, value: Any, depth: int) -> Any:
        shape = getattr(value, "shape", None)
        size = math.prod(shape) if isinstance(shape, tuple) else len(value)
        if size > NODE_LIMIT:
            self.truncated = True
            mean, square = float(value.mean()), float((value * value).sum())
            return {
                "length": size,
                "mean": mean,
                "norm": math.sqrt(square),
                "shape": [int(n) for n in shape or ()],
            }
        items = value.tolist() if hasattr(type(value), "tolist") else value.to_list()
        return self._typed(items, depth + 1)


_SIMPLE: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (Enum, lambda value: value.value),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (Decimal, lambda value: math.nan if value.is_snan() else float(value)),
    ((dt.datetime, dt.date, dt.time), lambda value: value.isoformat()),
    (dt.timedelta, dt.timedelta.total_seconds),
    (UUID, str),
)
"""Types of the standard library that stand for one thing, and what they become, in this order."""


def typed(value: object) -> Any:
    """``value`` as a typed value, where nobody asks what was cut or replaced."""
    return value if type(value) in SCALARS and type(value) not in (str, int) else Walk().typed(value)


def cut(text: str) -> str:
    """The head of a text that is too long, with a mark and a hash of all of it."""
    return f"{text[:TEXT_LIMIT]}… #{text_hash(text)}"


def text_hash(text: str) -> str:
    """16 hex digits that are the same for the same text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def float_of(number: int) -> float:
    """An integer of any size as the nearest double, an infinity beyond the largest."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def name_of(key: object) -> str:
    """A usable field name for any key: text, not blank, not too long, the same for the same key."""
    name = (
        key if type(key) is str else str.__str__(key) if isinstance(key, str) else _text_of(Walk().typed(key))
    )
    if len(name) > NAME_LIMIT:
        return f"{name[: NAME_LIMIT - 17]}#{text_hash(name)}"
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


def _summary(vector: list[Any] | tuple[Any, ...]) -> dict[str, Any]:
    numbers = [float_of(x) if isinstance(x, int) else x for x in vector if x is not None]
    finite = [x for x in numbers if math.isfinite(x)]
    summary: dict[str, Any] = {"length": len(vector), "finite": len(finite)}
    if finite:
        summary |= {
            "mean": math.fsum(x / len(finite) for x in finite),
            "norm": math.hypot(*finite),
            "min": min(finite),
            "max": max(finite),
        }
    return summary


def _fields(value: Any) -> Mapping[Any, Any] | None:
    """Values by name, of the types that are made of such."""
    kind = type(value)
    if isinstance(value, Mapping):
        return value
    if isinstance(value, tuple) and hasattr(kind, "_fields") and hasattr(kind, "_asdict"):
        return dict(zip(kind._fields, value, strict=True))
    names = getattr(kind, "__dataclass_fields__", None) or [
        a.name for a in getattr(kind, "__attrs_attrs__", ())
    ]
    return {name: getattr(value, name) for name in names} if names else None


def _text_of(value: object) -> str:
    try:
        return str.__str__(repr(value) if not isinstance(value, str) else value)[:NAME_LIMIT]
    except Exception:  # noqa: BLE001 - a __repr__ may do anything
        return _name_of(value)


def _name_of(value: object) -> str:
    return f"<{type(value).__name__}>"
