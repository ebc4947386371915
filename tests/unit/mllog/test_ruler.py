from __future__ import annotations

import datetime as dt
import json
import math
from bisect import bisect_right
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllog.confidence import MARGIN, MARGIN_EDGES, UNUSABLE
from mllog.ruler import (
    COMPARED,
    LABEL,
    LATENCY,
    LATENCY_EDGES,
    REPEATED,
    SCORE,
    SCORE_EDGES,
    UNEXPECTED_PER_EVENT,
    UNSEEN_TOKENS_PER_EVENT,
    Feature,
    Pair,
    Ruler,
    category_key,
    missing_kind,
)
from mllog.tokenizers import words

GOLDEN = "41661d51a627e628"

finite = st.floats(allow_nan=False, allow_infinity=False)


def number(edges: tuple[float, ...], **more: Any) -> Ruler:
    """A ruler of one number."""
    return Ruler((Feature("x", "number", edges=edges, **more),))


def category(*known: str, **more: Any) -> Ruler:
    """A ruler of one category."""
    return Ruler((Feature("x", "category", categories=known, known=frozenset(known), **more),))


@settings(deadline=None)
@given(st.lists(finite, min_size=1, max_size=20, unique=True).map(sorted), st.data())
def test_bins_are_closed_below_and_open_above(edges: list[float], data: st.DataObject) -> None:
    """Bin k holds e_k <= x < e_k+1, as numpy's searchsorted and the definition in words say."""
    x = data.draw(st.one_of(finite, st.sampled_from(edges), st.sampled_from(edges).map(lambda e: math.nextafter(e, -math.inf))))
    if not math.isfinite(x):
        return
    found = int(number(tuple(edges)).measure({"x": x}).bins[0].rpartition(":")[2])
    assert found == bisect_right(edges, x) == np.searchsorted(edges, x, side="right") == sum(edge <= x for edge in edges)


def test_an_edge_belongs_to_the_bin_above() -> None:
    """A value on an edge begins the next bin, an integer or a float alike, and the ends are open."""
    ruler = number((0.0, 1.0))
    assert [ruler.measure({"x": x}).bins[0] for x in (-1e300, -0.0, 0, 1 - 1e-16, 1, 1.0, 1e300)] == [
        "x:0", "x:1", "x:1", "x:1", "x:2", "x:2", "x:2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "key"),
    [(5, "5"), (5.0, "5"), ("5", "5"), ("5.0", "5.0"), (5.5, "5.5"), (-0.0, "0"), (True, "true"), (False, "false"), ("true", "true"),
     (1, "1"), (1e22, str(10**22)), (2**70, str(2**70)), ("é", "é"), ("a\ud800", "a?"), (" x", " x"), (math.nan, "nan")],
)  # fmt: skip
def test_categories_are_counted_under_one_name(value: object, key: str) -> None:
    """Integers, whole floats and their text are one category; booleans are words; nothing else is folded."""
    assert category_key(value) == key


def test_five_is_five() -> None:
    """A category that training had as 5 is known as 5.0 and as "5", and unknown as "5.0"."""
    ruler = category("5")
    assert [bool(ruler.measure({"x": x}).violations) for x in (5, 5.0, "5", "5.0", True)] == [False, False, False, True, True]


def test_zero_and_one_are_booleans() -> None:
    """Where training had booleans, 0 and 1 are false and true, in the ruler as in the logger; 2 is not."""
    feature = Feature("x", "boolean", categories=("false", "true"), known=frozenset({"false", "true"}))
    assert [feature.key(x) for x in (True, 1, 1.0, False, 0, 0.0, "true", 2)] == ["true"] * 3 + ["false"] * 3 + ["true", "2"]
    assert [bool(Ruler((feature,)).measure({"x": x}).violations) for x in (1, 0.0, "true", 2, "yes")] == [False] * 3 + [True] * 2


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (math.nan, "nan"), (math.inf, "infinite"), (-math.inf, "infinite"), (10**400, "infinite"), ("", "empty"),
     ("\t ", "empty"), (-999, "sentinel"), (-999.0, "sentinel"), ("-999", "sentinel")],
)  # fmt: skip
def test_ways_of_missing(value: object, kind: str) -> None:
    """Each way of not being there has its own name, and is neither binned nor a violation."""
    measured = number((0.0,), low=0.0, high=1.0, sentinels=frozenset({"-999"})).measure({"x": value})
    assert (measured.missing, measured.bins, measured.violations) == ({kind: ["x"]}, [], {})


def test_zero_and_false_are_not_missing() -> None:
    """What is false is there."""
    assert [missing_kind(Feature("x", "number"), x) for x in (0, 0.0, False, "0", [])] == [None] * 5


