"""What the pipelines' filters make of events, written to a real node by the `_bulk` requests that they stand for.

Logstash itself isn't here: tests/support/logstash.py is a model of it. The documents, ids, streams, templates and the
node's answers are real.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from support import spools
from support.elasticsearch import DEFAULT_VERSION, OLDER_VERSION
from support.logstash_cases import HOSTILE, REJECTED, event, line
from support.predictions import START, Prediction, write

import mllog
from mllog.environment import Manifest
from mllog.shipping import Shipper, open_destination
from watchers.stores.elastic import ElasticsearchStore

if TYPE_CHECKING:
    import pathlib

    from conftest import Place

NODES = pytest.mark.parametrize("place", [DEFAULT_VERSION, OLDER_VERSION], indirect=True)


def ship(place: Place, folder: pathlib.Path, namespace: str) -> None:
    """The direct shipper's way."""
    shipper = Shipper(spools.moved(folder, namespace), open_destination(place.name), give_up=30.0)
    shipper.run()
    assert shipper.problem is None


def same(document: dict[str, Any]) -> dict[str, Any]:
    """Without what differs by how it came: when, to which namespace, and how its time is spelt."""
    text = document["@timestamp"].removesuffix("Z").ljust(29, "0")
    stream = {**document["data_stream"], "namespace": ""}
    return {**document, "@timestamp": text, "data_stream": stream, "event": {**document["event"], "ingested": ""}}


@NODES
def test_both_ways_lead_to_the_same_documents(place: Place, tmp_path: pathlib.Path) -> None:
    """Events of real loggers of odd names, by Logstash and by the direct shipper: the same streams, ids, documents."""
    for name in ("flight-delay", "Größe/İ\n", "a" * 200, "Kelvin K"):
        with mllog.ModelLogger(name, version="1", sink=tmp_path, resources=0, environment=Manifest()) as log:
            for k in range(20):
                log.prediction({"x": k / 3, "carrier": "UA", "gone": None, "a.b c": k}, {"label": "late", "score": 0.5})
            log.label("p1", "late")
            log.kpi("revenue", 1.5)
    lines = spools.read(tmp_path)
    writes = place.pipelines.http(b"".join(lines))
    assert {item["status"] for item in place.write(writes)} == {201}
    ship(place, tmp_path, f"{place.namespace}.direct")
    ours, theirs = place.documents(), place.documents(namespace=f"{place.namespace}.direct")
    assert len(ours) == len(lines)
    assert {key: same(document) for key, document in ours.items()} == {key: same(document) for key, document in theirs.items()}
    # Sent again, all of it is refused as there, and nothing has changed.
    again = place.pipelines.http(b"".join(lines))
    assert {item["status"] for item in place.write(again)} == {409}
    assert place.documents() == ours


@NODES
def test_hostile_events_reach_nothing_but_their_stream(place: Place) -> None:
    """They ask for another index, id, pipeline, version and routing, and are documents like all others, or dead letters."""
    before = place.names()
    writes = []
    for k, document in enumerate(HOSTILE):
        own = {**document, "event": {**document["event"], "id": f"h-{k}"}}
        writes += place.pipelines.http(line(own))
    items = place.write(writes)
    refused = {k for k, document in enumerate(HOSTILE) if "_id" in document or isinstance(document.get("message"), dict)}
    assert [item["status"] for item in items] == [400 if k in refused else 201 for k in range(len(HOSTILE))]
    letters = [letter for k in refused for letter in place.pipelines.dead(writes[k], 400, json.dumps(items[k]))]
    assert [item["status"] for item in place.write(letters)] == [201] * len(refused)
    made = {name for name in place.names() - before if not name.startswith(".ds-logs-mllog.")}
    assert made == {f"logs-mllog.{kind}-{place.namespace}" for kind in ("prediction.m", "deadletter")}
    wanted = {("mllog.deadletter" if k in refused else "mllog.prediction.m", f"h-{k}") for k in range(len(HOSTILE))}
    assert set(place.documents()) == wanted


