"""The scheduled run: which hours are due, in what order, what survives, and who is told how often."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

import mllog
from mllog.card import ModelCard
from mllog.environment import Manifest
from mllog.errors import StoreError
from mllog.program import FAILED, FINDINGS, FINE
from watchers import running, schedule
from watchers.cli import main
from watchers.config import Config
from watchers.notify import Route
from watchers.schedule import incidents_of, run
from watchers.stores import FilesStore
from watchers.stores._leases import RecordLeases

# Apprise imports a module that Python 3.13 dropped, and copes.
pytestmark = pytest.mark.filterwarnings("ignore:.imghdr. is deprecated:DeprecationWarning")

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
LATE = dt.timedelta(minutes=10)
PER_HOUR = 50
HOURS = 60
FAULT = range(40, 46)


def rows(hour, seed=7):
    """The requests of an hour."""
    rng = np.random.default_rng([seed, hour])
    for _ in range(PER_HOUR):
        country = ("DE", "AT", "CH")[rng.choice(3, p=[0.6, 0.25, 0.15])]
        yield {"amount": float(rng.lognormal(3, 0.5)), "country": country}, float(rng.beta(2, 5))


def make_card(model="shop", seed=3):
    """A card that fits them."""
    made = [row for hour in range(100) for row in rows(hour, seed)]
    columns = {name: [inputs[name] for inputs, _ in made] for name in ("amount", "country")}
    return ModelCard.from_frame(columns, model, "1", predictions=[score for _, score in made])


CARD = make_card()


def write(folder, hours, model="shop", card=CARD, faulty=FAULT, version="1"):
    """Hours of requests by the real logger; in the faulty ones the amount is null."""
    now = 0
    with mllog.ModelLogger(
        model, version=version, card=card, sink=folder, clock=lambda: now, environment=Manifest(python="3.12")
    ) as log:
        for hour in hours:
            for k, (inputs, score) in enumerate(rows(hour)):
                now = int((START + hour * HOUR).timestamp()) * 10**9 + k * 60 * 10**9
                log.prediction({**inputs, "amount": None} if hour in faulty else inputs, {"score": score}, latency=0.02)
    return folder


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """60 hours of events that nobody judged, with a fault from the 40th to the 46th."""
    return write(tmp_path_factory.mktemp("schedule") / "events", range(HOURS))


@pytest.fixture
def folder(events, tmp_path):
    """A copy of them."""
    return Path(shutil.copytree(events, tmp_path / "events"))


@pytest.fixture(scope="module")
def kept(events, tmp_path_factory):
    """The events with their first hours judged at once, by how many; made once, and only ever read or copied."""
    made = {}

    def judged_until(hours):
        if hours not in made:
            made[hours] = Path(shutil.copytree(events, tmp_path_factory.mktemp("kept") / "events"))
            run(FilesStore(made[hours]), at(hours) + LATE)
        return made[hours]

    return judged_until


def at(hours, minutes=0):
    return START + hours * HOUR + dt.timedelta(minutes=minutes)


def judged(folder, model="shop"):
    """The hours whose profiles a store keeps, and how many requests each has."""
    ruler = next(card for card in FilesStore(folder).cards() if card.model == model).ruler
    profiles = FilesStore(folder).stored_profiles(model, ruler, START - 1000 * HOUR, START + 10_000 * HOUR)
    return {int((profile.window.start - START) / HOUR): profile.n for profile in profiles}


def written(folder):
    """What was written of findings, incidents and profiles."""
    return {path.name + path.parent.name: path.read_bytes() for path in (folder / "_watchers").rglob("*.ndjson")}


# Which hours ----------------------------------------------------------------------------------------------------------


def test_an_hour_is_judged_when_it_has_been_over_for_ten_minutes(folder):
    """An hour whose last requests may still be under way is not due yet."""
    assert run(FilesStore(folder), at(0, 59)).hours == {}
    assert run(FilesStore(folder), at(1, 9)).hours == {}
    assert run(FilesStore(folder), at(1, 10)).hours == {"shop": 1}
    assert run(FilesStore(folder), at(1, 10)).hours == {}
    assert run(FilesStore(folder), at(3), config=Config(lateness=dt.timedelta(0))).hours == {"shop": 2}


def test_missed_hours_are_caught_up_in_order(folder, monkeypatch):
    """After an outage of the watchers every hour is judged once, the oldest first."""
    order = []
    judge = running.judge

    def spy(view, *more, **options):
        if view.now[1] - view.now[0] == 1:
            order.append(view.profile.window.start)
        return judge(view, *more, **options)

    monkeypatch.setattr(running, "judge", spy)
    run(FilesStore(folder), at(5, 10))
    assert run(FilesStore(folder), at(50, 10)).hours == {"shop": 45}
    assert order == [at(hour) for hour in range(50)]


def test_gaps_are_hours_without_events(tmp_path):
    """Hours in which nothing came are judged as empty ones, and the run after the gap still sees what was before it."""
    folder = write(tmp_path / "events", [*range(80), *range(86, 100)], faulty=())
    report = run(FilesStore(folder), at(100) + LATE)
    assert report.hours == {"shop": 100}
    assert judged(folder) == {hour: 0 if 80 <= hour < 86 else PER_HOUR for hour in range(100)}
    assert {(finding.check, finding.n) for finding in report.findings} == {("no_data", 0)}
    (incident,) = incidents_of(FilesStore(folder)).values()
    assert (incident.onset, incident.state) == (at(80), "recovered")


def test_hours_that_no_run_stored_are_filled_as_empty(folder):
    """Where stored profiles are lost, what is left stays in its hours: history is a run of hours."""
    run(FilesStore(folder), at(40) + LATE)
    (path,) = (folder / "_watchers" / "profiles").rglob("2026-03-02.ndjson")
    kept = path.read_text().splitlines(keepends=True)
    path.write_text("".join(kept[:5] + kept[9:]))
    report = run(FilesStore(folder), at(HOURS) + LATE)
    assert report.hours == {"shop": 20}
    assert {finding.feature for finding in report.findings} == {"amount"}
    gapless = running._gapless(FilesStore(folder).stored_profiles("shop", CARD.ruler, START, at(40)), CARD, at(42))
    assert [profile.window.start for profile in gapless] == [at(hour) for hour in range(42)]
    assert [hour for hour, profile in enumerate(gapless) if not profile.n] == [5, 6, 7, 8, 40, 41]


def test_no_stored_hour_is_no_history():
    """Without anything stored there is nothing to fill."""
    assert running._gapless([], CARD, START) == []


def test_silence_is_judged_for_as_long_as_history_reaches(folder):
    """A stream that ended is no reason to go through years of silence: a month after its last event all is said."""
    report = run(FilesStore(folder), START + dt.timedelta(days=3650))
    assert report.hours["shop"] <= HOURS + 24 * 30
    assert run(FilesStore(folder), START + dt.timedelta(days=3651)).hours == {}
    (open_one,) = [incident for incident in incidents_of(FilesStore(folder)).values() if incident.active]
    assert open_one.checks == ["no_data"]


# What survives --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 24])
def test_state_survives_between_runs(folder, kept, step):
    """Judged in steps by runs that know of each other only what they wrote, everything is as if judged in one."""
    for hour in range(step, HOURS + step, step):
        run(FilesStore(folder), at(min(hour, HOURS)) + LATE)
    assert written(folder) == written(kept(HOURS))
    (incident,) = incidents_of(FilesStore(folder)).values()
    assert (incident.features, incident.onset, incident.state) == (["amount"], at(FAULT.start), "recovered")


@pytest.mark.parametrize("step", [1, HOURS])
def test_causes_are_known_however_often_it_runs(tmp_path, step):
    """What was deployed as a fault began is named by a run of that hour alone too."""
    folder = write(tmp_path / "events", range(40), faulty=())
    write(folder, range(40, 46), version="2")
    for hour in range(40, 46) if step == 1 else [45]:
        run(FilesStore(folder), at(hour + 1) + LATE)
    (incident,) = incidents_of(FilesStore(folder)).values()
    assert [(cause["kind"], cause["value"], cause["share"]) for cause in incident.causes] == [("version", "2", 1.0)]


@pytest.mark.parametrize("before", [0, 30, 42])
@pytest.mark.parametrize("dies", ["write_profiles", "write_findings", "write_incident_events", "write_state"])
def test_a_run_that_dies_is_done_again_to_the_same_end(kept, tmp_path, monkeypatch, dies, before):
    """Whichever of its writes fails, the next run does what is missing and leaves what one good run would have."""
    folder = Path(shutil.copytree(kept(before), tmp_path / "events"))

    def fail(*_, **__):
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(FilesStore, dies, fail)
        assert run(FilesStore(folder), at(HOURS) + LATE).problems == ["model 'shop': OSError: disk full"]
    # The state is written day by day and before what follows from it: the day with the fault is judged by then.
    first = HOURS if (dies, before) == ("write_incident_events", 42) else 48
    judged_by_then = before if dies in {"write_profiles", "write_state"} else first
    assert run(FilesStore(folder), at(HOURS) + LATE).hours.get("shop", 0) == HOURS - judged_by_then
    assert written(folder) == written(kept(HOURS))


def test_a_finished_run_finds_nothing_due(kept, tmp_path):
    """A second run as of the same moment, or of an earlier one, writes nothing."""
    folder = Path(shutil.copytree(kept(HOURS), tmp_path / "events"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for moment in (at(HOURS) + LATE, at(20)):
        report = run(FilesStore(folder), moment)
        assert (report.hours, report.findings, report.events) == ({}, [], [])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_progress_is_told(folder):
    """Whoever wants to knows how far the run is."""
    told = []
    run(FilesStore(folder), at(3) + LATE, progress=lambda *what: told.append(what))
    assert told == [("shop", 1, 3), ("shop", 2, 3), ("shop", 3, 3)]


# Several models -------------------------------------------------------------------------------------------------------


def test_models_in_one_store_are_kept_apart(tmp_path):
    """Each model has its own hours, history and incidents; a fault of one is no matter of the other."""
    folder = write(tmp_path / "events", range(HOURS))
    write(folder, range(20, HOURS), model="Other Shop", card=make_card("Other Shop", 4), faulty=range(50, 54))
    report = run(FilesStore(folder), at(HOURS) + LATE)
    assert report.hours == {"shop": HOURS, "Other Shop": HOURS - 20}
    assert report.problems == []
    incidents = {incident.model: incident for incident in incidents_of(FilesStore(folder)).values()}
    assert {model: incident.onset for model, incident in incidents.items()} == {"shop": at(40), "Other Shop": at(50)}
    assert judged(folder, "Other Shop") == dict.fromkeys(range(20, HOURS), PER_HOUR)
    alone = write(tmp_path / "alone", range(HOURS))
    run(FilesStore(alone), at(HOURS) + LATE)
    (same,) = incidents_of(FilesStore(alone)).values()
    assert same.id == incidents["shop"].id
    for model in ("shop", "Other Shop"):
        assert {finding["model"] for finding in FilesStore(folder).findings(model)} == {model}


def test_models_that_share_a_ruler_keep_their_cards(tmp_path):
    """Two models trained on the same features have the same ruler; each is judged by its own card all the same."""
    folder = write(tmp_path / "events", range(30))
    write(folder, range(30), model="twin", card=make_card("twin"))
    run(FilesStore(folder), at(30) + LATE)
    assert sorted((card.model, card.version) for card in FilesStore(folder).cards()) == [("shop", "1"), ("twin", "1")]


def test_a_model_that_comes_later_begins_at_its_own_first_hour(folder):
    """A model whose first event came after the last run is judged from that hour on."""
    run(FilesStore(folder), at(30) + LATE)
    write(folder, range(40, HOURS), model="late", card=make_card("late", 4), faulty=())
    assert run(FilesStore(folder), at(HOURS) + LATE).hours == {"shop": 30, "late": 20}


def test_one_event_of_a_wrong_clock_makes_no_years_of_empty_hours(tmp_path):
    """An event of 1970 is left out and named; the other hours are judged as if it weren't there."""
    folder = write(tmp_path / "events", range(30))
    (path,) = folder.rglob("*.ndjson")
    lines = path.read_text().splitlines()
    stray = json.loads(lines[5])
    stray["@timestamp"], stray["event"]["id"] = "1970-01-01T00:00:00.000000Z", "stray"
    path.write_text("\n".join([*lines, json.dumps(stray)]) + "\n")
    report = run(FilesStore(folder), at(30) + LATE)
    assert "did a clock jump back?" in report.problems[0]
    assert len(FilesStore(folder).stored_profiles("shop", CARD.ruler, at(-9999), at(30))) == 30
    assert run(FilesStore(folder), at(30) + LATE).problems == []