@pytest.mark.parametrize(
    ("kind", "value"),
    [("number", "5"), ("number", True), ("number", [1]), ("category", [1]), ("category", {"a": 1}), ("boolean", []), ("text", 5),
     ("text", True)],
)  # fmt: skip
def test_types(kind: Any, value: object) -> None:
    """A value of another type is a violation of type and counts nowhere else."""
    measured = Ruler((Feature("x", kind, edges=(0.0,) if kind == "number" else ()),)).measure({"x": value})
    assert (measured.violations, measured.bins, measured.texts, measured.missing) == ({"type": ["x"]}, [], {}, {})


def test_range_bounds_are_inside() -> None:
    """The least and the greatest value of training are no violation, the next ones beyond are; 0.0 is a bound like any."""
    ruler = number((0.0,), low=0.0, high=1.0)
    out = [bool(ruler.measure({"x": x}).violations) for x in (0, 1, math.nextafter(0, -1), math.nextafter(1, 2))]
    assert out == [False, False, True, True]


def test_an_open_category_has_nothing_unseen() -> None:
    """Identifiers are new every day."""
    assert not category(open=True).measure({"x": "new"}).violations


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("Late, at GATE 12!", ["late", "at", "gate", "0"]), ("l’été don't e-mail", ["l’été", "don't", "e-mail"]), ("A1b22c", ["a0b0c"]),
     ("", []), ("_ - '", []), ("日本語 テスト", ["日本語", "テスト"]), ("a_b", ["a", "b"])],
)  # fmt: skip
def test_tokens(text: str, tokens: list[str]) -> None:
    """Words in lower case, digits folded, apostrophes and hyphens inside kept."""
    assert words(text) == tokens


def test_texts_are_counted_and_unseen_tokens_named_up_to_a_limit() -> None:
    """All unseen tokens are counted; the first distinct ones of an event are named, over all of its texts."""
    ruler = Ruler((Feature("a", "text", vocabulary=frozenset({"late"})), Feature("b", "text")))
    many = " ".join("x" * k for k in range(1, 40))
    measured = ruler.measure({"a": "Late new new NEW", "b": f"new {many}"})
    assert measured.texts == {"a": (4, 3), "b": (40, 40)}
    assert len(measured.unseen_tokens) == len(set(measured.unseen_tokens)) == UNSEEN_TOKENS_PER_EVENT
    assert measured.unseen_tokens[:2] == ["new", "x"]


def test_unexpected_and_renamed() -> None:
    """A name that came beside one that went is evidence of a rename only where the value fits."""
    ruler = Ruler((
        Feature("n", "number", edges=(0.0,), low=0.0, high=10.0), Feature("c", "category", known=frozenset({"UA"})),
        Feature("t", "text", vocabulary=frozenset({"late"})),
    ))  # fmt: skip
    measured = ruler.measure({"N": 5, "C": "UA", "T": "late now", "z": "ZZ", "nan": math.nan, "b": True})
    assert measured.violations["unexpected"] == ["N", "C", "T", "z", "nan", "b"]
    assert measured.violations["renamed"] == ["n>N", "c>C", "t>T"]
    assert "renamed" not in ruler.measure({"n": 1, "c": "UA", "t": "late", "N": 5}).violations
    assert len(ruler.measure({f"x{k}": 5 for k in range(99)}).violations["unexpected"]) == UNEXPECTED_PER_EVENT


def test_outputs_are_binned_where_the_ruler_has_them() -> None:
    """Score, value and latency have their bins; what isn't finite or has no feature has none."""
    ruler = Ruler((Feature(SCORE, "number", edges=SCORE_EDGES), Feature(LATENCY, "number", edges=LATENCY_EDGES)))
    assert ruler.measure({}, score=0.81, value=3.0, latency=0.01).bins == ["@score:16", "@latency:17"]
    assert ruler.measure({}, score=math.nan, latency=math.inf).bins == []
    assert ruler.measure({}, score=1.0, latency=0).bins == ["@score:19", "@latency:0"]
    assert list(SCORE_EDGES) == sorted(SCORE_EDGES)
    assert list(LATENCY_EDGES) == sorted(set(LATENCY_EDGES))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["x", "y", "z"]), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())))
def test_measuring_is_total_and_changes_nothing(inputs: dict[str, Any]) -> None:
    """No typed value makes the ruler raise, and what it was given stays as it was."""
    kinds = ("number", "category", "boolean", "text", "other")
    before = repr(inputs)
    for kind in kinds:
        features = tuple(Feature(name, kind, edges=(0.0,) if kind == "number" else (), low=0.0, high=1.0) for name in "xy")
        measured = Ruler(features).measure(inputs)
        for name in "xy":
            ways = [name in names for names in (*measured.missing.values(), measured.violations.get("type", ()))]
            assert sum(ways) <= 1
    assert repr(inputs) == before


