"""Whose fault a failure is: the cluster's or the server's, then everything waits, or one event's, which is set aside."""

from __future__ import annotations

import logging
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from support import spools
from support.scripted import Asked, bulk, failure, scripted

from mllog.delivery.sinks import SpoolSink
from mllog.places import parse
from mllog.shipping import Shipper, inspect, open_destination
from mllog.shipping.courier import Limits
from mllog.shipping.dead import read
from mllog.shipping.pace import Pace

if TYPE_CHECKING:
    import pathlib

    from support.elasticsearch import Node

ES = "elasticsearch+http"
SHARDS = failure(
    400, "validation_exception", "this action would add [2] shards, but this cluster has [1000]/[1000] maximum normal shards open"
)  # fmt: skip
TAKEN = {"status": 201}


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("MLLOG_") and not name.startswith("MLLOG_TEST_")]:
        monkeypatch.delenv(name)


def quick(folder: pathlib.Path, place: str, *, give_up: float = 30.0, seconds: float = 5.0, **options: Any) -> Shipper:
    """A shipper that doesn't wait long."""
    destination = open_destination(place)
    destination.hurry(seconds)
    shipper = Shipper(folder, destination, give_up=give_up, **options)
    shipper.pace = Pace(shipper.stop, first=0.005, longest=0.02, give_up=give_up)
    return shipper


def letters(folder: pathlib.Path) -> dict[str, str]:
    """Reasons of dead letters by id."""
    return {letter["id"]: letter["reason"] for path in (folder / "_dead").glob("*/*.ndjson") for letter in read(path)}


