"""Shipping to a real Elasticsearch node, and through a proxy that breaks what a node breaks only now and then."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from support import processes, spools
from support.between import between
from support.elasticsearch import DEFAULT_VERSION, OLDER_VERSION

from mllog.shipping import Shipper, inspect, open_destination
from mllog.shipping.courier import Limits
from mllog.shipping.dead import read
from mllog.shipping.pace import Pace
from mllog.shipping.replay import replay

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

    from support.elasticsearch import Node

DATASET = "mllog.prediction.m"

TEMPLATE = {
    "index_patterns": ["logs-mllog.*-test_*"],
    "data_stream": {},
    "priority": 900,
    "template": {
        "settings": {"number_of_replicas": 0, "index.mode": "standard"},
        "mappings": {
            "dynamic": False,
            "properties": {
                "@timestamp": {"type": "date"},
                "event": {"properties": {"id": {"type": "keyword"}, "ingested": {"type": "date"}}},
                "ml": {"properties": {"outputs": {"properties": {"value": {"type": "double"}}}}},
            },
        },
    },
}


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("MLLOG_") and not name.startswith("MLLOG_TEST_")]:
        monkeypatch.delenv(name)


class Streams:
    """The data streams of one test, by a namespace of its own."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.namespace = f"test_{uuid.uuid4().hex[:8]}"

    def lines(self, process: str, count: int, **more: Any) -> list[bytes]:
        return [self.line(f"{self.namespace}-{process}-{k}", **more) for k in range(count)]

    def line(self, identity: str, dataset: str = DATASET, **more: Any) -> bytes:
        stream = {"type": "logs", "dataset": dataset, "namespace": self.namespace}
        return spools.line(identity, dataset=dataset, data_stream=stream, **more)

    def documents(self, dataset: str = DATASET) -> list[dict[str, Any]]:
        """All documents, each hit of its own."""
        name = f"logs-{dataset}-{self.namespace}"
        self.node.request("POST", f"/{name}/_refresh?ignore_unavailable=true")
        answer = self.node.request("POST", f"/{name}/_search?ignore_unavailable=true", {"size": 10_000})
        return [{"_id": hit["_id"], **hit["_source"]} for hit in answer["hits"]["hits"]]

    def ids(self) -> set[str]:
        """Ids of all documents, however many."""
        found: set[str] = set()
        source: dict[str, Any] = {"size": 10_000, "sources": [{"id": {"terms": {"field": "event.id"}}}]}
        query = {"size": 0, "aggs": {"ids": {"composite": source}}}
        path = f"/logs-{DATASET}-{self.namespace}/_search"
        while buckets := self.node.request("POST", path, query)["aggregations"]["ids"]["buckets"]:
            found |= {bucket["key"]["id"] for bucket in buckets}
            source["after"] = buckets[-1]["key"]
        return found


@pytest.fixture(params=[DEFAULT_VERSION, OLDER_VERSION])
def streams(request: pytest.FixtureRequest, elasticsearch_nodes: Callable[[str], Node]) -> Streams:
    node = elasticsearch_nodes(request.param)
    node.request("PUT", "/_index_template/mllog-test-shipping", TEMPLATE)
    return Streams(node)


def quick(folder: pathlib.Path, place: str, *, give_up: float = 60.0, **options: Any) -> Shipper:
    """A shipper that doesn't wait long between attempts."""
    shipper = Shipper(folder, open_destination(place), give_up=give_up, **options)
    shipper.pace = Pace(shipper.stop, first=0.005, longest=0.02, give_up=give_up)
    return shipper


def check(streams: Streams, folder: pathlib.Path, events: list[bytes]) -> None:
    """Each event is one document, as it was but for event.ingested; and the spool says so too."""
    documents = streams.documents()
    assert len(documents) == len(events)
    found = {}
    for document in documents:
        identity = document.pop("_id")
        assert document["event"].pop("ingested").endswith("Z")
        assert identity == document["event"]["id"]
        found[identity] = document
    assert found == {(event := orjson.loads(raw))["event"]["id"]: event for raw in events}
    (status,) = inspect(folder)
    assert (status.delivered, status.dead, status.pending_lines) == (len(events), 0, 0)


