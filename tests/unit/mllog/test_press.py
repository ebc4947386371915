"""The press is a shortcut: a line that it writes is the line that the encoder would have written."""

from __future__ import annotations

import importlib.util
import math
import zlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import oracles

from benchmarks.logger import workload
from mllog import ModelCard
from mllog.confidence import MARGIN, MARGIN_EDGES, UNUSABLE
from mllog.delivery import plans, tokens
from mllog.delivery.encoder import EVENT_LIMIT, Constants, Encoder
from mllog.delivery.loops import plain
from mllog.delivery.snapshot import hold
from mllog.events import Record
from mllog.ruler import LABEL, LATENCY, SCORE, VALUE, Feature, Ruler
from mllog.shapes import LENGTH, LENGTH_EDGES, MARK_EDGES, MARKS, SCRIPT, SCRIPT_EDGES

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

FOUND = importlib.util.find_spec("mllog.delivery.loops.compiled") is not None
compiled: ModuleType = importlib.import_module("mllog.delivery.loops.compiled") if FOUND else plain
needs_compiler = pytest.mark.skipif(not FOUND, reason="no compiled loops here")  # tested to be there in test_loops.py

SHAPE = {LENGTH: LENGTH_EDGES, SCRIPT: SCRIPT_EDGES, MARKS: MARK_EDGES}
RULER = Ruler(
    (
        Feature("n", "number", edges=(0.0, 1.0, 2.0), low=-5.0, high=5.0, sentinels=frozenset({"-1"})),
        Feature("m", "number"),
        Feature("k", "category", known=frozenset({"UA", "AA", "日本", 'q"'})),
        Feature("o", "category", open=True),
        Feature("f", "boolean", known=frozenset({"true", "false"})),
        Feature("t", "text", vocabulary=frozenset({"late", "gate", "語"}), sentinels=frozenset({"none"})),
        Feature('q"u', "text", vocabulary=frozenset({"late"})),
        Feature(SCORE, "number", edges=(0.25, 0.5)),
        Feature(VALUE, "number", edges=(0.0, 10.0)),
        Feature(LABEL, "category", categories=("UA",), known=frozenset({"UA", "late gate"})),
        Feature(MARGIN, "number", edges=MARGIN_EDGES),
        Feature(UNUSABLE, "number"),
        *(Feature(f"{prefix}t", "number", edges=edges) for prefix, edges in SHAPE.items()),
        *(Feature(f'{prefix}q"u', "number", edges=edges) for prefix, edges in SHAPE.items()),
        Feature(LATENCY, "number", edges=(0.1,)),
    ),
    repeated=True,
)
TEXT = st.one_of(
    st.sampled_from(["UA", "late gate", "none", "", " ", '"\\/\n\x00\x1f\x7f', "日本 語", "a\ud800", "new " * 40, "x" * 257, "…", "Ã©t Ã©", "ok 😀", "Привет"]),
    st.text(max_size=40),
)
NUMBER = st.one_of(
    st.floats(),
    st.integers(-3, 3),
    st.sampled_from([0.0, -0.0, -1, -1.0, 1e16, 1e-7, 5e-324, 2**53, 2**53 + 1, math.nan, math.inf]),
)
VALUES_ = st.one_of(NUMBER, TEXT, st.none(), st.booleans(), st.just([1.0]))
NAMES = st.one_of(st.sampled_from(["n", "m", "k", "o", "f", "t", 'q"u', "new", "\ud800", ""]), st.text(max_size=5))
OUTPUTS = st.one_of(
    st.none(),
    NUMBER,
    TEXT,
    st.fixed_dictionaries({"label": TEXT, "score": NUMBER}),
    st.fixed_dictionaries({"score": NUMBER, "other": TEXT}),
    st.fixed_dictionaries({"label": st.just("UA"), "score": st.floats(-0.1, 1.1)}),
    st.fixed_dictionaries({"score": NUMBER, "scores": st.one_of(st.lists(NUMBER), st.dictionaries(TEXT, NUMBER))}),
    st.dictionaries(st.sampled_from(["label", "score", "value", "scores", "explanation", "x"]), VALUES_, max_size=3),
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "duration": st.integers(0, 2**62),
        "prediction_id": st.one_of(st.text(min_size=1, max_size=9), st.just('a"b')),
        "message": TEXT,
        "labels": st.dictionaries(st.text(max_size=3), TEXT, max_size=2),
        "trace_id": st.text(max_size=4),
        "user": TEXT,
        "error": st.just({"type": "ValueError", "message": "no"}),
        "context": st.just({"url": {"path": "/a"}, "ml": {"evil": 1}}),
        "sample": st.sampled_from(["head", "tail"]),
        "weight": st.floats(1, 100),
        "body": st.just({"extra": {"a": [1, None]}}),
        "truncated": st.sampled_from([["n"], ["inputs", "n"]]),
        "replaced": st.just(["k"]),
        "outcome": st.sampled_from(["failure", "unknown"]),
        "time": st.one_of(st.integers(-(10**18), 3 * 10**20), st.just(1_764_430_000_999_999_999)),
        "number": st.integers(0, 2**63),
    },
)


