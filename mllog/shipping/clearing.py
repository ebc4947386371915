"""Deletes what everybody has: segments that every registered destination has passed, and folders left empty by that."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.delivery.locks import WRITER_LOCK, Lock
from mllog.files import CHECKSUM
from mllog.shipping import registry
from mllog.shipping.checkpoint import ENDING, Checkpoint
from mllog.shipping.courier import passed
from mllog.shipping.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllog.shipping.courier import Courier
    from mllog.shipping.registry import Entry

_OURS: Final = {ENDING, CHECKSUM, ".lock"}
NEW_SECONDS: Final = 60.0
"""An empty folder that is younger may be a process's that is about to begin."""


def clear(spool: Path, courier: Courier, entries: Sequence[Entry]) -> int:
    """Delete the segments of a courier's process that all have passed; how many there were.

    Args:
        spool: Folder of all processes.
        courier: Knows how far its own destination has got, better than the file.
        entries: All registered destinations.

    Raises:
        OSError: Where the disk refuses.
    """
    segments = courier.segments
    numbers = [number for number in segments.numbers() if courier.has_passed(number)]
    if not numbers:
        return 0
    mine = courier.checkpoint.path.name
    others = [
        _checkpoint(spool, courier.process, entry)
        for entry in entries
        if entry.holds and f"{entry.key}{ENDING}" != mine
    ]
    numbers = [number for number in numbers if all(passed(segments, other, number) for other in others)]
    if numbers:
        courier.sync()
    for number in numbers:
        path = segments.path(number)
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}{CHECKSUM}").unlink(missing_ok=True)
    if numbers and courier.unsaved is not None:
        courier.sync()  # there was no room for it before
    return len(numbers)


def retire(spool: Path, courier: Courier, entries: Sequence[Entry]) -> bool:
    """Remove the folder of a process that has ended and whose segments are all gone; whether that was so.

    What its checkpoints counted is kept in the destinations' tallies.

    Raises:
        OSError: Where the disk refuses.
    """
    folder = courier.segments.folder
    if courier.segments.numbers() or courier.segments.is_written() or _may_begin(folder, courier):
        return False
    writer = Lock(folder / WRITER_LOCK)
    # Taken, so that a logger that was closed and writes once more doesn't begin a file in between.
    if not writer.acquire():
        return False
    try:
        if courier.segments.numbers():
            return False
        courier.close()
        for entry in entries:
            if (folder / f"{entry.key}{ENDING}").exists():
                last = _checkpoint(spool, folder.name, entry)
                registry.fold(spool, entry.key, folder.name, last.counts, last.last_success)
        _remove(folder)
        for entry in entries:
            registry.folded(spool, entry.key, folder.name)
    finally:
        writer.release()
    return True


def _may_begin(folder: Path, courier: Courier) -> bool:
    """Whether somebody may have made this folder just now, to lock it and write to it."""
    with contextlib.suppress(FileNotFoundError):
        return courier.checkpoint.segment == 0 and time.time() - folder.stat().st_mtime < NEW_SECONDS
    return False


def finish_retiring(spool: Path, entries: Sequence[Entry]) -> None:
    """Remove folders that somebody had counted and was killed before removing."""
    for entry in entries:
        for name in entry.folded:
            folder = spool / name
            if folder.is_dir() and not Segments(folder).numbers():
                with contextlib.suppress(OSError):
                    _remove(folder)
            if not folder.exists():
                registry.folded(spool, entry.key, name)


def _remove(folder: Path) -> None:
    """Remove a process's folder. Of one that is a link to elsewhere, what is ours and the link."""
    if not folder.is_symlink():
        shutil.rmtree(folder)
        return
    elsewhere = folder.resolve()
    for path in elsewhere.iterdir():
        if path.suffix in _OURS:
            path.unlink(missing_ok=True)
    folder.unlink()
    with contextlib.suppress(OSError):
        elsewhere.rmdir()


def _checkpoint(spool: Path, process: str, entry: Entry) -> Checkpoint:
    return Checkpoint.load(spool / process / f"{entry.key}{ENDING}", entry.name)