def test_events_are_created_once(tmp_path: pathlib.Path, streams: Streams) -> None:
    """In data streams by dataset and namespace, under their own ids; shipped again they are 409, which is done."""
    events = streams.lines("a", 300)
    other = streams.line(f"{streams.namespace}-kpi", "mllog.metric")
    spools.spool(tmp_path, "a", [*events, other])
    with between(streams.node.url) as proxy:
        first = quick(tmp_path, proxy.place, limits=Limits(lines=70))
        first.run()
        assert (first.counts.delivered, first.counts.duplicates, first.problem) == (301, 0, None)
        assert len(streams.documents("mllog.metric")) == 1
        for checkpoint in (tmp_path / "a").glob("*.checkpoint"):
            checkpoint.unlink()
        second = quick(tmp_path, proxy.place)
        second.run()
        assert (second.counts.delivered, second.counts.duplicates) == (301, 301)
        assert not [path for path in proxy.paths if path != "/_bulk"]
    assert len(streams.documents()) == 300
    assert b'"create"' in proxy.bulks[0]


@pytest.mark.parametrize(
    "script",
    [
        (429, 429),
        (503,),
        ("lost",),
        ("half",),
        ("half", "half", "lost", 429, "half", "lost", 502),
        ("ok", "lost", "ok", "lost"),
    ],
    ids=str,
)
def test_failures_of_requests_and_of_items(
    tmp_path: pathlib.Path, streams: Streams, script: tuple[str | int, ...]
) -> None:
    """Back-pressure for a request or some of its items, answers lost on the way: each event is one document."""
    events = streams.lines("a", 200)
    spools.spool(tmp_path, "a", events)
    with between(streams.node.url, *script) as proxy:
        quick(tmp_path, proxy.place, limits=Limits(lines=50)).run()
        assert not proxy.script
    check(streams, tmp_path, events)
    # Where events may have arrived it was first asked which; 429 says that none has.
    doubtful = {"lost", 502, 503} & set(script)
    assert bool(doubtful) == any(path.endswith("_search") for path in proxy.paths)


def test_a_resend_is_the_same_bytes(tmp_path: pathlib.Path, streams: Streams) -> None:
    """event.ingested is when a batch was first read, in every attempt of every process to send it."""
    events = streams.lines("a", 40)
    spools.spool(tmp_path, "a", events)
    with between(streams.node.url, 429, 503) as proxy:
        first = quick(tmp_path, proxy.place, give_up=0.0)
        first.run()
        assert first.problem is not None
        quick(tmp_path, proxy.place).run()
    assert len(proxy.bulks) == 3
    assert len(set(proxy.bulks)) == 1
    check(streams, tmp_path, events)


def test_a_resend_after_a_rollover(tmp_path: pathlib.Path, streams: Streams) -> None:
    """An answer is lost, then the data stream rolls over: a create would be taken again, so it is asked before."""
    events = streams.lines("a", 40)
    spools.spool(tmp_path, "a", events)
    name = f"logs-{DATASET}-{streams.namespace}"
    rolled: list[str] = []

    def roll(path: str) -> None:
        if path.endswith("_refresh") and not rolled:
            rolled.append(streams.node.request("POST", f"/{name}/_rollover")["new_index"])

    with between(streams.node.url, "lost") as proxy:
        proxy.before = roll
        shipper = quick(tmp_path, proxy.place)
        shipper.run()
    assert rolled
    assert (shipper.counts.duplicates, len(proxy.bulks)) == (40, 1)
    check(streams, tmp_path, events)
    # What it would have been: the new backing index takes an id that the old one has.
    one = events[0]
    action = orjson.dumps({"create": {"_index": name, "_id": orjson.loads(one)["event"]["id"]}}) + b"\n"
    assert streams.node.request("POST", "/_bulk", action + one)["items"][0]["create"]["status"] == 201


def test_a_loss_of_power_and_a_rollover(tmp_path: pathlib.Path, streams: Streams) -> None:
    """The checkpoint is that of the first request, all had been delivered, and a create would be taken again."""
    events = streams.lines("a", 5000)
    spools.spool(tmp_path, "a", events, segment_bytes=600_000)
    kept: list[bytes] = []
    with between(streams.node.url) as proxy:

        def remember(path: str) -> None:
            if path == "/_bulk" and not kept:
                (checkpoint,) = (tmp_path / "a").glob("*.checkpoint")
                kept.append(checkpoint.read_bytes())

        proxy.before = remember
        first = quick(tmp_path, proxy.place, limits=Limits(lines=300))
        first.run()
        assert (first.counts.delivered, first.counts.duplicates) == (5000, 0)
        assert not [path for path in proxy.paths if path != "/_bulk"]
        # The disk has what was synced before the first request, and nothing of the second after it.
        (checkpoint,) = (tmp_path / "a").glob("*.checkpoint")
        checkpoint.write_bytes(kept[0])
        streams.node.request("POST", f"/logs-{DATASET}-{streams.namespace}/_rollover")
        bulks = len(proxy.bulks)
        second = quick(tmp_path, proxy.place, limits=Limits(lines=300))
        second.run()
        assert (second.counts.duplicates, len(proxy.bulks)) == (5000, bulks)
    check(streams, tmp_path, events)


