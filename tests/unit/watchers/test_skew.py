"""Does serving differ from training? What the daily question finds in a real store, how often, and when it is over."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import mllog
from mllog.card import ModelCard
from mllog.environment import Manifest
from watchers.compare import profile
from watchers.config import Config
from watchers.finding import Finding, Window
from watchers.incidents import Engine, IncidentEvent
from watchers.incidents.text import belongs
from watchers.notify import Route, notify
from watchers.profile import WindowProfile
from watchers.schedule import incidents_of, run
from watchers.skew import CONFIDENCE, HOURS, _reach, training_skew
from watchers.stores import FilesStore

START = dt.datetime(2026, 3, 2, 5, tzinfo=dt.UTC)
"""The first event comes in the middle of a day."""

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
PER_HOUR = 40
TRAINED = (0.6, 0.25, 0.15)
OFF = (0.45, 0.25, 0.30)
"""15 points of AT instead of DE."""

QUICK = Config(lengths=((24, 24),))
"""The daily question beside as few others as possible."""


def rows(count, shares, rng, shift=0.0):
    """Requests: country and amount."""
    for country, amount in zip(rng.choice(["DE", "CH", "AT"], count, p=shares), rng.normal(50, 10, count), strict=True):
        yield {"country": str(country), "amount": float(amount + shift)}


def make_card():
    made = list(rows(20_000, TRAINED, np.random.default_rng(3)))
    return ModelCard.from_frame({name: [row[name] for row in made] for name in made[0]}, "shop", "1")


CARD = make_card()


def write(folder, days, shares=lambda day: TRAINED, shift=lambda day: 0.0):
    """Days of requests by the real logger; both depend on how many days have gone by."""
    now = 0
    rng = np.random.default_rng(7)
    with mllog.ModelLogger(
        "shop", version="1", card=CARD, sink=folder, clock=lambda: now, environment=Manifest(python="3.12")
    ) as log:
        for hour in range(int(24 * days)):
            for k, inputs in enumerate(rows(PER_HOUR, shares(hour / 24), rng, shift(hour / 24))):
                now = int((START + hour * HOUR).timestamp()) * 10**9 + k * 60 * 10**9
                log.prediction(inputs, {"score": 0.5})
    return folder


def events_of(folder):
    """What became of incidents of this question: (kind, event time)."""
    stored = [IncidentEvent.from_dict(event) for event in FilesStore(folder).incident_events()]
    lasting = {incident.id for incident in incidents_of(FilesStore(folder)).values() if incident.lasting}
    return [(event.kind, event.at) for event in stored if event.incident in lasting]


def judge_until(folder, days, config=QUICK):
    """Judge what is due ten minutes after a midnight."""
    return run(FilesStore(folder), midnight(days) + HOUR / 6, config=config)


def midnight(days):
    return START.replace(hour=0) + days * DAY


def written(folder):
    """What was written of findings, incidents and profiles, and the memory of the engine."""
    results = {path.name + path.parent.name: path.read_bytes() for path in (folder / "_watchers").rglob("*.ndjson")}
    # What a state has besides says how it came to be: how often it was written, and where one could go back to.
    state = FilesStore(folder).state("shop")
    return results, {name: state[name] for name in ("judged", "ruler", "engine")}


@pytest.fixture(scope="module")
def gap(tmp_path_factory):
    """Twelve days with a gap from the first day on, and twelve without it; nobody judged them."""
    folder = tmp_path_factory.mktemp("skew") / "events"
    return write(folder, 24, lambda day: OFF if day < 12 else TRAINED)


@pytest.fixture(scope="module")
def judged(gap, tmp_path_factory):
    """The same, judged at once."""
    folder = Path(shutil.copytree(gap, tmp_path_factory.mktemp("judged") / "events"))
    return folder, judge_until(folder, 24)


@pytest.fixture
def folder(gap, tmp_path):
    return Path(shutil.copytree(gap, tmp_path / "events"))


def test_a_gap_from_the_first_day_is_one_incident_told_once(judged):
    """Two days can't be told from chance; the second that can opens it, and it is over when most of a week is."""
    folder, report = judged
    assert events_of(folder) == [("opened", midnight(4)), ("recovered", midnight(19))]
    (incident,) = [incident for incident in incidents_of(FilesStore(folder)).values() if incident.lasting]
    assert (incident.checks, incident.features, incident.segment) == (["training_skew"], ["country"], None)
    assert (incident.severity, incident.onset) == ("warning", START)
    assert incident.title == "country: serving differs from training"
    assert incident.message.startswith("serving differs from training: over 4 days `country`=")
    assert "% of requests (" in incident.message
    assert len(incident.documents) == 5
    assert report.problems == []


