from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import spools

from mllog.events import dataset
from mllog.shipping.destinations import streams
from mllog.shipping.destinations.elasticsearch import stamped
from mllog.shipping.segments import Line, parse

NOW = "2026-11-23T10:00:00.000000Z"


def line(identity: str = "a", name: str = "mllog.metric", namespace: object = "default") -> Line:
    found = parse(
        orjson.dumps({"event": {"id": identity, "dataset": name}, "data_stream": {"namespace": namespace}}) + b"\n", 0
    )
    assert isinstance(found, Line)
    return found


@pytest.mark.parametrize("name", ["m", "Flight-Delay", "é" * 100, "...", "a" * 200, "💥"])
@pytest.mark.parametrize("kind", ["prediction", "label", "deployment", "pipeline", "metric"])
def test_every_dataset_of_ours_is_allowed(kind: str, name: str) -> None:
    """Whatever a model is called, its events go to a data stream."""
    event = line(name=dataset(kind, name))  # type: ignore[arg-type]
    assert streams.problem(event) is None
    assert streams.stream(event) == f"logs-{event.dataset}-default"


@pytest.mark.parametrize(
    "name",
    ["", "nginx.access", "mllog", "mllog.prediction", "mllog.prediction.", "mllog.prediction.a-b", "mllog.prediction.A",
     "mllog.metric.x", "mllog.metric-x", ".security", "mllog.prediction.a/../../_security", "mllog.prediction.a\n"],
)  # fmt: skip
def test_foreign_datasets_are_not(name: str) -> None:
    """A line in the spool can't choose any other index."""
    assert "none of mllog's" in str(streams.problem(line(name=name)))


@pytest.mark.parametrize("namespace", ["a-b", "A", "a b", "a*", "a,b", "", "x" * 101, "é" * 51, "a/b", "a#b", "a:b"])
def test_impossible_namespaces_are_not(namespace: str) -> None:
    """Elasticsearch's rules for names hold."""
    assert "namespace" in str(streams.problem(line(namespace=namespace)))


@pytest.mark.parametrize("namespace", ["default", "prod_1", "é" * 50, None])
def test_namespaces_that_are_allowed(namespace: str | None) -> None:
    """A document that says none goes to the default one."""
    assert streams.problem(line(namespace=namespace)) is None


@pytest.mark.parametrize("identity", ["a" * 129, "a b", "a/b", "é", "a\n"])
def test_ids_that_elasticsearch_would_choke_on(identity: str) -> None:
    """One id of more than 512 bytes makes a whole request fail, so it never gets there."""
    assert "event.id" in str(streams.problem(line(identity)))


@given(text=st.text(max_size=30), own=st.booleans())
def test_the_stamp_is_all_that_changes(text: str, own: bool) -> None:
    """A stamped line is the document as it was, and event.ingested."""
    raw = spools.line("a", message=text)
    if not own:
        raw = orjson.dumps({"event": {"id": "a"}, "message": text}, option=orjson.OPT_APPEND_NEWLINE)
    found = parse(raw, 0)
    assert isinstance(found, Line)
    document = orjson.loads(raw)
    document["event"]["ingested"] = NOW
    result = stamped(found, NOW)
    assert orjson.loads(result) == document
    assert result.endswith(b"\n")
    assert result.count(b"\n") == 1
    assert result == stamped(found, NOW)


def test_a_line_that_was_stamped_before_keeps_its_stamp() -> None:
    """When an event was first taken doesn't change."""
    found = parse(b'{"event":{"id":"a","ingested":"2020-01-01T00:00:00Z"}}\n', 0)
    assert isinstance(found, Line)
    assert stamped(found, NOW) == found.data


def test_no_look_alike_is_taken_for_the_head_of_a_line() -> None:
    """A text that looks like the head isn't one: the stamp goes to the event or nowhere."""
    raw = b'{"@timestamp":"x\\",\\"event\\":{","event":{"id":"a"},"message":"\\"event\\":{"}\n'
    found = parse(raw, 0)
    assert isinstance(found, Line)
    assert orjson.loads(stamped(found, NOW))["event"] == {"id": "a", "ingested": NOW}
