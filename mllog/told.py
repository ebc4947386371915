"""What a caller tells of an event beside its inputs, put on its record.

Whatever can't be kept as it was given leaves a mark on the event: ``@labels``, ``@label``, ``@annotator``,
``@outcome``, ``@explanation``, ``@metric``, ``@unit``, ``@step``, ``@rows_in``, ``@rows_out``, ``@latency``,
``@duration``, ``@message`` or ``@error``, in ``ml.truncated`` where it was cut and in ``ml.replaced`` where it was
replaced or left out.
"""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mllog import events, values
from mllog.attributions import attributions_of
from mllog.delivery.loops.plain import OUTPUT_SIZE
from mllog.marking import named, typed
from mllog.ruler import category_key
from mllog.tracebacks import ToldError

if TYPE_CHECKING:
    from mllog.events import Record

LABEL_LIMIT: Final = 100


def add_labels(record: Record, labels: Any) -> None:
    """The caller's own keys, with a bound on their number; what is no mapping is one label."""
    try:
        pairs = [(key, value) for key, value in islice(labels.items(), LABEL_LIMIT + 1)]
    except Exception:  # noqa: BLE001 - whatever was passed for labels
        pairs = [("labels", labels)]
    found: dict[str, Any] = {}
    for key, value in pairs[:LABEL_LIMIT]:
        name = named(record, "@labels", key)
        if name in found:  # 1 and "1" are two keys of a dict and one name of an object
            record.mark_replaced("@labels")
        kept = found[name] = typed(record, "@labels", value)
        if type(kept) is float and not math.isfinite(kept):
            record.mark_replaced("@labels")
    if len(pairs) > LABEL_LIMIT:
        record.mark_truncated("@labels")
    record.labels = found or None


def add_message(record: Record, message: Any) -> None:
    """A log message that isn't a text of ordinary length."""
    text = values.text_of(typed(record, "@message", message))
    if len(text) > values.TEXT_LIMIT:
        record.mark_truncated("@message")
    record.message = str(text)  # the compiled loops take nothing else


def add_error(record: Record, error: Any) -> None:
    """``error.*`` of an exception, or of what is told of one."""
    fields = record.error = error.fields() if type(error) is ToldError else events.error_fields(error)
    if len(fields.get("message", "")) > values.TEXT_LIMIT or len(fields.get("stack_trace", "")) == values.TEXT_LIMIT:
        record.mark_truncated("@error")


def add_outcome(record: Record, outcome: Any) -> None:
    """``event.outcome``; what is none of the three is ``unknown``."""
    record.outcome = events.outcome_of(outcome)
    if record.outcome == "unknown" and not (type(outcome) is str and outcome == "unknown"):
        record.mark_replaced("@outcome")


def add_label(record: Record, value: Any, annotator: Any = None) -> None:
    """What was true: as a keyword, and as a number where it is one."""
    label = _truth(record, "@label", value)
    if annotator is not None:
        label["annotator"] = named(record, "@annotator", annotator)
    record.body = {"label": label}


def add_business_outcome(record: Record, value: Any) -> None:
    """What came of a prediction for the business: as a keyword, and as a number where it is one."""
    record.body = {"outcome": _truth(record, "@outcome", value)}


def add_metric(record: Record, name: Any, value: Any, unit: Any) -> None:
    """A figure with name and unit."""
    number = typed(record, "@metric", value)
    name = named(record, "@metric", name)
    record.body = events.metric_body(name, number, None if unit is None else named(record, "@unit", unit))
    if number is not None and "value" not in record.body["metric"]:
        record.mark_replaced("@metric")


def add_step(record: Record, name: Any, rows_in: Any, rows_out: Any) -> None:
    """A step of a pipeline: its name, rows in and rows out."""
    step: dict[str, Any] = {"name": named(record, "@step", name)}
    for key, rows in (("rows_in", rows_in), ("rows_out", rows_out)):
        number = typed(record, f"@{key}", rows)
        if isinstance(number, int | float) and math.isfinite(number) and int(number) in values.INT64:
            step[key] = int(number)
        if number is not None and step.get(key) != number:
            record.mark_replaced(f"@{key}")
    record.body = {"step": step}


def add_explanation(record: Record, attributions: Any, names: tuple[str, ...]) -> None:
    """What each feature contributed to a prediction; arguments as those of :func:`attributions_of`."""
    record.output = {"explanation": attributions_of(record, "@explanation", attributions, names)}
    record.size += OUTPUT_SIZE


def _truth(record: Record, mark: str, value: Any) -> dict[str, Any]:
    truth = typed(record, mark, value)
    if truth is None:
        return {}
    if isinstance(truth, float) and not math.isfinite(truth):
        record.mark_replaced(mark)
        return {}
    told: dict[str, Any] = {"value": category_key(truth)}
    if isinstance(truth, str) and told["value"] != truth:  # lone surrogates
        record.mark_replaced(mark)
    if isinstance(truth, int | float):
        told["number"] = float(truth)
    return told
