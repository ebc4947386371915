"""Busy hours are counted by other aggregations than thin ones, and the counts are the same."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from mllog.card import ModelCard
from mllog.environment import Manifest
from mllog.logger import ModelLogger
from watchers.stores.elastic import counting

START = dt.datetime(2026, 3, 6, 22, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
HOURS = 5
"""Of which one is empty."""


def test_busy_hours(stand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many events are called many, and however many hours a search has."""
    n = 200
    draw = np.random.default_rng(1)
    rows = {"number": draw.normal(size=n).tolist(), "carrier": draw.choice(["UA", "AA"], n).tolist()}
    card = ModelCard.from_frame(rows, "model", "1", segments=["carrier"])
    place = stand.place()
    with ModelLogger("model", version="1", card=card, sink=place, environment=Manifest(python="3")) as log:
        for k in range(n):
            hour = k % HOURS
            if hour != 2:
                values = {name: column[k] for name, column in rows.items()}
                log.prediction(values, 0.5, time=START + hour * HOUR + k * dt.timedelta(seconds=10))
    store = stand.open(place)

    def profiles() -> list[dict[str, Any]]:
        found = store.profiles("model", card.ruler, START, START + HOURS * HOUR)
        return [profile.to_dict(card.ruler) for profile in found]

    monkeypatch.setattr(counting, "DENSE", n)
    thin = profiles()
    assert [profile["n"] for profile in thin] == [40, 40, 0, 40, 40]
    monkeypatch.setattr(counting, "DENSE", 1)
    for together in (1, 2, HOURS):
        monkeypatch.setattr(counting, "TOGETHER", together)
        assert profiles() == thin