def refusing(answers: dict[str, dict[str, Any]], stored: set[str]) -> Any:
    """Answers of an Elasticsearch that takes everything but some ids, and says what it has."""

    def answer(asked: Asked) -> Any:
        if not asked.path.endswith("/_bulk"):
            return 200, ({"_shards": {"failed": 0}} if asked.path.endswith("_refresh") else {})
        if "deadletter" in asked.body.decode():
            return bulk([TAKEN] * (len(asked.body.splitlines()) // 2))
        stored.update(set(asked.ids) - answers.keys())
        return bulk([answers.get(identity, TAKEN) for identity in asked.ids])

    return answer


@pytest.mark.parametrize(
    "item",
    [
        SHARDS,
        failure(404, "index_not_found_exception"),
        failure(400, "index_closed_exception"),
        failure(403, "cluster_block_exception"),
        failure(403, "security_exception"),
        failure(400, "illegal_argument_exception", "pipeline with id [x] does not exist"),
        failure(503, "unavailable_shards_exception"),
        failure(500, "i_o_exception"),
    ],
    ids=lambda item: item["error"]["type"],
)
def test_what_concerns_every_event_is_no_events_fault(tmp_path: pathlib.Path, item: dict[str, Any]) -> None:
    """An answer that all events get waits with its reason, nothing is set aside, and all arrive when it is mended."""
    spools.spool(tmp_path, "a", spools.lines("a", 20))
    stored: set[str] = set()
    with scripted(refusing({f"a-{k}": item for k in range(20)}, stored)) as server:
        shipper = quick(tmp_path, server.place(ES), give_up=0.4)
        shipper.run()
        assert len(server.asked) > 5
        assert item["error"]["type"] in str(shipper.problem)
        (status,) = inspect(tmp_path)
        assert (status.delivered, status.dead, status.lost, status.pending_lines) == (0, 0, 0, 20)
        assert status.failing
        assert item["error"]["type"] in str(status.last_error)
        server.answering = refusing({}, stored)
        quick(tmp_path, server.place(ES)).run()
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead, status.pending_lines, len(stored)) == (20, 0, 0, 20)


def test_a_stream_in_trouble_is_no_events_fault_either(tmp_path: pathlib.Path) -> None:
    """That another data stream works says nothing about events of this one, however often they fail."""
    events = [*spools.lines("m", 20), *spools.lines("k", 20, dataset="mllog.metric")]
    spools.spool(tmp_path, "a", events)
    for kind, status in (("illegal_argument_exception", 400), ("i_o_exception", 500)):
        answers = {f"k-{k}": failure(status, kind) for k in range(20)}
        with scripted(refusing(answers, set())) as server:
            shipper = quick(tmp_path, server.place(ES), give_up=0.3)
            shipper.run()
            assert len([asked for asked in server.asked if asked.path == "/_bulk"]) > 5
        assert shipper.counts.dead == 0
        assert kind in str(shipper.problem)


def test_an_unknown_error_among_others_that_are_taken_is_the_events_own(tmp_path: pathlib.Path) -> None:
    """The same stream took its neighbours: nothing but the event is left to blame; one of a known type always is."""
    spools.spool(tmp_path, "a", spools.lines("a", 20))
    answers = {
        "a-7": failure(400, "illegal_argument_exception", "immense term"),
        "a-9": failure(400, "document_parsing_exception"),
    }
    with scripted(refusing(answers, stored := set())) as server:
        shipper = quick(tmp_path, server.place(ES))
        shipper.run()
    assert (shipper.counts.delivered, shipper.counts.dead, shipper.problem) == (18, 2, None)
    assert "immense term" in letters(tmp_path)["a-7"]
    assert len(stored) == 18


def test_a_batch_of_one_gets_company(tmp_path: pathlib.Path) -> None:
    """An event that fails alone is sent again with those behind it, which show whose fault it was."""
    spools.spool(tmp_path, "a", spools.lines("a", 20))
    answers = {"a-0": failure(400, "illegal_argument_exception", "immense term")}
    with scripted(refusing(answers, stored := set())) as server:
        shipper = quick(tmp_path, server.place(ES), limits=Limits(bytes=50))
        shipper.run()
        assert server.asked[0].ids == ["a-0"]
    assert (shipper.counts.delivered, shipper.counts.dead, shipper.problem) == (19, 1, None)
    assert len(stored) == 19


def test_an_event_that_is_alone_is_extended(tmp_path: pathlib.Path) -> None:
    """One event beside a model, refused for an unknown reason, then others behind it: they pass, it is set aside."""
    writer = spools.spool(tmp_path, "a", spools.lines("a", 1), closed=False)
    answers = {"a-0": failure(400, "illegal_argument_exception", "immense term")}
    with scripted(refusing(answers, stored := set())) as server:
        shipper = quick(tmp_path, server.place(ES), give_up=None)
        shipper.round()
        assert shipper.counts.dead == 0
        for event in spools.lines("a", 12)[1:]:
            writer.write(event)
        while len(stored) < 11 or shipper.counts.dead < 1:
            shipper.round()
        shipper.close()
    writer.close()
    assert letters(tmp_path).keys() == {"a-0"}


@pytest.mark.parametrize("kind", ["status", "silent", "broken"])
@pytest.mark.parametrize("where", [0, 7, 19])
def test_one_line_that_a_server_cannot_stand_goes_alone(tmp_path: pathlib.Path, kind: str, where: int) -> None:
    """500, no answer or a broken connection whenever one line is in a batch: all others arrive, of both processes."""
    spools.spool(tmp_path, "p1", spools.lines("p1", 20))
    spools.spool(tmp_path, "p2", spools.lines("p2", 400))
    got: set[str] = set()

    def answer(asked: Asked) -> Any:
        if f"p1-{where}" in asked.ids:
            if kind == "silent":
                server.ended.wait(60)
            return 500 if kind == "status" else []
        got.update(asked.ids)
        return 200

    with scripted(answer) as server:
        # In as many requests that chance doesn't explain it.
        shipper = quick(
            tmp_path, server.place(), seconds=0.1 if kind == "silent" else 5.0, limits=Limits(lines=20), give_up=5.0
        )
        shipper.run()
    assert len(got) == 419
    assert (shipper.counts.delivered, shipper.counts.dead, shipper.problem) == (419, 1, None)
    assert letters(tmp_path).keys() == {f"p1-{where}"}
    assert "while other events were taken" in letters(tmp_path)[f"p1-{where}"]


def test_one_event_that_elasticsearch_cannot_stand(tmp_path: pathlib.Path) -> None:
    """An item that gets 500 while its neighbours are taken doesn't keep them, nor other processes."""
    spools.spool(tmp_path, "p1", spools.lines("p1", 20))
    spools.spool(tmp_path, "p2", spools.lines("p2", 50))
    with scripted(refusing({"p1-7": failure(500, "null_pointer_exception")}, stored := set())) as server:
        shipper = quick(tmp_path, server.place(ES))
        shipper.run()
    assert (shipper.counts.delivered, shipper.counts.dead, shipper.problem) == (69, 1, None)
    assert len(stored) == 69
    assert "null_pointer_exception" in letters(tmp_path)["p1-7"]


@pytest.mark.parametrize("answer", [500, 502, 503, 429])
def test_while_a_server_is_down_nothing_is_set_aside(tmp_path: pathlib.Path, answer: int) -> None:
    """However often it fails, with whatever split: no success, no blame; then all arrives."""
    for process in ("p1", "p2"):
        spools.spool(tmp_path, process, spools.lines(process, 20))
    with scripted(lambda _: answer) as server:
        shipper = quick(tmp_path, server.place(), give_up=1.0)
        shipper.run()
        assert len(server.asked) > 30
        assert {asked.ids[0][:2] for asked in server.asked} == {"p1", "p2"}
        assert (shipper.counts.delivered, shipper.counts.dead) == (0, 0)
        server.answering = lambda _: 200
        quick(tmp_path, server.place()).run()
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead, status.pending_lines) == (40, 0, 0)


def test_a_server_that_refuses_all_requests_with_400(tmp_path: pathlib.Path) -> None:
    """Elasticsearch's own 400 for the request, whatever is in it, sets nothing aside."""
    spools.spool(tmp_path, "a", spools.lines("a", 20))
    error = {"error": {"type": "illegal_argument_exception", "reason": "unrecognized parameter"}, "status": 400}
    with scripted(lambda _: (400, error)) as server:
        shipper = quick(tmp_path, server.place(ES), give_up=0.3)
        shipper.run()
    assert shipper.counts.dead == 0
    assert "unrecognized parameter" in str(shipper.problem)


