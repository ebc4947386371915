"""Whom a run owes a message, and what becomes of that when it is killed, when sending fails, when it is overtaken."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import numpy as np
import pytest

import mllog
from mllog.card import ModelCard
from mllog.environment import Manifest
from watchers.config import Config
from watchers.keeper import Keeper
from watchers.notify import Route
from watchers.schedule import run
from watchers.stores import FilesStore
from watchers.stores._leases import MemoryRecords, RecordLeases

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
HOURS = 50
ROUTES = (Route("json://one.example/"), Route("json://two.example/", severity="critical"))
CONFIG = Config(lengths=((1, 1),), lateness=dt.timedelta(0), notify=ROUTES)


class KillError(BaseException):
    """What no handler catches."""


class Carrier:
    """Takes messages; ``does`` says what to do instead, by how many came before."""

    def __init__(self, **does):
        self.sent, self.does = [], does

    def send(self, route, message):
        what = self.does.get(f"at{len(self.sent)}", self.does.get("always"))
        if what is KillError:
            raise KillError
        if what is None:
            self.sent.append((route.url, message.key, message))
        return what

    @property
    def keys(self):
        return [(url, key) for url, key, _ in self.sent]


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """50 hours of requests; in the 30th to the 34th nearly all are null."""
    rng = np.random.default_rng(5)
    amounts = rng.lognormal(3, 0.5, HOURS * 40).tolist()
    card = ModelCard.from_frame({"amount": amounts}, "shop", "1")
    now = 0
    folder = tmp_path_factory.mktemp("outbox") / "events"
    with mllog.ModelLogger(
        "shop", version="1", card=card, sink=folder, clock=lambda: now, environment=Manifest(python="3.12")
    ) as log:
        for k, amount in enumerate(amounts):
            now = int(START.timestamp() + k * 90) * 10**9
            log.prediction({"amount": None if 30 <= k // 40 < 34 else amount})
    return folder


@pytest.fixture
def folder(events, tmp_path):
    return Path(shutil.copytree(events, tmp_path / "events"))


def judge(folder, carrier, hour=HOURS, config=CONFIG, **options):
    return run(FilesStore(folder), START + hour * HOUR, config=config, notifier=carrier, **options)


@pytest.fixture(scope="module")
def usual(events, tmp_path_factory):
    """What an undisturbed run sends."""
    carrier = Carrier()
    judge(Path(shutil.copytree(events, tmp_path_factory.mktemp("usual") / "events")), carrier)
    return carrier.keys


def test_each_is_sent_once_to_each_receiver_that_wants_it(folder, usual):
    """One when it opens and one when it is over, also where a run does only some hours; the body ends in the key."""
    assert len(usual) == len(set(usual)) == 4
    carrier = Carrier()
    for hour in range(28, HOURS + 1):
        judge(folder, carrier, hour)
        judge(folder, carrier, hour)
    assert sorted(carrier.keys) == sorted(usual)
    assert all(message.body.endswith(f"Message {key}") for _, key, message in carrier.sent)
    assert FilesStore(folder).state("shop")["outbox"] == []
    text = "".join(path.read_text() for path in (folder / "_watchers").rglob("*") if path.suffix in {".json", ".ndjson"})
    assert "one.example" not in text, "the receivers' URLs are secret"


@pytest.mark.parametrize("number", range(4))
def test_a_run_that_is_killed_while_it_tells_leaves_the_rest_to_the_next(folder, usual, number):
    """Killed before the n-th message: each is sent once all the same."""
    first, second, third = Carrier(**{f"at{number}": KillError}), Carrier(), Carrier()
    with pytest.raises(KillError):
        judge(folder, first)
    report = judge(folder, second)
    judge(folder, third)
    assert (report.hours, report.problems) == ({}, [])
    assert first.keys + second.keys == usual
    assert third.keys == []


@pytest.mark.parametrize("step", ["write_findings", "write_incident_events", "told"])
def test_a_run_that_is_killed_before_it_tells(folder, usual, monkeypatch, step):
    """Killed after its state was written and before anything else: the next run tells."""

    def kill(*_):
        raise KillError

    first, second = Carrier(), Carrier()
    with monkeypatch.context() as patched, pytest.raises(KillError):
        patched.setattr(FilesStore, step, kill)
        judge(folder, first)
    judge(folder, second)
    assert (first.keys, second.keys) == ([], usual)


def test_between_sending_and_its_note_a_kill_makes_a_copy_with_the_same_key(folder, usual, monkeypatch):
    """The one gap that there is; a receiver that drops what it had gets each once."""

    def kill(*_):
        raise KillError

    first, second = Carrier(), Carrier()
    with monkeypatch.context() as patched, pytest.raises(KillError):
        patched.setattr(FilesStore, "write_told", kill)
        judge(folder, first)
    judge(folder, second)
    assert first.keys + second.keys == [usual[0], *usual]
    assert first.sent[0][2] == second.sent[0][2]


def test_what_fails_is_tried_again_and_given_up_after_a_day(folder, usual):
    """A receiver that is down gets its messages when it is back, within ``retry``; then they are given up, aloud."""
    down = Carrier(always="the receiver answered HTTP 503")
    report = judge(folder, down)
    assert len(report.problems) == 4
    assert all("HTTP 503" in problem for problem in report.problems)
    late = Path(shutil.copytree(folder, folder.with_name("late")))
    back = Carrier()
    assert judge(folder, back, HOURS + 24).problems == []
    assert [pair for pair in back.keys if pair in usual] == usual
    again = judge(late, down, HOURS + 25)
    given_up = [problem for problem in again.problems if "given up" in problem]
    assert len(given_up) == 4
    assert not any("example" in problem for problem in given_up)
    assert not [pair for pair in judge_keys(late, HOURS + 25) if pair in usual]


def judge_keys(folder, hour):
    carrier = Carrier()
    judge(folder, carrier, hour)
    return carrier.keys


def test_a_receiver_that_this_scheduler_does_not_know_is_left_to_the_others(folder, usual):
    """Schedulers may differ in their receivers."""
    down, one, both = Carrier(always="down"), Carrier(), Carrier()
    judge(folder, down)
    judge(folder, one, config=Config(lengths=((1, 1),), lateness=dt.timedelta(0), notify=ROUTES[:1]))
    judge(folder, both)
    assert {url for url, _ in one.keys} == {ROUTES[0].url}
    assert sorted(one.keys + both.keys) == sorted(usual)


def test_a_run_that_was_overtaken_writes_and_tells_nothing(folder, usual, events, tmp_path, monkeypatch):
    """Paused before it writes its state, for longer than its lease: the other's work stands, and was told once."""
    clean = Path(shutil.copytree(events, tmp_path / "clean"))
    judge(clean, Carrier())
    slow, fast = Carrier(), Carrier()
    write_state = FilesStore.write_state
    paused = []

    def pause(self, model, state, **options):
        if not paused:
            paused.append(True)
            judge(folder, fast, leases=RecordLeases(MemoryRecords(), holder="fast"))
        write_state(self, model, state, **options)

    monkeypatch.setattr(FilesStore, "write_state", pause)
    report = judge(folder, slow, leases=RecordLeases(MemoryRecords(), holder="slow"))
    assert (report.held, report.findings, report.events, report.problems) == (["shop"], [], [], [])
    assert (slow.keys, fast.keys) == ([], usual)
    for name in ("findings/mllog.prediction.shop.ndjson", "incidents.ndjson"):
        assert (folder / "_watchers" / name).read_bytes() == (clean / "_watchers" / name).read_bytes()


