"""Whether a saved object that is there is the one that would be imported.

All that would be imported must be there; what else is there isn't looked at, since Kibana adds to it: what its
migrations make, how often a field was looked at, tags of somebody's own. JSON within JSON is compared as what it says,
and of a rule what defines it, not how it fares: whether it is muted is its operators' business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from mllog.elastic.comparing import difference as unified

MOST_LINES: Final = 40
"""Of a difference: a dashboard that somebody has rebuilt has thousands."""

_OF_A_RULE: Final = frozenset(
    {"name", "tags", "consumer", "alertTypeId", "schedule", "params", "actions", "throttle", "notifyWhen", "alertDelay"}
)
_NOBODYS: Final = frozenset({"hits", "version"})
"""Attributes that say nothing, and that newer shapes of a type have no more."""

Json = Mapping[str, Any]


def difference(there: Json, wanted: Json) -> str:
    """What is there against what would be imported, as a unified diff; empty where nothing is missing.

    Args:
        there: As Kibana exports it.
        wanted: As it would be imported.
    """
    should = _spelt(wanted)
    lines = unified(_part(_spelt(there), should), should).splitlines()
    more = len(lines) - MOST_LINES
    return "\n".join([*lines[:MOST_LINES], f"... and {more} lines more"] if more > 0 else lines)


def _spelt(one: Json) -> dict[str, Any]:
    """Attributes and references of a saved object in the spelling by which two are compared."""
    held = {name: value for name, value in one["attributes"].items() if name not in _NOBODYS}
    if one["type"] == "alert":
        held = {name: value for name, value in held.items() if name in _OF_A_RULE}
    if one["type"] == "search" and held.get("tabs"):
        # From 9.2 on a search has tabs, which hold what was the search's own until then.
        held |= held.pop("tabs")[0].get("attributes", {})
    references = {each["name"]: f"{each['type']} {each['id']}" for each in one.get("references", ())}
    return {"attributes": _opened(held), "references": references}


def _opened(value: Any) -> Any:
    """A value with the JSON in its strings read."""
    if isinstance(value, dict):
        return {key: _opened(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_opened(item) for item in value]
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return _opened(json.loads(value))
        except ValueError:
            return value  # a template of a message begins so too
    return value


def _part(there: Any, wanted: Any) -> Any:
    """So much of what is there as is spoken of in what is wanted; what isn't said is null."""
    if isinstance(there, dict) and isinstance(wanted, dict):
        return {key: _part(there.get(key), below) for key, below in wanted.items() if key in there or below is None}
    if isinstance(there, list) and isinstance(wanted, list) and len(there) == len(wanted):
        return [_part(*pair) for pair in zip(there, wanted, strict=True)]
    return there
