"""Where the segments of a spool end, so that what is there at one moment can be told from what comes later."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mllog.shipping.checkpoint import ENDING, Checkpoint
from mllog.shipping.segments import Segments, processes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mllog.shipping.destinations.base import Destination


def ends(spool: Path) -> dict[str, tuple[int, int]]:
    """Where each process's segments end now: number of the last one, and its size in bytes."""
    found = {}
    for process in processes(spool):
        segments = Segments(spool / process)
        with contextlib.suppress(OSError, IndexError):
            last = segments.numbers()[-1]
            found[process] = last, segments.path(last).stat().st_size
    return found


def unreached(
    spool: Path, destination: Destination, to: Mapping[str, tuple[int, int]], known: Mapping[str, Checkpoint]
) -> dict[str, tuple[int, int]]:
    """Of some ends the ones that a destination hasn't got to, and where it is.

    Args:
        spool: The spool's folder.
        destination: Whose checkpoints count.
        to: By process, from :func:`ends`.
        known: Checkpoints that are newer than their files, by process.
    """
    left = {}
    for process, (last, size) in to.items():
        segments = Segments(spool / process)
        checkpoint = known.get(process) or Checkpoint.load(
            spool / process / f"{destination.key}{ENDING}", destination.name
        )
        at = checkpoint.segment, checkpoint.offset
        if at < (last, size) and segments.numbers() and not segments.is_half_line(at, last):
            left[process] = at
    return left


def look(folder: Path) -> tuple[object, ...]:
    """What would be different if there were more to ship in a process's folder."""
    segments = Segments(folder)
    numbers = segments.numbers()
    if not numbers:
        return ()
    try:
        return (numbers[-1], segments.path(numbers[-1]).stat().st_size, segments.is_sealed(numbers[-1]))
    except OSError:
        return (numbers[-1],)
