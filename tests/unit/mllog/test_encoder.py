from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mllog.card import ModelCard
from mllog.fields import EVENT
from mllog.testing import Captured, capture_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mllog.logger import ModelLogger
    from mllog.ruler import Ruler

ROW = {
    "distance": 500.0,
    "carrier": "UA",
    "hour": 7,
    "night": True,
    "remarks": "late at gate",
    "embedding": [0.1, 0.2],
}


def ml_of(captured: Captured, inputs: Any, output: Any = None, **options: Any) -> dict[str, Any]:
    """``ml`` of the one prediction made of these."""
    captured.log.prediction(inputs, output, **options)
    ml: dict[str, Any] = captured.events("prediction")[-1]["ml"]
    return ml


@pytest.fixture
def slow() -> Iterator[Captured]:
    """A logger that writes when it is asked to, so that events wait in the queue until then."""
    with capture_events(flush_interval=60.0) as capture:
        yield capture


def test_a_good_row_with_a_card(carded: Captured, ruler: Ruler) -> None:
    """Every input goes where the card says, and the ruler adds bins and token counts."""
    ml = ml_of(carded, ROW, 0.81, latency=0.01)
    assert ml["inputs"] == {
        "number": {"distance": 500.0},
        "keyword": {"carrier": "UA", "hour": "7"},
        "boolean": {"night": True},
        "text": {"remarks": "late at gate"},
        "other": {"embedding": [0.1, 0.2]},
    }
    assert ml["card"] == ruler.hash
    assert ml["outputs"] == {"score": 0.81}
    assert ml["bins"] == ["distance:1", "@score:16", "@latency:17"]
    assert ml["text"] == {"remarks": {"tokens": 3, "unseen": 1}}
    assert ml["unseen_tokens"] == ["at"]
    assert "missing" not in ml
    assert "violations" not in ml


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("distance", None, "null"),
        ("distance", math.nan, "nan"),
        ("distance", np.float64("nan"), "nan"),
        ("distance", -math.inf, "infinite"),
        ("distance", 10**400, "infinite"),
        ("carrier", "", "empty"),
        ("remarks", " \n", "empty"),
        ("distance", -999, "sentinel"),
        ("night", math.nan, "nan"),
    ],
)
def test_missing_kinds(carded: Captured, name: str, value: object, kind: str) -> None:
    """Each way of being missing has its name, and none of them leaves a value in a typed map."""
    ml = ml_of(carded, {**ROW, name: value})
    assert ml["missing"] == {kind: [name]}
    assert not any(name in values for target, values in ml["inputs"].items() if target != "other")


def test_absent(carded: Captured) -> None:
    """A key that wasn't sent is absent, which isn't null."""
    ml = ml_of(carded, {name: value for name, value in ROW.items() if name != "carrier"})
    assert ml["missing"] == {"absent": ["carrier"]}


@pytest.mark.parametrize(
    ("name", "value", "target", "written"),
    [
        ("distance", "2.5", "keyword", "2.5"),
        ("distance", True, "boolean", True),
        ("carrier", 5, "keyword", "5"),
        ("carrier", 5.0, "keyword", "5"),
        ("carrier", True, "keyword", "true"),
        ("carrier", ["UA"], "other", ["UA"]),
        ("hour", 7.0, "keyword", "7"),
        ("night", 1, "boolean", True),
        ("night", 0.0, "boolean", False),
        ("night", np.bool_(True), "boolean", True),
        ("night", "yes", "keyword", "yes"),
        ("night", 2, "number", 2),
        ("remarks", 5, "number", 5),
        ("distance", 2**64, "number", float(2**64)),
        ("surprise", "x", "other", "x"),
    ],
)
def test_types_are_decided_here(carded: Captured, name: str, value: Any, target: str, written: Any) -> None:
    """A value that fits the card goes to the card's map, any other where its own type belongs."""
    ml = ml_of(carded, {**ROW, name: value})
    assert ml["inputs"][target][name] == written
    assert sum(name in values for values in ml["inputs"].values()) == 1


def test_violations(carded: Captured) -> None:
    """Range, category and type violations, and inputs that the card doesn't know, each by name."""
    ml = ml_of(carded, {**ROW, "distance": 9e9, "carrier": "ZZ", "night": "x" * 3, "new": 1})
    assert ml["violations"] == {
        "range": ["distance"],
        "category": ["carrier", "night"],
        "unexpected": ["new"],
    }


def test_one_for_a_boolean_is_no_violation(carded: Captured) -> None:
    """0 and 1 are booleans where training had booleans."""
    assert "violations" not in ml_of(carded, {**ROW, "night": 1})


