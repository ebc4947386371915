from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import watchers
from mllog import CardError, ModelCard
from mllog.ruler import LATENCY, SCORE
from watchers.compare import _rows_by_time
from watchers.finding import Finding
from watchers.profile import WindowProfile

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
STATES = {"ok", "learning", "unknown", "alert"}


def frame(n: int, seed: int, hours: float = 1.0, start: dt.datetime = START, **changes: Any) -> dict[str, list[Any]]:
    """Rows of a calm stream, spread over some hours."""
    rng = np.random.default_rng(seed)
    return {
        "n": rng.normal(0, 1, n).tolist(), "c": rng.choice(["UA", "AA", "DL"], n, p=[0.5, 0.3, 0.2]).tolist(),
        "at": [start + dt.timedelta(hours=hours * k / n) for k in range(n)], **changes,
    }  # fmt: skip


def without(data: dict[str, list[Any]], *names: str) -> dict[str, list[Any]]:
    """Without some columns."""
    return {name: values for name, values in data.items() if name not in names}


def named(findings: list[Finding]) -> set[tuple[str, str | None]]:
    """Checks and features of findings."""
    return {(f.check, f.feature) for f in findings}


NULLS = [None] * 400


def test_two_frames_that_are_alike() -> None:
    """Rows of the same stream give no alert, with or without times."""
    past, now = frame(8000, 1, hours=20), frame(400, 2, start=START + dt.timedelta(hours=20))
    assert watchers.compare(past, now, time="at") == []
    assert watchers.compare(without(past, "at"), without(now, "at")) == []


@pytest.mark.parametrize("timed", [True, False])
def test_two_frames_that_differ(timed: bool) -> None:
    """A feature that went null is an alert on it; finding and window say what was compared."""
    past, now = frame(8000, 1, hours=20), frame(400, 2, start=START + dt.timedelta(hours=20))
    now["n"] = NULLS
    drop = () if timed else ("at",)
    findings = watchers.compare(without(past, *drop), without(now, *drop), time="at" if timed else None)
    assert any(feature == "n" and f.state == "alert" for f in findings for feature in [f.feature])
    for finding in findings:
        assert finding.model == ""
        assert finding.version is None
        assert finding.n > 0
        ends = (finding.window.start, finding.window.end)
        assert ends == ((min(now["at"]), max(now["at"])) if timed else (None, None))


def test_every_kind_of_frame_gives_the_same_findings() -> None:
    """pandas, polars and plain columns, and columns in any order, are judged alike."""
    past, now = without(frame(4000, 1), "at"), without(frame(400, 2), "at")
    now["c"] = ["ZZ"] * 400
    want = [f.to_dict() for f in watchers.compare(past, now)]
    assert want
    for make in (pd.DataFrame, pl.DataFrame, lambda data: dict(reversed(data.items()))):
        assert [f.to_dict() for f in watchers.compare(make(past), make(now))] == want
        assert [f.to_dict() for f in watchers.compare(past, make(now))] == want


def test_history_of_frames() -> None:
    """Frames as history are windows; their own variance decides."""
    reference = without(frame(4000, 1), "at")
    history = [without(frame(400, 10 + k), "at") for k in range(12)]
    assert watchers.compare(reference, without(frame(400, 2), "at"), history=history) == []
    broken = {**without(frame(400, 2), "at"), "n": NULLS}
    findings = watchers.compare(reference, broken, history=history)
    assert ("n" in {f.feature for f in findings}) is True
    assert not any("there is no history" in f.message for f in findings)


