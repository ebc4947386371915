"""Cards that can't be read: they are named, and stop no other model."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from support.predictions import HOUR, START, plain, write

from mllog.card import ModelCard
from watchers.config import Config
from watchers.pulse import health, watched
from watchers.schedule import run

NOW = START + 3 * HOUR
CARD = ModelCard.from_frame({"n": [1.0, 2.0, 3.0], "c": ["UA", "AA", "UA"]}, "model", "1")
TWIN = replace(CARD, model="twin", version="7")
NAME = TWIN.file_name.removesuffix(".json")

BROKEN: dict[str, tuple[Any, str]] = {
    "nothing": (None, "card"),
    "half": ({**TWIN.to_dict(), "ruler": {"features": [{"name": "n"}]}}, "is a broken model card: field 'ruler'"),
    "edited": ({**TWIN.to_dict(), "ruler_hash": "0" * 16}, "it was edited"),
}


def judge(store: Any, **options: Any) -> Any:
    """One run, with what it leaves of itself."""
    return watched(store, lambda: run(store, NOW, **options), clock=lambda: NOW, interval=None, config=Config())


def two_models(stand: Any) -> tuple[str, Any]:
    """A place with an hour of each, and its store."""
    place = stand.place()
    for card in (CARD, TWIN):
        write(place, [plain(k) for k in range(30)], card, model=card.model, version=card.version)
    return place, stand.open(place)


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_a_broken_card_stops_its_own_model_alone(stand: Any, what: str) -> None:
    """The run names it, judges the others and leaves its sign of life; once the card is whole its model is judged too."""
    place, store = two_models(stand)
    body, said = BROKEN[what]
    stand.spoil(place, NAME, body)
    report = judge(store)
    assert report.judged.keys() == {"model"}
    (problem,) = report.unjudged
    assert problem.startswith("model 'twin': ")
    assert NAME in problem
    assert said in problem
    assert problem in report.problems
    assert [card.model for card in store.cards()] == ["model"]
    (held,) = store.problems()
    assert held in problem
    (sign,) = store.runs()
    assert sign["run"]["unjudged"] == [problem]
    found = health(store.runs(), NOW)
    assert found.state in {"lagging", "unknown"}
    assert NAME in found.message
    # By a card that is given it is judged meanwhile, and the broken one is named all the same.
    report = judge(store, cards=[TWIN])
    assert report.judged.keys() == {"model", "twin"}
    assert report.unjudged == [held]
    store.save_card(TWIN)
    assert judge(store).problems == []
    assert store.problems() == []


@pytest.mark.parametrize("name", ["somebody", f"somebody-{CARD.ruler.hash}"])
def test_what_is_nobodys_card_stops_nobody(stand: Any, name: str) -> None:
    """All models are judged, and the run says what lies there."""
    place, store = two_models(stand)
    stand.spoil(place, name, None)
    report = judge(store)
    assert report.judged.keys() == {"model", "twin"}
    assert report.unjudged == store.problems()
    (problem,) = report.unjudged
    assert name in problem
    assert "delete it" in problem


def test_the_newest_card_counts_where_one_is_broken(stand: Any) -> None:
    """A model isn't judged by an older card than the broken one, but by one that was saved since."""
    place, store = two_models(stand)
    older = ModelCard.from_frame({"n": [1.0, 2.0, 3.0, 9.0], "c": ["UA", "AA", "UA", "BB"]}, "twin", "6")
    stand.spoil(place, older.file_name.removesuffix(".json"), None)
    assert judge(store).judged.keys() == {"model"}
    assert [card.version for card in store.cards() if card.model == "twin"] == ["7"]
    store.save_card(older)
    assert judge(store).problems == []
    moment = dt.datetime.fromisoformat(store.state("twin")["judged"])
    assert moment > START
