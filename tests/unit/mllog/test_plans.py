"""A plan is a shortcut: whatever is sent, it says what the router and the ruler say of it."""

from __future__ import annotations

import copy
import importlib.util
import math
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import UUID

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mllog.delivery import plans, tokens
from mllog.delivery.encoder import Constants, Encoder
from mllog.delivery.loops import plain
from mllog.delivery.ordinary import cells_of
from mllog.delivery.plans import PlanOfCard, PlanWithoutCard
from mllog.delivery.routing import NAMES_WITHOUT_CARD, Router
from mllog.delivery.snapshot import snapshot
from mllog.delivery.tokens import TokenCounter
from mllog.events import Record
from mllog.ruler import (
    LATENCY,
    SCORE,
    UNEXPECTED_PER_EVENT,
    Feature,
    Measured,
    Ruler,
)
from mllog.shapes import LENGTH, LENGTH_EDGES, MARK_EDGES, MARKS, SCRIPT, SCRIPT_EDGES
from mllog.tokenizers import words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

LOOPS: tuple[ModuleType, ...] = (plain,)
if importlib.util.find_spec("mllog.delivery.loops.compiled") is not None:
    LOOPS = (plain, importlib.import_module("mllog.delivery.loops.compiled"))

NAMES = ("a", "b", "c", "d")
SHAPE = {LENGTH: LENGTH_EDGES, SCRIPT: SCRIPT_EDGES, MARKS: MARK_EDGES}
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 1.5, 2.0, -999.0, 5e-324, sys.float_info.max, math.nan, math.inf, -math.inf]),
    st.floats(),
    st.integers(-3, 3),
    st.sampled_from([-999, 2**53, 2**53 + 1, -(2**53) - 1, 2**63, 2**64, 10**400]),
)
STRINGS = st.one_of(
    st.sampled_from(
        ["UA", "AA", "5", "true", "false", "", " ", "\u2003", "N/A", "-999", "late gate", "a\ud800", "x" * 300, "Ã©t Ã©", "…"]
    ),
    st.text(max_size=20),
)
VALUES = st.one_of(
    NUMBERS, STRINGS, st.none(), st.booleans(), st.just([1.0, "x"]), st.just({"k": 1}), st.just([math.nan])
)  # fmt: skip
INPUTS = st.dictionaries(st.sampled_from([*NAMES, "new", "newer", SCORE]), VALUES)
EDGES = st.lists(
    st.one_of(st.floats(-10, 10), st.sampled_from([2.0**53, -(2.0**53), sys.float_info.max, 5e-324])), max_size=6
).map(lambda edges: tuple(sorted(set(edges))))
KEYS = st.frozensets(st.sampled_from(["UA", "AA", "5", "true", "false", "", " ", "N/A"]))
SENTINELS = st.frozensets(
    st.sampled_from(["-999", "0", "1.5", "N/A", "nan", "inf", "9007199254740993", "late gate"]), max_size=3
)


@st.composite
def features(draw: st.DrawFn, name: str) -> Feature:
    """Any feature that a ruler may have."""
    kind = draw(st.sampled_from(["number", "category", "boolean", "text", "other"]))
    low, high = sorted(draw(st.tuples(st.floats(-5, 5), st.floats(-5, 5))))
    bounded = draw(st.booleans())
    return Feature(
        name,
        kind,
        edges=draw(EDGES) if kind == "number" else (),
        low=low if bounded else None,
        high=high if bounded else None,
        known=draw(KEYS),
        open=draw(st.booleans()),
        sentinels=draw(SENTINELS),
        vocabulary=frozenset({"late", "gate", "0"}),
    )


