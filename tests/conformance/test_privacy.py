"""What a policy keeps back is still counted: hashes as categories and segments, redacted values by what was measured."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import watchers
from mllog.card import ModelCard
from mllog.environment import Manifest
from mllog.logger import ModelLogger
from mllog.privacy import pseudonym
from watchers.finding import Window
from watchers.profile import ALL, merge
from watchers.stores.base import DocumentQuery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START = dt.datetime(2026, 3, 6, 10, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SALT = "a secret of enough bytes"
POLICY = {
    "texts": "keep",
    "features": {"city": "hash", "zip": "hash", "income": "redact", "diary": "redact", "ssn": "drop"},
    "patterns": ["email"],
}


def table(n: int, seed: int) -> dict[str, list[Any]]:
    """Rows of some stream."""
    draw = np.random.default_rng(seed)
    return {
        "city": draw.choice(["Bonn", "Oslo", "Rome"], n, p=[0.5, 0.3, 0.2]).tolist(),
        "zip": draw.integers(10_000, 10_020, n).tolist(),
        "income": draw.lognormal(10, 1, n).tolist(),
        "diary": [f"slept {word} again" for word in draw.choice(["well", "badly"], n)],
        "ssn": [f"{k:09d}" for k in range(n)],
        "note": [f"mail p{k}@example.com soon" for k in range(n)],
        "carrier": draw.choice(["UA", "AA"], n).tolist(),
    }


def card_of(policy: Mapping[str, Any] | None = POLICY, version: str = "1", **columns: Any) -> ModelCard:
    """A card of a training frame with these columns replaced."""
    return ModelCard.from_frame(
        {**table(400, 1), **columns}, "model", version, text=["diary", "note"], segments=["city"], policy=policy, salt=SALT
    )


def served(n: int = 60) -> dict[str, list[Any]]:
    """Rows with every fault that is to be seen."""
    rows = table(n, 2)
    rows["city"][:6] = ["Paris", "Paris", None, "", "N/A", 5]
    rows["zip"][:3] = [99_999, math.nan, "10001"]
    rows["income"][:5] = [1e15, None, math.inf, "a lot", -999]
    rows["diary"][:4] = ["slept near Jane", " ", 5, "!?"]
    rows["ssn"][:3] = [None, "", math.nan]
    return rows


def write(place: str, rows: Mapping[str, Sequence[Any]], card: ModelCard | None) -> list[str]:
    """Log rows; ids of their events."""
    n = len(rows["city"])
    with ModelLogger(
        "model", version="1", card=card, sink=place, salt=SALT, environment=Manifest(), clock=lambda: int(START.timestamp()) * 10**9
    ) as log:
        return [log.prediction({name: values[k] for name, values in rows.items()}) for k in range(n)]


def test_profiles_of_protected_features(stand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events and the raw frame, protected by the same card, give the same profile: cells, segments and names."""
    monkeypatch.setenv("MLLOG_SALT", SALT)
    card, place, rows = card_of(), stand.place(), served()
    write(place, rows, card)
    total = merge(stand.open(place).profiles("model", card.ruler, START, START + HOUR))
    frame = watchers.profile(rows, card)
    ours, theirs = total.total(), frame.total()
    differing = {card.ruler.cells[i]: (int(ours[i]), int(theirs[i])) for i in np.flatnonzero(ours != theirs)}
    assert differing == {}
    bonn = ("city", pseudonym(SALT, "city", "Bonn"))
    assert bonn in total.segments()
    assert sorted(total.segments()) == sorted(frame.segments())
    for segment in total.segments():
        assert (total.total(segment) == frame.total(segment)).all()
    assert total.names["unseen:city"] == {pseudonym(SALT, "city", "Paris"): 2, pseudonym(SALT, "city", "5"): 1}
    assert total.names["token"] == {"withheld": 1}
    assert frame.names["token"] == total.names["token"]
    index = card.ruler.index
    assert ours[index["city", "missing", "sentinel"]] == 1
    assert ours[index["zip", "violation", "category"]] == 1
    assert ours[index["income", "violation", "range"]] == 1
    assert ours[index["income", "violation", "type"]] == 1
    assert ours[index["ssn", "present", ""]] == 57


def test_documents_of_protected_features(stand: Any) -> None:
    """What shows an unseen hash or a segment of a hash best is found."""
    card, place = card_of(), stand.place()
    ids = write(place, served(), card)
    store = stand.open(place)
    list(store.profiles("model", card.ruler, START, START + HOUR))
    window = Window(START, START + HOUR)
    query = DocumentQuery("unseen", "city", (pseudonym(SALT, "city", "Paris"),))
    assert sorted(store.documents("model", window, query, None, 5)) == sorted(ids[:2])
    segment = {"city": pseudonym(SALT, "city", "Paris")}
    assert sorted(store.documents("model", window, DocumentQuery("any", None), segment, 5)) == sorted(ids[:2])


def test_what_was_withheld_is_not_absent(stand: Any) -> None:
    """A later card that knows the features raw finds nothing of those that an earlier one kept back, and none missing."""
    place, rows = stand.place(), table(30, 3)
    strict = card_of({**POLICY, "features": {**POLICY["features"], "carrier": "drop"}})  # type: ignore[dict-item]
    write(place, rows, strict)
    later = card_of(None, "2")
    profile = merge(stand.open(place).profiles("model", later.ruler, START, START + HOUR))
    total, index = profile.total(ALL), later.ruler.index
    assert total[0] == 30
    assert not [key for key, i in index.items() if key[1] == "missing" and total[i]]
    assert not [key for key, i in index.items() if key[0] in {"income", "ssn", "carrier"} and total[i]]
    assert total[index["diary", "texts", ""]] == 30
    assert "renamed" not in profile.names
    assert "unexpected" not in profile.names
