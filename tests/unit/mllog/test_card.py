from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mllog import CardError, ModelCard, ModelLogger
from mllog.bloom import Bloom
from mllog.confidence import MARGIN, UNUSABLE
from mllog.privacy.columns import protect_frame
from mllog.ruler import LABEL, LATENCY, SCORE, VALUE, Feature, Ruler
from mllog.testing import capture_events

ROWS: dict[str, list[Any]] = {
    "n": [0.0, 1.0, 2.5, None, -3.0, 0.0] * 20,
    "k": [1, 2, 3, 4, 5, 6] * 20,
    "c": ["UA", "AA", None, "UA", "it's", 'é:"'] * 20,
    "b": [True, False, None, True, True, False] * 20,
    "t": ["late at gate", "on time", "", None, "Late 12", "late"] * 20,
    "late": [0, 1, 1, 0, 0, 1] * 20,
}


def frames() -> list[Any]:
    """The same rows as every kind of frame."""
    return [pd.DataFrame(ROWS), pl.DataFrame(ROWS), pa.table(ROWS), ROWS, pd.DataFrame(ROWS).convert_dtypes()]


def make(frame: Any = ROWS, **options: Any) -> ModelCard:
    """A card of these rows."""
    return ModelCard.from_frame(frame, "model", "1", **{"target": "late", "text": ["t"], "segments": ["c"], **options})


@pytest.mark.parametrize("k", range(5), ids=["pandas", "polars", "pyarrow", "dict", "pandas-nullable"])
def test_every_frame_gives_the_same_card(k: int) -> None:
    """pandas, polars, pyarrow and plain columns of the same rows give the same card."""
    want, have = make().to_dict(), make(frames()[k]).to_dict()
    if k == 0:  # a gap in a column of floats is NaN in pandas and null elsewhere
        assert have["ruler"] == want["ruler"]
        assert have["training"].keys() == want["training"].keys()
    else:
        assert have == want


def test_save_and_load(tmp_path: Path) -> None:
    """A card comes back equal from its file, bounds of 0.0 and odd characters included, and leaves nothing beside it."""
    frame = {**ROWS, "zero": [0.0] * 120, "none": [None] * 120, "big": [1e308, -1e308] * 60, "ü\n": ["\u2028", "x"] * 60}
    card = make(frame, predictions=[0.5] * 120)
    path = tmp_path / "deep" / "card.json"
    card.save(path)
    card.save(path)
    assert ModelCard.load(path) == card
    assert ModelCard.load(str(path)).ruler.hash == card.ruler.hash
    zero = card.ruler.by_name["zero"]
    assert (zero.low, zero.high, zero.edges[0]) == (0.0, 0.0, 0.0)
    assert [p.name for p in path.parent.iterdir()] == ["card.json"]
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_training_counts(tmp_path: Path) -> None:
    """Training is counted on the ruler; with times by their strata, without in one."""
    card = make()
    assert card.training["*"]["", "n", ""] == 120
    assert card.training["*"]["n", "missing", "null"] == 20
    assert card.training["*"]["c", "category", "UA"] == 40
    hours = pd.date_range("2026-03-02", periods=120, freq="h", tz="UTC")
    timed = make({**ROWS, "at": list(hours)}, time="at", time_zone="Europe/Berlin")
    assert sum(cells["", "n", ""] for cells in timed.training.values()) == 120
    assert set(timed.training) == {f"d{h:02d}" for h in range(24)}  | {"e00"}
    assert "at" not in timed.ruler.by_name