def test_a_role_that_may_not_ask(tmp_path: pathlib.Path, streams: Streams) -> None:
    """Where refresh or search is forbidden the batch is sent all the same, and that is counted."""
    events = streams.lines("a", 40)
    spools.spool(tmp_path, "a", events)
    with between(streams.node.url, "lost") as proxy:
        proxy.rules["_refresh"] = 403
        shipper = quick(tmp_path, proxy.place)
        shipper.run()
    assert (shipper.counts.unasked, shipper.counts.duplicates) == (1, 40)
    check(streams, tmp_path, events)


def test_refused_events_are_dead_letters_until_mended(tmp_path: pathlib.Path, streams: Streams) -> None:
    """400 and what can't be sent at all are kept, also in a data stream of their own; after a mending they arrive."""
    good = streams.lines("a", 20)
    conflict = streams.line(f"{streams.namespace}-odd", ml={"model": {"name": "m"}, "outputs": {"value": {"no": 1}}})
    foreign = streams.line(f"{streams.namespace}-foreign", "nginx.access")
    long = streams.line("x" * 600)
    spools.spool(tmp_path, "a", [*good[:10], conflict, foreign, long, *good[10:]])
    place = streams.node.url.replace("http", "elasticsearch+http", 1)
    shipper = quick(tmp_path, place)
    shipper.run()
    assert (shipper.counts.delivered, shipper.counts.dead, shipper.problem) == (20, 3, None)
    assert len(streams.documents()) == 20
    (path,) = (tmp_path / "_dead").glob("*/*.ndjson")
    letters = {letter["id"]: letter for letter in read(path)}
    assert letters[f"{streams.namespace}-odd"]["status"] == 400
    assert "ml.outputs.value" in letters[f"{streams.namespace}-odd"]["reason"]
    assert "none of mllog's" in letters[f"{streams.namespace}-foreign"]["reason"]
    assert "event.id" in letters["x" * 600]["reason"]
    dead = {document["event"]["original"]: document for document in streams.documents("mllog.deadletter")}
    assert dead.keys() == {event.decode().rstrip("\n") for event in (conflict, foreign, long)}
    assert "ml.outputs.value" in dead[conflict.decode().rstrip("\n")]["error"]["message"]
    assert dead[conflict.decode().rstrip("\n")]["ml"] == {"model": {"name": "m"}}
    # The mending: a mapping that takes objects there, from the next backing index on.
    mended = orjson.loads(orjson.dumps(TEMPLATE))
    mended["index_patterns"] = [f"logs-mllog.*-{streams.namespace}"]
    mended["priority"] = 901
    mended["template"]["mappings"]["properties"]["ml"] = {"type": "object", "enabled": False}
    streams.node.request("PUT", f"/_index_template/{streams.namespace}", mended)
    streams.node.request("POST", f"/logs-{DATASET}-{streams.namespace}/_rollover")
    result = replay(quick(tmp_path, place))
    assert result == {"replayed": 3, "delivered": 1, "dead": 2, "corrupt": 0, "problem": None}
    assert len(streams.documents()) == 21
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead) == (21, 2)
    streams.node.request("DELETE", f"/_index_template/{streams.namespace}")


def test_too_large_a_request_is_split(tmp_path: pathlib.Path, streams: Streams) -> None:
    """413 of a proxy or node halves the batch; one event that never fits is a dead letter."""
    events = streams.lines("a", 60)
    huge = streams.line(f"{streams.namespace}-huge", message="x" * 9000)
    spools.spool(tmp_path, "a", [*events[:30], huge, *events[30:]])
    with between(streams.node.url) as proxy:
        proxy.limit = 8000
        shipper = quick(tmp_path, proxy.place)
        shipper.run()
    assert (shipper.counts.delivered, shipper.counts.dead) == (60, 1)
    assert len(streams.documents()) == 60


