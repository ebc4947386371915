"""Deletes months that are older than their retention, where the server doesn't do it by itself.

An index goes only where its name says that it is one of ours and that its whole month is old enough, and no document in
it says otherwise. Each is deleted by its full name, never by a pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mllog.elastic.existing import existing
from mllog.elastic.indices import INDICES
from mllog.elastic.lifecycle import expired
from mllog.elastic.server import Server, quoted
from mllog.elastic.setup import retention

if TYPE_CHECKING:
    from collections.abc import Mapping

    from elasticsearch import Elasticsearch

    from mllog.elastic.retention import Class

_YOUNGEST: Final = {"size": 0, "track_total_hits": True, "aggs": {"youngest": {"max": {"field": "@timestamp"}}}}


@dataclass(frozen=True, slots=True)
class Expired:
    """One month that is old enough.

    Attributes:
        index: Its name.
        days: Its retention.
        documents: How many are in it.
        kept: Why it isn't deleted all the same.
        deleted: Whether it was.
    """

    index: str
    days: int
    documents: int
    kept: str | None = None
    deleted: bool = False


def expire(
    client: Elasticsearch, keep: Mapping[Class, int] | None = None, *, now: datetime | None = None, delete: bool = False
) -> tuple[dict[Class, int], list[Expired]]:
    """Find months that are older than their retention, and delete them where that is asked for.

    Args:
        client: Of :func:`mllog.elastic.client.connect`.
        keep: Class of retention -> days; those that aren't given are as the last setup put them.
        now: Aware of its time zone; the clock's where it isn't given.
        delete: Delete them; else they are only named.

    Returns:
        The retention by class, without the classes of which nobody ever said one: those keep everything. And the
        months, oldest first.

    Raises:
        elasticsearch.ApiError: The server refuses.
        elasticsearch.TransportError: It can't be reached.
    """
    server = Server(client)
    days: dict[Class, int] = {**retention(client), **(keep or {})}
    by_row = {row.name: days[row.keep] for row in INDICES if row.keep in days and row.kind == "monthly"}
    names = [one.name for one in existing(server) if one.row.kind == "monthly"]
    found = []
    for name, row, limit in expired(names, by_row, now or datetime.now(UTC)):
        count, kept = _looked_at(server, name, limit)
        if delete and kept is None:
            server.ask("DELETE", f"/{quoted(name)}")
        found.append(Expired(name, by_row[row.name], count, kept, deleted=delete and kept is None))
    return days, found


def _looked_at(server: Server, name: str, limit: datetime) -> tuple[int, str | None]:
    """How many documents, and what speaks against deleting them."""
    server.ask("POST", f"/{quoted(name)}/_refresh")
    answer: Any = server.ask("POST", f"/{quoted(name)}/_search", _YOUNGEST) or {}
    if answer.get("_shards", {}).get("failed", 1) or answer.get("timed_out"):
        return 0, "not all of it could be searched"
    youngest = answer["aggregations"]["youngest"]["value"]
    if youngest is not None and youngest > limit.timestamp() * 1000:
        return answer["hits"]["total"]["value"], "it has documents that are younger than its name says"
    return answer["hits"]["total"]["value"], None
