"""`mllog ship` as a process: what it prints, how it ends, and what it never shows."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest
from support import processes, spools
from support.receivers import logstash

from mllog.shipping import inspect
from mllog.shipping.dead import read

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET = "s3cret/p@ss"
ENCODED = "s3cret%2Fp%40ss"


def ship(
    *arguments: object, environment: dict[str, str] | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mllog.cli", "ship", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**processes.environment(), **(environment or {})},
    )


def test_all_delivered_is_0(tmp_path: pathlib.Path) -> None:
    """Said in words, or as one JSON document."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash() as receiver:
        done = ship(tmp_path, "--to", receiver.place())
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"delivered 5 events to {receiver.place()}\n"
        again = ship(tmp_path, "--to", receiver.place(), "--once", "--json")
        assert again.returncode == 0
        document = json.loads(again.stdout)
    assert document.pop("seconds") >= 0
    assert document == {
        "folder": str(tmp_path),
        "destination": receiver.place(),
        "acknowledged": True,
        "delivered": 0,
        "duplicates": 0,
        "dead": 0,
        "lost": 0,
        "corrupt": 0,
        "corrupt_segments": 0,
        "unasked": 0,
        "pending": {"lines": 0, "bytes": 0},
        "dead_letters": 0,
        "problem": None,
    }


def test_something_refused_or_corrupt_is_1(tmp_path: pathlib.Path) -> None:
    """Whatever was kept aside in this run is said, where it is too."""
    events = [*spools.lines("a", 5), spools.line("huge", message="x" * 5000), b"nonsense\n"]
    spools.spool(tmp_path, "a", events)
    with logstash(limit=3000) as receiver:
        done = ship(tmp_path, "--to", receiver.place())
        assert done.returncode == 1
        assert "delivered 5 events" in done.stdout
        assert "1 were refused; 1 of them are kept, see --replay-dead" in done.stdout
        assert "corrupt: 1 lines, 0 segments; they are kept in _corrupt" in done.stdout
        assert ship(tmp_path, "--to", receiver.place()).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{folder}"], "--to"),
        (["{folder}/none", "--to", "stdout:"], "no such folder"),
        (["{folder}", "--to", "http://host"], "isn't known"),
        (["{folder}", "--to", "file:{folder}"], "the spool itself"),
        (["{folder}", "--to", "logstash+http://host", "--once", "--follow"], "not allowed with"),
    ],
)
def test_wrong_usage_is_2(tmp_path: pathlib.Path, arguments: Sequence[str], words: str) -> None:
    """The message says what would be right."""
    done = ship(*(argument.format(folder=tmp_path) for argument in arguments))
    assert done.returncode == 2
    assert words in done.stderr


def test_not_delivered_is_3(tmp_path: pathlib.Path) -> None:
    """What is left is said, with the reason."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash(always=503) as receiver:
        done = ship(tmp_path, "--to", receiver.place(), "--give-up", "0.2")
        assert done.returncode == 3
        assert "5 events still wait" in done.stdout
        assert "answered 503" in done.stderr
        document = json.loads(ship(tmp_path, "--to", receiver.place(), "--give-up", "0.2", "--json").stdout)
    assert document["pending"]["lines"] == 5
    assert "503" in document["problem"]


def test_standard_output_gets_the_lines_and_nothing_else(tmp_path: pathlib.Path) -> None:
    """So that they can be piped; what there is to say goes to standard error."""
    events = spools.lines("a", 5)
    spools.spool(tmp_path, "a", events)
    done = ship(tmp_path, "--to", "stdout:")
    assert (done.returncode, done.stdout) == (0, b"".join(events).decode())
    assert "delivered 5 events to stdout:" in done.stderr


def test_following_begins_before_there_is_anything(tmp_path: pathlib.Path) -> None:
    """A sidecar may start before the service: it waits for the folder, and ends with 0 when it is told to."""
    folder = tmp_path / "later"
    with logstash() as receiver:
        command = [sys.executable, "-m", "mllog.cli", "ship", str(folder), "--to", receiver.place(), "--follow"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=processes.environment()
        )
        spools.spool(folder, "a", spools.lines("a", 5))
        while len(receiver.lines) < 5:
            assert process.poll() is None
            time.sleep(0.005)
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"delivered 5 events to {receiver.place()}\n", "")


def test_dead_letters_are_replayed(tmp_path: pathlib.Path) -> None:
    """After a mending they arrive and leave the folder; those refused again stay, with the new reason."""
    events = [
        spools.line("a"),
        spools.line("big", message="x" * 5000),
        spools.line("huge", message="x" * 9000),
    ]
    spools.spool(tmp_path, "p", events)
    with logstash(limit=3000) as receiver:
        assert ship(tmp_path, "--to", receiver.place()).returncode == 1
        assert inspect(tmp_path)[0].dead == 2
        receiver.limit = 7000
        done = ship(tmp_path, "--to", receiver.place(), "--replay-dead")
        assert (done.returncode, done.stdout) == (1, "of 2 dead letters 1 were delivered, 1 refused\n")
        (status,) = inspect(tmp_path)
        assert (status.delivered, status.dead) == (2, 1)
        (path,) = (tmp_path / "_dead").glob("*/*.ndjson")
        assert [letter["id"] for letter in read(path)] == ["huge"]
        receiver.always = 503
        broken = ship(tmp_path, "--to", receiver.place(), "--replay-dead", "--give-up", "0.2", "--json")
        assert broken.returncode == 3
        assert "503" in json.loads(broken.stdout)["problem"]
        assert inspect(tmp_path)[0].dead == 1
        receiver.always, receiver.limit = "ok", 10_000
        done = ship(tmp_path, "--to", receiver.place(), "--replay-dead", "--json")
        assert done.returncode == 0
        assert json.loads(done.stdout) == {
            "destination": receiver.place(),
            "replayed": 1,
            "delivered": 1,
            "dead": 0,
            "problem": None,
        }
        assert sorted(receiver.ids()) == ["a", "big", "huge"]
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead) == (3, 0)


def test_a_place_is_forgotten(tmp_path: pathlib.Path) -> None:
    """Nothing is kept for it any more, and it begins anew if it comes back."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    to = f"file:{tmp_path / '_to'}"
    assert ship(tmp_path, "--to", to).returncode == 0
    assert ship(tmp_path, "--to", to, "--forget").stdout == f"{to}: forgotten\n"
    assert inspect(tmp_path) == []
    assert ship(tmp_path, "--to", to, "--forget").stdout == f"{to}: was never shipped to from here\n"


