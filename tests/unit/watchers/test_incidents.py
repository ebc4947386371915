"""Incidents: persistence, grouping, recovery, and that nothing but events and state is remembered."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchers.finding import Effect, Finding, Window
from watchers.incidents import Engine, Incident, IncidentEvent, fold, rank_causes
from watchers.profile import WindowProfile

T0 = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def window(hour, length=1):
    """The window of ``length`` hours that begins ``hour`` hours after the start."""
    return Window(T0 + hour * HOUR, T0 + (hour + length) * HOUR)


def finding(
    check="missing",
    feature="carrier",
    state="alert",
    *,
    w,
    effect=0.3,
    severity="warning",
    segment=None,
    onset=None,
):
    return Finding(
        check,
        "delay",
        w,
        500,
        feature=feature,
        segment=segment,
        version="1",
        state=state,
        severity=severity,
        effect=Effect("share", effect, effect - 0.1, effect + 0.1),
        onset=onset,
        message=f"{feature} {check}",
        documents=[f"{feature}-{check}"],
    )


def run(engine, hours, make, length=1):
    """Judge one window after the other; ``make(hour, window)`` gives what the checks said."""
    events = []
    for hour in hours:
        w = window(hour, length)
        events += engine.update(make(hour, w), w, length)
    return events


def broken(first, last, check="missing", feature="carrier", **more):
    """Alerts from hour ``first`` up to, not including, ``last``."""
    return lambda hour, w: [
        finding(check, feature, "alert" if first <= hour < last else "ok", w=w, **more),
        finding("missing", "origin", "ok", w=w),
    ]


def kinds(events):
    return [event.kind for event in events]


def test_one_alert_is_not_enough():
    """A single alerting window opens nothing."""
    assert run(Engine("delay"), range(10), broken(3, 4)) == []


def test_two_of_three_open():
    """The second alert within three windows opens an incident whose onset is the first one."""
    engine = Engine("delay")
    events = run(engine, range(3), lambda h, w: [finding(state="alert" if h in {0, 2} else "ok", w=w)])
    assert kinds(events) == ["opened"]
    incident = engine.incidents[events[0].incident]
    assert (incident.onset, incident.opened) == (T0, T0 + 3 * HOUR)
    assert incident.title == "carrier: missing more often"
    assert (incident.features, incident.checks, incident.state) == (["carrier"], ["missing"], "open")


def test_unknown_counts_neither_way():
    """Windows that could not be judged neither confirm nor clear."""
    states = ["alert", "unknown", "unknown", "learning", "alert"] + ["unknown"] * 20
    engine = Engine("delay")
    events = run(engine, range(len(states)), lambda h, w: [finding(state=states[h], w=w)])
    assert kinds(events) == ["opened"]
    assert events[0].at == T0 + 5 * HOUR
    assert all(incident.active for incident in engine.incidents.values())


def test_facts_open_at_once():
    """What needs no statistics needs no second window."""
    assert kinds(run(Engine("delay"), range(4), broken(3, 4, "vanished"))) == ["opened"]


def test_info_opens_nothing():
    """Findings of severity info are recorded and no more."""
    assert run(Engine("delay"), range(5), broken(0, 5, severity="info")) == []


def test_forty_features_are_one_incident():
    """An upstream fault that hits forty features is one incident, told once."""
    engine = Engine("delay")
    events = run(engine, range(6), lambda h, w: [finding(feature=f"f{i}", w=w) for i in range(40)])
    assert kinds(events) == ["opened"]
    assert {f"f{i}" for i in range(40)} == set(engine.incidents[events[0].incident].features)


def test_far_onsets_are_two_incidents():
    """Another feature that breaks many hours later is another incident."""
    engine = Engine("delay")
    events = run(
        engine, range(15), lambda h, w: [*broken(0, 99)(h, w), *broken(10, 99, feature="dest")(h, w)]
    )
    assert kinds(events) == ["opened", "opened"]


def test_the_specific_check_leads():
    """A better explanation that joins takes the lead, and that is news; more of the same is not."""
    engine = Engine("delay")

    def make(hour, w):
        late = [finding("renamed", "dest", w=w, effect=0.01, severity="critical")] if hour >= 2 else []
        return [
            finding("output_drift", "@score", w=w, effect=9.0),
            finding("numeric_drift", "distance", w=w),
            *late,
        ]

    events = run(engine, range(8), make)
    assert kinds(events) == ["opened", "updated"]
    assert events[0].data["features"] == ["distance", "@score"]
    assert (
        events[1].data["title"],
        events[1].data["severity"],
    ) == ("dest: renamed (and 2 more features)", "critical")


@pytest.mark.parametrize(("effect", "segment"), [(0.35, {"carrier": "EV"}), (0.99, None)])
def test_a_segment_is_named_only_where_it_stands_out(effect, segment):
    """A fault of everybody is not blamed on the segment where chance made it largest."""
    engine = Engine("delay")
    events = run(
        engine,
        range(2),
        lambda h, w: [finding(w=w, effect=effect), finding(w=w, effect=1.0, segment={"carrier": "EV"})],
    )
    assert segment == engine.incidents[events[0].incident].segment


def test_recovery_after_three_quiet_windows():
    """Three judged quiet windows in a row end it, and it says when."""
    engine = Engine("delay")
    events = run(engine, range(20), broken(2, 8))
    assert kinds(events) == ["opened", "recovered"]
    assert engine.incidents[events[0].incident].recovered == T0 + 11 * HOUR


def test_an_alert_between_delays_recovery():
    """A single alert is enough to start counting anew."""
    assert (
        run(
            Engine("delay"),
            range(20),
            lambda h, w: [finding(state="alert" if h < 8 or h == 10 else "ok", w=w)],
        )[-1].at
        == T0 + 14 * HOUR
    )


def test_no_data_is_over_with_the_first_event():
    """Silence ends with the first window that has data, even if checks know too little to speak."""
    engine = Engine("delay")

    def make(hour, w):
        silent = 3 <= hour < 6
        return [
            finding("no_data", None, "alert" if silent else "ok", w=w, severity="critical"),
            finding(state="unknown" if silent else "ok", w=w),
        ]

    events = run(engine, range(9), make)
    assert [(e.kind, e.at) for e in events] == [("opened", T0 + 4 * HOUR), ("recovered", T0 + 7 * HOUR)]
    assert engine.quarantine() == []


def mixed(first, last, engine, hours, long_feature="carrier"):
    """Hourly windows, and 24-hour ones every four hours, which alert while they hold any broken hour."""
    events = []
    for hour in hours:
        w = window(hour)
        events += engine.update(broken(first, last)(hour, w), w, 1)
        if hour % 4 == 3 and hour >= 23:
            w = window(hour - 23, 24)
            state = "alert" if w.start < T0 + last * HOUR and w.end > T0 + first * HOUR else "ok"
            events += engine.update([finding(state=state, feature=long_feature, w=w, effect=0.05)], w, 24)
    return events


@pytest.mark.parametrize("feature", ["carrier", "dest"])
def test_the_tail_of_a_fault_opens_nothing(feature):
    """A day's window that still holds the fault's hours neither delays recovery nor opens another one."""
    engine = Engine("delay")
    events = mixed(30, 40, engine, range(120), feature)
    assert [kind for kind in kinds(events) if kind != "updated"] == ["opened", "recovered"]
    assert len(engine.incidents) == 1
    assert next(e.at for e in events if e.kind == "recovered") == T0 + 46 * HOUR
    assert all(not incident.active for incident in engine.incidents.values())


def test_flapping_reopens():
    """The same feature within a day of its recovery is the same incident again, and taken by nobody."""
    engine = Engine("delay")
    events = run(engine, range(9), broken(0, 4))
    engine.acknowledge(events[0].incident, "ada", events[-1].at)
    events += run(engine, range(9, 30), broken(15, 20))
    assert kinds(events) == ["opened", "recovered", "reopened", "recovered"]
    assert len({event.incident for event in events}) == 1
    assert engine.incidents[events[0].incident].acknowledged_by is None


def test_a_new_fault_a_week_later_is_a_new_incident():
    """Old incidents rest."""
    engine = Engine("delay")
    events = run(engine, range(300), lambda h, w: broken(0, 4)(h, w) if h < 100 else broken(200, 204)(h, w))
    assert kinds(events) == ["opened", "recovered"] * 2
    assert len(engine.incidents) == 2
    assert engine.state()["verdicts"] == []


def test_training_skew_is_one_incident_of_its_own():
    """The lasting gap between training and serving neither swallows faults nor leaves the history."""
    engine = Engine("delay")
    for day in range(7, 12):
        w = window(24 * day - 168, 168)
        skew = [finding("training_skew", feature, w=w) for feature in ("distance", "carrier")]
        engine.update(skew, w, 168)
        run(engine, range(24 * day, 24 * day + 24), broken(24 * 10, 24 * 10 + 5))
    skew, fault = engine.incidents.values()
    assert ({"training_skew"}, ["missing"]) == (set(skew.checks), fault.checks)
    assert [(frozenset({"carrier"}), fault.onset, fault.recovered)] == engine.quarantine()


def test_quarantine_ends_where_somebody_calls_it_normal():
    """The span of an incident leaves the history of its features until it's acknowledged as normal."""
    engine = Engine("delay")
    events = run(engine, range(5), broken(2, 9))
    assert [(frozenset({"carrier"}), T0 + 2 * HOUR, T0 + dt.timedelta(days=28, hours=2))] == engine.quarantine()
    engine.acknowledge(events[0].incident, "ada", events[0].at)
    assert engine.incidents[events[0].incident].state == "acknowledged"
    assert len(engine.quarantine()) == 1
    engine.acknowledge(events[0].incident, "ada", events[0].at, as_normal=True)
    assert engine.quarantine() == []
    run(engine, range(5, 20), broken(2, 9))
    assert engine.incidents[events[0].incident].state == "recovered"


