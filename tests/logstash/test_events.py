"""Events through the pipelines' filters: ours come out as the direct shipper sends them, foreign ones choose nothing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import pipelines, spools
from support.logstash import Logstash, Write
from support.logstash_cases import event, line, named

import mllog
from mllog.environment import Manifest
from mllog.events import dataset
from mllog.shipping.destinations import streams
from mllog.shipping.destinations.base import Refusal
from mllog.shipping.destinations.elasticsearch import _tombstone, stamped
from mllog.shipping.segments import Line, parse

if TYPE_CHECKING:
    import pathlib

INGESTED = "2026-11-30T12:00:00.000123Z"
OURS = Logstash(pipelines.read(pipelines.texts()))

NAMES = st.text(min_size=1, max_size=200).filter(lambda text: text.strip() and len(text.encode("utf-16-le")) // 2 <= 256)
"""Names that a logger takes: any letters, upper case, line feeds and NUL among them."""
ODD = ["Flight-Delay", "ÜBER/straße", "İstanbul", "ΟΔΟΣ", "K", "a" * 200, "Ж" * 200, "a\nb", "\x00", "..", "-", "%{[event][id]}",
       "${HOME}", "[event][id]", "a\u2028b", "\U0001f600" * 100, "ﬁ", "ẞ", " x "]  # fmt: skip

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["mllog.metric", "evil", "%{[event][id]}", "_jsonparsefailure", "2026-11-30T10:00:00Z", "[event]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
TOP = st.sampled_from(["@metadata", "@timestamp", "@version", "event", "ml", "data_stream", "tags", "message", "host", "log",
                       "_id", "_index", "pipeline", "error", "_@timestamp", "event.id", "[event][id]", "]", "", "%{a}"])  # fmt: skip


def logged(folder: pathlib.Path, name: str) -> list[bytes]:
    """Lines of each kind that a real logger writes under a name."""
    with mllog.ModelLogger(name, version="Ü 1", sink=folder, resources=0, environment=Manifest()) as log:
        log.prediction({"x": 0.1, "carrier": "ÜA", "big": 10**30, "nan": float("nan")}, 0.5, id="p1", labels={"a": name})
        log.prediction({"x": -0.0, "[event][id]": 5e-324, "a.b": [1, {"c": None}]}, {"label": name, "score": 1e308})
        log.label("p1", "late")
        log.kpi("revenue", 12.3)
        log.step("join", 10, 9)
    return spools.read(folder)


def direct(raw: bytes) -> tuple[str, str, dict[str, Any]]:
    """Data stream, id and document of a line as the direct shipper sends it."""
    found = parse(raw, 0)
    assert isinstance(found, Line)
    assert streams.problem(found) is None
    return streams.stream(found), found.id, json.loads(stamped(found, INGESTED))


def instant(document: dict[str, Any]) -> dict[str, Any]:
    """The same with its time spelt in one way: Logstash leaves out zeros at its end, three by three."""
    text = document["@timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z", text), text
    return {**document, "@timestamp": text.removesuffix("Z").ljust(29, "0")}


def agree(lines: list[bytes]) -> None:
    """Each line is one document, in the stream and under the id of the direct shipper, and the same."""
    writes = OURS.http(b"".join(lines))
    assert len(writes) == len(lines) > 0
    for raw, write in zip(lines, writes, strict=True):
        stream, identity, document = direct(raw)
        assert (write.index, write.id, write.action) == (stream, identity, "create"), raw
        assert instant(write.document) == instant(document)


@pytest.mark.parametrize("name", ODD)
def test_what_a_logger_writes_is_the_direct_shippers_document(tmp_path: pathlib.Path, name: str) -> None:
    """Every kind of event, under names that no data stream can have as they are."""
    lines = logged(tmp_path, name)
    assert len({json.loads(raw)["event"]["dataset"] for raw in lines}) == 5  # deployments too
    agree(lines)


@given(name=NAMES)
@settings(max_examples=25, deadline=None)
def test_of_any_name_too(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Whatever a model is called."""
    agree(logged(tmp_path_factory.mktemp("spool"), name))


@given(name=NAMES, kind=st.sampled_from(["prediction", "label"]))
@settings(max_examples=200, deadline=None)
def test_the_rule_for_names_is_mllogs(name: str, kind: Any) -> None:
    """The filters make of a name what `mllog.events.dataset` makes of it, or the event would be a reject."""
    (write,) = OURS.http(line(named(name, dataset(kind, name))))
    assert write.index == f"logs-{dataset(kind, name)}-default"