def test_a_password_is_seen_nowhere(tmp_path: pathlib.Path) -> None:
    """Not on the command line of the running process, not in what it prints, not in any file that it leaves."""
    spools.spool(tmp_path / "spool", "a", spools.lines("a", 5))
    with logstash(always="silent") as receiver:
        place = receiver.place(f"ann:{ENCODED}@")
        process = subprocess.Popen(
            [sys.executable, "-m", "mllog.cli", "ship", str(tmp_path / "spool"), f"--to={place}", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=processes.environment(),
        )
        while not receiver.requests:
            assert process.poll() is None
            time.sleep(0.005)
        titles = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
        titles += pathlib.Path(f"/proc/{process.pid}/comm").read_bytes()
        assert b"ann@" in titles
        receiver.always = 401
        receiver.released.set()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert receiver.requests[0].headers["authorization"] == "Basic YW5uOnMzY3JldC9wQHNz"
    seen = titles + out.encode() + err.encode()
    for path in (tmp_path / "spool").rglob("*"):
        seen += path.name.encode() + (path.read_bytes() if path.is_file() else b"")
    for secret in (SECRET, ENCODED, "YW5uOnMzY3JldC9wQHNz", "s3cret"):
        assert secret.encode() not in seen


@pytest.mark.parametrize(
    "variables",
    [
        {"MLLOG_USERNAME": "ann", "MLLOG_PASSWORD": SECRET},
        {"MLLOG_API_KEY": f"id:{SECRET}"},
        {"MLLOG_BEARER_TOKEN": "s3cret-token"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_a_server_that_echoes_secrets_does_not_spread_them(tmp_path: pathlib.Path, variables: dict[str, str]) -> None:
    """What an answer repeats of the request's header is taken out of every message."""
    spools.spool(tmp_path / "spool", "a", spools.lines("a", 5))
    (kind, secret) = next(iter(variables.items())) if len(variables) == 1 else ("MLLOG_PASSWORD", SECRET)
    echo = Echo()
    with echo:
        scheme = "elasticsearch" if kind == "MLLOG_API_KEY" else "logstash"
        done = ship(
            tmp_path / "spool", "--to", f"{scheme}+http://127.0.0.1:{echo.port}", "--json", environment=variables
        )
    assert done.returncode == 3
    assert echo.heard
    seen = done.stdout + done.stderr
    for path in (tmp_path / "spool").rglob("*"):
        seen += path.read_text() if path.is_file() else ""
    assert "answered 403" in seen
    assert "***" in seen
    for hidden in (secret, secret.rpartition(":")[2], echo.heard.rpartition(" ")[2]):
        assert hidden not in seen


class Echo:
    """Answers 403 with the header that it was sent."""

    def __init__(self) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        outer = self
        self.heard = ""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.heard = str(self.headers["Authorization"])
                body = f"no right: {outer.heard} {SECRET} s3cret-token".encode()
                self.send_response(403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
