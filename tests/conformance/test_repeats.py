"""Requests that repeat others of their hour, on every store."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import streams
from support.predictions import (
    HOUR,
    START,
    Prediction,
    hostile_ruler,
    plain,
    write,
)

from mllog.card import ModelCard
from mllog.logger import ModelLogger
from mllog.ruler import (
    COMPARED,
    REPEATED,
    Ruler,
)
from watchers.profile import ALL, WindowProfile, merge
from watchers.schedule import run

if TYPE_CHECKING:
    from collections.abc import Iterable


def test_what_is_withheld_is_not_compared(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Where a policy kept back parts of an event, nothing of its hour can be said to repeat; other hours are as ever."""
    place = stand.place()
    write(place, [plain(0), plain(1), plain(2), Prediction(None, 0.5, START), plain(61), plain(62)], card)
    write(place, [plain(63)], ModelCard("model", "0", hostile_ruler((0.0,)), policy={"texts": "drop"}))
    found = [p.total()[[ruler.index[COMPARED], ruler.index[REPEATED]]].tolist() for p in stand.open(place).profiles("model", ruler, START, START + 2 * HOUR)]
    assert found == [[3, 2], [0, 0]]


def test_inputs_in_another_order_repeat(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """The order of the inputs, or of their kinds of missing, makes no other request, but where spelling counts."""
    place = stand.place()
    row = {"n": None, "m": None, "c": "UA", "id:'": "x", "a:b.'\"\nü": 0.5, "z": 1, "y": [2]}
    other = {**row, "c": "x", "id:'": "UA"}  # what changed places is another
    write(place, [Prediction(row, 0.5), Prediction(dict(reversed(row.items())), 0.5), Prediction(other, 0.5)], card)
    total = merge(stand.open(place).profiles("model", ruler, START, START + HOUR)).total()
    assert total[[ruler.index[COMPARED], ruler.index[REPEATED]]].tolist() == [3, 0 if stand.spells else 1]


def repeats(profiles: Iterable[WindowProfile], ruler: Ruler) -> list[list[int]]:
    """Events that were compared and events that repeat, of each hour."""
    return [p.total()[[ruler.index[COMPARED], ruler.index[REPEATED]]].tolist() for p in profiles]


def test_exact_repeats_are_counted(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Of requests that are sent again as they were, in any process, one by one or as a batch; of all events alone."""
    rows = [dict(plain(n=k / 100, c=carrier).inputs or {}) for carrier in ("UA", "5") for k in range(40)]
    odd = [{"n": 99.0, "c": "ZZ"}, {"n": None, "m": math.nan, "t": "late\n"}, {"c": 5, "b": 1, "new": "x", "t": "late"}]
    sent = [Prediction(row, 0.5, START + dt.timedelta(minutes=k % 50)) for k, row in enumerate([*rows, *odd])]
    later = [Prediction(p.inputs, 0.5, p.time + HOUR) for p in sent]
    place = stand.place()
    write(place, [*sent, *later, *later[::4]], card)
    write(place, [*sent[::2], *sent[:10], Prediction(None, 0.5), Prediction({}, 0.5)], card)
    store = stand.open(place)
    profiles = list(store.profiles("model", ruler, START, START + 2 * HOUR))
    assert repeats(profiles, ruler) == [[83 + 42 + 10, 42 + 10], [83 + 21, 21]]
    for profile in profiles:
        held = {segment: int(counts[ruler.index[COMPARED]]) for (_, segment), counts in profile.cells.items()}
        assert held.pop(ALL) > 0
        assert set(held.values()) == {0}


def test_a_batch_repeats_as_its_rows_do(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """A file that was sent twice, and rows of it that were sent before one by one."""
    rows = [dict(plain(n=k / 10, c="UA").inputs or {}) | {"m": None if k % 3 else 0.25} for k in range(30)]
    frame = {name: [row[name] for row in rows] for name in rows[0]}
    place = stand.place()
    write(place, [Prediction(row, 0.5) for row in rows[:5]], card)
    clock = int(START.timestamp()) * 10**9
    with ModelLogger("model", version="1", card=card, sink=place, clock=lambda: clock) as log:
        log.batch(frame, [0.5] * 30)
        log.batch(frame, [0.25] * 30)
    assert repeats(stand.open(place).profiles("model", ruler, START, START + HOUR), ruler) == [[65, 35]]


def test_a_storm_of_retries_is_found(stand: Any) -> None:
    """Requests that are sent three times from some hour on, beside others that are sent once."""
    card = streams.card_of("model")
    place = stand.place()
    streams.serve(Path(place), "model", hours=40, card=card)
    streams.serve(Path(place), "model", hours=8, first=40, card=card)
    for _ in range(2):
        streams.serve(Path(place), "model", hours=8, first=40, each=30, card=card, seed=7)
    store = stand.open(place)
    report = run(store, streams.START + 50 * streams.HOUR, cards=[card])
    found = [finding for finding in report.findings if finding.check == "repeated"]
    assert found
    assert all(finding.window.start >= streams.START + 38 * streams.HOUR for finding in found)
    # 30 of 120 an hour.
    assert found[-1].observed == pytest.approx(0.25)


def test_many_repeats_of_many(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Busy hours, each asked for among others that are thin."""
    rows = [Prediction({"n": k / 7, "c": "UA"}, 0.5, START) for k in range(3_000)]
    place = stand.place()
    thin = [plain(60), plain(61), plain(62, n=0.25), plain(130)]
    write(place, [*rows, *rows[:600], *thin], card, overflow="block")
    found = repeats(stand.open(place).profiles("model", ruler, START, START + 3 * HOUR), ruler)
    assert found == [[3_600, 600], [3, 1], [1, 0]]