def test_what_recurs_and_passes_by_itself_teaches():
    """Rain isn't unheard of the third time; what somebody took, what lasts and what is rare stays out of history."""

    def at(*starts, last=6):
        return lambda h, w: [f for start in starts for f in broken(start, start + last)(h, w)]

    twice, often, long = (Engine("delay") for _ in range(3))
    run(twice, range(300), at(10, 110))
    run(often, range(300), at(10, 110, 210))
    run(long, range(900), at(10, 210, 410, last=100))
    assert len(twice.quarantine()) == 2
    assert often.quarantine() == []
    assert len(long.quarantine()) == 3
    taken = next(iter(often.incidents))
    often.acknowledge(taken, "ada", T0 + 300 * HOUR)
    assert len(often.quarantine()) == 3
    apart = Engine("delay")
    run(apart, range(1_400), at(10, 10 + 28 * 24, 10 + 56 * 24))
    assert len(apart.quarantine()) == 3
    otherwise = Engine("delay")
    run(otherwise, range(300), lambda h, w: at(10, 110)(h, w) + [replace(f, check="range") for f in at(210)(h, w)])
    assert len(otherwise.quarantine()) == 3


def test_snooze_is_kept_until_its_end():
    """An update wakes a snoozed incident only after its time."""
    engine = Engine("delay")
    (opened,) = run(engine, range(2), broken(0, 99))
    engine.snooze(opened.incident, "ada", opened.at, T0 + 6 * HOUR)
    run(engine, range(2, 5), lambda h, w: [finding(w=w), finding("range", "carrier", w=w)])
    assert engine.incidents[opened.incident].state == "snoozed"
    run(engine, range(5, 8), lambda h, w: [finding(w=w), finding("vanished", "carrier", w=w)])
    assert engine.incidents[opened.incident].state == "open"


