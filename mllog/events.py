"""The kinds of event, as typed records: what a caller hands to the writer, before it is measured and written.

A record holds a snapshot: nothing in it can be changed by the caller any more. :mod:`mllog.delivery.encoder`
turns it into a line of JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
import traceback
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, cast, get_args

from mllog import values
from mllog.attributions import attributions_of
from mllog.delivery.loops import Fields
from mllog.delivery.loops.plain import OUTPUT_SIZE
from mllog.delivery.loops.plain import Fields as _Fields

if TYPE_CHECKING:

    from mllog.delivery.snapshot import Snapshot
    from mllog.environment import Manifest

Kind = Literal["prediction", "label", "deployment", "pipeline", "metric"]
Outcome = Literal["success", "failure", "unknown"]
OUTCOMES: Final = frozenset({"success", "failure", "unknown"})

TRACE_FRAMES: Final = 30

_DATASET_LIMIT: Final = 60


class Record(Fields):
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

    __slots__ = ()

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
        other = Record(self.kind, self.action, self.time, self.id, self.number)
        for name in FIELDS:
            setattr(other, name, changes[name] if name in changes else getattr(self, name))
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
        if kind is float or kind is bool:
            self.output = output
        elif kind is not dict or not self.hold_usual(output):
            self.output = self._typed_output(output.copy() if kind is dict else output, names)
            self.size += OUTPUT_SIZE

    def _typed_output(self, output: Any, names: tuple[str, ...]) -> Any:
        attributions = None
        if type(output) is dict and output.get("explanation") is not None:
            attributions = attributions_of(self, "@output", output["explanation"], names)
            output = {name: value for name, value in output.items() if type(name) is not str or name != "explanation"}
        walk = values.Walk()
        typed = walk.typed(output)
        if walk.replaced:
            self.mark_replaced("@output")
        if walk.truncated:
            self.mark_truncated("@output")
        if isinstance(typed, dict):
            if not all(map(values.is_usable, typed)):
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
        if type(value) not in TYPED or not values.is_usable(name):
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


TYPED: Final = values.SCALARS | {dict, list}
"""Types of typed values."""

FIELDS: Final = _Fields.__slots__
"""Names of what a record holds."""


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


def prediction_key(value: Any) -> str | None:
    """A caller's id as it is written everywhere, so that the parts of a prediction meet under it.

    Args:
        value: Of any type; numbers are their text, and a float that is a whole number that of the integer, as of
            :func:`mllog.ruler.category_key`: pandas turns integer columns with gaps into floats.

    Returns:
        At most 256 characters: a longer one is cut and ends in ``#`` and a hash of all of it. ``None`` where it is
        missing: null, NaN or blank.
    """
    if values.is_usable(value):
        return str(value)
    typed = value if type(value) is str else values.typed(value)
    if typed is None or (type(typed) is float and math.isnan(typed)) or (type(typed) is str and not typed.strip()):
        return None
    return values.name_of(str(int(typed)) if type(typed) is float and typed.is_integer() else typed)


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