@pytest.mark.parametrize(
    ("zone", "time", "stratum"),
    [("UTC", "2026-03-06T23:59:59.999999+00:00", "d23"), ("UTC", "2026-03-07T00:00:00+00:00", "e00"),
     ("Europe/Berlin", "2026-03-06T23:00:00+00:00", "e00"), ("Europe/Berlin", "2026-07-01T10:00:00+00:00", "d12"),
     ("Europe/Berlin", "2026-03-29T00:59:00+00:00", "e01"), ("Europe/Berlin", "2026-03-29T01:00:00+00:00", "e03"),
     ("America/New_York", "2026-03-08T23:30:00-04:00", "e23"), ("Asia/Kolkata", "2026-03-06T00:59:00+00:00", "d05"),
     ("UTC", "2026-03-06T10:05:00+00:07", "d09")],
)  # fmt: skip
def test_strata(zone: str, time: str, stratum: str) -> None:
    """Hour and weekend are local, by the hour of UTC that an event lies in, whatever zone its time is written in."""
    assert Ruler((), time_zone=zone).stratum(dt.datetime.fromisoformat(time)) == stratum


@pytest.mark.parametrize(
    ("outputs", "bins"),
    [({"score": 0.5}, ["@margin:0"]), ({"score": 1.0}, ["@margin:24"]), ({"score": 0.0}, ["@margin:24"]), ({"score": 0.9995}, ["@margin:22"]),
     ({"score": 0.99999}, ["@margin:23"]), ({"score": 0.6}, ["@margin:4"]), ({"score": 1.5}, []), ({}, []), ({"value": 3.0}, []),
     ({"score": math.nan}, ["@unusable:0"]), ({"value": -math.inf}, ["@unusable:0"]), ({"scores": [0.25, 0.5, 0.25]}, ["@margin:6"]),
     ({"scores": {"a": 0.5, "b": 0.5}, "score": 1.0}, ["@margin:0"]), ({"scores": {"a": 0.5, "b": math.nan}}, ["@unusable:0"]),
     ({"scores": {"a": None, "b": 0.5}}, ["@unusable:0"]), ({"scores": [0.75]}, []), ({"scores": ["x", "y"]}, []), ({"scores": 0.5}, []),
     ({"scores": {"all": [0.5, 0.25]}}, ["@margin:6"]), ({"scores": [10**400, 0.5]}, ["@unusable:0"]), ({"scores": [True, 0.5]}, []),
     ({"replaced": ["@score"]}, ["@unusable:0"]), ({"replaced": ["@score"], "score": 0.5}, ["@margin:0"])],
    ids=str,
)  # fmt: skip
def test_what_follows_from_outputs(outputs: dict[str, Any], bins: list[str]) -> None:
    """A tie has a bin of its own and so has certainty; what is no number is told, whichever way it came."""
    derived = (Feature(MARGIN, "number", edges=MARGIN_EDGES), Feature(UNUSABLE, "number"))
    two = Feature(LABEL, "category", categories=("a", "b"), known=frozenset("ab"))
    assert Ruler((*derived, two)).measure({}, **outputs).bins == bins
    many = Ruler((*derived, replace(two, known=frozenset("abc"))))
    assert many.measure({}, **outputs).bins == ([] if bins and "scores" not in outputs and "margin" in bins[0] else bins)
    assert Ruler((two,)).measure({}, **outputs).bins == []


def golden() -> Ruler:
    """A ruler that must never change its hash."""
    return Ruler(
        (
            Feature("n", "number", edges=(-1.5, 0.0, 2.0), low=0.0, high=0.0, sentinels=frozenset({"-999", "-9999"})),
            Feature("ü\n", "category", categories=("b", "a"), known=frozenset({"a", "b", "c"})),
            Feature("t", "text", vocabulary=frozenset({"x", "y"})), Feature("id", "category", open=True), Feature("o", "other"),
        ),
        ("ü\n",), "Europe/Berlin",
    )  # fmt: skip


def test_the_hash_is_stable() -> None:
    """The name of a ruler is the same in every process and release: history hangs on it."""
    assert golden().hash == GOLDEN
    assert Ruler.from_dict(json.loads(json.dumps(golden().to_dict()))) == golden()


