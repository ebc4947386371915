"""Up to where events may have arrived that no checkpoint speaks of: so far a destination is asked before it gets any.

A checkpoint is synced once a second, so after a loss of power it may be older than what was delivered; and
Elasticsearch refuses a second copy of an event only within one backing index, so after a rollover it would be there
twice. Five facts say how much has to be asked for:

1. A courier begins a batch when each line of the one before was taken or refused, in the order of the segments. (The
   two connections of one shipper send halves of the same batch, and wait for each other; of one process's folder there
   is one courier at a time, by a lock.) So what a destination has of a folder is all before some position, without what
   it refused, and any part of the one batch behind that position, which has at most ``MOST_LINES`` lines
   (:mod:`mllog.shipping.limits`).
2. Before its first batch a courier puts a checkpoint on the disk that isn't ``settled``. It writes one that is only
   when it is closed and nothing behind is in doubt, and syncs that. So whatever a loss of power leaves: where something
   may have been sent that a checkpoint doesn't speak of, it isn't settled.
3. What is written behind the end that the segments have when a courier opens them was not sent before.
4. Going on from a checkpoint that isn't settled: once ``MOST_LINES`` lines in a row were asked for, weren't there and
   were taken, the position of 1 isn't behind the first of these, since that would have been taken then, as it was now.
   So the batch behind that position ends with the last of them at most, and nothing of what follows is there.
5. That holds for what was delivered a moment before. A checkpoint that can't be right may have been that of a year, and
   stores delete what is old: then all is asked for up to the end of 3, by however many couriers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllog.shipping.limits import MOST_LINES

if TYPE_CHECKING:
    from mllog.shipping.checkpoint import Checkpoint


class Doubt:
    """What one courier can't be sure of.

    Args:
        checkpoint: Where it begins; a lost one is told up to where everything is in doubt.
        end: Number of the last segment, and its size, when it begins.
    """

    def __init__(self, checkpoint: Checkpoint, end: tuple[int, int]) -> None:
        if checkpoint.lost:
            checkpoint.doubt = end
        self._checkpoint = checkpoint
        self._until = None if checkpoint.settled else end
        self._new = 0

    def covers(self, segment: int, offset: int) -> bool:
        """Whether what begins there may have been sent before."""
        at = segment, offset
        checkpoint = self._checkpoint
        if checkpoint.doubt is not None and at >= checkpoint.doubt:
            checkpoint.doubt = None
        if self._until is not None and at >= self._until:
            self._until = None
        return checkpoint.doubt is not None or self._until is not None

    def answered(self, taken: int, *, asked: bool, found: int) -> None:
        """A batch was dealt with that was in doubt.

        Args:
            taken: Lines that the destination took, those included that it had.
            asked: Whether it was asked for all of them.
            found: How many it had.
        """
        self._new = self._new + taken if asked and not found else 0
        if self._new >= MOST_LINES:
            self._until = None