@pytest.fixture
def two(events, tmp_path):
    """A store with a second model, which is judged before the other; 30 hours."""
    folder = Path(shutil.copytree(events, tmp_path / "two"))
    return write(folder, range(30), model="a", card=make_card("a", 4), faulty=())


def add_far_event(folder, time, model="a"):
    """One event of a clock that is wrong by ages."""
    path = next(path for path in sorted(folder.rglob("*.ndjson")) if f'"name":"{model}"' in path.read_text())
    lines = path.read_text().splitlines()
    stray = next(e for e in map(json.loads, lines) if e["event"]["action"] == "predict" and e["ml"]["model"]["name"] == model)
    stray["@timestamp"], stray["event"]["id"] = time, "stray"
    path.write_text("\n".join([*lines, json.dumps(stray)]) + "\n")


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00.000000Z"])
def test_an_event_at_an_end_of_the_calendar_ends_nothing(two, time):
    """Its model's other hours are judged, the other models too, and the report is written; late events find their way."""
    add_far_event(two, time)
    report = run(FilesStore(two), at(29) + LATE)
    assert report.hours["shop"] == 29
    assert judged(two, "a") == dict.fromkeys(range(29), PER_HOUR)
    assert [problem for problem in report.problems if "did a clock jump back?" not in problem] == []
    assert run(FilesStore(two), at(30) + LATE).hours == {"a": 1, "shop": 1}
    assert judged(two, "a") == dict.fromkeys(range(30), PER_HOUR)
    assert main(["report", "--store", str(two), "--model", "a", "--out", str(two / "report.html")]) == 0


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("with_card", [True, False])
def test_a_stream_at_an_end_of_the_calendar_ends_nothing(folder, year, with_card):
    """A model all of whose events are of the year 1 or 9999 leaves the others alone, with a card or without one."""
    (path,) = folder.rglob("*.ndjson")
    lines = [line for line in path.read_text().splitlines() if '"predict"' in line]
    far = {1: "0001-01-01T{:02}:00:00Z", 9999: "9999-12-31T{:02}:59:59.999999Z"}[year]
    made = []
    for hour in range(24):
        stray = json.loads(lines[hour])
        stray["@timestamp"], stray["event"]["id"], stray["ml"]["model"]["name"] = far.format(hour), f"far-{hour}", "a"
        made.append(json.dumps(stray))
    path.write_text("\n".join([*lines, *made]) + "\n")
    report = run(FilesStore(folder), at(30) + LATE, cards=[make_card("a", 4)] if with_card else [])
    assert report.hours["shop"] == 30
    assert report.hours.get("a", 0) == (24 * 30 if (year, with_card) == (1, True) else 0)
    assert [problem for problem in report.problems if "Error" in problem] == []
    run(FilesStore(folder), at(31) + LATE)