def test_a_name_that_utf8_can_not_hold(tmp_path: pathlib.Path) -> None:
    """Lone surrogates are written as `?`, and it is by the name as it is written that a stream is called."""
    lines = logged(tmp_path, "a\ud800b")
    assert {json.loads(raw)["ml"]["model"]["name"] for raw in lines} == {"a?b"}
    agree(lines)


def guarded(write: Write) -> None:
    """Nothing of a write was chosen by who sent the event."""
    assert set(write.parameters) == {"_index", "_id"}
    assert write.action == "create"
    kind = write.index.removeprefix("logs-").removesuffix("-default")
    assert write.index == f"logs-{kind}-default"
    assert not {"@metadata", "@version"} & set(write.document)
    assert write.document["data_stream"] == {"type": "logs", "dataset": kind, "namespace": "default"}
    assert write.document["event"]["dataset"] == kind
    assert write.document["event"]["ingested"] == INGESTED
    if write.by == "mllog_rejects":
        assert kind == "mllog.reject"
        assert re.fullmatch("[0-9a-f]{64}", write.id or "")
        assert set(write.document) <= {"@timestamp", "data_stream", "event", "error", "ml"}
        assert isinstance(write.document["event"]["original"], str)
    elif write.by == "mllog_events":
        found = Line(b"", 0, write.id or "", kind, "default")
        assert streams.problem(found) is None
        assert kind not in {streams.DEAD_LETTERS, "mllog.reject"}
        assert write.id == write.document["event"]["id"]
        parts = kind.split(".", 2)
        if len(parts) == 3:
            assert kind == dataset(parts[1], write.document["ml"]["model"]["name"])  # type: ignore[arg-type]


@given(changes=st.dictionaries(TOP, JSON, max_size=4), road=st.sampled_from(["http", "tcp", "file"]))
@settings(max_examples=150, deadline=None)
def test_an_event_of_anything_chooses_nothing(changes: dict[str, Any], road: str) -> None:
    """Whatever stands at the top of an event, of whatever type."""
    (write,) = getattr(OURS, road)(line(event(**changes)))
    guarded(write)


@given(
    part=st.fixed_dictionaries({}, optional={"id": JSON, "dataset": JSON, "ingested": JSON, "original": JSON, "kind": JSON}),
    model=st.fixed_dictionaries({}, optional={"name": JSON, "version": JSON}) | JSON,
)
@settings(max_examples=150, deadline=None)
def test_an_event_of_any_parts_chooses_nothing(part: Any, model: Any) -> None:
    """Whatever stands in the fields that are looked at."""
    document = event()
    document["event"] |= part
    document["ml"] = {"model": model}
    (write,) = OURS.http(line(document))
    guarded(write)


@given(body=st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_nothing_are_rejects(body: bytes) -> None:
    """Each line that is something is a reject, and nothing comes of empty ones."""
    writes = OURS.http(body)
    assert len(writes) == sum(1 for part in body.split(b"\n") if part)
    for write in writes:
        guarded(write)


@given(name=NAMES, version=st.text(max_size=20), status=st.sampled_from([400, 404, 413]), answer=st.text(max_size=40))
@settings(max_examples=50, deadline=None)
def test_a_dead_letter_has_the_shape_of_the_direct_shippers(name: str, version: str, status: int, answer: str) -> None:
    """The same stream, id, fields and types; the reason is what Elasticsearch said, without the event around it."""
    document = named(name, dataset("prediction", name))
    document["ml"]["model"]["version"] = version
    (refused,) = OURS.http(line(document))
    (write,) = OURS.dead(refused, status, answer)
    guarded(write)
    found = parse(line(document), 0)
    assert isinstance(found, Line)
    action, body = map(json.loads, _tombstone(found, Refusal(answer, status), INGESTED).splitlines())
    assert (write.index, write.id) == (action["create"]["_index"], action["create"]["_id"])
    assert write.document.keys() == body.keys()
    assert write.document["event"].keys() == body["event"].keys()
    assert write.document["error"]["type"] == body["error"]["type"] == str(status)
    assert write.document["error"]["message"] == answer.rpartition(", response: ")[2]
    assert json.loads(write.document["event"]["original"]) == refused.document
    assert write.document.get("ml", {}).get("model", {}).get("name") == name