def test_more_values_than_are_listed_are_known_by_a_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bounds nothing is dropped: what training had is known, what it hadn't is unseen, by every road."""
    monkeypatch.setattr("mllog.laying.KNOWN_LIMIT", 99)
    monkeypatch.setattr("mllog.laying.VOCABULARY_LIMIT", 99)
    planes = [f"N{k:03}" for k in range(300)]
    frame = {"plane": planes * 3, "t": [f"late {name}x{k % 7}x" for k, name in enumerate(planes)] * 3}
    made = ModelCard.from_frame(frame, "m", "1", text=["t"], tokenizers={"t": "whitespace"})
    made.save(tmp_path / "card.json")
    card = ModelCard.load(tmp_path / "card.json")
    assert card.ruler == made.ruler
    assert card.ruler.hash == made.ruler.hash
    plane, text = card.ruler.by_name["plane"], card.ruler.by_name["t"]
    assert (type(plane.known), len(plane.known), plane.open, plane.listed) == (Bloom, 300, False, frozenset())
    assert (type(text.vocabulary), len(text.vocabulary)) == (Bloom, 301)
    rows = [{"plane": name, "t": f"late {name}"} for name in [*planes[:20], *(f"D{k}" for k in range(200))]]
    with capture_events("m", card=card) as captured:
        for row in rows:
            captured.log.prediction(row)
        captured.log.batch({name: [row[name] for row in rows] for name in ("plane", "t")})
        events = captured.events("prediction")
    for event, row in zip(events, [*rows, *rows], strict=True):
        measured = card.ruler.measure(row)
        assert event["ml"].get("violations", {}) == measured.violations
        assert event["ml"]["text"]["t"] == {"tokens": 2, "unseen": measured.texts["t"][1]}
    unseen = [bool(card.ruler.measure(row).violations) for row in rows]
    assert not any(unseen[:20])
    assert sum(unseen[20:]) >= 190
    assert made.training["*"]["plane", "other", ""] > 0
    assert ("plane", "violation", "category") not in made.training["*"]
    again = ModelCard.from_frame(frame, "m", "2", text=["t"], previous=card)
    assert again.ruler.hash == card.ruler.hash
    redacted = ModelCard.from_frame(frame, "m", "1", text=["t"], policy={"features": {"t": "redact"}})
    assert isinstance(redacted.ruler.by_name["t"].vocabulary, frozenset)
    monkeypatch.setattr("mllog.laying.FILTER_LIMIT", 200)
    assert ModelCard.from_frame(frame, "m", "1").ruler.by_name["plane"].open
    monkeypatch.undo()
    patterns = ModelCard.from_frame(frame, "m", "3", text=["t"], previous=card, policy={"texts": "keep", "patterns": ["email"]})
    assert isinstance(patterns.ruler.by_name["plane"].known, frozenset)  # a filter can't be searched by new patterns


def test_what_a_filter_takes_for_known_is_scrubbed_all_the_same() -> None:
    """It may be one of the strings that training never had: patterns look at it, in events and in frames."""
    mail = "jo@example.org"
    known = Feature("c", "category", known=Bloom.of([mail]))
    card = ModelCard("m", "1", Ruler((known,)), policy={"texts": "keep", "patterns": ["email"]})
    assert mail in known.known
    with capture_events("m", card=card) as captured:
        captured.log.prediction({"c": mail})
        captured.log.batch({"c": [mail]})
        for event in captured.events("prediction"):
            assert event["ml"]["inputs"] == {"keyword": {"c": "<email>"}}
            assert event["ml"]["violations"] == {"category": ["c"]}
    assert protect_frame(card, {"c": [mail]}) == {"c": ["<email>"]}


SHAPE = ["@length:t", "@script:t", "@marks:t"]


def test_what_the_target_says() -> None:
    """Few whole numbers or words are classes with scores and labels; other numbers a regression with values."""
    assert make().task == "classification"
    assert [f.name for f in make().ruler.features if not f.is_input] == [SCORE, LABEL, MARGIN, UNUSABLE, *SHAPE, LATENCY]
    gaps = make({**ROWS, "late": [0.0, 1.0, None] * 40})
    assert gaps.ruler.by_name[LABEL].known == {"0", "1"}
    words = make({**ROWS, "late": ["a", "b"] * 60})
    assert words.ruler.by_name[LABEL].categories == ("a", "b")
    regression = make({**ROWS, "late": [k + 0.5 for k in range(119)] + [float("nan")]})
    assert regression.task == "regression"
    assert regression.ruler.by_name[VALUE].high == 118.5
    assert {SCORE, MARGIN}.isdisjoint(regression.ruler.by_name)
    assert UNUSABLE in regression.ruler.by_name
    nans = make({**ROWS, "late": [k + 0.5 for k in range(120)]}, predictions=[float("nan")] * 60 + [7.0] * 60)
    assert (nans.ruler.by_name[VALUE].low, nans.ruler.by_name[VALUE].high) == (7.0, 7.0)
    dates = make({**ROWS, "late": list(pd.date_range("2026-01-01", periods=120))})
    assert dates.task == "classification"
    assert make(target=None).task is None