def test_findings_say_which_contrast_and_of_which_week(judged):
    """One finding a day, of the last seven days or of as many as there are."""
    findings = [finding for finding in judged[1].findings if finding.check == "training_skew"]
    ends = [finding.window.end for finding in findings]
    assert ends == [midnight(day) for day in range(3, 17)]
    starts = [finding.window.start for finding in findings]
    assert starts == [max(START, end - 7 * DAY) for end in ends]
    assert {(finding.feature, finding.evidence["check"]) for finding in findings} == {("country", "category_shift")}
    assert {finding.evidence["contrast"] for finding in findings} <= {"AT", "DE"}


def test_the_end_of_a_gap_is_its_end_although_it_looks_like_a_fault(judged):
    """That the shares changed is an incident against history; its hours count for what serving is like now."""
    incidents = incidents_of(FilesStore(judged[0])).values()
    (fault,) = [incident for incident in incidents if not incident.lasting]
    (skew,) = [incident for incident in incidents if incident.lasting]
    assert (fault.checks, fault.active, skew.active) == (["category_shift"], True, False)


def test_catching_up_is_the_same_as_judging_day_by_day(folder, judged):
    """Runs that know of each other only what they wrote, each an hour later in the day, leave what one run left."""
    for hour in range(24, 24 * 24, 25):
        run(FilesStore(folder), midnight(0) + hour * HOUR + HOUR / 6, config=QUICK)
    judge_until(folder, 24)
    assert written(folder) == written(judged[0])


def test_equal_data_gives_nothing(tmp_path):
    """Ten days as in training: no finding, no incident."""
    folder = write(tmp_path / "events", 10)
    report = judge_until(folder, 10)
    assert (report.hours, report.findings, report.events) == ({"shop": 235}, [], [])


def test_each_finding_stands_with_its_own_incident(judged):
    """What broke in a feature isn't listed under its gap to training, nor the other way round."""
    folder, _ = judged
    for incident in incidents_of(FilesStore(folder)).values():
        listed = {finding["check"] for finding in FilesStore(folder).findings("shop") if belongs(finding, incident)}
        assert listed == set(incident.checks)


# The week alone -------------------------------------------------------------------------------------------------------


def hours_of(count, shares=TRAINED, change=None, seed=5):
    """Profiles of hours by the card; ``change(k, row)`` is what an hour makes of a row."""
    rng = np.random.default_rng(seed)
    result = []
    for k in range(count):
        made = [row if change is None else change(k, row) for row in rows(PER_HOUR, shares, rng)]
        hour = profile({name: [row[name] for row in made] for name in ("country", "amount")}, CARD)
        hour.window = Window(START + k * HOUR, START + (k + 1) * HOUR)
        result.append(hour)
    return result


def alerts(findings):
    return [finding for finding in findings if finding.state == "alert"]


def now_and_then(name, value, share):
    """A change of a share of the rows."""
    rng = np.random.default_rng(11)
    return lambda _, row: {**row, name: value(row[name]) if callable(value) else value} if rng.random() < share else row


