"""Measures and dimensions as columns of a Lens layer.

Shape: `columns` and `columnOrder` of a ``formBased`` layer, as Kibana 8.19 and 9.x read it (operations are those of
https://www.elastic.co/docs/explore-analyze/visualize/lens). A formula alone renders nothing: its parts stand beside it
as columns of their own, one of ``math`` puts them together, and the formula refers to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kibana_objects.model import Dimension, Format, Measure, Number, Time

RECORDS: Final = "___records___"

FORMATS: Final[dict[Format, dict[str, Any] | None]] = {
    "number": {"id": "number", "params": {"decimals": 3}},
    "whole": {"id": "number", "params": {"decimals": 0}},
    "percent": {"id": "percent", "params": {"decimals": 1}},
    "seconds": {"id": "number", "params": {"decimals": 3, "suffix": " s"}},
    "nanoseconds": {
        "id": "duration",
        "params": {"decimals": 1, "fromUnit": "nanoseconds", "toUnit": "humanizePrecise"},
    },
    "date": None,
}
"""As Lens knows them; dates show themselves."""

LEAST_STEPS: Final = {"mllog-windows": "1h"}
"""Data view -> least step of a time axis: its documents come no more often."""

Column = dict[str, Any]


def dimension(what: Dimension, measures: Sequence[str], least_step: str = "auto") -> Column:
    """The column of a dimension.

    Args:
        what: The dimension.
        measures: Ids of the panel's measures, by one of which values may be ordered.
        least_step: Of a time axis, where documents come no more often.
    """
    if isinstance(what, Time):
        return {
            "label": what.label,
            "customLabel": True,
            "dataType": "date",
            "operationType": "date_histogram",
            "sourceField": what.of,
            "isBucketed": True,
            "scale": "interval",
            "params": {"interval": what.every or least_step, "includeEmptyRows": True, "dropPartials": False},
        }
    order: Column = {"type": "alphabetical", "fallback": True}
    if what.by is not None:
        order = {"type": "column", "columnId": measures[what.by]}
    return {
        "label": what.label,
        "customLabel": True,
        "dataType": "string",
        "operationType": "terms",
        "sourceField": what.of,
        "isBucketed": True,
        "scale": "ordinal",
        "params": {
            "size": what.size,
            "orderBy": order,
            "orderDirection": "asc" if what.ascending or what.by is None else "desc",
            "otherBucket": what.other,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
            "include": [],
            "exclude": [],
            "includeIsRegex": False,
            "excludeIsRegex": False,
        },
    }


def measure(key: str, what: Number) -> dict[str, Column]:
    """The columns of a measure by their ids, the one to show first, its parts behind it."""
    if isinstance(what, Measure):
        return {key: _plain(what)}
    top, bottom, whole = f"{key}X0", f"{key}X1", f"{key}X2"
    formula = f"{spelt(what.top)} / {spelt(what.bottom)}"
    part = {"label": f"Part of {what.label}", "customLabel": True}
    tree = {
        "type": "function",
        "name": "divide",
        "args": [top, bottom],
        "location": {"min": 0, "max": len(formula)},
        "text": formula,
    }
    shared = {"dataType": "number", "isBucketed": False, "scale": "ratio"}
    return {
        key: {
            "label": what.label,
            "customLabel": True,
            "operationType": "formula",
            **shared,
            "params": {"formula": formula, "isFormulaBroken": False, "format": FORMATS[what.format]},
            "references": [whole],
        },
        top: {**_plain(what.top), **part},
        bottom: {**_plain(what.bottom), **part},
        whole: {
            **part,
            "operationType": "math",
            **shared,
            "params": {"tinymathAst": tree},
            "references": [top, bottom],
        },
    }


def threshold(label: str, value: float) -> Column:
    """The column of a line at a value."""
    return {
        "label": label,
        "customLabel": True,
        "dataType": "number",
        "operationType": "static_value",
        "isBucketed": False,
        "isStaticValue": True,
        "scale": "ratio",
        "params": {"value": f"{value:g}"},
        "references": [],
    }


def layer(columns: dict[str, Column]) -> dict[str, Any]:
    """A layer of columns: buckets first, as their order says which splits which."""
    order = [key for key, column in columns.items() if column["isBucketed"]]
    order += [key for key in columns if key not in order]
    return {"columns": columns, "columnOrder": order, "incompleteColumns": {}, "sampling": 1}


def _plain(what: Measure) -> Column:
    params: dict[str, Any] = {}
    if what.operation == "percentile":
        params["percentile"] = what.percentile
    elif what.operation == "last_value":
        params |= {"sortField": "@timestamp", "showArrayValues": False}
    else:
        # No documents are a count of 0, and no sum and no mean.
        params["emptyAsNull"] = what.operation != "count"
    shown = FORMATS[what.format]
    if shown is not None and what.operation != "last_value":
        params["format"] = shown
    column: Column = {
        "label": what.label,
        "customLabel": True,
        "dataType": "date" if what.format == "date" else "number",
        "operationType": what.operation,
        "isBucketed": False,
        "scale": "ratio",
        "sourceField": what.of or RECORDS,
        "params": params,
    }
    if what.where:
        column["filter"] = {"query": what.where, "language": "kuery"}
    if what.shift:
        column["timeShift"] = what.shift
    return column


def spelt(what: Measure) -> str:
    """A measure in the language of formulas."""
    arguments = [what.of] if what.of else []
    if what.operation == "percentile":
        arguments.append(f"percentile={what.percentile}")
    if what.where:
        arguments.append("kql='" + what.where.replace("\\", "\\\\").replace("'", "\\'") + "'")
    if what.shift:
        arguments.append(f"shift='{what.shift}'")
    return f"{what.operation}({', '.join(arguments)})"
