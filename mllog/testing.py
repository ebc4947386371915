"""For users' tests: a logger that keeps its events in memory, and a look at whether events are what they should be.

::

    @pytest.fixture
    def captured():
        with capture_events("flight-delay", card="card.json") as captured:
            yield captured

    def test_a_late_flight(captured):
        serve(captured.log)
        (event,) = captured.predictions()
        assert event["ml"]["outputs"]["label"] == "late"
        assert_valid(captured.events())
"""

from __future__ import annotations

import datetime as dt
import math
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.delivery import settings
from mllog.delivery.sinks import MemorySink
from mllog.environment import Manifest
from mllog.events import OUTCOMES
from mllog.fields import EVENT, Field
from mllog.logger import ModelLogger
from mllog.values import INT64

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mllog.events import Kind


class Captured:
    """Events of one logger.

    Attributes:
        log: The logger.
    """

    def __init__(self, log: ModelLogger, sink: MemorySink) -> None:
        self.log = log
        self._sink = sink

    @property
    def lines(self) -> list[bytes]:
        """Every line that a real sink would have got."""
        self.log.flush()
        return list(self._sink.lines)

    def events(self, kind: Kind | None = None) -> list[dict[str, Any]]:
        """Events so far, of one kind where it is given."""
        parsed = [orjson.loads(line) for line in self.lines]
        return [event for event in parsed if kind is None or event["event"]["dataset"].split(".")[1] == kind]

    def predictions(self) -> list[dict[str, Any]]:
        """Predictions so far; outputs and explanations that came apart from theirs aren't among them."""
        return [event for event in self.events("prediction") if event["event"]["action"] == "predict"]


@contextmanager
def capture_events(model: str = "model", *, version: str = "1", **options: Any) -> Iterator[Captured]:
    """A logger that writes to memory, closed at the end.

    ``MLLOG_*`` variables say nothing here, so a test is the same on every machine; only ``MLLOG_SALT`` is read where a
    card's policy hashes and no ``salt`` is given.

    Args:
        model: Name of the model.
        version: Its version.
        **options: Anything else that :class:`mllog.ModelLogger` takes.
    """
    sink = MemorySink()
    options.setdefault("environment", Manifest(python="3"))
    options.setdefault("resources", 0)
    token = settings.alone.set(True)
    try:
        log = ModelLogger(model, version=version, sink=sink, **options)
    finally:
        settings.alone.reset(token)
    try:
        yield Captured(log, sink)
    finally:
        log.close()


_FIELDS: Final = {field.name: field for field in EVENT}
_REQUIRED: Final = (
    "@timestamp",
    "data_stream.dataset",
    "event.id",
    "event.action",
    "ml.model.name",
    "ml.model.version",
)
_JSON_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "keyword": (str,),
    "text": (str,),
    "date": (str,),
    "boolean": (bool,),
    "double": (int, float),
    "float": (int, float),
    "long": (int,),
    "integer": (int,),
    "flattened": (dict,),
    "object": (dict,),
}
_BITS: Final = {"long": 64, "integer": 32}
_MANY: Final = re.compile(
    r"ml\.((missing|violations)\..*|(outputs\.top_k|explanation\.features|bins|unseen_tokens|truncated|replaced|withheld))"
)
"""Fields that hold a list; Elasticsearch's types don't say so."""
_CHOICES: Final[Mapping[str, frozenset[str]]] = {
    "event.outcome": OUTCOMES,
    "event.action": frozenset(_FIELDS["event.action"].meaning.split(", ")),
    "ml.model.role": frozenset(settings.ROLES),
    "ml.sample": frozenset({"head", "tail"}),
    "data_stream.type": frozenset({"logs"}),
}


def assert_valid(events: Iterable[Mapping[str, Any]]) -> None:
    """Assert that events hold no field that isn't in the table of fields, and each of its type.

    Args:
        events: As :meth:`Captured.events` gives them.

    Raises:
        AssertionError: Names the field and the value.
    """
    for event in events:
        found = dict(_leaves(event))
        for name in _REQUIRED:
            if name not in found:
                raise AssertionError(f"an event has no {name}: {event}")
        for name, value in found.items():
            problem = _problem(name, value)
            if problem:
                raise AssertionError(f"{name} {problem}: {value!r}")


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted names, down to the names that the table has or that hold whatever they hold."""
    for key, inner in value.items():
        name = f"{prefix}{key}"
        field = _field(name)
        if isinstance(inner, dict) and (field is None or field.type == "integer"):
            yield from _leaves(inner, f"{name}.")
        else:
            yield name, inner


def _field(name: str) -> Field | None:
    """The field of a name; ``ml.inputs.number.*`` is that of each name below it, dots included."""
    if name in _FIELDS:
        return _FIELDS[name]
    parts = name.split(".")
    maps = (".".join([*parts[:k], "*"]) for k in range(len(parts) - 1, 0, -1))
    return next((_FIELDS[path] for path in maps if path in _FIELDS), None)


def _problem(name: str, value: Any) -> str | None:
    field = _field(name)
    if field is None:
        return "is in no table"
    if bool(_MANY.fullmatch(name)) != isinstance(value, list):
        return "is a list" if isinstance(value, list) else "is no list"
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, _JSON_TYPES[field.type]) or (type(item) is bool and field.type != "boolean"):
            return f"is no {field.type}"
        if field.type in _BITS and not -(2 ** (_BITS[field.type] - 1)) <= item < 2 ** (_BITS[field.type] - 1):
            return f"is no {field.type}"
        if name in _CHOICES and item not in _CHOICES[name]:
            return f"is none of {', '.join(sorted(_CHOICES[name]))}"
        if field.type == "date":
            try:
                dt.datetime.fromisoformat(str(item))
            except ValueError:
                return "is no date"
    return None if _is_json(value) else "is nothing that JSON can hold"


def _is_json(value: Any) -> bool:
    """Whether it is a value that Elasticsearch reads from JSON: finite numbers, integers of 64 bits, names of text."""
    if isinstance(value, dict):
        return all(type(name) is str and _is_json(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    if type(value) is int:
        return value in INT64
    return value is None or type(value) in (bool, str) or (type(value) is float and math.isfinite(value))
