"""Where in a process's segments a checkpoint is: whether it can be there, and what it has behind it.

A position is right only where a line begins: one that is elsewhere was not written by a shipper, and who believed it
would skip whole events.
"""

from __future__ import annotations

import contextlib
from itertools import chain
from typing import TYPE_CHECKING

from mllog.shipping.segments import Segments

if TYPE_CHECKING:
    from pathlib import Path

    from mllog.shipping.checkpoint import Checkpoint


def impossible(checkpoint: Checkpoint) -> str | None:
    """What of a checkpoint's position can't be, by the segments beside it; ``None`` where it can, or nobody can tell.

    It may be in a segment that is gone, since somebody may have deleted that (``Checkpoint.see`` counts those), and at
    the beginning of one that isn't there yet.
    """
    intent = checkpoint.intent
    if intent is not None and intent.start != checkpoint.offset:
        return f"it is at byte {checkpoint.offset}, and the batch that is being sent begins at {intent.start}"
    segments = Segments(checkpoint.path.parent)
    numbers = segments.numbers()
    if not numbers:
        return None
    number = checkpoint.segment
    if number > numbers[-1] + 1:
        return f"it is at segment {number}, and the last one is {numbers[-1]}"
    if number not in numbers:
        return None
    with contextlib.suppress(OSError), segments.path(number).open("rb") as file:
        size = file.seek(0, 2)
        for at in (checkpoint.offset, checkpoint.offset if intent is None else intent.end):
            if at > size:
                return f"it is at byte {at} of segment {number}, which has {size}"
            # Half a line at the end of what a dead writer left is passed too.
            if 0 < at < size and (file.seek(at - 1), file.read(1))[1] != b"\n":
                return f"it is at byte {at} of segment {number}, in the middle of a line"
    return None


def passed(segments: Segments, checkpoint: Checkpoint, number: int) -> bool:
    """Whether a checkpoint needs a segment no more.

    The last segment of a writer that died has nobody to seal it: it is passed when its end is reached. Any other is
    left first, when it is held against its checksum.
    """
    if checkpoint.segment != number:
        return checkpoint.segment > number
    if segments.is_sealed(number) or segments.numbers()[-1:] != [number]:
        return not segments.path(number).exists()
    try:
        size = segments.path(number).stat().st_size
    except FileNotFoundError:
        return True
    return checkpoint.offset >= size and not segments.is_written()


def waiting(segments: Segments, checkpoint: Checkpoint) -> list[tuple[Path, int]]:
    """Files with bytes that a checkpoint hasn't passed, and where these begin."""
    numbers = [number for number in segments.numbers() if number >= checkpoint.segment]
    starts = chain([checkpoint.offset] if numbers[:1] == [checkpoint.segment] else [0], iter(lambda: 0, 1))
    return [(segments.path(number), start) for number, start in zip(numbers, starts, strict=False)]


def end(segments: Segments) -> tuple[int, int]:
    """Where the segments end now: number of the last one, and its size in bytes.

    Raises:
        OSError: Where it has just been deleted.
        IndexError: Where there is none.
    """
    last = segments.numbers()[-1]
    return last, segments.path(last).stat().st_size
