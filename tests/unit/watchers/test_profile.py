from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllog.ruler import Feature, Ruler
from watchers.finding import Effect, Finding, Window
from watchers.profile import ALL, NAMES_KEPT, WindowProfile, merge

RULER = Ruler((Feature("n", "number", edges=(0.0,), low=0.0, high=1.0), Feature("c", "category", categories=("a",))), segments=("c",))
SIZE = len(RULER.cells)
START = dt.datetime(2026, 3, 6, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)

counts = st.lists(st.integers(0, 10**12), min_size=SIZE, max_size=SIZE).map(np.array)
profiles = st.builds(
    lambda hour, cells, names, rejected, complete: WindowProfile(
        "m", RULER.hash, Window(START + hour * HOUR, START + (hour + 1) * HOUR), dict(cells), {k: Counter(v) for k, v in names.items()},
        {"f": {"numpy": "1"}} if hour % 2 else {}, rejected, complete, "" if complete else "why",
    ),
    st.integers(0, 99),
    st.dictionaries(st.tuples(st.sampled_from(["d00", "e23", "*"]), st.sampled_from([ALL, ("c", "a"), ("c", "it's:ü")])), counts),
    st.dictionaries(st.sampled_from(["version", "unseen:a:b"]), st.dictionaries(st.text(max_size=3), st.integers(1, 99))),
    st.integers(0, 5),
    st.booleans(),
)  # fmt: skip


def same(a: WindowProfile, b: WindowProfile) -> bool:
    """Whether two profiles say the same."""
    return a.to_dict(RULER) == b.to_dict(RULER)


@settings(deadline=None)
@given(profiles)
def test_round_trip(profile: WindowProfile) -> None:
    """A profile comes back equal through JSON, with int64 counts of the ruler's length."""
    again = WindowProfile.from_dict(json.loads(json.dumps(profile.to_dict(RULER))), RULER)
    assert same(again, profile)
    assert again.cells.keys() == profile.cells.keys()
    for key, vector in again.cells.items():
        assert (vector.dtype, vector.shape) == (np.int64, (SIZE,))
        assert vector.tolist() == profile.cells[key].tolist()


@settings(deadline=None)
@given(st.lists(profiles, min_size=1, max_size=5), st.randoms())
def test_merging_is_a_sum(parts: list[WindowProfile], random: Any) -> None:
    """A merge has every count of its parts once, in any order and grouping, and leaves them as they were."""
    before = [part.to_dict(RULER) for part in parts]
    whole = merge(parts)
    assert whole.n == sum(part.n for part in parts)
    for segment in {s for part in parts for _, s in part.cells}:
        want = np.sum([part.total(segment) for part in parts if part.cells], axis=0)
        assert whole.total(segment).tolist() == want.tolist()
    assert whole.rejected == sum(part.rejected for part in parts)
    assert whole.complete == all(part.complete for part in parts)
    shuffled = random.sample(parts, len(parts))
    cut = random.randrange(1, len(parts) + 1)
    grouped = merge([merge(shuffled[:cut]), *shuffled[cut:]])
    assert {k: v.tolist() for k, v in grouped.cells.items()} == {k: v.tolist() for k, v in whole.cells.items()}
    assert grouped.names == whole.names
    assert grouped.window == whole.window
    assert [part.to_dict(RULER) for part in parts] == before


def test_merging_one_is_a_copy() -> None:
    """Adding to a merged profile doesn't change what it was merged from."""
    part = WindowProfile("m", RULER.hash, cells={("*", ALL): np.ones(SIZE, dtype=np.int64)}, names={"version": Counter("a")})
    whole = merge([part])
    whole.add("*", ALL, np.ones(SIZE, dtype=np.int64))
    whole.count("version", "a")
    assert part.n == 1
    assert part.names["version"]["a"] == 1
    assert whole.n == 2