def test_output_columns_are_no_features() -> None:
    """Columns called @score, @label and @latency are outputs, as watchers.profile takes them."""
    frame = {**ROWS, SCORE: [0.5] * 120, LATENCY: [0.01] * 120, LABEL: ["1"] * 120}
    card = make(frame)
    assert [f.name for f in card.ruler.inputs] == ["n", "k", "c", "b", "t"]
    assert card.training["*"][SCORE, "bin", "10"] == 120
    assert card.training["*"][LABEL, "category", "1"] == 120
    assert sum(c for (name, _, _), c in card.training["*"].items() if name == LATENCY) == 120
    assert card.training["*"][MARGIN, "bin", "0"] == 120  # of two classes with a score of 0.5
    scores = make({**ROWS, "@scores": [{"a": 0.75, "b": 0.25, "c": 0.0}, [0.5, 0.25], None] * 40})
    assert {k[2]: c for k, c in scores.training["*"].items() if k[0] == MARGIN} == {"11": 40, "6": 40}
    assert make(ROWS, predictions=[0.5] * 120).training["*"][SCORE, "bin", "10"] == 120


@pytest.mark.parametrize(
    ("options", "field"),
    [({"target": "x"}, "target"), ({"text": ["x"]}, "text"), ({"segments": ["x"]}, "segments"), ({"time": "x"}, "time"),
     ({"predictions": "x"}, "predictions"), ({"segments": ["k"]}, "segments"), ({"segments": ["late"]}, "segments"),
     ({"segments": ["t"]}, "segments"), ({"time_zone": "Mars/Base"}, "time_zone"), ({"time_zone": "../etc"}, "time_zone"),
     ({"time": "late"}, "time"), ({"text": "x"}, "text")],
    ids=str,
)  # fmt: skip
def test_wrong_names_are_told(options: dict[str, Any], field: str) -> None:
    """A column that isn't there, or can't be what it is named as, is an error that says which argument is wrong."""
    with pytest.raises(CardError, match=field) as caught:
        make(**options)
    assert caught.value.field == field


def test_a_single_name_is_a_list_of_one() -> None:
    """text="t" means the column t, not the letters of its name."""
    assert make(text="t", segments="c") == make()


@pytest.mark.parametrize(
    ("frame", "message"),
    [({}, "no rows"), ({"late": []}, "no rows"), (pd.DataFrame({"late": []}), "no rows"), (pl.DataFrame({"late": []}), "no rows"), (5, "int"), ("x", "str"),
     ([1], "list"), (pl.LazyFrame({"late": [1]}), "LazyFrame"), ({"a": [1, 2], "late": [1]}, "one length"),
     (pd.DataFrame([[1, 2]], columns=["late", "late"]), "same name|called"), (pd.DataFrame([[1, 2]], columns=["1", 1]), "same name|called"),
     ({"@mine": [1], "late": [1]}, "@mine"), ({"bad\ud800": [1], "late": [1]}, "UTF-8")],
    ids=lambda v: v if isinstance(v, str) else "",
)  # fmt: skip
def test_unusable_frames_are_told(frame: Any, message: str) -> None:
    """What is no frame, has no rows or has names that can't be told apart is an error that says so."""
    with pytest.raises(CardError, match=message):
        ModelCard.from_frame(frame, "model", "1", target="late")


@pytest.mark.parametrize("bad", [None, "yesterday", float("nan"), True, 1e18, [1], "2026-13-01"], ids=str)
def test_bad_times_are_told_by_row(bad: Any) -> None:
    """A value that is no time is named with its column and row."""
    with pytest.raises(CardError, match=r"column 'at', row 3: .*give datetimes"):
        make({**ROWS, "at": ["2026-01-01T00:00:00"] * 3 + [bad] + [0] * 116}, time="at")


@pytest.mark.parametrize(
    ("predictions", "message"),
    [([0.5], "1 values for 120 rows"), (["a"] * 120, "numbers"), ([None] * 120, "numbers")],
)
def test_bad_predictions_are_told(predictions: Any, message: str) -> None:
    """Predictions are one number a row."""
    with pytest.raises(CardError, match=message):
        make(predictions=predictions)


def test_previous_keeps_the_ruler() -> None:
    """A retrain on like data keeps the ruler, whatever the order of columns, rows and classes."""
    first = make()
    again = {name: values[::-1] for name, values in reversed(ROWS.items())}
    second = make({**again, "n": [1.0, 0.5] * 60, "late": [1, 1, 0] * 40}, previous=first)
    assert second.ruler.hash == first.ruler.hash
    assert second.training != first.training
    gone = make({**ROWS, "b": [None] * 120}, previous=first)
    assert gone.ruler.hash == first.ruler.hash


