from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mllog.card import ModelCard
from mllog.ruler import LATENCY, LATENCY_EDGES, SCORE, SCORE_EDGES, Feature, Ruler
from mllog.testing import Captured, capture_events

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    import os

    for name in [name for name in os.environ if name.startswith("MLLOG_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def ruler() -> Ruler:
    """One feature of each kind."""
    return Ruler(
        features=(
            Feature(
                "distance",
                "number",
                edges=(100.0, 1000.0),
                low=10.0,
                high=5000.0,
                sentinels=frozenset({"-999"}),
            ),
            Feature("carrier", "category", categories=("UA", "AA"), known=frozenset({"UA", "AA"})),
            Feature("hour", "category", categories=("7", "8"), known=frozenset({"7", "8"})),
            Feature("night", "boolean", categories=("false", "true"), known=frozenset({"false", "true"})),
            Feature("remarks", "text", vocabulary=frozenset({"late", "gate"})),
            Feature("embedding", "other"),
            Feature(SCORE, "number", edges=SCORE_EDGES),
            Feature(LATENCY, "number", edges=LATENCY_EDGES),
        )
    )


@pytest.fixture
def card(ruler: Ruler) -> ModelCard:
    """A card around that ruler."""
    return ModelCard(model="model", version="1", ruler=ruler, task="classification")


@pytest.fixture
def captured() -> Iterator[Captured]:
    """A logger without a card that writes to memory."""
    with capture_events() as capture:
        yield capture


@pytest.fixture
def carded(card: ModelCard) -> Iterator[Captured]:
    """A logger with the card that writes to memory."""
    with capture_events(card=card) as capture:
        yield capture
