"""Models of a fleet: a card each, four weeks of stored hours, and one new hour of events."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.elasticsearch.data import Shape, card, frame, log
from mllog.card import ModelCard
from mllog.ruler import CellKey
from watchers.finding import Window
from watchers.incidents import Engine
from watchers.profile import ALL, WindowProfile
from watchers.running import IMMEDIATE
from watchers.stores.elastic import ElasticsearchStore

SHAPE: Final = Shape(7, 3, 0)
START: Final = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
"""The new hour; it doesn't end with a day, which most hours don't."""

HOUR: Final = dt.timedelta(hours=1)
DAYS: Final = 28
KINDS: Final = 10
"""Different histories; models take turns."""


def name(k: int) -> str:
    """Of the k-th model."""
    return f"model-{k:04d}"


def made(model: str, like: ModelCard) -> ModelCard:
    """The card of a model: models of a fleet are often alike."""
    return ModelCard(model, "1", like.ruler, like.training)


def template() -> ModelCard:
    """The card that the others are like."""
    return card("template", SHAPE)


def write_events(folder: Path, models: int, events: int, like: ModelCard, namespace: str) -> None:
    """Each model's new hour, a logger each, into one spool."""
    for k in range(models):
        log(folder, frame(100 + k, events, SHAPE), made(name(k), like), span=HOUR, start=START, namespace=namespace)


def hours(like: ModelCard, events: int, seed: int) -> list[WindowProfile]:
    """Four weeks of hours before the new one, each with counts as that many events of training would have."""
    draw = np.random.default_rng(seed)
    ruler, training = like.ruler, sum((Counter(counts) for counts in like.training.values()), Counter[CellKey]())
    hours_ = 24 * DAYS
    counts = np.zeros((hours_, len(ruler.cells)), dtype=np.int64)
    counts[:, 0] = events
    for feature in ruler.features:
        cells = [cell for cell in feature.cells() if cell[1] in {"bin", "category", "missing"}]
        usual = np.array([training[cell] for cell in cells], dtype=np.float64)
        if usual.sum():
            counts[:, [ruler.index[cell] for cell in cells]] = draw.multinomial(events, usual / usual.sum(), hours_)
    profiles = []
    for k, row in enumerate(counts):
        start = START - (hours_ - k) * HOUR
        profile = WindowProfile(like.model, ruler.hash, Window(start, start + HOUR))
        profile.add(ruler.stratum(start), ALL, row)
        profile.count("version", "1", events)
        profiles.append(profile)
    return profiles


def prepare(store: ElasticsearchStore, models: int, events: int, like: ModelCard) -> None:
    """Leave what four weeks of passes would have left: cards, stored hours and states.

    Documents for dashboards aren't written: there would be millions, and a pass doesn't read them.
    """
    engine = Engine.restore(like.model, [], None, immediate=IMMEDIATE).state()
    drawn = [hours(like, events, seed) for seed in range(KINDS)]
    models_ = [made(name(k), like) for k in range(models)]
    for own in models_:
        store.save_card(own)
        store.write_state(own.model, {"judged": START.isoformat(), "ruler": own.ruler.hash, "engine": engine})
    # Day by day: the hours of one model are far from each other, as passes leave them.
    for _, day in itertools.groupby(range(24 * DAYS), lambda hour: (START - (24 * DAYS - hour) * HOUR).date()):
        profiles = [replace(drawn[k % KINDS][hour], model=own.model) for hour in day for k, own in enumerate(models_)]
        store.keep_profiles(profiles, like.ruler)