def record_of(inputs: dict[str, Any], output: Any, extras: dict[str, Any]) -> Record:
    """A record as a logger makes it, with more on it."""
    record = Record("prediction", "predict", 1_764_430_000_000_000_000, "0197-ab", 3)
    hold(inputs, (), record)
    if output is not None:
        record.give(output)
    for name, value in extras.items():
        setattr(record, name, value)
    return record


def encoder_of(module: ModuleType, ruler: Ruler | None) -> Encoder:
    """An encoder with these loops."""
    with ExitStack() as stack:
        names = ("Layout", "Memory", "Names", "Press", "sort")
        stack.enter_context(patch.multiple(plans, **{name: getattr(module, name) for name in names}))
        stack.enter_context(patch.object(tokens, "Words", module.Words))
        return Encoder(Constants("model", "1", namespace="d"), ruler=ruler)


def said(line: bytes) -> Any:
    """A line without orders that mean nothing; floats as they are spelt."""
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    event = orjson.loads(line)
    ml = event["ml"]
    assert ml.get("fingerprint") == (oracles.fingerprint(ml) if "card" in ml else None)
    for part in ("missing", "violations"):
        if part in ml:
            ml[part] = {kind: sorted(names) for kind, names in ml[part].items()}
    for part in ("bins", "replaced"):
        if part in ml:
            ml[part] = sorted(ml[part])
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)


@settings(deadline=None, max_examples=400)
@given(st.booleans(), st.dictionaries(NAMES, VALUES_, max_size=9), OUTPUTS, EXTRAS)
@example(True, {"n": 0.5, "k": "UA", "f": True, "t": "late new", "m": None}, {"label": "a", "score": 0.5}, {})
@example(False, {"b": True, "c": False, "a": math.inf, "d": math.nan}, 0.25, {"duration": 5})
@example(False, {}, None, {})
@example(True, {}, None, {"message": "\ud800"})
@example(True, {'q"u': "late", "t": "late\ngate\x1f", "n": math.nan, "m": None, "f": 2}, 0.5, {})
@example(True, {"n": 0.5}, None, {"truncated": ["inputs"]})
@example(True, {"n": 0.5}, {"label": "UA", "score": -1e-17}, {})
@example(True, {"n": 0.5}, {"label": "UA", "score": 0.9999}, {})
@example(True, {"n": 0.5}, {"score": 0.1, "scores": {"UA": math.nan, "AA": 0.5}}, {})
def test_a_pressed_line_is_the_encoders(
    card: bool, inputs: dict[str, Any], output: Any, extras: dict[str, Any]
) -> None:
    """Of any prediction, whatever else stands on it, both write the same event, the first time and the second."""
    ruler = RULER if card else None
    quick, whole = encoder_of(compiled, ruler), encoder_of(plain, ruler)
    for _ in range(2):
        assert said(quick.line(record_of(inputs, output, extras))) == said(
            whole.line(record_of(inputs, output, extras))
        )


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    """The benchmark's."""
    path: Path = tmp_path_factory.mktemp("card") / "card.json"
    workload.save_card(path)
    return ModelCard.load(path)


@needs_compiler
@pytest.mark.parametrize("with_card", [True, False])
def test_most_lines_are_pressed(card: ModelCard, with_card: bool) -> None:
    """The shortcut is taken: for nearly all rows of the benchmark, faulty as they are, and with all that a call says."""
    encoder = encoder_of(compiled, card.ruler if with_card else None)
    rows = workload.predictions()
    extras = {"duration": 7, "prediction_id": "a", "message": "predicted", "labels": {"a": 1}, "user": "me"}
    records = [record_of(row.inputs, row.output, extras) for row in rows]
    whole = [encoder.line(record) for record in records]
    frame = encoder._frames["prediction", "predict"]
    assert encoder._press is not None
    pressed = [encoder._press.line(record_of(row.inputs, row.output, extras), frame) for row in rows]
    assert sum(line is not None for line in pressed) >= len(rows) * (0.95 if with_card else 1)
    for one, other in zip(whole, pressed, strict=True):
        if other is not None:
            assert said(one) == said(other)


