"""Each role at its own work, by the real commands: what it needs it may, and another's work is refused and said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import spools, streams

from mllog.elastic.roles import BY_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Secured

HOURS = 40


def lines(namespace: str, count: int) -> list[bytes]:
    stream = {"type": "logs", "dataset": spools.DATASET, "namespace": namespace}
    return [spools.line(f"{namespace}-{k}", data_stream=stream) for k in range(count)]


def shipped(secured: Secured, role: str, folder: Path) -> tuple[int, dict[str, Any]]:
    done = secured.run(role, "ship", folder, "--to", secured.place, "--json", "--give-up", "1")
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(("role", "unasked"), [("mllog_shipper", 0), ("mllog_writer", 1)])
def test_shipping(role: str, unasked: int, secured: Secured, tmp_path: Path) -> None:
    """Events arrive; where they may be there already the shipper asks, and the writer, who may not, is counted."""
    namespace = f"ship_{role}"
    spools.spool(tmp_path, "a", lines(namespace, 20))
    code, document = shipped(secured, role, tmp_path)
    assert (code, document["delivered"], document["problem"]) == (0, 20, None)
    (checkpoint,) = (tmp_path / "a").glob("*.checkpoint")
    checkpoint.write_bytes(b"damaged")
    code, document = shipped(secured, role, tmp_path)
    assert (document["delivered"], document["duplicates"], bool(document["unasked"])) == (20, 20, bool(unasked))
    secured.node.request("POST", f"/logs-{spools.DATASET}-{namespace}/_refresh")
    assert secured.node.request("GET", f"/logs-{spools.DATASET}-{namespace}/_count")["count"] == 20


@pytest.mark.parametrize("role", sorted(set(BY_NAME) - {"mllog_shipper", "mllog_writer"}))
def test_nobody_else_ships(role: str, secured: Secured, tmp_path: Path) -> None:
    """It is refused and said, and nothing is lost: the events wait."""
    spools.spool(tmp_path, "a", lines("nobody", 5))
    code, document = shipped(secured, role, tmp_path)
    assert (code, document["delivered"], document["dead"], document["pending"]["lines"]) == (3, 0, 0, 5)
    assert "unauthorized" in document["problem"]


@pytest.fixture(scope="module")
def judged(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """A model that broke, shipped by the shipper and judged by the watcher: its namespace, its name, one of its events."""
    folder, namespace = tmp_path_factory.mktemp("judged"), "at_work"
    ids = streams.serve(folder, "at-work", hours=HOURS, broken=32, card=streams.card_of("at-work"), namespace=namespace)
    code, document = shipped(secured, "mllog_shipper", folder)
    assert (code, document["problem"]) == (0, None)
    secured.node.request("POST", f"/logs-*-{namespace}/_refresh")
    done = watched(secured, "mllog_watcher", namespace)
    assert done.returncode == 1, done.stderr
    assert "distance" in done.stdout
    return namespace, "at-work", ids[-1]


def watched(secured: Secured, role: str, namespace: str) -> Any:
    now = (streams.START + (HOURS + 1) * streams.HOUR).isoformat()
    return secured.run(role, "watchers", "run", "--once", "--store", secured.place, "--now", now, MLLOG_NAMESPACE=namespace)


def test_the_watcher_judges_and_writes(judged: tuple[str, str, str], secured: Secured) -> None:
    """Findings and an incident are in its indices, and a second run has nothing to do."""
    namespace, _, _ = judged
    query = {"query": {"term": {"data_stream.namespace": namespace}}, "track_total_hits": True}
    for index in ("mllog-finding-*", "mllog-profile-*", "mllog-window-*", "mllog-incidents", "mllog-state"):
        secured.node.request("POST", f"/{index}/_refresh")
        assert secured.node.request("POST", f"/{index}/_search", query)["hits"]["total"]["value"], index
    again = watched(secured, "mllog_watcher", namespace)
    assert (again.returncode, "every closed hour is judged" in again.stdout) == (0, True)


@pytest.mark.parametrize("role", sorted(set(BY_NAME) - {"mllog_watcher"}))
def test_nobody_else_judges(role: str, judged: tuple[str, str, str], secured: Secured) -> None:
    """It is said that the right is missing; nothing is written."""
    secured.node.request("POST", "/mllog-*/_refresh")
    before = secured.node.request("GET", "/mllog-*/_count")["count"]
    done = watched(secured, role, judged[0])
    assert done.returncode == 3, done.stdout
    assert "Traceback" not in done.stderr
    assert "403" in done.stderr or "mllog_watcher" in done.stderr, done.stderr
    secured.node.request("POST", "/mllog-*/_refresh")
    assert secured.node.request("GET", "/mllog-*/_count")["count"] == before


@pytest.mark.parametrize("role", ["mllog_viewer", "mllog_auditor"])
def test_readers_see_what_was_found(role: str, judged: tuple[str, str, str], secured: Secured, tmp_path: Path) -> None:
    """One decision, incidents, the report and the watchers' health."""
    namespace, model, event = judged
    shown = secured.run(role, "show", event, "--store", secured.place, "--json", MLLOG_NAMESPACE=namespace)
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["events"][0]["event"]["id"] == event
    for words in (
        ["incidents", "--json"],
        ["report", "--model", model, "--out", tmp_path / "report.html"],
        ["health", "--now", (streams.START + (HOURS + 1) * streams.HOUR).isoformat()],
    ):
        done = secured.run(role, "watchers", *words, "--store", secured.place, MLLOG_NAMESPACE=namespace)
        assert done.returncode in {0, 1}, done.stderr
        assert done.stderr == ""
    assert "distance" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_reader_takes_no_incident(judged: tuple[str, str, str], secured: Secured) -> None:
    """Acknowledging is writing."""
    namespace = judged[0]
    listed = secured.run("mllog_viewer", "watchers", "incidents", "--store", secured.place, "--json", MLLOG_NAMESPACE=namespace)
    name = json.loads(listed.stdout)["incidents"][0]["id"]
    words = ["watchers", "incidents", "--store", secured.place, "ack", name, "--by", "somebody"]
    for role, code in (("mllog_viewer", 3), ("mllog_auditor", 3), ("mllog_watcher", 0)):
        done = secured.run(role, *words, MLLOG_NAMESPACE=namespace)
        assert done.returncode == code, (role, done.stdout, done.stderr)


