"""Traffic that goes on: weeks of flights up to now, then each at its time, once, whatever stops it in between."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.receivers import logstash

from mllog.errors import StoreError
from watchers.cli import main as watchers
from watchers.demo import live
from watchers.demo.drive import MODEL, ZONE
from watchers.demo.live import Progress, Traffic

HOUR = dt.timedelta(hours=1)
CYCLE = dt.timedelta(weeks=2)
NOW = dt.datetime(2026, 11, 11, 20, 30, tzinfo=dt.UTC)  # 15:30 in New York


class Clock:
    """It stands while the history is logged, and each nap is as long as it takes."""

    def __init__(self, now=NOW, until=NOW):
        self.now, self.until = now, until

    def __call__(self):
        return self.now

    def stop(self):
        return self.now >= self.until

    def sleep(self, seconds):
        self.now += dt.timedelta(seconds=max(seconds, 0.001))


def drive(folder, clock, monkeypatch, days=4):
    """Traffic into ``folder/events`` until the clock's end."""
    monkeypatch.setattr(live, "time", SimpleNamespace(sleep=clock.sleep))
    monkeypatch.setattr(live, "_NAP", 3600.0)
    traffic = Traffic(str(folder / "events"), folder, days=days, clock=clock, stop=clock.stop)
    return traffic, traffic.run()


