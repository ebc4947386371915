"""Leases over a record that can be compared and swapped, for machines whose clocks differ.

The rule is that of client-go's leader election (https://pkg.go.dev/k8s.io/client-go/tools/leaderelection): nobody
compares a time that another machine wrote with its own clock. A challenger notes *when it first saw* the record as it
is, by a clock of its own that only runs on; only where the record hasn't changed for as long as its holder said that
it holds may it be taken. So clocks may differ by any amount; they must only run equally fast, for which a tenth of the
lease is kept in reserve on the holder's side.

A lease alone makes no two writers impossible: whoever is paused between looking at the clock and writing wakes up
too late. What a run leaves is therefore written with a number that the store compares
(:meth:`watchers.stores.base.Store.write_state`); leases only keep others from doing the same work meanwhile, and two
from telling the same. (Kleppmann 2016, "How to do distributed locking", on fencing.)
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import socket
import time
import uuid
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from watchers.stores.base import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RELIED_ON: Final = 0.9
"""Share of a lease after which its holder trusts it no more."""

LOOKS: Final = 10
"""So often during a lease's time a patient challenger looks."""


class Records(Protocol):
    """One small record a name, with compare and swap."""

    def read(self, name: str) -> Lease | None:
        """The record with its ``version``, or None."""

    def write(self, lease: Lease, expected: str | None) -> str | None:
        """Write it where the record's version is ``expected`` (None: where there is none).

        Returns:
            Its new version; None where somebody else wrote since.
        """

    def delete(self, name: str, expected: str) -> None:
        """Delete it where its version is ``expected``."""


def elapsed() -> float:
    """Seconds on a clock that never jumps; where the system has one, it runs on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class RecordLeases:
    """Leases of one scheduler.

    Args:
        records: Where they are.
        holder: Who asks; by default this process, so that others on this machine see at once when it is gone.
        clock: A clock that only runs on, seconds.
    """

    def __init__(self, records: Records, *, holder: str | None = None, clock: Callable[[], float] = elapsed) -> None:
        self._records, self._clock = records, clock
        self.holder = holder or this_process()
        self._seen: dict[str, tuple[str, float]] = {}

    def acquire(self, name: str, seconds: float, *, patience: float = 0.0) -> Lease | None:
        """Take a lease that nobody holds, or whose holder has shown no life for as long as it holds."""
        until = self._clock() + patience
        first: str | None = None
        while True:
            held = self._records.read(name)
            if held is None or self._lapsed(held):
                return self._write(
                    Lease(name, self.holder, seconds, dt.datetime.now(dt.UTC)), held.version if held else None
                )
            first = first or held.version
            if self._clock() >= until or held.version != first:
                return None
            time.sleep(held.seconds / LOOKS)

    def lapsed(self, names: Sequence[str]) -> bool:
        """Whether one of these is held by somebody who has shown no life for as long as it holds."""
        seen = [self._lapsed(held) for name in names if (held := self._records.read(name)) is not None]
        return any(seen)

    def renew(self, lease: Lease) -> Lease | None:
        """Hold it for as long again; None where somebody else took it."""
        return self._write(lease, lease.version)

    def release(self, lease: Lease) -> None:
        """Let the next one have it at once."""
        self._records.delete(lease.name, lease.version)

    def _write(self, lease: Lease, expected: str | None) -> Lease | None:
        # From before it is sent: whoever sees it afterwards begins to watch later than that.
        deadline = self._clock() + RELIED_ON * lease.seconds
        version = self._records.write(lease, expected)
        return None if version is None else replace(lease, version=version, deadline=deadline)

    def _lapsed(self, held: Lease) -> bool:
        now = self._clock()
        version, since = self._seen.get(held.name, ("", now))
        if version != held.version:
            self._seen[held.name] = (held.version, now)
            since = now
        # One's own: a release that didn't get through.
        return held.holder == self.holder or is_gone(held.holder) or now - since >= held.seconds


class MemoryRecords:
    """Records of one process, for stores in memory."""

    def __init__(self) -> None:
        self._held: dict[str, Lease] = {}

    def read(self, name: str) -> Lease | None:
        """The record, or None."""
        return self._held.get(name)

    def write(self, lease: Lease, expected: str | None) -> str | None:
        """Write it where nobody else did."""
        held = self._held.get(lease.name)
        if (held.version if held else None) != expected:
            return None
        self._held[lease.name] = replace(lease, version=uuid.uuid4().hex)
        return self._held[lease.name].version

    def delete(self, name: str, expected: str) -> None:
        """Delete it where nobody else wrote."""
        if name in self._held and self._held[name].version == expected:
            del self._held[name]


def this_process() -> str:
    """A name of this process that no other has: host, machine and process, a draw."""
    pid = os.getpid()
    return f"{socket.gethostname()}/{_machine()}/{pid}/{_started(pid) or 0}/{uuid.uuid4().hex[:8]}"


def is_gone(holder: str) -> bool:
    """Whether a holder was a process of this machine that is no more.

    Only a name of this boot and this space of process ids says so; of others nothing is known.
    """
    parts = holder.split("/")
    if len(parts) != 5 or not _machine() or parts[1] != _machine():
        return False
    return str(_started(int(parts[2]))) != parts[3]


@cache
def _machine() -> str:
    """This boot of this machine and this space of process ids; empty where the system doesn't say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:12]


def _started(pid: int) -> int | None:
    """When a process began, clock ticks after the boot; None where it is none or only waits to be reaped."""
    try:
        # The name in parentheses may hold blanks and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])
