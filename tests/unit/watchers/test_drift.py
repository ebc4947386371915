"""`watchers.drift`: one feature, one statistic, from cards, profiles and frames."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math

import numpy as np
import pytest
from scipy import stats

import watchers
from mllog import CardError, ModelCard, SettingError
from mllog.ruler import LATENCY, SCORE
from watchers.drift import bin_positions
from watchers.profile import WindowProfile
from watchers.statistics import MEASURES, measure


def rows(n, seed, shift=0.0, nulls=0.0):
    rng = np.random.default_rng(seed)
    number = rng.normal(10 + shift, 2, n)
    number[rng.random(n) < nulls] = np.nan
    return {
        "number": number.tolist(),
        "category": rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]).tolist(),
        "flag": (rng.random(n) < 0.3).tolist(),
        "words": [" ".join(rng.choice(["gate", "held", "crew"], 3)) for _ in range(n)],
        "object": [[k] for k in range(n)],
    }


TRAIN, ALIKE, MOVED = rows(4000, 1), rows(1000, 2), rows(1000, 3, shift=2, nulls=0.1)


@pytest.fixture(scope="module")
def card():
    return ModelCard.from_frame(TRAIN, "m", "1", text=["words"])


@pytest.mark.parametrize("statistic", sorted(MEASURES))
@pytest.mark.parametrize("feature", ["number", "category", "flag", "words", "object", SCORE, LATENCY])
def test_every_statistic_of_every_kind_of_feature(card, feature, statistic):
    """A value or a reason; an order is asked for where there is one."""
    found = watchers.drift(card, {**MOVED, SCORE: [0.5] * 1000}, feature, statistic)
    assert (found.value is None) == (found.reason is not None)
    assert found.name == statistic
    ordered = MEASURES[statistic].ordered
    if ordered and feature in {"category", "flag", "words", "object"}:
        assert found.reason.startswith(f"{feature} has no order (its kind is ")
        assert found.reason.endswith(f"and {statistic} needs one")
    elif feature == LATENCY:
        assert found.reason == "the reference has no events"
    elif feature == SCORE:
        assert found.reason == "the reference has no events"  # no predictions in training
    else:
        assert found.value is not None
        assert (found.missing is not None) == (ordered or feature == "words")


def test_a_number_equals_scipy_on_its_bins(card):
    """KS and t are scipy's on the values with each replaced by the middle of its bin; missing ones stand beside."""
    ruler = card.ruler.by_name["number"]
    middles = np.array(bin_positions(ruler))
    here = [x for x in MOVED["number"] if not math.isnan(x)]
    first, second = (middles[np.searchsorted(ruler.edges, side, side="right")] for side in (TRAIN["number"], here))
    found = watchers.drift(card, MOVED, "number", "ks")
    want = stats.ks_2samp(first, second, method="asymp")
    assert (found.value, found.p_value) == pytest.approx((want.statistic, want.pvalue), rel=1e-9)
    assert found.missing == pytest.approx((1000 - len(here)) / 1000)
    assert found.p_overall <= found.missing_p_value * 2 < 1e-20
    assert watchers.drift(card, MOVED, "number", "ttest_ind").value == pytest.approx(
        stats.ttest_ind(first, second, equal_var=False).statistic, rel=1e-9
    )
    # The middles of the bins say it nearly as the values do.
    exact = stats.wasserstein_distance(TRAIN["number"], here)
    assert watchers.drift(card, MOVED, "number", "wasserstein").value == pytest.approx(exact, rel=0.15)


def test_missing_values_are_a_cell_whatever_way_they_are_missing(card):
    """Absent, null, NaN, empty, infinite and of a wrong type: all are in one cell, and are seen."""
    for lost in (None, float("nan"), float("inf"), "", "text", [1]):
        frame = {**ALIKE, "number": [lost if k % 4 == 0 else x for k, x in enumerate(ALIKE["number"])]}
        assert watchers.drift(card, frame, "number", "total_variation").value > 0.25
        assert watchers.drift(card, frame, "number", "ks").missing == pytest.approx(0.25)
    frame = {name: values for name, values in ALIKE.items() if name != "number"}
    gone = watchers.drift(card, frame, "number", "ks")
    assert gone.reason == "all of the current sample is missing"
    assert gone.p_overall < 1e-100
    assert watchers.drift(card, frame, "number", "jensen_shannon").value == 1
    assert watchers.drift(card, frame, "words", "chi_squared").missing == 0


