"""A small stream of predictions of a service that breaks: for tests of what happens around the judging."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Any

from mllog.card import ModelCard
from mllog.environment import Manifest
from mllog.logger import ModelLogger

if TYPE_CHECKING:
    from pathlib import Path

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
CARRIERS = ("UA", "AA", "DL")


def rows(seed: int, n: int) -> list[dict[str, Any]]:
    """Inputs of ``n`` requests."""
    draw = random.Random(seed)
    distances = [draw.lognormvariate(6, 1) for _ in range(n)]
    return [
        {
            "carrier": draw.choice(CARRIERS),
            "distance": distance,
            "fare": 20 + distance / 10 + draw.gauss(0, 5),
            "delay": draw.gauss(10, 5),
            "remarks": draw.choice(["late at gate", "gate change", "late"]),
            "crew": draw.random() < 0.3,
        }
        for distance in distances
    ]


def card_of(model: str) -> ModelCard:
    """The card of such a model."""
    training = rows(1, 3000)
    frame = {name: [row[name] for row in training] for name in training[0]}
    return ModelCard.from_frame(frame, model, "1", text=["remarks"], segments=["carrier"])


def serve(
    folder: Path, model: str, *, hours: int, each: int = 60, broken: int | None = None, first: int = 0,
    card: ModelCard | None = None, namespace: str = "default", seed: int = 2,
) -> list[str]:  # fmt: skip
    """Log ``each`` predictions an hour, from hour ``first`` on; ids. From hour ``broken`` on ``distance`` isn't sent."""
    ids = []
    clock = [int(START.timestamp() * 1e9)]
    with ModelLogger(
        model, version="1", card=card, sink=str(folder), namespace=namespace, clock=lambda: clock[0],
        environment=Manifest(python="3", packages={"numpy": "2.4.6"}), overflow="block",
    ) as log:  # fmt: skip
        for hour in range(first, first + hours):
            for k, row in enumerate(rows(seed * 100_000 + hour, each)):
                time = START + hour * HOUR + k * HOUR / each
                clock[0] = int(time.timestamp() * 1e9)
                if broken is not None and hour >= broken:
                    del row["distance"]
                ids.append(log.prediction(row, {"label": "late" if row["delay"] > 10 else "on time", "score": 0.5}))
    return ids
