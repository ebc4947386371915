"""Any Python value: no exception comes out, every line is strict JSON, nothing that was passed is changed or used up."""

from __future__ import annotations

import collections
import dataclasses
import math
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import hostile, oracles, processes
from support.probe import Probe, card

from mllog import values
from mllog.testing import Captured, capture_events

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

probe = Probe()


@given(st.binary(min_size=3, max_size=400))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_call_with_any_objects(data: bytes) -> None:
    """What bytes decode to may be logged: see :meth:`support.probe.Probe.check` for what is looked at."""
    probe.check(data)


@pytest.fixture
def captured() -> Iterator[Captured]:
    """A logger without a card."""
    with capture_events() as capture:
        yield capture


def event_of(captured: Captured, *arguments: Any, **options: Any) -> dict[str, Any]:
    """The event of one prediction, read strictly; there must be one, and none may be lost."""
    assert captured.log.prediction(*arguments, **options)
    event = oracles.strict(captured.lines[-1])
    oracles.check_types(event)
    assert captured.log.status().rejected == 0
    return event


def test_the_ways_to_be_missing_stay_apart(captured: Captured) -> None:
    """Null, NaN, infinite and empty are four things, whatever type says so; zero is none of them."""
    row = {
        "null": None, "na": pd.NA, "nat": pd.NaT, "nan": math.nan, "np": np.float32("nan"), "inf": -math.inf,
        "npinf": np.float64("inf"), "empty": "", "blank": " \t", "there": 0,
    }  # fmt: skip
    ml = event_of(captured, row)["ml"]
    assert {kind: set(names) for kind, names in ml["missing"].items()} == {
        "null": {"null", "na", "nat"},
        "nan": {"nan", "np"},
        "infinite": {"inf", "npinf"},
        "empty": {"empty", "blank"},
    }
    assert ml["inputs"] == {"number": {"there": 0}}


def test_absent_is_not_null() -> None:
    """With a card a name that wasn't sent is absent, one that was sent without a value is null."""
    with capture_events(card=card()) as captured:
        missing = event_of(captured, {"distance": None, "carrier": "", "night": True})["ml"]["missing"]
    assert missing == {"absent": ["remarks"], "null": ["distance"], "empty": ["carrier"]}


@dataclasses.dataclass
class Box:
    """Something that can be changed."""

    content: Any


@pytest.mark.parametrize(
    "make",
    [
        lambda inner: {"a": inner},
        lambda inner: {"a": {"b": inner}},
        lambda inner: {"a": [1, (inner, "x")]},
        lambda inner: {"a": Box(inner)},
        lambda inner: {"a": collections.deque([inner])},
        lambda inner: {"a": collections.defaultdict(list, b=inner)},
        lambda inner: {"a": {"b": [{"c": [inner]}]}},
        lambda inner: Box({"a": inner}),
        lambda inner: collections.UserDict({"a": [inner]}),
    ],
)
@pytest.mark.parametrize("leaf", [list, dict, set, bytearray, lambda: np.zeros(3), lambda: Box(1)])
def test_later_changes_are_not_logged(captured: Captured, make: Any, leaf: Any) -> None:
    """What the caller does with its objects after the call is its own business, at every level."""
    before = event_of(captured, make(leaf()), make(leaf()), labels={"x": leaf()})
    inner = leaf()
    inputs, output, labels = make(inner), make(inner), {"x": inner}
    captured.log.prediction(inputs, output, labels=labels)
    for changed in (inner, inputs, output, labels):
        _change(changed)
    assert oracles.comparable(oracles.strict(captured.lines[-1])) == oracles.comparable(before)


def _change(value: Any) -> None:
    if isinstance(value, Box):
        value.content = "changed"
    elif isinstance(value, np.ndarray):
        value.fill(9)
    elif isinstance(value, bytearray):
        value.extend(b"changed")
    elif isinstance(value, set):
        value.add("changed")
    elif isinstance(value, list):
        value.append("changed")
    else:
        value["changed"] = "changed"


def generator() -> Iterator[int]:
    """Two numbers."""
    yield 1
    yield 2


@pytest.mark.parametrize(
    "make", [generator, lambda: iter([1, 2]), lambda: map(int, "12"), lambda: zip([1, 2], [3, 4], strict=True)]
)
def test_iterators_are_not_used_up(captured: Captured, make: Any) -> None:
    """A generator is logged as a mark of its type and counted as replaced; the model still gets all of it."""
    alone, inside, output, inputs = make(), make(), make(), make()
    event = event_of(captured, {"a": alone, "b": [inside]}, output)
    name = f"<{type(alone).__name__}>"
    assert event["ml"]["inputs"] == {"keyword": {"a": name}, "other": {"b": [name]}}
    assert event["ml"]["replaced"] == ["a", "b", "@output"]
    assert event_of(captured, inputs)["ml"]["replaced"] == ["@inputs"]
    assert [len(list(rest)) for rest in (alone, inside, output, inputs)] == [2, 2, 2, 2]


# Looked up by name: pytest looks into the objects that it is given, which these don't survive.
UNKEPT = {
    "object": object,
    "function": lambda: generator,
    "builtin": lambda: len,
    "module": lambda: sys,
    "complex": lambda: complex(1, 2),
    "exception": lambda: ValueError("no"),
    "nan in a list": lambda: [math.nan, 1.0],
    "infinity in a dict": lambda: {"a": math.inf},
    "two keys of one name": lambda: {1: "a", "1": "b"},
    **{f"hostile {k}": make for k, make in enumerate(hostile.HOSTILE)},
}
KEPT = ("RaisingText", "RaisingNumber", "Shrinking", "EndlessList")
"""Hostile ones whose content can be had past their methods."""