def test_what_a_model_does_wrong_is_a_problem_of_its_own(two, monkeypatch, caplog, capsys):
    """An error of any kind names its model and is logged; others are judged, and the run leaves its sign of life."""
    run(FilesStore(two), at(20) + LATE)
    profiles = FilesStore.profiles

    def fail(store, model, *more):
        if model == "a":
            raise ZeroDivisionError("of a kind unheard of")
        return profiles(store, model, *more)

    monkeypatch.setattr(FilesStore, "profiles", fail)
    words = ["--store", str(two), "--now", at(25).isoformat()]
    assert main(["run", "--once", *words]) == FAILED
    assert "problem: model 'a': ZeroDivisionError: of a kind unheard of" in capsys.readouterr().err
    (logged,) = caplog.records
    assert "'a'" in logged.message
    assert logged.exc_info
    said = FilesStore(two).runs()[-1]["run"]
    assert (said["models"], said["hours"], said["found"]) == (["a", "shop"], 4, 2)
    assert said["lag_seconds"] == 3 * 3600 + 3000  # the hour until 21:00 has been due since 21:10
    assert said["unjudged"] == ["model 'a': ZeroDivisionError: of a kind unheard of"]
    assert main(["health", *words]) == FINDINGS
    assert "lagging: the last run left an hour that had been due for 4 hours: model 'a'" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["state", "leases", "card", "profiles"])
