"""From a record to its line of JSON: inputs sorted by type, measured, joined with what is constant.

Runs on the writer's thread, so that the model waits for none of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog import values
from mllog.delivery.fingerprints import written
from mllog.delivery.ledger import host_name
from mllog.delivery.outputs import outputs_of
from mllog.delivery.plans import Plan, PlanOfCard, PlanWithoutCard
from mllog.delivery.routing import Router
from mllog.events import dataset
from mllog.fields import ECS_VERSION
from mllog.stamps import Timestamps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.delivery.loops.plain import Frame
    from mllog.events import Record
    from mllog.privacy import Guard
    from mllog.ruler import Ruler

EVENT_LIMIT: Final = 2**20

_OPTIONAL: Final = ("error", "labels", "message")
_LISTS: Final = frozenset({"bins", "missing", "replaced", "text", "truncated", "unseen_tokens", "violations"})
"""Parts that name inputs."""
_OWN: Final = frozenset({"@timestamp", "data_stream", "ecs", "event", "host", "ml", "process", "service"})
"""Fields of every event, which no context replaces."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What all events of one logger have in common."""

    model: str
    version: str
    role: str = "champion"
    artifact_hash: str | None = None
    environment: str = ""
    namespace: str = "default"
    service: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """By what predictions are measured and written.

    Attributes:
        router: Where an input goes.
        ruler: The card's, where there is a card.
        regression: Whether the card says that the model is one: decides what a bare number is.
        guard: Takes out what the policy keeps back, where it keeps anything back.
    """

    router: Router
    ruler: Ruler | None = None
    regression: bool | None = None
    guard: Guard | None = None


