"""When documents are deleted. No server, no client.

Data streams carry their retention in the template (``lifecycle.data_retention``), and the server does the rest. It does
nothing of the kind for plain indices: there a policy of index lifecycle management deletes a month as a whole, where
the server has it, and ``mllog setup --expire`` does where it hasn't.
https://www.elastic.co/docs/manage-data/lifecycle
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from mllog.elastic.indices import INDICES, month_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from mllog.elastic.indices import Index
    from mllog.elastic.retention import Class

_MONTH_DAYS: Final = 31


def span(days: int) -> str:
    """Days as a time unit of the server, which knows no years."""
    return f"{days}d"


def policy_name(keep: Class) -> str:
    """The policy of a class."""
    return f"mllog-{keep}"


def policies(keep: Mapping[Class, int], meta: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name -> body of the policies that monthly indices need.

    A policy counts from when an index was made, which is the beginning of its month: its last documents are up to a
    month younger, and must not be deleted with the first.
    """
    classes = sorted({index.keep for index in INDICES if index.kind == "monthly" and index.keep is not None})
    return {
        policy_name(name): {
            "policy": {
                "_meta": dict(meta),
                "phases": {
                    "hot": {"min_age": "0ms", "actions": {}},
                    "delete": {
                        "min_age": span(keep[name] + _MONTH_DAYS),
                        "actions": {"delete": {"delete_searchable_snapshot": True}},
                    },
                },
            }
        }
        for name in classes
    }


def expired(names: Iterable[str], keep: Mapping[str, int], now: datetime) -> list[tuple[str, Index, datetime]]:
    """Monthly indices whose whole month is older than their retention.

    Args:
        names: Of indices; what isn't a monthly index of ours is passed over.
        keep: Name of the row -> days; rows that aren't in it keep everything.
        now: Aware of its time zone.

    Returns:
        Name, row, and the moment before which every document of it could go; oldest month first.
    """
    found = []
    for name in names:
        month = month_of(name)
        if month is None or month[0].name not in keep:
            continue
        row, end = month
        limit = now - timedelta(days=keep[row.name])
        if end <= limit:
            found.append((end, name, row, limit))
    return [(name, row, limit) for _, name, row, limit in sorted(found, key=lambda one: one[:2])]