def test_health_says_that_models_are_not_judged(two, monkeypatch, capsys, where):
    """Wherever each model fails: nothing is due for long yet, and it isn't fine; later it lags by what the state says."""
    run(FilesStore(two), at(29) + LATE)
    assert health_of(two, at(29) + LATE, capsys) == (FINE, "fine")

    def refuse(*_, **__):
        raise StoreError("403: the index is read-only")

    if where == "leases":
        monkeypatch.setattr(RecordLeases, "acquire", refuse)
    elif where == "card":
        monkeypatch.setattr(schedule, "card_of", refuse)
    else:
        monkeypatch.setattr(FilesStore, where, refuse)
    assert health_of(two, at(30) + LATE, capsys) == (FAILED, "unknown")
    lagging = (FAILED, "unknown") if where == "state" else (FINDINGS, "lagging")
    assert health_of(two, at(33) + LATE, capsys) == lagging
    assert "model 'a': 403: the index is read-only" in FilesStore(two).runs()[-1]["run"]["unjudged"]


def test_models_that_a_store_cannot_name_are_not_watched(two, monkeypatch, capsys):
    """What a store can't read makes health unknown."""
    monkeypatch.setattr(FilesStore, "problems", lambda _: ["not every model is watched: a shard is gone"])
    assert health_of(two, at(29) + LATE, capsys) == (FAILED, "unknown")