def test_the_hash_is_of_what_measures_alone() -> None:
    """Order of the columns doesn't change hash or layout; each thing that measures changes the hash."""
    ruler = golden()
    turned = Ruler(ruler.features[::-1], ruler.segments, ruler.time_zone)
    assert (turned.hash, turned.cells) == (ruler.hash, ruler.cells)
    assert turned.inputs == ruler.inputs[::-1]
    others = [
        Ruler(ruler.features, (), ruler.time_zone), Ruler(ruler.features, ruler.segments, "UTC"), Ruler(ruler.features[1:], ruler.segments),
        *(Ruler((Feature("n", "number", **change),)) for change in ({}, {"low": 0.0}, {"high": 0.0}, {"edges": (0.0,)}, {"edges": (0.5,)})),
        *(Ruler((Feature("n", "category", **change),)) for change in ({}, {"open": True}, {"known": frozenset("a")}, {"sentinels": frozenset("a")})),
    ]  # fmt: skip
    assert len({other.hash for other in [ruler, *others]}) == len(others) + 1


def test_what_is_counted_together_stands_behind() -> None:
    """Pairs and repeats change the hash and add their cells at the end; the order of the pairs changes nothing."""
    numbers = tuple(Feature(name, "number", edges=(0.0, 1.0)) for name in "zax")
    pairs = (Pair("x", "z", 0, 1), Pair("a", "z", 1, 0))
    plain = Ruler(numbers)
    ruler = Ruler(numbers, pairs=pairs, repeated=True)
    assert ruler.cells == (
        *plain.cells, ("a", "both", "z"), ("a", "concordant", "z"), ("x", "both", "z"), ("x", "concordant", "z"), COMPARED, REPEATED,
    )  # fmt: skip
    turned = Ruler(numbers[::-1], pairs=pairs[::-1], repeated=True)
    assert (turned.hash, turned.cells) == (ruler.hash, ruler.cells)
    others = [plain, Ruler(numbers, pairs=pairs), Ruler(numbers, repeated=True), Ruler(numbers, pairs=pairs[:1], repeated=True)]
    others.append(Ruler(numbers, pairs=(Pair("x", "z", 1, 1), pairs[1]), repeated=True))
    assert len({other.hash for other in [ruler, *others]}) == len(others) + 1
    for one in (ruler, *others):
        assert Ruler.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    assert not {"pairs", "repeated"} & plain.to_dict().keys()


@pytest.mark.parametrize(
    "pairs",
    [
        [("a", "b", 0, 1)], [("a", "c", 0, 0)], [("a", "@score", 0, 0)], [("a", "nothing", 0, 0)], [("a", "a", 0, 0)], [("a", "b", -1, 0)],
        [("a", "b", True, 0)], [("a", "b", 0.0, 0)], [("a", "b", 0, 0), ("b", "a", 0, 0)], [("a", "b", 0)],
    ],
    ids=str,
)  # fmt: skip
def test_pairs_that_are_none_are_refused(pairs: list[tuple[Any, ...]]) -> None:
    """Two different inputs, numbers both, each divided where there are bins above, and no two of them twice."""
    kinds = {"a": "number", "b": "number", "c": "category", SCORE: "number"}
    features = [{"name": name, "kind": kind, "edges": [0.0] if kind == "number" else []} for name, kind in kinds.items()]
    names = ("first", "second", "first_low", "second_low")
    with pytest.raises((TypeError, ValueError)):
        Ruler.from_dict({"features": features, "pairs": [dict(zip(names, pair, strict=False)) for pair in pairs]})


def test_cells_are_unique_and_indexed() -> None:
    """No two counts share a place, events and failures stand in front."""
    ruler = golden()
    assert len(set(ruler.cells)) == len(ruler.cells)
    assert ruler.cells[:2] == (("", "n", ""), ("", "failure", ""))
    assert all(ruler.cells[position] == key for key, position in ruler.index.items())


@pytest.mark.parametrize(
    "change",
    [{"edges": [1.0, 0.0]}, {"edges": [0.0, 0.0]}, {"edges": ["a"]}, {"edges": [True]}, {"kind": "numbr"}, {"colour": 1}, {"name": None}],
    ids=str,
)
def test_broken_rulers_are_refused(change: dict[str, Any]) -> None:
    """What can't measure is refused when it is read, not at the first event."""
    entry = {"name": "n", "kind": "number", "edges": [0.0], **change}
    if entry["name"] is None:
        del entry["name"]
    with pytest.raises((TypeError, ValueError, KeyError)):
        Ruler.from_dict({"features": [entry]})


@pytest.mark.parametrize("data", [{}, {"features": [{"name": "a", "kind": "other"}] * 2}, {"features": [], "segments": ["a"]}], ids=str)
def test_inconsistent_rulers_are_refused(data: dict[str, Any]) -> None:
    """Two features of one name, and a segment that is no feature, are refused."""
    with pytest.raises((KeyError, ValueError)):
        Ruler.from_dict(data)
