"""What a process drops at its very end is said too: by an event beyond the bound, and by its last word."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from support import processes, spools
from support.mounts import own_mounts

from mllog.delivery.lastword import LastWord
from mllog.delivery.sinks import LAST_BYTES
from mllog.doctor.base import Subject
from mllog.doctor.checks import ledger
from mllog.doctor.reading import read

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

BOUND = 100_000
CODE = f"""
import logging
from mllog.delivery import sinks
sinks.STALL_SECONDS = 0.1
logging.getLogger("mllog").setLevel(logging.CRITICAL)
log = make(sink=sys.argv[2], spool=sys.argv[1], spool_bytes={BOUND}, max_bytes=50_000, flush_interval=0.01, resources=0)
k = 0
while log.status().dropped < 300 or log.status().sink_errors < 3:
    log.prediction({{"k": k}})
    k += 1
"""


def said(events: list[dict[str, Any]]) -> int:
    """What events say of how many were dropped."""
    metrics = [event["ml"]["metric"] for event in events if "metric" in event["ml"]]
    return sum(int(metric["value"]) for metric in metrics if metric["name"] == "mllog.dropped")


def word(folder: pathlib.Path) -> LastWord:
    """The last word of the one process in a folder."""
    (path,) = folder.glob("*/writer.lock")
    found = LastWord.read(path)
    assert found is not None
    return found


def doctor(folder: pathlib.Path) -> list[str]:
    """What the ledger's check says."""
    return [diagnosis.message for diagnosis in ledger.check.run(Subject((folder,), (), {}, time.time()))]


