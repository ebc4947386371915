"""The kinds of event, as typed records: what a caller hands to the writer, before it is measured and written.

A record holds a snapshot: nothing in it can be changed by the caller any more. :mod:`mllog.delivery.encoder`
turns it into a line of JSON.
"""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import hashlib
import math
import re
import secrets
import traceback
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, cast, get_args

from mllog import values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.delivery.snapshot import Snapshot
    from mllog.environment import Manifest

Kind = Literal["prediction", "label", "deployment", "pipeline", "metric"]
Outcome = Literal["success", "failure", "unknown"]
OUTCOMES: Final = frozenset({"success", "failure", "unknown"})

_OUTPUTS: Final = frozenset({"label", "score", "value"})

RECORD_SIZE: Final = 512
"""Bytes that a record is taken to need, inputs aside: the bound is about memory, not about JSON."""
OUTPUT_SIZE: Final = 256
TRACE_FRAMES: Final = 30

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z
_LIFE_SECONDS: Final = 3e9
_DATASET_LIMIT: Final = 60


@dataclass(slots=True, eq=False)
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
        held: predictions: snapshot of the inputs; belongs to the writer. See :attr:`inputs`.
        plain: predictions: whether ``held`` is as :attr:`mllog.delivery.snapshot.Snapshot.plain` says.
        output: predictions: the typed output.
        truncated: Names of inputs that were cut.
        replaced: Names of inputs that could not be written as they were.
        user: Who asked, as the caller knows them; what is written of it is the policy's business.
        context: Top-level ECS fields of the request that it belongs to (:mod:`mllog.context`).
        sample: ``head`` where a draw kept it, ``tail`` where a rule did; ``None`` without sampling.
        weight: How many events it stands for.
    """

    rows: ClassVar[int] = 1
    """How many events it is; other entries of the queue are many (:class:`mllog.delivery.rows.Rows`)."""

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
    held: dict[str, Any] | None = None
    plain: bool = False
    output: Any = None
    truncated: list[str] | None = None
    replaced: list[str] | None = None
    user: str | None = None
    context: Mapping[str, Any] | None = None
    sample: Literal["head", "tail"] | None = None
    weight: float = 1.0

    @property
    def inputs(self) -> dict[str, Any] | None:
        """predictions: inputs under usable names, every value typed, for whoever wants to look or to change some."""
        if self.held is not None:
            self.held, self.plain = settled(self.held, self), False
        return self.held

    @inputs.setter
    def inputs(self, inputs: dict[str, Any] | None) -> None:
        self.held, self.plain = inputs, False

    def copy(self, **changes: Any) -> Record:
        """A record like this one, but for ``changes``."""
        other = copy.copy(self)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    def take(self, snapshot: Snapshot) -> None:
        """Keep the inputs; their snapshot now belongs to this record."""
        self.held = snapshot.values
        self.plain = snapshot.plain
        self.size += snapshot.size
        if snapshot.truncated is not None:
            self.truncated = snapshot.truncated
        if snapshot.replaced is not None:
            self.replaced = [*(self.replaced or ()), *snapshot.replaced]

    def mark_replaced(self, name: str) -> None:
        """Say that what ``name`` stands for could not be written as it was."""
        if name not in (self.replaced or ()):
            self.replaced = [*(self.replaced or ()), name]

    def mark_truncated(self, name: str) -> None:
        """Say that what ``name`` stands for was cut."""
        if name not in (self.truncated or ()):
            self.truncated = [*(self.truncated or ()), name]

    def give(self, output: Any, names: tuple[str, ...] = ()) -> None:
        """Keep a snapshot of the model's output.

        Args:
            output: As the caller passed it.
            names: For the values of an explanation that is a vector.
        """
        kind = type(output)
        if kind is dict:
            output = output.copy()
            for name, value in output.items():
                kind = type(value)
                if (
                    type(name) is not str
                    or (kind is not float and (kind is not str or len(value) > values.NAME_LIMIT) and kind is not bool)
                    or (name not in _OUTPUTS and not is_usable(name))
                ):
                    output = self._typed_output(output, names)
                    break
            self.size += OUTPUT_SIZE
        elif kind is not float and kind is not bool:
            output = self._typed_output(output, names)
            self.size += OUTPUT_SIZE
        self.output = output

    def _typed_output(self, output: Any, names: tuple[str, ...]) -> Any:
        attributions = None
        if type(output) is dict and output.get("explanation") is not None:
            from mllog import told  # noqa: PLC0415 - a cycle

            attributions = told.attributions_of(self, "@output", output["explanation"], names)
            output = {name: value for name, value in output.items() if type(name) is not str or name != "explanation"}
        walk = values.Walk()
        typed = walk.typed(output)
        if walk.replaced:
            self.mark_replaced("@output")
        if walk.truncated:
            self.mark_truncated("@output")
        if isinstance(typed, dict):
            if not all(map(is_usable, typed)):
                self.mark_replaced("@output")
                typed = {values.name_of(name): value for name, value in typed.items()}
            if attributions is not None:
                typed["explanation"] = attributions
        return typed


def settled(inputs: dict[str, Any], record: Record) -> dict[str, Any]:
    """Inputs under usable names, every value typed: what a snapshot leaves to the writer.

    Args:
        inputs: Of a snapshot.
        record: Where it is marked whose name had to be changed.

    Returns:
        ``inputs`` itself, where there is nothing to do.
    """
    for name, value in inputs.items():
        if type(value) not in TYPED or not is_usable(name):
            break
    else:
        return inputs
    result = {}
    for key, value in inputs.items():
        name = values.name_of(key)
        if name is not key:
            record.replaced = [*(record.replaced or ()), name]
        result[name] = value if type(value) in TYPED else values.typed(value)
    return result


def is_usable(name: object) -> bool:
    """Whether Elasticsearch takes ``name`` for a field's."""
    return type(name) is str and 0 < len(name) <= values.NAME_LIMIT and not name.isspace()


