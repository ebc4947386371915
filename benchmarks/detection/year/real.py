"""Real months: the flights of New York hour by hour through ``watchers run``, nothing planted.

What opens on a calm day is a false page, unless somebody can say what it found; the titles stand in the JSON.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any, Final

import pandas as pd

import watchers
from benchmarks.detection.datasets import DAY, TIME, load
from benchmarks.detection.datasets.flights import WEATHER, calm_days
from benchmarks.detection.memory import HOUR, MemoryStore
from mllog import ModelCard
from watchers import Window, WindowProfile
from watchers.config import Config
from watchers.schedule import run

TRAINING: Final = dt.timedelta(days=28)
MISSING: Final = frozenset({"missing", "vanished"})
WEEK: Final = dt.timedelta(days=7)


class RealHours:
    """Hourly profiles of the flights from 29 January on.

    Args:
        weeks: How many; at most what the year has.
    """

    def __init__(self, weeks: int) -> None:
        self.data = load("flights")
        frame = self.data.frame[self.data.columns]
        start = frame[TIME].iloc[0].floor("D").to_pydatetime()
        self.first = start + TRAINING
        self.last = min(self.first + weeks * WEEK, frame[TIME].iloc[-1].floor("h").to_pydatetime()) - HOUR
        self.card = ModelCard.from_frame(
            frame[frame[TIME] < self.first],
            "flights",
            "1",
            text=self.data.texts,
            segments=self.data.segments,
            time=TIME,
            time_zone=self.data.zone,
        )
        self.hours = dict(tuple(frame.groupby(frame[TIME].dt.floor("h"), sort=True)))

    def __iter__(self) -> Iterator[WindowProfile]:
        """Hour by hour, empty ones too."""
        at = self.first
        while at <= self.last:
            window = Window(at, at + HOUR)
            part = self.hours.get(pd.Timestamp(at))
            if part is None:
                yield WindowProfile(self.card.model, self.card.ruler.hash, window)
            else:
                profile = watchers.profile(part, self.card, time=TIME)
                profile.window = window
                yield profile
            at += HOUR


def real(weeks: int) -> dict[str, Any]:
    """Pages on calm days, and storm days with a page or an alert."""
    source = RealHours(weeks)
    store = MemoryStore(source.card, source, (source.first, source.last))
    started = time.process_time()
    report = run(store, source.last + HOUR + Config().lateness)
    cpu = time.process_time() - started
    zone = source.data.zone
    calm = set(calm_days(source.data))
    days = source.data.frame[[TIME, DAY]]
    days = days[(days[TIME] >= source.first) & (days[TIME] < source.last + HOUR)][DAY].unique()

    def day_of(moment: dt.datetime) -> str:
        return pd.Timestamp(moment).tz_convert(zone).strftime("%Y-%m-%d")

    pages = [event for event in report.events if event.kind in {"opened", "reopened"}]
    false = [event for event in pages if day_of(event.at - HOUR) in calm]
    # Stations fall silent and fronts pass: such pages are true, and a table tells them from the others.
    weather = [event for event in false if set(event.data.get("features", [])) <= set(WEATHER)]
    # Values that were missing were missing: a station's, or those of flights that were cancelled.
    missing = [event for event in false if set(event.data.get("checks", [])) <= MISSING]
    explained = {id(event) for event in (*weather, *missing)}
    calm_count = sum(day in calm for day in days)
    return {
        "noise": "flights",
        "seed": 0,
        "hours": round((source.last + HOUR - source.first) / HOUR),
        "pages": len(pages),
        "calm_days": calm_count,
        "false_pages": len(false),
        "weather_pages": len(weather),
        "missing_pages": len(missing),
        "per_28_calm_days": 28 * len(false) / calm_count if calm_count else None,
        "unexplained_per_28": 28 * (len(false) - len(explained)) / calm_count if calm_count else None,
        "titles": [f"{event.at:%Y-%m-%d %H}h {event.data.get('title', '')}" for event in false],
        "others": [f"{event.at:%Y-%m-%d %H}h {event.data.get('title', '')}" for event in pages if event not in false],
        "cpu": cpu,
    }
