"""The engine behind a logger: stamps records, queues them, and owns what changes with the process."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

from mllog import events, stamps
from mllog.delivery import exits
from mllog.delivery.ledger import Ledger, Status
from mllog.delivery.losses import Losses
from mllog.delivery.queue import Queue
from mllog.delivery.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.delivery.encoder import Encoder
    from mllog.delivery.rows import Rows
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
        self._settings = settings
        self._encoder = encoder
        self._manifest = manifest
        self._durable = settings.durable
        self._resource_seconds = settings.resources
        self._ids = stamps.EventIds()
        self._ledger = Ledger()
        self._queue = Queue(settings.max_bytes, settings.overflow, self._ledger.drop)
        self._writer = Writer(self._queue, sink, self._ledger, interval=settings.flush_interval)
        self._losses = Losses(self._ledger, self._queue, lambda: self.record("metric", "ledger"))
        self._writer.connect(encoder.line, lambda rows: rows.lines(encoder, self._ledger.reject), self._losses)
        self._announced = False
        encoder.start(self._ledger.process)
        exits.watch(self)

    def beside(self, sink: Sink) -> Engine:
        """One like this for another sink: with a queue, a ledger and numbers of its own, without looks at resources."""
        settings = dataclasses.replace(self._settings, resources=0.0)
        return Engine(self._encoder.copy(), sink, self.clock, self._manifest, settings)

    def record(self, kind: Kind, action: str, at: Any = None) -> Record:
        """A new event, stamped with time and id; one with a wrong time is better than none, and says so."""
        now = self.clock()
        record = events.Record(kind, action, now, self._ids.new(now), 0)
        if at is not None:
            try:
                record.time = stamps.moment(at)
            except Exception:  # noqa: BLE001 - whatever was passed for a time; marked on the event
                record.replaced = ["@timestamp"]
        return record

    def accept(self, record: Record) -> str:
        """Queue a record, numbered; its event's id."""
        writer = self._writer
        if not writer.running:
            self.start()
        self._queue.put(record)
        if self._durable or writer.closed:
            writer.flush()
        return record.id

    @property
    def max_bytes(self) -> int:
        """Bound of the queue's memory."""
        return self._queue.max_bytes

    @property
    def guarded(self) -> bool:
        """Whether a policy keeps something back."""
        return self._encoder.rules.guard is not None

    def ids(self, count: int) -> list[str]:
        """Ids of new events, in their order."""
        return self._ids.many(self.clock(), count)

    def accept_rows(self, rows: Rows) -> None:
        """Queue many events as one entry, numbered."""
        writer = self._writer
        if not writer.running:
            self.start()
        self._queue.put(rows)
        if self._durable or writer.closed:
            writer.flush()

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
        duration = stamps.nanoseconds(seconds)
        if duration is not None and duration < 0:
            self._ledger.step_back()
            return 0
        return duration

    def start(self) -> None:
        """Start the writer, and say once a process which manifest stands behind the fingerprint."""
        if not self._announced:
            self._announced = True
            self._announce()
        self._writer.start()
        if self._resource_seconds and not self._writer.closed:
            from mllog.environment import resources  # noqa: PLC0415 - replays and tests do without

            resources.watch(self, self._resource_seconds)

    @property
    def manifest(self) -> Manifest:
        """What events are said to run on."""
        return self._manifest

    def redeploy(self, manifest: Manifest) -> None:
        """Say that this process runs on another manifest from now on: packages were changed under it."""
        self._manifest = manifest
        self._encoder.set_environment(manifest.fingerprint)
        self._announce()

    def flush(self, timeout: float | None = None) -> bool:
        """Write everything that was accepted so far; whether that worked."""
        return self._writer.flush(timeout)

    def close(self, timeout: float | None = 10.0) -> bool:
        """Flush and finish."""
        if self._resource_seconds:
            from mllog.environment import resources  # noqa: PLC0415 - as in start()

            resources.forget(self)
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
        self._losses.renew()
        self._writer.renew()
        self._announced = False
        self._encoder.start(self._ledger.process)

    def _announce(self) -> None:
        try:
            record = self.record("deployment", "deploy")
            record.body = events.deployment_body(self._manifest)
            self._queue.put(record)
        except Exception as problem:  # noqa: BLE001 - a clock may raise; counted
            self.refuse(problem)
