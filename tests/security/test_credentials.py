"""API key, basic and bearer, on every client: a real node lets them in, and a real socket hears the header."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from support import spools
from support.receivers import logstash
from support.scripted import Asked, scripted

import mllog
from mllog.cli import main
from mllog.elastic.roles import BY_NAME
from mllog.environment import Manifest
from mllog.shipping import inspect, open_destination
from mllog.shipping.shipper import Shipper
from watchers.cli import main as watchers

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Secured

NOW = "2026-03-03T17:00:00Z"


def lines(namespace: str) -> list[bytes]:
    stream = {"type": "logs", "dataset": spools.DATASET, "namespace": namespace}
    return [spools.line(f"{namespace}-{k}", data_stream=stream) for k in range(5)]


def given(secured: Secured, kind: str, role: str) -> dict[str, str]:
    """Variables by which somebody proves to have a role."""
    if kind == "basic":
        return {"MLLOG_USERNAME": role, "MLLOG_PASSWORD": secured.passwords[role]}
    if kind == "bearer":
        # Tokens of users take a paid licence; those of Elastic's own services don't, and Fleet's may write logs.
        path = "/_security/service/elastic/fleet-server/credential/token"
        return {"MLLOG_BEARER_TOKEN": secured.node.request("POST", path)["token"]["value"]}
    body = {"name": f"{role} of a test", "role_descriptors": {role: BY_NAME[role].body()}}
    key = secured.node.request("POST", "/_security/api_key", body)
    return {"MLLOG_API_KEY": key["encoded"] if kind == "API key" else f"{key['id']}:{key['api_key']}"}


@pytest.fixture
def variables(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put them into the environment."""

    def put(kind: str, role: str) -> None:
        for name in ("MLLOG_USERNAME", "MLLOG_PASSWORD", "MLLOG_API_KEY", "MLLOG_BEARER_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in given(secured, kind, role).items():
            monkeypatch.setenv(name, value)

    monkeypatch.setenv("MLLOG_CA_CERTS", str(secured.node.authority_file))
    return put


@pytest.mark.parametrize("kind", ["basic", "API key", "id and API key", "bearer"])
def test_events_go_in(kind: str, secured: Secured, variables: Any, tmp_path: Path) -> None:
    """By `mllog ship` and by a logger that ships by itself."""
    variables(kind, "mllog_shipper")
    namespace = f"by_{kind.replace(' ', '_').lower()}"
    spools.spool(tmp_path / "a", "a", lines(namespace))
    Shipper(tmp_path / "a", open_destination(secured.place), give_up=0.0).run()
    with mllog.ModelLogger(
        "m", version="1", sink=secured.place, spool=tmp_path / "b", namespace=namespace, environment=Manifest(), resources=0
    ) as log:
        for k in range(5):
            log.prediction({"k": k})
    secured.node.request("POST", f"/logs-{spools.DATASET}-{namespace}/_refresh")
    assert secured.node.request("GET", f"/logs-{spools.DATASET}-{namespace}/_count")["count"] == 10
    for folder in ("a", "b"):
        (status,) = inspect(tmp_path / folder)
        assert (status.pending_lines, status.dead, status.unasked) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["basic", "API key"])
def test_what_is_there_is_set_up_and_watched(kind: str, secured: Secured, variables: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """By `mllog setup` and by watchers."""
    variables(kind, "mllog_setup")
    assert main(["setup", "--elasticsearch", secured.node.url, "--check", "--json"]) in {0, 1}
    assert "error" not in json.loads(capsys.readouterr().out)
    variables(kind, "mllog_watcher")
    assert watchers(["run", "--once", "--store", secured.place, "--now", NOW]) in {0, 3}
    assert "403" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["API key", "id and API key"])
def test_a_key_that_was_withdrawn(kind: str, secured: Secured, variables: Any, tmp_path: Path) -> None:
    """401; the events wait, and the reason says what to look at."""
    variables(kind, "mllog_shipper")
    secured.node.request("DELETE", "/_security/api_key", {"name": "mllog_shipper of a test"})
    spools.spool(tmp_path, "a", lines("withdrawn"))
    Shipper(tmp_path, open_destination(secured.place), give_up=0.0).run()
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.pending_lines) == (0, 5)
    assert "answered 401: the user, password or key is wrong or missing" in str(status.last_error)


HEADERS = {
    "basic": ({"MLLOG_USERNAME": "ann", "MLLOG_PASSWORD": "a secret"}, f"Basic {base64.b64encode(b'ann:a secret').decode()}"),
    "API key": ({"MLLOG_API_KEY": "id:key"}, f"ApiKey {base64.b64encode(b'id:key').decode()}"),
    "bearer": ({"MLLOG_BEARER_TOKEN": "a.token"}, "Bearer a.token"),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_what_a_socket_hears(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every client of Elasticsearch sends the same header with every request."""
    monkeypatch.chdir(tmp_path)
    variables, header = HEADERS[kind]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def refuse(asked: Asked) -> Any:
        return 401, {"error": {"reason": "who?"}, "status": 401}

    with scripted(refuse) as server:
        place, url = server.place("elasticsearch+http"), server.place("http")
        spools.spool(tmp_path / "spool", "a", lines("heard"))
        for words in (
            ["setup", "--elasticsearch", url], ["setup", "--elasticsearch", url, "--expire"], ["show", "x", "--store", place],
            ["ship", "spool", "--to", place, "--give-up", "0"], ["doctor", "--elasticsearch", url],
        ):  # fmt: skip
            before = len(server.asked)
            assert main(words) in {1, 3}
            assert len(server.asked) > before, words
        for words in (["run", "--once"], ["incidents"], ["health"], ["report", "--out", "x.html"]):
            before = len(server.asked)
            assert watchers([*words, "--store", place]) == 3
            assert len(server.asked) > before, words
        assert {asked.headers.get("authorization") for asked in server.asked} == {header}
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", sorted(set(HEADERS) - {"API key"}))
def test_what_logstash_hears(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a shipper and from a logger; an API key is Elasticsearch's, and isn't told to anybody else."""
    variables, header = HEADERS[kind]
    for name, value in {**variables, "MLLOG_API_KEY": "id:key"}.items():
        monkeypatch.setenv(name, value)
    with logstash() as receiver:
        spools.spool(tmp_path / "a", "a", lines("heard"))
        Shipper(tmp_path / "a", open_destination(receiver.place()), give_up=0.0).run()
        with mllog.ModelLogger("m", version="1", sink=receiver.place(), spool=tmp_path / "b", environment=Manifest(), resources=0) as log:
            log.prediction({"k": 1})
        assert {request.headers.get("authorization") for request in receiver.requests} == {header}
        assert len(receiver.requests) >= 2
