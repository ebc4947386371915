"""Whether a destination's counts account for every line that it has passed: what they don't was skipped.

Of each process: the lines before the checkpoint's position that are still here are at most those that it counted as
delivered, dead or corrupt. They are fewer where segments were deleted since, or all was sent once more.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mllog.shipping.checkpoint import ENDING, Checkpoint
from mllog.shipping.segments import Segments, processes

if TYPE_CHECKING:
    from pathlib import Path

    from mllog.shipping.registry import Entry


def skipped(spool: Path, entry: Entry) -> dict[str, int]:
    """Lines that a destination has passed and that nothing accounts for, by process.

    Raises:
        OSError: Where a segment can't be read.
    """
    found = {}
    for process in processes(spool):
        # Read first: a shipper that goes on meanwhile changes nothing of what is before this position.
        checkpoint = Checkpoint.load(spool / process / f"{entry.key}{ENDING}", entry.name)
        counts = checkpoint.counts
        more = _before(checkpoint) - counts.delivered - counts.dead - counts.corrupt
        if more > 0:
            found[process] = more
    return found


def _before(checkpoint: Checkpoint) -> int:
    """Lines before a checkpoint's position that are here."""
    segments = Segments(checkpoint.path.parent)
    lines = 0
    for number in segments.numbers():
        if number <= checkpoint.segment:
            with contextlib.suppress(FileNotFoundError):
                lines += segments.count(number, 0, checkpoint.offset if number == checkpoint.segment else None)
    return lines
