"""Fields: each stands in the table that index templates are made of, with a type that can be asked so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any, Final

from kibana_objects import kql
from kibana_objects.columns import RECORDS
from kibana_objects.data_views import VIEWS, Types, types_of
from kibana_objects.lint.problem import Bundle, Json, Panel, Problem, called
from mllog.errors import SettingError

_NUMBERS: Final = frozenset({"long", "integer", "double", "float"})
_KEYS: Final = frozenset({"keyword", "boolean", "ip"})
_FITTING: Final[dict[str, frozenset[str]]] = {
    "terms": _KEYS | _NUMBERS,
    "date_histogram": frozenset({"date"}),
    "sum": _NUMBERS,
    "average": _NUMBERS,
    "median": _NUMBERS,
    "percentile": _NUMBERS,
    "standard_deviation": _NUMBERS,
    "range": _NUMBERS,
    "min": _NUMBERS | {"date"},
    "max": _NUMBERS | {"date"},
    "unique_count": _KEYS | _NUMBERS | {"date"},
    "last_value": _KEYS | _NUMBERS | {"date"},
}
"""Operation -> types that it can be asked of: what has doc values."""

_OF_SOME: Final = frozenset({"average", "median", "percentile", "standard_deviation", "min", "max"})
"""Operations that have no result where no document has the field."""

_EVERYWHERE: Final = frozenset({"@timestamp", "missing.rate", "bucket.share", "metric.value"})
"""Fields that all documents have which have others of their kind (:mod:`watchers.windows`)."""


def asked(bundle: Bundle) -> Iterator[Problem]:
    """Columns and filters of panels."""
    for panel in bundle.panels():
        query = panel.lens["state"]["query"]["query"] if panel.lens else ""
        for key, layer in panel.layers.items():
            types = _types(panel.view_of(key))
            if types is None:
                continue
            for message in _filter(query, types):
                yield panel.problem(message)
            for name, column in layer.get("columns", {}).items():
                place = f"{key}.{name}"
                for message in _column(column, types):
                    yield panel.problem(message, place)
            for name, message in _ordered(layer, query):
                yield panel.problem(message, f"{key}.{name}")
        yield from _annotations(panel)


def _types(view: str | None) -> Types | None:
    return types_of(view) if view in VIEWS else None


def _column(column: Json, types: Types) -> Iterator[str]:
    name, operation = column.get("sourceField"), str(column.get("operationType"))
    if operation in _FITTING and name is None:
        yield f"{operation} of no field"
    elif name is not None and name != RECORDS:
        if name not in types:
            yield f"field {name!r} isn't in the data view"
        elif types[name] not in _FITTING.get(operation, frozenset()):
            yield f"field {name!r} is {types[name]}, of which there is no {operation}"
    yield from _filter(column.get("filter", {}).get("query", ""), types)


def _ordered(layer: Json, query: str) -> Iterator[tuple[str, str]]:
    """Values that are ordered, greatest first, by a number which some of them may not have.

    Elasticsearch takes those for the greatest of all (seen on 9.5.2), so that they would crowd out the others.
    """
    columns = layer.get("columns", {})
    for name, column in columns.items():
        params = column.get("params") or {}
        by = columns.get((params.get("orderBy") or {}).get("columnId", ""))
        if column.get("operationType") != "terms" or params.get("orderDirection") != "desc" or by is None:
            continue
        field = by.get("sourceField")
        if by.get("operationType") in _OF_SOME and field not in _EVERYWHERE and f"{field} : *" not in query:
            yield name, f"is ordered by {field!r}, and what has none comes first: filter by {field} : *"


def _filter(text: str, types: Types) -> Iterator[str]:
    try:
        kql.to_query(kql.parse(text), types)
    except SettingError as error:
        yield str(error)


def _annotations(panel: Panel) -> Iterator[Problem]:
    layers = (panel.lens or {}).get("state", {}).get("visualization", {}).get("layers", ())
    for part in layers if isinstance(layers, list) else ():
        if part.get("layerType") != "annotations":
            continue
        types = _types(panel.view_of(part["layerId"]))
        if types is None:
            continue
        for one in part["annotations"]:
            for name in (one["timeField"], one["textField"], *one["extraFields"]):
                if name not in types:
                    yield panel.problem(f"field {name!r} isn't in the data view", "annotations")
            for message in _filter(one["filter"]["query"], types):
                yield panel.problem(message, "annotations")


def chosen(bundle: Bundle) -> Iterator[Problem]:
    """Fields of controls, and filters of whole dashboards."""
    for one in bundle.of("dashboard"):
        if one["id"] in bundle.broken:
            continue
        views = {reference["name"]: reference["id"] for reference in one.get("references", ())}
        group = one["attributes"].get("controlGroupInput")
        for key, control in (json.loads(group["panelsJSON"]) if group else {}).items():
            types = _types(views.get(f"controlGroup_{key}:optionsListDataView"))
            name = control["explicitInput"]["fieldName"]
            if types is not None and (name not in types or types[name] not in _KEYS):
                yield Problem(called(one), f"control {key!r}", f"field {name!r} has no values to choose from")


def listed(bundle: Bundle) -> Iterator[Problem]:
    """Columns, order and filters of saved searches."""
    for one in bundle.of("search"):
        views = [reference["id"] for reference in one.get("references", ()) if reference["type"] == "index-pattern"]
        types = _types(views[0]) if views else None
        if types is None or one["id"] in bundle.broken:
            continue
        held = one["attributes"]
        for name in held["columns"]:
            if name not in types:
                yield Problem(called(one), "columns", f"field {name!r} isn't in the data view")
        if not held["sort"]:
            yield Problem(called(one), "sort", "names no field")
        for name, _ in held["sort"]:
            if types.get(name) not in {"date", *_NUMBERS, *_KEYS}:
                yield Problem(called(one), "sort", f"field {name!r} has no order")
        source = json.loads(held["kibanaSavedObjectMeta"]["searchSourceJSON"])
        for message in _filter(source["query"]["query"], types):
            yield Problem(called(one), "query", message)


def ruled(bundle: Bundle) -> Iterator[Problem]:
    """Fields that rules ask for."""
    for one in bundle.of("alert"):
        if one["id"] in bundle.broken:
            continue
        params = one["attributes"]["params"]
        for index in params["index"]:
            types = _of_index(index)
            if types is None:
                yield Problem(called(one), "index", f"{index!r} is none of ours")
                continue
            if types.get(params["timeField"]) != "date":
                yield Problem(called(one), "timeField", f"{params['timeField']!r} is no time there")
            group = params.get("termField")
            if group and (group not in types or types[group] not in _KEYS):
                yield Problem(called(one), "termField", f"{group!r} has no values there")
            for name in _named(json.loads(params.get("esQuery", "{}"))):
                if name not in types:
                    yield Problem(called(one), "esQuery", f"field {name!r} isn't there")


def _of_index(pattern: str) -> Types | None:
    """The fields of an index pattern: those of the view with the narrowest pattern that covers it."""
    covering = [
        (len(part), view)
        for view, (patterns, *_) in VIEWS.items()
        for part in patterns.split(",")
        if part == pattern or fnmatch(pattern, part)
    ]
    return types_of(max(covering)[1]) if covering else None


def _named(query: Any) -> Iterator[str]:
    """Fields of a query of Elasticsearch's own language, as far as rules use it."""
    if isinstance(query, Mapping):
        for kind, body in query.items():
            if kind in {"term", "terms", "range", "match", "match_phrase", "wildcard", "prefix"}:
                yield from body
            elif kind == "exists":
                yield body["field"]
            else:
                yield from _named(body)
    elif isinstance(query, list):
        for each in query:
            yield from _named(each)