@NODES
def test_rejects_are_documents_with_their_reason(place: Place) -> None:
    """Each kind of them, once, whoever sends it how often."""
    wanted = []
    for reason, bodies in REJECTED.items():
        for body in bodies:
            writes = place.pipelines.http(body if isinstance(body, bytes) else line(body))
            wanted += [(reason, write.id) for write in writes]
            first, second = place.write(writes), place.write(writes)
            assert [item["status"] for item in (*first, *second)] in ([201, 409], [409, 409]), (reason, body, first)
    found = place.documents("mllog.reject")
    assert {key[1] for key in found} == {identity for _, identity in wanted}
    for reason, identity in wanted:
        document = found["mllog.reject", identity or ""]
        assert document["error"] == {"type": "rejected", "message": reason}
        assert document["event"]["original"]
    query = {"query": {"match_phrase": {"error.message": "none of mllog's"}}, "size": 0, "track_total_hits": True}
    answer = place.node.request("POST", f"/logs-mllog.reject-{place.namespace}/_search", query)
    assert answer["hits"]["total"]["value"] == len(REJECTED["event.dataset is none of mllog's"])


REFUSED = [
    event(ml={"model": {"name": "m", "version": "7"}, "inputs": {"number": 5}}),
    event(ml={"model": {"name": "m", "version": "7"}, "missing": {"null": {"a": 1}}}),
    event(host="a text"),
]


@pytest.mark.parametrize("document", REFUSED, ids=["number", "missing", "host"])
def test_what_the_node_refuses_is_the_direct_shippers_dead_letter(
    place: Place, tmp_path: pathlib.Path, document: dict[str, Any]
) -> None:
    """The node's own answer to it, through the dead-letter queue: the same stream, id, fields and status."""
    (refused,) = place.pipelines.http(line(document))
    (item,) = place.write([refused])
    assert item["status"] == 400
    (letter,) = place.pipelines.dead(refused, item["status"], json.dumps({"create": item}))
    assert [one["status"] for one in (*place.write([letter]), *place.write([letter]))] == [201, 409]
    # The direct shipper knows no dead letter but of what it has spooled.
    spools.spool(tmp_path / "spool", "a", [line(document)])
    ship(place, tmp_path / "spool", f"{place.namespace}.direct")
    (ours,) = place.documents("mllog.deadletter").items()
    (theirs,) = place.documents("mllog.deadletter", f"{place.namespace}.direct").items()
    assert ours[0] == theirs[0] == ("mllog.deadletter", "0193-a")
    for part in ((), ("event",), ("error",), ("data_stream",), ("ml",), ("ml", "model")):
        one, other = ours[1], theirs[1]
        for name in part:
            one, other = one[name], other[name]
        assert one.keys() == other.keys(), part
    assert ours[1]["error"]["type"] == theirs[1]["error"]["type"] == "400"
    assert item["error"]["reason"][:40] in ours[1]["error"]["message"]
    assert json.loads(ours[1]["event"]["original"])["event"]["id"] == "0193-a"
    # And so the watchers know of it.
    store = ElasticsearchStore(place.name, namespace=place.namespace)
    assert store.rejected_count() == 1
    assert item["error"]["reason"][:40] in store.rejected()[0].reason


def test_watchers_count_both_alike(place: Place, tmp_path: pathlib.Path) -> None:
    """The profile of an hour, cell by cell, is the same whichever way its events came."""
    card = mllog.ModelCard.from_frame({"x": [float(k) for k in range(100)], "c": ["a", "b"] * 50}, "Model Ü", "1")
    rows = [Prediction({"x": k * 1.5, "c": "ab?"[k % 3]} if k % 7 else {"x": None}, k / 100, time=START) for k in range(60)]
    write(str(tmp_path), rows, card, "Model Ü")
    lines = spools.read(tmp_path)
    assert {item["status"] for item in place.write(place.pipelines.http(b"".join(lines)))} == {201}
    ship(place, tmp_path, f"{place.namespace}.direct")
    end = START + dt.timedelta(hours=1)
    profiles = []
    for namespace in (place.namespace, f"{place.namespace}.direct"):
        store = ElasticsearchStore(place.name, namespace=namespace)
        store.refresh()
        assert store.models() == ["Model Ü"]
        (profile,) = store.profiles("Model Ü", card.ruler, START, end)
        profiles.append(profile.to_dict(card.ruler))
    assert profiles[0] == profiles[1]
    assert profiles[0]["cells"]
