"""Traffic that goes on: the flights of 2013 moved to this year, first some weeks at once, then each at its time.

Whole weeks are skipped, by the clock of New York, so that hours of the day and days of the week stay what they were.
Ten weeks of flights follow each other for ever. The faults of the demonstration are planted in them, and one begins
just before now, for the dashboards to show.
"""

import datetime as dt
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from mllog.errors import StoreError
from mllog.files import replace as replace_file
from mllog.places import Place, parse
from mllog.shipping import inspect
from mllog.stamps import moment
from watchers.demo import faults as planted
from watchers.demo.drive import SERVING, TRAINING, ZONE, make_cards
from watchers.demo.faults import Fault
from watchers.demo.flights import load
from watchers.demo.model import Models, train
from watchers.demo.replay import Request, requests
from watchers.demo.service import Service

CYCLE: Final = dt.timedelta(weeks=10)
"""After so long the flights begin again."""

RECENT_FLIGHTS: Final = 200
"""So many flights ago the newest fault began: some hours by day."""

CLOSE_SECONDS: Final = 10.0
"""Whoever stops it has to leave it so much time: what is remembered is remembered after that."""

_NAP: Final = 0.2
_INSTANT: Final = dt.timedelta(microseconds=1)
_SAVED_LIVE: Final = dt.timedelta(minutes=1)
_SAVED_BEFORE: Final = dt.timedelta(days=1)
_LABELS_WAIT: Final = dt.timedelta(days=2)
"""No flight arrives later than that."""


@dataclass(slots=True)
class Progress:
    """What is remembered between two starts of the traffic.

    Attributes:
        weeks: By how many the flights of the first cycle are moved.
        start: What lies before is left out.
        recent: When the newest fault began, in the time of the flights (2013).
        until: Everything before is served.
        delivered: Whether the weeks before the first start have arrived.
    """

    weeks: int
    start: dt.datetime
    recent: dt.datetime
    until: dt.datetime
    delivered: bool = False

    @classmethod
    def load(cls, file: Path) -> "Progress | None":
        """From a file; None where there is none.

        Raises:
            StoreError: It isn't readable.
        """
        try:
            held = json.loads(file.read_text())
            times = {name: dt.datetime.fromisoformat(held[name]) for name in ("start", "recent", "until")}
            return cls(weeks=int(held["weeks"]), delivered=bool(held["delivered"]), **times)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{file} isn't readable ({error}); delete it, and the traffic begins anew: with its weeks of history"
            ) from error

    def save(self, file: Path) -> None:
        """Into a file, at once or not at all."""
        held = {
            "weeks": self.weeks,
            "start": self.start.isoformat(),
            "recent": self.recent.isoformat(),
            "until": self.until.isoformat(),
            "delivered": self.delivered,
        }
        replace_file(file, json.dumps(held, indent=1).encode())


