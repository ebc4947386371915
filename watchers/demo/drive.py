"""The demonstration's drive: flights scored in event time, logged as any service logs, judged as any stream."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pandas as pd

from mllog.card import ModelCard
from mllog.errors import StoreError
from mllog.stamps import moment
from watchers.demo import faults as planted
from watchers.demo.faults import Fault
from watchers.demo.flights import FEATURES, load
from watchers.demo.model import Models, score, train
from watchers.demo.replay import requests
from watchers.demo.service import Service
from watchers.schedule import RunReport, run
from watchers.stores import FilesStore, Store

MODEL: Final = "flight-delay"
OTHER: Final = "flight-delay-hour"
VERSION: Final = "2013.01.28"
ZONE: Final = ZoneInfo("America/New_York")
TRAINING: Final = (dt.datetime(2013, 1, 1, tzinfo=ZONE), dt.datetime(2013, 1, 29, tzinfo=ZONE))
SERVING: Final = (dt.datetime(2013, 1, 29, tzinfo=ZONE), dt.datetime(2013, 4, 15, tzinfo=ZONE))
SHIPPING: Final = "ship the events to Elasticsearch"

Progress = Callable[[str, int, int], None]
"""Told of (what is done, steps done, steps to do)."""


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


def replay(stream: pd.DataFrame, card: ModelCard, folder: Path, seed: int, tell: Progress) -> int:
    """Log the stream through :class:`mllog.ModelLogger`, labels when they are known; returns how many predictions."""
    service = Service(card, folder)
    total = len(stream)
    done = 0
    for done, request in enumerate(requests(stream, seed), 1):
        service.serve(request)
        if done % 1000 == 0 or done == total:
            tell("log the predictions", done, total)
    service.close(moment(SERVING[1]))
    return done
