"""Deletes what everybody has: segments that every registered destination has passed, and folders left empty by that."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.delivery.locks import WRITER_LOCK, Lock
from mllog.files import CHECKSUM, sync_folder
from mllog.shipping import registry
from mllog.shipping.checkpoint import ENDING, Checkpoint
from mllog.shipping.positions import passed
from mllog.shipping.segments import Segments, processes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mllog.shipping.checkpoint import Counts
    from mllog.shipping.courier import Courier
    from mllog.shipping.destinations.base import Destination
    from mllog.shipping.registry import Entry

_OURS: Final = {ENDING, CHECKSUM, ".lock"}
NEW_SECONDS: Final = 60.0
"""An empty folder that is younger may be a process's that is about to begin."""


def clear_all(spool: Path, couriers: Sequence[Courier], *, alone: bool) -> tuple[int, OSError | None]:
    """Clear what all have of the folders of some processes; one folder's trouble is not another's.

    Args:
        spool: Folder of all processes.
        couriers: Of a destination.
        alone: Whether it is enough that this destination has it, where segments are kept for nobody.

    Returns:
        How many segments were deleted, and what went wrong last.
    """
    entries, holders = registry.entries(spool), registry.holders(spool)
    total, emptied, problem = 0, [], None
    for courier in couriers if alone or holders else ():
        try:
            deleted = clear(spool, courier, holders)
        except OSError as error:
            problem = error
            continue
        total += deleted
        if deleted or not courier.segments.numbers():
            emptied.append(courier)
    try:
        retire(spool, emptied, entries)
    except OSError as error:
        problem = error
    return total, problem


def clear(spool: Path, courier: Courier, holders: Sequence[Entry]) -> int:
    """Delete the segments of a courier's process that all have passed; how many there were.

    Args:
        spool: Folder of all processes.
        courier: Knows how far its own destination has got, better than the file.
        holders: Those for whom segments are kept.

    Raises:
        OSError: Where the disk refuses.
    """
    segments = courier.segments
    numbers = [number for number in segments.numbers() if courier.has_passed(number)]
    if not numbers:
        return 0
    mine = courier.checkpoint.path.name
    others = [_checkpoint(spool, courier.process, entry) for entry in holders if f"{entry.key}{ENDING}" != mine]
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


def retire(spool: Path, couriers: Sequence[Courier], entries: Sequence[Entry]) -> list[Courier]:
    """Remove the folders of processes that have ended and whose segments are all gone; whose those were.

    What their checkpoints counted is kept in the destinations' tallies, which are written once for all of them: it is
    on the disk before a folder is removed, and that it is removed before a tally forgets that it was counted.

    Raises:
        OSError: Where the disk refuses.
    """
    with contextlib.ExitStack() as locks:
        ended = [courier for courier in couriers if _is_over(courier, locks)]
        if not ended:
            return []
        for entry in entries:
            counted = {courier.process: last for courier in ended if (last := _last(spool, courier, entry)) is not None}
            registry.fold(spool, entry.key, counted)
        for courier in ended:
            courier.leave()
            with contextlib.suppress(OSError):
                _remove(courier.segments.folder)
        _forget(spool, entries, [courier.process for courier in ended])
    return ended


def kept_for(spool: Path, destination: Destination) -> list[str]:
    """Names of those that segments are kept for which a destination has passed."""
    others = [entry for entry in registry.holders(spool) if entry.key != destination.key]
    here = processes(spool)
    return [entry.name for entry in others if any(_is_kept(spool, process, destination, entry) for process in here)]


def is_left(spool: Path) -> bool:
    """Whether segments are left."""
    return any(Segments(spool / process).numbers() for process in processes(spool))


def _is_kept(spool: Path, process: str, destination: Destination, entry: Entry) -> bool:
    segments = Segments(spool / process)
    mine = Checkpoint.load(spool / process / f"{destination.key}{ENDING}", destination.name)
    other = _checkpoint(spool, process, entry)
    return any(passed(segments, mine, n) and not passed(segments, other, n) for n in segments.numbers())


def _is_over(courier: Courier, locks: contextlib.ExitStack) -> bool:
    """Whether a folder can be removed; its writer's lock is then taken.

    So a logger that was closed and writes once more doesn't begin a file in between.
    """
    folder = courier.segments.folder
    if courier.segments.numbers() or courier.segments.is_written() or _may_begin(folder, courier):
        return False
    writer = Lock(folder / WRITER_LOCK)
    try:
        if not writer.acquire():
            return False
    except FileNotFoundError:
        return False
    locks.callback(writer.release)
    return not courier.segments.numbers()


def _last(spool: Path, courier: Courier, entry: Entry) -> tuple[Counts, float | None] | None:
    """What a destination counted in a folder, and when last; ``None`` where it never came there."""
    path = courier.segments.folder / f"{entry.key}{ENDING}"
    last = courier.checkpoint
    if path != last.path:
        if not path.exists():
            return None
        last = _checkpoint(spool, courier.process, entry)
    return last.counts, last.last_success


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
    _forget(spool, entries, {name for entry in entries for name in entry.folded})


def _forget(spool: Path, entries: Sequence[Entry], names: Collection[str]) -> None:
    """Folders that were counted are gone; one that can't be removed stays counted, and is tried again."""
    gone = [name for name in names if not (spool / name).exists()]
    if gone:
        sync_folder(spool)
    for entry in entries:
        registry.folded(spool, entry.key, gone)


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
