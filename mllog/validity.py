"""Whether events are what the table of fields says (:mod:`mllog.fields`), for tests."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import TYPE_CHECKING, Any, Final

from mllog.delivery.settings import ROLES
from mllog.events import OUTCOMES
from mllog.fields import EVENT, Field
from mllog.values import INT64

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mllog.events import Kind

_FIELDS: Final = {field.name: field for field in EVENT}
_REQUIRED: Final = (
    "@timestamp",
    "data_stream.type",
    "data_stream.dataset",
    "data_stream.namespace",
    "ecs.version",
    "event.id",
    "event.action",
    "event.dataset",
    "event.outcome",
    "host.name",
    "process.pid",
    "ml.model.name",
    "ml.model.version",
    "ml.model.role",
    "ml.environment",
    "ml.sequence.process",
    "ml.sequence.number",
)
_ACTIONS: Final[Mapping[str, tuple[Kind, str | None]]] = {
    "predict": ("prediction", None),
    "output": ("prediction", None),
    "explain": ("prediction", None),
    "label": ("label", None),
    "outcome": ("label", None),
    "deploy": ("deployment", "ml.manifest"),
    "step": ("pipeline", "ml.step.name"),
    "kpi": ("metric", "ml.metric.name"),
    "cost": ("metric", "ml.metric.name"),
    "resource": ("metric", "ml.metric.name"),
    "ledger": ("metric", "ml.metric.name"),
}
"""The kind of each action, and what such an event must have besides."""
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
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "event.duration": (0, math.inf),
    "http.response.status_code": (100, 599),
    "ml.outputs.score": (0, 1),
    "ml.sequence.number": (1, math.inf),
    "ml.step.rows_in": (0, math.inf),
    "ml.step.rows_out": (0, math.inf),
    "ml.text.*": (0, math.inf),
    "ml.weight": (1, math.inf),  # 1 / the probability of being kept
    "process.pid": (0, math.inf),
}
_PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {
    "event.id": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    "data_stream.namespace": re.compile(r"[^A-Z\s\\/*?\"<>|,#:-]{1,100}"),
}
_MANY: Final = re.compile(
    r"ml\.((missing|violations)\..*|(outputs\.top_k|explanation\.features|bins|unseen_tokens|truncated|replaced|withheld))"
)
"""Fields that hold a list; Elasticsearch's types don't say so."""
_CHOICES: Final[Mapping[str, frozenset[str]]] = {
    "event.outcome": OUTCOMES,
    "event.action": frozenset(_ACTIONS),
    "ml.model.role": frozenset(ROLES),
    "ml.sample": frozenset({"head", "tail"}),
    "data_stream.type": frozenset({"logs"}),
}


def assert_valid(events: Iterable[Mapping[str, Any]]) -> None:
    """Assert that events are what the table of fields says.

    Each field is in it, of its type and within its range (a score in [0, 1], a weight of at least 1, no negative
    duration); what every event has is there, and what is said twice is the same.

    Args:
        events: As :meth:`mllog.testing.Captured.events` gives them; at least one.

    Raises:
        AssertionError: Names the field and the value.
    """
    number = 0
    for number, event in enumerate(events, 1):  # noqa: B007 - how many there were
        found = dict(_leaves(event))
        for name in _REQUIRED:
            if name not in found:
                raise AssertionError(f"an event has no {name}: {event}")
        for name, value in found.items():
            problem = _problem(name, value)
            if problem:
                raise AssertionError(f"{name} {problem}: {value!r}")
        _assert_whole(found)
    if not number:
        raise AssertionError("there is no event: nothing was logged, or none of the kind that was asked for")


def _assert_whole(found: Mapping[str, Any]) -> None:
    """Assert that the fields of one event go together."""
    kind, needed = _ACTIONS[found["event.action"]]
    of_model = r"\.[a-z0-9_.]{1,80}" if kind in {"prediction", "label"} else ""
    if not re.fullmatch(rf"mllog\.{kind}{of_model}", found["event.dataset"]):
        raise AssertionError(
            f"event.dataset is none of {found['event.action']} events of a model: {found['event.dataset']!r}"
        )
    if found["data_stream.dataset"] != found["event.dataset"]:
        raise AssertionError(f"data_stream.dataset isn't event.dataset: {found['data_stream.dataset']!r}")
    if needed is not None and needed not in found:
        raise AssertionError(f"an event of {found['event.action']} has no {needed}")
    if ("ml.sample" in found) != ("ml.weight" in found):
        raise AssertionError("ml.sample and ml.weight come together, and one of them is missing")


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
    found = (_problem_of(name, field, item) for item in (value if isinstance(value, list) else [value]))
    problem = next((problem for problem in found if problem is not None), None)
    return problem if problem is not None or _is_json(value) else "is nothing that JSON can hold"


def _problem_of(name: str, field: Field, item: Any) -> str | None:
    """What is wrong with a value, or with one of a list of them."""
    kinds: Any = _JSON_TYPES[field.type]
    if not isinstance(item, kinds) or (type(item) is bool and field.type != "boolean"):
        return f"is no {field.type}"
    if field.type in _BITS and not -(2 ** (_BITS[field.type] - 1)) <= item < 2 ** (_BITS[field.type] - 1):
        return f"is no {field.type}"
    if name in _CHOICES and item not in _CHOICES[name]:
        return f"is none of {', '.join(sorted(_CHOICES[name]))}"
    low, high = _RANGES.get(field.name, (None, math.inf))
    if low is not None and (item < low or item > high):
        return f"is below {low}" if high == math.inf else f"isn't within {low} and {high}"
    if name in _PATTERNS and not _PATTERNS[name].fullmatch(item):
        return f"is no {name.rpartition('.')[2]}"
    if field.type == "date":
        try:
            dt.datetime.fromisoformat(str(item))
        except ValueError:
            return "is no date"
    return None


def _is_json(value: Any) -> bool:
    """Whether it is a value that Elasticsearch reads from JSON: finite numbers, integers of 64 bits, names of text."""
    if isinstance(value, dict):
        return all(type(name) is str and _is_json(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    if type(value) is int:
        return value in INT64
    return value is None or type(value) in (bool, str) or (type(value) is float and math.isfinite(value))
