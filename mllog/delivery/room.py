"""How much of a spool's bound is taken, and how far its shipper has got: read from the files, whoever wrote them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mllog.shipping import ownership, registry
from mllog.shipping.checkpoint import ENDING, Checkpoint
from mllog.shipping.positions import waiting
from mllog.shipping.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllog.shipping.destinations.base import Destination
    from mllog.shipping.registry import Entry


def needed_bytes(spool: Path) -> int:
    """Bytes of all files in a spool, without what every registered destination has of its segments.

    What all have will be deleted with its segment; it must not keep out new events until then.
    """
    holders = registry.holders(spool)
    total = 0
    try:
        with os.scandir(spool) as found:
            entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
    except OSError:
        return 0
    for name, is_folder in entries:
        if not is_folder:
            total += _size(spool / name)
        elif name[0] in "_.":
            total += sum(_size(Path(parent, name)) for parent, _, names in os.walk(spool / name) for name in names)
        else:
            total += _needed(spool / name, holders)
    return total


def position(folder: Path, destination: Destination) -> tuple[int, int] | None:
    """Up to where one process's segments are delivered: number of one and bytes of it; ``None`` where nobody said."""
    path = folder / f"{destination.key}{ENDING}"
    if not path.exists():
        return None
    checkpoint = Checkpoint.load(path, destination.name)
    return checkpoint.segment, checkpoint.offset


def claim_again(spool: Path, destination: Destination, spool_bytes: int) -> None:
    """Say whose a spool is, after somebody removed what said so.

    Raises:
        OSError: Where the disk refuses.
    """
    if ownership.owner(spool) is None and spool.is_dir():
        # Not claim(): that takes a folder with segments in it for somebody's own events.
        ownership.note(spool, destination.name, spool_bytes)
        registry.register(spool, destination)


def _needed(folder: Path, holders: Sequence[Entry]) -> int:
    """Bytes of one process's files that somebody still needs."""
    segments = Segments(folder)
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in found]
    except OSError:
        return 0
    sizes = {name: _size(folder / name) for name in names}
    total = sum(sizes.values())
    if not holders:
        return total
    starts: dict[str, int] = {}
    for holder in holders:
        checkpoint = Checkpoint.load(folder / f"{holder.key}{ENDING}", holder.name)
        for path, start in waiting(segments, checkpoint):
            starts[path.name] = min(start, starts.get(path.name, start))
    for number in segments.numbers():
        name = segments.path(number).name
        size = sizes.get(name, 0)
        total -= min(starts.get(name, size), size)
    return total


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
