"""Nobody keeps a shipper: answers that never end, servers that never read, signals while it waits."""

from __future__ import annotations

import gc
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
from typing import Any

import pytest
import trustme
from support import processes, spools
from support.receivers import logstash
from support.scripted import Asked, bulk, deaf, scripted, slowly

from mllog.shipping import Shipper, command, inspect, open_destination
from mllog.shipping.courier import Limits
from mllog.shipping.destinations import http
from mllog.shipping.pace import Pace

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
HANG_SECONDS = 25
"""Less than a request may take (30 s), so that only a signal can have ended a process before."""


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("MLLOG_") and not name.startswith("MLLOG_TEST_")]:
        monkeypatch.delenv(name)


def quick(folder: pathlib.Path, place: str, *, give_up: float = 0.0, seconds: float = 0.3, **options: Any) -> Shipper:
    """A shipper that doesn't wait long."""
    destination = open_destination(place)
    destination.hurry(seconds)
    shipper = Shipper(folder, destination, give_up=give_up, **options)
    shipper.pace = Pace(shipper.stop, first=0.005, longest=0.02, give_up=give_up)
    return shipper


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context(authority: trustme.CA) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(found)
    return found


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("part", ["head", "body", "header"])
def test_an_answer_that_comes_byte_by_byte(
    tmp_path: pathlib.Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, part: str, *, tls: bool
) -> None:
    """An exchange has an end as a whole, though something comes all the time: it counts for nothing."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("MLLOG_CA_CERTS", str(tmp_path / "ca.pem"))
    spools.spool(tmp_path / "spool", "a", spools.lines("a", 5))

    def answer(_: Asked) -> Any:
        # Each would be a good answer after some seconds.
        if part == "head":
            return slowly(OK + b"x" * 100, 0.02)
        if part == "header":
            return slowly(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 40 + b"Content-Length: 0\r\n\r\n", 0.02)
        return (piece for pieces in ([OK], slowly(b"x" * 100, 0.03)) for piece in pieces)

    with scripted(answer, context=context(authority) if tls else None) as server:
        shipper = quick(tmp_path / "spool", server.place(f"logstash+http{'s' if tls else ''}"), seconds=1.0)
        shipper.run()
        assert len(server.asked) == 1
    assert "didn't answer in time" in str(shipper.problem)
    assert (inspect(tmp_path / "spool")[0].delivered, shipper.counts.delivered) == (0, 0)


@pytest.mark.parametrize("kind", ["logstash+tcp", "logstash+http"])
def test_a_server_that_never_reads(tmp_path: pathlib.Path, kind: str) -> None:
    """More than the network holds is written to a connection that nobody reads from: that ends too."""
    noise = os.urandom(6 * 2**20).hex()
    spools.spool(tmp_path, "a", [spools.line("a", message=noise)])
    with deaf() as port:
        shipper = quick(tmp_path, f"{kind}://127.0.0.1:{port}")
        shipper.run()
    assert shipper.problem is not None
    assert shipper.counts.delivered == 0


def test_an_answer_without_end(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than an answer may have is none, and isn't kept in memory."""
    monkeypatch.setattr(http, "ANSWER_BYTES", 10_000)
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with scripted(lambda _: (200, b"x" * 20_000)) as server:
        shipper = quick(tmp_path, server.place(), seconds=5.0)
        shipper.run()
    assert "more than 10000 bytes" in str(shipper.problem)


def test_a_batch_that_takes_too_long_is_halved(tmp_path: pathlib.Path) -> None:
    """A server that is too slow for so many at once gets fewer, and then all arrives."""
    spools.spool(tmp_path, "a", spools.lines("a", 64))
    got: list[str] = []

    def answer(asked: Asked) -> Any:
        if len(asked.ids) > 10:
            server.ended.wait(60)
        got.extend(asked.ids)
        return 200

    with scripted(answer) as server:
        shipper = quick(tmp_path, server.place(), give_up=30.0, seconds=0.2)
        shipper.run()
        assert shipper.problem is None
        assert len(got) == len(set(got)) == 64


def start(folder: pathlib.Path, place: str, *options: str, code: str = "") -> subprocess.Popen[str]:
    """``mllog ship`` as a process; ``code`` runs in it before."""
    run = f"import sys\nfrom mllog.shipping import command\n{code}\nfrom mllog.cli import main\nsys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", run, "ship", str(folder), "--to", place, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=processes.environment(),
    )


@pytest.mark.parametrize(
    ("number", "options", "does"),
    [(signal.SIGTERM, ("--follow",), "silent"), (signal.SIGTERM, (), "loris"), (signal.SIGINT, (), "silent")],
)
def test_a_signal_ends_it_while_a_server_keeps_it_waiting(
    tmp_path: pathlib.Path, number: signal.Signals, options: tuple[str, ...], does: str
) -> None:
    """After the seconds that it grants the batch in hand, with 3 and the reason; the events stay for the next one."""
    assert command.STOP_SECONDS < 5
    spools.spool(tmp_path, "a", spools.lines("a", 5))

    def answer(_: Asked) -> Any:
        if does == "loris":
            return (piece for pieces in ([OK], slowly(b"x" * 10_000, 0.1)) for piece in pieces)
        server.ended.wait(120)
        return 200

    with scripted(answer) as server:
        process = start(tmp_path, server.place(), *options, code="command.STOP_SECONDS = 0.5")
        while not server.asked:
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, "Traceback" in err) == (3, False)
    assert "5 events still wait" in out
    assert "in time" in err


