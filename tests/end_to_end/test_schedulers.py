"""Schedulers that share a store and are killed: every hour judged once, every message once, no gap."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import shutil
import signal
import threading
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from support.scheduling import Settings, lines
from support.spools import moved

import mllog
from mllog.card import ModelCard
from mllog.elastic.client import connect
from mllog.elastic.setup import ensure
from mllog.environment import Manifest
from mllog.shipping.destinations import open_destination
from mllog.shipping.shipper import Shipper
from watchers.schedule import incidents_of, run
from watchers.stores import open_store
from watchers.stores.elastic import ElasticsearchStore

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
HOURS = 72
MODELS = ("shop", "till")
FAULTS = {"shop": [(24, 29), (50, 55)], "till": [(30, 34), (60, 64)]}
EVERY, LEASE, SKEW = 3.0, 1.0, 5.0


@contextmanager
def webhook():
    """A receiver; ``bodies`` is what it got."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.bodies.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.bodies = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Keys:
    """Notes which messages were to be sent."""

    def __init__(self):
        self.keys = []

    def send(self, _, message):
        self.keys.append(message.key)


class Now:
    """The loggers' clock."""

    moment = 0

    def __call__(self):
        return self.moment


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """Three days of two models, each with two faults."""
    folder = tmp_path_factory.mktemp("schedulers") / "events"
    for number, model in enumerate(MODELS):
        rng = np.random.default_rng(number)
        amounts = rng.lognormal(3, 0.5, HOURS * 30).tolist()
        card = ModelCard.from_frame({"amount": amounts}, model, "1")
        with mllog.ModelLogger(
            model, version="1", card=card, sink=folder, clock=Now(), environment=Manifest(python="3.12")
        ) as log:
            for k, amount in enumerate(amounts):
                Now.moment = int(START.timestamp() + k * 120) * 10**9
                broken = any(a <= k // 30 < b for a, b in FAULTS[model])
                log.prediction({"amount": None if broken else amount})
    return folder


class StoredPlace:
    """A store that schedulers share.

    Attributes:
        place: Its place.
        namespace: Of its events.
    """

    place: str
    namespace = "default"

    def store(self):
        return open_store(self.place)

    def results(self):
        """All that was found, in the order in which it is kept."""
        store = self.store()
        cards = {card.model: card for card in store.cards()}
        profiles = {
            model: [
                (profile.window.start, profile.n)
                for profile in store.stored_profiles(model, cards[model].ruler, START, START + HOURS * HOUR)
            ]
            for model in MODELS
        }
        return profiles, {model: store.findings(model) for model in MODELS}, sorted(
            store.incident_events(), key=lambda event: (event["incident"], event["number"])
        )  # fmt: skip

    def runs(self):
        return self.store().runs(1000)

    def judged(self, model):
        return self.store().state(model).get("judged")

    def holder(self):
        """The process that is at a model and since when, or None."""
        records = self.store().leases()._records
        for model in MODELS:
            held = records.read(model)
            if held is not None:
                return int(held.holder.split("/")[2]), held.taken
        return None


class FilesPlace(StoredPlace):
    """A store in a folder."""

    def __init__(self, events, folder, _):
        self.place = str(shutil.copytree(events, folder))


class ElasticsearchPlace(StoredPlace):
    """A namespace of a node."""

    def __init__(self, events, folder, node_of):
        node = node_of()
        self.place = f"elasticsearch+{node.url}"
        self.namespace = f"schedulers_{uuid.uuid4().hex[:8]}"
        ensure(connect(self.place))
        shipper = Shipper(moved(events, self.namespace), open_destination(self.place), give_up=30.0)
        shipper.run()
        assert shipper.reason is None
        self._store = ElasticsearchStore(self.place, namespace=self.namespace)
        self._store.refresh()

    def store(self):
        return self._store


PLACES = {"files": FilesPlace, "elasticsearch": ElasticsearchPlace}


@pytest.fixture(params=sorted(PLACES))
def make_place(request, events, tmp_path):
    """Makes places of a kind, each with the events."""
    node_of = partial(request.getfixturevalue, "elasticsearch_node")
    return lambda name: PLACES[request.param](events, tmp_path / name, node_of)


def settings(place, url, log, **options):
    began = options.pop("began", time.time())
    return Settings(place.place, url, START.timestamp(), began, log=str(log), namespace=place.namespace, **options)


@pytest.fixture
def undisturbed(make_place):
    """What one run finds, and whom it would tell what."""
    place, keys = make_place("undisturbed"), Keys()
    config = settings(place, "json://127.0.0.1:9/", "/dev/null", hour=1, every=1, lease=30).config()
    run(place.store(), START + HOURS * HOUR, config=config, notifier=keys)
    assert len(keys.keys) == len(set(keys.keys)) == 8
    assert len(incidents_of(place.store())) == 3
    return place.results(), keys.keys


class Fleet:
    """Schedulers that are killed while they are at a model, and started again.

    Attributes:
        kills: How many were.
        gap: The longest real time for which an hour that was over by the slowest clock was not judged, seconds.
    """

    def __init__(self, place, each):
        self.place, self.each = place, each
        self.processes = [one.start() for one in each]
        self.started = [time.time()] * len(each)
        self.kills, self.gap, self.seen = 0, 0.0, None
        self.ends = each[0].began + HOURS * each[0].hour - each[0].skew

    def live(self):
        """Those that have done a run since they were started; one of them is always left alone."""
        return [k for k, one in enumerate(self.each) if any(line[0] > self.started[k] for line in lines(Path(one.log)))]

    def kill_a_holder(self, rng):
        holder = self.place.holder()
        if holder is None or holder == self.seen:
            return
        self.seen = holder
        # Were every run killed at its beginning there would be nothing to see but that.
        live = self.live()
        victims = [k for k in live if self.processes[k].pid == holder[0]]
        if len(live) >= 2 and victims and rng.random() < 0.5:
            (k,) = victims
            time.sleep(rng.random() * 0.3)
            self.processes[k].kill()
            self.processes[k].wait()
            self.kills += 1
            self.processes[k], self.started[k] = self.each[k].start(), time.time()

    def look(self):
        """How far it is, by the slowest clock; whether all is judged."""
        slowest, real = self.each[0], time.time()
        due = min(slowest.now(real), START + HOURS * HOUR) - HOUR
        judged = [dt.datetime.fromisoformat(self.place.judged(model) or START.isoformat()) for model in MODELS]
        self.gap = max(self.gap, (due - min(judged)) / HOUR * slowest.hour)
        return min(judged) >= START + HOURS * HOUR

    def run(self, rng):
        try:
            while not self.look() and time.time() < self.ends + 60:
                if time.time() < self.ends:
                    self.kill_a_holder(rng)
                time.sleep(0.02)
            time.sleep(1.5 * EVERY)  # for what is told behind the last hour
        finally:
            for process in self.processes:
                process.send_signal(signal.SIGTERM)
            codes = [process.wait(timeout=60) for process in self.processes]
        assert codes == [0] * len(codes)
        assert [Path(f"{one.log}.err").read_text() for one in self.each] == [""] * len(self.each)


def test_three_schedulers_under_kill_9_with_clocks_that_differ(make_place, undisturbed, tmp_path):
    """Killed again and again in the middle of their runs, with 5 s between their clocks: as if one had done it all."""
    place = make_place("shared")
    with webhook() as receiver:
        url = f"json://127.0.0.1:{receiver.server_port}/"
        began = time.time() + 5 + SKEW / 2  # the clock that is ahead begins when all are up
        fleet = Fleet(
            place,
            [
                settings(place, url, tmp_path / f"{skew}.log", began=began, hour=0.3, every=EVERY, lease=LEASE, skew=skew)
                for skew in (-SKEW / 2, 0.0, SKEW / 2)
            ],
        )
        fleet.run(random.Random(4))
    (profiles, findings, changes), keys = undisturbed
    held = place.results()
    # Clocks run on: hours after the last event are judged too, as empty ones.
    last = (START + HOURS * HOUR).isoformat()
    assert {m: p[:HOURS] for m, p in held[0].items()} == profiles
    assert {m: [f for f in found if f["window"]["end"] <= last] for m, found in held[1].items()} == findings
    assert [event for event in held[2] if event["at"] <= last] == changes
    assert len({event["id"] for event in held[2]}) == len(held[2])
    got = Counter(body["message"].rsplit("Message ", 1)[1] for body in receiver.bodies)
    assert got.keys() >= set(keys)
    assert got.keys() == {event["id"] for event in held[2] if event["kind"] in {"opened", "reopened", "recovered"}}
    # A kill in the millisecond between a message and its note makes a copy, which says that it is one. Seldom is it so.
    copies = sum(got.values()) - len(got)
    assert copies <= 1, f"{copies} copies after {fleet.kills} kills"
    assert len({json.dumps(body, sort_keys=True) for body in receiver.bodies}) == len(got)
    runs = [sum(1 for line in lines(Path(one.log)) if line[1]) for one in fleet.each]
    told = f"{fleet.kills} kills, gap {fleet.gap:.2f} s, runs that judged {runs}, {copies} copies"
    # A busy machine has time for fewer; one that isn't for a dozen.
    assert fleet.kills >= 3, told
    assert sum(count > 0 for count in runs) >= 2, told
    # One interval, and the time that runs themselves take on this machine beside all else that it does now.
    assert fleet.gap <= EVERY + 2 * max(document["run"]["seconds"] for document in place.runs()) + 1, told
    assert place.holder() is None
    if target := os.environ.get("MLLOG_TEST_NOTES"):
        Path(target).write_text(told)


def test_a_catch_up_that_is_killed_goes_on_where_it_was(make_place, undisturbed, tmp_path):
    """kill -9 in the middle of three days to catch up: the same findings, incidents, ids and messages as of one run."""
    place = make_place("killed")
    log = tmp_path / "scheduler.log"
    (profiles, findings, changes), keys = undisturbed
    until = []
    with webhook() as receiver:
        url = f"json://127.0.0.1:{receiver.server_port}/"
        # All is over already, and this clock stands nearly still.
        one = settings(place, url, log, began=time.time() - HOURS * 10_000, hour=10_000, every=0.5, lease=0.5)
        for model, day in (("shop", 1), ("till", 2)):
            process = one.start()
            while (place.judged(model) or "") < (START + day * 24 * HOUR).isoformat():
                assert process.poll() is None
                time.sleep(0.005)
            process.kill()
            process.wait()
            until.append(place.judged(model))
        process = one.start()
        deadline = time.time() + 60
        while len({b["message"] for b in receiver.bodies}) < len(keys) and time.time() < deadline:
            time.sleep(0.05)
        process.terminate()
        assert process.wait(timeout=60) == 0
        got = [body["message"].rsplit("Message ", 1)[1] for body in receiver.bodies]
    assert any(moment < (START + HOURS * HOUR).isoformat() for moment in until), "killed in the middle"
    assert (place.results(), sorted(got)) == ((profiles, findings, changes), sorted(keys))
    assert sum(line[1] for line in lines(log)) < 2 * HOURS, "what was judged wasn't judged again"
