"""A logger whose sink is a server: spooled first, shipped beside the model, adopted by the next process."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import textwrap
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import orjson
import pytest
import trustme
from support import processes, receivers, spools
from support.receivers import logstash

from mllog import ModelLogger
from mllog.delivery.locks import WRITER_LOCK, is_locked
from mllog.delivery.sinks import SpoolSink, open_sink
from mllog.errors import PlaceError, SettingError
from mllog.places import parse
from mllog.shipping import ShipStatus, inspect, ownership, registry
from mllog.shipping.destinations import open_destination
from mllog.shipping.segments import processes as folders
from mllog.shipping.shipper import Shipper

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

CODE = """
import logging
from mllog.delivery.sinks import open_sink
logging.getLogger("mllog").setLevel(logging.CRITICAL)
def shipping(**options):
    sink = open_sink(sys.argv[2], spool=sys.argv[1], **options)
    return make(sink=sink, flush_interval=0.01)
"""


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("MLLOG_")]:
        monkeypatch.delenv(name)


def script(code: str) -> str:
    return CODE + textwrap.dedent(code)


def numbers(lines: list[bytes]) -> list[int]:
    """The caller's own numbers, of predictions that arrived, each id once."""
    events = {event["event"]["id"]: event for event in map(orjson.loads, lines)}
    return sorted(int(event["ml"]["inputs"]["number"]["k"]) for event in events.values() if "inputs" in event["ml"])


def ids(lines: list[bytes]) -> set[str]:
    return {orjson.loads(line)["event"]["id"] for line in lines}


def status(folder: pathlib.Path) -> ShipStatus:
    (found,) = inspect(folder)
    return found


def check(receiver: receivers.Receiver, expected: list[int]) -> None:
    assert numbers(receiver.lines) == expected
    assert all(len(lines) == 1 for lines in receiver.copies().values())


def row(fault_row: Callable[..., None], fault: str, receiver: receivers.Receiver, **counts: int) -> None:
    """A row of what arrived; accepted is what the numbers of the events say, where the test doesn't know better."""
    arrived = set(receiver.ids())
    if "accepted" not in counts:
        sequences = processes.sequences(map(orjson.loads, receiver.lines))
        counts["accepted"] = sum(given[-1] for given in sequences.values()) + counts.get("spooled", 0)
    # The same bytes under the same id are one event to who reads them.
    doubled = sum(len(lines) - 1 for lines in receiver.copies().values())
    fault_row(fault, delivered=len(arrived), duplicates=doubled, **counts)


