"""The shipper before a queue that is killed, full or closed to it: accepted = delivered + spooled, no line lost.

What else an input may answer stands in tests/delivery/test_shipping_logstash.py.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import pipelines, spools
from support.elasticsearch import free_port
from support.logstash import Logstash
from support.receivers import logstash

from mllog.shipping import Shipper, inspect, open_destination
from mllog.shipping.courier import Limits
from mllog.shipping.pace import Pace

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

    from mllog.shipping import ShipStatus

QUEUE = """
import gzip, os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
queue = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
class Input(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for k, line in enumerate(body.splitlines(keepends=True)):
            os.write(queue, line)
            if k % 10 == 9:
                time.sleep(0.0005)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Input).serve_forever()
"""
"""As Logstash does it: line by line into a file, and 200 when the last is there."""


def quick(folder: pathlib.Path, place: str, *, seconds: float = 0.3, **options: Any) -> Shipper:
    destination = open_destination(place)
    destination.hurry(seconds)
    shipper = Shipper(folder, destination, give_up=60.0, **options)
    shipper.pace = Pace(shipper.stop, first=0.005, longest=0.02, give_up=60.0)
    return shipper


def status(folder: pathlib.Path) -> ShipStatus:
    (found,) = inspect(folder)
    return found


def once(lines: list[bytes], events: list[bytes]) -> int:
    """Every event is there, its copies are the same bytes, and through the pipelines it is one document; the copies."""
    assert sorted(set(lines)) == sorted(events)
    ours = Logstash(pipelines.read(pipelines.texts()))
    writes = ours.http(b"".join(lines))
    assert len({(write.index, write.id) for write in writes}) == len(events)
    assert {write.action for write in writes} == {"create"}
    return len(lines) - len(events)


def test_a_queue_that_is_killed_under_load(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """kill -9 in the middle of requests leaves a part of them in the queue, and all of them come again."""
    draw = random.Random(5)
    events = spools.lines("a", 3000)
    spools.spool(tmp_path / "spool", "a", events)
    queue = tmp_path / "queue"
    queue.touch()
    port = free_port()
    shipper = quick(tmp_path / "spool", f"logstash+http://127.0.0.1:{port}", seconds=5.0, limits=Limits(lines=250))
    thread = threading.Thread(target=shipper.run)
    kills = 0
    while thread.ident is None or thread.is_alive():
        process = subprocess.Popen([sys.executable, "-c", QUEUE, str(port), str(queue)])
        try:
            if thread.ident is None:
                thread.start()
            # In the middle of a request, of the first or of a later one.
            wanted = queue.read_bytes().count(b"\n") + draw.randrange(60, 500) if kills < 8 else 10**9
            end = time.monotonic() + 60
            while thread.is_alive() and queue.read_bytes().count(b"\n") < wanted:
                assert time.monotonic() < end
                time.sleep(0.001)
        finally:
            process.kill()
            process.wait()
        kills += thread.is_alive()
    lines = queue.read_bytes().splitlines(keepends=True)
    assert shipper.problem is None
    duplicates = once(lines, events)
    assert kills >= 5
    assert duplicates > 0
    found = status(tmp_path / "spool")
    assert (found.delivered, found.dead, found.corrupt, found.pending_lines) == (3000, 0, 0, 0)
    fault_row("kill -9 of a queue in the middle of requests", repetitions=kills, accepted=3000,
              delivered=len(set(lines)), duplicates=0)  # fmt: skip


def test_a_queue_that_is_full_and_empties(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """Logstash first keeps requests waiting, then says 429 at once, and takes later what its client had given up."""
    events = spools.lines("a", 200)
    spools.spool(tmp_path, "a", events)
    with logstash("hang", "hang", *[429] * 6, "hang", "lost") as receiver:
        shipper = quick(tmp_path, receiver.place(), limits=Limits(lines=50))
        shipper.run()
        assert shipper.problem is None
        receiver.released.set()
        end = time.monotonic() + 20
        while len(receiver.lines) < 400 and time.monotonic() < end:
            time.sleep(0.005)
        lines = [one + b"\n" for one in receiver.lines]
    assert once(lines, events) == 200  # the first batch once more by each request that hung, and by the lost answer
    found = status(tmp_path)
    assert (found.delivered, found.dead, found.pending_lines) == (200, 0, 0)
    fault_row("a queue that is full: requests that hang, then 429", accepted=200, delivered=len(set(lines)), duplicates=0)


@pytest.mark.parametrize("refusal", [401, 403])
def test_a_password_that_is_changed_loses_nothing(tmp_path: pathlib.Path, refusal: int) -> None:
    """Accepted = delivered + spooled, while it is wrong and when it is right again."""
    events = spools.lines("a", 90)
    spools.spool(tmp_path, "a", events)
    with logstash("ok", always=refusal) as receiver:
        quick(tmp_path, receiver.place("ann:old@"), limits=Limits(lines=30)).run()
        found = status(tmp_path)
        assert (found.delivered, found.pending_lines, found.dead) == (30, 60, 0)
        receiver.always = "ok"
        quick(tmp_path, receiver.place("ann:new@"), limits=Limits(lines=30)).run()
        assert once([one + b"\n" for one in receiver.lines], events) == 0
    found = status(tmp_path)
    assert (found.delivered, found.pending_lines, found.dead) == (90, 0, 0)


def test_a_line_that_the_input_never_takes_keeps_no_other(tmp_path: pathlib.Path) -> None:
    """413 of the input's `max_content_length`: delivered + dead = accepted, and the line is kept as it was."""
    events = spools.lines("a", 120)
    huge = spools.line("a-huge", message="x" * 20_000)
    spools.spool(tmp_path, "a", [*events[:70], huge, *events[70:]])
    with logstash(limit=16_000) as receiver:
        quick(tmp_path, receiver.place()).run()
        assert once([one + b"\n" for one in receiver.lines], events) == 0
    found = status(tmp_path)
    assert (found.delivered, found.dead, found.pending_lines) == (120, 1, 0)
    (letters,) = (tmp_path / "_dead").glob("*/*.ndjson")
    assert b"413" in letters.read_bytes()
    assert b"x" * 20_000 in letters.read_bytes()
