"""The plan keeps its rules, and every fault does what it says and nothing else."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from watchers.demo import _calendar, faults, flights, model, remarks

NEW_YORK = ZoneInfo(flights.NEW_YORK)
NAMES = {
    "null-for-origin",
    "rename",
    "case",
    "unit",
    "vocabulary",
    "wrong-model",
    "dependency",
    "latency",
    "no-data",
    "category-share",
}


@pytest.fixture(scope="module")
def clean(served):
    return faults.apply([], served)


@pytest.fixture
def planted(served):
    """One fault alone, a day before to a day after: itself, the clean and the faulty stream, rows hit."""

    def plant(name, seed=0):
        (fault,) = [each for each in faults.plan(seed) if each.name == name]
        day = dt.timedelta(days=1)
        near = served[served["time"].between(fault.start - day, fault.end + day)].reset_index(drop=True)
        return fault, faults.apply([], near), faults.apply([fault], near), faults.hits(fault, near)

    return plant


def assert_only_changes(stream, clean, column, hit):
    """Nothing but one column differs, and that only where hit."""
    others = [name for name in clean.columns if name != column]
    pd.testing.assert_frame_equal(stream[others], clean[others])
    before, after = clean.loc[~hit, column], stream.loc[~hit, column]
    pd.testing.assert_series_equal(after, before, check_dtype=False)


@pytest.mark.parametrize("seed", range(10))
def test_plan_rules(seed):
    """Ten faults, in order, of the right length, apart from each other and from storms."""
    plan = faults.plan(seed)
    assert {fault.name for fault in plan} == NAMES
    assert len(plan) == 10
    for fault in plan:
        start, length = fault.start.astimezone(NEW_YORK), fault.end - fault.start
        assert fault.start.tzinfo is dt.UTC
        assert fault.end.tzinfo is dt.UTC
        assert start >= dt.datetime(2013, 2, 5, tzinfo=NEW_YORK)
        assert fault.end.astimezone(NEW_YORK) <= dt.datetime(2013, 4, 14, tzinfo=NEW_YORK)
        if fault.name == "no-data":
            assert length == dt.timedelta(hours=2)
            assert 9 <= start.hour <= 15
            assert start.weekday() < 5
        else:
            assert (start.minute, start.second) == (0, 0)
        if fault.name == "wrong-model":
            assert length == dt.timedelta(hours=12)
            assert 7 <= start.hour <= 9
        elif fault.name != "no-data":
            assert dt.timedelta(days=2) <= length <= dt.timedelta(days=3)
        for day in _calendar.STORMS:
            begin = dt.datetime.combine(day, dt.time(), NEW_YORK).astimezone(dt.UTC)
            half, whole = dt.timedelta(hours=12), dt.timedelta(days=1)
            assert fault.end <= begin - half or fault.start >= begin + whole + half
    for one, other in pairwise(plan):
        assert _calendar.clean_hours(one.end, other.start) >= dt.timedelta(hours=36)
    mornings = sum(6 <= fault.start.astimezone(NEW_YORK).hour < 12 for fault in plan)
    assert mornings >= 5


def test_plans_differ_by_seed_and_by_nothing_else():
    """A seed gives one plan; ten seeds give ten, with other segments, features and orders."""
    plans = [faults.plan(seed) for seed in range(10)]
    assert [faults.plan(seed) for seed in range(10)] == plans
    by_name = [{fault.name: fault for fault in plan} for plan in plans]
    for name in ("null-for-origin", "rename", "case", "unit"):
        assert len({(f[name].feature, str(f[name].segment), f[name].value) for f in by_name}) >= 3
    assert len({tuple(fault.name for fault in plan) for plan in plans}) == 10


def test_nothing_planted_changes_nothing(served, clean):
    """Without faults the stream is the flights and what serving adds."""
    pd.testing.assert_frame_equal(clean[served.columns], served)
    assert set(clean["renamed"]) == {""}
    assert set(clean["model"]) == {faults.RIGHT}
    assert set(clean["environment"]) == {0}


def test_latency_is_lognormal(clean):
    """Half of the answers take less than 20 ms, with a sigma of 0.35."""
    assert clean["latency_seconds"].median() == pytest.approx(0.020, rel=0.02)
    assert np.log(clean["latency_seconds"]).std() == pytest.approx(0.35, rel=0.02)


def test_null_for_origin(planted):
    """The feature is null for flights of one origin."""
    fault, clean, stream, hit = planted("null-for-origin")
    assert hit.sum() > 400
    assert set(clean.loc[hit, "origin"]) == {fault.segment["origin"]}
    assert stream.loc[hit, fault.feature].isna().all()
    assert_only_changes(stream, clean, fault.feature, hit)


def test_rename(planted):
    """The feature comes under another name, with its values."""
    fault, clean, stream, hit = planted("rename")
    assert stream.loc[hit, fault.feature].isna().all()
    assert stream.loc[hit, fault.value].equals(clean.loc[hit, fault.feature].rename(fault.value))
    assert (stream["renamed"] == np.where(hit, fault.feature, "")).all()
    rest = stream.drop(columns=fault.value).assign(renamed="")
    assert_only_changes(rest, clean, fault.feature, hit)


@pytest.mark.parametrize("seed", range(5))
def test_case(planted, seed):
    """One carrier's code comes in lower case."""
    fault, clean, stream, hit = planted("case", seed)
    hit &= (clean["carrier"] == fault.value).to_numpy()
    assert hit.sum() > 50
    assert set(stream.loc[hit, "carrier"]) == {fault.value.lower()}
    assert fault.value.lower() not in set(clean["carrier"])
    assert_only_changes(stream, clean, "carrier", hit)


