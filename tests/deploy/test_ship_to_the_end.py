"""deploy/ship-to-the-end.sh: a sidecar's spool is empty when its pod goes."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from support import processes, spools
from support.receivers import logstash
from support.stack import ROOT

SCRIPT = ROOT / "deploy" / "ship-to-the-end.sh"


@pytest.fixture
def start(tmp_path: pathlib.Path):
    """Start the script on a spool, to a place; whatever still runs at the end is killed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    # The command as it is called here; an image has it on its PATH.
    command = folder / "mllog"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mllog.cli "$@"\n')
    command.chmod(0o755)
    running = []

    def started(spool: pathlib.Path, place: str) -> subprocess.Popen[str]:
        environment = {**processes.environment(), "PATH": f"{folder}:{os.environ['PATH']}"}
        running.append(
            subprocess.Popen(
                ["sh", SCRIPT, spool, "--to", place, "--delete"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
            )
        )  # fmt: skip
        return running[-1]

    yield started
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def wait_for(what) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_was_written_last_is_shipped(tmp_path: pathlib.Path, start) -> None:
    """All that a model wrote up to its own end arrives, though the shipper was told to end right after it."""
    spool = tmp_path / "spool"
    with logstash() as receiver:
        process = start(spool, receiver.place())
        spools.spool(spool, "a", spools.lines("a", 20))
        wait_for(lambda: len(receiver.lines) == 20)
        receiver.script.extend([503, 503])
        spools.spool(spool, "b", spools.lines("b", 5000))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        assert len(set(receiver.lines)) == 5020
    assert "delivered" in out


def test_a_destination_that_is_gone_holds_no_pod_up(tmp_path: pathlib.Path, start) -> None:
    """After 20 s without success it ends with 3, and the events are still there."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 5))
    with logstash(always=503) as receiver:
        process = start(spool, receiver.place())
        wait_for(lambda: receiver.requests)
        before = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)
        assert process.returncode == 3
        assert 15 < time.monotonic() - before < 45
    assert list(spool.glob("a/*.ndjson"))


def test_an_end_at_once_is_an_end(tmp_path: pathlib.Path, start) -> None:
    """Told to end before the shipper is ready for it, it ships what is there, and a spool that is empty is fine."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 5))
    with logstash() as receiver:
        process = start(spool, receiver.place())
        wait_for(lambda: pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)
        assert (process.returncode, len(set(receiver.lines))) == (0, 5)
        process = start(tmp_path / "none", receiver.place())
        wait_for((tmp_path / "none").exists)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)
        assert process.returncode == 0


def test_wrong_usage_is_said_at_once(tmp_path: pathlib.Path, start) -> None:
    """A shipper that ends by itself ends the sidecar, with its code: no second one is tried."""
    process = start(tmp_path / "spool", "nowhere+http://host")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.count("isn't known") == 1
