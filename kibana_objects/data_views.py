"""Data views, one for each kind of document, with the fields' meanings as descriptions.

Shape: a saved object of type ``index-pattern`` (https://www.elastic.co/docs/api/doc/kibana/group/endpoint-data-views);
``fieldAttrs`` is a string that holds JSON.
"""

from __future__ import annotations

import json
from typing import Any, Final

from mllog.fields import EVENT, FINDING, INCIDENT, Field

CORE_MIGRATION: Final = "8.8.0"
TYPE_MIGRATION: Final = "8.0.0"
"""Versions that every Kibana from 8.19 on accepts: a document newer than the server is refused."""

VIEWS: Final[dict[str, tuple[str, str, str, tuple[Field, ...]]]] = {
    "mllog-events": ("logs-mllog.*", "mllog: events", "@timestamp", EVENT),
    "mllog-predictions": ("logs-mllog.prediction.*", "mllog: predictions", "@timestamp", EVENT),
    "mllog-findings": ("mllog-finding-*", "mllog: findings", "@timestamp", FINDING),
    "mllog-incidents": ("mllog-incidents", "mllog: incidents", "incident.updated", INCIDENT),
}
"""Id -> index pattern, name, time field and the table of its fields."""


def data_views() -> list[dict[str, Any]]:
    """The saved objects, in the order of their ids; built anew they are the same to the byte.

    Maps (``name.*``) are left out of the descriptions: their names are the models' own.
    """
    objects = []
    for identity, (pattern, name, time_field, table) in sorted(VIEWS.items()):
        described = {
            field.name: {"customDescription": field.meaning} for field in table if not field.name.endswith(".*")
        }
        objects.append(
            {
                "type": "index-pattern",
                "id": identity,
                "coreMigrationVersion": CORE_MIGRATION,
                "typeMigrationVersion": TYPE_MIGRATION,
                "managed": False,
                "attributes": {
                    "title": pattern,
                    "name": name,
                    "timeFieldName": time_field,
                    "fieldAttrs": json.dumps(described, sort_keys=True, separators=(",", ":")),
                },
                "references": [],
            }
        )
    return objects
