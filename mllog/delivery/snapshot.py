"""Inputs as they were when the caller passed them: taken on the caller's thread, so as lean as can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mllog import values

VALUE_SIZE: Final = 32
"""Bytes that a value is taken to need, texts aside."""


@dataclass(slots=True)
class Snapshot:
    """Inputs as they were at one moment, every value typed.

    Attributes:
        values: Values by name.
        size: Bytes they are taken to need.
        truncated: Names whose value was cut.
        replaced: Names whose value could not be kept as it was.
    """

    values: dict[str, Any]
    size: int
    truncated: list[str] | None = None
    replaced: list[str] | None = None


def snapshot(inputs: Any, names: tuple[str, ...] = ()) -> Snapshot:
    """A snapshot of ``inputs``, which aren't changed.

    Scalars are immutable, so for a dict of them a shallow copy is one; everything else is converted value by
    value.

    Args:
        inputs: A mapping, anything that has named values, a vector, or a snapshot (given back as it is).
        names: Names for the values of a vector.
    """
    if type(inputs) is Snapshot:
        return inputs
    copy: dict[Any, Any] = dict(inputs) if type(inputs) is dict else _as_dict(inputs, names)
    size = VALUE_SIZE * len(copy)
    scalars, limit = values.SCALARS, values.TEXT_LIMIT
    slow: list[str] = []
    for name, value in copy.items():
        kind = type(value)
        if type(name) is not str or not name or len(name) > values.NAME_LIMIT or name.isspace():
            return _converted(copy, list(copy), size)
        if kind is str:
            size += len(value)
            if len(value) > limit:
                slow.append(name)
        elif kind not in scalars:
            slow.append(name)
    return _converted(copy, slow, size) if slow else Snapshot(copy, size)


def _converted(inputs: dict[Any, Any], slow: list[Any], size: int) -> Snapshot:
    result = Snapshot({}, size)
    truncated: list[str] = []
    replaced: list[str] = []
    needed = set(slow)
    for key, value in inputs.items():
        name = values.name_of(key)
        if name != key:
            replaced.append(name)
        if key not in needed:
            result.values[name] = value
            continue
        walk = values.Walk()
        typed = result.values[name] = walk.typed(value)
        result.size += VALUE_SIZE * walk.nodes + (len(typed) if type(typed) is str else 0)
        if walk.truncated:
            truncated.append(name)
        if walk.replaced:
            replaced.append(name)
    result.truncated, result.replaced = truncated or None, replaced or None
    return result


def _as_dict(inputs: Any, names: tuple[str, ...]) -> dict[Any, Any]:
    """Named values of anything that has some; a copy."""
    kind = type(inputs)
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__"):
        return {name: inputs[name] for name in inputs.keys()}  # noqa: SIM118 - a Series iterates its values
    plain = values.typed(inputs)
    if isinstance(plain, dict):
        return plain
    if isinstance(plain, list):
        fitting = names if len(names) == len(plain) else tuple(f"x{k}" for k in range(len(plain)))
        return dict(zip(fitting, plain, strict=True))
    return {} if plain is None else {"value": plain}
