"""Checks of what several inputs say at once: numbers that part, requests that repeat."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllog.card import ModelCard
from watchers.checks import all_checks
from watchers.checks.repeated import crowded
from watchers.compare import compare, profile
from watchers.finding import Finding, Window
from watchers.history import History
from watchers.incidents import Engine
from watchers.judge import judge
from watchers.profile import WindowProfile
from watchers.view import View

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
PAST = 72
CHECKS = [check for check in all_checks() if check.name in {"correlation", "repeated"}]

Data = dict[str, list[Any]]


def frame(hour: int, n: int = 300) -> Data:
    """Four numbers: three that go together or against each other, one that goes alone."""
    rng = np.random.default_rng([7, hour])
    x = rng.normal(size=n)
    return {
        "x": x.tolist(), "near": (x + 0.4 * rng.normal(size=n)).tolist(), "against": (-x + 0.6 * rng.normal(size=n)).tolist(),
        "alone": rng.normal(size=n).tolist(),
    }  # fmt: skip


def kinds_of_request(kinds: int):
    """Requests of so many kinds, whose inputs are two categories; some kinds are more frequent than others."""

    def make(hour: int, n: int = 300) -> Data:
        rng = np.random.default_rng([8, hour])
        weight = 1 / (200 + np.arange(kinds))
        kind = rng.choice(kinds, n, p=weight / weight.sum())
        return {"a": [f"a{k % 20}" for k in kind], "b": [f"b{k // 20}" for k in kind]}

    return make


def card_of(make: Any) -> ModelCard:
    return ModelCard.from_frame(make(10_000, 3000), "m", "1")


CARD = card_of(frame)


def hour_of(card: ModelCard, data: Data, hour: int) -> WindowProfile:
    n = len(next(iter(data.values())))
    times = [START + hour * HOUR + dt.timedelta(seconds=3599 * k / n) for k in range(n)]
    counted = profile({**data, "time": times}, card, time="time")
    counted.window = Window(START + hour * HOUR, START + (hour + 1) * HOUR)
    return counted


CALM = [hour_of(CARD, frame(hour), hour) for hour in range(PAST + 24)]


def judged(data: Data, card: ModelCard = CARD, past: list[WindowProfile] | None = None, **more: Any) -> list[Finding]:
    """What both checks say of the hour after three calm days."""
    book = History(card, [*(CALM[:PAST] if past is None else past), hour_of(card, data, PAST)])
    last = len(book) - 1
    return judge(View(card, book, past=(0, last), now=(last, last + 1), **more), CHECKS)


def parted(*names: str, hour: int = PAST, n: int = 300) -> Data:
    """An hour in which some columns were put in another order for themselves."""
    data = frame(hour, n)
    for k, name in enumerate(names):
        data[name] = np.random.default_rng([hour, k]).permutation(data[name]).tolist()
    return data


def test_calm_hours_say_nothing():
    """Day after day, in windows of one and of four hours, numbers that go together do, and nothing repeats."""
    book = History(CARD, CALM)
    for last in range(PAST, len(book)):
        for length in (1, 4):
            first = last + 1 - length
            view = View(CARD, book, past=(0, first), now=(first, last + 1), length=length)
            assert judge(view, CHECKS) == []


@pytest.mark.parametrize("name", ["x", "near", "against"])
@pytest.mark.parametrize("n", [60, 300])
def test_the_one_that_parted_is_named(name: str, n: int):
    """Of three that go together one parts from both others: it is the one in both pairs, and the others aren't named."""
    (finding,) = judged(parted(name, n=n))
    assert (finding.check, finding.feature, finding.severity) == ("correlation", name, "warning")
    correlation = finding.evidence["correlation"]
    assert abs(correlation["before"]) > 0.6 > 2 * abs(correlation["now"])
    assert f"{correlation['now']:.2f} ({correlation['before']:.2f} at these hours)" in finding.message
    assert finding.evidence["partner"] in {"x", "near", "against"} - {name}
    assert finding.onset == START + PAST * HOUR


def test_a_tie_names_the_first():
    """Two partners alone: nobody can say which of them parted."""
    names = ("x", "against")
    card = card_of(lambda hour, n: {name: frame(hour, n)[name] for name in names})
    past = [hour_of(card, {name: frame(hour)[name] for name in names}, hour) for hour in range(PAST)]
    data = {name: parted("x")[name] for name in names}
    assert [finding.feature for finding in judged(data, card, past)] == ["against"]


def test_a_number_that_moved_itself_is_left_to_other_checks():
    """Where one side is high more often than it was, the pair says nothing: its own check does."""
    data = parted("near")
    data["near"] = [value + 0.6 for value in data["near"]]
    assert judged(data) == []
    book = History(CARD, [*CALM[:PAST], hour_of(CARD, data, PAST)])
    everything = judge(View(CARD, book, past=(0, PAST), now=(PAST, PAST + 1)))
    assert {(finding.check, finding.feature) for finding in everything} == {("numeric_drift", "near")}


def test_what_only_weakens_pages_nobody():
    """Half of the events parted: found and recorded, as a correlation that kept its sign and more than half its size."""
    data = frame(PAST, 3000)
    data["near"][:1200] = sorted(data["near"][:1200])
    (finding,) = judged(data)
    assert (finding.feature, finding.severity) == ("near", "info")
    assert " go together less than they did: " in finding.message


