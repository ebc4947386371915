"""A table of fields as a mapping of Elasticsearch. No server, no client.

What isn't in the table is kept in ``_source`` and not indexed (``dynamic: false``), so no event can add fields, but for
the maps (``name.*``): there each name of a card gets its field, whatever dots it has (``subobjects: false``), typed by
where it stands and not by its first value. Parameters:
https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/mapping-parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mllog.fields import KEYWORD_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mllog.fields import Field

LABELS_DEPTH: Final = 60
"""Of ``flattened``: a deeper document would be refused; emitters cut at 50."""

TIMESTAMP: Final = "@timestamp"


def mapping(fields: Iterable[Field]) -> dict[str, Any]:
    """The mapping of a table.

    Args:
        fields: Rows of :data:`mllog.fields.TABLES`.

    Returns:
        ``dynamic``, ``properties`` and, where there are maps, ``dynamic_templates``.
    """
    properties: dict[str, Any] = {}
    templates: list[dict[str, Any]] = []
    for field in fields:
        if field.name.endswith(".*"):
            name = field.name.removesuffix(".*")
            _place(properties, name, {"type": "object", "dynamic": "true", "subobjects": False})
            templates.append({name: _of_a_map(field)})
        else:
            _place(properties, field.name, parameters(field))
    result: dict[str, Any] = {"dynamic": "false", "properties": properties}
    if templates:
        result["dynamic_templates"] = templates
    return result


def parameters(field: Field) -> dict[str, Any]:
    """Type and parameters of one field, or of one name of a map."""
    found: dict[str, Any] = {"type": field.type}
    if not field.enabled:
        found["enabled"] = False
        return found
    if not field.index:
        # Numbers and keywords are still there for aggregations and ranges, by their doc values.
        found["index"] = False
    if field.type == "keyword":
        found["ignore_above"] = field.length
    elif field.type == "flattened":
        found |= {"ignore_above": KEYWORD_LENGTH, "depth_limit": LABELS_DEPTH}
    elif field.type == "text":
        found["norms"] = False
        if field.index and field.name.endswith(".*"):
            # Inputs are searched by words; positions, which phrases need, are most of a text's bytes.
            found["index_options"] = "docs"
    elif field.name == TIMESTAMP:
        # A data stream refuses the setting of the index for it.
        found["ignore_malformed"] = False
    return found


def _of_a_map(field: Field) -> dict[str, Any]:
    template: dict[str, Any] = {"path_match": field.name, "mapping": parameters(field)}
    if field.type == "integer":
        # Objects below a name would become a field too (9.5.2: `ml.text.remarks` beside `ml.text.remarks.tokens`).
        template["match_mapping_type"] = "long"
    return template


def _place(properties: dict[str, Any], name: str, what: dict[str, Any]) -> None:
    """Put a field where its dotted name says."""
    *path, last = name.split(".")
    for part in path:
        properties = properties.setdefault(part, {"properties": {}})["properties"]
    properties[last] = what
