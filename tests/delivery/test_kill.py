"""Processes that are killed at random moments while they log, a hundred times and more."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import forge, processes

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")

INTERVAL = 50_000_000
"""The default flush interval, nanoseconds."""

RECORD_BYTES = 512
"""The least that a record is taken to need: so many fit into the queue."""
LINE_BYTES = 500
"""The least that a line of these events has: so many wait for the sink."""


@dataclasses.dataclass(frozen=True)
class Killed:
    """What one child knew, and what it left.

    Attributes:
        accepted: Calls that returned.
        on_disk: Predictions on disk.
        written: Lines of which the sink had said that they are on disk.
        flushed: Calls that had returned before the last flush() that did.
        oldest_lost: Nanoseconds between the return of the first call that isn't on disk and the kill.
        stall: Nanoseconds for which a thread of the child was kept from running, at worst.
        duplicates: Events that are on disk twice.
        lines: Events on disk, the announcement of the process among them.
    """

    accepted: int
    on_disk: int
    written: int
    flushed: int
    oldest_lost: int
    stall: int
    duplicates: int
    lines: int


def killed(folder: pathlib.Path, mode: str, repetitions: int) -> list[Killed]:
    """Fork and kill, then look at what is on disk: whole lines, without a hole and in order."""
    done = subprocess.run(
        [sys.executable, forge.__file__, str(folder), str(repetitions), str(repetitions), mode],
        capture_output=True,
        text=True,
        timeout=processes.SECONDS,
        check=False,
        env=processes.environment(),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = []
    for n in range(repetitions):
        events = processes.read(folder / str(n) / "events", killed=True)
        on_disk = processes.predictions(events)
        assert on_disk == list(range(len(on_disk)))
        assert processes.holes(events) == 0
        words = forge.words(folder / str(n) / "confirmed")
        accepted = words[forge.ACCEPTED]
        first_lost = words[forge.FIRST + len(on_disk)] if accepted > len(on_disk) else words[forge.KILLED]
        found.append(
            Killed(
                # The kill may fall between the write of an event and the return of its call.
                accepted=max(accepted, len(on_disk)),
                on_disk=len(on_disk),
                written=words[forge.WRITTEN],
                flushed=words[forge.FLUSHED],
                oldest_lost=words[forge.KILLED] - first_lost,
                stall=words[forge.STALL],
                duplicates=processes.duplicates(events),
                lines=len(events),
            )
        )
    return found


def add_row(fault_row: Callable[..., None], fault: str, children: list[Killed]) -> None:
    """One row for all of them."""
    fault_row(
        fault,
        repetitions=len(children),
        accepted=sum(child.accepted for child in children),
        delivered=sum(child.on_disk for child in children),
        tail=sum(child.accepted - child.on_disk for child in children),
        duplicates=sum(child.duplicates for child in children),
    )


@pytest.mark.parametrize(("mode", "repetitions"), [("full", 100), ("paced", 60)])
def test_kill_9_at_random_moments(
    tmp_path: pathlib.Path, fault_row: Callable[..., None], mode: str, repetitions: int
) -> None:
    """Lines are whole, no number is missing, and what was accepted a flush interval before the kill is on disk.

    The writer may be in the middle of a round that began an interval ago, and has to be given the processor: what a
    thread of the same child had to wait for that, measured there, is allowed ten times.
    """
    children = killed(tmp_path, mode, repetitions)
    judged = 0
    for child in children:
        allowed = 2 * INTERVAL + 10 * child.stall
        assert child.oldest_lost <= allowed, child
        assert child.flushed <= child.on_disk
        assert child.written <= child.lines
        judged += child.on_disk > 0
    assert judged >= repetitions // 10
    if mode == "full":
        # Whatever the clock says: what is lost fits into the queue and the lines that are being written.
        most = forge.QUEUE_BYTES // RECORD_BYTES + forge.QUEUE_BYTES // LINE_BYTES
        assert max(child.accepted - child.on_disk for child in children) <= most
    pace = "as fast as it can" if mode == "full" else "10 events a millisecond"
    add_row(fault_row, f"kill -9 at a random moment (1-200 ms), logging {pace}", children)


def test_durable_each_under_kill_9(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """With durable="each" every call that returned is on disk, whenever the kill comes."""
    children = killed(tmp_path, "each", 50)
    assert all(child.on_disk >= child.accepted for child in children)
    assert sum(child.accepted for child in children) > 10 * 50
    add_row(fault_row, 'kill -9 at a random moment, `durable="each"`', children)


def test_os_exit_loses_the_tail_alone(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """os._exit runs no handler: it is a kill, and costs what a kill costs, no more."""
    children = killed(tmp_path, "exit", 30)
    for child in children:
        assert child.oldest_lost <= 2 * INTERVAL + 10 * child.stall, child
        assert child.written <= child.lines
    assert any(child.accepted > child.on_disk for child in children)
    add_row(fault_row, "`os._exit` at a random moment", children)
