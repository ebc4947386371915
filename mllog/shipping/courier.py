"""Brings the segments of one process to one destination: read, note, send, note again."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mllog.delivery.locks import Lock
from mllog.shipping import aside, holders
from mllog.shipping.checkpoint import ENDING, Checkpoint, Counts, Intent
from mllog.shipping.dead import DeadLetters
from mllog.shipping.delivering import HALVE_AFTER, Delivery
from mllog.shipping.destinations.base import UnavailableError
from mllog.shipping.doubt import Doubt
from mllog.shipping.limits import COMPANY, COMPANY_LINES, Limits
from mllog.shipping.positions import end, passed
from mllog.shipping.seals import REASONS, Seals
from mllog.shipping.segments import Batch, Segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mllog.shipping.destinations.base import Destination
    from mllog.shipping.pace import Pace

_log: Final = logging.getLogger("mllog")


class Courier:
    """Ships one process's folder; at any time one courier does for one destination, in whatever process.

    Attributes:
        unsaved: Why the checkpoint, as it is now, isn't in its file; ``None`` where it is.

    Args:
        spool: Folder of all processes.
        process: Name of this one.
        destination: Who gets the events.
        pace: Says when to try again.
        limits: Bounds of a batch.
        dead_bytes: Bound of the dead letters.
        breathe: Called every few lines.
    """

    def __init__(
        self,
        spool: Path,
        process: str,
        destination: Destination,
        pace: Pace,
        *,
        limits: Limits,
        dead_bytes: int | None = None,
        breathe: Callable[[], object] | None = None,
    ) -> None:
        self.process = process
        self.segments = Segments(spool / process, breathe=breathe)
        self.counts = Counts()
        self.unsaved: OSError | None = None
        self._spool = spool
        self._destination = destination
        self._pace = pace
        self._limits = limits
        self._lock = Lock(spool / process / f"{destination.key}.lock")
        self._dead = DeadLetters(spool, destination.key, limit=dead_bytes)
        self._path = spool / process / f"{destination.key}{ENDING}"
        self.checkpoint = Checkpoint(self._path, destination.name)
        self._seals = Seals(self.segments)
        self._doubt = Doubt(self.checkpoint, (0, 0))
        # Whether the batch in hand may have arrived.
        self._doubtful = False
        self._held: Delivery | None = None
        # Failures of the batch in hand that may be a line's doing, over all turns.
        self._suspected = 0
        self._seen: int | None = None
        self._again = False
        self._warned = False

    @property
    def is_open(self) -> bool:
        """Whether this one has the right to ship this folder."""
        return self._lock.held

    def open(self) -> bool:
        """Take the right to ship this folder, and go on where the last courier got to; whether it could be had.

        Raises:
            OSError: Where the folder is gone or has no locks.
        """
        if self._lock.held:
            return True
        if not self._lock.acquire():
            return False
        holders.sign(self._lock.path)
        self.checkpoint = Checkpoint.load(self._path, self._destination.name)
        if self.checkpoint.lost:
            with contextlib.suppress(OSError):
                aside.keep_file(self._spool, self._path, self.process, f"a checkpoint, and {self.checkpoint.why}")
            self._count(Counts(restarts=1))
        to = (0, 0)
        with contextlib.suppress(OSError, IndexError):
            to = end(self.segments)
        self._doubt = Doubt(self.checkpoint, to)
        # Whoever noted a batch may have sent it.
        self._doubtful = self.checkpoint.intent is not None
        self.checkpoint.settled = False
        return True

    def close(self) -> None:
        """Put the checkpoint on the disk and let others ship this folder."""
        if self._lock.held:
            checkpoint = self.checkpoint
            behind = checkpoint.offset if checkpoint.intent is None else checkpoint.intent.end
            checkpoint.settled = not self._doubt.covers(checkpoint.segment, behind)
            self._save(sync=True)
            self._lock.release()

    def leave(self) -> None:
        """Let others have this folder, without a word of how far this one got."""
        self._lock.release()

    def sync(self) -> None:
        """Put the checkpoint on the disk, before what it has passed is deleted."""
        self._save(sync=True)

    def step(self) -> bool:
        """Ship one batch, or move on to the next segment; whether anything was done.

        Raises:
            UnavailableError: Where the destination didn't take it, and patience or time has ended.
            OSError: Where the spool itself can't be read or written.
        """
        checkpoint = self.checkpoint
        numbers = self.segments.numbers()
        ahead = [number for number in numbers if number >= checkpoint.segment]
        if gone := checkpoint.see(ahead):
            self._count(Counts(missing_segments=gone))
            self._save()
        if not ahead:
            return False
        if self._held is not None and self._held.batch.segment == ahead[0]:
            self._extend(self._held)
            self._ship(self._held)
            return True
        if ahead[0] != checkpoint.segment:
            checkpoint.segment, checkpoint.offset, checkpoint.intent = ahead[0], 0, None
        # Asked before reading: what is finished then stays as it is.
        closed = len(ahead) > 1 or self.segments.is_sealed(checkpoint.segment)
        if closed and self._seals.look(checkpoint.segment) == "altered":
            self._pass_over(checkpoint.segment)
            return True
        batch = self._next(finished=closed or not self.segments.is_written())
        if batch is not None:
            self._ship(self._begin(batch))
            return True
        if not closed:
            return False
        self._leave(checkpoint.segment)
        return True

    def is_done(self) -> bool:
        """Whether all is shipped and nobody will add to it."""
        if self.segments.is_written():
            return False
        numbers = self.segments.numbers()
        return not numbers or self.has_passed(numbers[-1])

    def has_passed(self, number: int) -> bool:
        """Whether this courier needs a segment no more."""
        return passed(self.segments, self.checkpoint, number)

    def _next(self, *, finished: bool) -> Batch | None:
        checkpoint, limits = self.checkpoint, self._limits
        intent = checkpoint.intent
        with contextlib.suppress(FileNotFoundError):
            if intent is not None and intent.start == checkpoint.offset:
                batch = self.segments.read(
                    checkpoint.segment,
                    intent.start,
                    max_bytes=max(intent.end - intent.start, 1),
                    max_lines=intent.end - intent.start,
                    finished=finished,
                )
                if batch is not None and self._suspected >= HALVE_AFTER:
                    batch = self._with_company(batch, finished=finished)
                if batch is not None:
                    return self._stamped(batch, intent.ingested)
            batch = self.segments.read(
                checkpoint.segment,
                checkpoint.offset,
                max_bytes=limits.bytes,
                max_lines=limits.lines,
                finished=finished,
            )
            if batch is None:
                return None
            self._doubtful = self._doubt.covers(checkpoint.segment, checkpoint.offset)
            return self._stamped(batch, dt.datetime.now(dt.UTC).isoformat(timespec="microseconds"))
        return None

    def _stamped(self, batch: Batch, ingested: str) -> Batch:
        return replace(batch, ingested=ingested.replace("+00:00", "Z"), doubtful=self._doubtful)

    def _with_company(self, batch: Batch, *, finished: bool) -> Batch:
        """A batch that failed as a whole, and some lines behind it."""
        more = self._behind(batch, self._limits.lines, finished=finished)
        if more is None:
            return batch
        return replace(batch, end=more.end, lines=[*batch.lines, *more.lines], corrupt=[*batch.corrupt, *more.corrupt])

    def _behind(self, batch: Batch, begun: int, *, finished: bool) -> Batch | None:
        """The next lines behind a batch, where it may have more than it began with."""
        room = max(2 * self._limits.bytes - (batch.end - batch.start), 1)
        lines = min(COMPANY, begun + COMPANY_LINES - len(batch.lines))
        if lines <= 0:
            return None
        return self.segments.read(batch.segment, batch.end, max_bytes=room, max_lines=lines, finished=finished)

    def _extend(self, delivery: Delivery) -> None:
        """Where nothing but failures is left, lines behind them show whose fault these are."""
        batch = delivery.batch
        if not delivery.is_lonely:
            return
        closed = len(self.segments.numbers()) > 1 or self.segments.is_sealed(batch.segment)
        more = self._behind(batch, delivery.begun, finished=closed or not self.segments.is_written())
        if more is None:
            return
        for part in more.corrupt:
            aside.keep_part(self._spool, self.segments, batch.segment, part)
        delivery.extend(replace(more, doubtful=self._doubt.covers(batch.segment, more.start)))
        self.checkpoint.intent = Intent(batch.start, more.end, batch.ingested)
        self._save()

    def _begin(self, batch: Batch) -> Delivery:
        for part in batch.corrupt:
            aside.keep_part(self._spool, self.segments, batch.segment, part)
        if batch.lines:
            self.checkpoint.intent = Intent(batch.start, batch.end, batch.ingested)
            self._save()
        return Delivery(
            batch, self._destination, self._pace, note=self._note, tries=self._suspected, eager=not self._again
        )

    def _ship(self, delivery: Delivery) -> None:
        checkpoint, batch, refused = self.checkpoint, delivery.batch, delivery.refused
        self._held = None
        suspected = delivery.suspected
        try:
            delivery.run()
        except OSError:
            # In an outage nothing is kept in memory: there may be many processes in a spool.
            before, self._seen = self._seen, self._pace.successes
            if delivery.is_telling or (before is not None and self._seen > before):
                self._held = delivery
            self._suspected += delivery.suspected - suspected
            self._again = True
            raise
        counts = Counts()
        counts.add(delivery.counts)
        counts.corrupt = sum(part.lines for part in batch.corrupt)
        problem = None
        if refused:
            counts.dead = len(refused)
            counts.lost = self._keep(delivery)
            self._destination.bury(batch, refused)
            problem = self._loss(counts.lost, next(iter(refused.values())).reason)
        counts.delivered = len(batch.lines) - len(refused)
        self._doubt.answered(counts.delivered, asked=delivery.asked, found=counts.duplicates)
        self._count(counts)
        checkpoint.offset, checkpoint.intent = batch.end, None
        if counts.delivered:
            checkpoint.last_success, checkpoint.failing = time.time(), False
        if problem is not None:
            checkpoint.last_error, checkpoint.last_error_at, checkpoint.failing = problem, time.time(), True
        self._begin_anew()
        self._save()

    def _begin_anew(self) -> None:
        """Nothing is known of the batch that comes next."""
        self._doubtful = self._again = False
        self._suspected, self._seen = 0, None

    def _keep(self, delivery: Delivery) -> int:
        try:
            return self._dead.keep(delivery.batch, delivery.refused)
        except OSError as error:
            # Nobody has noted what became of the batch, so it isn't left; not tried again at once, though.
            self._held = delivery
            problem = UnavailableError(f"dead letters can't be kept: {error}", doubtful=False)
            self._note(problem)
            self._pace.failed(problem, self.process)
            raise

    def _loss(self, lost: int, reason: str) -> str | None:
        """What to say of refused events that there was no room for; it is logged once."""
        if not lost:
            return None
        problem = (
            f"{lost} refused events are lost: the dead letters have reached their bound; replay or remove them "
            f"(mllog ship --replay-dead). Why the first of them was refused: {reason}"
        )
        if not self._warned:
            self._warned = True
            _log.warning("mllog: %s: %s", self._spool, problem)
        return problem

    def _note(self, problem: UnavailableError | None) -> None:
        """Remember that some of a batch was taken, or why none of it was."""
        if problem is None:
            # Should the rest fail, all of it is sent again.
            self._doubtful = True
            return
        self._doubtful = self._doubtful or problem.doubtful
        self.checkpoint.last_error, self.checkpoint.last_error_at = str(problem), time.time()
        self.checkpoint.failing = True
        self._save()

    def _leave(self, number: int) -> None:
        """A segment is shipped; it may have been touched meanwhile."""
        seal = self._seals.look(number)
        if seal in REASONS:
            aside.keep_segment(self._spool, self.segments, number, REASONS[seal])
        self._go_on(number, Counts(corrupt_segments=int(seal in REASONS)))

    def _pass_over(self, number: int) -> None:
        """A segment isn't what was written: what of it wasn't sent while it was open isn't sent at all."""
        offset = self.checkpoint.offset
        reason = f"{REASONS['altered']}: nothing of it was sent from byte {offset} on"
        aside.keep_segment(self._spool, self.segments, number, reason)
        self._go_on(number, Counts(corrupt_segments=1, corrupt=self.segments.count(number, offset)))

    def _go_on(self, number: int, counts: Counts) -> None:
        try:
            self._destination.passed(self.process, number)
        except UnavailableError as problem:
            self._note(problem)
            self._pace.failed(problem, self.process)
            raise
        self._count(counts)
        self.checkpoint.segment, self.checkpoint.offset, self.checkpoint.intent = number + 1, 0, None
        self._begin_anew()
        self._save()

    def _count(self, counts: Counts) -> None:
        self.counts.add(counts)
        self.checkpoint.counts.add(counts)

    def _save(self, *, sync: bool = False) -> None:
        # A full disk must not stop what would make room on it: the worst is that something is sent twice.
        try:
            self.checkpoint.save(sync=sync)
            self.unsaved = None
        except FileNotFoundError:
            self.unsaved = None  # the folder is gone, and all that could be sent again with it
        except OSError as error:
            self.unsaved = error