def test_what_serving_never_had_pages_nobody():
    """Where history has no such correlation, its coming or turning is recorded."""
    past = [hour_of(CARD, parted("x", "near", "against", hour=hour), hour) for hour in range(PAST)]
    found = judged(frame(PAST), past=past)
    assert {finding.severity for finding in found} == {"info"}


def test_two_frames_are_compared_by_larger_floors():
    """Without any history the card's own counts are what is usual; repeats have no usual then."""
    found = compare(CARD, profile({**parted("near", n=2000), "new": [1.0] * 2000}, CARD), all=True)
    assert ("correlation", "near", "alert") in {(f.check, f.feature, f.state) for f in found}
    assert "repeated" not in {finding.check for finding in found}
    again = {name: values + values for name, values in frame(PAST).items()}
    assert compare(CARD, profile(again, CARD)) == []


def with_repeats(data: Data, count: int) -> Data:
    """The first requests come again at the end."""
    return {name: values + values[:count] for name, values in data.items()}


@pytest.mark.parametrize(("kinds", "usually"), [(12, 0.95), (400, 0.33), (20_000, 0.04)])
def test_more_requests_repeat_more_by_chance(kinds: int, usually: float):
    """A model with few kinds of requests repeats by nature; twice or four times the traffic repeats more, and nothing is said.

    Where there are kinds enough for it to be seen, as many requests that were sent again are found.
    """
    make = kinds_of_request(kinds)
    card = card_of(make)
    past = [hour_of(card, make(hour), hour) for hour in range(PAST)]
    compared, repeated = sum(p.total() for p in past)[-2:]
    assert repeated / compared == pytest.approx(usually, abs=0.03)
    for n in (150, 300, 600, 1200):
        assert judged(make(PAST, n), card, past) == []
    found = judged(with_repeats(make(PAST, 300), 300), card, past)
    assert [finding.check for finding in found] == ([] if kinds == 12 else ["repeated"])
    for finding in found:
        assert (finding.feature, finding.evidence["query"]) == (None, {"kind": "any", "feature": None})
        assert "of requests repeat all inputs of an earlier one of the same hour (" in finding.message


@given(st.lists(st.floats(1e-3, 50), min_size=1, max_size=30), st.floats(1, 20))
def test_even_kinds_repeat_most(means: list[float], more: float):
    """Whatever the kinds' frequencies: no more repeats in more requests than if all that is known were evenly spread."""

    def share(factor: float) -> float:
        x = factor * np.array(means)
        return float(1 + np.expm1(-x).sum() / x.sum())

    assert share(more) <= crowded(share(1), more) + 1e-6
    even = 1 + np.expm1(-means[0]) / means[0]
    assert crowded(even, more) == pytest.approx(1 + np.expm1(-more * means[0]) / (more * means[0]), abs=1e-6)
    assert crowded(even, 0.5) == even


def test_what_is_usual_is_learnt_from_history_alone():
    """A week of hours with a client that polls: that is how it is; before there is history nothing is said."""
    polled = [hour_of(CARD, with_repeats(frame(hour), 60), hour) for hour in range(PAST)]
    assert judged(with_repeats(frame(PAST), 60), past=polled) == []
    assert [finding.severity for finding in judged(with_repeats(frame(PAST), 200), past=polled)] == ["warning"]
    assert [finding.severity for finding in judged(with_repeats(frame(PAST), 290))] == ["critical"]
    for hours in (0, 7):
        assert judged(with_repeats(frame(PAST), 290), past=CALM[:hours]) == []


@pytest.mark.parametrize("value", [None, 7.0])
def test_requests_that_look_alike_are_not_repeated(value: float | None):
    """Where the input that told them apart is gone or stuck, its own check speaks; a storm beside a steady one is found."""

    def make(hour: int, n: int = 300) -> Data:
        return {"amount": frame(hour, n)["x"], "country": np.random.default_rng(hour).choice(["DE", "AT", "CH"], n).tolist()}

    card = card_of(make)
    past = [hour_of(card, make(hour), hour) for hour in range(PAST)]
    assert judged({**make(PAST), "amount": [value] * 300}, card, past) == []
    assert [finding.check for finding in judged(with_repeats(make(PAST), 100), card, past)] == ["repeated"]


def test_the_hours_of_a_storm_do_not_teach():
    """While requests repeat, hour after hour is found, one incident is open, and it is over when they don't."""
    engine = Engine(CARD.model)
    book = History(CARD, CALM[:PAST])
    kinds, alerts = [], []
    for hour in range(PAST, PAST + 16):
        storm = PAST + 2 <= hour < PAST + 8
        data = with_repeats(parted("near", hour=hour), 120) if storm else frame(hour)
        book.append(hour_of(CARD, data, hour))
        view = View(CARD, book, past=(0, hour), now=(hour, hour + 1), spans=engine.quarantine())
        findings = judge(view, CHECKS)
        alerts.append(sorted({finding.check for finding in findings}))
        findings.append(view.finding("judged", feature=None, n=view.n, message="judged", severity="info"))
        kinds += [event.kind for event in engine.update(findings, view.profile.window, 1)]
    assert alerts == [[]] * 2 + [["correlation", "repeated"]] * 6 + [[]] * 8
    (incident,) = engine.incidents.values()
    assert (kinds[0], kinds[-1], incident.features) == ("opened", "recovered", ["near"])
    assert engine.quarantine() == [(frozenset({"near", "@repeated"}), START + (PAST + 2) * HOUR, incident.recovered)]