def test_a_window_judged_twice_changes_nothing():
    """Repeating a run is harmless."""
    engine = Engine("delay")
    run(engine, range(5), broken(2, 9))
    before = engine.state()
    assert run(engine, range(5), broken(0, 9)) == []
    assert before == engine.state()


def test_lost_memory_is_rebuilt_from_events():
    """Where the state file is gone, an open incident is still known, neither opened again nor forgotten."""
    events = run(Engine("delay"), range(5), broken(2, 9))
    engine = Engine.restore("delay", events, None)
    assert kinds(run(engine, range(5, 20), broken(2, 9))) == ["recovered"]


def test_an_outage_is_not_quiet():
    """Hours without events, or with hardly any, are no proof that what was broken before them is well again."""
    for check, state in (("no_data", "alert"), ("no_data", "unknown"), ("few_events", "unknown"), ("no_data", "ok")):
        engine = Engine("delay", immediate=frozenset({"no_data"}))
        run(engine, range(3), lambda h, w: [finding(w=w)])
        run(engine, range(3, 23), lambda h, w, c=check, s=state: [finding(c, None, s, w=w)])
        (carrier,) = (incident for incident in engine.incidents.values() if "missing" in incident.checks)
        assert (carrier.state == "recovered") == (state == "ok")


def test_what_cannot_be_judged_is_asked_about_while_it_is_in_trouble():
    """The engine says which verdicts it waits for; a feature's unknown says nothing of other checks of it."""
    engine = Engine("delay")
    assert engine.watched() == frozenset()
    run(engine, range(3), lambda h, w: [finding(w=w), finding("range", "age", w=w)])
    assert engine.watched() == {("missing", "carrier", None), ("range", "age", None)}
    run(engine, range(3, 23), lambda h, w: [finding("range", "carrier", "unknown", w=w), finding("no_data", None, "ok", w=w)])
    assert engine.watched() == frozenset()


