"""The service around the demonstration's model: predictions, their labels, and once an hour what is neither."""

import datetime as dt
import heapq
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import mllog
from mllog.card import ModelCard
from mllog.environment import Manifest, current
from mllog.places import Place
from mllog.stamps import moment
from watchers.demo.replay import Request

CHANGED_PACKAGE: Final = ("scikit-learn", "1.3.9")
COST: Final = 0.0004
"""USD a prediction."""

_Label = tuple[int, str, str]
"""Nanoseconds when it is known, prediction id, true class."""


@dataclass(slots=True)
class Clock:
    """The logger's clock, set to the flight's time."""

    now: int = 0

    def __call__(self) -> int:
        """Nanoseconds since 1970."""
        return self.now


class Service:
    """Serves one request after the other, each at its own time.

    Args:
        card: The model's.
        sink: Where the logger writes, as :class:`mllog.ModelLogger` takes it.
        spool: Folder of what isn't delivered yet, where the sink is a server.
    """

    def __init__(self, card: ModelCard, sink: str | os.PathLike[str] | Place, spool: Path | None = None) -> None:
        self._card, self._sink, self._spool = card, sink, spool
        self._clock = Clock()
        self._manifests = environments()
        self._environment = -1
        self._log: mllog.ModelLogger | None = None
        self._waiting: list[_Label] = []
        self._hour: dt.datetime | None = None
        self._served = 0

    def serve(self, request: Request) -> None:
        """Answer one request; its label comes when the flight has arrived."""
        now = self._clock.now = moment(request.time)
        log = self._deployed(request.environment)
        hour = request.time.replace(minute=0, second=0, microsecond=0)
        if hour != self._hour:
            self._close_hour(log, now)
            self._hour = hour
        self._served += 1
        output: dict[str, Any] = {"label": request.label, "score": request.score}
        log.prediction(request.inputs, output, request.prediction_id, latency=request.latency_seconds)
        self.expect(request)

    def expect(self, request: Request, after: dt.datetime | None = None) -> None:
        """Wait for the label of a request.

        Args:
            request: The request, which may have been served by an earlier process.
            after: What was known before was logged then.
        """
        if request.late is None or request.label_time is None or (after and request.label_time < after):
            return
        label = "late" if request.late else "on time"
        heapq.heappush(self._waiting, (moment(request.label_time), request.prediction_id, label))

    def labels_until(self, now: int) -> int:
        """Log the labels that are known by now; how many of the flights were on time.

        Args:
            now: Nanoseconds since 1970.
        """
        on_time = 0
        while self._log is not None and self._waiting and self._waiting[0][0] <= now:
            known, flight, value = heapq.heappop(self._waiting)
            self._log.label(flight, value, at=known)
            on_time += value == "on time"
        return on_time

    def close(self, now: int | None = None, timeout: float | None = None) -> None:
        """Come to an end, and wait until everything is written, however busy the machine is.

        Args:
            now: Until when labels are known, nanoseconds since 1970.
            timeout: Seconds to wait; for ever where it is None.

        Raises:
            RuntimeError: Events were lost; the demonstration would be of nothing.
        """
        if now is not None:
            self.labels_until(now)
        log, self._log = self._log, None
        if log is None:
            return
        log.close(timeout=timeout)
        status = log.status()
        if status.dropped or status.rejected or status.queued:
            raise RuntimeError(f"the replay lost events: {status}")

    def flush(self) -> None:
        """Wait until everything is on disk."""
        if self._log is not None:
            self._log.flush()

    def _deployed(self, environment: int) -> mllog.ModelLogger:
        """The logger of the process that serves: another environment is another process, deployed anew."""
        if self._log is None or environment != self._environment:
            self.close()
            self._environment = environment
            # A replay is faster than any service: it waits for the writer instead of dropping.
            self._log = mllog.ModelLogger(
                self._card.model,
                version=self._card.version,
                card=self._card,
                sink=self._sink,
                spool=self._spool,
                clock=self._clock,
                environment=self._manifests[environment],
                service="demo",
                overflow="block",
            )
        return self._log

    def _close_hour(self, log: mllog.ModelLogger, now: int) -> None:
        """Labels that came, the step of the pipeline that made the inputs, a KPI and a cost."""
        on_time = self.labels_until(now)
        log.step("join weather and aircraft", rows_in=self._served, rows_out=self._served, at=now)
        log.kpi("on-time arrivals", on_time, unit="flights", at=now)
        log.cost("serving", COST * self._served, unit="USD", at=now)
        self._served = 0


def environments() -> tuple[Manifest, Manifest]:
    """This process's manifest, and the same with one package at another version."""
    usual = current()
    return usual, usual.replace(packages={**usual.packages, CHANGED_PACKAGE[0]: CHANGED_PACKAGE[1]})
