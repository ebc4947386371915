"""How far shipping has got, read from the files of a spool alone: nobody has to be running."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.delivery.locks import is_locked
from mllog.shipping import registry
from mllog.shipping.checkpoint import ENDING, Checkpoint, Counts
from mllog.shipping.dead import DeadLetters
from mllog.shipping.positions import waiting
from mllog.shipping.segments import LINE_BYTES, Segments, processes

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK: Final = 2**20


@dataclass(frozen=True, slots=True)
class ShipStatus:
    """What became of a spool's events at one destination.

    For every line that was ever spooled, those of ``missing_segments`` aside, and where there were no ``restarts``:
    ``lines == delivered + dead + lost + corrupt + pending_lines``.

    Attributes:
        folder: The spool.
        destination: The place, without user and password.
        delivered: Events that it acknowledged.
        duplicates: Those of them that it had already.
        dead: Events that it refused for good and that wait as dead letters.
        lost: Events that it refused and that the bound left no room to keep.
        corrupt: Lines that were no events, kept aside.
        corrupt_segments: Sealed segments that aren't what their checksum says.
        unasked: Batches resent without knowing what had arrived.
        missing_segments: Segments that were deleted before it had them, or the rest of them.
        restarts: Checkpoints that couldn't be right, so that all was sent again and counted again.
        pending_lines: Whole lines that it hasn't got yet.
        pending_bytes: Bytes that it hasn't got yet.
        lag: Seconds since the oldest of them happened (its ``@timestamp``); ``None`` where nothing waits.
        last_success: When something was last acknowledged, seconds since 1970.
        last_error: Why something last wasn't.
        last_error_at: When that was, seconds since 1970.
        failing: Whether the last attempt with one of its processes' folders failed.
        running: Whether somebody is shipping just now.
        holds: Whether segments are kept until it has them.
    """

    folder: str
    destination: str
    delivered: int = 0
    duplicates: int = 0
    dead: int = 0
    lost: int = 0
    corrupt: int = 0
    corrupt_segments: int = 0
    unasked: int = 0
    missing_segments: int = 0
    restarts: int = 0
    pending_lines: int = 0
    pending_bytes: int = 0
    lag: float | None = None
    last_success: float | None = None
    last_error: str | None = None
    last_error_at: float | None = None
    failing: bool = False
    running: bool = False
    holds: bool = True


def inspect(folder: str | Path, *, now: float | None = None) -> list[ShipStatus]:
    """How far each destination of a spool has got.

    Args:
        folder: The spool.
        now: Seconds since 1970, for :attr:`ShipStatus.lag`.

    Returns:
        One status for each destination that the spool was ever shipped to, by name; none for a folder that isn't
        shipped, or isn't there.

    Raises:
        OSError: Where it can't be read.
    """
    spool = Path(folder).absolute()
    moment = time.time() if now is None else now
    return [_status(spool, entry, moment) for entry in sorted(registry.entries(spool), key=lambda entry: entry.name)]


def inspect_one(folder: Path, key: str, name: str) -> ShipStatus:
    """How far one destination has got, which may not be registered: on a spool that can't be written to.

    Raises:
        OSError: Where it can't be read.
    """
    known = [entry for entry in registry.entries(folder) if entry.key == key]
    return _status(folder, known[0] if known else registry.Entry(key, name), time.time())


def _status(spool: Path, entry: registry.Entry, now: float) -> ShipStatus:
    counts = Counts()
    counts.add(entry.tally)
    lines = size = 0
    oldest: float | None = None
    success, error_at = entry.last_success, None
    error: str | None = None
    failing = running = False
    for process in processes(spool):
        segments = Segments(spool / process)
        checkpoint = Checkpoint.load(spool / process / f"{entry.key}{ENDING}", entry.name)
        if process not in entry.folded:
            counts.add(checkpoint.counts)
        files = waiting(segments, checkpoint)
        n, length = _measure(files)
        lines, size = lines + n, size + length
        first = _first_time(files)
        if first is not None:
            oldest = first if oldest is None else min(oldest, first)
        if checkpoint.last_success is not None:
            success = max(success or 0.0, checkpoint.last_success)
        if checkpoint.last_error_at is not None and checkpoint.last_error_at >= (error_at or 0.0):
            error, error_at = checkpoint.last_error, checkpoint.last_error_at
        failing = failing or checkpoint.failing
        running = running or is_locked(spool / process / f"{entry.key}.lock")
    return ShipStatus(
        folder=str(spool),
        destination=entry.name,
        delivered=counts.delivered,
        duplicates=counts.duplicates,
        dead=DeadLetters(spool, entry.key).count(),
        lost=counts.lost,
        corrupt=counts.corrupt,
        corrupt_segments=counts.corrupt_segments,
        unasked=counts.unasked,
        missing_segments=counts.missing_segments,
        restarts=counts.restarts,
        pending_lines=lines,
        pending_bytes=size,
        lag=None if oldest is None else max(now - oldest, 0.0),
        last_success=success,
        last_error=error,
        last_error_at=error_at,
        failing=failing,
        running=running,
        holds=entry.key in {holder.key for holder in registry.holders(spool)},
    )


def _measure(files: Iterable[tuple[Path, int]]) -> tuple[int, int]:
    """Whole lines and bytes behind the given offsets."""
    lines = size = 0
    for path, start in files:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(start)
            for block in iter(lambda: file.read(_BLOCK), b""):
                lines += block.count(b"\n")
                size += len(block)
    return lines, size


def _first_time(files: Iterable[tuple[Path, int]]) -> float | None:
    """``@timestamp`` of the first event behind the given offsets, seconds since 1970."""
    for path, start in files:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(start)
            while line := file.readline(LINE_BYTES):
                moment = _time_of(line)
                if moment is not None:
                    return moment
    return None


def _time_of(line: bytes) -> float | None:
    try:
        document: Any = orjson.loads(line)
        return dt.datetime.fromisoformat(document["@timestamp"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return None
