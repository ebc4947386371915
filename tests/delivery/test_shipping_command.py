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

from mllog.shipping import inspect, open_destination
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
        "missing_segments": 0,
        "restarts": 0,
        "pending": {"lines": 0, "bytes": 0},
        "dead_letters": 0,
        "problem": None,
        "warnings": [],
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
        (["{folder}/p", "--to", "stdout:"], "name the spool that it stands in, {folder}"),
        (["{folder}/p/00000001.ndjson", "--to", "stdout:"], "it is a file, not a folder"),
        (["{folder}", "--to", "file:{folder}/../{name}"], "the spool itself"),
        (["{folder}", "--to", "file:{folder}/within"], "stands in the spool"),
        (["{folder}", "--to", "file:{folder}/.."], "holds the spool"),
        (["{folder}", "--to", "stdout:", "--delete"], "would leave no copy"),
        (["{folder}", "--t=stdout:"], "--to"),
        (["{folder}", "--to", "http://host"], "isn't known"),
        (["{folder}", "--to", "file:{folder}"], "the spool itself"),
        (["{folder}", "--to", "logstash+http://host", "--once", "--follow"], "not allowed with"),
    ],
)
def test_wrong_usage_is_2(tmp_path: pathlib.Path, arguments: Sequence[str], words: str) -> None:
    """The message says what would be right, and nothing was done."""
    spools.spool(tmp_path, "p", spools.lines("p", 3))
    before = sorted(tmp_path.rglob("*"))
    done = ship(*(argument.format(folder=tmp_path, name=tmp_path.name) for argument in arguments))
    assert done.returncode == 2
    assert words.format(folder=tmp_path) in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["--to", "stdout:", f"logstash+http://ann:{ENCODED}@h:1"],
        [f"--t=logstash+http://ann:{ENCODED}@h:1"],
        [f"--too=logstash+http://ann:{ENCODED}@h:1"],
        ["--to", f"logstash+htp://ann:{ENCODED}@h:1"],
        ["--json", "--to", "stdout:", f"logstash+http://ann:{ENCODED}@h:1"],
    ],
)
def test_a_wrong_usage_repeats_no_password(tmp_path: pathlib.Path, arguments: Sequence[str]) -> None:
    """Whatever is wrong with a command line, what it says of it hides what a URL holds."""
    done = ship(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_who_ships_already_is_said(tmp_path: pathlib.Path) -> None:
    """Where another shipper holds the lock, the reason names its process."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash(always="silent") as receiver:
        command = [sys.executable, "-m", "mllog.cli", "ship", str(tmp_path), "--to", receiver.place()]
        first = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=processes.environment()
        )
        while not receiver.requests:
            assert first.poll() is None
            time.sleep(0.005)
        done = ship(tmp_path, "--to", receiver.place(), "--give-up", "0")
        assert done.returncode == 3
        assert f"a is being shipped there by process {first.pid} on " in done.stderr
        receiver.always = "ok"
        receiver.released.set()
        first.communicate(timeout=60)
    assert first.returncode == 0


def test_what_was_damaged_is_said(tmp_path: pathlib.Path) -> None:
    """A checkpoint, the list of destinations, a dead letter: 1, with words and the place where it is kept."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 5))
    to = f"file:{tmp_path / 'to'}"
    assert ship(spool, "--to", to).returncode == 0
    (checkpoint,) = (spool / "a").glob("*.checkpoint")
    checkpoint.write_bytes(b"{")
    done = ship(spool, "--to", to)
    assert (done.returncode, "1 checkpoints could not be right" in done.stdout) == (1, True)
    (entry,) = (spool / "_destinations").glob("*.json")
    entry.write_bytes(b"")
    done = ship(spool, "--to", f"file:{tmp_path / 'other'}", "--delete")
    assert done.returncode == 1
    assert f"{entry} is damaged" in done.stderr
    spools.spool(spool, "b", spools.lines("b", 5))
    with logstash(limit=10) as receiver:
        assert ship(spool, "--to", receiver.place()).returncode == 1
        (letters,) = (spool / "_dead").glob("*/*.ndjson")
        letters.write_bytes(letters.read_bytes().replace(b"status", b"\0tatus", 1))
        receiver.limit = 10**6
        done = ship(spool, "--to", receiver.place(), "--replay-dead")
    assert (done.returncode, done.stdout) == (
        1,
        "of 4 dead letters 4 were delivered, 0 refused\n1 were damaged and can't be sent; they are kept in _corrupt\n",
    )


def test_what_can_not_be_noted_is_3(tmp_path: pathlib.Path) -> None:
    """All was delivered, but nobody will know: the next run sends it again, so this one didn't go well."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 5))
    (spool / "_destinations").write_text("")
    done = ship(spool, "--to", f"file:{tmp_path / 'to'}", "--json")
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert document["delivered"] == 5
    assert "can't be noted" in document["problem"]


def test_what_waits_in_a_spool_that_can_not_be_written_is_counted(tmp_path: pathlib.Path) -> None:
    """Nobody could register there, and the events wait all the same."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 5))
    to = f"file:{tmp_path / 'to'}"
    for name in (f"a/{open_destination(to).key}.lock", "_destinations"):
        (spool / name).mkdir() if name.endswith(".lock") else (spool / name).write_text("")
    done = ship(spool, "--to", to, "--give-up", "0", "--json")
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert (document["pending"]["lines"], document["delivered"]) == (5, 0)
    assert document["problem"]


def test_a_segment_that_was_deleted_meanwhile_is_3(tmp_path: pathlib.Path) -> None:
    """It is said how many there were; the next run has nothing to say of it any more."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 50), segment_bytes=2000)
    with logstash(always=503) as receiver:
        assert ship(spool, "--to", receiver.place(), "--give-up", "0").returncode == 3
        (spool / "a" / "00000002.ndjson").unlink()
        receiver.always = "ok"
        done = ship(spool, "--to", receiver.place(), "--json")
        assert done.returncode == 3
        document = json.loads(done.stdout)
        assert (document["missing_segments"], "deleted before" in document["problem"]) == (1, True)
        assert ship(spool, "--to", receiver.place()).returncode == 0


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


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon"])
def test_patience_is_a_number_of_seconds(tmp_path: pathlib.Path, seconds: str) -> None:
    """Anything else is wrong usage, which names the option, the value and the remedy."""
    done = ship(tmp_path, "--to", "stdout:", f"--give-up={seconds}")
    assert done.returncode == 2
    assert f"argument --give-up: '{seconds}': write seconds, 0 or more" in done.stderr


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
            "corrupt": 0,
            "problem": None,
        }
        assert sorted(receiver.ids()) == ["a", "big", "huge"]
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead) == (3, 0)


def test_a_place_is_forgotten(tmp_path: pathlib.Path) -> None:
    """Nothing is kept for it any more, and it begins anew if it comes back."""
    folder = tmp_path / "spool"
    spools.spool(folder, "a", spools.lines("a", 5))
    to = f"file:{tmp_path / 'to'}"
    assert ship(folder, "--to", to).returncode == 0
    assert ship(folder, "--to", to, "--forget").stdout == f"{to}: forgotten\n"
    assert inspect(folder) == []
    assert ship(folder, "--to", to, "--forget").stdout == f"{to}: was never shipped to from here\n"


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