@pytest.mark.parametrize(
    "change",
    [{"n": [1e6] * 120}, {"c": ["NEW"] * 120}, {"t": ["words that nobody ever used"] * 120}, {"k": ["a"] * 120}, {"extra": [1] * 120}],
    ids=str,
)
def test_previous_lays_anew_what_does_not_fit(change: dict[str, list[Any]]) -> None:
    """A feature that left its ruler gets a new one, the others keep theirs."""
    first = make()
    second = make({**ROWS, **change}, previous=first)
    (name,) = change
    assert second.ruler.hash != first.ruler.hash
    assert second.ruler.by_name[name] != first.ruler.by_name.get(name)
    assert all(second.ruler.by_name[f.name] == f for f in first.ruler.features if f.name != name)


def test_previous_hands_on_time_zone_and_policy() -> None:
    """What somebody decided once holds until somebody decides otherwise."""
    first = make(time_zone="Europe/Berlin")
    first.policy["texts"] = "drop"
    second = make(previous=first)
    assert (second.ruler.time_zone, second.policy) == ("Europe/Berlin", {"texts": "drop"})


def broken(**changes: Any) -> dict[str, Any]:
    """A card's dict with fields replaced; None takes one out."""
    data = json.loads(json.dumps({**make().to_dict(), **changes}))
    return {name: value for name, value in data.items() if value is not None or name in {"task", "created"}}


@pytest.mark.parametrize(
    ("data", "field"),
    [(broken(ruler=None), "ruler"), (broken(schema=2), "schema"), (broken(schema=None), "schema"), (broken(model=None), "model"),
     (broken(model=5), "model"), (broken(version=None), "version"), (broken(ruler={"features": 5}), "ruler"), (broken(ruler=[]), "ruler"),
     (broken(ruler={"features": [{"name": "a"}]}), "ruler"), (broken(training={"*": {"i": [99999], "c": [1]}}), "training"),
     (broken(training={"*": {"i": [-1], "c": [1]}}), "training"), (broken(training={"*": {"i": [1], "c": []}}), "training"),
     (broken(training=[1]), "training"), (broken(training={"*": 5}), "training"), (broken(policy=5), "policy"),
     (broken(ruler={"features": []}), "ruler_hash"), ([], "ruler"), ("x", "ruler")],
)  # fmt: skip
def test_broken_cards_are_told(tmp_path: Path, data: Any, field: str) -> None:
    """A broken, edited or later card is an error that names file, field and remedy."""
    path = tmp_path / "card.json"
    path.write_text(json.dumps(data))
    with pytest.raises(CardError, match=field) as caught:
        ModelCard.load(path)
    assert caught.value.field == field
    assert str(path) in str(caught.value)
    assert "from_frame" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"{", b"[" * 100_000], ids=["empty", "pickle", "cut", "deep"])
def test_what_is_no_json_is_told(tmp_path: Path, content: bytes) -> None:
    """A model artefact, an empty or a cut file is no card, and the error says what to give."""
    path = tmp_path / "card.json"
    path.write_bytes(content)
    with pytest.raises(CardError, match=r"not JSON.*Give the file"):
        ModelCard.load(path)


def test_a_card_that_is_not_there(tmp_path: Path) -> None:
    """A missing file or a folder is told with its name."""
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(CardError, match="can't be read") as caught:
            ModelCard.load(path)
        assert str(path) in str(caught.value)


def test_the_card_of_another_model(tmp_path: Path) -> None:
    """A logger refuses another model's card and says whose it is."""
    make().save(tmp_path / "card.json")
    with pytest.raises(CardError, match=r"'model'.*'other'"):
        ModelLogger("other", version="1", card=tmp_path / "card.json", sink=tmp_path)


def test_a_failed_save_leaves_the_old_card(tmp_path: Path) -> None:
    """Where a card can't be written, the one that was there stays, and nothing half stands beside it."""
    path = tmp_path / "card.json"
    make().save(path)
    card = make()
    card.policy["odd"] = object()
    with pytest.raises(TypeError):
        card.save(path)
    assert ModelCard.load(path) == make()
    assert len(list(tmp_path.iterdir())) == 1


def test_answers_on_the_training_data_are_counted_beside_it() -> None:
    """Columns of the model's answers are no features; a class that it answered is known though no truth has it."""
    answers = ["late"] * 70 + ["on time"] * 49 + ["diverted"]
    card = make({**ROWS, "late": ["late", "on time"] * 60, "@label": answers, "@latency": [0.02] * 120})
    assert {cell: count for cell, count in card.totals.items() if cell[0] == LABEL} == {
        (LABEL, "category", "late"): 70, (LABEL, "category", "on time"): 49, (LABEL, "category", "diverted"): 1,
    }  # fmt: skip
    assert sum(count for cell, count in card.totals.items() if cell[0] == LATENCY) == 120
    assert not {LABEL, LATENCY} & {feature.name for feature in card.ruler.inputs}
