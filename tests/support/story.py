"""Nine days of the demonstration's flights with every fault in the last days, in two stores: for dashboards to show.

The other things that a dashboard may show happen too: failing requests, an event that is refused, a model that nobody can
judge yet.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import mllog
from mllog.elastic.client import connect
from mllog.elastic.setup import ensure
from mllog.environment import Manifest
from mllog.events import dataset
from mllog.places import parse
from mllog.shipping.destinations import open_destination
from mllog.shipping.shipper import Shipper
from mllog.stamps import moment
from watchers.config import Config
from watchers.demo import faults as planted
from watchers.demo.drive import MODEL, SERVING, TRAINING, make_cards
from watchers.demo.flights import load
from watchers.demo.model import train
from watchers.demo.replay import requests
from watchers.demo.service import Service
from watchers.pulse import watched
from watchers.schedule import run
from watchers.stores import open_store

HOUR = dt.timedelta(hours=1)
DAYS = 9
START = SERVING[0]
END = START + DAYS * 24 * HOUR
REFUSED = "another-service-1"
SHOWN = 4
"""The last days, in which everything happens."""

YOUNG = "<img src=x onerror=alert(1)>"
"""A model that is too young to be judged; its name is text, whatever it looks like."""

TIMES = {
    # name of the fault -> day and hour of its beginning, hours that it lasts
    "null-for-origin": (5, 6, 16), "rename": (8, 14, 10), "case": (6, 6, 8), "unit": (7, 14, 8),
    "vocabulary": (7, 6, 10), "latency": (8, 16, 6), "category-share": (8, 6, 6), "dependency": (7, 0, 24),
    "wrong-model": (6, 14, 8),
}  # fmt: skip


FLIGHT = {
    "carrier": "UA", "origin": "EWR", "dest": "ORD", "engine": "Turbo-fan", "tailnum": "N14228", "distance": 719,
    "scheduled_minutes": 150.0, "seats": 149, "plane_year": 1999, "visibility": 10.0, "remarks": "gate held",
}  # fmt: skip


def tell(folder: Path, place: str) -> list[mllog.ModelCard]:
    """Log, ship and judge it all, on the cluster and in the folder; the cards of the two models."""
    flights = load(carry_hours=1)
    training = flights[(flights["time"] >= TRAINING[0]) & (flights["time"] < TRAINING[1])]
    frame = flights[(flights["time"] >= START) & (flights["time"] < END)].reset_index(drop=True)
    models = train(training)
    cards = make_cards(training, models)
    faults = [
        replace(fault, start=START + (24 * day + hour) * HOUR, end=START + (24 * day + hour + hours) * HOUR)
        for fault in planted.plan(0)
        if fault.name in TIMES
        for day, hour, hours in [TIMES[fault.name]]
    ]
    service = Service(cards[0], folder)
    for request in requests(planted.apply(faults, frame, models, 0), 0):
        service.serve(request)
    service.close(moment(END))
    _fail(folder, cards[0])
    _refused(folder)
    ensure(connect(place))
    shipper = Shipper(folder, open_destination(parse(place), parallel=True), give_up=60.0)
    shipper.run()
    assert shipper.reason is None, shipper.reason
    assert shipper.counts.dead == 1
    # No index took it, so it isn't judged.
    shutil.rmtree(folder / REFUSED)
    for told in (place, str(folder)):
        _judge(told, cards[1])
    return cards


def _judge(place: str, card: mllog.ModelCard) -> None:
    store = open_store(place)
    store.refresh()
    config = Config()
    now = END + HOUR / 4
    watched(store, lambda: run(store, now, cards=[card], config=config), clock=lambda: now, interval=HOUR, config=config)
    store.refresh()


def _fail(folder: Path, card: mllog.ModelCard) -> None:
    """Requests that fail, what the process used, and a model that is too young to be judged."""
    clock = [0]
    manifest = Manifest(python="3", packages={"numpy": "2.4.6"})

    def log(model: str, **more: object) -> mllog.ModelLogger:
        return mllog.ModelLogger(
            model, version="2", sink=str(folder), clock=lambda: clock[0], environment=manifest, overflow="block", **more
        )  # type: ignore[arg-type]

    with log(card.model, resources=0.5) as failing, log(YOUNG) as young:
        clock[0] = moment(END - 3 * HOUR)
        time.sleep(1.5)
        for k in range(40):
            clock[0] = moment(END - 20 * HOUR + k * HOUR / 4)
            failing.prediction({**FLIGHT, "distance": 700 + k}, None, f"failed-{k}", error=TimeoutError("the feature store"))
            clock[0] = moment(END - 2 * HOUR + k * HOUR / 40)
            young.prediction({"amount": float(k)}, {"label": "ok", "score": 0.5}, f"young-{k}")


def _refused(folder: Path) -> None:
    """An event that no index takes: an object where a word must be."""
    process = folder / REFUSED
    process.mkdir()
    stream = dataset("prediction", MODEL)
    event = {
        "@timestamp": (END - HOUR).isoformat(),
        "data_stream": {"type": "logs", "dataset": stream, "namespace": os.environ["MLLOG_NAMESPACE"]},
        "event": {"id": "refused-1", "action": "predict", "dataset": stream},
        "ml": {"model": {"name": MODEL, "version": "1", "role": {"what": "is this"}}},
    }
    (process / "00000001.ndjson").write_text(json.dumps(event) + "\n")
