"""What somebody writes into an event, a name or an id stays a value: it chooses no index, id, pipeline, script or query."""

from __future__ import annotations

import dataclasses
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from support import spools, streams
from support.scripted import Asked, bulk, scripted

import mllog
from mllog.cli import main
from mllog.environment import Manifest
from mllog.shipping import inspect, open_destination
from mllog.shipping.shipper import Shipper
from watchers.cli import main as watchers
from watchers.finding import Window
from watchers.stores import open_store
from watchers.stores.base import DocumentQuery
from watchers.stores.elastic import ElasticsearchStore

if TYPE_CHECKING:
    from support.elasticsearch import Node

NAMES = (
    "*", "a*", "?", "_all", "..", "../plain", "%2f", "%2e%2e%2fplain", "plain,*", "-plain", "plain OR *", '"plain"', "plain\n*",
    "' OR '1'='1", "'; DROP TABLE events; --", "$id", "{model}", "<plain-{now/d}>", "logs-mllog.prediction.plain-default",
    "[[:alpha:]]", "\\*", "plain:*", "(plain)", "/.*/", "__class__", "Ünïcode", "a b",
)  # fmt: skip
"""Wildcards and dates of index names, Lucene, SQL, paths, templates."""

MISSING = ("nobody", "'", '"', "' OR TRUE --", "b*", "%", "_", "p?ain", "../*", "a\nb", "$ids", "\x00", "]}", "event.id:*", "é" * 50)


def served(folder: Path, namespace: str) -> dict[str, str]:
    """One prediction of each hostile model, and three of a plain one; ids by model."""
    found = {}
    for model in (*NAMES, "plain"):
        with mllog.ModelLogger(
            model, version=model, sink=str(folder), namespace=namespace, environment=Manifest(), resources=0, clock=lambda: int(streams.START.timestamp()) * 10**9
        ) as log:
            for k in range(3 if model == "plain" else 1):
                name = f"{model}-{k}"
                found[model] = log.prediction({model: k + 0.5, "segment": model}, {"label": model}, name)
    return found