def test_a_stream_that_may_not_be_written_to_waits(tmp_path: pathlib.Path, streams: Streams) -> None:
    """A block on writing is an operator's, and no fault of the events: they wait, and arrive when it is lifted."""
    events = streams.lines("a", 20)
    place = streams.node.url.replace("http", "elasticsearch+http", 1)
    spools.spool(tmp_path, "a", events[:10])
    quick(tmp_path, place).run()
    name = f"logs-{DATASET}-{streams.namespace}"
    streams.node.request("PUT", f"/{name}/_settings", {"index.blocks.write": True})
    spools.spool(tmp_path, "b", events[10:])
    blocked = quick(tmp_path, place, give_up=0.3)
    blocked.run()
    assert "403" in str(blocked.problem)
    assert "; remove index.blocks.write from .ds-logs-" in str(blocked.problem)
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead, status.pending_lines) == (10, 0, 10)
    streams.node.request("PUT", f"/{name}/_settings", {"index.blocks.write": None})
    quick(tmp_path, place).run()
    check(streams, tmp_path, events)


def test_events_wait_for_the_templates(tmp_path: pathlib.Path, streams: Streams) -> None:
    """Where nothing makes a data stream none of them makes an index by chance; after `mllog setup` they arrive."""
    # A template of higher priority than any that would make a data stream of it, and one that makes it.
    mine = {**TEMPLATE, "index_patterns": [f"logs-mllog.*-{streams.namespace}"], "priority": 901}
    plain = {key: value for key, value in mine.items() if key != "data_stream"}
    streams.node.request("PUT", f"/_index_template/{streams.namespace}", plain)
    events = streams.lines("a", 20)
    spools.spool(tmp_path, "a", events)
    place = streams.node.url.replace("http", "elasticsearch+http", 1)
    early = quick(tmp_path, place, give_up=0.3)
    early.run()
    assert "mllog setup --elasticsearch URL" in str(early.problem)
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead, status.pending_lines) == (0, 0, 20)
    name = f"logs-{DATASET}-{streams.namespace}"
    assert not streams.node.request("GET", f"/_resolve/index/{name}*")["indices"]
    # Somebody else's shipper makes an index: they wait for that to go, too.
    streams.node.request("PUT", f"/{name}")
    early = quick(tmp_path, place, give_up=0.3)
    early.run()
    assert "mllog setup --check" in str(early.problem)
    streams.node.request("DELETE", f"/{name}")
    streams.node.request("PUT", f"/_index_template/{streams.namespace}", mine)
    quick(tmp_path, place).run()
    check(streams, tmp_path, events)
    assert [one["name"] for one in streams.node.request("GET", f"/_resolve/index/{name}")["data_streams"]] == [name]


def test_an_answer_that_is_none(tmp_path: pathlib.Path, streams: Streams) -> None:
    """200 from something that isn't Elasticsearch counts for nothing."""
    from support.receivers import logstash

    spools.spool(tmp_path, "a", streams.lines("a", 5))
    with logstash() as receiver:
        place = receiver.place().replace("logstash", "elasticsearch")
        shipper = quick(tmp_path, place)
        shipper.run()
        found = open_destination(place).check()
    assert "no answer to _bulk" in str(shipper.problem)
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.pending_lines) == (0, 5)
    assert not found.reachable or "unknown" in found.message


def test_check_asks_for_the_health(streams: Streams) -> None:
    """A node that answers says how it is; one that isn't there doesn't."""
    place = streams.node.url.replace("http", "elasticsearch+http", 1)
    found = open_destination(place).check()
    assert found.reachable
    assert found.message.endswith(("green", "yellow", "red"))
    with between(streams.node.url) as proxy:
        proxy.rules["health"] = 403
        assert open_destination(proxy.place).check().reachable
        proxy.rules["health"] = 401
        assert "password or key" in open_destination(proxy.place).check().message
    assert not open_destination(proxy.place).check().reachable


