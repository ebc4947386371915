"""Events that Logstash is to take, to reject and to distrust, and what must hold of its pipelines for them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from support.logstash import Logstash
from support.logstash_events import NOW, to_json
from support.logstash_rules import rule

from mllog.events import dataset
from mllog.shipping.destinations import streams

if TYPE_CHECKING:
    from support.pipelines import Pipelines


def event(**changes: Any) -> dict[str, Any]:
    """One that nobody refuses, but for ``changes``."""
    return {
        "@timestamp": "2026-11-30T10:00:00.123456Z",
        "event": {"id": "0193-a", "dataset": "mllog.prediction.m", "action": "predict"},
        "data_stream": {"type": "logs", "dataset": "mllog.prediction.m", "namespace": "default"},
        "host": {"name": "model-1"},
        "ml": {"model": {"name": "m", "version": "7"}, "inputs": {"number": {"x": 0.1}}},
        **changes,
    }


def line(document: Any) -> bytes:
    return to_json(document).encode() + b"\n"


def named(name: Any, data: Any) -> dict[str, Any]:
    return event(event={"id": "0193-a", "dataset": data}, ml={"model": {"name": name}})


TAKEN: Final[dict[str, dict[str, Any]]] = {
    "mllog.prediction.m": event(),
    "mllog.label.m": named("m", "mllog.label.m"),
    "mllog.deployment": named("M", "mllog.deployment"),
    "mllog.pipeline": named("M", "mllog.pipeline"),
    "mllog.metric": named("M", "mllog.metric"),
    **{dataset("prediction", name): named(name, dataset("prediction", name)) for name in
       ("Flight-Delay", "a" * 200, "a" * 60, "\u00dc\nN\u212a\u0130\u03a3\u2603", "%{[event][id]}", "-", "\U0001f600.x", " m ")},
}  # fmt: skip
"""Dataset -> an event of it, by mllog's own rule for names."""

REJECTED: Final[dict[str, list[Any]]] = {
    "not a JSON object": [b"nothing", b'{"event":', b"[1]", b"7", b'{"a":NaN}', b'{"@metadata":7}'],
    "@timestamp is no time as ISO 8601 writes it": [event(**{"@timestamp": 5}), event(**{"@timestamp": "soon"})],
    "tags are neither a text nor a list of texts": [event(tags={"a": 1}), event(tags=[1])],
    "event.id is no id: 1 to 128 of A-Z a-z 0-9 . _ : -": [
        event(event="a text"),
        event(event=[{"id": "0193-a"}]),
        *(event(event={"id": bad, "dataset": "mllog.metric"})
          for bad in (None, "", "a b", "a\n", "x" * 129, "x" * 600, "ü", "%{[event][id]}", 7, ["a"], {"a": 1})),
        {"event.id": "0193-a", "event.dataset": "mllog.metric"},
        {},
    ],
    "event.dataset is none of mllog's": [
        named("m", bad) for bad in ("mllog.deadletter", "mllog.reject", "mllog.metric.m", "nginx", "mllog.prediction.", None,
                                    ["mllog.metric"], "mllog.prediction.A", "mllog.prediction.a-b", "MLLOG.metric",
                                    "mllog.metric\n", "mllog.prediction.m\nx", f"mllog.prediction.{'m' * 81}")
    ],
    "event.dataset isn't that of its ml.model.name": [
        named("m", "mllog.prediction.n"), named("Flight-Delay", "mllog.prediction.flight_delay"),
        named(["m"], "mllog.prediction.m"), named({"a": "m"}, "mllog.prediction.m"), named(7, "mllog.prediction.7"),
        named(" ", "mllog.label._"), named(None, "mllog.label.m"), event(ml="m"), event(ml=["m"]),
        named("%{[event][id]}", "mllog.prediction.m"), named("a" * 61, f"mllog.prediction.{'a' * 60}"),
    ],
}  # fmt: skip
"""Reason -> lines, or documents of lines, that are refused for it."""


@rule("an event of each kind goes to the stream of its model, under its own id")
def events_go_to_their_stream(pipelines: Pipelines) -> None:
    for name, document in TAKEN.items():
        (write,) = Logstash(pipelines, MLLOG_NAMESPACE="ops").http(line(document))
        assert (write.index, write.action) == (f"logs-{name}-ops", "create")
        assert write.parameters == {"_index": write.index, "_id": "0193-a"}
        stream = {"type": "logs", "dataset": name, "namespace": "ops"}
        stamped = {**document["event"], "ingested": NOW}
        assert write.document == {**document, "data_stream": stream, "event": stamped}


@rule("what is no event of ours is a reject, with its reason and as it was")
def rejects_are_kept(pipelines: Pipelines) -> None:
    for reason, bodies in REJECTED.items():
        for body in bodies:
            sent = body if isinstance(body, bytes) else line(body)
            (write,) = Logstash(pipelines).http(sent)
            assert (write.by, write.index) == ("mllog_rejects", "logs-mllog.reject-default"), (reason, body)
            assert write.document["error"]["message"] == reason, (write.document["error"], body)
            assert re.fullmatch("[0-9a-f]{64}", write.id or ""), write.id
            original = write.document["event"]["original"]
            if isinstance(body, bytes):
                assert original == body.decode()
            else:
                # A time that is none comes back beside the one at which it came, as Logstash keeps it.
                kept = {"@timestamp": NOW} if not isinstance(body.get("@timestamp"), str) else {}
                assert {**body, **kept}.items() <= {**json.loads(original), **_told(body)}.items(), body