TYPED: Final = values.SCALARS | {dict, list}
"""Types of typed values."""


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
        self._until = 0
        self._tick = "00000000-0000-7"
        self._head = (-1, "")

    def new(self, time: int) -> str:
        """The next id at ``time`` (nanoseconds since 1970)."""
        number = self._next()
        if time >= self._until:
            self._advance(time)
        block, head = self._head
        if number >> 8 != block:
            head = self._begin(number >> 8)
        return f"{head}{_HEX[number & 0xFF]}{self._process}"

    def many(self, time: int, count: int) -> list[str]:
        """The next ids at ``time``, in their order: those of as many calls of :meth:`new`."""
        if time >= self._until:
            self._advance(time)
        made: list[str] = []
        block, head = self._head
        for number in islice(iter(self._next, None), count):
            if number >> 8 != block:
                block = number >> 8
                head = self._begin(block)
            made.append(f"{head}{_HEX[number & 0xFF]}{self._process}")
        return made

    def _advance(self, time: int) -> None:
        """Begin another millisecond."""
        millisecond = min(time // 1_000_000, 2**48 - 1)
        self._tick = f"{millisecond >> 16:08x}-{millisecond & 0xFFFF:04x}-7"
        self._until = (time // 1_000_000 + 1) * 1_000_000
        self._head = (-1, "")

    def _begin(self, block: int) -> str:
        """All but the last 8 bits of the counter and the process, for the ids that have them in common."""
        head = f"{self._tick}{(block >> 22) & 0xFFF:03x}-{0x8000 | (block >> 8) & 0x3FFF:04x}-{block & 0xFF:02x}"
        # One assignment of both: another thread sees a head with its own block, never with another's.
        self._head = (block, head)
        return head


_HEX: Final = tuple(f"{number:02x}" for number in range(256))


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
        if value != value:  # noqa: PLR0124 - NaT, which pandas calls a datetime
            raise ValueError(f"{values.text_of(time)[:100]} is not a time")
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return (aware - _EPOCH) // dt.timedelta(microseconds=1) * 1_000
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{values.text_of(time)[:100]} is not a time")
    return value if isinstance(value, int) else round(value * 1e9)


def prediction_key(value: Any) -> str | None:
    """A caller's id as it is written everywhere, so that the parts of a prediction meet under it.

    Args:
        value: Of any type; numbers are their text.

    Returns:
        At most 256 characters: a longer one is cut and ends in ``#`` and a hash of all of it. ``None`` where it is
        missing: null, NaN or blank.
    """
    if is_usable(value):
        return str(value)
    typed = value if type(value) is str else values.typed(value)
    if typed is None or (type(typed) is float and math.isnan(typed)) or (type(typed) is str and not typed.strip()):
        return None
    return values.name_of(typed)


def nanoseconds(seconds: Any) -> int | None:
    """A duration in seconds as nanoseconds, ``None`` where it is no number or longer than a life."""
    number = values.typed(seconds)
    if not isinstance(number, int | float) or not abs(number) < _LIFE_SECONDS:
        return None
    return round(number * 1e9)


class Timestamps:
    """Nanoseconds as ``2026-11-23T20:06:01.123456Z``; the part that changes once a second is kept."""

    def __init__(self) -> None:
        self._cached: tuple[int, str] = (-(10**9), "")

    def text(self, time: int) -> str:
        """``@timestamp`` of a moment; times outside of the years 1970 to 9999 are put at that end."""
        begun, prefix = self._cached
        rest = time - begun
        if not 0 <= rest < 1_000_000_000 or not prefix:
            second, rest = divmod(time, 1_000_000_000)
            if not 0 <= second <= _LAST_SECOND:
                second, rest = min(max(second, 0), _LAST_SECOND), 0
            prefix = (_EPOCH + dt.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.")
            self._cached = (second * 1_000_000_000, prefix)
        return f"{prefix}{rest // 1_000:06d}Z"


def outcome_of(outcome: object) -> Outcome:
    """One of the three; ``unknown`` for what is none of them."""
    return next((known for known in get_args(Outcome) if type(outcome) is str and outcome == known), "unknown")


def error_fields(error: object) -> dict[str, str]:
    """``error.*`` of an exception; its traceback is cut at the end nearest to the caller's caller.

    Exceptions are foreign code too: where one can't be shown, its type is.
    """
    fields = {"type": values.type_name(error), "message": values.text_of(error)}
    if issubclass(type(error), BaseException):
        with contextlib.suppress(Exception):
            fields["type"] = type(error).__qualname__
            fields["message"] = values.text_of(str(error))
        with contextlib.suppress(Exception):
            trace = "".join(traceback.format_exception(cast("BaseException", error), limit=-TRACE_FRAMES))
            fields["stack_trace"] = trace[-values.TEXT_LIMIT :]
    return fields


def deployment_body(manifest: Manifest) -> dict[str, Any]:
    """``ml.*`` of a deployment: the whole manifest behind the fingerprint."""
    return {"manifest": manifest.to_dict()}


def metric_body(name: str, value: object, unit: str | None) -> dict[str, Any]:
    """``ml.*`` of a KPI, a cost or a resource."""
    number = values.typed(value)
    metric: dict[str, Any] = {"name": values.name_of(name)}
    if isinstance(number, int | float) and math.isfinite(number):
        metric["value"] = float(number)
    if unit is not None:
        metric["unit"] = values.name_of(unit)
    return {"metric": metric}
