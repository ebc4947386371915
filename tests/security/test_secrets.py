"""Secrets are seen nowhere: not in what commands print or log, not in any file that they leave, not in lists of processes."""

from __future__ import annotations

import base64
import json
import logging
import pathlib
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from support import processes, spools, streams
from support.scripted import Asked, scripted
from support.tls import SITUATIONS, Authorities

import mllog
from kibana_objects.cli import main as kibana_objects
from mllog.cli import main
from mllog.environment import Manifest
from watchers.cli import main as watchers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Secured

WORD = "tellnobody"
"""In every secret; so that whoever prints a part of one is found too."""

PASSWORD, KEY, TOKEN = f"{WORD}-p/w@1", f"{WORD}-key", f"{WORD}-token"
ENCODED = f"{WORD}-p%2Fw%401"
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "in the place": (f"ann:{ENCODED}@", {}),
    "basic": ("", {"MLLOG_USERNAME": "ann", "MLLOG_PASSWORD": PASSWORD}),
    "basic, the user in the place": ("ann@", {"MLLOG_PASSWORD": PASSWORD}),
    "API key": ("", {"MLLOG_API_KEY": f"id:{KEY}"}),
    "bearer": ("", {"MLLOG_BEARER_TOKEN": TOKEN}),
}
OTHERS = {
    "MLLOG_WRITER_PASSWORD": f"{WORD}-writer", "MLLOG_PASWORD": f"{WORD}-mistyped", "MLLOG_SALT": f"{WORD}-salt-of-bytes", "MLLOG_CLIENT_KEY_PASSWORD": f"{WORD}-of-a-key",
    "MLLOG_NOTIFY": f"json://ann:{WORD}@127.0.0.1:1/{WORD}",
}  # fmt: skip
HIDDEN = (WORD, "YW5uOnRlbGxub2JvZHktcC93QDE=", "aWQ6dGVsbG5vYm9keS1rZXk=")
"""The base64 of user and password, and of the key, are as good as they."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "setup": ("mllog", "setup", "--elasticsearch", "{url}", "--user", "mllog_writer"),
    "setup --check": ("mllog", "setup", "--elasticsearch", "{url}", "--check", "--json"),
    "setup of both": ("mllog", "setup", "--elasticsearch", "{url}", "--kibana", "{url}"),
    "setup of Kibana": ("mllog", "setup", "--kibana", "{url}", "--check", "--json"),
    "import": ("kibana-objects", "import", "--kibana", "{url}", "--json"),
    "usage of kibana-objects": ("kibana-objects", "import", "--kibana", "{url}", "--stray", "{url}"),
    "setup --expire": ("mllog", "setup", "--elasticsearch", "{place}", "--expire", "--json"),
    "ship": ("mllog", "ship", "spool", "--to", "{place}", "--give-up", "0", "--json"),
    "ship to Logstash": ("mllog", "ship", "spool", "--to", "{logstash}", "--give-up", "0"),
    "ship --forget": ("mllog", "ship", "spool", "--to", "{place}", "--forget"),
    "doctor": ("mllog", "doctor", "spool", "--elasticsearch", "{url}", "--sink", "{logstash}"),
    "show": ("mllog", "show", "some-id", "--store", "{place}"),
    "show --json": ("mllog", "show", "some-id", "--store", "{place}", "--json"),
    "demo": ("mllog", "demo", "--out", "demo", "--store", "{place}"),
    "run": ("watchers", "run", "--once", "--store", "{place}", "--notify", f"json://ann:{WORD}@127.0.0.1:1/{WORD}"),
    "incidents": ("watchers", "incidents", "--store", "{place}", "--json"),
    "incidents ack": ("watchers", "incidents", "--store", "{place}", "ack"),
    "report": ("watchers", "report", "--store", "{place}", "--out", "report.html"),
    "profile": ("watchers", "profile", "--store", "{place}"),
    "health": ("watchers", "health", "--store", "{place}", "--json"),
    "usage": ("watchers", "report", "--out", "x", "--store", "{place}", "--stray", "{place}"),
    "usage of mllog": ("mllog", "show", "a", "--store", "{place}", "--stray={place}"),
    "no place": ("watchers", "health", "--store", "{place}/?token=" + WORD),
    "another kind of place": ("watchers", "health", "--store", "{logstash}"),
}
"""Every command that takes a place, as people call it."""

MAINS = {"mllog": main, "watchers": watchers, "kibana-objects": kibana_objects}


@pytest.fixture(autouse=True)
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A working folder with a spool in it, and secrets that aren't of any place."""
    monkeypatch.chdir(tmp_path)
    for name, value in OTHERS.items():
        monkeypatch.setenv(name, value)
    spools.spool(tmp_path / "spool", "a", spools.lines("a", 3))
    return tmp_path