class Traffic:
    """Predictions, labels and the rest, as one service would log them.

    Args:
        place: Where the logger writes: a folder, or ``logstash+https://HOST:PORT`` and the like.
        out: Folder for the cards (``cards/``), the spool and what is remembered.
        days: How many days before now are logged first; 0: none.
        seed: Of the faults.
        tell: Told of (what is done, steps done, steps to do).
        clock: The moment.
        stop: Asked whether to come to an end.

    Raises:
        PlaceError: A logger can't write there.
        StoreError: What is remembered can't be read.
    """

    def __init__(
        self,
        place: str | Place,
        out: Path,
        *,
        days: int,
        seed: int = 0,
        tell: Callable[[str, int, int], None] = lambda *_: None,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._place = parse(place) if isinstance(place, str) else place
        self._out, self._seed = out, seed
        self._tell, self._clock, self._stop = tell, clock, stop
        self._file = out / "traffic.json"
        self._labelled = dt.datetime.min.replace(tzinfo=dt.UTC)
        tell("read the flights of New York, 2013, and train the models", 0, 1)
        flights = load(carry_hours=1)
        self._frame = flights[(flights["time"] >= SERVING[0]) & (flights["time"] < SERVING[0] + CYCLE)]
        training = flights[(flights["time"] >= TRAINING[0]) & (flights["time"] < TRAINING[1])]
        self._models: Models = train(training)
        self.cards = make_cards(training, self._models)
        tell("read the flights of New York, 2013, and train the models", 1, 1)
        (out / "cards").mkdir(parents=True, exist_ok=True)
        for card in self.cards:
            card.save(out / "cards" / f"{card.model}.json")
        self.progress = Progress.load(self._file) or self._first(days)

    @property
    def faults(self) -> list[Fault]:
        """What is planted in the first cycle, at this year's times."""
        weeks = self.progress.weeks
        return [replace(f, start=_moved(f.start, weeks), end=_moved(f.end, weeks)) for f in self._planted(recent=True)]

    def run(self) -> int:
        """Log the history, then each flight at its time, until it is told to stop; how many predictions.

        Raises:
            RuntimeError: Events were lost.
        """
        folder = self._out / "spool"
        service = Service(self.cards[0], self._place, None if self._is_folder else folder)
        began, served = self._clock(), 0
        saved = at = self.progress.until
        try:
            for request in self._requests():
                if request.time < self.progress.until:
                    # Served before the last stop, but its label is still to come.
                    service.expect(request, after=self.progress.until)
                    continue
                if request.time > began and not self.progress.delivered:
                    self._deliver(service, folder)
                if not self._reached(request.time, service):
                    at = max(at, self._labelled)
                    break
                service.serve(request)
                served, at = served + 1, request.time + _INSTANT
                if at - saved >= (_SAVED_LIVE if self.progress.delivered else _SAVED_BEFORE):
                    service.flush()
                    saved = self._remember(at)
                if not self.progress.delivered:
                    self._tell("log the days before now", *self._share(at, began))
        finally:
            service.close(moment(at), timeout=CLOSE_SECONDS)
            self._remember(at)
        return served

    @property
    def _is_folder(self) -> bool:
        return self._place.kind == "file"

    def _first(self, days: int) -> Progress:
        now = self._clock()
        start = now - dt.timedelta(days=days)
        weeks = int((start - SERVING[0]) // dt.timedelta(weeks=1))
        before = self._frame["time"][[_moved(time, weeks) <= now for time in self._frame["time"]]]
        recent = before.iloc[-min(RECENT_FLIGHTS, len(before))].to_pydatetime().replace(minute=0)
        return Progress(weeks, start, recent, start)

    def _planted(self, *, recent: bool) -> list[Fault]:
        plan = planted.plan(self._seed)
        if not recent:
            return plan
        kind = next(fault for fault in plan if fault.name == "null-for-origin")
        start = self.progress.recent
        newest = replace(kind, start=start, end=start + dt.timedelta(hours=24))
        # One at a time, or nobody could tell which is which; and what begins just now is over before the next.
        calm = [f for f in plan if f.end < start - _LABELS_WAIT or f.start > newest.end + _LABELS_WAIT]
        return [*calm, newest]

    def _requests(self) -> Iterator[Request]:
        """All of them from the history's first on, for ever."""
        for cycle in itertools.count():
            stream = planted.apply(self._planted(recent=cycle == 0), self._frame, self._models, self._seed)
            stream = _move(stream, self.progress.weeks + cycle * (CYCLE // dt.timedelta(weeks=1)))
            earliest = max(self.progress.start, self.progress.until - _LABELS_WAIT)
            yield from requests(stream[stream["time"] >= earliest].reset_index(drop=True), self._seed)

    def _reached(self, time_: dt.datetime, service: Service) -> bool:
        """Wait for a moment, and log the labels that come meanwhile; false where it is to stop."""
        while not self._stop():
            now = self._clock()
            if time_ <= now:
                return True
            service.labels_until(moment(now))
            self._labelled = now
            time.sleep(min(_NAP, (time_ - now).total_seconds()))
        return False

    def _deliver(self, service: Service, folder: Path) -> None:
        """Wait until the history is where it is watched: whoever looks now sees it whole."""
        service.flush()
        total = None
        while not self._is_folder and not self._stop():
            waiting = sum(status.pending_lines for status in inspect(folder))
            total = total or waiting
            self._tell("deliver them", total - waiting, total)
            if not waiting:
                break
            time.sleep(_NAP)
        if self._stop() and not self._is_folder:
            # It may not be there yet: the next start goes on waiting.
            return
        self.progress.delivered = True
        self._remember(self.progress.until)

    def _share(self, at: dt.datetime, began: dt.datetime) -> tuple[int, int]:
        return int((at - self.progress.start).total_seconds()), int((began - self.progress.start).total_seconds())

    def _remember(self, until: dt.datetime) -> dt.datetime:
        self.progress.until = until
        self.progress.save(self._file)
        return until


def _moved(time_: dt.datetime, weeks: int) -> dt.datetime:
    """A moment whole weeks later by the clock of New York."""
    local = time_.astimezone(ZONE).replace(tzinfo=None) + dt.timedelta(weeks=weeks)
    return local.replace(tzinfo=ZONE).astimezone(dt.UTC)


def _move(stream: pd.DataFrame, weeks: int) -> pd.DataFrame:
    """Flights whole weeks later by the clock of New York; a flight's id begins with its day there."""
    moved = stream.copy()
    for column in ("time", "label_time"):
        local = stream[column].dt.tz_convert(ZONE.key).dt.tz_localize(None) + pd.Timedelta(weeks=weeks)
        # In the hour that the clocks go through twice it is the first time, as with datetime's fold of 0.
        first = np.ones(len(local), dtype=bool)
        there = local.dt.tz_localize(ZONE.key, ambiguous=first, nonexistent="shift_forward")
        moved[column] = there.dt.tz_convert("UTC")
    days = moved["time"].dt.tz_convert(ZONE.key).dt.strftime("%Y%m%d")
    moved["flight_id"] = days + stream["flight_id"].str.slice(8)
    return moved