def test_what_is_logged_arrives_and_leaves_nothing_behind(tmp_path: pathlib.Path) -> None:
    """Closing delivers what is left; segments, checkpoints and the process's folder are gone then, and counted."""
    with logstash() as receiver:
        processes.run(
            tmp_path / "spool",
            script("log = shipping()\nfor k in range(500): log.prediction({'k': k})\nlog.close()"),
            receiver.place("ann:secret@"),
        )
        check(receiver, list(range(500)))
        assert receiver.requests[0].headers["authorization"].startswith("Basic ")
    assert folders(tmp_path / "spool") == []
    assert status(tmp_path / "spool").delivered == len(receiver.lines)
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_end_of_a_process_delivers_too(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """Nobody has to call close(), and a script may be over before anything was shipped."""
    with logstash() as receiver:
        processes.run(tmp_path / "spool", script("log = shipping()\nlog.prediction({'k': 1})"), receiver.place())
        check(receiver, [1])
    row(fault_row, "a process that ships ends, before anything was shipped", receiver)


def test_a_server_that_never_answers_keeps_nobody(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """Calls go on, close() ends within its bound, everything stays spooled, and the next process brings it."""
    with logstash(always="silent") as receiver:
        out = processes.run(
            tmp_path / "spool",
            script("""
            log = shipping()
            for k in range(2000): log.prediction({"k": k})
            sink = log._engine._writer._sink
            log.flush()
            sink.close(timeout=0.5)
            status = log.status()
            print(status.accepted == status.written, status.dropped, status.sink_errors)
            os._exit(0)
            """),
            receiver.place(),
        )
        assert out == "True 0 0\n"
        found = status(tmp_path / "spool")
        spooled = ids(spools.read(tmp_path / "spool"))
        assert (found.delivered, found.pending_lines) == (0, len(spooled))
        receiver.lines.clear()
        receiver.always = "ok"
        processes.run(tmp_path / "spool", script("log = shipping()\nlog.close()"), receiver.place())
        check(receiver, list(range(2000)))
    assert folders(tmp_path / "spool") == []
    fault_row(
        "a server that takes requests and never answers",
        accepted=len(spooled),
        delivered=len(spooled & set(receiver.ids())),
        duplicates=sum(len(lines) - 1 for lines in receiver.copies().values()),
    )


def test_a_process_that_is_killed_is_adopted(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """What a dead sibling left is shipped by whoever lives, half a line of it excepted and counted."""
    with logstash(always=503) as receiver:
        processes.run(
            tmp_path / "spool",
            script("""
            log = shipping()
            for k in range(300): log.prediction({"k": k})
            log.flush()
            os.kill(os.getpid(), signal.SIGKILL)
            """),
            receiver.place(),
            returncode=-signal.SIGKILL,
        )
        (dead,) = folders(tmp_path / "spool")
        spooled = len(spools.read(tmp_path / "spool"))
        with (tmp_path / "spool" / dead / "00000001.ndjson").open("ab") as file:
            file.write(b'{"event":{"id":"ha')
        receiver.always = "ok"
        processes.run(tmp_path / "spool", script("log = shipping()\nlog.close()"), receiver.place())
        check(receiver, list(range(300)))
    assert folders(tmp_path / "spool") == []
    assert status(tmp_path / "spool").corrupt == 1
    # The second process has nothing of its own but its announcement.
    row(fault_row, "kill -9 of a process that ships, while the server refuses", receiver, accepted=spooled + 1)


@pytest.mark.parametrize("tls", [False, True])
def test_forked_workers_ship_their_own(tmp_path: pathlib.Path, fault_row: Callable[..., None], *, tls: bool) -> None:
    """Children have threads, connections and folders of their own; no event is lost and none comes twice."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
    if context is not None:
        authority.issue_cert("127.0.0.1").configure_cert(context)
    with logstash(context=context) as receiver:
        processes.run(
            tmp_path / "spool",
            script("""
            import threading, warnings
            warnings.simplefilter("ignore", DeprecationWarning)
            os.environ["MLLOG_CA_CERTS"] = sys.argv[3]
            log = shipping()
            for k in range(100): log.prediction({"k": k})
            while log._engine._writer._sink._background is None: time.sleep(0.001)
            time.sleep(0.3)
            children = []
            for child in range(1, 5):
                pid = os.fork()
                if not pid:
                    names = [thread.name for thread in threading.enumerate()]
                    assert names == ["MainThread"], names
                    sockets = [fd for fd in os.listdir("/proc/self/fd") if "socket" in (os.readlink(f"/proc/self/fd/{fd}") if os.path.lexists(f"/proc/self/fd/{fd}") else "")]
                    assert not sockets, sockets
                    def work(part):
                        for k in range(50): log.prediction({"k": 1000 * child + 50 * part + k})
                    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
                    for thread in threads: thread.start()
                    for thread in threads: thread.join()
                    sys.exit()
                children.append(pid)
            for k in range(100, 200): log.prediction({"k": k})
            for pid in children: assert os.waitpid(pid, 0)[1] == 0
            log.close()
            """),
            receiver.place(),
            tmp_path / "ca.pem",
        )
        expected = [*range(200), *(1000 * child + k for child in range(1, 5) for k in range(200))]
        check(receiver, expected)
        assert len(receiver.ids()) == len(set(receiver.ids()))
        # A folder without events may outlive its process, where two looked at it at once: the next one clears it away.
        assert status(tmp_path / "spool").pending_lines == 0
    assert status(tmp_path / "spool").delivered == len(receiver.lines)
    fault_row(
        f"fork of a process that ships{' over TLS' if tls else ''}",
        accepted=len(receiver.lines),
        delivered=len(set(receiver.ids())),
    )


def test_sigterm_delivers_what_is_there(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """A service that is stopped leaves nothing to the next one where the server answers."""
    with logstash() as receiver:
        process = processes.start(
            tmp_path / "spool",
            script("""
            log = shipping()
            for k in range(100): log.prediction({"k": k})
            print("ready", flush=True)
            while True: time.sleep(0.01)
            """),
            receiver.place(),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (-signal.SIGTERM, "")
        check(receiver, list(range(100)))
    assert folders(tmp_path / "spool") == []
    row(fault_row, "SIGTERM to a process that ships", receiver)


def test_the_bound_of_the_spool_holds(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """While nothing can be delivered the folder grows to its bound and no further; drops are counted; then all arrives."""
    with logstash(always=503) as receiver:
        out = processes.run(
            tmp_path / "spool",
            script("""
            sink = open_sink(sys.argv[2], spool=sys.argv[1], spool_bytes=400_000)
            log = make(sink=sink, flush_interval=0.001, max_bytes=100_000)
            import pathlib
            def size(): return sum(path.stat().st_size for path in pathlib.Path(sys.argv[1]).rglob("*.ndjson"))
            most = 0
            k = 0
            while log.status().dropped < 500 or log.status().sink_errors < 5:
                log.prediction({"k": k}); k += 1
                if k % 100 == 0: most = max(most, size())
            log.close()
            status = log.status()
            print(most, max(most, size()), status.accepted, status.written, status.dropped, "bound" in status.last_error)
            """),
            receiver.place(),
        )
        _, most, accepted, written, dropped, *said = out.split()
        assert int(most) <= 400_000
        assert int(accepted) == int(written) + int(dropped)
        assert said == ["True"]
        spooled = ids(spools.read(tmp_path / "spool"))
        assert len(spooled) == int(written)
        receiver.always = "ok"
        receiver.lines.clear()
        # A process looks for others' folders now and then, and takes so many batches of one at a time.
        processes.run(
            tmp_path / "spool",
            script("""
            from mllog.shipping.segments import processes
            log = shipping()
            log.flush()
            while len(processes(log._engine._writer._sink.folder)) > 1: time.sleep(0.01)
            log.close()
            """),
            receiver.place(),
        )
    assert folders(tmp_path / "spool") == []
    assert status(tmp_path / "spool").delivered == len(set(receiver.ids()))
    # What the server has says so itself, to the last one that was dropped at the end.
    events = {event["event"]["id"]: event["ml"].get("metric", {}) for event in map(orjson.loads, receiver.lines)}
    assert sum(m["value"] for m in events.values() if m.get("name") == "mllog.dropped") == int(dropped)
    fault_row(
        "the bound of the spool is reached while the server refuses",
        accepted=int(accepted),
        delivered=len(spooled & set(receiver.ids())),
        dropped=int(dropped),
    )


def test_what_was_delivered_makes_room(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """A spool of a small bound takes any number of events as long as they can be delivered."""
    with logstash() as receiver:
        out = processes.run(
            tmp_path / "spool",
            script("""
            sink = open_sink(sys.argv[2], spool=sys.argv[1], spool_bytes=300_000)
            log = make(sink=sink, flush_interval=0.01, max_bytes=50_000, overflow="block")
            for k in range(4000): log.prediction({"k": k})
            while not log.flush(): time.sleep(0.01)
            log.close()
            print(log.status().dropped)
            """),
            receiver.place(),
        )
        assert out == "0\n"
        check(receiver, list(range(4000)))
    row(fault_row, "more events than the bound of the spool holds, the server answers", receiver)


def test_an_outage_is_told_once(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """One warning when it begins, and nothing into the model's calls."""
    with logstash(always=503) as receiver:
        process = processes.start(
            tmp_path / "spool",
            script("""
            logging.getLogger("mllog").setLevel(logging.WARNING)
            log = shipping()
            for k in range(10):
                log.prediction({"k": k}); time.sleep(0.05)
            time.sleep(1.5)
            os._exit(0)
            """),
            receiver.place(),
        )
        _, err = process.communicate(timeout=60)
    assert len(receiver.requests) >= 2
    assert err.count("events can't be shipped") == 1
    assert status(tmp_path / "spool").failing
    spooled = ids(spools.read(tmp_path / "spool"))
    row(fault_row, "a server that answers 503, `os._exit` in the outage", receiver, spooled=len(spooled))


def test_a_spool_belongs_to_one_destination(tmp_path: pathlib.Path) -> None:
    """A logger with another destination on it is refused, both named; the same one is welcome, whoever the user is."""
    spool = tmp_path / "spool"
    ownership.claim(spool, "logstash+http://a.example:8080")
    for place in ("logstash+http://b.example:8080", "elasticsearch+http://a.example:8080", spool):
        with pytest.raises(PlaceError) as caught:
            open_sink(place, spool=None if place is spool else spool)
        assert "logstash+http://a.example:8080" in str(caught.value)
        assert "b.example" in str(caught.value) or "elasticsearch" in str(caught.value) or "keep" in str(caught.value)
    assert isinstance(open_sink("logstash+http://ann:secret@A.example:8080/", spool=spool), SpoolSink)


def test_a_place_that_took_nothing_costs_a_logger_no_event(
    tmp_path: pathlib.Path, fault_row: Callable[..., None]
) -> None:
    """One that somebody once named by mistake is on the list of the spool: nothing is kept there for it."""
    with logstash() as receiver:
        code = """
        log = shipping(spool_bytes=400_000)
        for k in range(int(sys.argv[3])):
            log.prediction({"k": k, "text": "x" * 300})
            if k % 100 == 99: log.flush()
        log.close()
        print(log.status().dropped)
        """
        assert processes.run(tmp_path / "spool", script(code), receiver.place(), 10) == "0\n"
        # As a version before did it.
        registry.register(tmp_path / "spool", open_destination("logstash+http://localhost:9"))
        assert processes.run(tmp_path / "spool", script(code), receiver.place(), 2000) == "0\n"
        assert numbers(receiver.lines) == sorted([*range(10), *range(2000)])
    assert folders(tmp_path / "spool") == []
    row(fault_row, "a second place is on the list of a logger's spool, and takes nothing", receiver)


def test_the_bound_of_a_spool_is_written_down(tmp_path: pathlib.Path) -> None:
    """The last logger's counts, from its first event on; where it isn't there, or is no number, nobody knows it."""
    spool = tmp_path / "spool"
    place = "logstash+http://127.0.0.1:9"
    for bound in (50_000, 60_000):
        sink = open_sink(place, spool=spool, spool_bytes=bound)
        assert isinstance(sink, SpoolSink)
        sink.start(str(bound))
        sink.write(spools.line("a"))
        sink.close(timeout=0.1)
        assert (ownership.owner(spool), ownership.bound(spool)) == (place, bound)
    ownership.claim(spool, place)
    assert ownership.bound(spool) == 60_000
    for content in (orjson.dumps({"destination": place}), b'{"spool_bytes": "x"}', b'{"spool_bytes": true}', b"[]"):
        (spool / ownership.FILE).write_bytes(content)
        assert ownership.bound(spool) is None


def test_a_folder_of_events_is_no_spool(tmp_path: pathlib.Path) -> None:
    """What somebody keeps would be deleted once delivered: refused, with the remedy."""
    spools.spool(tmp_path, "a", spools.lines("a", 1))
    with pytest.raises(PlaceError, match="mllog ship"):
        open_sink("logstash+http://host:8080", spool=tmp_path)


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"MLLOG_CA_CERTS": "/no/such/file"}, "logstash+https://host"),
        ({"MLLOG_API_KEY": "x"}, "elasticsearch+http://h"),
    ],
)
def test_wrong_credentials_are_said_when_the_logger_is_made(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], place: str
) -> None:
    """Not after the first event, where nobody would see it."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=next(iter(environment))):
        open_sink(place, spool=tmp_path)


def test_dead_letters_have_a_bound_too(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """What a server refuses for ever can't fill the disk: over a quarter of the bound it is counted, not kept."""
    with logstash(limit=10) as receiver:
        sink = SpoolSink(parse(receiver.place()), tmp_path / "spool", spool_bytes=40_000)
        sink.start("a")
        for event in spools.lines("a", 60):
            sink.write(event)
        sink.close(timeout=30)
    found = status(tmp_path / "spool")
    assert found.dead + found.lost == 60
    assert 0 < found.dead < 60
    letters = sum(path.stat().st_size for path in (tmp_path / "spool" / "_dead").rglob("*.ndjson"))
    assert letters <= 10_000
    row(
        fault_row,
        "a server that refuses every event for good, to the quota of dead letters (kept: spooled; lost: dropped)",
        receiver,
        accepted=60,
        spooled=found.dead,
        dropped=found.lost,
    )


