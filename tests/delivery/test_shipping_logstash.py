"""Shipping to what answers as Logstash does, and fails as it does: accepted = delivered + spooled, each id one line."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from support import receivers, spools
from support.receivers import logstash, tcp

from mllog.errors import SettingError
from mllog.shipping import Shipper, inspect, open_destination
from mllog.shipping.courier import Limits
from mllog.shipping.pace import Pace

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

    from mllog.shipping import ShipStatus


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    import os

    for name in [name for name in os.environ if name.startswith("MLLOG_")]:
        monkeypatch.delenv(name)


def quick(folder: pathlib.Path, place: str, *, give_up: float = 30.0, seconds: float = 0.3, **options: Any) -> Shipper:
    """A shipper that doesn't wait long."""
    destination = open_destination(place)
    destination.hurry(seconds)
    shipper = Shipper(folder, destination, give_up=give_up, **options)
    shipper.pace = Pace(shipper.stop, first=0.005, longest=0.02, give_up=give_up)
    return shipper


def status(folder: pathlib.Path) -> ShipStatus:
    (found,) = inspect(folder)
    return found


def check(receiver: receivers.Receiver, folder: pathlib.Path, events: list[bytes]) -> None:
    """Everything arrived, what came twice came as the same bytes, and the spool says so too."""
    copies = receiver.copies()
    assert all(len(lines) == 1 for lines in copies.values())
    assert sorted(next(iter(lines)) + b"\n" for lines in copies.values()) == sorted(events)
    found = status(folder)
    assert (found.delivered, found.dead, found.corrupt, found.pending_lines) == (len(events), 0, 0, 0)


def test_a_batch_is_one_request_of_ndjson(tmp_path: pathlib.Path) -> None:
    """The content type is the one that makes Logstash read every line; longer bodies are gzipped."""
    events = spools.lines("a", 50)
    spools.spool(tmp_path, "a", events)
    with logstash() as receiver:
        quick(tmp_path, receiver.place()).run()
        check(receiver, tmp_path, events)
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/")
    assert request.body == b"".join(events)
    assert request.headers["content-type"] == "application/x-ndjson"
    assert request.headers["content-encoding"] == "gzip"
    assert int(request.headers["content-length"]) < len(request.body) / 4
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    "script",
    [
        ("lost",),
        ("reset",),
        ("reset", "lost", "reset"),
        ("garbage",),
        ("hang",),
        ("silent", "silent"),
        (429, 429, 429),
        (500,),
        (503, "lost", 429, "silent", "reset"),
    ],
    ids=str,
)
def test_every_failure_ends_in_a_resend_of_the_same_bytes(
    tmp_path: pathlib.Path, fault_row: Callable[..., None], script: tuple[str | int, ...]
) -> None:
    """Whatever is answered or isn't, the lines come again under the same ids until they are acknowledged."""
    events = spools.lines("a", 60)
    spools.spool(tmp_path, "a", events)
    with logstash(*script) as receiver:
        shipper = quick(tmp_path, receiver.place(), limits=Limits(lines=25))
        shipper.run()
        assert shipper.problem is None
        receiver.released.set()
        check(receiver, tmp_path, events)
    bodies = [request.body for request in receiver.requests]
    assert len(bodies) == 3 + len(script)
    # Nothing else is sent before the batch in hand is acknowledged.
    assert bodies[: len(script) + 1] == [b"".join(events[:25])] * (len(script) + 1)
    copies = receiver.copies()
    fault_row(
        f"Logstash's http input: {', '.join(map(str, script))}",
        accepted=60,
        delivered=len(copies),
        duplicates=sum(len(lines) - 1 for lines in copies.values()),
    )


def test_an_answer_that_comes_too_late_does_no_harm(tmp_path: pathlib.Path) -> None:
    """Logstash may index what the client has given up on: both copies are the same bytes."""
    events = spools.lines("a", 10)
    spools.spool(tmp_path, "a", events)
    with logstash("hang") as receiver:
        quick(tmp_path, receiver.place()).run()
        receiver.released.set()
        while len(receiver.lines) < 20:
            time.sleep(0.005)
        check(receiver, tmp_path, events)
        assert len(receiver.lines) == 20