def test_the_viewer_sees_no_labels(judged: tuple[str, str, str], secured: Secured, tmp_path: Path) -> None:
    """Of one decision the auditor sees the label too."""
    import mllog

    namespace = judged[0]
    with mllog.ModelLogger("at-work", version="1", sink=str(tmp_path), namespace=namespace) as log:
        log.prediction({"k": 1}, 0.5, "labelled")
        log.label("labelled", "late", annotator="zebedee")
    assert shipped(secured, "mllog_shipper", tmp_path)[0] == 0
    secured.node.request("POST", f"/logs-*-{namespace}/_refresh")
    for role, kinds in (("mllog_viewer", ["predict"]), ("mllog_auditor", ["predict", "label"])):
        done = secured.run(role, "show", "labelled", "--store", secured.place, "--json", MLLOG_NAMESPACE=namespace)
        assert [event["event"]["action"] for event in json.loads(done.stdout)["events"]] == kinds
        assert ("zebedee" in done.stdout) == (role == "mllog_auditor")


def test_expiring(secured: Secured) -> None:
    """The role for it deletes old months, and no other role can."""
    secured.node.request("PUT", "/mllog-window-2019.01", {})
    words = ("setup", "--elasticsearch", secured.node.url, "--expire", "--delete", "--json")
    for role in sorted(set(BY_NAME) - {"mllog_expire"}):
        done = secured.run(role, *words)
        assert done.returncode in {0, 3}, (role, done.stdout)
        assert secured.status("HEAD", "/mllog-window-2019.01", login=secured.node.login) == 200
    done = secured.run("mllog_expire", *words)
    assert "mllog-window-2019.01" in {one["index"] for one in json.loads(done.stdout)["indices"] if one["deleted"]}
    assert secured.status("HEAD", "/mllog-window-2019.01", login=secured.node.login) == 404