def test_without_a_card(captured: Captured) -> None:
    """Types speak for themselves; what is missing is still told apart."""
    inputs = {"n": 1.5, "i": 3, "k": "UA", "b": False, "null": None, "nan": math.nan, "v": [1], "empty": ""}
    ml = ml_of(captured, inputs)
    assert ml["inputs"] == {
        "number": {"n": 1.5, "i": 3},
        "keyword": {"k": "UA"},
        "boolean": {"b": False},
        "other": {"v": [1]},
    }
    assert ml["missing"] == {"null": ["null"], "nan": ["nan"], "empty": ["empty"]}
    assert "card" not in ml
    assert "bins" not in ml


def test_long_texts_need_a_policy(captured: Captured, card: ModelCard) -> None:
    """Without a card a long text leaves length and hash; with one it passes unless the policy drops it."""
    text = "late gate " * 50
    ml = ml_of(captured, {"remarks": text})
    assert ml["inputs"]["other"]["remarks"]["length"] == 500
    assert ml["truncated"] == ["remarks"]
    dropping = ModelCard(model="model", version="1", ruler=card.ruler, policy={"texts": "drop"})
    with capture_events(card=dropping) as drop:
        ml = ml_of(drop, {**ROW, "remarks": text})
    assert "text" not in ml["inputs"]
    assert ml["text"] == {"remarks": {"tokens": 100, "unseen": 0}}


def test_names_have_a_bound(captured: Captured) -> None:
    """Without a card 300 names get fields of their own; a hostile event can't use up the index."""
    ml = ml_of(captured, {f"n{k}": k for k in range(400)})
    assert len(ml["inputs"]["number"]) == 300
    assert len(ml["inputs"]["other"]) == 100


@pytest.mark.parametrize("name", ["", "  ", "x" * 1000, 5])
def test_unusable_names_are_replaced_and_marked(captured: Captured, name: Any) -> None:
    """A name that Elasticsearch would refuse is changed, and the event says so."""
    ml = ml_of(captured, {name: 1.0})
    (written,) = ml["inputs"]["number"]
    assert ml["replaced"] == [written]
    assert written.strip()


def test_lone_surrogates_are_replaced_and_marked(captured: Captured) -> None:
    """Half of a character can't be written; the rest of the event can."""
    ml = ml_of(captured, {"a": "x\ud800", "b": "fine"}, "label\udfff")
    assert ml["inputs"]["keyword"] == {"a": "x?", "b": "fine"}
    assert ml["outputs"]["label"] == "label?"
    assert ml["replaced"] == ["@label", "a"]


def test_events_have_a_bound(carded: Captured) -> None:
    """An event of megabytes keeps what was measured and says what it lost."""
    ml = ml_of(carded, {**ROW, **{f"x{k}": "y" * 8000 for k in range(300)}})
    assert ml["inputs"] == {}
    assert ml["truncated"] == ["inputs"]
    assert ml["bins"] == ["distance:1"]


@pytest.mark.parametrize(
    ("output", "written"),
    [
        (0.3, {"value": 0.3, "score": 0.3}),
        (1, {"value": 1.0, "score": 1.0}),
        (np.float32(0.5), {"value": 0.5, "score": 0.5}),
        (np.array([0.5]), {"value": 0.5, "score": 0.5}),
        (7, {"value": 7.0}),
        (-0.1, {"value": -0.1}),
        ("late", {"label": "late"}),
        (True, {"label": "true"}),
        ({"label": np.int64(1), "score": 0.5}, {"label": "1", "score": 0.5}),
        ({"value": 3, "unit": "min"}, {"value": 3.0, "other": {"unit": "min"}}),
        ({"scores": {"a": 0.5}, "top_k": ["a", 2]}, {"scores": {"a": 0.5}, "top_k": ["a", "2"]}),
        ({"scores": [0.5]}, {"scores": {"all": [0.5]}}),
        ({"label": {"a": 1}}, {"other": {"label": {"a": 1}}}),
        ({"label": "nan"}, {"label": "nan"}),
        ({"label": None, "score": 0.5}, {"score": 0.5}),
        ({"top_k": "a"}, {"top_k": ["a"]}),
        ({"top_k": 5}, {"top_k": ["5"]}),
        ({"top_k": True}, {"top_k": ["true"]}),
        ({"top_k": b"x"}, {"top_k": ["eA=="]}),
        ({"top_k": ("a", 2)}, {"top_k": ["a", "2"]}),
        ({"top_k": []}, {"top_k": []}),
        ({"top_k": {"a": 1}}, {"other": {"top_k": {"a": 1}}}),
        ({"top_k": [{"label": "a", "score": 0.5}]}, {"other": {"top_k": [{"label": "a", "score": 0.5}]}}),
        ([1, 2], {"other": {"output": [1, 2]}}),
    ],
)
def test_output_forms(captured: Captured, output: object, written: dict[str, Any]) -> None:
    """A number, a label, a mapping, a numpy scalar or anything else."""
    assert ml_of(captured, {}, output)["outputs"] == written


