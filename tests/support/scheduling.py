"""Schedulers as processes, with clocks that are off and that run fast, so that days pass in seconds.

Run as ``python -m support.scheduling JSON``; see :class:`Settings`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from support.processes import environment

if TYPE_CHECKING:
    from watchers.config import Config


@dataclass(frozen=True)
class Settings:
    """Of a scheduler.

    Attributes:
        place: Its store.
        url: Apprise URL of who is told.
        begin: The first moment of its time, seconds since 1970 ...
        began: ... and the real moment that it belongs to, by a clock that is right.
        hour: Real seconds of an hour.
        every: Real seconds between two runs.
        lease: Real seconds of a lease.
        skew: Real seconds by which its clock is off.
        namespace: Of the events in an Elasticsearch.
        log: A file to which it writes ``[real moment, hours judged, models that others are at]`` for each run.
    """

    place: str
    url: str
    begin: float
    began: float
    hour: float
    every: float
    lease: float
    skew: float = 0.0
    log: str = os.devnull
    namespace: str = "default"

    def now(self, real: float) -> dt.datetime:
        """What its clock shows."""
        return dt.datetime.fromtimestamp(self.begin + (real + self.skew - self.began) * 3600 / self.hour, dt.UTC)

    def config(self) -> Config:
        """What it judges by."""
        from watchers.config import Config
        from watchers.notify import routes

        return Config(
            lengths=((1, 1),),
            lateness=dt.timedelta(0),
            lease=dt.timedelta(seconds=self.lease),
            retry=dt.timedelta(days=1000),
            notify=tuple(routes([self.url], {})),
        )

    def start(self) -> subprocess.Popen[bytes]:
        """A process of it; what it says of errors goes to the log with the suffix ``.err``."""
        path = os.pathsep.join([environment()["PYTHONPATH"], str(pathlib.Path(__file__).parents[1])])
        with pathlib.Path(f"{self.log}.err").open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "support.scheduling", json.dumps(asdict(self))],
                stdout=subprocess.DEVNULL, stderr=errors, env={**environment(), "PYTHONPATH": path, "MLLOG_NAMESPACE": self.namespace},
            )  # fmt: skip


def main() -> None:
    """Schedule until SIGTERM."""
    from watchers.scheduler import Scheduler
    from watchers.stores import _leases, open_store

    settings = Settings(**json.loads(sys.argv[1]))
    # As on machines of their own: that a holder is gone must be found out by watching its lease.
    _leases.is_gone = lambda _: False

    def note(line: list[Any]) -> None:
        with pathlib.Path(settings.log).open("a") as file:
            file.write(json.dumps(line) + "\n")

    scheduler = Scheduler(
        lambda: open_store(settings.place),
        every=dt.timedelta(seconds=settings.every),
        done=lambda _, report: note([time.time(), sum(report.hours.values()), report.held]),
        failed=lambda why: note([time.time(), why, []]),
        config=settings.config(),
        clock=lambda: settings.now(time.time()),
    )
    signal.signal(signal.SIGTERM, lambda *_: scheduler.stop())
    scheduler.run()


def lines(log: pathlib.Path) -> list[list[Any]]:
    """What a scheduler noted."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


if __name__ == "__main__":
    main()
