"""The kinds of event, as typed records: what a caller hands to the writer, before it is measured and written.

A record holds a snapshot: nothing in it can be changed by the caller any more. :mod:`mllog.delivery.encoder`
turns it into a line of JSON.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
import secrets
import traceback
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final, Literal

from mllog import values
from mllog.ruler import category_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.delivery.snapshot import Snapshot
    from mllog.environment import Manifest

Kind = Literal["prediction", "label", "deployment", "pipeline", "metric"]
Outcome = Literal["success", "failure", "unknown"]
OUTCOMES: Final = frozenset({"success", "failure", "unknown"})

RECORD_SIZE: Final = 512
"""Bytes that a record is taken to need, inputs aside: the bound is about memory, not about JSON."""
TRACE_FRAMES: Final = 30
LABEL_LIMIT: Final = 100

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z
_LIFE_SECONDS: Final = 3e9
_DATASET_LIMIT: Final = 60


@dataclass(slots=True)
class Record:
    """One event on its way to the writer.

    Attributes:
        kind: Which data stream it goes to.
        action: ``event.action``.
        time: Nanoseconds since 1970.
        id: ``event.id``.
        number: ``ml.sequence.number``.
        size: Bytes it is taken to need.
        outcome: ``event.outcome``.
        duration: ``event.duration``, nanoseconds.
        prediction_id: The caller's id.
        trace_id: W3C trace id.
        error: ``error.*``.
        labels: The caller's own keys, typed.
        body: Further ``ml.*`` fields, typed.
        message: Log message, where a logging framework was the front door.
        inputs: predictions: snapshot of the inputs, every value typed; belongs to the writer.
        output: predictions: the typed output.
        truncated: Names of inputs that were cut.
        replaced: Names of inputs that could not be written as they were.
        user: Who asked, as the caller knows them; what is written of it is the policy's business.
        context: Top-level ECS fields of the request that it belongs to (:mod:`mllog.context`).
        sample: ``head`` where a draw kept it, ``tail`` where a rule did; ``None`` without sampling.
        weight: How many events it stands for.
    """

    kind: Kind
    action: str
    time: int
    id: str
    number: int
    size: int = RECORD_SIZE
    outcome: Outcome = "success"
    duration: int | None = None
    prediction_id: str | None = None
    trace_id: str | None = None
    error: dict[str, str] | None = None
    labels: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    message: str | None = None
    inputs: dict[str, Any] | None = None
    output: Any = None
    truncated: list[str] | None = None
    replaced: list[str] | None = None
    user: str | None = None
    context: Mapping[str, Any] | None = None
    sample: Literal["head", "tail"] | None = None
    weight: float = 1.0

    def take(self, snapshot: Snapshot) -> None:
        """Keep the inputs; their snapshot now belongs to this record."""
        self.inputs = snapshot.values
        self.size += snapshot.size
        self.truncated = snapshot.truncated
        self.replaced = [*(self.replaced or ()), *snapshot.replaced] if snapshot.replaced else self.replaced

    def give(self, output: Any) -> None:
        """Keep a snapshot of the model's output."""
        if type(output) is str or type(output) not in values.SCALARS:
            output = values.typed(output)
            self.size += 256
        self.output = output


class EventIds:
    """UUIDs of version 7 (RFC 9562) for one process: time-ordered, unique, without entropy for each.

    48 bits hold the millisecond of the caller's clock, which never goes back here; 42 bits a counter that
    starts anywhere in its lower half and never starts again; 32 bits a random number of the process.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start afresh; a forked child must, or it would repeat its parent's ids."""
        self._next = count(secrets.randbits(41)).__next__
        self._process = f"{secrets.randbits(32):08x}"
        self._millisecond = -1
        self._prefix = ""

    def new(self, time: int) -> str:
        """The next id at ``time`` (nanoseconds since 1970)."""
        number = self._next()
        millisecond = time // 1_000_000
        if millisecond > self._millisecond:
            millisecond = min(millisecond, 2**48 - 1)
            digits = f"{millisecond:012x}"
            self._prefix = f"{digits[:8]}-{digits[8:]}-7"
            self._millisecond = millisecond
        high, middle = (number >> 30) & 0xFFF, 0x8000 | (number >> 16) & 0x3FFF
        return f"{self._prefix}{high:03x}-{middle:04x}-{number & 0xFFFF:04x}{self._process}"