@st.composite
def rulers(draw: st.DrawFn) -> Ruler:
    """A ruler of up to four inputs of any kind."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    derived = [Feature(prefix + "a", "number", edges=edges) for prefix, edges in SHAPE.items()] if "a" in names else []
    return Ruler((*(draw(features(name)) for name in names), *derived, Feature(SCORE, "number", edges=(0.25, 0.5)), Feature(LATENCY, "number", edges=(0.1,))))  # fmt: skip


def record_of(inputs: dict[str, Any]) -> Record:
    """A record of a prediction that took its snapshot."""
    record = Record("prediction", "predict", 0, "id", 1)
    record.take(snapshot(inputs))
    return record


def by_plan(ruler: Ruler | None, router: Router, inputs: dict[str, Any]) -> dict[str, Any]:
    """What a plan says, with the loops in Python and with the compiled ones."""
    found = [said for module in LOOPS for said in by_loops(module, ruler, router, inputs)]
    for said in found[1:]:
        assert repr(said) == repr(found[0])
    return found[0]


def by_loops(
    module: ModuleType, ruler: Ruler | None, router: Router, inputs: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """What a plan says with these loops: first, and having seen the names."""
    names = {name: getattr(module, name) for name in ("Layout", "Memory", "Names", "sort")}
    with patch.multiple(plans, **names), patch.object(tokens, "Words", module.Words):
        record = record_of(inputs)
        assert record.held is not None
        plan = PlanWithoutCard(router) if ruler is None else PlanOfCard(router, ruler)
        for _ in range(2):
            again, ml = record.copy(), {}
            plan.fill(copy.deepcopy(record.held), again, {"score": 0.5}, ml)
            ml["marks"] = (sorted(again.replaced or ()), sorted(again.truncated or ()))
            yield tidy(ml)


def by_ruler(ruler: Ruler | None, router: Router, inputs: dict[str, Any]) -> dict[str, Any]:
    """What the router and the ruler say of the same: the definition."""
    record = record_of(inputs)
    typed = record.inputs
    assert typed is not None
    routed = router.route(typed, record)
    measured = Measured(missing=routed.missing) if ruler is None else ruler.measure(typed, score=0.5)
    routed.set_aside(measured.missing.get("sentinel", []))
    ml = {
        "inputs": {target: values for target, values in routed.maps.items() if values},
        "missing": measured.missing,
        "violations": measured.violations,
        "text": {name: {"tokens": n, "unseen": unseen} for name, (n, unseen) in measured.texts.items()},
        "unseen_tokens": measured.unseen_tokens,
        "bins": measured.bins,
        "marks": (sorted(record.replaced or ()), sorted(record.truncated or ())),
    }
    return tidy({name: part for name, part in ml.items() if part or name == "inputs"})


def tidy(ml: dict[str, Any]) -> dict[str, Any]:
    """Without orders that mean nothing."""
    for part in ("missing", "violations"):
        if part in ml:
            ml[part] = {kind: sorted(names) for kind, names in sorted(ml[part].items())}
    for part in ("inputs", "text"):
        if part in ml:
            ml[part] = {
                name: dict(sorted(item.items())) if part == "inputs" else item
                for name, item in sorted(ml[part].items())
            }
    if "bins" in ml:
        ml["bins"] = sorted(ml["bins"])
    return dict(sorted(ml.items()))


@settings(deadline=None, max_examples=200)
@given(ruler=rulers(), inputs=INPUTS)
def test_a_plan_of_a_card_says_what_the_ruler_says(ruler: Ruler, inputs: dict[str, Any]) -> None:
    """For any card and any inputs: maps, missing kinds, violations, bins, words and marks are those of the definition."""
    router = Router(ruler)
    assert repr(by_plan(ruler, router, inputs)) == repr(by_ruler(ruler, router, inputs))


@settings(deadline=None, max_examples=100)
@given(inputs=INPUTS)
def test_a_plan_without_a_card_says_what_the_router_says(inputs: dict[str, Any]) -> None:
    """Without a card types speak for themselves, by the definition."""
    router = Router(None)
    assert repr(by_plan(None, router, inputs)) == repr(by_ruler(None, router, inputs))


@settings(deadline=None, max_examples=200)
@given(
    feature=features("a").filter(lambda feature: feature.kind == "number"),
    number=st.one_of(st.floats(), st.integers(-(2**53), 2**53)),
)
def test_cells_are_the_rulers_bins(feature: Feature, number: float) -> None:
    """Where a cell names a bin, the ruler finds that bin and nothing to complain of."""
    points, cells = cells_of(feature)
    assert len(cells) == len(points) + 1
    cell = cells[sum(point <= number for point in points) if number == number else len(points)]  # noqa: PLR0124 - NaN
    if cell is not None:
        measured = Ruler((feature,)).measure({"a": number})
        assert (measured.bins, measured.missing, measured.violations) == ([cell], {}, {})


def test_ordinary_numbers_have_cells() -> None:
    """The shortcut is taken: training's own numbers are ordinary, its bounds included, and nothing else is."""
    points, cells = cells_of(Feature("a", "number", edges=(1.0, 2.0), low=0.5, high=2.5, sentinels=frozenset({"1.5"})))
    numbers = [0.5, 0.9, 1.0, 1.5, 1.6, 2.0, 2.5, math.nextafter(2.5, 3), 0.4, math.nan, math.inf, -math.inf]
    found = [cells[len(points) if math.isnan(x) else sum(point <= x for point in points)] for x in numbers]
    assert found == ["a:0", "a:0", "a:1", None, "a:1", "a:2", "a:2", *[None] * 5]


