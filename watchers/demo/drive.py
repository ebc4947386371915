"""The demonstration's drive: flights scored in event time, logged as any service logs, judged as any stream."""

from __future__ import annotations

import datetime as dt
import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pandas as pd

import mllog
from mllog.card import ModelCard
from mllog.environment import Manifest, current
from mllog.errors import StoreError
from mllog.stamps import moment
from watchers.demo import faults as planted
from watchers.demo.faults import Fault
from watchers.demo.flights import FEATURES, load
from watchers.demo.model import Models, score, train
from watchers.demo.replay import Request, requests
from watchers.schedule import RunReport, run
from watchers.stores import FilesStore, Store

MODEL: Final = "flight-delay"
OTHER: Final = "flight-delay-hour"
VERSION: Final = "2013.01.28"
ZONE: Final = ZoneInfo("America/New_York")
TRAINING: Final = (dt.datetime(2013, 1, 1, tzinfo=ZONE), dt.datetime(2013, 1, 29, tzinfo=ZONE))
SERVING: Final = (dt.datetime(2013, 1, 29, tzinfo=ZONE), dt.datetime(2013, 4, 15, tzinfo=ZONE))
CHANGED_PACKAGE: Final = ("scikit-learn", "1.3.9")
COST: Final = 0.0004
"""USD a prediction."""

SHIPPING: Final = "ship the events to Elasticsearch"

Progress = Callable[[str, int, int], None]
"""Told of (what is done, steps done, steps to do)."""


@dataclass(slots=True)
class Clock:
    """The logger's clock, set to the flight's time."""

    now: int = 0

    def __call__(self) -> int:
        """Nanoseconds since 1970."""
        return self.now


@dataclass(slots=True)
class Drive:
    """What the demonstration did.

    Attributes:
        faults: What was planted.
        frame: The flights that were served.
        cards: The served model's card, and that of the model that served by mistake.
        predictions: How many were logged.
        report: What the watchers found.
        store: Where it all is.
        logged: Seconds that logging took.
        shipped: Seconds that shipping to Elasticsearch took.
        judged: Seconds that judging took.
    """

    faults: list[Fault]
    frame: pd.DataFrame
    cards: list[ModelCard]
    predictions: int
    report: RunReport
    store: Store
    logged: float
    shipped: float
    judged: float


def drive(folder: Path, seed: int = 0, progress: Progress | None = None, place: str | None = None) -> Drive:
    """Replay the flights into ``folder`` with faults planted, and judge every hour of them.

    Args:
        folder: Where events go; it must be empty or not there.
        seed: Of the faults: another seed plants them elsewhere, on other days.
        progress: Told how far it is.
        place: An Elasticsearch that the events are shipped to, and judged in; without one that is the folder.

    Raises:
        mllog.errors.StoreError: It can't be reached, or didn't take every event.
    """
    tell = progress or (lambda *_: None)
    tell("read the flights of New York, 2013, and train the models", 0, 1)
    flights = load(carry_hours=1)
    training = flights[(flights["time"] >= TRAINING[0]) & (flights["time"] < TRAINING[1])]
    frame = flights[(flights["time"] >= SERVING[0]) & (flights["time"] < SERVING[1])].reset_index(drop=True)
    models = train(training)
    cards = make_cards(training, models)
    faults = planted.plan(seed)
    stream = planted.apply(faults, frame, models, seed)
    tell("read the flights of New York, 2013, and train the models", 1, 1)
    started = time.perf_counter()
    for card, name in zip(cards, ("card.json", "other-card.json"), strict=True):
        card.save(folder.parent / name)
    predictions = replay(stream, cards[0], folder, seed, tell)
    logged = judging = time.perf_counter()
    store: Store
    if place is None:
        store = FilesStore(folder)
    else:
        store = ship(folder, place, predictions, tell)
        judging = time.perf_counter()
    report = run(
        store,
        SERVING[1] + dt.timedelta(hours=1),
        cards=[cards[1]],
        progress=lambda _, done, total: tell("judge hour by hour", done, total),
    )
    return Drive(
        faults,
        frame,
        cards,
        predictions,
        report,
        store,
        logged=logged - started,
        shipped=judging - logged,
        judged=time.perf_counter() - judging,
    )


def ship(folder: Path, place: str, predictions: int, tell: Progress) -> Store:
    """Set an Elasticsearch up, bring what the logger wrote there, as ``mllog ship`` does, and open it as a store."""
    from mllog.elastic.client import connect, explained  # noqa: PLC0415 - of another extra
    from mllog.elastic.setup import ensure  # noqa: PLC0415
    from mllog.places import parse  # noqa: PLC0415
    from mllog.shipping.destinations import open_destination  # noqa: PLC0415
    from mllog.shipping.shipper import Shipper  # noqa: PLC0415
    from watchers.stores.elastic import ElasticsearchStore  # noqa: PLC0415

    with explained(place):
        ensure(connect(place))
    shipper = Shipper(folder, open_destination(parse(place), parallel=True), give_up=60.0)

    def shipped() -> None:
        tell(SHIPPING, min(shipper.counts.delivered, predictions), predictions)

    tell(SHIPPING, 0, predictions)
    shipper.run(progress=shipped)
    tell(SHIPPING, predictions, predictions)
    if shipper.reason or shipper.counts.dead:
        raise StoreError(shipper.reason or f"{shipper.counts.dead} events were refused; see {folder / '_dead'}")
    store = ElasticsearchStore(place)
    store.refresh()
    return store


