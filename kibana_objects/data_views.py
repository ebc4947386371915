"""Data views, one for each kind of document, with the fields' meanings as descriptions.

Shape: a saved object of type ``index-pattern`` (https://www.elastic.co/docs/api/doc/kibana/group/endpoint-data-views);
``fieldAttrs`` is a string that holds JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from kibana_objects.objects import packed, saved
from mllog.fields import TABLES, Field, Unit

VIEWS: Final[dict[str, tuple[str, str, str, str]]] = {
    "mllog-deadletters": (
        "logs-mllog.deadletter-*,logs-mllog.reject-*",
        "mllog: refused events",
        "@timestamp",
        "event",
    ),
    "mllog-deployments": ("logs-mllog.deployment-*", "mllog: deployments", "@timestamp", "event"),
    "mllog-events": ("logs-mllog.*", "mllog: events", "@timestamp", "event"),
    "mllog-findings": ("mllog-finding-*", "mllog: findings", "@timestamp", "finding"),
    "mllog-incidents": ("mllog-incidents", "mllog: incidents as they are now", "", "incident"),
    "mllog-incidents-opened": ("mllog-incidents", "mllog: incidents by their opening", "incident.opened", "incident"),
    "mllog-predictions": ("logs-mllog.prediction.*", "mllog: predictions", "@timestamp", "event"),
    "mllog-runs": ("mllog-run-*", "mllog: runs of the watchers", "@timestamp", "run"),
    "mllog-windows": ("mllog-window-*", "mllog: windows", "@timestamp", "window"),
}
"""Id -> index pattern, name, time field and the key of its table of fields.

Without a time field a view shows what is, whatever time a dashboard shows: an incident that is open must be seen,
however long ago it changed.
"""

_DURATION: Final = {"outputFormat": "humanizePrecise", "outputPrecision": 1, "useShortSuffix": True}
FORMATS: Final[dict[Unit, dict[str, Any]]] = {
    "share": {"id": "percent", "params": {"pattern": "0,0.[0]%"}},
    "nanoseconds": {"id": "duration", "params": {"inputFormat": "nanoseconds", **_DURATION}},
    "seconds": {"id": "duration", "params": {"inputFormat": "seconds", **_DURATION}},
}
"""Unit of a field -> how Kibana shows its values (Data Views, Field formatters)."""


def fields_of(view: str) -> tuple[Field, ...]:
    """The fields of a data view's documents."""
    return TABLES[VIEWS[view][3]]


class Types(dict[str, str]):
    """Field -> its Elasticsearch type; a map (``name.*``) has whatever is below its name.

    Args:
        fields: Of one kind of document.
    """

    def __init__(self, fields: Iterable[Field]) -> None:
        super().__init__({field.name: field.type for field in fields if not field.name.endswith(".*")})
        self._maps = {field.name.removesuffix("*"): field.type for field in fields if field.name.endswith(".*")}

    def __missing__(self, name: str) -> str:
        for start, kind in self._maps.items():
            if name.startswith(start) and name != start:
                return kind
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        try:
            self[str(name)]
        except KeyError:
            return False
        return True


@cache
def types_of(view: str) -> Types:
    """The types of a data view's fields."""
    return Types(fields_of(view))


def data_views() -> list[dict[str, Any]]:
    """The saved objects, in the order of their ids; built anew they are the same to the byte.

    Maps (``name.*``) are left out of the descriptions: their names are the models' own.
    """
    objects = []
    for identity, (pattern, name, time_field, _) in sorted(VIEWS.items()):
        described = {
            field.name: {"customDescription": field.meaning}
            for field in fields_of(identity)
            if not field.name.endswith(".*")
        }
        formats = {field.name: FORMATS[field.unit] for field in fields_of(identity) if field.unit}
        held = {"title": pattern, "name": name, "fieldAttrs": packed(described)}
        if time_field:
            held["timeFieldName"] = time_field
        if formats:
            held["fieldFormatMap"] = packed(formats)
        # Before the first dead letter there is no such index, which is no fault.
        objects.append(saved("index-pattern", identity, {**held, "allowNoIndex": True}))
    return objects
