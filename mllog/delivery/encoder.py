"""From a record to its line of JSON: inputs sorted by type, measured, joined with what is constant.

Runs on the writer's thread, so that the model waits for none of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog import values
from mllog.delivery.ledger import host_name
from mllog.delivery.outputs import outputs_of
from mllog.delivery.routing import Router
from mllog.events import Kind, Timestamps, dataset
from mllog.fields import ECS_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.events import Record
    from mllog.privacy import Guard
    from mllog.ruler import Ruler

EVENT_LIMIT: Final = 2**20

_OPTIONAL: Final = ("error", "labels", "message")


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


class Encoder:
    """Turns records into lines.

    Args:
        constants: What all events have in common.
        ruler: The card's ruler, where there is a card.
        regression: Whether the card says that the model is one: decides what a bare number is.
        keep_texts: Whether the policy lets texts pass; their counts always do.
        guard: Takes out what the policy keeps back, where it keeps anything back.
    """

    def __init__(
        self,
        constants: Constants,
        *,
        ruler: Ruler | None = None,
        regression: bool | None = None,
        keep_texts: bool = True,
        guard: Guard | None = None,
    ) -> None:
        self._constants = constants
        self._ruler = ruler
        self._card = ruler.hash if ruler else None
        self._regression = regression
        self._router = Router(ruler, keep_texts=keep_texts)
        self._guard = guard
        self._timestamps = Timestamps()
        model = {"name": constants.model, "version": constants.version, "role": constants.role}
        if constants.artifact_hash:
            model["artifact_hash"] = constants.artifact_hash
        self._model = _fragment(model)
        self._environment = _fragment(constants.environment)
        self._document = {
            "ecs": _fragment({"version": ECS_VERSION}),
            "host": _fragment({"name": host_name()}),
        }
        if constants.service:
            self._document["service"] = _fragment(dict(constants.service))
        self._streams: dict[Kind, tuple[str, orjson.Fragment]] = {}
        self._process = ""

    def start(self, process: str) -> None:
        """Begin the sequence of events of one process."""
        self._process = process
        self._document["process"] = _fragment({"pid": os.getpid()})

    def line(self, record: Record) -> bytes:
        """The event as one line of strict JSON, line feed included."""
        document = self.document(record)
        try:
            line = _dumps(document)
        except TypeError:
            # Lone surrogates: rare, and only a look at every text finds them.
            ml = document["ml"]
            ml["replaced"] = [*ml.get("replaced", ()), *_with_surrogates(ml)]
            line = _dumps(values.strict(document))
        return line if len(line) <= EVENT_LIMIT else _shortened(document)

    def document(self, record: Record) -> dict[str, Any]:
        """The event as nested JSON types; constant parts are :class:`orjson.Fragment`."""
        if self._guard is not None:
            self._guard.prepare(record)
        name, stream = self._stream(record.kind)
        event: dict[str, Any] = {
            "id": record.id,
            "action": record.action,
            "dataset": name,
            "outcome": record.outcome,
        }
        if record.duration is not None:
            event["duration"] = record.duration
        ml: dict[str, Any] = {
            "model": self._model,
            "environment": self._environment,
            "sequence": {"process": self._process, "number": record.number},
        }
        document: dict[str, Any] = {
            "@timestamp": self._timestamps.text(record.time),
            "data_stream": stream,
            "event": event,
            **self._document,
            "ml": ml,
        }
        if record.context is not None:
            document.update(record.context)
        if record.trace_id is not None:
            document["trace"] = {"id": record.trace_id}
        if record.user is not None:
            document["user"] = {"id": record.user}
        for key in _OPTIONAL:
            value = getattr(record, key)
            if value is not None:
                document[key] = value
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
        return document

    def _add_prediction(self, record: Record, ml: dict[str, Any]) -> None:
        outputs, explanation, replaced = outputs_of(record.output, regression=self._regression)
        if replaced:
            record.replaced = [*(record.replaced or ()), *replaced]
        if record.inputs is not None:
            self._add_inputs(record, record.inputs, outputs, ml)
        if outputs:
            ml["outputs"] = outputs
        if explanation is not None:
            ml["explanation"] = explanation

    def _add_inputs(
        self, record: Record, inputs: dict[str, Any], outputs: dict[str, Any], ml: dict[str, Any]
    ) -> None:
        routed = self._router.route(inputs, record)
        ml["inputs"] = routed.maps
        if self._guard is not None:
            self._guard.conceal(routed.maps)
        if self._ruler is None:
            if routed.missing:
                ml["missing"] = routed.missing
            return
        measured = self._ruler.measure(
            inputs,
            score=outputs.get("score"),
            value=outputs.get("value"),
            latency=None if record.duration is None else record.duration / 1e9,
        )
        ml["card"] = self._card
        if measured.missing:
            ml["missing"] = measured.missing
            # A sentinel stands for missing: where it stayed it would be counted as a value.
            routed.set_aside(measured.missing.get("sentinel", []))
        if measured.violations:
            ml["violations"] = measured.violations
        if measured.texts:
            ml["text"] = {
                name: {"tokens": n, "unseen": unseen} for name, (n, unseen) in measured.texts.items()
            }
        if measured.unseen_tokens:
            ml["unseen_tokens"] = measured.unseen_tokens
        if measured.bins:
            ml["bins"] = measured.bins

    def _stream(self, kind: Kind) -> tuple[str, orjson.Fragment]:
        known = self._streams.get(kind)
        if known is None:
            name = dataset(kind, self._constants.model)
            stream = {"type": "logs", "dataset": name, "namespace": self._constants.namespace}
            known = self._streams[kind] = (name, _fragment(stream))
        return known


def _shortened(document: dict[str, Any]) -> bytes:
    """An event that is too long without what makes it so; what the ruler measured stays."""
    ml = document["ml"]
    for name in ("inputs", "outputs", "manifest", "explanation"):
        if name in ml:
            ml[name] = {}
            ml["truncated"] = [*ml.get("truncated", ()), name]
    for name in _OPTIONAL:
        if document.pop(name, None) is not None:
            ml["truncated"] = [*ml.get("truncated", ()), name]
    return _dumps(values.strict(document))


def _with_surrogates(ml: dict[str, Any]) -> list[str]:
    """Names of inputs that UTF-8 can't hold as they are."""
    return [
        values.strict(name)
        for inputs in ml.get("inputs", {}).values()
        for name, value in inputs.items()
        if values.strict(name) != name or values.strict(value) != value
    ]


def _dumps(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _fragment(value: object) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(values.strict(value)))