@pytest.mark.parametrize(
    ("end", "code", "returncode"),
    [
        ("`close()`", "log.close(timeout=2)", 0),
        ("the end of the interpreter", "", 0),
        ("SIGTERM", "signal.raise_signal(signal.SIGTERM)", -signal.SIGTERM),
        ("`close()`, twice", "log.close(timeout=2); log.prediction({'k': 0}); log.close(timeout=2)", 0),
    ],
    ids=["close", "exit", "sigterm", "behind"],
)
def test_a_full_spool_holds_the_count_of_what_it_did_not_take(
    tmp_path: pathlib.Path, fault_row: Callable[..., None], end: str, code: str, returncode: int
) -> None:
    """However the process ends: numbers, events and what these say of drops add up, and a receiver can tell it too."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        place = f"logstash+http://127.0.0.1:{closed.getsockname()[1]}"
        processes.run(tmp_path / "spool", CODE + code, place, returncode=returncode)
    events = [orjson.loads(line) for line in spools.read(tmp_path / "spool")]
    numbers = [event["ml"]["sequence"]["number"] for event in events]
    found = word(tmp_path / "spool")
    assert found.closed
    assert found.written == len(events) == len(set(numbers))
    assert found.dropped == said(events) > 300
    # The last number says it: so a store needs no file of ours to know that none is missing.
    assert max(numbers) == found.numbered == len(events) + said(events)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert size <= BOUND + LAST_BYTES
    sums, lost = doctor(tmp_path / "spool")
    assert sums.endswith("none is missing")
    assert f"{found.dropped} events dropped" in lost
    fault_row(
        f"a spool at its bound, nobody listens: {end}; *dropped* as the events say",
        accepted=found.numbered,
        spooled=len(events),
        dropped=said(events),
        duplicates=processes.duplicates(events),
    )


@pytest.mark.parametrize("room", [True, False])
def test_a_full_disk(tmp_path: pathlib.Path, fault_row: Callable[..., None], *, room: bool) -> None:
    """An event says how many were lost where it finds room; else a warning and the last word do, which needs none."""
    prefix = own_mounts()
    code = f"""
        import contextlib, pathlib, shutil, subprocess
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", sys.argv[1]], check=True)
        log = make(sink=sys.argv[1] + "/events", max_bytes=100_000, flush_interval=0.001, resources=0)
        log.prediction({{"k": 0}})
        log.flush()
        with open(sys.argv[1] + "/ballast", "wb", buffering=0) as file, contextlib.suppress(OSError):
            for _ in range({100 if room else 1000}): file.write(bytes(4096))
        while log.status().dropped < 1000 or log.status().sink_errors < 2:
            log.prediction({{"k": 1, "text": "x" * 300}})
        log.close()
        print(log.status().accepted, log.status().written, log.status().dropped)
        shutil.copytree(sys.argv[1] + "/events", sys.argv[2])
        """
    script = processes.PRELUDE + textwrap.dedent(code)
    (tmp_path / "disk").mkdir()
    done = subprocess.run(
        [*prefix, sys.executable, "-c", script, str(tmp_path / "disk"), str(tmp_path / "copy")],
        capture_output=True, text=True, timeout=processes.SECONDS, check=False, env=processes.environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    accepted, written, dropped = map(int, done.stdout.split())
    assert accepted == written + dropped
    found = word(tmp_path / "copy")
    assert (found.closed, found.written, found.dropped) == (True, written, dropped)
    events = processes.read(tmp_path / "copy")
    if room:
        assert said(events) == dropped
    else:
        assert (len(events), said(events)) == (2, 0)
        assert f"{dropped} events were lost, and no event could say so" in done.stderr
    sums, lost, *_ = doctor(tmp_path / "copy")
    assert sums.endswith("none is missing")
    assert f"{dropped} events dropped" in lost
    fault_row(
        f"a disk of 600 kB that is full to the end{'' if room else ', to its last byte'}; *dropped* as "
        + ("the events say" if room else "the last word says"),
        accepted=found.numbered,
        delivered=len(events),
        dropped=said(events) if room else found.dropped,
        duplicates=processes.duplicates(events),
    )


def test_only_an_orderly_end_is_a_last_word(tmp_path: pathlib.Path) -> None:
    """While a process lives, where it is killed, and for what is logged behind a close there is none."""
    code = """
        log = make(flush_interval=0.01, resources=0)
        for k in range(10): log.prediction({"k": k})
        assert log.flush()
        print("open", flush=True); sys.stdin.readline()
        log.close()
        print("closed", flush=True); sys.stdin.readline()
        log.prediction({"k": 10})
        print("again", flush=True); sys.stdin.readline()
        """
    command = [sys.executable, "-c", processes.PRELUDE + textwrap.dedent(code), str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=processes.environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for state in ("open", "closed", "again"):
            assert process.stdout.readline() == f"{state}\n"
            assert word(tmp_path) == (LastWord(True, written=11) if state == "closed" else LastWord())
            (reading,) = read(tmp_path)
            assert (reading.closed, ledger.missing(reading)) == (state == "closed", 0)
            if state != "again":
                process.stdin.write("\n")
                process.stdin.flush()
        process.kill()
    (reading,) = read(tmp_path)
    assert (reading.closed, reading.writing) == (False, False)


def test_a_forked_child_says_nothing_for_its_parent(tmp_path: pathlib.Path) -> None:
    """Each has a word of its own, whoever ends first and however."""
    code = """
        log = make(flush_interval=0.01, resources=0)
        for k in range(20): log.prediction({"k": k})
        assert log.flush()
        for exits in (True, False):
            pid = os.fork()
            if not pid:
                log.prediction({"k": 100})
                if exits: sys.exit()
                log.flush()
                os._exit(0)
            os.waitpid(pid, 0)
        log.prediction({"k": 20})
        """
    processes.run(tmp_path, code)
    found = {reading.events: (reading.word, reading.closed) for reading in read(tmp_path)}
    assert set(found) == {2, 22}
    assert found[22] == (LastWord(True, written=22), True)
    assert sorted(closed for _, closed in [(r.word, r.closed) for r in read(tmp_path)]) == [False, True, True]


def test_others_that_log_while_it_is_closed(tmp_path: pathlib.Path) -> None:
    """Threads that never stop: at rest everything is counted once, and none of theirs is dropped."""
    code = """
        import threading
        log = make(flush_interval=0.001, resources=0)
        stop = threading.Event()
        def go():
            while not stop.is_set(): log.prediction({"k": 1})
        threads = [threading.Thread(target=go) for _ in range(4)]
        for thread in threads: thread.start()
        for _ in range(20):
            time.sleep(0.01)
            assert log.close()
        stop.set()
        for thread in threads: thread.join()
        log.close()
        print(log.status().dropped, log.status().accepted - log.status().written)
        """
    start = time.monotonic()
    assert processes.run(tmp_path, code) == "0 0\n"
    assert time.monotonic() - start < processes.SECONDS
    (reading,) = read(tmp_path)
    assert reading.word is not None
    assert (reading.word.numbered, ledger.missing(reading)) == (reading.events, 0)
