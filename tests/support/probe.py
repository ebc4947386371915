"""Loggers that are called with odd objects, and everything that has to be true afterwards."""

from __future__ import annotations

import itertools
import logging
import warnings
from typing import Any, Final

import structlog
from support import oddities, oracles
from support.oddities import Choices

from mllog import processors, values
from mllog.card import ModelCard
from mllog.delivery.sinks import MemorySink
from mllog.environment import Manifest
from mllog.integrations.stdlib import EventHandler
from mllog.logger import ModelLogger
from mllog.ruler import LATENCY, LATENCY_EDGES, SCORE, SCORE_EDGES, Feature, Ruler

SOME: Final = "some id"
Call = tuple[str, dict[str, Any]]
"""Name of a method, and what it is called with."""

DOORS: Final = ("stdlib", "structlog", "monitor")
FACTS: Final = ("label", "outcome", "kpi", "cost", "step", "explanation", "output")
METHODS: Final = ("prediction",) * 5 + ("request",) + DOORS * 2 + FACTS
OPTIONAL: Final = ("id", "trace_id", "labels", "message", "error", "latency", "time", "outcome", "user")
OF_REQUESTS: Final = ("inputs", "output", "id", "trace_id", "labels")
OF_DOORS: Final = {"id": "prediction_id"}
"""Keys of log calls that aren't called as the arguments of ``prediction`` are."""

NUMBER, CATEGORY, FLAG, TEXT = "distance", "carrier", "night", "remarks"


def card() -> ModelCard:
    """A card with a feature of each kind."""
    ruler = Ruler(
        features=(
            Feature(NUMBER, "number", edges=(100.0, 1000.0), low=10.0, high=5000.0, sentinels=frozenset({"-999"})),
            Feature(CATEGORY, "category", categories=("UA", "AA"), known=frozenset({"UA", "AA"})),
            Feature(FLAG, "boolean", categories=("false", "true"), known=frozenset({"false", "true"})),
            Feature(TEXT, "text", vocabulary=frozenset({"late", "gate"})),
            Feature(SCORE, "number", edges=SCORE_EDGES),
            Feature(LATENCY, "number", edges=LATENCY_EDGES),
        ),
        repeated=True,
    )
    return ModelCard(model="model", version="1", ruler=ruler, task="classification")


