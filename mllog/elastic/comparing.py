"""Whether what a server holds is what it should hold: both brought to one spelling, and the difference as text.

The server answers in a spelling of its own: settings nested and as strings, defaults and times of change added.
"""

from __future__ import annotations

import difflib
import json
from typing import Any, Final

# What the server adds by itself, and which mllog put it: the same template put by two versions is the same.
_PASSED_OVER: Final = frozenset(
    {"created_date", "created_date_millis", "modified_date", "modified_date_millis", "version", "in_use_by", "mllog"}
)
_DEFAULTS: Final[dict[str, Any]] = {
    "hidden": "false",
    "allow_custom_routing": "false",
    "enabled": "true",
    # As in `"template": {}`, which one version answers and another leaves out.
    "template": {},
}


def normal(document: Any) -> Any:
    """A document in the spelling by which two are compared: strings for scalars, no defaults."""
    if isinstance(document, dict):
        result = {}
        for key, value in document.items():
            spelled = normal(value)
            # A field may be called so too; its value is a mapping.
            added = key in _PASSED_OVER and not isinstance(value, dict)
            if not added and not (key in _DEFAULTS and spelled == _DEFAULTS[key]):
                result[key] = spelled
        return result
    if isinstance(document, list):
        return [normal(item) for item in document]
    if isinstance(document, bool):
        return "true" if document else "false"
    return str(document)


def merged(below: Any, above: Any) -> Any:
    """Two templates as the server puts them together: where both say something, ``above`` holds."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    common = {key: merged(below[key], above[key]) for key in below.keys() & above.keys()}
    return {**below, **above, **common}


def part(whole: Any, pattern: Any) -> Any:
    """So much of ``whole`` as ``pattern`` speaks of: an index may have more fields than its template."""
    if not (isinstance(whole, dict) and isinstance(pattern, dict)):
        return whole
    if pattern.get("type") == "object":
        # An index doesn't say it of an object that has fields.
        whole = {"type": "object", **whole}
    return {key: part(whole[key], below) for key, below in pattern.items() if key in whole}


def difference(there: Any, wanted: Any) -> str:
    """A unified diff of two normal documents; empty where they are the same."""
    if there == wanted:
        return ""
    old, new = (json.dumps(text, indent=2, sort_keys=True).splitlines() for text in (there, wanted))
    return "\n".join(difflib.unified_diff(old, new, "there", "wanted", lineterm="", n=2))
