"""What training counted is found by the ruler's hash, whoever else keeps cards."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from mllog.card import ModelCard
from mllog.elastic.client import connect
from mllog.elastic.setup import ensure
from watchers.stores.elastic import ElasticsearchStore


def test_training_of_a_ruler(elasticsearch_nodes: Any) -> None:
    """Of two models that share a ruler the newer card says it; of a ruler without a card nothing is known."""
    node = elasticsearch_nodes("9.5.2")
    place = f"elasticsearch+{node.url}"
    ensure(connect(place))
    store = ElasticsearchStore(place, namespace="training")
    few = ModelCard.from_frame({"x": [1.0, 2.0, 3.0]}, "few", "1")
    other = ModelCard.from_frame({"y": [1.0, 2.0, 3.0]}, "other", "1")
    many = replace(few, model="many", training={"*": {cell: 2 * n for cell, n in few.training["*"].items()}})
    for card in (few, other, many):
        store.save_card(card)
    assert store._training(few.ruler) == Counter(many.training["*"])
    assert store._training(other.ruler) == Counter(other.training["*"])
    # One that can't be read, or has none, is passed over.
    broken = {"ml": {"card": few.ruler.hash}, "saved": "2100-01-01T00:00:00Z"}
    for body in (broken, {**broken, "card": {"schema": 99, "ruler": {}}}):
        node.request("POST", "/mllog-cards/_doc?refresh=true", body)
    store._trainings.clear()
    assert store._training(few.ruler) == Counter(many.training["*"])
    unknown = ModelCard.from_frame({"z": [1.0, 2.0, 3.0]}, "unknown", "1")
    assert store._training(unknown.ruler) == Counter()