def test_retry_after_is_waited_for(tmp_path: pathlib.Path) -> None:
    """The destination's own wish counts, and is at hand where the wait happens."""
    spools.spool(tmp_path, "a", spools.lines("a", 3))
    with logstash(429, 429, headers={"Retry-After": "7"}) as receiver:
        shipper = quick(tmp_path, receiver.place())
        wishes: list[float | None] = []

        class Noted(Pace):
            def failed(self, problem: Any, who: str = "") -> bool:
                wishes.append(problem.retry_after)
                return True

        shipper.pace = Noted(shipper.stop)
        shipper.run()
        assert len(receiver.lines) == 3
    assert wishes == [7.0, 7.0]


def test_too_large_a_batch_is_split(tmp_path: pathlib.Path) -> None:
    """413 halves a batch until it fits; one line that never fits is a dead letter, kept with the reason."""
    events = spools.lines("a", 30)
    huge = spools.line("huge", message="x" * 5000)
    events.insert(11, huge)
    spools.spool(tmp_path, "a", events)
    with logstash(limit=3000) as receiver:
        shipper = quick(tmp_path, receiver.place())
        shipper.run()
        assert sorted(receiver.lines) == sorted(event.rstrip(b"\n") for event in events if event is not huge)
    assert (shipper.counts.delivered, shipper.counts.dead) == (30, 1)
    (letters,) = (tmp_path / "_dead").glob("*/*.ndjson")
    assert letters.read_bytes().count(b"\n") == 1
    assert b"413" in letters.read_bytes()
    assert status(tmp_path).dead == 1


def test_nothing_is_there(tmp_path: pathlib.Path) -> None:
    """A closed port takes nothing: all stays spooled, with the reason, and arrives when somebody listens."""
    events = spools.lines("a", 10)
    spools.spool(tmp_path, "a", events)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    shipper = quick(tmp_path, f"logstash+http://127.0.0.1:{port}", give_up=0.1)
    shipper.run()
    assert "can't be reached" in str(shipper.problem)
    found = status(tmp_path)
    assert (found.delivered, found.pending_lines, found.failing) == (0, 10, True)
    assert f"127.0.0.1:{port}" in str(found.last_error)
    with logstash(port=port) as receiver:
        quick(tmp_path, receiver.place()).run()
        check(receiver, tmp_path, events)
    assert not status(tmp_path).failing


@pytest.mark.parametrize(
    ("answer", "words"), [(401, "password or key is wrong"), (403, "no right"), (404, "nothing answers"), (302, "302")]
)
def test_what_needs_a_human_is_given_up_at_once(tmp_path: pathlib.Path, answer: int, words: str) -> None:
    """A wrong password isn't tried for a minute; nothing is lost and nothing is a dead letter."""
    spools.spool(tmp_path, "a", spools.lines("a", 10))
    with logstash(always=answer, headers={"Location": "http://elsewhere.example/"}) as receiver:
        shipper = quick(tmp_path, receiver.place(), give_up=60.0)
        shipper.run()
        assert len(receiver.requests) == 1
        check_answer = open_destination(receiver.place()).check()
    assert words in str(shipper.problem)
    assert not check_answer.reachable
    assert words in check_answer.message
    assert (status(tmp_path).pending_lines, status(tmp_path).dead) == (10, 0)


@pytest.mark.parametrize(
    ("code", "words"), [(201, "only 200"), (202, "only 200"), (204, "only 200"), (200, "web page")]
)
def test_what_is_not_logstashs_answer_counts_for_nothing(tmp_path: pathlib.Path, code: int, words: str) -> None:
    """Other codes of success, and a page that a gateway shows in its place: all waits, and it is said what is wrong."""

    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b"" if code == 204 else b"\n<!doctype html><title>Back soon</title>"
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    spools.spool(tmp_path, "a", spools.lines("a", 10))
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        place = f"logstash+http://127.0.0.1:{server.server_port}"
        shipper = quick(tmp_path, place, give_up=60.0)
        shipper.run()
        found = open_destination(place).check()
        server.shutdown()
        thread.join()
    assert words in str(shipper.problem)
    assert (found.reachable, words in found.message) == (False, True)
    assert (status(tmp_path).delivered, status(tmp_path).pending_lines, status(tmp_path).dead) == (0, 10, 0)
    with logstash(port=server.server_port) as receiver:
        quick(tmp_path, receiver.place()).run()
        check(receiver, tmp_path, spools.lines("a", 10))