@settings(deadline=None)
@given(st.lists(st.text(), max_size=3))
@example(["ΑΣ ΑΣ", "Σ ", "a\u00a0b\u2003c\x1cd", "İx ß", "A1-b2’c 12 12"])
def test_words_are_the_rulers(texts: list[str]) -> None:
    """Counting by the parts between white space finds the same words, again and again."""
    vocabulary = frozenset({"a", "ας", "0", "b0"})
    counter = TokenCounter(vocabulary)
    for text in [*texts, *texts]:
        tokens = words(text)
        total, unseen = counter.count(text)
        assert (total, list(unseen)) == (len(tokens), [token for token in tokens if token not in vocabulary])


def test_words_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of ever new spellings of known words doesn't fill the memory."""
    monkeypatch.setattr("mllog.delivery.tokens.REMEMBERED", 10)
    counter = TokenCounter(frozenset({"late"}))
    for k in range(100):
        assert counter.count(f"late{'!' * k}") == (1, [])
        assert len(counter.familiar) <= 10


def test_names_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller whose names differ with every call doesn't fill the memory, with a card or without."""
    monkeypatch.setattr(plans, "REMEMBERED", 10)
    ruler = Ruler((Feature("a", "number"),))
    carded = PlanOfCard(Router(ruler), ruler)
    free = PlanWithoutCard(Router(None))
    for k in range(100):
        inputs = {f"x{j}": 1.0 for j in range(k)}
        for plan in (carded, free):
            ml: dict[str, Any] = {}
            plan.fill(dict(inputs), record_of(inputs), {}, ml)
            assert sum(map(len, orjson.loads(orjson.dumps(ml["inputs"])).values())) == k
        assert len(carded.known) <= 10
        assert len(free.known) <= 10


def test_too_many_names_without_a_card() -> None:
    """The first names have fields of their own, all later ones are kept aside, whatever they hold."""
    plan = PlanWithoutCard(Router(None))
    first = {f"n{k}": 1.0 for k in range(NAMES_WITHOUT_CARD)}
    plan.fill(dict(first), record_of(first), {}, {})
    late: dict[str, Any] = {"n0": 1.0, "x": math.nan, "y": None, "z": "text", "l": [1]}
    ml: dict[str, Any] = {}
    plan.fill(dict(late), record_of(late), {}, ml)
    assert repr(ml) == repr(
        {"inputs": {"number": {"n0": 1.0}, "other": {"x": math.nan, "y": None, "z": "text", "l": [1]}}}
    )


def test_unexpected_names_are_measured_in_the_callers_order() -> None:
    """The first 32 of them are named, and each that fits an absent feature."""
    ruler = Ruler((Feature("a", "number", low=0.0, high=1.0),))
    router = Router(ruler)
    inputs = {f"x{k}": 0.5 for k in range(50)}
    violations = by_plan(ruler, router, inputs)["violations"]
    assert violations == by_ruler(ruler, router, inputs)["violations"]
    assert len(violations["unexpected"]) == UNEXPECTED_PER_EVENT


class Colour(StrEnum):
    """An enumeration of strings, which orjson writes by itself."""

    RED = "UA"


@pytest.mark.parametrize("card", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_what_orjson_takes_by_itself_is_typed(card: bool, known: bool) -> None:
    """Enumerations and UUIDs, which pass the caller as they are, end as the values that they stand for."""
    ruler = (
        Ruler((Feature("a", "category", known=frozenset({"UA"})), Feature("b", "category", open=True)))
        if card
        else None
    )
    encoder = Encoder(Constants("model", "1"), ruler=ruler)
    if known:
        encoder.line(record_of({"a": "UA", "b": "x"}))
    inputs = {"a": Colour.RED, "b": UUID(int=5)}
    record = record_of(inputs)
    ml = orjson.loads(encoder.line(record))["ml"]
    assert ml["inputs"] == {"keyword": {"a": "UA", "b": str(UUID(int=5))}}
    assert "violations" not in ml
    assert record_of(inputs).inputs == {"a": "UA", "b": str(UUID(int=5))}


@pytest.mark.parametrize("card", [True, False])
@pytest.mark.parametrize("name", ["", " \t", "x" * 300])
def test_unusable_names_are_changed_each_time(card: bool, name: str) -> None:
    """Names that the caller's quick look lets pass are made usable by the writer, the second time as the first."""
    ruler = Ruler((Feature("a", "number"),)) if card else None
    encoder = Encoder(Constants("model", "1"), ruler=ruler)
    for _ in range(2):
        ml = orjson.loads(encoder.line(record_of({"a": 1.0, name: 2.0})))["ml"]
        (changed,) = ml["replaced"]
        assert 0 < len(changed.strip()) <= 256
        assert ml["inputs"] == (
            {"number": {"a": 1.0}, "other": {changed: 2.0}} if card else {"number": {"a": 1.0, changed: 2.0}}
        )