class Encoder:
    """Turns records into lines.

    Args:
        constants: What all events have in common.
        ruler: The card's ruler, where there is a card.
        regression: Whether the card says that the model is one: decides what a bare number is.
        guard: Takes out what the policy keeps back, where it keeps anything back.
    """

    def __init__(
        self,
        constants: Constants,
        *,
        ruler: Ruler | None = None,
        regression: bool | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._constants = constants
        self.rules = Rules(Router(ruler), ruler, regression, guard)
        self._card = None if ruler is None else ruler.hash
        self._compared = ruler is not None and ruler.repeated
        self._plan: Plan = (
            PlanWithoutCard(self.rules.router) if ruler is None else PlanOfCard(self.rules.router, ruler)
        )
        self._timestamps = Timestamps()
        # A guard has to look at what is written.
        self._press = (
            None
            if guard is not None
            else self._plan.press(self._timestamps.text, partial(outputs_of, regression=regression), _beside)
        )
        self._environment = constants.environment
        self._process = ""
        self._frames: dict[tuple[str, str], Frame] = {}

    def copy(self) -> Encoder:
        """One that makes the same lines, for another sequence of events."""
        rules = self.rules
        other = Encoder(self._constants, ruler=rules.ruler, regression=rules.regression, guard=rules.guard)
        other.set_environment(self._environment)
        return other

    def start(self, process: str) -> None:
        """Begin the sequence of events of one process."""
        self._process = process
        self._frames.clear()

    def set_environment(self, fingerprint: str) -> None:
        """The fingerprint that events carry from now on."""
        self._environment = fingerprint
        # Another dict: a frame that another thread is making of the old one goes to the old dict.
        self._frames = {}

    def line(self, record: Record) -> bytes:
        """The event as one line of strict JSON, line feed included."""
        frames = self._frames
        frame = frames.get((record.kind, record.action))
        if frame is None:
            frame = frames[record.kind, record.action] = self._new_frame(record)
        if self.rules.guard is not None:
            self.rules.guard.prepare(record)
        elif self._press is not None and record.held is not None:
            pressed = self._press.line(record, frame)
            if pressed is not None and len(pressed) <= EVENT_LIMIT:
                return pressed
        return self._line(record, frame)

    def _line(self, record: Record, frame: Frame) -> bytes:
        """The same of any record."""
        ml = self._ml(record)
        top = _beside(record)
        event, begin, end = frame
        # All that varies of it is ours and needs no escapes.
        duration = "" if record.duration is None else f'"duration":{record.duration},'
        head = (
            f'{{"@timestamp":"{self._timestamps.text(record.time)}","event":{{"id":"{record.id}",'
            f'"outcome":"{record.outcome}",{duration}'
        )
        begun = b"".join((head.encode(), event, b"%d," % record.number, begin))
        compared = self._compared and record.kind == "prediction" and record.held is not None
        try:
            line = _joined(begun, ml, end, top, compared=compared)
        except TypeError:
            # Lone surrogates: rare, and only a look at every text finds them.
            ml["replaced"] = [*ml.get("replaced", ()), *_with_surrogates(ml, top)]
            ml, top = values.strict(ml), values.strict(top)
            line = _joined(begun, ml, end, top, compared=compared)
        return line if len(line) <= EVENT_LIMIT else _shortened(line)

    def _new_frame(self, record: Record) -> Frame:
        """What all events of one kind have in common."""
        constants = self._constants
        # By the name as it is written, by which readers look for the stream.
        name = dataset(record.kind, values.strict(constants.model))
        model = {"name": constants.model, "version": constants.version, "role": constants.role}
        if constants.artifact_hash:
            model["artifact_hash"] = constants.artifact_hash
        event = _members({"action": record.action, "dataset": name})
        ml = _members({"model": model, "environment": self._environment})
        rest: dict[str, Any] = {
            "data_stream": {"type": "logs", "dataset": name, "namespace": constants.namespace},
            "ecs": {"version": ECS_VERSION},
            "host": {"name": host_name()},
            "process": {"pid": os.getpid()},
        }
        if constants.service:
            rest["service"] = dict(constants.service)
        return (
            event + b'},"ml":{"sequence":{"number":',
            _members({"process": self._process}) + b"}," + ml + b",",
            b"," + _members(rest),
        )

    def _ml(self, record: Record) -> dict[str, Any]:
        """What varies of ``ml``, but for the sequence."""
        ml: dict[str, Any] = {}
        if record.prediction_id is not None:
            ml["prediction_id"] = record.prediction_id
        if record.sample is not None:
            ml["sample"], ml["weight"] = record.sample, record.weight
        if record.body is not None:
            ml.update(record.body)
        if record.kind == "prediction":
            self._add_prediction(record, ml)
        if record.truncated:
            ml["truncated"] = record.truncated
        if record.replaced:
            ml["replaced"] = record.replaced
        return ml

    def _add_prediction(self, record: Record, ml: dict[str, Any]) -> None:
        outputs, explanation, replaced = outputs_of(record.output, regression=self.rules.regression)
        if replaced:
            record.replaced = [*(record.replaced or ()), *replaced]
        if record.held is not None:
            self._plan.fill(record.held, record, outputs, ml, replaced)
            if self._card is not None:
                ml["card"] = self._card
            if self.rules.guard is not None:
                self.rules.guard.conceal(ml["inputs"])
        if outputs:
            ml["outputs"] = outputs
        if explanation is not None:
            ml["explanation"] = explanation


def _beside(record: Record) -> dict[str, Any]:
    """What only some events have beside ``ml``."""
    top: dict[str, Any] = {}
    if record.context is not None:
        top.update(item for item in record.context.items() if item[0] not in _OWN)
    if record.trace_id is not None:
        top["trace"] = {"id": record.trace_id}
    if record.user is not None:
        top["user"] = {"id": record.user}
    if record.error is not None:
        top["error"] = record.error
    if record.labels is not None:
        top["labels"] = record.labels
    if record.message is not None:
        top["message"] = record.message
    return top


def _joined(begun: bytes, ml: dict[str, Any], end: bytes, top: dict[str, Any], *, compared: bool) -> bytes:
    """One line of its begin, the rest of ``ml``, what all have behind it, and what only this one has."""
    first: tuple[bytes, ...] = ()
    if compared:  # by a card, whose hash is among the others
        first, ml = written(ml)
    inner = orjson.dumps(ml)[1:]
    if not ml:
        begun = begun[:-1]
    if top:
        return b"".join((begun, *first, inner, end, b",", orjson.dumps(top)[1:], b"\n"))
    return b"".join((begun, *first, inner, end, b"}\n"))


def _members(mapping: dict[str, Any]) -> bytes:
    """The members of a JSON object, without its braces."""
    return orjson.dumps(values.strict(mapping))[1:-1]


def _shortened(line: bytes) -> bytes:
    """An event that is too long without what makes it so; what the ruler measured stays."""
    document = orjson.loads(line)
    ml = document["ml"]
    for name in ("inputs", "outputs", "manifest", "explanation"):
        if name in ml:
            ml[name] = {}
            ml["truncated"] = [*ml.get("truncated", ()), name]
    ml.pop("fingerprint", None)
    for name in _OPTIONAL:
        if document.pop(name, None) is not None:
            ml["truncated"] = [*ml.get("truncated", ()), name]
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _with_surrogates(ml: dict[str, Any], top: dict[str, Any]) -> list[str]:
    """Names of inputs, and of other parts of the event behind an ``@``, that UTF-8 can't hold as they are."""
    names = [
        values.strict(name)
        for inputs in ml.get("inputs", {}).values()
        for name, value in inputs.items()
        if values.strict(name) != name or values.strict(value) != value
    ]
    others = {name: part for name, part in (ml | top).items() if name not in {"inputs", *_LISTS}}
    changed = [name for name, part in others.items() if values.strict(part) != part]
    return names + ["@output" if name == "outputs" else f"@{name}" for name in changed]
