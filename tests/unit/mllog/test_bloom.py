"""A filter of strings: members are always found, others rarely."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllog.bloom import RATE, Bloom

GOLDEN = {"bloom": "XuvMMbY=", "hashes": 7, "count": 4}


@given(st.sets(st.text(), max_size=200))
def test_members_are_found(members: set[str]) -> None:
    """All of them, also after a journey as JSON, and nothing that is no string."""
    bloom = Bloom.of(members)
    again = Bloom.from_dict(json.loads(json.dumps(bloom.to_dict())))
    assert all(member in again for member in [*members])
    assert (again, hash(again), len(again), copy.deepcopy(again)) == (bloom, hash(bloom), len(members), bloom)
    assert not any(item in bloom for item in (None, 5, 1.5, b"x", ()))


def test_the_rate_is_the_stated_one() -> None:
    """Of 50,000 strings that never were members 1 % are taken for some, within five standard errors."""
    bloom = Bloom.of([f"word{k}" for k in range(60_000)])
    found = sum(f"other{k}" in bloom for k in range(50_000)) / 50_000
    assert abs(found - RATE) < 5 * (RATE * (1 - RATE) / 50_000) ** 0.5 + 0.0005
    assert len(bloom.to_dict()["bloom"]) < 1.7 * 60_000


def test_it_is_the_same_in_every_process() -> None:
    """Cards hang on it: no seed of the interpreter's is in it."""
    assert Bloom.of(["late", "gate", "日本", "\ud800"]).to_dict() == GOLDEN
    assert Bloom.of([]).to_dict()["count"] == 0
    assert "x" not in Bloom.of([])


@pytest.mark.parametrize("broken", [{}, {"bloom": "", "hashes": 1, "count": 0}, {"bloom": "AA==", "hashes": 0, "count": 1}, {"bloom": "?", "hashes": 1, "count": 1}])
def test_what_is_none_is_refused(broken: dict[str, object]) -> None:
    """A broken one isn't read as one that knows nothing."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        Bloom.from_dict(broken)