@pytest.mark.parametrize(
    ("change", "feature", "contrast", "severity", "words"),
    [
        (now_and_then("amount", None, 0.08), "amount", "missing", "info", "over 7 days `amount` is null in "),
        (now_and_then("amount", None, 0.2), "amount", "missing", "warning", "% of requests (0% expected)"),
        (now_and_then("amount", lambda v: v + 3.5, 1), "amount", "location", "info", "`amount` is higher by 0.3"),
        (now_and_then("amount", lambda v: v + 8, 1), "amount", "location", "warning", " sd than in training"),
        (now_and_then("amount", lambda v: 50 + 2 * (v - 50), 1), "amount", "spread", "warning", "more spread out"),
        (now_and_then("amount", "much", 0.3), "amount", "type_change", "warning", "`amount` is no number in "),
        (now_and_then("country", "FR", 0.07), "country", "unseen_category", "info", "that training never had in "),
        (now_and_then("country", "CH", 0.15), "country", "CH", "warning", "`country`=CH makes up 3"),
    ],
)
def test_each_contrast_has_its_floor_and_its_words(change, feature, contrast, severity, words):
    """From 5 points and 0.25 sd on a gap is recorded, from twice as much somebody is told; never is it critical."""
    (finding,) = alerts(training_skew(CARD, hours_of(HOURS, change=change)))
    assert (finding.check, finding.feature, finding.severity) == ("training_skew", feature, severity)
    assert finding.evidence["contrast"] == contrast
    assert words in finding.message
    assert "since" not in finding.message
    assert finding.window == Window(START, START + 7 * DAY)


@pytest.mark.parametrize(
    "change",
    [
        None,
        now_and_then("amount", None, 0.04),
        now_and_then("amount", lambda v: v + 2, 1),
        now_and_then("country", "FR", 0.04),
        now_and_then("country", "CH", 0.05),
    ],
)
def test_smaller_gaps_are_what_weeks_are_like(change):
    """Four points, or a fifth of a standard deviation, are certain at 6,720 rows, and nobody hears of them."""
    assert [finding.state for finding in training_skew(CARD, hours_of(HOURS, change=change))] == ["ok"]


def test_a_gap_of_some_days_is_weather():
    """Half a standard deviation over the week, made of three bad days, is none; nor is it over for sure."""
    hours = hours_of(HOURS, change=lambda k, row: {**row, "amount": row["amount"] + (12 if 48 <= k < 120 else 0)})
    assert [(finding.feature, finding.state) for finding in training_skew(CARD, hours)] == [
        (None, "ok"),
        ("amount", "unknown"),
    ]


def test_one_odd_day_ends_no_gap():
    """A holiday on which serving is like training doesn't say that the gap is gone."""
    calm = hours_of(24)
    hours = hours_of(HOURS, OFF)
    for hour, other in zip(hours[72:96], calm, strict=True):
        hour.cells = other.cells
    (finding,) = [finding for finding in training_skew(CARD, hours) if finding.feature == "country"]
    assert finding.state in {"alert", "unknown"}


def test_a_day_is_needed_and_hours_that_were_not_counted_are_none():
    """Under 24 hours nothing is said; nor by hours without events, or that the store could not count."""
    hours = hours_of(80, OFF)
    assert training_skew(CARD, hours[:23]) == []
    assert [finding.state for finding in training_skew(CARD, hours[:24])] == ["ok", "unknown"]
    assert [finding.state for finding in training_skew(CARD, hours)] == ["ok", "alert"]
    empty = [WindowProfile("shop", CARD.ruler.hash, hour.window) for hour in hours[20:]]
    assert training_skew(CARD, hours[:20] + empty) == []
    for hour in hours[20:]:
        hour.complete = False
    assert training_skew(CARD, hours) == []


def test_a_fault_is_not_how_serving_differs():
    """Two days of a fault shift the week; without the hours of its incident there is no gap."""
    hours = hours_of(HOURS, change=lambda k, row: {**row, "amount": None} if k < 48 else row)
    spans = [(frozenset({"amount"}), START, START + 2 * DAY)]
    assert [finding.feature for finding in alerts(training_skew(CARD, hours))] == ["amount"]
    assert [finding.state for finding in training_skew(CARD, hours, spans)] == ["ok"]
    other = [(frozenset({"country"}), START, None)]
    assert [finding.feature for finding in alerts(training_skew(CARD, hours, other))] == ["amount"]


def test_a_gap_beside_a_fault_is_still_one():
    """What else the feature does in the days without the incident is judged, and said by those days alone."""
    hours = hours_of(HOURS, OFF, change=lambda k, row: {**row, "country": None} if k < 48 else row)
    spans = [(frozenset({"country"}), START, START + 2 * DAY)]
    (finding,) = alerts(training_skew(CARD, hours, spans))
    assert (finding.feature, finding.evidence["contrast"]) == ("country", "AT")
    assert "over 5 days" in finding.message
    assert finding.window == Window(START, START + 7 * DAY)


