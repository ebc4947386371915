from __future__ import annotations

import datetime as dt
import gc
from dataclasses import replace

import numpy as np
import pytest

from mllog.card import ModelCard
from mllog.ruler import Feature, Ruler
from watchers.finding import Window
from watchers.history import _BUILT, STRATA, Contrasts, History
from watchers.profile import ALL, WindowProfile

RULER = Ruler((Feature("n", "number", edges=(0.0,)), Feature("c", "category", categories=("a", "b"))), segments=("c",))
CARD = ModelCard("m", "1", RULER)
SIZE = len(RULER.cells)
START = dt.datetime(2026, 3, 6, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
RNG = np.random.default_rng(5)

CONTRASTS = Contrasts(
    ("n", "c"), ("location", "a"), (((3, 1.5), (5, -2.0)), ((7, 1.0),)), ((0,), (0, 1)),
)  # fmt: skip


def hour(k: int, strata: tuple[str, ...] = ("d00",)) -> WindowProfile:
    """An hour of random counts."""
    cells = {(s, seg): RNG.integers(0, 99, SIZE) for s in strata for seg in (ALL, ("c", "a"), ("c", "unlisted"))}
    return WindowProfile("m", RULER.hash, Window(START + k * HOUR, START + (k + 1) * HOUR), cells)


def test_totals_are_sums_of_profiles() -> None:
    """The counts of any range are those of its profiles, however history grew, empty hours included."""
    history = History(CARD)
    for k in range(200):
        history.append(WindowProfile("m", RULER.hash, Window(START + k * HOUR)) if k % 7 == 3 else hour(k, ("d00", "e01")))
        if k % 13 == 0:
            history.total(0, k + 1)
    for first, last in [(0, 200), (0, 0), (3, 4), (17, 150), (199, 200)]:
        want = sum((p.total() for p in history.profiles[first:last] if p.cells), np.zeros(SIZE, dtype=np.int64))
        assert history.total(first, last).tolist() == want.tolist()
    assert len(history) == 200


@pytest.mark.parametrize("segmented", [False, True])
def test_sums_grow_as_history_does(segmented: bool) -> None:
    """Contrast sums asked for after each append are those that are computed at once, and by hand."""
    parts = [hour(k, ("d00",) if k % 2 else ("d00", "e05")) for k in range(80)]
    slow, fast = History(CARD), History(CARD, parts)
    for part in parts:
        slow.append(part)
        slow.sums("key", CONTRASTS, segmented=segmented)
    have, want = slow.sums("key", CONTRASTS, segmented=segmented), fast.sums("key", CONTRASTS, segmented=segmented)
    for a, b in zip(have, want, strict=True):
        assert a.tolist() == b.tolist()
    row, profile = 3, parts[2]
    assert slow.row_profile(slice(row, row + 1)).tolist() == [2]
    counts = profile.cells["d00", ("c", "a") if segmented else ALL] if slow.strata(slice(row, row + 1))[0] == STRATA["d00"] else None
    assert counts is not None
    assert have[0][row, :2].tolist() == [1.5 * counts[3] - 2 * counts[5], counts[7]]
    assert have[1][row, :2].tolist() == [2.25 * counts[3] + 4 * counts[5], counts[7]]
    assert have[2][row, :2].tolist() == [counts[0], counts[0] + counts[1]]
    assert have[0].shape == (120, 4 if segmented else 2)


def test_rows_of_profiles() -> None:
    """A profile has a row for each stratum, an empty one has one, in the order of history."""
    history = History(CARD, [hour(0, ("d00", "d01")), WindowProfile("m", RULER.hash, Window(START + 5 * HOUR)), WindowProfile("m", RULER.hash), hour(9)])
    assert [history.rows_of(k, k + 1) for k in range(4)] == [slice(0, 2), slice(2, 3), slice(3, 4), slice(4, 5)]
    assert history.strata(slice(0, 5)).tolist() == [STRATA[s] for s in ("d00", "d01", "d05", "*", "d00")]


def test_history_is_a_list() -> None:
    """Profiles that overlap or repeat are kept as they are."""
    part = hour(0)
    history = History(CARD, [part, part])
    assert len(history) == 2
    assert history.total(0, 2).tolist() == (2 * part.total()).tolist()


def test_quarantine() -> None:
    """Rows of a span are told with its features, from its start up to, not including, its end; spans beside them aren't."""
    history = History(CARD, [hour(k, ("d00", "d01")) for k in range(4)])
    rows = history.rows_of(0, 4)
    spans = [
        (frozenset({"n"}), START + HOUR, START + 2 * HOUR), (frozenset({"c"}), START + 3 * HOUR, None),
        (frozenset({"x"}), START + 9 * HOUR, None), (frozenset({"y"}), START - HOUR, START),
    ]  # fmt: skip
    (first, some), (second, more) = history.within(rows, spans)
    assert (first, second) == ({"n"}, {"c"})
    assert some.tolist() == [False] * 2 + [True] * 2 + [False] * 4
    assert more.tolist() == [False] * 6 + [True] * 2
    assert history.within(rows, ()) == []
    assert History(CARD, [WindowProfile("m", RULER.hash)]).within(slice(0, 1), spans) == []


def test_another_ruler_is_refused() -> None:
    """A profile of another ruler can't join."""
    with pytest.raises(ValueError, match="can't join"):
        History(CARD, [WindowProfile("m", "0" * 16)])


def test_no_contrasts() -> None:
    """A ruler without such features has contrasts without columns."""
    none = Contrasts((), (), (), ())
    history = History(CARD, [hour(0)])
    assert [part.shape for part in history.sums("none", none)] == [(1, 0)] * 3
    assert [part.shape for part in history.sums("none", none, segmented=True)] == [(1, 0)] * 3


def test_what_a_card_says_alone_is_built_once() -> None:
    """Of any history of a card; what its history had a say in is built for each, and a card that is gone leaves nothing."""
    card, asked = ModelCard("m", "1", RULER), []

    def build(contrasts: Contrasts) -> Contrasts:
        asked.append(contrasts.card_only)
        return contrasts

    for history in (History(card), History(card)):
        for key, contrasts in (("own", CONTRASTS), ("mixed", replace(CONTRASTS, card_only=False))):
            assert [history.contrasts(key, lambda c=contrasts: build(c)) for _ in range(2)] == [contrasts] * 2
    assert asked == [True, False, False]
    nothing = Contrasts((), (), (), ())
    assert len([History(card).contrasts("none", lambda: build(nothing)) for _ in range(3)]) == 3
    assert asked == [True, False, False, True]
    asked.pop()
    assert History(ModelCard("m", "1", RULER)).contrasts("own", lambda: build(CONTRASTS)) is CONTRASTS
    assert len(asked) == 4
    del history, card
    gc.collect()
    assert not any("own" in held and "mixed" not in held and held["own"] is CONTRASTS for held in _BUILT.values())