def logged(folder):
    """(Dataset, action or name, time, prediction id) of each event."""
    lines = [line for file in sorted((folder / "events").glob("*/*.ndjson")) for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def predictions(events):
    return [event for event in events if event["event"]["action"] == "predict"]


@pytest.fixture(scope="module", autouse=True)
def learnt():
    """Flights are read and models trained once, and they begin again after two weeks and not ten: for the time it takes."""
    flights = live.load(carry_hours=1)
    training = flights[(flights["time"] >= live.TRAINING[0]) & (flights["time"] < live.TRAINING[1])]
    models = live.train(training)
    cards = live.make_cards(training, models)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "load", lambda carry_hours: flights)
        patch.setattr(live, "train", lambda training: models)
        patch.setattr(live, "CYCLE", CYCLE)
        patch.setattr(live, "make_cards", lambda *_: cards)
        yield


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Four days, and six hours live, in two goes."""
    folder = tmp_path_factory.mktemp("traffic")
    with pytest.MonkeyPatch.context() as patch:
        drive(folder, Clock(until=NOW + 3 * HOUR), patch)
        first = len(logged(folder))
        drive(folder, Clock(now=NOW + 5 * HOUR, until=NOW + 8 * HOUR), patch)
    return folder, first


def test_each_flight_is_there_once_and_at_its_time(served):
    """Across a stop too, and what was due while it stood still is caught up; no flight lies in the future."""
    folder, first = served
    events = logged(folder)
    assert len(events) > first
    ids = Counter(event["ml"]["prediction_id"] for event in predictions(events))
    assert max(ids.values()) == 1
    times = sorted(dt.datetime.fromisoformat(event["@timestamp"]) for event in predictions(events))
    assert NOW - dt.timedelta(days=4) <= times[0] < NOW - dt.timedelta(days=3, hours=12)
    assert NOW + 7 * HOUR < times[-1] <= NOW + 8 * HOUR
    local = Counter(time.astimezone(ZONE).hour for time in times)
    assert local[3] == 0 < local[4] + local[5], "New York's flights leave from early in the morning on"
    gaps = [after - before for before, after in pairwise(times)]
    assert max(gaps) < 10 * HOUR, "a stop leaves no gap"


def test_labels_come_when_flights_have_arrived(served):
    """Each at most once, also of flights that were served before the stop."""
    events = logged(served[0])
    labels = [event for event in events if event["event"]["action"] == "label"]
    known = Counter(event["ml"]["prediction_id"] for event in labels)
    assert max(known.values()) == 1
    flights = {event["ml"]["prediction_id"]: event["@timestamp"] for event in predictions(events)}
    assert known.keys() <= flights.keys()
    stop = (NOW + 3 * HOUR).isoformat()
    crossing = [e for e in labels if e["@timestamp"] > stop > flights[e["ml"]["prediction_id"]]]
    assert crossing, "labels of flights that the first go served and that arrived in the second"


def test_the_newest_fault_is_found(served, capsys):
    """It began some hours before now, and its incident leads with its feature and its segment."""
    folder = served[0]
    traffic = Traffic(str(folder / "events"), folder, days=4, clock=lambda: NOW)
    newest = traffic.faults[-1]
    assert NOW - 14 * HOUR < newest.start < NOW < newest.end
    store = ["--store", str(folder / "events")]
    watchers(["run", "--once", *store, "--card", str(folder / "cards"), "--now", (NOW + 6 * HOUR).isoformat()])
    capsys.readouterr()
    assert watchers(["incidents", *store, "--json"]) == 1
    still = [one for one in json.loads(capsys.readouterr().out)["incidents"] if one["state"] == "open"]
    assert [(one["features"][0], one["segment"]) for one in still] == [(newest.feature, newest.segment)]
    assert dt.datetime.fromisoformat(still[0]["onset"]) == newest.start


def test_flights_begin_again(tmp_path, monkeypatch):
    """On the same day of the week, at the same time by New York's clock, as other flights."""
    clock = Clock(until=NOW + CYCLE)
    traffic = Traffic(str(tmp_path / "events"), tmp_path, days=1, clock=clock)
    stream, found = traffic._requests(), []
    for request in stream:
        found.append((request.time, request.prediction_id))
        if request.time > NOW + CYCLE + dt.timedelta(days=1):
            break
    times = [time for time, _ in found]
    assert times == sorted(times)
    assert len({name for _, name in found}) == len(found)

    def day(begin):
        return [
            time.astimezone(ZONE).replace(tzinfo=None) - begin.astimezone(ZONE).replace(tzinfo=None)
            for time in times
            if begin.astimezone(ZONE).date() == time.astimezone(ZONE).date()
        ]

    first, again = day(NOW + HOUR), day(NOW + HOUR + CYCLE)
    assert len(first) > 500
    assert [span.total_seconds() // 60 for span in first] == [span.total_seconds() // 60 for span in again]


def test_what_is_remembered_and_broken_is_said(tmp_path):
    """With the remedy; nothing is logged twice behind anybody's back."""
    (tmp_path / "traffic.json").write_text('{"weeks": 1}')
    with pytest.raises(StoreError, match=r"traffic\.json isn't readable .* delete it"):
        Traffic(str(tmp_path / "events"), tmp_path, days=1)


def test_what_has_not_arrived_is_not_called_delivered(tmp_path, monkeypatch):
    """Stopped while the days before now are under way to a server, it goes on waiting for them at the next start."""
    with logstash(always=503) as receiver:
        clock = Clock(until=NOW)
        monkeypatch.setattr(live, "CLOSE_SECONDS", 0.5)
        stopped = [False]

        def sleep(_):
            stopped[0] = True

        monkeypatch.setattr(live, "time", SimpleNamespace(sleep=sleep))
        traffic = Traffic(receiver.place(), tmp_path, days=1, clock=clock, stop=lambda: stopped[0])
        traffic.run()
    assert not Progress.load(tmp_path / "traffic.json").delivered


def test_the_command(tmp_path):
    """As a container runs it: the history is there, SIGTERM ends it with 0."""
    process = command(tmp_path, "--live", str(tmp_path / "events"), "--days", "2", "--json")
    deadline = time.monotonic() + 120
    while not (tmp_path / "traffic.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["events"] == len(predictions(logged(tmp_path)))
    assert {path.name for path in (tmp_path / "cards").iterdir()} == {f"{MODEL}.json", "flight-delay-hour.json"}


def test_no_days_are_no_traffic(tmp_path):
    """A container that has nothing to do is healthy and does nothing."""
    process = command(tmp_path, "--live", str(tmp_path / "events"), "--days", "0")
    assert "no traffic" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert not (tmp_path / "events").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--days", "3"], "--days goes with --live PLACE"),
        (["--live", "events", "--days", "64"], "--days 64 isn't from 0 to 63"),
        (["--live", "events", "--days", "-1"], "--days -1 isn't from 0 to 63"),
        (["--live", "events", "--store", "other"], "--store doesn't go with --live"),
        (["--live", "ftp://host"], "ftp"),
    ],
)
def test_wrong_usage(tmp_path, arguments, said):
    """Code 2, and what to write instead."""
    process = command(tmp_path, *arguments)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert said in err


def command(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "mllog.cli", "demo", "--out", str(folder), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=os.environ,
    )  # fmt: skip


def test_a_password_in_the_place_is_used_and_hidden(tmp_path):
    """It leaves the command line, and whoever takes the events is told it."""
    with logstash() as receiver:
        process = command(tmp_path, "--live", receiver.place("ann:s3cret@"), "--days", "1", "--json")
        deadline = time.monotonic() + 120
        while not receiver.requests:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert b"s3cret" not in shown
    assert b"ann@127.0.0.1" in shown
    wanted = "Basic " + base64.b64encode(b"ann:s3cret").decode()
    assert {request.headers["authorization"] for request in receiver.requests} == {wanted}
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"s3cret" not in kept + err.encode()