def make_cards(training: pd.DataFrame, models: Models) -> list[ModelCard]:
    """The cards of the model that serves and of the one that serves by mistake."""
    frame = training[[*FEATURES, "time", "late"]]
    frame = frame.assign(late=frame["late"].map({True: "late", False: "on time"}))
    return [
        ModelCard.from_frame(
            frame,
            name,
            VERSION,
            target="late",
            predictions=score(model, training),
            text=["remarks"],
            segments=["carrier", "origin"],
            time="time",
            time_zone=ZONE.key,
        )
        for name, model in ((MODEL, models.right), (OTHER, models.wrong))
    ]


def environments() -> tuple[Manifest, Manifest]:
    """This process's manifest, and the same with one package at another version."""
    usual = current()
    return usual, usual.replace(packages={**usual.packages, CHANGED_PACKAGE[0]: CHANGED_PACKAGE[1]})


def replay(stream: pd.DataFrame, card: ModelCard, folder: Path, seed: int, tell: Progress) -> int:
    """Log the stream through :class:`mllog.ModelLogger`, labels when they are known; returns how many predictions."""
    clock = Clock()
    manifests = environments()
    service: _Service | None = None
    environment = -1
    waiting: list[_Label] = []
    total = len(stream)
    done = 0
    for done, request in enumerate(requests(stream, seed), 1):
        clock.now = moment(request.time)
        if request.environment != environment or service is None:
            # Another environment is another process: the service was deployed anew.
            if service is not None:
                service.close()
            environment = request.environment
            service = _Service(_logger(card, folder, clock, manifests[environment]), waiting)
        service.serve(request, clock.now)
        if done % 1000 == 0 or done == total:
            tell("log the predictions", done, total)
    if service is not None:
        service.labels_until(moment(SERVING[1]))
        service.close()
    return done


def _logger(card: ModelCard, folder: Path, clock: Clock, manifest: Manifest) -> mllog.ModelLogger:
    # A replay is faster than any service: it waits for the writer instead of dropping.
    return mllog.ModelLogger(
        MODEL,
        version=VERSION,
        card=card,
        sink=str(folder),
        clock=clock,
        environment=manifest,
        service="demo",
        overflow="block",
    )


_Label = tuple[int, str, str]
"""Nanoseconds when it is known, prediction id, true class."""


@dataclass(slots=True)
class _Service:
    """The service around the model: predictions, and once an hour what isn't a prediction."""

    log: mllog.ModelLogger
    waiting: list[_Label]
    hour: dt.datetime | None = None
    served: int = 0

    def serve(self, request: Request, now: int) -> None:
        """Answer one request; its label comes when the flight has arrived."""
        hour = request.time.replace(minute=0, second=0, microsecond=0)
        if hour != self.hour:
            self._close_hour(now)
            self.hour = hour
        self.served += 1
        output: dict[str, Any] = {"label": request.label, "score": request.score}
        self.log.prediction(request.inputs, output, request.prediction_id, latency=request.latency_seconds)
        if request.late is not None and request.label_time is not None:
            known = moment(request.label_time)
            heapq.heappush(self.waiting, (known, request.prediction_id, "late" if request.late else "on time"))

    def close(self) -> None:
        """Wait until everything is written, however busy the machine is.

        Raises:
            RuntimeError: events were lost; the demonstration would be of nothing.
        """
        self.log.close(timeout=None)
        status = self.log.status()
        if status.dropped or status.rejected or status.queued:
            raise RuntimeError(f"the replay lost events: {status}")

    def labels_until(self, now: int) -> int:
        """Log the labels that are known by now; how many of the flights were on time."""
        on_time = 0
        while self.waiting and self.waiting[0][0] <= now:
            known, flight, value = heapq.heappop(self.waiting)
            self.log.label(flight, value, at=known)
            on_time += value == "on time"
        return on_time

    def _close_hour(self, now: int) -> None:
        """Labels that came, the step of the pipeline that made the inputs, a KPI and a cost."""
        on_time = self.labels_until(now)
        self.log.step("join weather and aircraft", rows_in=self.served, rows_out=self.served, at=now)
        self.log.kpi("on-time arrivals", on_time, unit="flights", at=now)
        self.log.cost("serving", COST * self.served, unit="USD", at=now)
        self.served = 0