@pytest.fixture(params=["files", "elasticsearch"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store with those events: how it is opened, as a command names it, and the ids."""
    folder, namespace = tmp_path / "events", f"hostile_{uuid.uuid4().hex[:8]}"
    ids = served(folder, namespace)
    if request.param == "files":
        return open_store(str(folder)), str(folder), ids
    node: Node = request.getfixturevalue("elasticsearch_node")
    from mllog.elastic.client import connect
    from mllog.elastic.setup import ensure

    place = f"elasticsearch+{node.url}"
    ensure(connect(place))
    shipper = Shipper(folder, open_destination(place), give_up=30.0)
    shipper.run()
    assert (shipper.problem, shipper.counts.dead) == (None, 0)
    request.getfixturevalue("monkeypatch").setenv("MLLOG_NAMESPACE", namespace)
    opened = ElasticsearchStore(place, namespace=namespace)
    opened.refresh()
    return opened, place, ids


def test_names_are_names(store: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of each model, feature, segment and id only its own events are counted, shown and named."""
    opened, place, ids = store
    assert opened.models() == sorted([*NAMES, "plain"])
    start, end = streams.START, streams.START + streams.HOUR
    card = streams.card_of("other")
    for model in (*NAMES, "plain"):
        wanted = 3 if model == "plain" else 1
        assert sum(opened.counts(model, start, end).values()) == wanted, model
        (profile,) = opened.profiles(model, card.ruler, start, end)
        assert profile.n == wanted, model
        for query in (DocumentQuery("any", ""), DocumentQuery("number", model)):
            assert ids[model] in opened.documents(model, Window(start, end), query, None, 10)
            assert len(opened.documents(model, Window(start, end), query, None, 10)) == wanted, (model, query)
        found = opened.events_of(f"{model}-0")
        assert [event["ml"]["model"]["name"] for event in found] == [model]
        assert main(["show", "--store", place, "--json", "--", f"{model}-0"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert {event["ml"]["model"]["name"] for event in shown["events"]} == {model}
    for name in ("any*", "plai?", *MISSING):
        assert sum(opened.counts(name, start, end).values()) == 0, name
        assert opened.documents(name, Window(start, end), DocumentQuery("any", ""), None, 10) == []
        assert opened.events_of(name) == []
        assert opened.findings(name) == []
        assert main(["show", "--store", place, "--json", "--", name]) == 3
    capsys.readouterr()


def test_commands_touch_the_named_alone(store: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A run judges every model by its own name, and its results are under it; no file lies anywhere else."""
    opened, place, _ = store
    card = streams.card_of("other")
    for model in (*NAMES, "plain"):
        opened.save_card(dataclasses.replace(card, model=model))
    now = (streams.START + 2 * streams.HOUR).isoformat()
    watchers(["run", "--once", "--store", place, "--now", now])
    assert "Traceback" not in capsys.readouterr().err
    for model in NAMES:
        state = opened.state(model)
        assert state["judged"] == (streams.START + streams.HOUR).isoformat(), model
    for model in ("*", "..", "../plain", "%2f", "-plain", "<plain-{now/d}>", "a b"):
        assert watchers(["report", "--store", place, f"--model={model}", "--out", str(tmp_path / "r.html")]) == 0
        assert watchers(["incidents", "--store", place, "show", "--", model]) == 2
        assert "Traceback" not in capsys.readouterr().err
    for name in MISSING:
        assert opened.state(name) == {}, name
        assert watchers(["report", "--store", place, f"--model={name}", "--out", str(tmp_path / "x.html")]) == 2
        assert watchers(["incidents", "--store", place, "show", "--", name]) == 2
    capsys.readouterr()
    assert not (tmp_path / "x.html").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"events", "r.html"}


HOSTILE: tuple[dict[str, Any], ...] = (
    {"_index": "somebodys-own", "_id": "chosen", "_routing": "r", "pipeline": "p", "routing": "r", "op_type": "index"},
    {"@metadata": {"_ingest_document": {"id": "chosen"}, "pipeline": "p", "target_ingest_pipeline": "p"}},
    {"script": {"source": "ctx._source.clear()"}, "doc": {"a": 1}, "upsert": {}, "require_alias": True, "version": 99},
    {"dynamic_templates": {"a": "b"}, "if_seq_no": 0, "if_primary_term": 1, "list_executed_pipelines": True},
)


@pytest.mark.parametrize("more", HOSTILE, ids=",".join)
def test_an_event_chooses_nothing(more: dict[str, Any], tmp_path: Path) -> None:
    """It is created under its own id in the data stream of its dataset, and what it says besides is in the document."""
    heard = shipped(tmp_path, [spools.line("an-id", **more)])
    ((action, document),) = heard
    assert action == {"create": {"_index": f"logs-{spools.DATASET}-default", "_id": "an-id"}}
    assert {name: document[name] for name in more} == more


def event(identity: str = "an-id", dataset: str = spools.DATASET, namespace: str = "default", kind: str = "logs") -> bytes:
    stream = {"type": kind, "dataset": "mllog.prediction.elsewhere", "namespace": namespace}
    return spools.line(identity, dataset=dataset, data_stream=stream)


@pytest.mark.parametrize(
    "line",
    [
        *(event(dataset=name) for name in (
            "somebodys", "mllog", "mllog.prediction.*", "mllog.prediction.a,b", "mllog.prediction.../x", "mllog.prediction.A",
            "mllog.prediction.a-default,somebodys", "mllog.audit", "mllog.prediction.a\nb", "mllog.deployment.x", "security", "",
        )),
        *(event(namespace=name) for name in ("*", "a,b", "a-b", "../x", "A", "a b", "a\n", "", "x" * 101)),
        *(event(identity=name) for name in ("", "a\nb", 'a"},"x":{"', "é", "a b", "x" * 129, "../../_doc/x", "_id?pipeline=p")),
    ],
)  # fmt: skip
def test_an_event_that_would_is_a_dead_letter(line: bytes, tmp_path: Path) -> None:
    """Kept aside with its reason; it isn't sent, but for its text in the stream of dead letters."""
    heard = shipped(tmp_path, [line, spools.line("fine")])
    created = {(action["create"]["_index"], action["create"].get("_id")) for action, _ in heard}
    streams_of = {index for index, _ in created}
    assert (f"logs-{spools.DATASET}-default", "fine") in created
    assert all(index.startswith("logs-mllog.deadletter-") for index in streams_of - {f"logs-{spools.DATASET}-default"})
    assert {action["create"].get("_id") for action, document in heard if document["event"]["action"] != "deadletter"} == {"fine"}
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.pending_lines) == (1, 0)


def test_data_stream_says_the_namespace_and_no_more(tmp_path: Path) -> None:
    """Type and dataset of `data_stream` don't decide; `event.dataset` does."""
    ((action, _),) = shipped(tmp_path, [event(kind="metrics", namespace="other")])
    assert action["create"]["_index"] == f"logs-{spools.DATASET}-other"


def shipped(folder: Path, events: list[bytes]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What a server hears when these are shipped: actions and documents, in turn; no request has a path of theirs."""
    heard: list[bytes] = []

    def answer(asked: Asked) -> Any:
        heard.extend(asked.body.splitlines())
        return bulk([{"status": 201}] * (len(asked.body.splitlines()) // 2))

    spools.spool(folder, "a", events)
    with scripted(answer) as server:
        Shipper(folder, open_destination(server.place("elasticsearch+http")), give_up=0.0).run()
        assert {asked.path for asked in server.asked} == {"/_bulk"}
    documents = [orjson.loads(line) for line in heard]
    return list(zip(documents[::2], documents[1::2], strict=True))