def words(name: str, scheme: str, user: str, port: int) -> list[str]:
    url = f"{scheme}://{user}localhost:{port}"
    return [word.format(url=url, place=f"elasticsearch+{url}", logstash=f"logstash+{url}") for word in COMMANDS[name]]


def files(folder: pathlib.Path) -> str:
    """Names and content of all that is there."""
    found = (path for path in folder.rglob("*") if path.name != "client.pem")
    return "\n".join(f"{path}\n{path.read_bytes().decode('utf-8', 'replace') if path.is_file() else ''}" for path in found)


def check(text: str) -> None:
    for hidden in HIDDEN:
        at = text.find(hidden)
        assert at < 0, f"...{text[max(at - 300, 0) : at + 100]}..."


def refusing(asked: Asked) -> Any:
    """401, as Elasticsearch says it."""
    reason = f"unable to authenticate user [ann] for REST request [{asked.path}]"
    return 401, {"error": {"type": "security_exception", "reason": reason, "root_cause": []}, "status": 401}


def echoing(asked: Asked) -> Any:
    """A proxy that repeats what it was sent."""
    kind, _, proof = asked.headers["authorization"].partition(" ")
    told = {**asked.headers, "proof": proof if kind == "Bearer" else base64.b64decode(proof).decode()}
    return 403, {"error": {"type": "security_exception", "reason": str(told), "root_cause": []}, "status": 403}


def breaking(_: Asked) -> Iterator[bytes]:
    """An answer that is none."""
    yield b"\x00\x01\x02"


