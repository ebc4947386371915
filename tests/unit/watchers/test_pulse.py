"""Watchers watch themselves: what a run says of itself, what is wrong with the watchers, and the command that tells."""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from mllog.errors import StoreError, UnreachableError
from watchers import pulse
from watchers.cli import main
from watchers.config import Config
from watchers.means import RunReport
from watchers.pulse import MODEL, behind, health, watched
from watchers.scheduler import Scheduler
from watchers.stores import FilesStore, files

NOW = dt.datetime(2026, 3, 2, 12, 30, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
CONFIG = Config()


@pytest.fixture
def store(tmp_path):
    return FilesStore(tmp_path)


class Clock:
    """It passes while a run goes on."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


def a_run(store, clock, monkeypatch, *, takes=dt.timedelta(seconds=1), interval=MINUTE, judged=None):
    """A run that takes so long and leaves a model judged until ``judged``."""
    ticks = iter((0.0, takes.total_seconds()))

    def run():
        clock.now += takes
        return RunReport(hours={"shop": 2}, judged={"shop": judged or clock.now.replace(minute=0, second=0)})

    with monkeypatch.context() as patch:
        # Not the module's own: threads of loggers that other tests left look at it too.
        patch.setattr(pulse, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
        return watched(store, run, clock=clock, interval=interval, config=CONFIG)


def test_a_run_leaves_what_it_says_of_itself(store, monkeypatch):
    """Who, when, how long, how far behind, how much."""
    report = a_run(store, Clock(), monkeypatch)
    assert report.problems == []
    (document,) = store.runs()
    assert document["@timestamp"] == NOW.isoformat()
    said = document["run"]
    assert said["id"] == document["id"]
    assert (said["seconds"], said["lag_seconds"], said["overrun"], said["interval_seconds"]) == (1.0, 0.0, False, 60.0)
    assert (said["hours"], said["models"], said["findings"], said["problems"]) == (2, ["shop"], 0, [])
    assert said["host"]
    assert said["pid"]
    assert store.findings(MODEL) == []


def test_an_overrun_is_a_problem_and_a_finding(store, monkeypatch):
    """A run that takes longer than its interval."""
    report = a_run(store, Clock(), monkeypatch, takes=5 * MINUTE)
    (problem,) = report.problems
    assert "took 5 minutes, longer than its interval of 60 seconds" in problem
    (finding,) = store.findings(MODEL)
    assert (finding["check"], finding["state"], finding["observed"], finding["reference"]) == ("overrun", "alert", 300, 60)
    assert store.runs()[-1]["run"]["overrun"]


def test_hours_that_stay_unjudged_are_a_problem_and_a_finding(store, monkeypatch):
    """Two hours ended long enough ago and nobody judged them."""
    report = a_run(store, Clock(), monkeypatch, judged=NOW - 3.5 * HOUR)
    (problem,) = report.problems
    assert problem == "watchers: an hour has been due for 2 hours and isn't judged"
    (finding,) = store.findings(MODEL)
    assert finding["check"] == "lag"
    assert store.runs()[-1]["run"]["lag_seconds"] == pytest.approx(2.5 * 3600 - 600 + 1)


def test_a_silence_before_a_run_is_a_problem_and_a_finding(store, monkeypatch):
    """After downtime the first run says from when to when nobody watched; a run for cron doesn't know how often it is."""
    clock = Clock()
    a_run(store, clock, monkeypatch)
    clock.now = NOW + 2 * MINUTE
    assert a_run(store, clock, monkeypatch).problems == []
    clock.now = NOW + 5 * HOUR
    assert "no run for 5 hours before this one" in a_run(store, clock, monkeypatch).problems[0]
    (finding,) = store.findings(MODEL)
    assert (finding["check"], finding["onset"]) == ("heartbeat", (NOW + 2 * MINUTE).isoformat())
    clock.now = NOW + 10 * HOUR
    assert a_run(store, clock, monkeypatch, interval=None).problems == []


@pytest.mark.parametrize(
    ("judged", "end", "lag"),
    [
        (NOW.replace(hour=12, minute=0), None, 0),  # the hour from 12 on isn't over
        (NOW.replace(hour=11, minute=0), None, 20),  # the hour until 12 has been due since 12:10
        (NOW.replace(hour=8, minute=0), NOW.replace(hour=8, minute=0), 0),  # a stream that ended
        (NOW.replace(hour=8, minute=0), NOW.replace(hour=9, minute=0), 200),
    ],
)
def test_lag_is_how_long_the_oldest_unjudged_hour_has_been_due(judged, end, lag):
    """By the hour's end and the lateness; nothing of a stream that has ended is due."""
    report = RunReport(judged={"shop": judged.replace(minute=0)}, ends={"shop": end} if end else {})
    assert behind(report, NOW, CONFIG) == lag * MINUTE


def document(at, *, seconds=1.0, lag=0.0, overrun=False, interval=60.0, **more):
    run = {"seconds": seconds, "lag_seconds": lag, "overrun": overrun, "interval_seconds": interval, **more}
    return {"id": at.isoformat(), "@timestamp": at.isoformat(), "run": run}


@pytest.mark.parametrize(
    ("runs", "state", "code", "says"),
    [
        ([], "unknown", 3, "no run has left a sign of life"),
        ([document(NOW - MINUTE)], "fine", 0, "began 60 seconds ago"),
        ([document(NOW - 3 * MINUTE)], "fine", 0, "began 3 minutes ago"),
        ([document(NOW - 4 * MINUTE)], "silent", 1, "no run for 4 minutes, where one every 60 seconds is due"),
        ([document(NOW - 4 * MINUTE), document(NOW - MINUTE)], "fine", 0, "began"),
        ([document(NOW + MINUTE)], "fine", 0, "began"),  # of a clock that is ahead
        ([document(NOW - 20 * MINUTE, seconds=1100)], "fine", 0, "began"),  # it was at work
        ([document(NOW - MINUTE, lag=7200.0)], "lagging", 1, "due for 2 hours"),
        ([document(NOW - MINUTE, lag=30.0)], "fine", 0, "began"),
        ([document(NOW - MINUTE, seconds=90.0, overrun=True)], "fine", 0, "but took 90 seconds"),
        ([document(NOW - MINUTE, found=2, unjudged=["model 'a': no"])], "unknown", 3, "couldn't judge all: model 'a': no"),
        ([document(NOW - MINUTE, unjudged=["model 'a': no", "model 'b': no"])], "unknown", 3, "'a': no (and 1 more)"),
        ([document(NOW - MINUTE, lag=7200.0, unjudged=["model 'a': no"])], "lagging", 1, "for 2 hours: model 'a': no"),
        ([document(NOW - MINUTE, unjudged=["model 'a': no"]), document(NOW, found=1)], "fine", 0, "began"),
        ([document(NOW - MINUTE, found=0)], "unknown", 3, "no model that has predictions here"),
        ([document(NOW - MINUTE, found=1, problems=["x: notification failed"])], "fine", 0, "said: x: notification failed"),
    ],
)
def test_health(store, capsys, runs, state, code, says):
    """0 fine, 1 silent or lagging, 3 unknown; in words and as a document."""
    for one in runs:
        store.write_run(one)
    words = ["health", "--store", str(store.folder), "--now", NOW.isoformat()]
    assert health(store.runs(), NOW).state == state
    assert main(words) == code
    out = capsys.readouterr().out
    assert out.startswith(f"{state}: ")
    assert says in out
    assert main([*words, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["message"]) == (state, out.strip().partition(": ")[2])


def test_a_run_for_cron_leaves_a_sign_of_life(tmp_path, capsys):
    """Each ``watchers run --once`` does, without events too; but nothing is watched then."""
    assert main(["run", "--once", "--store", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["health", "--store", str(tmp_path)]) == 3
    assert capsys.readouterr().out.startswith("unknown: the last run found no model that has predictions here")


def test_a_sign_of_life_that_cannot_be_left_is_a_problem(store, monkeypatch):
    """What the run found is told all the same; a node that can't be reached ends it."""

    def refuse(*_):
        raise refused

    monkeypatch.setattr(FilesStore, "write_run", refuse)
    refused = StoreError("403: the index is read-only")
    report = a_run(store, Clock(), monkeypatch)
    assert report.hours == {"shop": 2}
    assert report.problems == ["watchers: this run leaves no sign of life here: 403: the index is read-only"]
    refused = UnreachableError("gone")
    with pytest.raises(UnreachableError):
        a_run(store, Clock(), monkeypatch)


def test_runs_are_kept_within_bounds(store, monkeypatch):
    """Old ones go, in one piece, and a line that a kill cut short spoils no other."""
    monkeypatch.setattr(files, "_RUNS", 10)
    path = store.folder / "_watchers" / "runs.ndjson"
    for k in range(100):
        store.write_run(document(NOW + k * MINUTE))
        if k == 95:
            with path.open("ab") as file:
                file.write(b'{"id": "cut')
    times = [dt.datetime.fromisoformat(run["@timestamp"]) for run in store.runs()]
    assert times[-10:] == [NOW + k * MINUTE for k in range(90, 100)]
    assert len(path.read_bytes().splitlines()) < 25
    assert len(store.runs(3)) == 3


def test_a_scheduler_survives_what_a_run_cannot_do(tmp_path):
    """A store that can't be reached, or anything else: said, and tried again after the interval; then it goes on."""
    troubles = [StoreError("the node can't be reached"), OSError("disk full"), ZeroDivisionError("of a kind unheard of")]
    said, done = [], []

    def open_store():
        if troubles:
            raise troubles.pop(0)
        return FilesStore(tmp_path)

    def judged(_, report):
        done.append(report)
        if len(done) == 2:
            scheduler.stop()

    scheduler = Scheduler(open_store, every=dt.timedelta(seconds=0.05), done=judged, failed=said.append)
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert said == ["the node can't be reached", "disk full", "ZeroDivisionError: of a kind unheard of"]
    assert len(done) == 2
    assert len(FilesStore(tmp_path).runs()) == 2


def test_a_scheduler_that_waits_stops_soon(tmp_path):
    """Told to stop in the middle of a long interval."""
    done = threading.Event()
    scheduler = Scheduler(
        lambda: FilesStore(tmp_path), every=HOUR, done=lambda *_: done.set(), failed=pytest.fail
    )
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    assert done.wait(30)
    started = time.monotonic()
    scheduler.stop()
    thread.join(timeout=30)
    assert time.monotonic() - started < 5


def test_a_server_that_hangs_keeps_no_probe(monkeypatch, capsys):
    """It is 3 after the time that a probe has, and not after minutes: whoever restarts what is silent must not be misled."""
    monkeypatch.setattr("watchers.cli_runs.HEALTH_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        assert main(["health", "--store", f"elasticsearch+http://127.0.0.1:{server.getsockname()[1]}"]) == 3
        assert time.monotonic() - began < 20
    assert "can't be reached" in capsys.readouterr().err