def test_a_failing_model_whose_stream_ended_does_not_lag(folder, monkeypatch, capsys):
    """A month after its last event nothing of it is due, whoever is at it."""
    run(FilesStore(folder), START + dt.timedelta(days=60))
    monkeypatch.setattr(RecordLeases, "acquire", lambda *_, **__: None)
    assert health_of(folder, START + dt.timedelta(days=61), capsys) == (FINE, "fine")


def health_of(folder, now, capsys):
    """A run as of a moment, and what ``watchers health`` says then."""
    words = ["--store", str(folder), "--now", now.isoformat()]
    main(["run", "--once", *words])
    capsys.readouterr()
    code = main(["health", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)["state"]


# Who is told ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def receiver():
    """A webhook receiver on this machine; ``bodies`` is what it got, ``status`` what it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            http.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(http.status)
            self.end_headers()

        def log_message(self, *args):
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    http.bodies, http.status = [], 200
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


def told_at(receiver, credentials=""):
    """The receiver as the configuration names it."""
    return (Route(f"json://{credentials}127.0.0.1:{receiver.server_port}/?cto=2&rto=2"),)


@pytest.fixture(autouse=True)
def _nobody_else_is_told(monkeypatch):
    monkeypatch.delenv("MLLOG_NOTIFY", raising=False)


@pytest.mark.parametrize(("before", "step"), [(36, 1), (0, HOURS)])
def test_an_incident_is_told_when_it_opens_and_when_it_is_over(kept, tmp_path, receiver, before, step):
    """One message when it opens, one when it has recovered, however many runs there are between."""
    folder = Path(shutil.copytree(kept(before), tmp_path / "events"))
    config = Config(notify=told_at(receiver))
    for hour in range(before + step, HOURS + 1, step):
        report = run(FilesStore(folder), at(hour) + LATE, config=config, place="file:events")
        assert report.problems == []
    run(FilesStore(folder), at(HOURS) + LATE, config=config)
    (incident,) = incidents_of(FilesStore(folder)).values()
    opened, recovered = receiver.bodies
    assert (opened["title"], opened["type"]) == (f"[shop] {incident.title}", "failure")
    assert "`amount`" in opened["message"]
    assert f"watchers incidents show {incident.id} --store file:events" in opened["message"]
    assert (recovered["title"], recovered["type"]) == (f"Recovered: [shop] {incident.title}", "success")


def test_receivers_of_the_environment_are_told(folder, receiver, monkeypatch, capsys):
    """``MLLOG_NOTIFY`` alone is enough for the command; the library asks no environment."""
    monkeypatch.setenv("MLLOG_NOTIFY", told_at(receiver)[0].url)
    run(FilesStore(shutil.copytree(folder, folder.with_name("library"))), at(HOURS) + LATE)
    assert receiver.bodies == []
    words = ["run", "--once", "--store", str(folder), "--now", (at(HOURS) + LATE).isoformat(), "--json"]
    assert main(words) == 1
    assert [body["type"] for body in receiver.bodies] == ["failure", "success"]


def test_a_broken_receiver_is_a_usage_error_before_anything_is_judged(folder, monkeypatch, capsys):
    """A route that can't be read must not be found out when there is something to tell; its URL stays secret."""
    monkeypatch.setenv("MLLOG_NOTIFY", "[secret")
    words = ["run", "--once", "--store", str(folder), "--now", (at(HOURS) + LATE).isoformat()]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "MLLOG_NOTIFY" in said
    assert "secret" not in said
    assert FilesStore(folder).state("shop") == {}


def test_a_message_that_does_not_arrive_is_a_problem_and_not_the_end(folder, receiver):
    """The run is kept, and says which incident's message failed and why, without the URL."""
    receiver.status = 500
    config = Config(notify=told_at(receiver, "user:secret@"))
    report = run(FilesStore(folder), at(HOURS) + LATE, config=config)
    (incident,) = incidents_of(FilesStore(folder)).values()
    assert report.hours == {"shop": HOURS}
    assert report.problems == [
        f"incident {incident.id}: notification by json failed: the receiver answered HTTP 500"
    ] * len(receiver.bodies)


def test_calm_hours_tell_nobody(tmp_path, receiver):
    """Without an incident there is no message."""
    folder = write(tmp_path / "events", range(HOURS), faulty=())
    config = Config(notify=told_at(receiver))
    report = run(FilesStore(folder), at(HOURS) + LATE, config=config)
    assert (report.hours, report.findings, receiver.bodies) == ({"shop": HOURS}, [], [])


def test_the_checks_say_themselves_which_of_them_are_facts():
    """The engine's default, for those who use it alone, is what the checks declare."""
    from watchers import incidents

    assert running.IMMEDIATE == incidents.IMMEDIATE


# What the model does --------------------------------------------------------------------------------------------------


def test_failures_and_answers_that_are_gone_page_with_their_documents(tmp_path):
    """A model that raises in a fifth of its calls, and a day later gives no score in a third: each named, with the events."""
    now, failed, silent = 0, set(), set()
    with mllog.ModelLogger("shop", version="1", card=CARD, sink=tmp_path / "events", clock=lambda: now) as log:
        for hour in range(70):
            for k, (inputs, score) in enumerate(rows(hour)):
                now = int((START + hour * HOUR).timestamp()) * 10**9 + k * 60 * 10**9
                if hour in range(36, 40) and k % 5 == 0:
                    failed.add(log.prediction(inputs, None, outcome="failure"))
                elif hour in range(60, 64) and k % 3 == 0:
                    silent.add(log.prediction(inputs, None))
                else:
                    log.prediction(inputs, {"score": score})
    store = FilesStore(tmp_path / "events")
    run(store, at(70) + LATE)
    found = sorted(incidents_of(store).values(), key=lambda incident: incident.onset)
    assert [(i.title, i.onset, i.severity) for i in found] == [
        ("Calls fail", at(36), "warning"), ("@score: no answers", at(60), "warning"),
    ]  # fmt: skip
    assert [i.features for i in found] == [[], ["@score"]]
    assert set(found[0].documents) <= failed
    assert set(found[1].documents) <= silent
    assert all(incident.documents and incident.recovered for incident in found)
    assert main(["report", "--store", str(tmp_path / "events"), "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "share of calls that fail" in page
    assert "share of requests without @score" in page


def test_a_segment_that_sleeps_is_not_well_again(tmp_path):
    """Null for one country that sends nothing by night, for ever: one incident, open through the nights."""
    now = 0
    rng = np.random.default_rng(5)
    columns = {"amount": rng.lognormal(3, 0.5, 4000).tolist(), "country": rng.choice(["DE", "IT"], 4000, p=[0.69, 0.31]).tolist()}
    card = ModelCard.from_frame(columns, "shop", "1", segments=["country"])
    with mllog.ModelLogger("shop", version="1", card=card, sink=tmp_path / "events", clock=lambda: now) as log:
        for hour in range(24 * 9):
            for k in range(80):
                now = int((START + hour * HOUR).timestamp()) * 10**9 + k * 40 * 10**9
                country = "IT" if k % 2 and 7 <= hour % 24 < 22 else "DE"
                broken = hour >= 24 * 7 + 10 and country == "IT"
                log.prediction({"amount": None if broken else float(rng.lognormal(3, 0.5)), "country": country})
    store = FilesStore(tmp_path / "events")
    run(store, at(24 * 9) + LATE)
    (incident,) = incidents_of(store).values()
    assert (incident.title, incident.state) == ("amount: missing more often where country = IT", "open")
    assert {event["kind"] for event in store.incident_events()} <= {"opened", "updated"}
