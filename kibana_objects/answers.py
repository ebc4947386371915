"""What Kibana's answers look like, so far as they are read, and where another one differs: a proxy's, most often.

https://www.elastic.co/docs/api/doc/kibana/. Whoever reads an answer that fits needs to ask no further.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

Shape = Any
"""A type, a list of one shape, names with theirs, or :class:`Maybe`."""


@dataclass(frozen=True, slots=True)
class Maybe:
    """A value that may be absent.

    Attributes:
        shape: Of one that is there.
        null: Whether it may be null too.
    """

    shape: Shape
    null: bool = False


_KEY: Final = {"type": str, "id": str}
_OBJECT: Final = {
    **_KEY,
    "attributes": dict,
    "references": Maybe([{**_KEY, "name": str}]),
}

STATUS: Final = {"version": {"number": str}}
IMPORTED: Final = {
    "success": bool,
    "successCount": int,
    "successResults": Maybe([{**_KEY, "destinationId": Maybe(str)}]),
    "errors": Maybe([{**_KEY, "error": {"type": str, "message": Maybe(str), "references": Maybe([_KEY])}}]),
}
EXPORTED: Final[Shape] = [_OBJECT]
SEARCHES: Final[Shape] = [{"attributes": {"tabs": Maybe([{"attributes": Maybe(dict)}])}}]
"""Of an export, besides."""

NOT_EXPORTED: Final = {"attributes": {"objects": [{**_KEY, "error": Maybe({"statusCode": Maybe(int)})}]}}
RULE: Final = {
    "enabled": bool,
    "execution_status": {
        "status": str,
        "error": Maybe({"reason": Maybe(str, null=True), "message": Maybe(str, null=True)}, null=True),
    },
}
CONNECTORS: Final[Shape] = [{"id": str, "is_missing_secrets": Maybe(bool, null=True)}]

_CALLED: Final = {str: "a text", int: "a whole number", bool: "true or false", dict: "an object", list: "a list"}


def misfit(value: Any, shape: Shape, name: str = "") -> str:
    """Where a value has another shape, in words; empty where it fits.

    Args:
        value: Of an answer's JSON.
        shape: The one that it should have; names that it doesn't speak of aren't looked at.
        name: The value's, dotted; empty for the whole answer.
    """
    if isinstance(shape, Maybe):
        return "" if value is None and shape.null else misfit(value, shape.shape, name)
    kind: type[Any] = shape if isinstance(shape, type) else type(shape)
    # True is an int to Python.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return f"{name or 'it'} isn't {_CALLED[kind]}"
    found: Iterable[str] = ()
    if isinstance(shape, list):
        found = (misfit(item, shape[0], f"{name}[{place}]") for place, item in enumerate(value))
    elif isinstance(shape, dict):
        prefix = f"{name}." if name else ""
        found = (_misfit_below(value, below, key, f"{prefix}{key}") for key, below in shape.items())
    return next(filter(None, found), "")


def _misfit_below(value: dict[str, Any], shape: Shape, key: str, name: str) -> str:
    """The same of what stands under a key, or doesn't."""
    if key in value:
        return misfit(value[key], shape, name)
    return "" if isinstance(shape, Maybe) else f"{name} is missing"