def test_unit(planted):
    """One carrier's distances come in kilometres."""
    fault, clean, stream, hit = planted("unit")
    assert fault.segment["carrier"] in {"UA", "B6", "EV", "DL"}
    assert hit.sum() > 200
    ratio = stream.loc[hit, "distance"] / clean.loc[hit, "distance"]
    assert ratio.between(1.608, 1.611).all()
    assert_only_changes(stream, clean, "distance", hit)


def test_vocabulary(planted):
    """Remarks come in the other vendor's style."""
    _, clean, stream, hit = planted("vocabulary")
    assert stream.loc[hit, "remarks"].tolist() == list(remarks.restyle(clean.loc[hit, "remarks"]))
    assert (stream.loc[hit, "remarks"] != clean.loc[hit, "remarks"]).mean() > 0.99
    assert_only_changes(stream, clean, "remarks", hit)


def test_wrong_model(planted):
    """The other model serves for half a day."""
    _, clean, stream, hit = planted("wrong-model")
    assert hit.sum() > 400
    assert (stream["model"] == np.where(hit, faults.WRONG, faults.RIGHT)).all()
    assert_only_changes(stream, clean, "model", hit)


def test_dependency(planted):
    """The environment is another one."""
    _, clean, stream, hit = planted("dependency")
    assert (stream["environment"] == hit).all()
    assert_only_changes(stream, clean, "environment", hit)


def test_latency(planted):
    """Answers take twice as long."""
    _, clean, stream, hit = planted("latency")
    np.testing.assert_allclose(stream["latency_seconds"], clean["latency_seconds"] * np.where(hit, 2, 1))
    assert_only_changes(stream, clean, "latency_seconds", hit)


def test_no_data(planted):
    """For two hours nothing comes, and everything else does."""
    fault, clean, stream, hit = planted("no-data")
    assert hit.sum() > 60
    assert not ((stream["time"] >= fault.start) & (stream["time"] < fault.end)).any()
    pd.testing.assert_frame_equal(stream, clean[~hit].reset_index(drop=True))


@pytest.mark.parametrize("seed", range(5))
def test_category_share(planted, seed):
    """One category loses 20 points of all rows to another."""
    fault, clean, stream, hit = planted("category-share", seed)
    before = clean.loc[hit, "engine"].value_counts() / hit.sum()
    after = stream.loc[hit, "engine"].value_counts() / hit.sum()
    assert after["Turbo-fan"] - before["Turbo-fan"] == pytest.approx(-0.20, abs=0.03)
    assert after[fault.value] - before[fault.value] == pytest.approx(0.20, abs=0.03)
    moved = (stream["engine"].fillna("") != clean["engine"].fillna("")).to_numpy()
    assert set(clean.loc[moved, "engine"]) == {"Turbo-fan"}
    assert_only_changes(stream, clean, "engine", hit)


def test_scores_are_of_the_inputs_that_arrive(served, models):
    """Faulty inputs are scored as they come, by the model that serves; labels follow the score."""
    plan = faults.plan(0)
    stream = faults.apply(plan, served, models)
    wrong = (stream["model"] == faults.WRONG).to_numpy()
    np.testing.assert_allclose(stream["score"][wrong], model.score(models.wrong, stream[wrong]))
    np.testing.assert_allclose(stream["score"][~wrong], model.score(models.right, stream[~wrong]))
    late = (stream["score"] >= models.right.threshold).to_numpy()
    assert (stream["label"] == np.where(late, model.LATE, model.ON_TIME)).all()


def test_apply_is_deterministic_and_leaves_its_input(frame, served, models):
    """The same plan twice gives the same stream; the flights stay as they were."""
    untouched = flights.serving(frame).reset_index(drop=True)
    one = faults.apply(faults.plan(3), served, models, seed=3)
    other = faults.apply(faults.plan(3), served, models, seed=3)
    pd.testing.assert_frame_equal(one, other)
    pd.testing.assert_frame_equal(served, untouched)
    assert not one["latency_seconds"].equals(faults.apply([], served, seed=4)["latency_seconds"])
