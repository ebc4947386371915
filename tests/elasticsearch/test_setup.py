"""`mllog setup` on real nodes: what it puts there, what it leaves, and what a second run does: nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support import processes
from support.elasticsearch import DEFAULT_VERSION

from mllog.elastic import templates
from mllog.elastic.client import connect, explained
from mllog.elastic.command import command
from mllog.elastic.expiry import expire
from mllog.elastic.indices import INDICES, monthly
from mllog.elastic.setup import check, ensure
from mllog.errors import StoreError

if TYPE_CHECKING:
    import argparse

    from conftest import Place

PUT_THERE = len(templates.component_templates()) + len(INDICES)
LACKING = {"index lifecycle management": "skipped", "lifecycle of data streams": "skipped", "roles": "skipped"}
newest = pytest.mark.parametrize("bare", [DEFAULT_VERSION], indirect=True)


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The command's exit code and its JSON document, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "mllog.cli", "setup", *arguments, "--json"],
        check=False, capture_output=True, text=True, timeout=60, env=processes.environment(),
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


def arguments(*given: str) -> argparse.Namespace:
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(given)


def test_a_second_run_changes_nothing(bare: Place) -> None:
    """Not even a time of change; and what is missing is said before it is put there."""
    before = bare.ours(check(bare.client))
    assert list(before.values()).count("missing") == PUT_THERE
    assert not [one for one in bare.ask("GET", "/_index_template")["index_templates"] if one["name"] == "mllog-events"]
    first = ensure(bare.client)
    assert bare.ours(first) == {name: "created" if state == "missing" else state for name, state in before.items()}
    held = {kind: bare.ask("GET", f"/_{kind}/mllog-*") for kind in ("index_template", "component_template")}
    second = ensure(bare.client)
    assert not second.changed
    assert set(bare.ours(second).values()) == {"same", "skipped"}
    assert held == {kind: bare.ask("GET", f"/_{kind}/mllog-*") for kind in held}
    assert not check(bare.client).differs


def test_what_the_server_lacks_is_skipped_with_its_consequence(place: Place) -> None:
    """A server without lifecycle management is set up all the same, and somebody hears what it won't do."""
    report = ensure(place.client)
    skipped = {item.name: item for item in report.of("skipped") if item.kind == "feature"}
    assert {name: item.state for name, item in skipped.items()} == LACKING
    assert "--expire --delete" in skipped["index lifecycle management"].detail
    assert "new ones get the template's" in skipped["lifecycle of data streams"].detail
    assert "xpack.security.enabled" in skipped["roles"].detail
    assert not report.differs
    assert run("--elasticsearch", place.node.url)[0] == 0