@pytest.mark.parametrize(("windows", "states"), [(None, {"ok", "alert"}), (3, {"learning", "alert"}), (12, {"ok", "alert"})])
def test_card_and_profiles(windows: int | None, states: set[str]) -> None:
    """A card and profiles, without history, with a short and with a long one: each check has its state."""
    card = ModelCard.from_frame(frame(4000, 1), "m", "1", time="at", segments=["c"])
    profiles = [watchers.profile(frame(400, 10 + k, start=START + dt.timedelta(days=k)), card, time="at") for k in range(12)]
    history = None if windows is None else profiles[:windows]
    calm = watchers.profile(frame(400, 2, start=START + dt.timedelta(days=12)), card, time="at")
    everything = watchers.compare(card, calm, history=history, all=True)
    assert {f.state for f in everything} <= states - {"alert"}
    assert len(everything) > 3
    assert watchers.compare(card, calm, history=history) == []
    broken = watchers.profile(frame(400, 2, start=START + dt.timedelta(days=12), c=["ZZ"] * 400), card, time="at")
    alerts = watchers.compare(card, broken, history=history)
    assert ("unseen_category", "c") in named(alerts)
    assert {f.state for f in alerts} == {"alert"}
    both = watchers.compare(card, broken, history=history, all=True)
    assert {f.state for f in both} <= states
    assert named(alerts) <= named(both)
    assert all(f.model == "m" for f in both)
    assert all(("there is no history" in f.message) == (windows is None) for f in both)


def test_without_history_no_segment_is_blamed() -> None:
    """A card has no counts of segments: what a segment usually says is unknown, and not nothing."""
    rng = np.random.default_rng(1)
    site = rng.choice(["A", "B"], 4000, p=[0.7, 0.3]).tolist()
    card = ModelCard.from_frame(frame(4000, 1, site=site), "m", "1", time="at", segments=["site"])
    shifted = frame(4000, 2, site=site, c=rng.choice(["UA", "AA", "DL"], 4000, p=[0.4, 0.3, 0.3]).tolist())
    (finding,) = watchers.compare(card, watchers.profile(shifted, card, time="at"))
    assert (finding.check, finding.feature, finding.segment) == ("category_shift", "c", None)
    assert finding.reference == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("history", [None, []])
def test_an_empty_window_is_unknown(history: list[Any] | None) -> None:
    """A window without events can't be judged: one finding, of state unknown, never ok."""
    card = ModelCard.from_frame(frame(4000, 1), "m", "1", time="at")
    for empty in (WindowProfile("m", card.ruler.hash), {"n": [], "c": []}, pd.DataFrame({"n": [], "c": []})):
        (finding,) = watchers.compare(card, empty, history=history)
        assert (finding.state, finding.n) == ("unknown", 0)
    (finding,) = watchers.compare(frame(4000, 1), {name: [] for name in frame(1, 1)}, time="at")
    assert finding.state == "unknown"


def test_findings_have_the_keys_of_the_contract() -> None:
    """Every finding is strict JSON with the keys that scripts read."""
    import orjson

    findings = watchers.compare(frame(4000, 1), frame(400, 2), time="at", all=True)
    keys = {"check", "feature", "segment", "model", "version", "window", "n", "reference", "observed", "effect", "p_value", "q_value", "state",
            "severity", "onset", "documents", "message"}  # fmt: skip
    for finding in findings:
        data = orjson.loads(orjson.dumps(finding.to_dict()))
        assert keys <= set(data)
        assert data["state"] in STATES
        assert data["severity"] in {"info", "warning", "critical"}


def test_what_was_given_stays_as_it_was() -> None:
    """Comparing changes neither frames nor profiles."""
    past, now = frame(4000, 1), frame(400, 2)
    card = ModelCard.from_frame(past, "m", "1", time="at")
    profiles = [watchers.profile(frame(400, k), card, time="at") for k in range(9)]
    before = [p.to_dict(card.ruler) for p in profiles]
    lengths = {name: list(values) for name, values in now.items()}
    watchers.compare(card, now, history=profiles, time="at")
    assert [p.to_dict(card.ruler) for p in profiles] == before
    assert now == lengths


def test_a_profile_of_another_ruler_is_refused() -> None:
    """Counts by another ruler can't be compared."""
    card = ModelCard.from_frame(frame(4000, 1), "m", "1", time="at")
    with pytest.raises(CardError, match="profile the data with this card"):
        watchers.compare(card, WindowProfile("m", "0" * 16))


