"""One small number an event, ``ml.fingerprint``, by which a server can tell that all inputs of two events are equal.

It is the CRC-32, as :func:`zlib.crc32` has it, of ``ml.inputs`` as it stands in the line, and of what stands behind it
where something is missing: ``,"missing":`` and ``ml.missing``. Both are written in one order, whoever writes them: maps
and kinds of missing in that of :data:`MAPS` and :data:`mllog.ruler.MISSING_KINDS`, names in the caller's. So the same
code that sends the same inputs gives the same number, in every process and on every host. Inputs in another order, or
``5.0`` for ``5``, are equal too, and may have another number.

Different inputs have the same number by chance: of *n* events of an hour about n^2 / 2^33 pairs, 1 in 100,000 events of
100,000, and 1 in 10,000 of a million. The check that counts repeats sees 5 in 100.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.delivery.loops import crc32
from mllog.ruler import MISSING_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAPS: Final = ("number", "keyword", "boolean", "text", "other")
"""The maps of ``ml.inputs``, in the order in which they are written."""

CUT: Final = "inputs"
"""In ``ml.truncated``: the inputs weren't kept."""

_GIVEN: Final = frozenset({"null", "nan", "infinite", "empty"})
"""Kinds of missing that an input was sent as; an absent one wasn't."""


def in_order(
    maps: Mapping[str, dict[str, Any]], names: Sequence[str], sorted_: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """The maps that have members, as they are written.

    Args:
        maps: Of ``ml.inputs``.
        names: The inputs, in the caller's order.
        sorted_: So many members of a map were all that it had while they stood in that order.
    """
    filled = {target: maps[target] for target in MAPS if maps.get(target)}
    for target, members in filled.items():
        if len(members) > 1 and len(members) != sorted_.get(target):
            filled[target] = {name: members[name] for name in names if name in members}
    return filled


def kinds_in_order(missing: dict[str, list[str]]) -> dict[str, list[str]]:
    """``ml.missing`` as it is written."""
    return missing if len(missing) < 2 else {kind: missing[kind] for kind in MISSING_KINDS if kind in missing}


def written(ml: dict[str, Any]) -> tuple[tuple[bytes, ...], dict[str, Any]]:
    """What ``ml`` of a prediction begins with, in parts: inputs, missing, fingerprint and a comma; and the rest of it.

    An event without any input has no fingerprint, nor has one whose inputs weren't kept.

    Raises:
        TypeError: UTF-8 can't hold the inputs.
    """
    rest = ml.copy()
    inputs, missing = rest.pop("inputs"), rest.pop("missing", None)
    text = orjson.dumps(inputs)
    if missing is not None:
        text = b"".join((text, b',"missing":', orjson.dumps(missing)))
    if CUT in ml.get("truncated", ()) or not (inputs or (missing and not _GIVEN.isdisjoint(missing))):
        return (b'"inputs":', text, b","), rest
    return (b'"inputs":', text, b',"fingerprint":%d,' % crc32(text)), rest