def test_no_segment_is_more_than_a_quarter_of_the_bound(tmp_path: pathlib.Path) -> None:
    """What was delivered can be deleted once its segment is sealed, so segments are small beside a small bound."""
    with logstash(always=503) as receiver:
        sink = SpoolSink(parse(receiver.place()), tmp_path / "spool", spool_bytes=40_000)
        sink.start("a")
        events = spools.lines("a", 100)
        for event in events:
            sink.write(event)
        segments = sorted((tmp_path / "spool" / "a").glob("*.ndjson"))
        sizes = [path.stat().st_size for path in segments]
        sink.close(timeout=0.1)
    assert sum(sizes) == sum(map(len, events))
    assert len(sizes) > 2
    assert max(sizes) <= 10_000


@pytest.mark.parametrize("answer", ["ok", "silent"])
def test_an_interpreter_that_starts_no_threads_any_more(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """From Python 3.12 on no thread can be started at exit: close() ships by itself, and within its bound."""
    with logstash(always=answer) as receiver:
        sink = SpoolSink(parse(receiver.place()), tmp_path / "spool")
        sink.start("a")

        def refuse(_: object) -> None:
            raise RuntimeError("can't create new thread at interpreter shutdown")

        with monkeypatch.context() as patched:
            patched.setattr("mllog.shipping.background.threading.Thread.start", refuse)
            for event in spools.lines("a", 10):
                sink.write(event)
        sink.close(timeout=0.5)
        assert len(receiver.requests) == 1
    found = status(tmp_path / "spool")
    assert (found.delivered, found.pending_lines) == ((10, 0) if answer == "ok" else (0, 10))


def test_a_writer_never_waits_for_the_network(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """Writing while the server holds a request does what writing to a file does, and nothing else."""
    with logstash(always="hang") as receiver:
        sink = SpoolSink(parse(receiver.place()), tmp_path / "spool")
        sink.start("a")
        sink.write(spools.line("first"))
        while not receiver.requests:
            time.sleep(0.001)
        for event in spools.lines("a", 1000):
            sink.write(event)
        # The first request is still without an answer.
        assert len(receiver.requests) == 1
        assert not receiver.lines
        receiver.always = "ok"
        receiver.released.set()
        sink.close(timeout=30)
        assert sorted(set(receiver.ids())) == sorted(["first", *(f"a-{k}" for k in range(1000))])
    row(fault_row, "a server that holds the first request", receiver, accepted=1001)


def test_what_is_wrong_with_the_spools_own_files_is_told(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside a model nobody reads an exit code: a damaged registration is a warning of the log ``mllog``."""
    with logstash() as receiver:
        with ModelLogger("m", version="1", sink=receiver.place(), spool=tmp_path, resources=0) as log:
            log.prediction({"a": 1})
        (registered,) = (tmp_path / "_destinations").glob("*.json")
        registered.write_bytes(b"\0" * 20)
        with ModelLogger("m", version="1", sink=receiver.place(), spool=tmp_path, resources=0) as log:
            log.prediction({"a": 2})
    assert f"{registered} was damaged and is written anew" in caplog.text


@pytest.mark.parametrize("end", ["log.close()", "", "log.close(); log.prediction({'k': 100}); log.close()"])
def test_what_is_logged_behind_a_close_arrives_too(tmp_path: pathlib.Path, end: str) -> None:
    """The next close, or the end of the process, delivers it and clears up as the first one did; nothing counts twice."""
    with logstash() as receiver:
        out = processes.run(
            tmp_path / "spool",
            script(f"""
            import threading
            log = shipping()
            for k in range(50): log.prediction({{"k": k}})
            assert log.close()
            for k in range(50, 100): log.prediction({{"k": k}})
            {end}
            if {bool(end)}: assert not [t for t in threading.enumerate() if t.name == "mllog-shipper"]
            status = log.status()
            print(status.accepted - status.written, status.dropped)
            """),
            receiver.place(),
        )
        check(receiver, list(range(101 if "100" in end else 100)))
    assert out == "0 0\n"
    assert folders(tmp_path / "spool") == []
    assert status(tmp_path / "spool").delivered == len(receiver.lines)


def test_a_clock_that_goes_back_hides_no_failure(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came last says whether shipping fails, whatever the times beside it; a success behind that ends it."""
    with logstash() as receiver:
        spools.spool(tmp_path, "a", spools.lines("a", 5), closed=False)

        def ship() -> ShipStatus:
            Shipper(tmp_path, open_destination(receiver.place()), give_up=0.0).run()
            return status(tmp_path)

        assert not ship().failing
        now = time.time()
        monkeypatch.setattr(
            "mllog.shipping.courier.time", SimpleNamespace(time=lambda: now - 3600, monotonic=time.monotonic)
        )
        with (tmp_path / "a" / "00000001.ndjson").open("ab") as file:
            file.write(spools.line("late"))
        receiver.always = 401
        found = ship()
        assert found.failing
        assert found.pending_lines == 1
        assert found.last_error_at is not None
        assert found.last_success is not None
        assert found.last_error_at < found.last_success
        receiver.always = "ok"
        monkeypatch.setattr(
            "mllog.shipping.courier.time", SimpleNamespace(time=lambda: now - 7200, monotonic=time.monotonic)
        )
        assert not ship().failing


@pytest.mark.parametrize("what", ["all", "process", "made again", "replaced"])
def test_a_destination_that_is_removed_is_made_again(tmp_path: pathlib.Path, what: str) -> None:
    """A second folder that goes while it is shipped to takes what comes then, locked as before; what went stays gone."""
    spool, to = tmp_path / "spool", tmp_path / "to"
    events = spools.lines("a", 20)
    writer = spools.spool(spool, "a", events[:10], closed=False)
    shipper = Shipper(spool, open_destination(f"file:{to}"), give_up=0.0)
    shipper.round()
    assert spools.read(to) == events[:10]
    shutil.rmtree(to / "a" if what == "process" else to)
    if what == "made again":
        to.mkdir()
    elif what == "replaced":
        (to / "a").mkdir(parents=True)
    for event in events[10:]:
        writer.write(event)
    shipper.round()
    assert shipper.problem is None
    assert spools.read(to) == events[10:]
    assert is_locked(to / "a" / WRITER_LOCK)
    shipper.close()
    writer.close()
