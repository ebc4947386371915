from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mllog.card import ModelCard
from mllog.pairing import CANDIDATES, PAIRS, ROWS, find_pairs
from mllog.ruler import COMPARED, REPEATED, Pair, Ruler


def frame(n: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Three numbers that go together or against each other, and some that don't."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return {
        "x": x.tolist(), "near": (x + 0.3 * rng.normal(size=n)).tolist(), "against": (-x + rng.normal(size=n)).tolist(),
        "alone": rng.normal(size=n).tolist(), "carrier": rng.choice(["UA", "AA"], n).tolist(),
    }  # fmt: skip


def names(card: ModelCard) -> list[tuple[str, str]]:
    return [(pair.first, pair.second) for pair in card.ruler.pairs]


def card_of(data: dict[str, Any], **options: Any) -> ModelCard:
    return ModelCard.from_frame(data, "m", "1", **options)


def test_numbers_that_go_together_are_found() -> None:
    """Either way, each divided next to its median; what goes alone, and what is no number, is in no pair."""
    card = card_of(frame())
    assert names(card) == [("against", "near"), ("against", "x"), ("near", "x")]
    for pair in card.ruler.pairs:
        for name, low in pair.ends:
            assert card.ruler.by_name[name].edges[low] == pytest.approx(np.median(frame()[name]), abs=0.1)
    assert card.ruler.repeated


def test_the_strongest_are_kept_and_the_same_every_time() -> None:
    """Of many pairs the strongest, from the first numbers of the frame, however long it is; nothing is drawn."""
    rng = np.random.default_rng(1)
    n, width = ROWS + 7_001, CANDIDATES + 1
    common = rng.normal(size=n)
    data = {f"f{k:02d}": common + (0.5 + k / 20) * rng.normal(size=n) for k in range(width)}
    data[f"f{width - 1:02d}"] = common
    features = card_of({name: column[:500].tolist() for name, column in data.items()}).ruler.inputs
    found = find_pairs(features, data)
    assert len(found) == PAIRS
    assert found == find_pairs(features, data) == sorted(found)
    assert {name for pair in found for name, _ in pair.ends} <= {f"f{k:02d}" for k in range(CANDIDATES)}
    assert ("f00", "f01") in [(pair.first, pair.second) for pair in found]
    assert ("f38", "f39") not in [(pair.first, pair.second) for pair in found]


def test_what_has_no_two_sides_is_in_no_pair() -> None:
    """Few different values, or mostly one: independent numbers whose sides are uneven agree often, and mean nothing."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=4000)
    rain = np.where(rng.random(4000) < 0.8, 0.0, np.abs(x))
    uneven = {f"u{k}": np.where(rng.random(4000) < 0.7, 0.0, rng.random(4000)).tolist() for k in range(2)}
    assert not card_of({"x": x.tolist(), "grade": np.clip(np.round(x), -3, 3).tolist(), "rain": rain.tolist(), **uneven}).ruler.pairs
    assert not card_of({"x": x.tolist(), "gone": [None] * 4000, "flag": (x > 0).tolist()}).ruler.pairs


def test_a_retrain_keeps_the_ruler() -> None:
    """The same features: the same pairs, whatever new data would choose; one made before there were pairs stays so."""
    first = card_of(frame())
    parted = frame(seed=3)
    parted["near"] = parted["near"][::-1]
    assert card_of(parted, previous=first).ruler.hash == first.ruler.hash
    old = ModelCard("m", "1", Ruler(first.ruler.features, first.ruler.segments, first.ruler.time_zone))
    again = card_of(frame(seed=3), previous=old).ruler
    assert (again.hash, again.cells, again.pairs, again.repeated) == (old.ruler.hash, old.ruler.cells, (), False)


def test_pairs_of_kept_features_are_kept() -> None:
    """Where a feature is laid anew its pairs are chosen anew, and others stay as they were."""
    first = card_of(frame())
    changed = frame(seed=3)
    changed["near"] = [10 * value for value in changed["near"]]
    changed["x"] = changed["x"][::-1]
    card = card_of(changed, previous=first)
    assert card.ruler.by_name["near"] != first.ruler.by_name["near"]
    assert [pair for pair in card.ruler.pairs if "near" not in (pair.first, pair.second)] == [
        pair for pair in first.ruler.pairs if "near" not in (pair.first, pair.second)
    ]
    assert ("against", "near") in names(card)


def test_training_counts_pairs_and_no_repeats() -> None:
    """The card has the training data's pairs; how often training repeats says nothing of an hour."""
    card = card_of({name: column + column[:50] for name, column in frame().items()})
    (counts,) = card.training.values()
    for pair, least, most in zip(card.ruler.pairs, (0, 0, 0.85), (0.3, 0.3, 1), strict=True):
        assert counts[pair.both] == 2050
        assert least < counts[pair.concordant] / 2050 < most
    assert COMPARED not in counts
    assert REPEATED not in counts
    assert ModelCard.from_dict(json.loads(json.dumps(card.to_dict()))) == card


@pytest.mark.parametrize(("policy", "repeated"), [({}, True), ({"features": {"x": "redact"}}, False), ({"features": {"carrier": "drop"}}, False)])
def test_what_is_kept_back_cannot_be_compared(policy: dict[str, Any], repeated: bool) -> None:
    """A policy that withholds a value leaves nobody to say which events are equal."""
    assert card_of(frame(), policy=policy).ruler.repeated == repeated


def test_a_pair_by_its_definition() -> None:
    """Three of four on the same side: a share of 0.75, a correlation of 0.5."""
    from mllog.counting import count_columns
    from mllog.ruler import Feature

    pair = Pair("a", "b", 0, 1)
    ruler = Ruler((Feature("a", "number", edges=(0.0, 1.0)), Feature("b", "number", edges=(0.0, 1.0))), pairs=(pair,))
    data = {"a": [-1, 0, 0.5, 7, None, 5], "b": [0.5, 1, 0, 2, 3, "5"]}
    counts = count_columns(ruler, data).cells["*", ("", "")]
    assert (counts[ruler.index[pair.both]], counts[ruler.index[pair.concordant]]) == (4, 3)
