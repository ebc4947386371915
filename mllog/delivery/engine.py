"""The engine behind a logger: stamps records, queues them, and owns what changes with the process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from mllog import events
from mllog.delivery import exits
from mllog.delivery.ledger import Ledger, Status
from mllog.delivery.queue import Queue
from mllog.delivery.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.delivery.encoder import Encoder
    from mllog.delivery.settings import Settings
    from mllog.delivery.sinks import Sink
    from mllog.environment import Manifest
    from mllog.events import Kind, Record


class Engine:
    """Takes records, delivers lines.

    Args:
        encoder: Makes the lines.
        sink: Takes them.
        clock: Nanoseconds since 1970.
        manifest: What each process says once that it runs on.
        settings: Bounds and rules.
    """

    def __init__(
        self, encoder: Encoder, sink: Sink, clock: Callable[[], int], manifest: Manifest, settings: Settings
    ) -> None:
        self.clock = clock
        self._encoder = encoder
        self._manifest = manifest
        self._durable = settings.durable
        self._ids = events.EventIds()
        self._ledger = Ledger()
        self._queue = Queue(settings.max_bytes, settings.overflow, self._ledger.drop)
        self._writer = Writer(self._queue, sink, self._ledger, interval=settings.flush_interval)
        self._writer.connect(encoder.line, self._losses)
        self._reported = (0, 0)
        self._announced = False
        encoder.start(self._ledger.process)
        exits.watch(self)

    def record(self, kind: Kind, action: str, at: Any = None) -> Record:
        """A new event, stamped with time and id; one with a wrong time is better than none, and says so."""
        now = moment = self.clock()
        replaced = None
        if at is not None:
            try:
                moment = events.moment(at)
            except Exception:  # noqa: BLE001 - whatever was passed for a time; marked on the event
                replaced = ["@timestamp"]
        return events.Record(kind, action, moment, self._ids.new(now), 0, replaced=replaced)

    def accept(self, record: Record) -> str:
        """Queue a record, numbered; its event's id."""
        writer = self._writer
        if not writer.running:
            self.start()
        self._queue.put(record)
        if self._durable or writer.closed:
            writer.flush()
        return record.id

    def refuse(self, problem: Exception) -> str:
        """Count an event that could not be made; there is no id for it."""
        self._queue.number(wait=True)
        self._ledger.reject(problem)
        return ""

    def sample_out(self) -> None:
        """Count an event that sampling left out."""
        self._ledger.sample_out()

    def render(self, record: Record) -> bytes:
        """The line of a record that somebody else delivers; numbered, and counted as written."""
        record.number = self._queue.number(wait=True) or 0
        line = self._encoder.line(record)
        self._ledger.render()
        return line

    def nanoseconds(self, seconds: Any) -> int | None:
        """A duration; negative ones (the clock went back) are counted and zero."""
        duration = events.nanoseconds(seconds)
        if duration is not None and duration < 0:
            self._ledger.step_back()
            return 0
        return duration

    def start(self) -> None:
        """Start the writer, and say once a process which manifest stands behind the fingerprint."""
        if not self._announced:
            self._announced = True
            try:
                record = self.record("deployment", "deploy")
                record.body = events.deployment_body(self._manifest)
                self._queue.put(record)
            except Exception as problem:  # noqa: BLE001 - a clock may raise; counted
                self.refuse(problem)
        self._writer.start()

    def flush(self, timeout: float | None = None) -> bool:
        """Write everything that was accepted so far; whether that worked."""
        return self._writer.flush(timeout)

    def close(self, timeout: float | None = 10.0) -> bool:
        """Flush and finish."""
        written = self._writer.close(timeout)
        exits.forget(self)
        return written

    def is_writing_here(self) -> bool:
        """Whether this very thread is in the middle of a write: a signal handler must not write then."""
        return self._writer.writing_thread == threading.get_ident()

    def status(self) -> Status:
        """What became of the events of this process so far."""
        ledger = self._ledger
        return Status(
            process=ledger.process,
            accepted=self._queue.accepted,
            written=ledger.written + ledger.rendered,
            dropped=ledger.dropped,
            rejected=ledger.rejected,
            sampled_out=ledger.sampled_out,
            queued=len(self._queue) + self._writer.pending,
            queue_bytes=self._queue.bytes,
            sink_errors=ledger.sink_errors,
            clock_steps=ledger.clock_steps,
            last_error=ledger.last_error,
        )

    def renew(self) -> None:
        """Become the engine of a forked child: nothing of the parent's is written again."""
        self._ids.renew()
        self._ledger.renew()
        self._queue.renew()
        self._writer.renew()
        self._reported = (0, 0)
        self._announced = False
        self._encoder.start(self._ledger.process)

    def _losses(self) -> Record | None:
        """An event that says how many were dropped or sampled out since the last one that did."""
        counted = (self._ledger.dropped, self._ledger.sampled_out)
        if counted == self._reported:
            return None
        # One figure an event; the other's turn comes with the next look.
        which = 0 if counted[0] != self._reported[0] else 1
        number = self._queue.number()
        if number is None:
            return None
        record = self.record("metric", "ledger")
        record.number = number
        name = ("mllog.dropped", "mllog.sampled_out")[which]
        record.body = events.metric_body(name, counted[which] - self._reported[which], "events")
        self._reported = (counted[0], self._reported[1]) if which == 0 else (self._reported[0], counted[1])
        return record