def test_no_output(captured: Captured) -> None:
    """None is no output; NaN is one that can't be written, which is marked."""
    assert "outputs" not in ml_of(captured, {})
    ml = ml_of(captured, {}, {"score": math.nan})
    assert "outputs" not in ml
    assert ml["replaced"] == ["@score"]


@pytest.mark.parametrize(
    ("output", "outputs", "replaced"),
    [
        ({"label": math.nan, "score": 0.5}, {"score": 0.5}, ["@label"]),
        ({"label": -math.inf}, None, ["@label"]),
        ({"label": "a\ud800"}, {"label": "a?"}, ["@label"]),
        ({"scores": math.nan}, None, ["@scores"]),
        ({"top_k": math.inf}, None, ["@top_k"]),
        ({"top_k": [None]}, None, ["@top_k"]),
        ({"top_k": ["a", None, "b"]}, {"top_k": ["a", "b"]}, ["@top_k"]),
        ({"top_k": [math.nan, "a"]}, {"top_k": ["a"]}, ["@output", "@top_k"]),
        ({"top_k": ["a\ud800"]}, {"top_k": ["a?"]}, ["@top_k"]),
        ({"label": "a", "explanation": "b"}, {"label": "a"}, ["@explanation"]),
        ({"explanation": True}, None, ["@explanation"]),
        ({"explanation": math.nan}, None, ["@explanation"]),
        ({"explanation": 5}, None, ["@output"]),
    ],
)
def test_what_cannot_be_written_of_an_output_is_marked(
    captured: Captured, output: Any, outputs: dict[str, Any] | None, replaced: list[str]
) -> None:
    """By its part: NaN is no class, and what isn't there isn't gone in silence. A batch says the same."""
    ml = ml_of(captured, {"x": 1}, output)
    assert ml.get("outputs") == outputs
    assert sorted(ml["replaced"]) == replaced
    captured.log.batch({"x": [1, 1]}, [output, output])
    captured.log.batch({"x": [1, 1]}, {name: [part, part] for name, part in output.items()})
    for event in captured.predictions()[1:]:
        assert event["ml"].get("outputs") == outputs
        assert sorted(event["ml"]["replaced"]) == replaced


def test_a_label_that_is_no_class(captured: Captured) -> None:
    """A prediction, a row of a frame and a truth agree: None is absent, NaN is marked and no class is called so."""
    labels = ["late", None, math.nan, math.inf, "nan"]
    for label in labels:
        captured.log.prediction({}, {"label": label})
        captured.log.label("p", label)
    captured.log.batch({"x": range(5)}, {"label": labels})
    captured.log.batch({"x": range(5)}, {"label": np.array(labels, dtype=object)})
    predicted = [event["ml"] for event in captured.predictions()]
    told = [(ml.get("outputs", {}).get("label"), ml.get("replaced")) for ml in predicted]
    truths = [(e["ml"].get("label", {}).get("value"), e["ml"].get("replaced")) for e in captured.events("label")]
    expected = [("late", None), (None, None), (None, ["@label"]), (None, ["@label"]), ("nan", None)]
    assert [told[k : k + 5] for k in (0, 5, 10)] == [expected] * 3
    assert truths == expected
    captured.log.batch({"x": [1, 2]}, {"label": np.array([1.0, math.nan])})
    first, second = (event["ml"] for event in captured.predictions()[-2:])
    assert first["outputs"] == {"label": "1"}
    assert "outputs" not in second
    assert second["replaced"] == ["@label"]


def test_a_regression_has_values(card: ModelCard) -> None:
    """For a regression a number in [0, 1] is a value like any other."""
    regression = ModelCard(model="model", version="1", ruler=card.ruler, task="regression")
    with capture_events(card=regression) as captured:
        assert ml_of(captured, ROW, 0.3)["outputs"] == {"value": 0.3}


def test_explanations_keep_the_greatest(captured: Captured) -> None:
    """Ten attributions, greatest first; their names can be searched."""
    ml = ml_of(captured, {}, {"score": 0.5, "explanation": {f"f{k:02}": k - 6.5 for k in range(20)}})
    assert ml["explanation"]["features"][:2] == ["f19", "f18"]
    assert ml["explanation"]["values"]["f19"] == 12.5
    assert len(ml["explanation"]["features"]) == 10


SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text("ab", max_size=3)
ROWS = st.dictionaries(st.sampled_from(["distance", "carrier", "night", "new"]), SCALARS, min_size=1)
CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "other values": lambda row: row.update(dict.fromkeys(row, "changed")),
    "another name": lambda row: row.update(changed="changed"),
    "one name less": lambda row: row.popitem(),
    "none left": lambda row: row.clear(),
    "a list for a value": lambda row: row.update({name: ["changed"] for name in row}),
}


def in_a_block(log: ModelLogger, row: dict[str, Any], output: Any) -> None:
    with log.request(row) as request:
        request.output = output


DOORS: dict[str, Callable[[ModelLogger, dict[str, Any], Any], object]] = {
    "prediction": lambda log, row, output: log.prediction(row, output),
    "labels": lambda log, row, output: log.prediction({"x": 1.0}, output, labels=row),
    "hand_over": lambda log, row, output: log.hand_over(row, output, "p1", "predicted"),
    "snapshot": lambda log, row, output: log.prediction(log.snapshot(row), output),
    "request": in_a_block,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("door", DOORS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=ROWS, label=st.sampled_from(["late", "on time"]), score=st.floats(0, 1))
def test_what_the_caller_changes_afterwards_is_not_logged(
    slow: Captured, door: str, change: str, row: dict[str, Any], label: str, score: float
) -> None:
    """A dict of scalars, which most inputs are: it is the caller's own again as soon as the call has returned."""
    output = {"label": label, "score": score}
    DOORS[door](slow.log, {**row}, {**output})
    DOORS[door](slow.log, row, output)
    CHANGES[change](row)
    CHANGES[change](output)
    before, after = slow.predictions()[-2:]
    for event in (before, after):
        del event["@timestamp"], event["event"]["id"], event["ml"]["sequence"]
        event["event"].pop("duration", None)
    assert b"changed" not in slow.lines[-1]
    assert before == after


class Meddling:
    """Changes the row that it stands in when it is looked at."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row

    def __repr__(self) -> str:
        self.row.clear()
        self.row.update(changed="changed", more="changed")
        return "meddling"


def test_what_is_changed_while_it_is_read_is_not_logged(captured: Captured) -> None:
    """By a value's own code, or by another thread at that moment: the copy was taken before."""
    for take in (lambda row: row, captured.log.snapshot):
        row: dict[str, Any] = {"a": 1.0}
        row |= {"b": Meddling(row), "c": 2.0}
        ml = ml_of(captured, take(row), dict(row))
        assert ml["inputs"] == {"number": {"a": 1.0, "c": 2.0}, "keyword": {"b": "meddling"}}
        assert row == {"changed": "changed", "more": "changed"}
    assert captured.log.status().rejected == 0


def paths(value: Any, prefix: str = "") -> set[str]:
    if isinstance(value, dict) and value:
        return {path for key, item in value.items() for path in paths(item, f"{prefix}{key}.")}
    return {prefix[:-1]}


def test_every_field_is_in_the_table(carded: Captured) -> None:
    """No event has a field that the table doesn't have: it could not be searched."""
    log = carded.log
    try:
        raise ValueError("bad")  # noqa: TRY301
    except ValueError as problem:
        error = problem
    log.prediction(
        {**ROW, "distance": "far", "new": 1, "hour": None, "remarks": "x" * 9000},
        {
            "label": "late",
            "score": 0.5,
            "value": 1,
            "scores": {"a": 1},
            "top_k": ["a"],
            "explanation": {"a": 1},
            "z": 1,
        },
        "id",
        trace_id="t",
        latency=1.0,
        labels={"tenant": "x"},
        error=error,
        outcome="failure",
        message="m",
    )
    log.label("id", 1, annotator="a")
    log.kpi("revenue", 1.5, "id", "EUR")
    log.cost("tokens", 5)
    log.step("join", 10, 9, duration=0.5)
    known = {field.name for field in EVENT}
    wild = {name.removesuffix("*") for name in known if name.endswith("*")}
    objects = {field.name + "." for field in EVENT if field.type in {"object", "flattened"}}
    for event in carded.events():
        for path in paths(event):
            assert path in known or any(path.startswith(prefix) for prefix in wild | objects), path


def no_constants(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def test_lines_are_strict_json(captured: Captured) -> None:
    """NaN never reaches the wire, however deep it lies."""
    captured.log.prediction({"a": {"b": [math.nan, math.inf]}}, {"x": math.nan}, labels={"c": math.nan})
    for line in captured.lines:
        json.loads(line, parse_constant=no_constants)