@needs_compiler
def test_lines_of_any_length() -> None:
    """Buffers grow, and what is too long for an event is cut as the encoder cuts it."""
    encoder = encoder_of(compiled, None)
    for size in (1, 100, 5_000, 300_000, 2 * EVENT_LIMIT):
        record = record_of({"a": 1.0}, {"label": "x", "score": 0.5}, {})
        encoder.line(record)
        record.message = "m" * size
        line = encoder.line(record)
        assert len(line) <= EVENT_LIMIT
        event = orjson.loads(line)
        assert ("message" in event["ml"].get("truncated", ())) == (size > EVENT_LIMIT)


@needs_compiler
@pytest.mark.parametrize("count", [0, 1, 299, 300])
def test_as_many_names_as_there_are_fields(count: int) -> None:
    """Few and many inputs, of every type."""
    kinds = (1.5, 7, "text", True, None, math.nan)
    inputs = {f"name {k}": kinds[k % len(kinds)] for k in range(count)}
    quick, whole = encoder_of(compiled, None), encoder_of(plain, None)
    for _ in range(2):
        lines = [encoder.line(record_of(inputs, 0.5, {})) for encoder in (quick, whole)]
    assert said(lines[0]) == said(lines[1])


NEAR = {"n": 0.5, "m": 0.25, "k": "UA", "f": True, "t": "late gate"}
ROWS = {
    "equal": (NEAR, dict(NEAR), True),
    "another number": (NEAR, NEAR | {"n": 0.75}, False),
    "another kind of missing": (NEAR | {"n": None}, NEAR | {"n": math.nan}, False),
    "missing elsewhere": (NEAR | {"n": None}, NEAR | {"m": None}, False),
    "what changed places": (NEAR, NEAR | {"n": 0.25, "m": 0.5}, False),
    "one that isn't sent": (NEAR, {name: value for name, value in NEAR.items() if name != "m"}, False),
    "out of range, the same": (NEAR | {"n": 99.0}, NEAR | {"n": 99.0}, True),
    "another type, the same": (NEAR | {"n": "five", "f": 1}, NEAR | {"n": "five", "f": 1}, True),
}


@pytest.mark.parametrize("module", [plain, pytest.param(compiled, marks=needs_compiler)], ids=["plain", "compiled"])
@pytest.mark.parametrize("rows", ROWS)
def test_a_fingerprint_is_equal_where_inputs_are(module: ModuleType, rows: str) -> None:
    """By whatever road an event goes: the first of its names, those behind it, and those with something odd beside."""
    one, other, same = ROWS[rows]
    encoder = encoder_of(module, RULER)
    odd = {"message": "a\ud800"}
    lines = [encoder.line(record_of(row, 0.5, extras)) for row in (one, one, other, other) for extras in ({}, odd)]
    found = [orjson.loads(line)["ml"]["fingerprint"] for line in lines]
    assert len(set(found[:4])) == len(set(found[4:])) == 1
    assert (found[0] == found[4]) is same


def test_no_fingerprint_without_need() -> None:
    """Without inputs, without those that were given, of inputs that weren't kept, by a card that doesn't count repeats, without a card."""
    silent = (Ruler(RULER.features), None)
    records = [(RULER, {}, {}), (RULER, NEAR, {"truncated": ["inputs"]}), *((ruler, NEAR, {}) for ruler in silent)]
    for ruler, inputs, extras in records:
        encoder = encoder_of(compiled, ruler)
        for _ in range(2):
            assert b"fingerprint" not in encoder.line(record_of(inputs, 0.5, extras))
    long = NEAR | {f"more{k}": "x" * 8_000 for k in range(150)}
    event = orjson.loads(encoder_of(compiled, RULER).line(record_of(long, 0.5, {})))
    assert "inputs" in event["ml"]["truncated"]
    assert "fingerprint" not in event["ml"]


@needs_compiler
def test_the_crc_is_zlibs() -> None:
    """Of any number of bytes."""
    data = bytes(range(256)) * 20
    for size in [*range(300), 4_095, 5_120]:
        assert compiled.crc32(data[-size:]) == zlib.crc32(data[-size:])