def test_wrong_names_are_told() -> None:
    """A time or segment column that isn't there is an error with its name."""
    card = ModelCard.from_frame(frame(400, 1), "m", "1", time="at")
    with pytest.raises(CardError, match="time='when'"):
        watchers.profile(frame(10, 1), card, time="when")
    with pytest.raises(CardError, match="segments"):
        watchers.compare(frame(400, 1), frame(40, 2), time="at", segments=["carrier"])
    with pytest.raises(CardError, match="time"):
        watchers.compare(frame(400, 1), frame(40, 2), time="when")
    with pytest.raises(CardError, match="frame was expected"):
        watchers.compare(5, 6)


def test_profiles_of_frames() -> None:
    """A profile counts rows by stratum and segment; outputs are columns with an @, the time is no feature."""
    card = ModelCard.from_frame(frame(400, 1), "m", "1", time="at", segments=["c"])
    data = frame(120, 3, hours=2, start=START)
    profile = watchers.profile({**data, SCORE: [0.5] * 120, LATENCY: [0.01] * 120}, card, time="at")
    assert profile.n == 120
    assert {stratum for stratum, _ in profile.cells} == {"d00", "d01"}
    assert (profile.window.start, profile.window.end) == (min(data["at"]), max(data["at"]))
    assert sum(profile.total(("c", value))[0] for value in ("UA", "AA", "DL")) == 120
    assert profile.total()[card.ruler.index[SCORE, "bin", "10"]] == 120
    assert "unexpected" not in profile.names


def test_outputs_in_both_frames() -> None:
    """Scores in columns called @score are compared as outputs."""
    rng = np.random.default_rng(0)
    past = {**without(frame(8000, 1), "at"), SCORE: rng.beta(2, 5, 8000).tolist()}
    now = {**without(frame(400, 2), "at"), SCORE: rng.beta(5, 2, 400).tolist()}
    assert SCORE in {f.feature for f in watchers.compare(past, now)}


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_a_burst_is_compared_by_rows(seconds: float) -> None:
    """Rows of a batch job, all within a second or at once, beside weeks: windows of as many rows, not of as short a time."""
    reference = frame(12 * 400, 1)
    start = max(reference["at"]) + dt.timedelta(hours=1)

    def burst(**changes: Any) -> dict[str, Any]:
        data = {**frame(400, 2), **changes}
        return {**data, "at": [start + dt.timedelta(seconds=seconds * k) for k in range(400)]}

    assert watchers.compare(reference, burst(), time="at") == []
    found = watchers.compare(reference, burst(n=[value and value + 2 for value in frame(400, 2)["n"]]), time="at")
    assert "n" in {f.feature for f in found}
    assert not any("there is no history" in f.message for f in found)


@pytest.mark.parametrize(("share", "sizes"), [(0.5, {200}), (0.3, {120}), (0.2, {400}), (0.1, {400})])
def test_a_sparse_reference_is_cut_by_time_until_its_windows_say_little(share: float, sizes: set[int]) -> None:
    """Hours with half of the current rows are compared as hours; with a tenth, as many rows as there are now."""
    start = START + dt.timedelta(hours=100)
    times = [START + k * dt.timedelta(hours=100) / round(100 * 400 * share) for k in range(round(100 * 400 * share))]
    now = frame(400, 2, start=start)
    card = ModelCard.from_frame(now, "m", "1", time="at")
    window = watchers.profile({**now, "at": [*now["at"][:-1], start + dt.timedelta(hours=1)]}, card, time="at")
    assert {len(rows) for rows in _rows_by_time(times, window)} == sizes


def test_inputs_alone_are_no_missing_answers() -> None:
    """Who compares a frame of inputs with a card of inputs and predictions isn't told that the model says nothing."""
    data = without(frame(4000, 1), "at")
    rng = np.random.default_rng(0)
    card = ModelCard.from_frame({**data, SCORE: rng.beta(2, 5, 4000).tolist()}, "m", "1")
    assert watchers.compare(card, without(frame(400, 2), "at")) == []
