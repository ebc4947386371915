"""THE table of what Elasticsearch holds: each index, its fields, its age. Templates and docs derive from it.

Events go to data streams, which their writers can only add to. What watchers compute goes to plain indices under ids of
its own, so that a repeated run overwrites the same; those are named by the month of the document's ``@timestamp``, so
that old ones can be deleted whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from mllog.fields import TABLES

if TYPE_CHECKING:
    from mllog.elastic.retention import Class
    from mllog.fields import Field

Kind = Literal["stream", "monthly", "single"]


@dataclass(frozen=True, slots=True)
class Index:
    """One row: what shares a template.

    Attributes:
        name: Of the index template; of a monthly or single index also how its own name begins.
        kind: Data streams, an index a month, or one index for good.
        patterns: Names that the template is for.
        table: Key of :data:`mllog.fields.TABLES`.
        keep: Class of retention; ``None``: for ever.
        meaning: What is in it.
        priority: Of the template; where two patterns match a name, the higher wins.
    """

    name: str
    kind: Kind
    patterns: tuple[str, ...]
    table: str
    keep: Class | None
    meaning: str
    priority: int = 300

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its fields."""
        return TABLES[self.table]


def _monthly(name: str, table: str, keep: Class, meaning: str) -> Index:
    return Index(name, "monthly", (f"{name}-*",), table, keep, meaning)


INDICES: Final[tuple[Index, ...]] = (
    Index(
        "mllog-events",
        "stream",
        ("logs-mllog.*-*",),
        "event",
        "raw",
        "predictions, one data stream a model; metrics, pipeline steps, dead letters, rejects",
    ),
    Index(
        "mllog-audit",
        "stream",
        ("logs-mllog.label.*-*", "logs-mllog.deployment-*"),
        "event",
        "audit",
        "labels, one data stream a model; deployments",
        priority=310,
    ),
    _monthly("mllog-profile", "profile", "windows", "each hour of each model, counted"),
    _monthly(
        "mllog-window", "window", "windows", "what dashboards read: small documents, one a window and feature or metric"
    ),
    _monthly("mllog-finding", "finding", "windows", "what the checks found"),
    _monthly("mllog-incident-event", "incident_event", "audit", "each change of each incident"),
    _monthly("mllog-run", "run", "raw", "each run of the watchers, their heartbeat"),
    _monthly("mllog-told", "told", "raw", "each message that was brought to its receiver"),
    Index("mllog-incidents", "single", ("mllog-incidents",), "incident", None, "each incident as it is now"),
    Index("mllog-cards", "single", ("mllog-cards",), "card", None, "the models' cards"),
    Index("mllog-state", "single", ("mllog-state",), "state", None, "what watchers remember, and who of them works"),
)

EVENTS: Final = "logs-mllog.*-*"
"""Every data stream of ours; those of the second row among them."""

PLAIN: Final = "mllog-*"
"""Every index of ours that is no data stream, and maybe somebody else's."""

BY_NAME: Final[dict[str, Index]] = {index.name: index for index in INDICES}
_MONTH: Final = re.compile(r"(?P<name>.+)-(?P<year>\d{4})\.(?P<month>0[1-9]|1[0-2])")


def row_of(name: str) -> Index | None:
    """The row of a data stream or an index; ``None`` where it is none of ours."""
    found = month_of(name)
    if found is not None:
        return found[0]
    matching = [row for row in INDICES if row.kind != "monthly" and any(matches(name, text) for text in row.patterns)]
    return max(matching, key=lambda row: row.priority, default=None)


def matches(name: str, pattern: str) -> bool:
    """Whether a name is one that an index pattern stands for; ``*`` is all of its grammar."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None


def monthly(name: str, time: datetime) -> str:
    """The index of a document, by its own month: ``mllog-window-2026.11``.

    Args:
        name: Of a monthly row.
        time: The document's ``@timestamp``, aware of its time zone.
    """
    assert BY_NAME[name].kind == "monthly", name
    return f"{name}-{time.astimezone(UTC):%Y.%m}"


def month_of(index: str) -> tuple[Index, datetime] | None:
    """The row of a monthly index and the end of its month; ``None`` where it is none of ours."""
    found = _MONTH.fullmatch(index)
    row = BY_NAME.get(found["name"]) if found else None
    if found is None or row is None or row.kind != "monthly" or found["year"] == "0000":
        return None
    year, month = divmod(int(found["year"]) * 12 + int(found["month"]), 12)
    return (row, datetime(year, month + 1, 1, tzinfo=UTC)) if year <= 9999 else None
