"""Health checks of servers that can't be had here, run against servers of ours that answer as theirs do."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import pathlib
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from support.certificates import make
from support.elasticsearch import free_port
from support.stack import EXAMPLE, FILE, Stack, read

from watchers.demo.live import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def stack() -> Stack:
    """The stack, as docker-compose reads it."""
    return read(FILE.read_text(), EXAMPLE.read_text())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Those of the stack."""
    folder = tmp_path_factory.mktemp("certificates")
    assert make(folder, "kibana", "logstash").returncode == 0
    return folder


def context(certificates: pathlib.Path, service: str) -> ssl.SSLContext:
    """A server's, with the certificate of a service."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(certificates / service / f"{service}.crt", certificates / service / f"{service}.key")
    return found


@contextlib.contextmanager
def server(status: int, body: bytes = b"", tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that always answers so; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    found = Server(("127.0.0.1", 0), Handler)
    if tls:
        found.socket = tls.wrap_socket(found.socket, server_side=True)
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found.server_port
    finally:
        found.shutdown()
        thread.join()
        found.server_close()


def check(stack: Stack, certificates: pathlib.Path, service: str, ports: dict[int, int]) -> int:
    """The exit code of a service's health check in its container's folder, its ports being others here."""
    own = certificates / "home" / service
    if not own.exists():
        (own / "config").mkdir(parents=True)
        (own / "config" / "certs").symlink_to(certificates / service)
    words = stack.services[service].health
    for port, here in ports.items():
        assert any(f":{port}/" in word for word in words)
        words = [word.replace(f":{port}/", f":{here}/") for word in words]
    command = ["sh", "-c", *words] if len(words) == 1 else words
    return subprocess.run(
        command, cwd=own, env={"PATH": os.environ["PATH"]}, capture_output=True, check=False, timeout=60
    ).returncode


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (401, False)])
def test_kibana(stack: Stack, certificates: pathlib.Path, status: int, healthy: bool) -> None:
    """Available (or degraded) is 200; 503 is what it says until it is."""
    with server(status, b'{"status":{"overall":{"level":"available"}}}', context(certificates, "kibana")) as port:
        assert (check(stack, certificates, "kibana", {5601: port}) == 0) == healthy


def test_kibana_that_is_not_there(stack: Stack, certificates: pathlib.Path) -> None:
    """Nobody listens, or it speaks no TLS."""
    assert check(stack, certificates, "kibana", {5601: free_port()}) != 0
    with server(200) as port:
        assert check(stack, certificates, "kibana", {5601: port}) != 0


def test_kibana_of_another_authority(stack: Stack, certificates: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """It isn't believed."""
    make(tmp_path, "kibana")
    with server(200, tls=context(tmp_path, "kibana")) as port:
        assert check(stack, certificates, "kibana", {5601: port}) != 0


@pytest.mark.parametrize(
    ("report", "healthy"),
    [
        (b'{"status":"green","indicators":{"pipelines":{"status":"green"}}}', True),
        (b'{"status":"yellow","indicators":{"pipelines":{"status":"yellow"}}}', True),
        (b'{"status":"red","indicators":{"pipelines":{"status":"red"}}}', False),
        (b"", False),
    ],
)
def test_logstash(stack: Stack, certificates: pathlib.Path, report: bytes, healthy: bool) -> None:
    """Whatever it reports, but red, with an http input that wants credentials."""
    with server(200, report) as api, server(401, tls=context(certificates, "logstash")) as events:
        assert (check(stack, certificates, "logstash", {9600: api, 8080: events}) == 0) == healthy


def test_logstash_without_its_input(stack: Stack, certificates: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The API alone is no Logstash that takes events; nor is an input with another's certificate."""
    green = b'{"status":"green"}'
    make(tmp_path, "logstash")
    with server(200, green) as api:
        assert check(stack, certificates, "logstash", {9600: api, 8080: free_port()}) != 0
        with server(401, tls=context(tmp_path, "logstash")) as events:
            assert check(stack, certificates, "logstash", {9600: api, 8080: events}) != 0
    with server(401, tls=context(certificates, "logstash")) as events:
        assert check(stack, certificates, "logstash", {9600: free_port(), 8080: events}) != 0


@pytest.mark.parametrize(
    ("days", "progress", "healthy"),
    [
        ("42", None, False), ("42", '{"weeks": 1, "delivered": false}', False), ("0", None, True),
        ("42", '{"weeks": 1, "delivered": true}', True),
    ],
)  # fmt: skip
def test_the_demo(stack: Stack, tmp_path: pathlib.Path, days: str, progress: str | None, healthy: bool) -> None:
    """It is well when the days before now have arrived, or where there are none; the watchers wait for that."""
    if progress is not None:
        (tmp_path / "traffic.json").write_text(progress)
    demo = stack.services["demo"]
    words = [word.replace("$$", "$").replace("/var/lib/mllog", str(tmp_path)) for word in demo.health]
    assert words != demo.health
    done = subprocess.run(words, env={"PATH": os.environ["PATH"], "MLLOG_DEMO_DAYS": days}, check=False, timeout=60)
    assert (done.returncode == 0) == healthy


def test_the_demo_writes_what_its_check_reads(tmp_path: pathlib.Path) -> None:
    """In those words."""
    now = dt.datetime.now(dt.UTC)
    Progress(1, now, now, now, delivered=True).save(tmp_path / "traffic.json")
    assert '"delivered": true' in (tmp_path / "traffic.json").read_text()