@pytest.mark.parametrize("kind", UNKEPT)
def test_what_json_has_nothing_for_is_counted(captured: Captured, kind: str) -> None:
    """A value that can't be kept as it is leaves a mark among what was replaced or cut, as input and as output."""
    event = event_of(captured, {"name": UNKEPT[kind](), "fine": 1}, UNKEPT[kind]())
    marks = {*event["ml"].get("replaced", ()), *event["ml"].get("truncated", ())}
    if values.type_name(UNKEPT[kind]()) not in KEPT:
        assert "name" in marks
        assert {mark[0] for mark in marks - {"name"}} == {"@"}
    assert event["ml"]["inputs"]["number"]["fine"] == 1


ODD = {
    "raising": hostile.Raising,
    "nameless": hostile.Nameless,
    "generator": generator,
    "array": lambda: np.zeros(3),
    "exception": hostile.Weird,
}


@pytest.mark.parametrize("name", ["labels", "message", "error", "outcome", "id", "trace_id", "user", "time", "latency"])
@pytest.mark.parametrize("kind", ODD)
def test_an_odd_companion_costs_no_event(captured: Captured, name: str, kind: str) -> None:
    """The prediction is there, whatever was passed beside it."""
    event = event_of(captured, {"a": 1}, 0.5, **{name: ODD[kind]()})
    assert event["ml"]["inputs"]["number"] == {"a": 1}
    assert event["ml"]["outputs"]["value"] == 0.5


class Interrupting:
    """Something happens while this is shown."""

    def __init__(self, problem: BaseException) -> None:
        self.problem = problem

    def __repr__(self) -> NoReturn:
        raise self.problem


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), SystemExit(3)], ids=["Ctrl-C", "exit"])
def test_what_ends_a_program_passes(captured: Captured, problem: BaseException) -> None:
    """KeyboardInterrupt and SystemExit are no failures of an object: they reach the caller, and the logger goes on."""
    with pytest.raises(type(problem)):
        captured.log.prediction({"a": Interrupting(problem)})
    event_of(captured, {"a": 1})
    status = captured.log.status()
    assert status.accepted == status.written == len(captured.lines)


def test_running_out_of_memory_is_a_failure_of_the_object(captured: Captured) -> None:
    """A __repr__ that raises MemoryError costs its own value alone."""
    event = event_of(captured, {"a": Interrupting(MemoryError()), "b": 1})
    assert event["ml"]["replaced"] == ["a"]
    assert event["ml"]["inputs"] == {"keyword": {"a": "<Interrupting>"}, "number": {"b": 1}}


def test_little_stack_is_left(tmp_path: pathlib.Path) -> None:
    """In the depths of a recursion an event may be refused, which is counted, but no exception comes out of a call.

    Where fewer than eight frames are left a call can't even fail in peace.
    """
    out = processes.run(
        tmp_path,
        """
        log = make()
        def descend(levels):
            return log.prediction({"a": [[[[1]]]], "b": "x"}) if levels == 0 else descend(levels - 1)
        made = [descend(sys.getrecursionlimit() - left) for left in range(100, 8, -1)]
        log.close()
        status = log.status()
        print(made.count("") == status.rejected, 0 < status.rejected < 20, len(set(made)) > 70)
        print(status.accepted == status.written + status.rejected, status.dropped, status.queued)
        """,
    )
    assert out == "True True True\nTrue 0 0\n"


def test_shared_and_endless_structures(captured: Captured) -> None:
    """What is small in memory and huge when it is written out is cut: lists of one list, cycles, endless iterables."""
    wide: Any = [0]
    for _ in range(30):
        wide = [wide] * 10_000
    deep: Any = 1
    for _ in range(500):
        deep = {"a": [deep]}
    cycle: dict[str, Any] = {}
    cycle["views"] = [cycle.items(), cycle.values(), cycle]
    row = {"wide": wide, "deep": deep, "cycle": cycle, "endless": hostile.EndlessMapping()}
    ml = event_of(captured, row, wide)["ml"]
    assert {"wide", "deep", "endless", "@output"} <= set(ml["truncated"])
    assert "cycle" in ml["replaced"]


def test_ten_thousand_names(captured: Captured) -> None:
    """A row of 10,000 odd names is an event, and every one of them is there."""
    row = {(k if k % 2 else f"\ud800{k}"): 0 for k in range(10_000)}
    assert oracles.accounted(event_of(captured, row)) >= {values.strict(values.name_of(key)) for key in row}


def test_an_object_that_logs_while_it_is_logged(captured: Captured) -> None:
    """The logger may be called from a __repr__ that it calls."""

    class Chatty:
        def __repr__(self) -> str:
            captured.log.prediction({"from": "repr"})
            return "chatty"

    event_of(captured, {"a": Chatty()})
    predictions = captured.events("prediction")
    assert [event["ml"]["inputs"]["keyword"] for event in predictions] == [{"from": "repr"}, {"a": "chatty"}]


def test_inputs_that_others_change_meanwhile(captured: Captured) -> None:
    """Another thread changes the row during the call: an event all the same, and a whole one."""
    row: dict[str, Any] = {f"f{k}": [k] for k in range(50)}
    stop = threading.Event()

    def change() -> None:
        k = 0
        while not stop.is_set():
            k += 1
            row[f"new{k % 500}"] = [k]
            row.pop(f"new{(k + 250) % 500}", None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(500):
            assert captured.log.prediction(row)
    finally:
        stop.set()
        thread.join()
    for line in captured.lines:
        oracles.check_types(oracles.strict(line))
    assert captured.log.status().rejected == 0