def test_a_second_signal_ends_it_at_once(tmp_path: pathlib.Path) -> None:
    """Whoever presses Ctrl-C twice doesn't wait for what the first one still granted."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash(always="silent") as receiver:
        process = start(tmp_path, receiver.place(), code="command.STOP_SECONDS = 3600.0")
        while not receiver.requests:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        # Both are handled, one after the other, since the first one's number is another.
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 3
    assert "5 events still wait" in out


def test_what_is_asked_after_the_end_fails(tmp_path: pathlib.Path) -> None:
    """Several requests for one batch don't add up: hurried altogether, nothing begins any more."""
    with scripted(lambda asked: bulk([{"status": 201}] * len(asked.ids))) as server:
        for kind in ("elasticsearch+http", "logstash+http", "logstash+tcp"):
            destination = open_destination(server.place(kind))
            destination.hurry(0.0, altogether=True)
            assert not destination.check().reachable or kind == "logstash+tcp"
            destination.close()
        assert server.asked == []


@pytest.mark.parametrize("kind", ["logstash+http", "logstash+tcp", "elasticsearch+http"])
def test_errors_say_where_and_what(kind: str) -> None:
    """Host, port and what happened, and no object of a library."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    message = open_destination(f"{kind}://127.0.0.1:{port}").check().message
    assert message == f"127.0.0.1:{port} can't be reached: Connection refused"
    message = open_destination(f"{kind}://no-such-host.invalid:{port}").check().message
    assert message.startswith(f"no-such-host.invalid:{port} can't be reached: ")
    assert "(" not in message


@pytest.mark.parametrize("tls", [False, True])
def test_a_forked_child_has_no_connection_of_its_parents(
    tmp_path: pathlib.Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, *, tls: bool
) -> None:
    """Its copies are closed at the fork, whoever still refers to them, and the parent's connection goes on."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("MLLOG_CA_CERTS", str(tmp_path / "ca.pem"))
    with logstash(context=context(authority) if tls else None) as receiver:
        ours = open_destination(receiver.place())
        assert ours.check().reachable
        before = sockets_to(receiver.port)
        assert before == 1
        gc.disable()
        pid = os.fork()
        if not pid:
            os._exit(sockets_to(receiver.port))
        gc.enable()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert ours.check().reachable
        ours.close()


def sockets_to(port: int) -> int:
    """How many sockets this process has that are connected to a port of this machine."""
    found = 0
    for path in list(pathlib.Path("/proc/self/fd").iterdir()):
        try:
            with socket.socket(fileno=os.dup(int(path.name))) as sock:
                found += sock.getpeername()[1] == port
        except OSError:
            continue
    return found


@pytest.mark.parametrize("limits", [Limits(lines=7), Limits(bytes=1000), Limits(bytes=900, lines=3)])
def test_no_request_is_larger_than_a_batch_may_be(tmp_path: pathlib.Path, limits: Limits) -> None:
    """Lines and bytes both bind, and every request is as large as they allow."""
    events = spools.lines("a", 50)
    spools.spool(tmp_path, "a", events)
    with logstash() as receiver:
        quick(tmp_path, receiver.place(), seconds=5.0, limits=limits).run()
        bodies = [request.body for request in receiver.requests]
    assert b"".join(bodies) == b"".join(events)
    assert max(map(len, bodies)) <= limits.bytes
    assert max(body.count(b"\n") for body in bodies) <= limits.lines
    longest = max(map(len, events))
    for body in bodies[:-1]:
        assert body.count(b"\n") == limits.lines or len(body) + longest > limits.bytes


def test_a_bulk_over_tls_with_a_private_authority_and_a_password(
    tmp_path: pathlib.Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a secured cluster is reached: its own certificate authority, a password, partial failures, once each."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("MLLOG_CA_CERTS", str(tmp_path / "ca.pem"))
    events = spools.lines("a", 300)
    spools.spool(tmp_path / "spool", "a", events)
    stored: set[str] = set()
    lock = threading.Lock()

    def answer(asked: Asked) -> Any:
        if asked.headers.get("authorization") != "Basic ZWxhc3RpYzpzM2NyZXQ=":
            return 401, {"error": {"type": "security_exception", "reason": "missing authentication credentials"}}
        if asked.path != "/_bulk":
            return 200, {"_shards": {"failed": 0}}  # asked what has arrived: nothing
        with lock:
            items = []
            for k, identity in enumerate(asked.ids):
                busy = k % 3 == 0 and len(stored) < 100
                items.append({"status": 429 if busy else 409 if identity in stored else 201})
                if not busy:
                    stored.add(identity)
            return bulk(items)

    with scripted(answer, context=context(authority)) as server:
        wrong = quick(tmp_path / "spool", server.place("elasticsearch+https", "elastic:wrong@"), seconds=5.0)
        wrong.run()
        assert "the user, password or key is wrong" in str(wrong.problem)
        right = server.place("elasticsearch+https", "elastic:s3cret@")
        destination = open_destination(right, parallel=True)
        shipper = Shipper(tmp_path / "spool", destination, give_up=30.0)
        shipper.pace = Pace(shipper.stop, first=0.005, longest=0.02, give_up=30.0)
        shipper.run()
    assert (shipper.counts.delivered, shipper.counts.duplicates, shipper.problem) == (300, 0, None)
    assert len(stored) == 300