def test_a_server_that_is_restarted_under_load(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """Killed between requests and started again on its port, nothing is lost and each id is one line."""
    events = spools.lines("a", 400)
    spools.spool(tmp_path, "a", events)
    killed: list[receivers.Receiver] = []
    port = 0
    thread: threading.Thread | None = None
    shipper: Shipper | None = None
    for _ in range(4):
        with logstash(port=port) as receiver:
            port = receiver.port
            if thread is None:
                shipper = quick(tmp_path, receiver.place(), give_up=60.0, limits=Limits(lines=7))
                thread = threading.Thread(target=shipper.run)
                thread.start()
            before = len(receiver.requests)
            while len(receiver.requests) < before + 8 and thread.is_alive():
                thread.join(0.001)
        killed.append(receiver)
    with logstash(port=port) as receiver:
        assert thread is not None
        thread.join()
    for former in killed:
        receiver.lines += former.lines
    check(receiver, tmp_path, events)
    fault_row(
        "a server is ended and started again under load", repetitions=4, accepted=400, delivered=len(receiver.copies())
    )


def test_check_sends_no_event(tmp_path: pathlib.Path) -> None:
    """A look whether it answers is an empty request, of which Logstash makes nothing."""
    with logstash() as receiver:
        assert open_destination(receiver.place()).check().reachable
        assert [(request.method, request.body) for request in receiver.requests] == [("GET", b"")]
        receiver.always = 429
        found = open_destination(receiver.place()).check()
        assert found.reachable
        assert "back-pressure" in found.message
    assert not open_destination(receiver.place()).check().reachable


def test_credentials_are_sent_and_never_shown(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Basic authentication from the place, percent-decoded; a server that echoes it doesn't bring it into an error."""
    spools.spool(tmp_path, "a", spools.lines("a", 3))
    with logstash() as receiver:
        quick(tmp_path, receiver.place("ann:p%40ss%2Fw%C3%B6rd@")).run()
        (request,) = receiver.requests
    assert request.headers["authorization"] == "Basic YW5uOnBAc3Mvd8O2cmQ="
    for path in tmp_path.rglob("*"):
        assert b"p@ss" not in (path.read_bytes() if path.is_file() else b"")
        assert "ann" not in path.name


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(server)
    return server


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_tls_with_an_authority_of_ones_own(
    tmp_path: pathlib.Path, authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLLOG_CA_CERTS names what to trust."""
    events = spools.lines("a", 10)
    spools.spool(tmp_path, "a", events)
    monkeypatch.setenv("MLLOG_CA_CERTS", ca_file)
    with logstash(context=context(authority.issue_cert("127.0.0.1"))) as receiver:
        quick(tmp_path, receiver.place(), seconds=5.0).run()
        check(receiver, tmp_path, events)


@pytest.mark.parametrize(
    ("names", "trusted", "words"),
    [(("127.0.0.1",), False, "unable to get local issuer"), (("other.example",), True, "127.0.0.1")],
)
def test_a_certificate_that_does_not_fit_is_refused(
    tmp_path: pathlib.Path,
    authority: trustme.CA,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    names: tuple[str, ...],
    trusted: bool,
    words: str,
) -> None:
    """An authority that isn't trusted and a certificate of another host both end it, before anything is sent."""
    spools.spool(tmp_path, "a", spools.lines("a", 10))
    if trusted:
        monkeypatch.setenv("MLLOG_CA_CERTS", ca_file)
    with logstash(context=context(authority.issue_cert(*names))) as receiver:
        shipper = quick(tmp_path, receiver.place("ann:secret@"), give_up=60.0, seconds=5.0)
        shipper.run()
        assert receiver.requests == []
    assert "certificate is refused" in str(shipper.problem)
    assert words in str(shipper.problem)
    assert "MLLOG_CA_CERTS" in str(shipper.problem)
    assert status(tmp_path).pending_lines == 10


def test_a_certificate_of_ones_own(
    tmp_path: pathlib.Path, authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that asks for a certificate gets the one that MLLOG_CLIENT_CERT names, and takes nothing without."""
    spools.spool(tmp_path, "a", spools.lines("a", 10))
    monkeypatch.setenv("MLLOG_CA_CERTS", ca_file)
    server = context(authority.issue_cert("127.0.0.1"))
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    own = authority.issue_cert("model@example.com")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    with logstash(context=server) as receiver:
        without = quick(tmp_path, receiver.place(), give_up=0.1, seconds=5.0)
        without.run()
        assert without.problem is not None
        assert receiver.lines == []
        monkeypatch.setenv("MLLOG_CLIENT_CERT", str(tmp_path / "own.pem"))
        quick(tmp_path, receiver.place(), seconds=5.0).run()
        assert len(receiver.lines) == 10


def test_plain_http_where_tls_is_spoken_and_the_other_way_round(
    tmp_path: pathlib.Path, authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong scheme is said, and nothing counts as delivered."""
    spools.spool(tmp_path, "a", spools.lines("a", 10))
    monkeypatch.setenv("MLLOG_CA_CERTS", ca_file)
    with logstash() as receiver:
        shipper = quick(tmp_path, receiver.place().replace("http", "https"), give_up=60.0, seconds=5.0)
        shipper.run()
        assert "no TLS" in str(shipper.problem)
    with logstash(context=context(authority.issue_cert("127.0.0.1"))) as receiver:
        shipper = quick(tmp_path, receiver.place().replace("https", "http"), give_up=0.1)
        shipper.run()
        assert shipper.problem is not None
    assert [found.delivered for found in inspect(tmp_path)] == [0, 0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("MLLOG_CA_CERTS", "/no/such/file"), ("MLLOG_CLIENT_CERT", "/no/such/file"), ("MLLOG_TIMEOUT", "3"),
     ("MLLOG_TIMEOUT", "soon"), ("MLLOG_CLIENT_KEY", "key.pem")],
)  # fmt: skip
def test_wrong_settings_are_named_before_anything_is_sent(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that isn't there, or a time in which Logstash can't say 429, is refused when it is opened."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=name):
        open_destination("logstash+https://host:8080")


def test_tcp_takes_lines_and_acknowledges_nothing(tmp_path: pathlib.Path) -> None:
    """What was written arrives while all is well."""
    events = spools.lines("a", 500)
    spools.spool(tmp_path, "a", events)
    with tcp() as receiver:
        place = f"logstash+tcp://127.0.0.1:{receiver.port}"
        shipper = quick(tmp_path, place, limits=Limits(lines=100), seconds=5.0)
        assert shipper.destination.check().reachable
        assert not shipper.destination.acknowledges
        shipper.run()
        while len(receiver.lines) < 500:
            time.sleep(0.005)
        check(receiver, tmp_path, events)
    assert not open_destination(place).check().reachable


def test_tcp_that_hangs_up_is_connected_again(tmp_path: pathlib.Path) -> None:
    """A closed connection is seen before the next batch, which then goes over a new one."""
    events = spools.lines("a", 50)
    spools.spool(tmp_path, "a", events)
    with tcp(hang_up_after=1) as receiver:
        shipper = quick(tmp_path, f"logstash+tcp://127.0.0.1:{receiver.port}", limits=Limits(lines=1), seconds=5.0)
        shipper.run()
        while not receiver.lines or b'"a-49"' not in receiver.lines[-1]:
            time.sleep(0.005)
        # Nothing says which lines the first connection took with it, only that all were written.
        assert shipper.counts.delivered == 50
        assert len(set(receiver.ids())) == len(receiver.ids()) >= 40