def dataset(kind: Kind, model: str) -> str:
    """``event.dataset``: predictions and labels have a data stream for each model, the other kinds share one.

    Letters are made lower case, what a data stream can't be called by becomes ``_``, and where anything
    changed a hash keeps two models apart.
    """
    if kind not in {"prediction", "label"}:
        return f"mllog.{kind}"
    name = re.sub(r"[^a-z0-9_.]", "_", model.lower())[:_DATASET_LIMIT]
    if name != model:
        name += f"_{hashlib.sha256(model.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
    return f"mllog.{kind}.{name}"


def moment(time: Any) -> int:
    """Nanoseconds since 1970 of a time as people write it.

    Args:
        time: ``int`` nanoseconds (as :func:`time.time_ns` gives them), ``float`` seconds, a ``datetime`` or a
            ``date`` (UTC where it has no zone), ISO 8601 text, or numpy's or pandas' equivalents.

    Raises:
        ValueError: Where it is none of these.
    """
    value = time
    if type(value) is not int and not isinstance(value, str | float | dt.date):
        value = values.typed(value)
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if isinstance(value, dt.date):
        if not isinstance(value, dt.datetime):
            value = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return (aware - _EPOCH) // dt.timedelta(microseconds=1) * 1_000
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{time!r} is not a time")
    return value if isinstance(value, int) else round(value * 1e9)


def nanoseconds(seconds: Any) -> int | None:
    """A duration in seconds as nanoseconds, ``None`` where it is no number or longer than a life."""
    number = values.typed(seconds)
    if not isinstance(number, int | float) or not abs(number) < _LIFE_SECONDS:
        return None
    return round(number * 1e9)


class Timestamps:
    """Nanoseconds as ``2026-11-23T20:06:01.123456Z``; the part that changes once a second is kept."""

    def __init__(self) -> None:
        self._cached: tuple[int, str] = (-1, "")

    def text(self, time: int) -> str:
        """``@timestamp`` of a moment; times outside of the years 1970 to 9999 are put at that end."""
        second, rest = divmod(time, 1_000_000_000)
        if not 0 <= second <= _LAST_SECOND:
            second, rest = min(max(second, 0), _LAST_SECOND), 0
        cached_second, prefix = self._cached
        if second != cached_second:
            prefix = (_EPOCH + dt.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")
            self._cached = (second, prefix)
        return f"{prefix}.{rest // 1_000:06d}Z"


def error_fields(error: BaseException) -> dict[str, str]:
    """``error.*`` of an exception; its traceback is cut at the end nearest to the caller's caller."""
    trace = "".join(traceback.format_exception(error, limit=-TRACE_FRAMES))
    return {
        "type": type(error).__qualname__,
        "message": values.typed(str(error)),
        "stack_trace": trace[-values.TEXT_LIMIT :],
    }


def bounded_labels(labels: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's own keys, with a bound on their number; each value as a typed one."""
    return {values.name_of(key): values.typed(value) for key, value in islice(labels.items(), LABEL_LIMIT)}


def deployment_body(manifest: Manifest) -> dict[str, Any]:
    """``ml.*`` of a deployment: the whole manifest behind the fingerprint."""
    return {"manifest": manifest.to_dict()}


def label_body(value: object, annotator: str | None) -> dict[str, Any]:
    """``ml.*`` of a label: the truth as a keyword, and as a number where it is one."""
    truth = values.typed(value)
    label: dict[str, Any] = {}
    if isinstance(truth, float) and not math.isfinite(truth):
        truth = None
    if truth is not None:
        label["value"] = category_key(truth)
        if isinstance(truth, int | float):
            label["number"] = float(truth)
    if annotator is not None:
        label["annotator"] = values.name_of(annotator)
    return {"label": label}


def outcome_body(value: object) -> dict[str, Any]:
    """``ml.*`` of what came of a prediction for the business: as a keyword, and as a number where it is one."""
    return {"outcome": label_body(value, None)["label"]}


def metric_body(name: str, value: object, unit: str | None) -> dict[str, Any]:
    """``ml.*`` of a KPI, a cost or a resource."""
    number = values.typed(value)
    metric: dict[str, Any] = {"name": values.name_of(name)}
    if isinstance(number, int | float) and math.isfinite(number):
        metric["value"] = float(number)
    if unit is not None:
        metric["unit"] = values.name_of(unit)
    return {"metric": metric}


def step_body(name: str, rows_in: int | None, rows_out: int | None) -> dict[str, Any]:
    """``ml.*`` of a step of a pipeline."""
    step: dict[str, Any] = {"name": values.name_of(name)}
    for key, rows in (("rows_in", rows_in), ("rows_out", rows_out)):
        number = values.typed(rows)
        if isinstance(number, int | float) and math.isfinite(number):
            step[key] = int(number)
    return {"step": step}