def test_who_loses_the_lease_while_it_tells_sends_no_more(folder, usual):
    """The store is asked before each message."""
    records = MemoryRecords()

    class Robbed(Carrier):
        def send(self, route, message):
            records.delete("shop", records.read("shop").version)
            RecordLeases(records, holder="thief").acquire("shop", 30)
            return super().send(route, message)

    robbed, rest = Robbed(), Carrier()
    report = judge(folder, robbed, leases=RecordLeases(records, holder="a"))
    assert report.held == ["shop"]
    assert robbed.keys == usual[:1]
    judge(folder, rest)
    assert rest.keys == usual[1:]


def test_a_model_that_somebody_else_is_at_is_left_to_them(folder):
    """No hour is judged, and the report names the model."""
    leases = FilesStore(folder).leases()
    with Keeper(leases, leases.acquire("shop", 30)):
        report = judge(folder, Carrier(), patience=dt.timedelta(0))
    assert (report.held, report.hours) == (["shop"], {})
    assert judge(folder, Carrier()).hours == {"shop": HOURS}


def test_a_run_that_is_told_to_stop_keeps_what_it_judged(folder, usual, events, tmp_path):
    """After the hour that it is at; the next one goes on from there and leaves what one run would have."""
    clean = Path(shutil.copytree(events, tmp_path / "clean"))
    judge(clean, Carrier())
    asked, carrier = [], Carrier()

    def stop():
        asked.append(True)
        return len(asked) > 36

    report = judge(folder, carrier, stop=stop)
    assert 0 < report.hours["shop"] < HOURS
    assert carrier.keys == [], "the messages wait in the store"
    rest = judge(folder, carrier)
    assert report.hours["shop"] + rest.hours["shop"] == HOURS
    assert carrier.keys == usual
    for name in ("findings/mllog.prediction.shop.ndjson", "incidents.ndjson"):
        assert (folder / "_watchers" / name).read_bytes() == (clean / "_watchers" / name).read_bytes()
