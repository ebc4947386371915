"""Events that sampling kept by a rule can be found and aren't counted; those of the draw stand for the traffic."""

from __future__ import annotations

import datetime as dt
import math
import random
from typing import TYPE_CHECKING, Any

import pytest

import mllog
from mllog.card import ModelCard
from mllog.environment import Manifest
from mllog.logger import ModelLogger
from watchers.finding import Window
from watchers.profile import WindowProfile, merge
from watchers.stores.base import DocumentQuery

if TYPE_CHECKING:
    from collections.abc import Iterator

START = dt.datetime(2026, 3, 6, 10, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
EVENTS = 6000


def traffic(n: int) -> Iterator[tuple[dict[str, Any], dict[str, Any], bool]]:
    """Inputs, output and failure of predictions; 4 % fail, half a percent is of a rare class."""
    draw = random.Random(7)
    for _ in range(n):
        failed = draw.random() < 0.04
        label = "rare" if draw.random() < 0.005 else draw.choice(["late", "on time"])
        carrier = draw.choices(["UA", "AA", "ZZ", None], [0.6, 0.3, 0.02 + 0.2 * failed, 0.08])[0]
        inputs = {"carrier": carrier, "distance": draw.lognormvariate(6, 1), "remarks": draw.choice(["late", "gate", "unheard of"])}
        yield inputs, {"label": label, "score": draw.random()}, failed


def card() -> ModelCard:
    """A card of such traffic, without the carrier ZZ."""
    rows = [row for row in traffic(2000) if row[0]["carrier"] != "ZZ"]
    frame: dict[str, Any] = {name: [inputs[name] for inputs, _, _ in rows] for name in ("carrier", "distance")}
    frame["remarks"] = ["late at gate"] * len(rows)
    frame["label"] = [output["label"] for _, output, _ in rows]
    return ModelCard.from_frame(frame, "model", "1", target="label", text=["remarks"], segments=["carrier"])


def write(place: str, sampling: Any, given: ModelCard | None) -> list[str]:
    """Log the traffic; ids of all events, kept or not."""
    with ModelLogger(
        "model", version="1", card=given, sink=place, sampling=sampling, environment=Manifest(), clock=lambda: int(START.timestamp()) * 10**9
    ) as log:
        return [
            log.prediction(inputs, output, id=f"p{k}", outcome="failure" if failed else "success")
            for k, (inputs, output, failed) in enumerate(traffic(EVENTS))
        ]


def profile_of(store: Any, given: ModelCard) -> WindowProfile:
    """The hour's profile."""
    return merge(store.profiles("model", given.ruler, START, START + HOUR))


@pytest.mark.parametrize("measured", [True, False], ids=["by the card's ruler", "by none"])
def test_shares_are_those_of_all_traffic(stand: Any, measured: bool) -> None:
    """A fifth of the traffic, with every failure and every rare class besides, gives the shares of all of it."""
    given = card()
    whole, part = stand.place(), stand.place()
    write(whole, None, given if measured else None)
    write(part, mllog.Sampling(rate=0.2), given if measured else None)
    everything, sampled = profile_of(stand.open(whole), given), profile_of(stand.open(part), given)
    assert everything.n == EVENTS
    assert abs(sampled.n - EVENTS / 5) < 4 * math.sqrt(EVENTS * 0.2 * 0.8)
    full, drawn = everything.total(), sampled.total()
    far = {}
    for i, key in enumerate(given.ruler.cells):
        if key[1] in {"tokens", "unseen_tokens"}:
            continue
        share = full[i] / everything.n
        # A share of a fifth of a finite population; 5 deviations, since there are many cells.
        deviation = math.sqrt(share * (1 - share) / sampled.n * 0.8)
        if abs(drawn[i] / sampled.n - share) > 5 * deviation + 1e-12:
            far[key] = (share, drawn[i] / sampled.n)
    assert far == {}
    assert full[given.ruler.index["", "failure", ""]] > 200


@pytest.mark.parametrize("measured", [True, False], ids=["by the card's ruler", "by none"])
def test_tails_are_found_and_not_counted(stand: Any, measured: bool) -> None:
    """Events that only a rule kept are in searches, documents and shows, and in no count, no name and no sample."""
    given, place = card(), stand.place()
    ids = write(place, mllog.Sampling(rate=1e-12), given if measured else None)
    failures = [k for k, (_, _, failed) in enumerate(traffic(EVENTS)) if failed]
    store = stand.open(place)
    profile = profile_of(store, given)
    assert profile.n == 0
    assert not profile.total().any()
    assert not profile.names
    assert store.sample("model", START, START + HOUR, 10) == []
    (event,) = store.events_of(f"p{failures[0]}")
    assert event["ml"]["sample"] == "tail"
    assert event["ml"]["weight"] == 1
    assert set(store.events([ids[k] for k in failures])) == {ids[k] for k in failures}
    window = Window(START, START + HOUR)
    assert len(store.documents("model", window, DocumentQuery("any", None), None, 10)) == 10
    if measured:
        found = store.documents("model", window, DocumentQuery("unseen", "carrier", ("ZZ",)), None, 5)
        assert found
        assert {event["ml"]["inputs"]["keyword"]["carrier"] for event in store.events(found).values()} == {"ZZ"}