states = st.sampled_from(["ok", "ok", "ok", "alert", "alert", "unknown"])
plans = st.lists(
    st.tuples(st.sampled_from([1, 1, 1, 4, 24]), st.tuples(states, states, states)), min_size=1, max_size=60
)


def play(plan, restart, acts=True):
    """Run a plan of verdicts; with ``restart`` a new engine judges each window from serialised memory."""
    engine, events = Engine("delay"), []
    for hour, (length, verdicts) in enumerate(plan):
        if restart:
            stored = [
                IncidentEvent.from_dict(json.loads(json.dumps(event.to_dict(), allow_nan=False)))
                for event in events
            ]
            engine = Engine.restore("delay", stored, json.loads(json.dumps(engine.state(), allow_nan=False)))
        w = window(hour + 1 - length, length)
        checks = [("missing", "carrier"), ("numeric_drift", "distance"), ("no_data", None)]
        found = [
            finding(check, feature, state, w=w)
            for (check, feature), state in zip(checks, verdicts, strict=True)
        ]
        events += engine.update(found, w, length)
        if acts and hour % 7 == 6 and engine.incidents:
            events.append(engine.acknowledge(min(engine.incidents), "ada", w.end, as_normal=hour % 2 == 0))
    return engine, events


@settings(max_examples=60, deadline=None)
@given(plans)
def test_starting_anew_every_hour_is_the_same_as_running_on(plan):
    """Saving and restoring after every window gives the same events, incidents and memory."""
    one, events = play(plan, restart=False)
    other, again = play(plan, restart=True)
    assert events == again
    assert one.incidents == other.incidents
    assert one.state() == other.state()