def _told(body: dict[str, Any]) -> dict[str, Any]:
    """What Logstash itself changes of a document before any filter sees it."""
    changed = {"tags": body["tags"]} if not isinstance(body.get("tags", ""), str) else {}
    return changed | ({"@timestamp": body["@timestamp"]} if body.get("@timestamp") == "soon" else {})


HOSTILE: Final[list[dict[str, Any]]] = [
    event(**{"@metadata": {"_ingest_document": {
        "id": "x", "index": "evil", "pipeline": "evil", "routing": "evil", "version": 9, "version_type": "external"},
        "target_ingest_pipeline": "evil"}}),
    event(**{"@metadata": {"dataset": "evil", "kind": "evil", "name": "evil", "id": "evil", "event_id": "evil"}}),
    event(**{"@metadata": {"reason": "evil", "original": "evil"}}),
    event(data_stream={"type": "metrics", "dataset": "evil", "namespace": "evil"}),
    event(data_stream=["evil"]),
    event(_index="evil", _id="evil", pipeline="evil", routing="evil", script="evil", index="evil", **{"@version": "9"}),
    event(headers={"a": 1}, log={"file": {"path": "/etc"}}),
    event(event={"id": "0193-a", "dataset": "mllog.prediction.m", "ingested": "1970-01-01T00:00:00Z"}),
    event(event={"id": "0193-a", "dataset": "mllog.prediction.m", "ingested": {"a": 1}}),
    event(tags=["_jsonparsefailure"], message="evil"),
    event(tags="_jsonparsefailure", message={"a": 1}),
    event(tags=["_mutate_error"]),
]  # fmt: skip
"""Events of ours that ask for more than they may."""


@rule("no event chooses its index, id, pipeline or routing, nor when it came")
def events_choose_nothing(pipelines: Pipelines) -> None:
    for document in HOSTILE:
        (write,) = Logstash(pipelines).http(line(document))
        assert write.parameters == {"_index": "logs-mllog.prediction.m-default", "_id": "0193-a"}, document
        assert write.action == "create"
        assert write.document["event"]["ingested"] == NOW
        assert write.document["data_stream"] == event()["data_stream"]
        assert not {"@metadata", "@version", "log"} & set(write.document)


@rule("a batch makes an event of each line, whatever its content type says")
def batches_are_whole(pipelines: Pipelines) -> None:
    batch = b"".join(line(event(event={"id": f"a-{k}", "dataset": "mllog.metric"})) for k in range(5))
    for kind in ("application/x-ndjson", "application/json", "application/json; charset=utf-8", "text/plain", ""):
        assert [write.id for write in Logstash(pipelines).http(batch, kind)] == [f"a-{k}" for k in range(5)], kind
    assert Logstash(pipelines).http(b"") == []


@rule("the three inputs make the same document of an event, and rejects of what is none")
def inputs_agree(pipelines: Pipelines) -> None:
    ours = Logstash(pipelines)
    for document in (*TAKEN.values(), *HOSTILE):
        writes = [way(line(document)) for way in (ours.http, ours.tcp, ours.file)]
        (one,) = {to_json([[write.parameters, write.document] for write in found]) for found in writes}
        assert one
    without = {name: part for name, part in event().items() if name != "host"}
    for way in (ours.http, ours.tcp):
        (write,) = way(line(without))
        assert not {"host", "port"} & set(write.document)
    (write,) = ours.file(line(without))
    assert write.document["host"] == {"name": "logstash"}
    for body in REJECTED["not a JSON object"]:
        assert [write.by for way in (ours.http, ours.tcp, ours.file) for write in way(body)] == ["mllog_rejects"] * 3


@rule("a dead letter is what the direct shipper makes one, with the status, the reason and the event")
def dead_letters_are_kept(pipelines: Pipelines) -> None:
    ours = Logstash(pipelines, MLLOG_NAMESPACE="ops")
    (refused,) = ours.http(line(event()))
    for status, kind in ((400, "400"), (404, "404"), (413, "413"), (410, "refused")):
        (write,) = ours.dead(refused, status, '{"create"=>{"error"=>{"reason"=>"no number, response: none"}}}')
        assert write.parameters == {"_index": f"logs-{streams.DEAD_LETTERS}-ops", "_id": "0193-a"}
        assert write.document == {
            "@timestamp": NOW,
            "data_stream": {"type": "logs", "dataset": streams.DEAD_LETTERS, "namespace": "ops"},
            "event": {"id": "0193-a", "action": "deadletter", "dataset": streams.DEAD_LETTERS, "ingested": NOW,
                      "original": to_json(refused.document)},
            "error": {"type": kind, "message": 'none"}}}'},
            "ml": {"model": {"name": "m", "version": "7"}},
        }  # fmt: skip
