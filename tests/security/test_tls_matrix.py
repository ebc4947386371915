"""Every client and every situation of TLS: let through where all is right, else refused with the reason, nothing lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import spools, tls
from support.scripted import Asked, bulk, scripted
from support.tls import SITUATIONS, Authorities, Situation

import mllog
from mllog.cli import main
from mllog.environment import Manifest
from mllog.shipping import inspect, open_destination
from mllog.shipping.shipper import Shipper
from watchers.cli import main as watchers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Secured

EVENTS = 5


def answered(asked: Asked) -> Any:
    """As Logstash, and as Elasticsearch as far as a shipper looks."""
    return bulk([{"status": 201}] * len(asked.ids)) if asked.path.endswith("_bulk") else (200, {})


def logged(place: str, folder: Path, _: Any) -> str:
    """A logger that ships by itself; what it hasn't delivered is in its spool."""
    with mllog.ModelLogger("m", version="1", sink=place, spool=folder, environment=Manifest(), resources=0) as log:
        for k in range(EVENTS):
            log.prediction({"k": k})
    return waiting(folder)


def shipped(place: str, folder: Path, _: Any) -> str:
    """A shipper of somebody's spool."""
    spools.spool(folder, "a", spools.lines("a", EVENTS))
    Shipper(folder, open_destination(place), give_up=0.0).run()
    return waiting(folder)


def waiting(folder: Path) -> str:
    """Every event is delivered or waits; and why."""
    (status,) = inspect(folder)
    assert status.delivered + status.pending_lines >= EVENTS
    assert status.dead == 0
    return str(status.last_error) if status.pending_lines else ""


def command(*words: str) -> Callable[[str, Path, Any], str]:
    """A command, in this process."""

    def run(place: str, folder: Path, capsys: Any) -> str:
        given = [word.format(place=place, url=place.partition("+")[2], out=folder / "report.html") for word in words]
        (watchers if given[0] == "watchers" else main)(given[given[0] == "watchers" :])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return str(said.err + said.out)

    return run


CLIENTS: dict[str, tuple[str, Callable[[str, Path, Any], str]]] = {
    "logger to Logstash": ("logstash", logged),
    "logger to Elasticsearch": ("elasticsearch", logged),
    "ship to Logstash": ("logstash", shipped),
    "ship to Elasticsearch": ("elasticsearch", shipped),
    "mllog setup": ("elasticsearch", command("setup", "--elasticsearch", "{url}", "--check")),
    "mllog doctor": ("elasticsearch", command("doctor", "--elasticsearch", "{url}")),
    "mllog show": ("elasticsearch", command("show", "some-id", "--store", "{place}")),
    "watchers run": ("elasticsearch", command("watchers", "run", "--once", "--store", "{place}")),
    "watchers incidents": ("elasticsearch", command("watchers", "incidents", "--store", "{place}")),
    "watchers report": ("elasticsearch", command("watchers", "report", "--store", "{place}", "--out", "{out}")),
}


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    return Authorities(tmp_path_factory.mktemp("authorities"))


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.text)
@pytest.mark.parametrize("client", CLIENTS)
def test_situations(
    client: str, situation: Situation, authorities: Authorities, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The server hears a request where it may, and none where it mayn't: no credential went out."""
    kind, act = CLIENTS[client]
    monkeypatch.chdir(tmp_path)
    for name, value in {**authorities.variables(situation), "MLLOG_USERNAME": "ann", "MLLOG_PASSWORD": "secret"}.items():
        monkeypatch.setenv(name, value)
    with scripted(answered, context=authorities.server(situation)) as server:
        said = act(f"{kind}+https://{situation.host}:{server.port}", tmp_path / "events", capsys)
    assert bool(server.asked) == (not situation.said), said
    if situation.said:
        assert situation.said in " ".join(said.split()), said
        assert "secret" not in said
    else:
        assert all(asked.headers["authorization"].startswith("Basic ") for asked in server.asked)


@pytest.mark.parametrize(
    "situation", [one for one in SITUATIONS if not one.expired and not one.asks], ids=lambda situation: situation.text
)
def test_a_real_node(
    situation: Situation, secured: Secured, authorities: Authorities, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Events arrive at Elasticsearch over TLS, or wait."""
    variables = authorities.variables(situation)
    if situation.trusted == "ours":
        variables["MLLOG_CA_CERTS"] = str(secured.node.authority_file)
    for name, value in {**variables, "MLLOG_USERNAME": "mllog_shipper", "MLLOG_PASSWORD": secured.passwords["mllog_shipper"]}.items():
        monkeypatch.setenv(name, value)
    place = secured.place.replace(tls.HOST, situation.host)
    said = shipped(place, tmp_path / "events", capsys)
    assert (situation.said in said) == bool(situation.said) or not said
    assert bool(said) == bool(situation.said)
    monkeypatch.setenv("MLLOG_USERNAME", "mllog_setup")
    monkeypatch.setenv("MLLOG_PASSWORD", secured.passwords["mllog_setup"])
    code = main(["setup", "--elasticsearch", place, "--check", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (code == 3) == bool(situation.said), document
    assert situation.said in document.get("error", "")


def test_a_word_in_clear_to_a_server_that_speaks_tls(
    authorities: Authorities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`http` instead of `https`: nothing is delivered, and what is said tells which of the two to write."""
    monkeypatch.chdir(tmp_path)
    with scripted(answered, context=authorities.server(SITUATIONS[0])) as server:
        for name, (kind, act) in CLIENTS.items():
            said = act(f"{kind}+http://{tls.HOST}:{server.port}", tmp_path / name.replace(" ", "-"), capsys)
            assert said, name
    assert not server.asked