@pytest.mark.slow
def test_a_shipper_that_is_killed(tmp_path: pathlib.Path, streams: Streams, fault_row: Callable[..., None]) -> None:
    """kill -9 of mllog ship in the middle of its requests, again and again: each event is one document."""
    generator = random.Random(6)
    events = streams.lines("a", 4000)
    spools.spool(tmp_path, "a", events, segment_bytes=20_000)
    kills = 0
    with between(streams.node.url) as proxy:
        command = [sys.executable, "-m", "mllog.cli", "ship", str(tmp_path), "--to", proxy.place, "--json"]
        for _ in range(10):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, env=processes.environment())
            wanted = len(proxy.bulks) + generator.randrange(1, 5)
            while process.poll() is None and len(proxy.bulks) < wanted:
                time.sleep(0.0005)
            time.sleep(generator.random() * 0.03)
            process.kill()
            process.communicate(timeout=30)
            kills += process.returncode == -signal.SIGKILL
        done = subprocess.run(command, capture_output=True, env=processes.environment(), timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert kills >= 8
    name = f"logs-{DATASET}-{streams.namespace}"
    streams.node.request("POST", f"/{name}/_refresh")
    total = streams.node.request("GET", f"/{name}/_count")["count"]
    assert streams.ids() == {orjson.loads(event)["event"]["id"] for event in events}
    assert total == 4000
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead, status.pending_lines) == (4000, 0, 0)
    fault_row(
        "kill -9 of mllog ship to Elasticsearch",
        repetitions=kills,
        accepted=4000,
        delivered=len(streams.ids()),
        duplicates=total - len(streams.ids()),
    )


@pytest.mark.slow
def test_a_node_that_is_killed_under_load(
    tmp_path: pathlib.Path, streams: Streams, fault_row: Callable[..., None]
) -> None:
    """Killed and started again while a spool is being shipped, it has every event once in the end."""
    if not streams.node.can_restart:
        pytest.skip("MLLOG_TEST_ELASTICSEARCH names a node that isn't ours to kill")
    events = streams.lines("a", 20_000)
    spools.spool(tmp_path, "a", events, segment_bytes=400_000)
    place = streams.node.url.replace("http", "elasticsearch+http", 1)
    shipper = quick(tmp_path, place, give_up=300.0, limits=Limits(lines=100))
    thread = threading.Thread(target=shipper.run)
    thread.start()
    while shipper.counts.delivered < 2000 and thread.is_alive():
        time.sleep(0.005)
    streams.node.kill()
    before = shipper.counts.delivered
    streams.node.start()
    thread.join()
    assert 2000 <= before < 20_000
    assert shipper.problem is None
    name = f"logs-{DATASET}-{streams.namespace}"
    streams.node.request("POST", f"/{name}/_refresh")
    total = streams.node.request("GET", f"/{name}/_count")["count"]
    ids = streams.ids()
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.pending_lines) == (20_000, 0)
    assert ids == {orjson.loads(event)["event"]["id"] for event in events}
    fault_row(
        "kill -9 of Elasticsearch while a spool is shipped, and its restart",
        accepted=20_000,
        delivered=len(ids),
        duplicates=total - len(ids),
    )


@pytest.mark.parametrize(
    "script", [("ok",), ("ok", "lost"), ("lost", "lost"), (429, "ok"), (503, 503), ("half", 429, "lost")], ids=str
)
def test_two_halves_at_once(tmp_path: pathlib.Path, streams: Streams, script: tuple[str | int, ...]) -> None:
    """A long batch goes over two connections; whichever half fails is sent again, and each event is one document."""
    events = streams.lines("a", 1000)
    bad = streams.line(f"{streams.namespace}-odd", ml={"outputs": {"value": {"no": 1}}})
    spools.spool(tmp_path, "a", [*events[:900], bad, *events[900:]])
    with between(streams.node.url, *script) as proxy:
        shipper = Shipper(tmp_path, open_destination(proxy.place, parallel=True), give_up=60.0)
        shipper.pace = Pace(shipper.stop, first=0.005, longest=0.02, give_up=60.0)
        shipper.run()
    assert shipper.problem is None
    assert (shipper.counts.delivered, shipper.counts.dead) == (1000, 1)
    assert {document["_id"] for document in streams.documents()} == {
        orjson.loads(event)["event"]["id"] for event in events
    }
    assert len(streams.documents()) == 1000


def test_a_batch_of_which_one_half_is_too_large(tmp_path: pathlib.Path, streams: Streams) -> None:
    """The other half is taken, this one is split further."""
    events = streams.lines("a", 400)
    huge = streams.line(f"{streams.namespace}-huge", message="x" * 60_000)
    spools.spool(tmp_path, "a", [*events, huge])
    with between(streams.node.url) as proxy:
        proxy.limit = 100_000
        shipper = Shipper(tmp_path, open_destination(proxy.place, parallel=True), give_up=60.0)
        shipper.pace = Pace(shipper.stop, first=0.005, longest=0.02, give_up=60.0)
        shipper.run()
    assert (shipper.counts.delivered, shipper.counts.dead, len(streams.documents())) == (401, 0, 401)
