"""Component and index templates, from the table of indices. No server, no client.

Each index template is put together from the fields, the settings, and ``mllog@custom``, which mllog never writes: what
an operator adds there survives every upgrade. What they can say:
https://www.elastic.co/docs/manage-data/data-store/templates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mllog import __version__
from mllog.elastic.indices import INDICES
from mllog.elastic.lifecycle import policy_name, span
from mllog.elastic.mappings import mapping
from mllog.fields import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.elastic.indices import Index
    from mllog.elastic.retention import Class

SCHEMA: Final = 1
"""Of all templates together; raised with every release that changes one. An older mllog leaves a newer schema alone."""

CUSTOM: Final = "mllog@custom"
FIELDS_LIMIT: Final = 1_000

_BOTH: Final = {
    "index.codec": "best_compression",
    # Green on a single node, and two copies where there are more.
    "index.auto_expand_replicas": "0-1",
    # A value that doesn't fit its field loses its index entry, and not its document; `_ignored` names the field.
    "index.mapping.ignore_malformed": "true",
}
SETTINGS: Final[dict[str, dict[str, str]]] = {
    "mllog-stream@settings": {
        **_BOTH,
        # A full distribution 9.x makes `logs-*-*` logsdb, whose synthetic source is a paid feature.
        "index.mode": "standard",
        "index.mapping.total_fields.limit": str(FIELDS_LIMIT),
        # Names beyond are kept in the document; by default its writer would be refused from then on.
        "index.mapping.total_fields.ignore_dynamic_beyond_limit": "true",
    },
    "mllog-plain@settings": _BOTH,
}
"""Component -> settings; in ``mllog@custom`` an operator may say otherwise."""


def component_templates() -> dict[str, dict[str, Any]]:
    """Name -> body."""
    mappings = {mappings_name(table): {"mappings": mapping(fields)} for table, fields in TABLES.items()}
    settings = {name: {"settings": _nested(values)} for name, values in SETTINGS.items()}
    return {name: {"template": template, "_meta": meta()} for name, template in {**mappings, **settings}.items()}


def index_templates(keep: Mapping[Class, int], *, policies: bool) -> dict[str, dict[str, Any]]:
    """Name -> body.

    Args:
        keep: Class of retention -> days.
        policies: Whether the server has index lifecycle management; without it there is no such setting.
    """
    return {index.name: _index_template(index, keep, policies=policies) for index in INDICES}


def mappings_name(table: str) -> str:
    """The component with the fields of a table."""
    return f"mllog-{table.replace('_', '-')}@mappings"


def settings_name(index: Index) -> str:
    """The component with the settings of a row."""
    return "mllog-stream@settings" if index.kind == "stream" else "mllog-plain@settings"


def _index_template(index: Index, keep: Mapping[Class, int], *, policies: bool) -> dict[str, Any]:
    told = meta()
    template: dict[str, Any] = {}
    if index.keep is not None:
        # Where the server deletes nothing by itself, `--expire` reads it here.
        told["keep"] = {"class": index.keep, "days": keep[index.keep]}
    if index.keep is not None and index.kind == "stream":
        template["lifecycle"] = {"data_retention": span(keep[index.keep])}
    elif index.keep is not None and policies:
        template["settings"] = _nested({"index.lifecycle.name": policy_name(index.keep)})
    body = {
        "index_patterns": list(index.patterns),
        "priority": index.priority,
        "composed_of": [mappings_name(index.table), settings_name(index), CUSTOM],
        "ignore_missing_component_templates": [CUSTOM],
        "template": template,
        "_meta": told,
    }
    return {**body, "data_stream": {}} if index.kind == "stream" else body


def meta() -> dict[str, Any]:
    """``_meta`` of everything that is put: by whom, and of which schema."""
    return {"managed_by": "mllog setup", "mllog": __version__, "schema": SCHEMA}


def _nested(settings: Mapping[str, str]) -> dict[str, Any]:
    """Dotted settings as the server answers them."""
    result: dict[str, Any] = {}
    for name, value in settings.items():
        *path, last = name.split(".")
        place = result
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return result
