"""What an answer to ``_bulk`` says of each event counts, and nothing else in it; from a server on a real socket."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from support import processes, spools
from support.scripted import scripted

from mllog.shipping import Shipper, inspect, open_destination
from mllog.shipping.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Index(ThreadingHTTPServer):
    """A server that takes events by their ids, and lies about it in its first answers.

    Attributes:
        lies: What is answered to the first ``_bulk`` requests, which take nothing, by the number of their events.
        ids: What was created.
        asked: How many ids were looked up.
    """

    daemon_threads = True

    def __init__(self, lies: list[Callable[[int], Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lies = lies
        self.ids: list[str] = []
        self.asked = 0
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        return f"elasticsearch+http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: Any) -> None:
        pass

    def answer(self, path: str, body: bytes) -> Any:
        with self._lock:
            return self._answer(path, body)

    def _answer(self, path: str, body: bytes) -> Any:
        if "_refresh" in path:
            return {"_shards": {"failed": 0}}
        if "_search" in path:
            wanted = json.loads(body)["query"]["ids"]["values"]
            self.asked += len(wanted)
            return {"hits": {"hits": [{"_id": identity} for identity in wanted if identity in self.ids]}}
        ids = [json.loads(line)["create"]["_id"] for line in body.splitlines()[::2]]
        lie = self.lies.pop(0) if self.lies else self.truth
        return self.truth(ids) if lie == self.truth else lie(len(ids))

    def truth(self, ids: Any) -> Any:
        """Take events."""
        found = [409 if identity in self.ids else 201 for identity in ids]
        self.ids += ids
        return {"errors": 409 in found, "items": [{"create": {"status": status}} for status in found]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Index

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        data = json.dumps(self.server.answer(self.path, body)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def index(*lies: Callable[[int], Any]) -> Iterator[Index]:
    with Index(list(lies)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_server_before_8_13_makes_no_dead_letters(tmp_path: Path) -> None:
    """It knows no require_data_stream, which is no event's fault."""
    reason = "request [/_bulk] contains unrecognized parameter: [require_data_stream]"
    spools.spool(tmp_path, "a", spools.lines("a", 3))
    answer = {"error": {"type": "illegal_argument_exception", "reason": reason}, "status": 400}
    with scripted(lambda _: (400, answer)) as server:
        shipper = Shipper(tmp_path, open_destination(server.place("elasticsearch+http")), give_up=0.0)
        shipper.run()
    assert "unrecognized parameter" in str(shipper.problem)
    (status,) = inspect(tmp_path)
    assert (status.dead, status.pending_lines) == (0, 3)


def items(count: int, status: int = 201) -> list[Any]:
    error = {} if status < 300 else {"error": {"type": "es_rejected_execution_exception", "reason": "busy"}}
    return [{"create": {"status": status, **error}}] * count


@pytest.mark.parametrize(
    "lie",
    [
        lambda _: {"errors": False},
        lambda _: {"errors": False, "items": []},
        lambda _: {"errors": False, "items": items(1)},
        lambda n: {"errors": False, "items": items(n + 1)},
        lambda n: {"errors": False, "items": items(n, 429)},
        lambda n: {"errors": False, "items": [*items(n - 1), {}]},
        lambda n: {"errors": False, "items": [*items(n - 1), {"create": {"status": "201"}}]},
        lambda n: {"errors": False, "items": [*items(n - 1), {"create": {"status": True}}]},
        lambda n: {"items": items(n - 1)},
        lambda _: {"took": 3},
        lambda n: {"errors": "no", "items": {"create": n}},
    ],
)
def test_an_answer_that_does_not_say_of_each_event_that_it_is_there(tmp_path: Path, lie: Callable[[int], Any]) -> None:
    """What it says of them all is not believed: the events are sent again until each has an answer."""
    spools.spool(tmp_path, "a", spools.lines("a", 11))
    with index(lie, lie) as server:
        for _ in range(3):
            shipper = Shipper(tmp_path, open_destination(server.place), give_up=30.0)
            shipper.pace = Pace(shipper.stop, first=0.005, longest=0.01, give_up=30.0)
            shipper.run()
            # What can't be read at all needs a human, and ends a run at once.
            assert shipper.problem is None or "no answer to _bulk" in str(shipper.problem)
        assert server.lies == []
        assert server.ids == [f"a-{k}" for k in range(11)]
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead, status.pending_lines) == (11, 0, 0)


def test_an_answer_without_errors_is_read_by_its_items(tmp_path: Path) -> None:
    """Where it leaves out whether there are any, its items say it all the same."""
    spools.spool(tmp_path, "a", spools.lines("a", 11))
    mixed = [*items(5), *items(6, 429)]
    with index(lambda _: {"items": mixed}) as server:
        shipper = Shipper(tmp_path, open_destination(server.place), give_up=30.0)
        shipper.pace = Pace(shipper.stop, first=0.005, longest=0.01, give_up=30.0)
        shipper.run()
        assert server.ids == [f"a-{k}" for k in range(5, 11)]
    assert shipper.counts.delivered == 11


def test_a_server_that_goes_on_lying_gets_nothing_done(tmp_path: Path) -> None:
    """Patience ends, with the reason; nothing counts as delivered, and nothing becomes a dead letter."""
    spools.spool(tmp_path, "a", spools.lines("a", 11))
    with index(*[lambda _: {"errors": False, "items": items(10)}] * 100) as server:
        shipper = Shipper(tmp_path, open_destination(server.place), give_up=0.1)
        shipper.run()
    assert "said what became of 10 events, and was sent 11" in str(shipper.reason)
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead, status.pending_lines) == (0, 0, 11)


def test_a_shipper_that_was_killed_asks_for_a_few_batches(tmp_path: Path) -> None:
    """Behind what was on its way nothing can be there, so it doesn't ask for all that waits."""
    spools.spool(tmp_path, "a", [b"".join(spools.lines("a", 10_000))], segment_bytes=2**24)
    with index() as server:
        command = [sys.executable, "-m", "mllog.cli", "ship", str(tmp_path), "--to", server.place]
        process = subprocess.Popen(command, env=processes.environment())
        server.lies = [server.truth, server.truth, server.truth, lambda _: process.kill()]
        process.wait(60)
        assert 3000 <= len(server.ids) <= 4000
        assert server.asked == 0
        again = Shipper(tmp_path, open_destination(server.place), give_up=0.0)
        again.run()
        assert len(server.ids) == 10_000 == len(set(server.ids))
        assert 2000 <= server.asked <= 6000
        spools.spool(tmp_path, "b", spools.lines("b", 10))
        asked = server.asked
        Shipper(tmp_path, open_destination(server.place), give_up=0.0).run()
        assert (len(server.ids), server.asked) == (10_010, asked)