@newest
def test_the_command_checks(bare: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and a difference where something differs, 0 where nothing does, 3 where nobody answers."""
    url = ("--elasticsearch", bare.node.url)
    code, document = run(*url, "--check")
    assert (code, document["differs"], document["changed"]) == (1, True, False)
    assert run(*url)[0] == 0
    assert run(*url, "--check")[0] == 0
    bare.ask("PUT", "/_component_template/mllog-plain@settings", {"template": {"settings": {"index.codec": "default"}}})
    code, document = run(*url, "--check")
    (item,) = [item for item in document["items"] if item["state"] == "different"]
    assert (code, item["name"]) == (1, "mllog-plain@settings")
    assert '-        "codec": "default"' in item["diff"].splitlines()
    assert '+        "codec": "best_compression",' in item["diff"].splitlines()
    assert command.run(arguments(*url, "--check")) == 1
    shown = capsys.readouterr().out
    assert item["diff"] in shown
    same = sum(item["state"] == "same" for item in document["items"])
    assert same >= PUT_THERE - 1
    assert f"{same} of {len(document['items'])} are as they should be" in shown
    code, document = run("--elasticsearch", "http://127.0.0.1:1", "--check")
    assert (code, document["field"]) == (3, "place")


@newest
def test_retention_is_the_operators(place: Place) -> None:
    """It is kept by whoever doesn't say another one: watchers set up too, and know nothing of it."""
    url = ("--elasticsearch", place.node.url)
    code, document = run(*url, "--raw", "90d", "--audit", "10y")
    assert (code, document["keep_days"]) == (0, {"raw": 90, "windows": 400, "audit": 3653})
    changed = {item["name"] for item in document["items"] if item["state"] == "changed"}
    assert changed == {"mllog-events", "mllog-audit", "mllog-incident-event", "mllog-run", "mllog-told"}
    again = ensure(place.client)
    assert (again.changed, again.keep) == (False, {"raw": 90, "windows": 400, "audit": 3653})
    body = place.ask("GET", "/_index_template/mllog-audit")["index_templates"][0]["index_template"]
    assert body["template"]["lifecycle"]["data_retention"] == "3653d"


def test_an_upgrade_loses_nothing(bare: Place) -> None:
    """From an older template: every document stays, and what is written from now on is found by the new field."""
    stream, months = bare.stream("mllog.prediction.old"), monthly("mllog-window", datetime(2026, 11, 5, tzinfo=UTC))
    older = templates.component_templates()["mllog-event@mappings"]["template"]["mappings"]
    del older["properties"]["ml"]["properties"]["missing"]
    settings = {"index.codec": "best_compression", "index.mapping.ignore_malformed": True, "index.mode": "standard"}
    body = {"index_patterns": ["logs-mllog.*-*"], "priority": 300, "data_stream": {}, "_meta": {"schema": 0}}
    bare.ask("PUT", "/_index_template/mllog-events", {**body, "template": {"mappings": older, "settings": settings}})
    bare.ask("PUT", f"/{months}", {"mappings": {"dynamic": False, "properties": {"kind": {"type": "keyword"}}},
                                   "settings": {"index.codec": "best_compression", "index.mapping.ignore_malformed": True}})  # fmt: skip
    event = {"@timestamp": "2026-11-05T00:00:00Z", "ml": {"missing": {"nan": ["dewp"]}}}
    window = {"@timestamp": "2026-11-05T00:00:00Z", "kind": "metric", "metric": {"name": "accuracy", "value": 0.5}}
    for _ in range(3):
        bare.ask("POST", f"/{stream}/_doc", event)
        bare.ask("POST", f"/{months}/_doc", window)
    code, document = run("--elasticsearch", bare.node.url, "--check")
    states = {item["name"]: item for item in document["items"]}
    assert code == 1
    assert {states[name]["state"] for name in (stream, months, "mllog-events")} == {"different"}
    assert '+        "missing": {' in states[stream]["diff"].splitlines()
    backing = bare.write_index(stream)
    report = bare.ours(ensure(bare.client))
    assert (report[stream], report[months], report["mllog-events"]) == ("changed", "changed", "changed")
    assert bare.write_index(stream) == backing
    for name, document in ((stream, event), (months, window)):
        bare.ask("POST", f"/{name}/_doc", document)
        bare.refresh(name)
        assert bare.count(name) == 4
    assert bare.count(stream, {"term": {"ml.missing.nan": "dewp"}}) == 1
    assert bare.count(months, {"range": {"metric.value": {"gte": 0.5}}}) == 1
    assert set(bare.ours(ensure(bare.client)).values()) == {"same", "skipped"}


def test_a_changed_type_makes_a_new_backing_index(bare: Place) -> None:
    """Events that came before the setup have the types of chance; they stay searchable beside the right ones."""
    stream = bare.stream("mllog.prediction.early")
    event = {"@timestamp": "2026-11-05T00:00:00Z", "ml": {"model": {"name": "early"}, "outputs": {"value": 7}}}
    bare.ask("POST", f"/{stream}/_doc", event)
    month = monthly("mllog-run", datetime(2026, 11, 5, tzinfo=UTC))
    bare.ask("POST", f"/{month}/_doc", {"@timestamp": "2026-11-05T00:00:00Z", "run": {"seconds": "3"}})
    bare.ask("POST", "/mllog-incidents/_doc", {"incident": {"id": "a"}})
    first = bare.write_index(stream)
    would = {item.name: item.detail for item in check(bare.client).items}
    assert would[stream].endswith("ml.outputs.value is long and should be double: it would be rolled over")
    assert would[month] == "codec can't be changed, mapping.ignore_malformed can't be changed, run.seconds is text and should be double: it would be left"
    report = ensure(bare.client)
    items = {item.name: item for item in report.items}
    assert (items[stream].state, items[month].state, items["mllog-incidents"].state) == ("rolled over", "left", "left")
    assert bare.write_index(stream) != first
    assert "run.seconds" in items[month].detail
    assert "next month" in items[month].detail
    assert "copy it" in items["mllog-incidents"].detail
    assert report.differs
    bare.ask("POST", f"/{stream}/_doc", event)
    bare.refresh(stream)
    assert bare.count(stream, {"range": {"ml.outputs.value": {"gte": 6.5, "lt": 7.5}}}) == 2
    again = bare.ours(ensure(bare.client))
    assert (again[stream], again[month]) == ("same", "left")
    assert bare.ask("GET", f"/{month}/_count")["count"] == 1


def test_an_index_where_a_data_stream_should_be(bare: Place) -> None:
    """Made by events from before the templates, of another shipper: it is named with what to do, and that helps."""
    name = bare.stream("mllog.prediction.plain")
    other = f"moved-{bare.namespace}"
    # As on a node that has no template for it at all.
    bare.ask("PUT", "/_index_template/mllog-test-plain", {"index_patterns": [name], "priority": 950})
    try:
        bare.ask("PUT", f"/{name}/_create/a", {"@timestamp": "2026-11-05T00:00:00Z", "event": {"id": "a"}})
        bare.ask("DELETE", "/_index_template/mllog-test-plain")
        ensure(bare.client)
        code, document = run("--elasticsearch", bare.node.url)
        items = {item["name"]: item for item in document["items"]}
        assert (code, items[name]["kind"], items[name]["state"]) == (1, "index", "left")
        assert "an index where a data stream should be" in items[name]["detail"]
        code, document = run("--elasticsearch", bare.node.url, "--check")
        items = {item["name"]: item for item in document["items"]}
        assert (code, items[name]["state"], document["changed"]) == (1, "different", False)
        assert "_reindex" in items[name]["detail"]
        for source, target in ((name, other), (other, name)):
            bare.refresh(source)
            # As _reindex does, which these nodes don't have.
            (hit,) = bare.ask("POST", f"/{source}/_search", {})["hits"]["hits"]
            bare.ask("PUT", f"/{target}/_create/{hit['_id']}", hit["_source"])
            bare.ask("DELETE", f"/{source}")
        assert bare.write_index(name).startswith(".ds-")
        bare.refresh(name)
        assert bare.count(name, {"term": {"event.id": "a"}}) == 1
        assert bare.ours(check(bare.client))[name] == "same"
    finally:
        found = [one["name"] for one in bare.ask("GET", f"/_resolve/index/{name}*")["indices"]]
        if found:
            bare.ask("DELETE", f"/{name}")


@newest
def test_a_block_is_no_matter_of_credentials(bare: Place) -> None:
    """Who set it has to take it back; or somebody has to free the disk."""
    ensure(bare.client)
    bare.ask("PUT", "/mllog-cards")
    for block in ("read_only", "metadata"):
        bare.ask("PUT", "/mllog-cards/_settings", {f"index.blocks.{block}": True})
        try:
            with pytest.raises(StoreError) as caught, explained(bare.name):
                bare.client.indices.put_mapping(index="mllog-cards", properties={"more": {"type": "keyword"}})
        finally:
            bare.ask("PUT", "/mllog-cards/_settings", {f"index.blocks.{block}": None})
        said = str(caught.value)
        assert said.endswith(f"; remove index.blocks.{block} from mllog-cards")
        assert "403" in said
        assert "MLLOG_API_KEY" not in said
        assert ";;" not in said
    bare.ask("PUT", "/mllog-cards/_settings", {"index.blocks.read_only_allow_delete": True})
    client = connect(bare.name, retries=0)
    with pytest.raises(StoreError) as caught, explained(bare.name):
        client.index(index="mllog-cards", document={})
    client.close()
    bare.ask("PUT", "/mllog-cards/_settings", {"index.blocks.read_only_allow_delete": None})
    assert "; free disk on the node" in str(caught.value)


@newest
def test_an_operators_own_settings_hold(bare: Place) -> None:
    """`mllog@custom` is never written, wins, and is no difference."""
    own = {"template": {"settings": {"index.mapping.total_fields.limit": 1500, "index.refresh_interval": "30s"}}}
    bare.ask("PUT", "/_component_template/mllog@custom", own)
    ensure(bare.client)
    stream = bare.stream("mllog.prediction.own")
    bare.ask("POST", f"/{stream}/_doc", {"@timestamp": "2026-11-05T00:00:00Z"})
    (settings,) = bare.ask("GET", f"/{stream}/_settings").values()
    assert settings["settings"]["index"]["mapping"]["total_fields"]["limit"] == "1500"
    assert settings["settings"]["index"]["refresh_interval"] == "30s"
    assert bare.ours(ensure(bare.client))[stream] == "same"
    del own["template"]["settings"]["index.mapping.total_fields.limit"]
    bare.ask("PUT", "/_component_template/mllog@custom", own)
    report = ensure(bare.client)
    assert bare.ours(report)[stream] == "changed"
    (settings,) = bare.ask("GET", f"/{stream}/_settings").values()
    assert settings["settings"]["index"]["mapping"]["total_fields"]["limit"] == "1000"


@newest
def test_what_others_made_is_left_alone(place: Place) -> None:
    """A data stream of a template with a higher priority; and everything, where a newer mllog was here."""
    stream = place.stream("mllog.metric")
    body = {"index_patterns": [stream], "priority": 900, "data_stream": {}, "template": {"mappings": {"dynamic": False}}}
    place.ask("PUT", f"/_index_template/mllog-test-{place.namespace}", body)
    place.ask("POST", f"/{stream}/_doc", {"@timestamp": "2026-11-05T00:00:00Z"})
    before = place.write_index(stream)
    (item,) = [item for item in ensure(place.client).items if item.name == stream]
    assert item.state == "skipped"
    assert f"mllog-test-{place.namespace}" in item.detail
    assert place.write_index(stream) == before
    newer = templates.component_templates()["mllog-state@mappings"]
    newer["_meta"]["schema"] = templates.SCHEMA + 1
    place.ask("PUT", "/_component_template/mllog-state@mappings", newer)
    place.ask("DELETE", "/_index_template/mllog-run")
    code, document = run("--elasticsearch", place.node.url)
    assert (code, [item["state"] for item in document["items"]]) == (3, ["newer"])
    names = {one["name"] for one in place.ask("GET", "/_index_template")["index_templates"]}
    assert "mllog-run" not in names


@newest
def test_months_expire_by_name(bare: Place) -> None:
    """Whole months beyond the retention, by the clock; nothing else, and nothing at all before a setup or without --delete."""
    now = datetime.now(UTC)
    months = [monthly("mllog-window", now - timedelta(days=days)) for days in (30, 380, 410 + 31, 500)]
    kept, young, old, oldest = months
    others = [monthly("mllog-incident-event", now - timedelta(days=500)), "mllog-window-2020.13", "mllog-other-2020.01"]
    for name in (*months, *others):
        bare.ask("POST", f"/{name}/_doc", {"@timestamp": (now - timedelta(days=500)).isoformat()})
    assert expire(bare.client, delete=True) == ({}, [])
    ensure(bare.client)
    url = ("--elasticsearch", bare.node.url)
    code, document = run(*url, "--expire")
    assert (code, [one["index"] for one in document["indices"]]) == (0, [oldest, old])
    there = {one["name"] for one in bare.ask("GET", "/_resolve/index/mllog-*")["indices"]}
    assert {*months, *others} <= there
    # A document that its month doesn't explain: somebody's clock, or somebody's hand.
    bare.ask("POST", f"/{old}/_doc", {"@timestamp": now.isoformat()})
    code, document = run(*url, "--expire", "--delete")
    assert code == 1
    found = {one["index"]: (one["deleted"], one["documents"]) for one in document["indices"]}
    assert found == {oldest: (True, 1), old: (False, 2)}
    assert {one["name"] for one in bare.ask("GET", "/_resolve/index/mllog-*")["indices"]} == there - {oldest}
    code, document = run(*url, "--expire", "--delete", "--windows", "1d")
    assert young in {one["index"] for one in document["indices"] if one["deleted"]}
    left = {one["name"] for one in bare.ask("GET", "/_resolve/index/mllog-*")["indices"]}
    assert left == there - {oldest, young, kept}


VALUES: dict[str, Any] = {
    "date": "2026-11-05T10:00:00Z", "keyword": "word", "long": 7, "integer": 7, "double": 7.5, "float": 7.5,
    "boolean": True, "text": "one word", "flattened": {"key": "word"}, "object": {"deep": [1, {"a.b": None}]},
}  # fmt: skip


def nested(names: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in names.items():
        *path, last = name.split(".")
        place = document
        for step in path:
            place = place.setdefault(step, {})
        place[last] = value
    return document


def test_every_field_of_every_table_is_searched(place: Place) -> None:
    """By its value, in the index that its table is for; what isn't indexed is in the document all the same."""
    time = datetime(2026, 11, 5, 10, tzinfo=UTC)
    for row in INDICES:
        if row.kind == "stream":
            name = place.stream("mllog.metric" if row.name == "mllog-events" else "mllog.deployment")
        else:
            name = monthly(row.name, time) if row.kind == "monthly" else row.name
        document = nested({field.name.replace(".*", ".some.name"): VALUES[field.type] for field in row.fields})
        place.ask("POST", f"/{name}/_doc?refresh=true", document)
        for field in row.fields:
            path = field.name.replace(".*", ".some.name")
            if field.type == "object" or (field.type == "text" and not field.index):
                continue
            if field.type == "text":
                query = {"match": {path: "word"}}
            elif field.type == "flattened":
                query = {"term": {f"{path}.key": "word"}}
            else:
                query = {"term": {path: VALUES[field.type]}}
            assert place.count(name, query) == 1, (name, path)
        (hit,) = place.ask("POST", f"/{name}/_search", {})["hits"]["hits"]
        assert hit["_source"] == document
        assert "_ignored" not in hit