class Probe:
    """Two loggers that write to memory, one with a card, called with what bytes decode to.

    Attributes:
        runs: Calls so far.
    """

    def __init__(self) -> None:
        self._logs = [self._logger(None), self._logger(card())]
        self.runs = 0

    def close(self) -> None:
        """Finish."""
        for log, _ in self._logs:
            log.close()

    def check(self, data: bytes) -> None:
        """Log what ``data`` decode to, once as it is and once changed right after the call.

        Raises:
            AssertionError: Where something was changed, lost, or written in a way that isn't the event's.
            ValueError: Where a line isn't strict JSON.
        """
        self.runs += 1
        choices = Choices(data[:1])
        log, sink = self._logs[choices.below(2)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn of odd objects
            given = decoded(data[1:])
            before = oracles.state(given)
            event = logged(log, sink, given)
            changed = oracles.difference(before, oracles.state(given))
            assert not changed, changed
            check_names(given, event)
            again = logged(log, sink, decoded(data[1:]), change=True)
        differs = oracles.difference(oracles.comparable(event), oracles.comparable(again))
        assert not differs, differs

    @staticmethod
    def _logger(of: ModelCard | None) -> tuple[ModelLogger, MemorySink]:
        sink = MemorySink()
        clock = itertools.count(1_700_000_000_000_000_000, 1_000_000).__next__
        log = ModelLogger(
            "model", version="1", card=of, sink=sink, clock=clock, environment=Manifest(), flush_interval=3600
        )
        log.flush()
        sink.lines.clear()
        return log, sink


def decoded(data: bytes) -> Call:
    """Which method is called, and with what."""
    choices = Choices(data)
    method = METHODS[choices.below(len(METHODS))]
    if method in FACTS:
        return method, {"a": oddities.odd(choices), "b": oddities.odd(choices), "at": (None, 10**18)[choices.below(2)]}
    inputs = oddities.odd_row(choices)
    if type(inputs) is dict:
        for name in (NUMBER, CATEGORY, FLAG, TEXT):
            if choices.below(3) == 2:
                inputs[name] = oddities.odd(choices)
    given = {"inputs": inputs, "output": oddities.odd(choices)}
    for name in (*OPTIONAL, "other", "exc_info") if method in DOORS else OPTIONAL:
        if choices.below(4) == 3:
            given[OF_DOORS.get(name, name) if method in DOORS else name] = oddities.odd(choices)
    return method, given if method != "request" else {name: given.get(name) for name in OF_REQUESTS}


def logged(log: ModelLogger, sink: MemorySink, given: Call, *, change: bool = False) -> dict[str, Any]:
    """The event of one call, read strictly.

    Args:
        log: The logger.
        sink: Its sink.
        given: The call.
        change: Whether to change what was passed between the call and the writing.
    """
    rejected = log.status().rejected
    id_ = _through(log, given) if given[0] in DOORS else _call(log, given)
    assert id_ is not None, f"no event: {log.status().last_error}"
    if change:
        oracles.change(given[1])
    log.flush()
    lines = list(sink.lines)
    sink.lines.clear()
    assert log.status().rejected == rejected, log.status().last_error
    (line,) = lines
    assert len(line) <= oracles.LINE_LIMIT, len(line)
    event = oracles.strict(line)
    oracles.check_types(event)
    assert event["ml"].get("fingerprint") == (oracles.fingerprint(event["ml"]) if "card" in event["ml"] else None)
    assert id_ in {event["event"]["id"], SOME}
    assert not change or oracles.CHANGED.encode() not in line
    return event


def _through(log: ModelLogger, call: Call) -> str:
    """Log by a door that has no ids to give back."""
    door, given = call
    given = dict(given)
    if door == "monitor":

        @log.monitor(id="name", user="who")
        def predict(features: Any, name: Any, who: Any, threshold: float) -> Any:
            return given["output"]

        assert predict(given["inputs"], given.get("prediction_id"), given.get("user"), 0.7) is given["output"]
        return SOME
    message = given.pop("message", "predicted")
    if door == "structlog":
        logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[processors.deliver(log)])
        logger.info(message, **given)
        return SOME
    given.pop("exc_info", None)  # the library looks at it itself
    std = logging.Logger("probe")  # noqa: LOG001 - a new one each time
    std.addHandler(EventHandler(log))
    std.info(message, extra=given)
    return SOME


def check_names(given: Call, event: dict[str, Any]) -> None:
    """No input has vanished: it is a value, missing in some way, cut or replaced."""
    inputs = given[1].get("inputs")
    if type(inputs) is not dict or "inputs" in event["ml"].get("truncated", ()):
        return
    found = oracles.accounted(event)
    for key in dict.keys(inputs):
        name = values.strict(values.name_of(key))
        assert name in found, name


def _call(log: ModelLogger, call: Call) -> str | None:
    method, given = call
    if method == "prediction":
        return log.prediction(**given)
    if method == "request":
        with log.request(given["inputs"], given["id"], given["trace_id"]) as request:
            request.output, request.labels = given["output"], given["labels"]
        return request.event_id
    a, b, at = given["a"], given["b"], given["at"]
    if method == "label":
        return log.label(a, b, at, annotator=b)
    if method == "step":
        return log.step(a, b, a, duration=b, at=at)
    if method in {"outcome", "explanation", "output"}:
        fact: str = getattr(log, method)(a, b, at)
        return fact
    return getattr(log, method)(a, b, a, unit=b, at=at)