@pytest.fixture(params=["401", "nobody there", "an answer that is none", "a wrong certificate"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Scheme and port of a server that fails in some way."""
    if request.param == "nobody there":
        yield "http", 1
    elif request.param == "a wrong certificate":
        authorities = Authorities(tmp_path_factory.mktemp("authorities"))
        for name, value in authorities.variables(SITUATIONS[1]).items():
            monkeypatch.setenv(name, value)
        with scripted(refusing, context=authorities.server(SITUATIONS[1])) as found:
            yield "https", found.port
    else:
        with scripted(refusing if request.param == "401" else breaking) as found:
            yield "http", found.port


def outcome(given: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int | str | None, str]:
    """What a command in this process ends with, and all that it said."""
    try:
        code: int | str | None = MAINS[given[0]](given[1:])
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    return code, said.out + said.err


@pytest.mark.parametrize("way", WAYS)
def test_failures(
    way: str, server: tuple[str, int], folder: pathlib.Path,
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Every command, with everything logged that anybody logs: it fails, and says nothing that it shouldn't."""
    user, variables = WAYS[way]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.DEBUG)
    for name in COMMANDS:
        code, said = outcome(words(name, server[0], user, server[1]), capsys)
        assert code in {1, 2, 3} or name == "ship --forget", (name, code, said)
        assert said.strip(), name
        check(said)
    with mllog.ModelLogger(
        "m", version="1", sink=words("ship", server[0], user, server[1])[4], spool="logger", environment=Manifest(), resources=0
    ) as log:
        log.prediction({"k": 1}, user="jane")
        check(repr(log) + repr(log.status()))
    assert caplog.records
    check("".join(f"{record.getMessage()}{record.exc_text or ''}" for record in caplog.records) + caplog.text)
    check(files(folder))


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"in the place"}))
def test_a_server_that_echoes(way: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> None:
    """What it repeats of a request is taken out of what is said of it."""
    user, variables = WAYS[way]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with scripted(echoing) as server:
        for name in COMMANDS:
            given = words(name, "http", user, server.port)
            check(outcome(given, capsys)[1])
    check(files(folder))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Apprise
def test_where_all_goes_well(
    secured: Secured, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With passwords in places: neither messages, nor reports, nor what the server holds then, have them."""
    namespace, model = "secrets", "secretive"
    monkeypatch.setenv("MLLOG_CA_CERTS", str(secured.node.authority_file))
    monkeypatch.setenv("MLLOG_NAMESPACE", namespace)
    monkeypatch.delenv("MLLOG_NOTIFY")
    monkeypatch.delenv("MLLOG_CLIENT_KEY_PASSWORD")

    def place(role: str) -> str:
        return secured.place.replace("://", f"://{role}:{quote(secured.passwords[role])}@")

    streams.serve(folder / "served", model, hours=40, broken=32, card=streams.card_of(model), namespace=namespace)
    outcome(["mllog", "ship", "served", "--to", place("mllog_shipper")], capsys)
    secured.node.request("POST", f"/logs-*-{namespace}/_refresh")
    now = (streams.START + 41 * streams.HOUR).isoformat()
    with scripted(lambda _: 200) as receiver:
        notify = f"json://ann:{WORD}@127.0.0.1:{receiver.port}/{WORD}"
        store = ["--store", place("mllog_watcher")]
        code, said = outcome(["watchers", "run", "--once", *store, "--now", now, "--notify", notify], capsys)
        assert code == 1, said
        messages = b"\n".join(asked.body for asked in receiver.asked).decode()
    assert "mllog_watcher@localhost" in messages
    (incident, *_) = json.loads(outcome(["watchers", "incidents", *store, "--json"], capsys)[1])["incidents"]
    for given in (
        ["watchers", "incidents", *store, "show", incident["id"]],
        ["watchers", "report", *store, "--model", model, "--out", "report.html"],
        ["mllog", "show", incident["documents"][0], *store],
        ["mllog", "doctor", "served", "--sink", place("mllog_shipper"), "--json"],
    ):
        code, more = outcome(given, capsys)
        assert code in {0, 1, 3}, more
        said += more
    assert (folder / "report.html").exists()
    secured.node.request("POST", "/mllog-*/_refresh")
    held = secured.node.request("POST", "/logs-mllog.*,mllog-*/_search?size=10000", {"query": {"match_all": {}}})
    seen = said + messages + files(folder) + json.dumps(held)
    for secret in (secured.passwords["mllog_shipper"], secured.passwords["mllog_watcher"], WORD):
        for text in (secret, quote(secret), base64.b64encode(secret.encode()).decode()):
            assert text not in seen


class Holding:
    """A server that answers nobody until it is told to."""

    def __init__(self) -> None:
        self.heard, self.released = threading.Event(), threading.Event()
        self.headers: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Any:
        self.headers = asked.headers
        self.heard.set()
        self.released.wait(60)
        return refusing(asked)


@pytest.mark.parametrize("name", [name for name in COMMANDS if not name.startswith(("usage", "no ", "another", "ship --f", "incidents ack"))])
def test_the_list_of_processes(name: str, folder: pathlib.Path) -> None:
    """While a command waits for its server nobody reads its secrets there, and the server was told them."""
    holding = Holding()
    with scripted(holding) as server:
        kind, *given = words(name, "http", f"ann:{ENCODED}@", server.port)
        process = subprocess.Popen(
            [sys.executable, "-m", f"{kind.replace('-', '_')}.cli", *given],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=processes.environment() | OTHERS,
        )  # fmt: skip
        assert holding.heard.wait(60), process.communicate(timeout=1)
        title = pathlib.Path(f"/proc/{process.pid}/cmdline").read_text()
        holding.released.set()
        out, err = process.communicate(timeout=120)
    assert holding.headers["authorization"] == f"Basic {HIDDEN[1]}"
    assert "ann@localhost" in title
    check(title + out + err + files(folder))