def named(bundle: Bundle) -> set[tuple[str, str]]:
    """Fields that panels, controls and searches name, as (data view, field)."""
    found: set[tuple[str, str]] = set()
    for panel in bundle.panels():
        query = panel.lens["state"]["query"]["query"] if panel.lens else ""
        for key, layer in panel.layers.items():
            view, columns = str(panel.view_of(key)), list(layer.get("columns", {}).values())
            names = {str(column["sourceField"]) for column in columns if column.get("sourceField", RECORDS) != RECORDS}
            texts = (query, *(column.get("filter", {}).get("query", "") for column in columns))
            found |= {(view, name) for name in (*names, *_in_filters(texts))}
    for one in bundle.of("dashboard"):
        views = {reference["name"]: str(reference["id"]) for reference in one.get("references", ())}
        group = one["attributes"].get("controlGroupInput")
        for key, control in (json.loads(group["panelsJSON"]) if group else {}).items():
            view = views.get(f"controlGroup_{key}:optionsListDataView", "")
            found.add((view, str(control["explicitInput"]["fieldName"])))
    for one in bundle.of("search"):
        view = next((str(each["id"]) for each in one["references"] if each["type"] == "index-pattern"), "")
        source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        names = {*one["attributes"]["columns"], *(name for name, _ in one["attributes"]["sort"])}
        found |= {(view, name) for name in (*names, *_in_filters([source["query"]["query"]]))}
    return found


def _in_filters(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in kql.fields(kql.parse(text))}


RULES: Final = (asked, chosen, listed, ruled)