def test_without_a_day_outside_of_incidents_nothing_is_known():
    """Then the incident speaks for the feature; the others are judged."""
    hours = hours_of(HOURS, OFF, change=lambda _, row: {**row, "amount": None})
    findings = training_skew(CARD, hours, [(frozenset({"amount"}), START + 20 * HOUR, None)])
    assert {(finding.feature, finding.state) for finding in findings} == {
        (None, "ok"),
        ("amount", "unknown"),
        ("country", "alert"),
    }


@given(
    st.integers(2, 7).flatmap(lambda days: st.lists(st.floats(-1, 1), min_size=days, max_size=days)),
    st.integers(1, 50),
)
def test_days_of_one_size_are_a_sample_of_days(gaps, size):
    """Then the bound is the plain one of a mean, whatever hours a day is made of; hours without events are none."""
    hours = np.repeat(np.arange(len(gaps)), 2)
    n = np.tile([[size], [0]], (len(gaps), 1)).astype(float)
    reach = _reach(n * np.repeat(gaps, 2)[:, None], n, hours)
    expected = stats.t.ppf(CONFIDENCE, len(gaps) - 1) * np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    assert reach == pytest.approx([expected], abs=1e-9)


# Its incident ---------------------------------------------------------------------------------------------------------


def said(engine, days, gaps):
    """A week after the other; ``gaps(day)`` names the features that differ, and how severely."""
    events = []
    for day in days:
        window = Window(START + (day - 7) * DAY, START + day * DAY)
        findings = [
            Finding("training_skew", "shop", window, 500, name, state="alert", severity=severity, onset=window.start)
            for name, severity in gaps(day)
        ]
        findings.append(Finding("training_skew", "shop", window, 500))
        events += engine.update(findings, window, HOURS)
    return events


def test_it_comes_again_within_a_week_or_anew():
    """Three quiet days end it; what comes back within a week goes on, what comes later is another one."""
    engine = Engine("shop")
    events = said(engine, range(80), lambda day: [("a", "warning")] if day % 40 < 5 or 10 < day < 13 else [])
    assert [event.kind for event in events] == ["opened", "recovered", "reopened", "recovered", "opened", "recovered"]
    assert len(engine.incidents) == 2
    assert events[1].at == START + 7 * DAY
    assert engine.state()["cases"] == []


def test_small_gaps_open_quietly_and_are_told_when_they_grow():
    """A receiver of warnings hears nothing of an incident of severity info, once that it grew, and that it is over."""
    engine = Engine("shop")
    events = said(
        engine, range(20), lambda day: [("a", "info" if day < 5 else "warning"), ("b", "info")] if day < 15 else []
    )
    assert [event.kind for event in events] == ["opened", "updated", "recovered"]
    sent = []

    class Carrier:
        def send(self, route, message):
            sent.append((route.severity, message.title))

    routes = [Route("json://here", severity=severity) for severity in ("info", "warning", "critical")]
    notify([*events, *events], engine.incidents, routes, notifier=Carrier())
    title = "[shop] a: serving differs from training (and 1 more feature)"
    assert sent == [
        ("info", title),
        ("warning", f"Worse: {title}"),
        ("info", f"Recovered: {title}"),
        ("warning", f"Recovered: {title}"),
    ]


def test_a_gap_neither_leaves_the_history_nor_keeps_suspects_in_it():
    """Its hours teach what is normal; a feature that it names leaves the history all the same when it may be broken."""
    engine = Engine("shop")
    said(engine, range(5), lambda _: [("a", "warning")])
    assert engine.quarantine() == []
    window = Window(START + 5 * DAY, START + 5 * DAY + HOUR)
    engine.update([Finding("missing", "shop", window, 500, "a", state="alert")], window, 1)
    assert engine.quarantine() == [(frozenset({"a"}), window.start, None)]


def test_the_command_lists_it(judged, capsys):
    """``watchers incidents`` shows it as any other; gaps that are told to nobody stand there too."""
    from watchers.cli import main

    folder, _ = judged
    assert main(["incidents", "--store", str(folder), "--json"]) == 1
    listed = json.loads(capsys.readouterr().out)["incidents"]
    assert ["training_skew"] in [incident["checks"] for incident in listed]