def test_add_takes_a_copy() -> None:
    """A vector that was added may be changed afterwards."""
    profile = WindowProfile("m", RULER.hash)
    vector = np.ones(SIZE, dtype=np.int64)
    profile.add("*", ALL, vector)
    vector[0] = 99
    assert profile.n == 1


def test_what_does_not_belong_together_is_not_added() -> None:
    """Other models, other rulers and nothing at all can't be merged."""
    one = WindowProfile("m", RULER.hash)
    for other in (WindowProfile("x", RULER.hash), WindowProfile("m", "0" * 16)):
        with pytest.raises(ValueError, match="models or rulers"):
            merge([one, other])
    with pytest.raises(ValueError, match="no profiles"):
        merge([])


def test_another_ruler_is_refused() -> None:
    """Counts mean nothing by another ruler, neither written nor read."""
    other = Ruler(())
    with pytest.raises(ValueError, match=RULER.hash):
        WindowProfile("m", RULER.hash).to_dict(other)
    with pytest.raises(ValueError, match=other.hash):
        WindowProfile.from_dict(WindowProfile("m", RULER.hash).to_dict(RULER), other)


def test_an_empty_profile() -> None:
    """Without events there are no cells, no segments and n is 0."""
    empty = WindowProfile("m", RULER.hash)
    assert (empty.n, empty.segments(), empty.total().size) == (0, [], 0)
    assert same(WindowProfile.from_dict(empty.to_dict(RULER), RULER), empty)
    assert merge([empty, empty]).window == Window(None, None)


def test_segments_are_not_counted_twice() -> None:
    """n counts events once though each is in several segments."""
    vector = np.ones(SIZE, dtype=np.int64)
    profile = WindowProfile("m", RULER.hash, cells={("d00", ALL): vector, ("d00", ("c", "a")): vector, ("d01", ALL): vector})
    assert profile.n == 2
    assert profile.segments() == [("c", "a")]
    assert profile.total(("c", "a")).tolist() == [1] * SIZE
    assert profile.total(("c", "b")).tolist() == [0] * SIZE


def test_the_most_frequent_names_are_kept() -> None:
    """A written profile has a bounded number of names, the most frequent ones."""
    profile = WindowProfile("m", RULER.hash, names={"token": Counter({str(k): k for k in range(1, 1000)})})
    kept = profile.to_dict(RULER)["names"]["token"]
    assert len(kept) == NAMES_KEPT
    assert min(kept.values()) == 1000 - NAMES_KEPT


def test_findings_are_strict_json() -> None:
    """A finding comes back equal from its JSON; NaN becomes null, numpy's numbers plain ones."""
    finding = Finding(
        "missing", "m", Window(START, START + HOUR), 5, feature="ü", segment={"c": "a"}, reference=np.float64(0.5), observed=float("nan"),
        effect=Effect("x", np.float64(1.0), float("-inf"), 2.0), p_value=np.float64(0.0), onset=START, documents=["a"],
        evidence={"n": np.int64(5), "all": np.array([1.0, np.nan]), "yes": np.bool_(True), "set": {"b", "a"}, "t": (1, START)},
    )  # fmt: skip
    text = json.dumps(finding.to_dict(), allow_nan=False)
    data = json.loads(text)
    assert data["evidence"] == {"n": 5, "all": [1.0, None], "yes": True, "set": ["a", "b"], "t": [1, START.isoformat()]}
    assert data["observed"] is None
    assert Finding.from_dict({**data, "later": 1}).to_dict() == data
    import orjson

    assert orjson.loads(orjson.dumps(finding.to_dict())) == data


def test_a_window_without_times() -> None:
    """Without times a window has no length and its ends are null."""
    finding = Finding("x", "m", Window(), 0)
    assert finding.window.seconds == 0
    assert finding.to_dict()["window"] == {"start": None, "end": None}
    assert Finding.from_dict(finding.to_dict()) == finding
    assert Window(START, START + HOUR).seconds == 3600
