"""What goes wrong around the watchers: nothing is lost, nothing is doubled, and what can't be counted is never called fine."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import streams
from support.between import between

from mllog.card import ModelCard
from mllog.elastic.client import connect
from mllog.elastic.setup import ensure
from mllog.environment import Manifest
from mllog.errors import StoreError
from mllog.logger import ModelLogger
from watchers.schedule import run
from watchers.stores.elastic import ElasticsearchStore

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Place

HOURS = 40
BROKEN = 30
NOW = streams.START + (HOURS + 1) * streams.HOUR


def shipped(place: Place, folder: Path, namespace: str) -> None:
    """A stream that breaks, in the node."""
    streams.serve(folder / namespace, "m", hours=HOURS, broken=BROKEN, card=streams.card_of("m"), namespace=namespace)
    place.ship(folder / namespace)


def results(store: ElasticsearchStore) -> dict[str, Any]:
    """Everything that a run leaves, without what depends on the wall clock."""
    state = store.state("m")
    return {
        "profiles": [p.to_dict(streams.card_of("m").ruler) for p in store.stored_profiles("m", streams.card_of("m").ruler, streams.START, NOW)],
        "findings": store.findings("m"),
        "incidents": store.incident_events(),
        "judged": state.get("judged"),
    }  # fmt: skip


def without_documents(found: dict[str, Any]) -> dict[str, Any]:
    """Event ids are new in every stream, and with them those of the changes that name some."""
    for finding in found["findings"]:
        finding.pop("documents")
    for event in found["incidents"]:
        event["data"].pop("documents", None)
        event.pop("id")
    return found


def test_a_node_that_is_killed_in_the_middle_of_a_run(newest: Place, tmp_path: Path) -> None:
    """The run fails by name; once the node is back the next one ends with the results of one that nobody disturbed."""
    place = newest
    if not place.node.can_restart:
        pytest.skip("MLLOG_TEST_ELASTICSEARCH names a node that isn't ours to kill")
    calm, killed = f"{place.namespace}_calm", f"{place.namespace}_killed"
    for namespace in (calm, killed):
        shipped(place, tmp_path, namespace)
    undisturbed = ElasticsearchStore(place.name, namespace=calm)
    undisturbed.refresh()
    assert run(undisturbed, NOW).findings
    want = without_documents(results(undisturbed))
    with between(place.node.url) as proxy:
        store = ElasticsearchStore(proxy.place, namespace=killed, client=connect(proxy.place, retries=0))
        store.refresh()
        seen = [0]

        def kill(path: str) -> None:
            seen[0] += path == "/_bulk"
            if seen[0] == 2:
                place.node.kill()

        proxy.before = kill
        report = _run(store)
        assert report is None or report.problems
    place.node.start()
    after = ElasticsearchStore(place.name, namespace=killed)
    assert run(after, NOW).problems == []
    assert without_documents(results(after)) == want
    assert run(after, NOW).findings == []
    assert without_documents(results(after)) == want


def _run(store: ElasticsearchStore) -> Any:
    """A run that may say what is wrong as a problem, or end by it."""
    try:
        return run(store, NOW)
    except StoreError as error:
        if not any(said in str(error) for said in ("can't be reached", "answered", "refused")):
            raise
        return None


def test_a_disk_that_is_too_full(newest: Place, tmp_path: Path) -> None:
    """Indices that can't be written to, as beyond the flood-stage watermark (whose own block the node takes back by itself):
    no hour counts as judged, and later all is judged.
    """
    place = newest
    shipped(place, tmp_path, place.namespace)
    store = ElasticsearchStore(place.name, namespace=place.namespace, client=connect(place.name, retries=0))
    store.refresh()
    place.ask("PUT", "/mllog-profile-2026.03")
    block = {"index.blocks.write": True}
    place.ask("PUT", "/mllog-profile-2026.03/_settings", block)
    report = _run(store)
    assert report is None or report.problems
    assert store.stored_profiles("m", streams.card_of("m").ruler, streams.START, NOW) == []
    place.ask("PUT", "/mllog-profile-2026.03/_settings", {"index.blocks.write": None})
    again = run(store, NOW)
    assert again.problems == []
    assert {finding.feature for finding in again.findings if finding.check == "missing"} == {"distance"}
    assert len(store.stored_profiles("m", streams.card_of("m").ruler, streams.START, NOW)) == HOURS


def test_a_node_that_is_slow(newest: Place, tmp_path: Path) -> None:
    """What takes longer than its time-out is an error that names the place, and no judgement."""
    place = newest
    shipped(place, tmp_path, place.namespace)
    with between(place.node.url) as proxy:
        store = ElasticsearchStore(proxy.place, namespace=place.namespace, client=connect(proxy.place, seconds=1.0, retries=0))
        store.refresh()
        proxy.delays["/_msearch"] = 3.0
        before = time.monotonic()
        with pytest.raises(StoreError, match=f"{proxy.port} can't be reached"):
            store.span("m")
        assert time.monotonic() - before < 2.9
        report = _run(store)
        assert report is None or report.problems
    calm = ElasticsearchStore(place.name, namespace=place.namespace)
    assert calm.state("m") == {}
    assert calm.findings("m") == []


def test_events_that_came_before_the_templates(newest: Place, tmp_path: Path) -> None:
    """Where fields are mapped by guess nothing can be counted: the run says so and what to do, and nothing alarms.

    What is done about it helps from then on, and hours before stay unknown.
    """
    place = newest
    place.clean()
    place.ask("PUT", "/_index_template/mllog-test-rest", {"index_patterns": ["logs-mllog.*"], "data_stream": {}})
    shipped(place, tmp_path, place.namespace)
    ensure(place.client)
    store = ElasticsearchStore(place.name, namespace=place.namespace)
    store.refresh()
    report = run(store, NOW)
    assert report.findings == []
    assert any("mllog setup" in problem for problem in report.problems)
    card = streams.card_of("m")
    profiles = list(store.profiles("m", card.ruler, streams.START, streams.START + 3 * streams.HOUR))
    assert [profile.complete for profile in profiles] == [False] * 3
    assert all("mllog setup" in profile.reason for profile in profiles)
    place.ask("POST", f"/logs-mllog.prediction.m-{place.namespace}/_rollover")
    streams.serve(tmp_path / "later", "m", first=HOURS, hours=4, card=card, namespace=place.namespace)
    place.ship(tmp_path / "later")
    store.refresh()
    later = list(store.profiles("m", card.ruler, NOW - streams.HOUR, NOW + 3 * streams.HOUR))
    assert [(profile.n, profile.complete) for profile in later] == [(60, True)] * 4


def test_shards_that_fail(newest: Place, tmp_path: Path) -> None:
    """A shard that fails for good answers 200 with the counts of the others: those hours are unknown, and the run says why."""
    place = newest
    shipped(place, tmp_path, place.namespace)
    stream = f"logs-mllog.prediction.m-{place.namespace}"
    (ours,) = place.ask("GET", "/_component_template/mllog-event@mappings")["component_templates"]
    mapping = ours["component_template"]["template"]["mappings"]
    mapping["properties"]["ml"]["properties"]["violations"]["properties"]["type"] = {"type": "text"}
    template = {"index_patterns": [stream], "data_stream": {}, "priority": 500, "template": {"mappings": mapping}}
    place.ask("PUT", "/_index_template/mllog-test-odd", template)
    place.ask("POST", f"/{stream}/_rollover")
    event = {
        "@timestamp": "2026-03-02T00:30:00.000Z", "event": {"id": "odd", "action": "predict"},
        "ml": {"model": {"name": "m"}, "card": streams.card_of("m").ruler.hash, "violations": {"type": "x"}},
    }  # fmt: skip
    place.ask("PUT", f"/{stream}/_create/odd?refresh=true", event)
    store = ElasticsearchStore(place.name, namespace=place.namespace)
    store.refresh()
    first, *_ = store.profiles("m", streams.card_of("m").ruler, streams.START, streams.START + streams.HOUR)
    assert not first.complete
    assert "shards failed" in first.reason
    report = run(store, NOW)
    assert [problem for problem in report.problems if "are unknown" in problem and "shards failed" in problem]


def test_shards_that_fail_now(newest: Place, tmp_path: Path) -> None:
    """What fails now and may not fail later is judged later: no hour is called judged, and none is unknown for ever."""
    place = newest
    shipped(place, tmp_path, place.namespace)
    store = ElasticsearchStore(place.name, namespace=place.namespace)
    store.refresh()
    asked = store.searcher.client.msearch

    def failing(**words: Any) -> Any:
        answer = asked(**words)
        for one in answer["responses"]:
            if "aggregations" in one and "hours" in one["aggregations"]:
                reason = {"type": "circuit_breaking_exception", "reason": "data too large"}
                one["_shards"] |= {"failed": 1, "failures": [{"shard": 0, "reason": reason}]}
        return answer

    store.searcher.client.msearch = failing
    report = run(store, NOW)
    assert report.findings == []
    assert any("data too large" in problem for problem in report.problems)
    assert "judged" not in store.state("m")
    store.searcher.client.msearch = asked
    again = run(store, NOW)
    assert again.problems == []
    assert {finding.feature for finding in again.findings if finding.check == "missing"} == {"distance"}


def test_an_index_without_room(newest: Place, tmp_path: Path) -> None:
    """Categories that have no field any more aren't called shifted: the hours are unknown, and the run says what to do."""
    place = newest
    (ours,) = place.ask("GET", "/_component_template/mllog-event@mappings")["component_templates"]
    fields = json.dumps(ours["component_template"]["template"]["mappings"]).count('"type"')
    limit = {"index.mapping.total_fields.limit": str(fields + 40)}
    place.ask("PUT", "/_component_template/mllog@custom", {"template": {"settings": limit}})
    try:
        names = [f"category {k}" for k in range(80)]
        card = ModelCard.from_frame({name: ["a", "b"] * 100 for name in names}, "wide", "1")
        with ModelLogger("wide", version="1", card=card, sink=str(tmp_path), namespace=place.namespace, environment=Manifest()) as log:
            log.prediction(dict.fromkeys(names, "a"), time=streams.START)
        place.ship(tmp_path)
    finally:
        place.ask("PUT", "/_component_template/mllog@custom", {"template": {}})
    store = ElasticsearchStore(place.name, namespace=place.namespace)
    store.refresh()
    (profile,) = store.profiles("wide", card.ruler, streams.START, streams.START + streams.HOUR)
    assert not profile.complete
    assert "total_fields.limit" in profile.reason