def test_what_is_lost_is_said(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    """Dead letters beyond their bound are counted as lost, warned of once, and the last error."""
    caplog.set_level(logging.WARNING, "mllog")
    events = spools.lines("a", 60)
    bad = {f"a-{k}": failure(400, "document_parsing_exception", "no number") for k in range(60)}
    with scripted(refusing(bad, set())) as server:
        sink = SpoolSink(parse(server.place(ES)), tmp_path / "spool", spool_bytes=40_000)
        sink.start("a")
        for event in events:
            sink.write(event)
        while not (found := inspect(tmp_path / "spool")) or found[0].dead + found[0].lost < 60:
            server.ended.wait(0.01)
        (status,) = inspect(tmp_path / "spool")
        sink.close(timeout=30)
    assert status.lost > 0
    said = [record.getMessage() for record in caplog.records if "are lost" in record.getMessage()]
    assert len(said) == 1
    assert "no number" in said[0]
    assert "are lost" in str(status.last_error)
    assert status.failing


def test_beside_a_model_a_full_cluster_loses_nothing(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    """No room for another shard is an outage like any other: told once, nothing dead, nothing lost."""
    caplog.set_level(logging.WARNING, "mllog")
    with scripted(lambda asked: bulk([SHARDS] * len(asked.ids))) as server:
        sink = SpoolSink(parse(server.place(ES)), tmp_path / "spool", spool_bytes=40_000)
        sink.start("a")
        for event in spools.lines("a", 60):
            sink.write(event)
        while len(server.asked) < 3:
            server.ended.wait(0.01)
        sink.close(timeout=5)
    (status,) = inspect(tmp_path / "spool")
    assert (status.dead, status.lost, status.pending_lines, status.failing) == (0, 0, 60, True)
    assert "maximum normal shards" in str(status.last_error)
    assert len([record for record in caplog.records if "maximum normal shards" in record.getMessage()]) == 1


def test_a_real_cluster_without_room_for_shards(tmp_path: pathlib.Path, elasticsearch_node: Node) -> None:
    """cluster.max_shards_per_node of a real node: events of a new stream wait until there is room."""
    namespace = f"test_{uuid.uuid4().hex[:8]}"
    stream = {"type": "logs", "dataset": "mllog.prediction.shards", "namespace": namespace}
    events = [spools.line(f"{namespace}-{k}", dataset="mllog.prediction.shards", data_stream=stream) for k in range(10)]
    spools.spool(tmp_path, "a", events)
    template = {
        "index_patterns": [f"logs-mllog.*-{namespace}"],
        "data_stream": {},
        "priority": 950,
        "template": {"settings": {"number_of_replicas": 0}},
    }
    elasticsearch_node.request("PUT", f"/_index_template/{namespace}", template)
    place = elasticsearch_node.url.replace("http", ES, 1)
    limit = {"persistent": {"cluster.max_shards_per_node": 1}}
    # Of whatever there is, one shard is the most that may be.
    elasticsearch_node.request("PUT", f"/mllog-{namespace}", {"settings": {"number_of_replicas": 0}})
    elasticsearch_node.request("PUT", "/_cluster/settings", limit)
    try:
        shipper = quick(tmp_path, place, give_up=0.5, seconds=30.0)
        shipper.run()
    finally:
        elasticsearch_node.request("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": None}})
        elasticsearch_node.request("DELETE", f"/mllog-{namespace}")
    assert "maximum normal shards open" in str(shipper.problem)
    assert shipper.counts.dead == 0
    again = quick(tmp_path, place, seconds=30.0)
    again.run()
    assert (again.counts.delivered, again.counts.dead, again.problem) == (10, 0, None)


@pytest.mark.parametrize(
    "items", [["x"], [{"create": "x"}], [{"create": {"status": "x"}}], [{}], [{"create": None}], None]
)
def test_items_that_are_none(tmp_path: pathlib.Path, items: Any) -> None:
    """200 with items of other shapes is an answer that can't be read: everything waits, with the reason."""
    spools.spool(tmp_path, "a", spools.lines("a", 1))
    with scripted(lambda _: (200, {"errors": True, "items": items})) as server:
        shipper = quick(tmp_path, server.place(ES), give_up=5.0)
        shipper.run()
    assert "no answer to _bulk" in str(shipper.problem)
    assert inspect(tmp_path)[0].pending_lines == 1


@pytest.mark.parametrize("answer", [{"_shards": []}, [], {"_shards": {"failed": 0}}])
def test_answers_to_questions_that_are_none(tmp_path: pathlib.Path, answer: Any) -> None:
    """Asked what has arrived, it answers something else: that isn't taken for nothing."""
    spools.spool(tmp_path, "a", spools.lines("a", 1))
    steps = iter([[], (200, answer), (200, {"hits": {"hits": ["x"]}}), *[(200, answer)] * 99])
    with scripted(lambda _: next(steps)) as server:
        shipper = quick(tmp_path, server.place(ES), give_up=5.0)
        shipper.run()
    assert "is no answer to" in str(shipper.problem)
