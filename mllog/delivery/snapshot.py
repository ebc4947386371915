"""Inputs as they were when the caller passed them: taken on the caller's thread, so as lean as can be."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mllog import structures, values
from mllog.delivery.loops import size_of_scalars
from mllog.delivery.loops.plain import VALUE_SIZE, is_numpy
from mllog.notices import once

if TYPE_CHECKING:
    from mllog.events import Record

NAMES_LIMIT: Final = 2**16
NODES_LIMIT: Final = 8 * values.NODE_LIMIT
"""How many nested values of one event are looked at, all inputs together: more don't fit into a line."""
WHOLE: Final = "@inputs"
"""Mark of inputs that were cut or replaced as a whole, where others have an input's name."""

UNKNOWN: Final = "inputs"
"""Mark of an event whose inputs aren't known, among what was cut; the encoder's too, for those that are too long."""


@dataclass(slots=True)
class Snapshot:
    """Inputs as they were at one moment, every value typed.

    Attributes:
        values: Values by name; enumerations and UUIDs, which can't change, may still be themselves.
        size: Bytes they are taken to need.
        truncated: Names whose value was cut.
        replaced: Names whose value could not be kept as it was.
        plain: Whether there are only scalars: strings, floats, booleans, ``None`` and integers of up to 53 bits.
    """

    values: dict[str, Any]
    size: int
    truncated: list[str] | None = None
    replaced: list[str] | None = None
    plain: bool = False


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
    if type(inputs) is dict:
        return _taken(inputs.copy())
    walk = values.Walk()
    taken = _taken(_as_dict(inputs, names, walk))
    # What became of the inputs as a whole has no other name.
    if walk.truncated:
        taken.truncated = [*(taken.truncated or ()), WHOLE]
    if walk.replaced:
        taken.replaced = [*(taken.replaced or ()), WHOLE]
    return taken


def hold(inputs: Any, names: tuple[str, ...], record: Record) -> None:
    """Have ``record`` take a snapshot: the shortest way for a dict of scalars, which is what most inputs are.

    Inputs that nobody gave, or of which nothing could be read, aren't missing ones: the event says that they aren't
    known, and no feature is counted as absent.
    """
    if inputs is None:
        record.mark_truncated(UNKNOWN)
        return
    if type(inputs) is dict:
        if record.hold_scalars(inputs):
            return
        inputs = _converted(inputs.copy())
    taken = snapshot(inputs, names)
    if not taken.values and WHOLE in (taken.replaced or ()):
        record.mark_truncated(UNKNOWN)
        record.mark_replaced(WHOLE)
        return
    record.take(taken)


def _taken(copy: dict[Any, Any]) -> Snapshot:
    size = size_of_scalars(copy)
    return _converted(copy) if size is None else Snapshot(copy, size, None, None, True)


def _converted(inputs: dict[Any, Any]) -> Snapshot:
    result = Snapshot({}, 0)
    truncated: list[str] = []
    replaced: list[str] = []
    scalars, limit = values.SCALARS, values.TEXT_LIMIT
    size = 0
    left = NODES_LIMIT
    for key, value in inputs.items():
        name = key if type(key) is str and len(key) <= values.NAME_LIMIT else values.name_of(key)
        if name is not key:
            replaced.append(name)
        size += VALUE_SIZE + len(name)
        try:
            kind = type(value)
            if kind in scalars:
                if kind is not str:
                    result.values[name] = value
                    continue
                size += len(value)
                if len(value) <= limit:
                    result.values[name] = value
                    continue
            elif is_numpy(kind):
                result.values[name] = value.item()
                continue
        except Exception:  # noqa: BLE001, S110 - a class may refuse to be hashed or named; it is marked below
            pass
        walk = values.Walk(min(left, values.NODE_LIMIT))
        typed = result.values[name] = walk.typed(value)
        left -= walk.nodes
        size += VALUE_SIZE * walk.nodes + (len(typed) if isinstance(typed, str) else 0)
        if walk.truncated:
            truncated.append(name)
        if walk.replaced:
            replaced.append(name)
    result.size = size
    result.truncated, result.replaced = truncated or None, replaced or None
    return result


def _as_dict(inputs: Any, names: tuple[str, ...], walk: values.Walk) -> dict[Any, Any]:
    """Named values of anything that has some; a copy. ``walk`` knows what was cut or replaced."""
    try:
        kind = type(inputs)
        if structures.is_frame(kind):
            row = structures.row_of(inputs)
            walk.replaced = row is None or len(row) < inputs.shape[1]
            if row is not None:
                return row
            once(f"a {kind.__name__} that isn't one row was logged as one event: log.batch logs one for each row")
        if hasattr(kind, "keys") and hasattr(kind, "__getitem__"):
            # A Series iterates its values; and a mapping may never end.
            taken = {name: inputs[name] for name in islice(inputs.keys(), NAMES_LIMIT + 1)}
            walk.truncated = len(taken) > NAMES_LIMIT
            return taken
        named = structures.members(inputs)
        if named is not None:
            taken = dict(islice(named.items(), NAMES_LIMIT + 1))
            walk.truncated = len(taken) > NAMES_LIMIT
            walk.replaced = not walk.truncated and len(taken) < len(named)  # two columns of one name
            return taken
    except Exception:  # noqa: BLE001, S110 - foreign code; what it is, is marked below
        pass
    plain = walk.typed(inputs)
    if isinstance(plain, dict):
        return plain
    if isinstance(plain, list):
        fitting = names if len(names) == len(plain) else tuple(f"x{k}" for k in range(len(plain)))
        return dict(zip(fitting, plain, strict=True))
    return {} if plain is None else {"value": plain}
