"""Layers of Lens: columns that are in order, and visualizations that draw columns which are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from kibana_objects.lint.problem import Bundle, Json, Panel, Problem

_ACCESSORS: Final = (
    "metricAccessor", "secondaryMetricAccessor", "maxAccessor", "breakdownByAccessor", "xAccessor", "yAccessor",
    "valueAccessor", "tagAccessor", "splitAccessor",
)  # fmt: skip
_LISTS: Final = ("accessors", "primaryGroups", "secondaryGroups", "metrics")
_MADE: Final = frozenset({"formula", "math"})


def columns(bundle: Bundle) -> Iterator[Problem]:
    """Each column is in the order once, buckets before numbers, and refers to columns that are there."""
    for panel in bundle.panels():
        if panel.lens is not None and not panel.layers:
            yield panel.problem("has no layer of columns")
        for key, layer in panel.layers.items():
            held, order = layer.get("columns", {}), layer.get("columnOrder", [])
            if sorted(order) != sorted(held):
                yield panel.problem(f"columnOrder {order} isn't its columns {sorted(held)}", key)
                continue
            kinds = [bool(held[name]["isBucketed"]) for name in order]
            if kinds != sorted(kinds, reverse=True):
                yield panel.problem(f"columnOrder {order} has numbers before buckets", key)
            for name, column in held.items():
                for message in _column(name, column, held):
                    yield panel.problem(message, f"{key}.{name}")


def _column(name: str, column: Json, held: Mapping[str, Json]) -> Iterator[str]:
    operation, params = column.get("operationType"), column.get("params", {})
    for missing in [reference for reference in column.get("references", ()) if reference not in held]:
        yield f"refers to {missing!r}, which isn't there"
    if operation in _MADE and not column.get("references"):
        yield f"a {operation} without its parts renders nothing"
    if operation == "formula" and params.get("isFormulaBroken"):
        yield f"the formula {params.get('formula')!r} is broken"
    if operation == "math":
        named = set(_names(params.get("tinymathAst")))
        if named != set(column.get("references", ())):
            yield f"calculates with {sorted(named)} and refers to {sorted(column.get('references', ()))}"
    if _circular(name, held):
        yield "refers to itself in a circle"
    if operation == "terms":
        order = params.get("orderBy", {})
        by = held.get(order.get("columnId", ""))
        if order.get("type") == "column" and by is None:
            yield f"is ordered by {order.get('columnId')!r}, which isn't there"
        elif by is not None and (by.get("references") or by.get("isBucketed") or by.get("timeShift")):
            yield f"can't be ordered by {order.get('columnId')!r}: it is made of others, a bucket, or of another time"
        if not 1 <= int(params.get("size", 0)) <= 1000:
            yield f"has {params.get('size')} values; 1 to 1000 can be asked for"


def _names(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for argument in tree.get("args", ()):
            yield from _names(argument)


def _circular(name: str, held: Mapping[str, Json]) -> bool:
    seen: set[str] = set()
    waiting = list(held[name].get("references", ()))
    while waiting:
        current = waiting.pop()
        if current == name:
            return True
        if current in held and current not in seen:
            seen.add(current)
            waiting += held[current].get("references", ())
    return False


def drawn(bundle: Bundle) -> Iterator[Problem]:
    """What is drawn is there, and what is there is drawn or a part of it."""
    for panel in bundle.panels():
        if panel.lens is None:
            continue
        state = panel.lens.get("state", {}).get("visualization", {})
        used: dict[str, set[str]] = {}
        for part in _parts(state):
            layer = part.get("layerId", state.get("layerId"))
            found = set(_drawn(part))
            used.setdefault(layer, set()).update(found)
            known = panel.layers.get(layer, {}).get("columns", {})
            if part.get("layerType") == "annotations":
                continue
            if layer not in panel.layers:
                yield panel.problem(f"draws the layer {layer!r}, which isn't there")
            for name in sorted(found - set(known)):
                yield panel.problem(f"draws {name!r}, which isn't among its columns", str(layer))
        for key, layer in panel.layers.items():
            helpers = {name for column in layer["columns"].values() for name in column.get("references", ())}
            for name in sorted(set(layer["columns"]) - used.get(key, set()) - helpers):
                yield panel.problem("is asked for and never drawn", f"{key}.{name}")


def _parts(state: Json) -> list[Json]:
    layers = state.get("layers")
    return list(layers) if isinstance(layers, list) else [state]


def _drawn(part: Json) -> Iterator[str]:
    yield from (str(part[name]) for name in _ACCESSORS if part.get(name))
    for name in _LISTS:
        yield from map(str, part.get(name, ()))
    yield from (str(column["columnId"]) for column in part.get("columns", ()))
    yield from (str(one["forAccessor"]) for one in part.get("yConfig", ()))
    if "sorting" in part:
        yield str(part["sorting"]["columnId"])


def viewed(bundle: Bundle) -> Iterator[Problem]:
    """Each layer has its data view, and no data view is named for a layer that isn't there."""
    for panel in bundle.panels():
        if panel.lens is None:
            continue
        names = set(panel.layers) | _annotated(panel)
        for key in sorted(names):
            if panel.view_of(key) is None:
                yield panel.problem("has no data view", f"layer {key!r}")
        for name in panel.inner:
            layer = name.rpartition("-layer-")[2]
            if layer not in names:
                yield panel.problem(f"has a data view for the layer {layer!r}, which isn't there")


def _annotated(panel: Panel) -> set[str]:
    state = (panel.lens or {}).get("state", {}).get("visualization", {})
    return {str(part["layerId"]) for part in _parts(state) if part.get("layerType") == "annotations"}


RULES: Final = (columns, drawn, viewed)