@settings(max_examples=60, deadline=None)
@given(plans, st.data())
def test_incidents_are_the_fold_of_their_events(plan, data):
    """Any split into batches gives the same incidents, and an event told twice changes nothing."""
    engine, events = play(plan, restart=False)
    assert engine.incidents == fold(events)
    cut = data.draw(st.integers(0, len(events)))
    again = data.draw(st.lists(st.sampled_from(events[:cut]), max_size=5)) if cut else []
    assert fold(events) == fold([*again, *events[cut:]], fold(events[:cut]))
    for incident in engine.incidents.values():
        assert incident == Incident.from_dict(json.loads(json.dumps(incident.to_dict(), allow_nan=False)))


def test_event_ids_are_their_content():
    """The same windows give the same ids."""
    first, second = (run(Engine("delay"), range(20), broken(2, 8)) for _ in range(2))
    assert [event.id for event in first] == [event.id for event in second]
    assert len(first) == len({event.id for event in first})


def test_causes_name_what_came_at_the_onset():
    """Version and environment that appeared at the onset are named with share and changed packages."""
    profiles = []
    for hour in range(12):
        profile = WindowProfile("delay", "r", window(hour))
        profile.count("version", "1", 100)
        profile.count("environment", "aaa" if hour < 8 else "bbb", 100)
        if hour >= 8:
            profile.count("version", "2", 100)
        profile.manifests = {"aaa": {"numpy": "1.26"}, "bbb": {"numpy": "2.0"}}
        profiles.append(profile)
    assert rank_causes({"carrier": "EV"}, T0 + 8 * HOUR, profiles) == [
        {"kind": "segment", "value": "carrier = EV", "share": None},
        {"kind": "environment", "value": "bbb (numpy 1.26 → 2.0)", "share": 1.0},
        {"kind": "version", "value": "2", "share": 0.5},
    ]
    assert rank_causes(None, T0 + 4 * HOUR, profiles) == []


def test_an_update_says_what_the_severity_was():
    """Only where it rose: whoever wants critical incidents only learns of it then."""
    engine = Engine("delay")
    severities = ["warning", "warning", "critical", "critical"]
    events = run(engine, range(4), lambda h, w: [finding(w=w, severity=severities[h])])
    assert [(event.kind, event.data["severity"], event.data.get("was")) for event in events] == [
        ("opened", "warning", None),
        ("updated", "critical", "warning"),
    ]


def test_what_lasts_as_long_as_history_says_so_when_it_ends():
    """Its hours teach from then on, and its end is no recovery of what broke."""
    engine = Engine("delay")
    days = 29
    events = run(engine, range(24 * days), broken(0, 24 * (days - 1) + 6))
    assert kinds(events) == ["opened", "recovered"]
    assert events[-1].data["message"] == "lasted for 28 days and counts as usual from now on: carrier missing"
    assert engine.quarantine()[0][2] == T0 + dt.timedelta(days=28)
    short = Engine("delay")
    assert run(short, range(100), broken(0, 50))[-1].data["message"] == "carrier missing"
    assert short.quarantine()[0][2] == T0 + 53 * HOUR


def test_nothing_is_quiet_while_the_leading_one_is_unknown():
    """Other keys of the incident may be well; where the one that leads can't be judged, the incident goes on."""
    for leading, over in (("unknown", False), ("ok", True)):
        engine = Engine("delay")
        both = lambda h, w: [finding(w=w), finding("numeric_drift", w=w)]  # noqa: E731
        run(engine, range(3), both)
        run(engine, range(3, 23), lambda h, w, s=leading: [finding(state=s, w=w), finding("numeric_drift", state="ok", w=w)])
        (incident,) = engine.incidents.values()
        assert (incident.state == "recovered") == over
    engine = Engine("delay")
    run(engine, range(3), both)
    run(engine, range(3, 23), lambda h, w: [finding(state="ok", w=w), finding("numeric_drift", state="unknown", w=w)])
    assert [incident.state for incident in engine.incidents.values()] == ["recovered"]