def test_texts_are_judged_by_their_words(card):
    """Unknown words are a cell beside the known ones, and missing texts are reported with a test of their own."""
    frame = {**ALIKE, "words": ["gate delta" if k % 2 else None for k in range(1000)]}
    found = watchers.drift(card, frame, "words", "total_variation")
    assert (found.value, found.missing) == (pytest.approx(0.5), pytest.approx(0.5))
    assert found.missing_p_value < 1e-20


def test_an_unseen_category_is_a_cell(card):
    """What training never had is a cell of its own."""
    frame = {**ALIKE, "category": ["new"] * 1000}
    assert watchers.drift(card, frame, "category", "hellinger").value == 1


def test_the_reference_is_the_card_a_profile_or_a_frame(card):
    """Another reference is taken instead of training; profiles and their frames say the same."""
    alike = watchers.profile(ALIKE, card)
    moved = watchers.profile(MOVED, card)
    by_training = watchers.drift(card, moved, "number")
    assert by_training.name == "jensen_shannon"
    assert by_training == watchers.drift(TRAIN, MOVED, "number", text=["words"])
    assert by_training == watchers.drift(card, MOVED, "number", reference=TRAIN)
    assert watchers.drift(card, moved, "number", reference=alike).value > 0.3
    assert watchers.drift(card, moved, "number", "ks", reference=moved).p_value == 1
    start = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    timed = {**ALIKE, "at": [start + dt.timedelta(minutes=k) for k in range(1000)]}
    assert watchers.drift(card, timed, "number", time="at") == watchers.drift(card, ALIKE, "number")


def test_nothing_and_half_of_it(card):
    """Empty windows and windows that could not be counted give reasons."""
    empty = WindowProfile("m", card.ruler.hash)
    assert watchers.drift(card, empty, "number").reason == "the current sample has no events"
    assert watchers.drift(card, empty, "number", reference=empty).reason == "the reference has no events"
    half = dataclasses.replace(empty, complete=False, reason="2 shards failed")
    assert watchers.drift(card, half, "number").reason == "the current sample could not be counted wholly: 2 shards failed"
    assert watchers.drift(dataclasses.replace(card, training={}), ALIKE, "number").reason == "the reference has no events"


def test_what_is_unknown_is_named(card):
    """A wrong statistic, feature or ruler is an error of the caller, with the known ones in its message."""
    with pytest.raises(SettingError, match=r"unknown statistic 'kss'; known are anova, chi_squared, g, hellinger"):
        watchers.drift(card, ALIKE, "number", "kss")
    with pytest.raises(CardError, match=r"'nmber' is no feature of 'm'; they are @latency, @length:words, @margin, "):
        watchers.drift(card, ALIKE, "nmber")
    other = WindowProfile("m", "0" * 16)
    with pytest.raises(CardError, match=r"the profile of the current sample was made by ruler 0000000000000000"):
        watchers.drift(card, other, "number")
    with pytest.raises(CardError, match=r"the profile of the reference was made by ruler"):
        watchers.drift(card, ALIKE, "number", reference=other)


def test_bins_lie_in_their_order(card):
    """Positions ascend for any ruler, open bins lie at their edges, and those of a score at their middles."""
    frames = {
        "normal": TRAIN["number"], "constant": [5.0] * 9, "nought": [0.0] * 9, "tiny": [5e-324, 0.0] * 9,
        "huge": [1.7e308, -1.7e308] * 9, "decades": [10.0**k for k in range(9)] * 2,
    }  # fmt: skip
    for name, values in frames.items():
        made = ModelCard.from_frame({name: values}, "m", "1")
        feature = made.ruler.by_name[name]
        positions = bin_positions(feature)
        assert len(positions) == len(feature.edges) + 1
        assert np.isfinite(positions).all()
        assert positions == sorted(positions)
        for statistic in MEASURES:
            found = watchers.drift(made, {name: [*values, 1e300, None]}, name, statistic)
            assert (found.value is None) == (found.reason is not None)
    score = bin_positions(card.ruler.by_name[SCORE])
    assert (score[0], score[-1]) == pytest.approx((0.025, 0.975))
    number = card.ruler.by_name["number"]
    assert bin_positions(number)[0] == number.edges[0]
    assert bin_positions(number)[-1] == number.edges[-1]


def test_public_names():
    """Measure is what both give."""
    assert type(measure("psi", [1, 2], [2, 1])) is watchers.statistics.Measure
    assert "drift" in watchers.__all__
