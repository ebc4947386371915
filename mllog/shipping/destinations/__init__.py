"""Where events can be shipped to: one file each, one protocol (:mod:`mllog.shipping.destinations.base`)."""

from __future__ import annotations

# For host names; loaded by the first connection otherwise, which is made on a thread that mustn't import anything
# (mllog.delivery.sinks.SpoolSink).
import encodings.idna  # noqa: F401
import importlib.util
from typing import TYPE_CHECKING

from mllog.errors import PlaceError
from mllog.places import Place, parse
from mllog.values import strict

if TYPE_CHECKING:
    from mllog.shipping.destinations.base import Destination


def open_destination(place: str | Place, *, parallel: bool = False) -> Destination:
    """The destination at a place; nothing is connected to before the first batch.

    Credentials and certificates come from the place and from ``MLLOG_*`` variables
    (:mod:`mllog.shipping.destinations.http`).

    Args:
        place: A place by the grammar of :mod:`mllog.places`.
        parallel: Use two connections and threads where that is faster (Elasticsearch).

    Raises:
        PlaceError: Where the place isn't one.
        SettingError: Where a variable is impossible, or a certificate can't be read.
    """
    if isinstance(place, str):
        place = parse(place)
    if str(place) != strict(str(place)):
        raise PlaceError(
            f"place {str(place)!r}: its name isn't UTF-8, and the spool's files couldn't tell it; name another",
            field="place",
            value=str(place),
        )
    if place.kind == "file":
        from mllog.shipping.destinations.folder import FolderDestination  # noqa: PLC0415 - one of five

        return FolderDestination(place)
    if place.kind == "stdout":
        from mllog.shipping.destinations.stdout import StdoutDestination  # noqa: PLC0415 - one of five

        return StdoutDestination(place)
    if place.location.startswith("tcp:"):
        from mllog.shipping.destinations.logstash_tcp import LogstashTcpDestination  # noqa: PLC0415 - one of five

        return LogstashTcpDestination(place)
    if importlib.util.find_spec("urllib3") is None:
        raise PlaceError(
            f"place {str(place)!r} needs urllib3: install mllog-elastic[ship]", field="place", value=str(place)
        )
    if place.kind == "logstash":
        from mllog.shipping.destinations.logstash import LogstashDestination  # noqa: PLC0415 - one of five

        return LogstashDestination(place)
    from mllog.shipping.destinations.elasticsearch import ElasticsearchDestination  # noqa: PLC0415 - one of five

    return ElasticsearchDestination(place, parallel=parallel)
