"""What every store must do, whatever it is made of: the same events in, the same answers out.

Events are written by the real logger and read back through the protocol of ``watchers.stores.Store`` alone.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.predictions import (
    HOUR,
    NAMES,
    NASTY,
    START,
    Prediction,
    add_repeated,
    check_equal,
    expected,
    hostile_ruler,
    is_narrow,
    nonzero,
    plain,
    write,
)

from mllog.card import ModelCard
from mllog.counting import count_columns, tally
from mllog.environment import Manifest
from mllog.frames import columns
from mllog.logger import ModelLogger
from mllog.ruler import (
    COMPARED,
    LABEL,
    LATENCY,
    LATENCY_EDGES,
    REPEATED,
    SCORE,
    Feature,
    Ruler,
    category_key,
)
from watchers.finding import Window
from watchers.profile import ALL, merge
from watchers.stores.base import DocumentQuery

if TYPE_CHECKING:
    from collections.abc import Mapping


SETTINGS = settings(
    max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip

values = st.one_of(
    st.sampled_from(NASTY), st.floats(), st.integers(-10, 10), st.text(max_size=12), st.lists(st.floats(), max_size=2)
)


narrow = values.filter(is_narrow)
inputs = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(NAMES, values), **dict.fromkeys(("o", "N", "a:b", "new\n'"), narrow), "@score": st.sampled_from([0.5, "rare", None, True])}
)
predictions = st.builds(
    lambda inputs, output, minutes, latency, failed: Prediction(
        inputs, output, START + dt.timedelta(minutes=minutes), latency, failed
    ),
    inputs,
    st.sampled_from([None, 0.0, 0.05, 0.3, 1.0, math.nan, {"label": "late"}, {"label": 5.0, "score": 0.81}, {"label": "it's"}, "late",
                     {"score": math.inf}, {"score": 0.5, "scores": {"late": 0.9995, "5": 0.0005}}, {"scores": [math.nan, 0.5]}]),
    st.integers(0, 179),
    st.sampled_from([None, 0.0, 1e-4, 0.25, 1000.0]),
    st.booleans(),
)


MEASURED_BY = pytest.mark.parametrize("measured_by", ["the same card", "another card", "no card"])


@MEASURED_BY
@SETTINGS
@given(given_=st.lists(predictions, min_size=1, max_size=40))
def test_the_store_counts_what_the_ruler_measures(stand: Any, measured_by: str, given_: list[Prediction]) -> None:
    """Whoever measured the events when they were written, the store's counts are the ruler's own, cell by cell."""
    check_counts(stand, measured_by, given_ + given_[::3])


@MEASURED_BY
def test_each_value_of_each_feature_is_counted(stand: Any, measured_by: str) -> None:
    """Every odd value as every feature, alone and in segments of others."""
    for first in range(0, len(NASTY), 20):  # few enough that no wrong count hides among right ones
        rows = [{name: value} for value in NASTY[first : first + 20] for name in NAMES if name != "o" or is_narrow(value)]
        given_ = [Prediction(row, None, START + (k % 3) * HOUR, 0.1) for k, row in enumerate(rows)]
        given_ += [Prediction({"c": "UA", "b": True} | row, None, START + (k % 3) * HOUR) for k, row in enumerate(rows)]
        check_counts(stand, measured_by, given_)


def check_counts(stand: Any, measured_by: str, given_: list[Prediction]) -> None:
    """What the store counts of some predictions is what the ruler measures in them."""
    ruler = hostile_ruler()
    if measured_by == "no card":
        # Without a card long texts aren't kept, so nobody can count their words.
        given_ = [
            Prediction({k: v for k, v in (p.inputs or {}).items() if not (isinstance(v, str) and len(v) > 256)}, p.output, p.time,
                       p.latency, p.failed)
            for p in given_
        ]  # fmt: skip
    others = {"the same card": ruler, "another card": hostile_ruler((0.0, 2.0), frozenset({"yes", "zz"}))}
    chosen = others.get(measured_by)
    given_ = [p for p in given_ if stand.sees(p.inputs or {}, measured_by)]
    place = stand.place()
    ids = write(place, given_, card=ModelCard("model", "1", chosen, task="classification") if chosen else None)
    store = stand.open(place)
    profiles = list(store.profiles("model", ruler, START, START + 3 * HOUR))
    blind = stand.blind(ruler, measured_by)
    assert [p.window.start for p in profiles] == [START + k * HOUR for k in range(3)]
    typed = columns({str(k): [value] for k, value in enumerate([v for p in given_ for v in (p.inputs or {}).values()])})
    flat = iter([cell[0] for cell in typed.values()])
    as_typed = [Prediction({k: next(flat) for k in p.inputs or {}}, p.output, p.time, p.latency, p.failed) for p in given_]
    counts = expected(ruler, as_typed)
    add_repeated(ruler, store, ids, counts, spelling=stand.spells)
    check_equal(ruler, profiles, counts, blind)
    names: dict[str, Counter[str]] = {}
    for p in as_typed:
        tally(ruler, p.inputs or {}, names, label=_label(p.output))
    have = {kind: c for kind, c in merge(profiles).names.items() if kind.partition(":")[0] in {"unseen", "token", "unexpected", "renamed"}}
    for kind in stand.untold(measured_by):
        have.pop(kind, None)
        names.pop(kind, None)
    assert different(have, names, stand.longest_name) == {}


def different(mine: Mapping[str, Counter[str]], theirs: Mapping[str, Counter[str]], longest: float) -> dict[tuple[str, str], tuple[int, int]]:
    """Names of at most so many characters whose counts differ, for messages that can be read."""
    keys = {(kind, name) for counted in (mine, theirs) for kind, counter in counted.items() for name in counter if len(name) <= longest}
    found = {key: (mine.get(key[0], Counter())[key[1]], theirs.get(key[0], Counter())[key[1]]) for key in keys}
    return {key: counts for key, counts in found.items() if counts[0] != counts[1]}


def _label(output: Any) -> str | None:
    label = output.get("label") if isinstance(output, dict) else output if isinstance(output, str) else None
    return None if label is None else category_key(label)


@SETTINGS
@given(rows=st.lists(st.tuples(*[values] * 8, narrow), min_size=1, max_size=40), absent=st.sets(st.sampled_from(NAMES)))
def test_the_store_counts_what_frames_count(stand: Any, rows: list[tuple[Any, ...]], absent: set[str]) -> None:
    """A frame of the same rows gives the same cells: strata, segments and names included."""
    ruler = hostile_ruler()
    table = {name: [row[k] for row in rows] for k, name in enumerate(NAMES) if name not in absent}
    if not table:
        return
    rows += rows[::2]  # some of them within the hour
    table = {name: column + column[::2] for name, column in table.items()}
    table["new"] = [1.0] * len(rows)
    times = [START + dt.timedelta(minutes=5 * k) for k in range(len(rows))]
    place = stand.place()
    given_ = [Prediction({name: column[k] for name, column in table.items()}, 0.5, time) for k, time in enumerate(times)]
    write(place, given_, card=ModelCard("model", "1", ruler, task="classification"))
    stored = merge(stand.open(place).profiles("model", ruler, START, START + 5 * HOUR))
    counted = count_columns(ruler, columns(table), times=times, outputs={SCORE: [0.5] * len(rows)})
    assert stored.cells.keys() == counted.cells.keys()
    blind = {*stand.blind(ruler, "the same card"), *((COMPARED, REPEATED) if stand.spells else ())}
    differ = {
        (key, ruler.cells[i]): (stored.cells[key][i], c[i])
        for key, c in counted.cells.items() for i in np.flatnonzero(stored.cells[key] != c) if ruler.cells[i] not in blind
    }  # fmt: skip
    assert differ == {}
    assert different({kind: stored.names.get(kind, Counter()) for kind in counted.names}, counted.names, stand.longest_name) == {}


@MEASURED_BY
def test_long_answers_are_counted(stand: Any, measured_by: str) -> None:
    """A label that no index holds, as of a model that writes texts, is an unseen one, in segments too, and is an answer."""
    answers: list[Any] = ["late", "5", 5, "L" * 300, "L" * 256, "M" * 400, "", None, True]
    check_counts(stand, measured_by, [Prediction({"c": "UA", "n": 1.0}, {"label": a}, START + k * HOUR) for k in range(3) for a in answers])
    place = stand.place()
    _, unanswered = write(place, [Prediction({"n": 1.0}, {"label": "L" * 300}), Prediction({"n": 2.0}, None)])
    store = stand.open(place)
    list(store.profiles("model", hostile_ruler(), START, START + HOUR))
    assert store.documents("model", Window(START, START + HOUR), DocumentQuery("unanswered", LABEL), None, 5) == [unanswered]


def test_an_hour_begins_on_the_hour(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """The last microsecond of an hour belongs to it, the first of the next one to that."""
    place = stand.place()
    last = START + HOUR - dt.timedelta(microseconds=1)
    write(place, [Prediction({}, None, t) for t in (START, last, START + HOUR)], card)
    assert [p.n for p in stand.open(place).profiles("model", ruler, START, START + 2 * HOUR)] == [2, 1]


def test_hours_without_events_are_there(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Every hour of the span has its profile, empty ones too, in order; also where there is no event at all."""
    place = stand.place()
    write(place, [plain(0), plain(180)], card)
    store = stand.open(place)
    found = list(store.profiles("model", ruler, START - HOUR, START + 5 * HOUR))
    assert [p.n for p in found] == [0, 1, 0, 0, 1, 0]
    assert [p.window.start for p in found] == [START + k * HOUR for k in range(-1, 5)]
    assert not found[0].cells
    assert found[0].complete
    assert [p.n for p in store.profiles("nobody", ruler, START, START + 2 * HOUR)] == [0, 0]


def test_more_than_a_week(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """A long span is one profile an hour, whatever the store's own steps are."""
    place = stand.place()
    write(place, [plain(60 * h) for h in (0, 167, 168, 169, 399)], card)
    found = list(stand.open(place).profiles("model", ruler, START, START + 400 * HOUR))
    assert len(found) == 400
    assert [k for k, p in enumerate(found) if p.n] == [0, 167, 168, 169, 399]


def test_models_are_kept_apart(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Each model's predictions count for it alone, with its own span and its own manifests."""
    place = stand.place()
    write(place, [plain(0), plain(1)], card)
    other = Manifest(python="3", packages={"other": "1"})
    write(place, [plain(90)], None, model="Other 'Model", environment=other)
    store = stand.open(place)
    assert store.models() == ["Other 'Model", "model"]
    assert store.span("model") == (START, START + dt.timedelta(minutes=1))
    assert store.span("nobody") is None
    assert store.latest() == START + dt.timedelta(minutes=90)
    own = merge(store.profiles("model", ruler, START, START + 2 * HOUR))
    assert own.n == 2
    assert list(own.manifests.values()) == [{"numpy": "2.4.6"}]
    assert merge(store.profiles("Other 'Model", ruler, START, START + 2 * HOUR)).n == 1


def test_shadows_do_not_count(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """What a shadow predicts nobody is served: it counts nowhere, and a model of shadows alone isn't watched."""
    place = stand.place()
    write(place, [plain(0)], card)
    write(place, [plain(0), plain(100)], card, role="shadow")
    write(place, [plain(0)], None, model="ghost", role="shadow")
    write(place, [plain(5)], card, role="canary")
    store = stand.open(place)
    assert store.models() == ["model"]
    assert store.span("model") == (START, START + dt.timedelta(minutes=5))
    assert merge(store.profiles("model", ruler, START, START + 2 * HOUR)).n == 2
    assert len(store.sample("model", START, START + HOUR, 10)) == 2


def test_only_predictions_count(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Labels, costs and steps are events of the model, and no predictions."""
    place = stand.place()
    write(place, [plain(0)], card)
    with ModelLogger("model", version="1", sink=place, clock=lambda: int(START.timestamp()) * 10**9) as log:
        log.label("p", "late")
        log.cost("tokens", 5)
        log.step("join", rows_in=1, rows_out=1)
    assert merge(stand.open(place).profiles("model", ruler, START, START + HOUR)).n == 1


def test_versions_environments_and_hosts_are_named(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """A profile says which versions, environments and hosts its events came from, and how many of each."""
    place = stand.place()
    first = Manifest(python="3", packages={"numpy": "1"})
    write(place, [plain(0), plain(1)], card, version="1", environment=first)
    write(place, [plain(2)], card, version="2")
    profile = merge(stand.open(place).profiles("model", ruler, START, START + HOUR))
    assert profile.names["version"] == {"1": 2, "2": 1}
    assert profile.names["environment"][first.fingerprint] == 2
    assert sum(profile.names["host"].values()) == 3
    assert profile.manifests[first.fingerprint] == {"numpy": "1"}


def test_a_text_that_was_not_kept_is_not_absent(stand: Any, ruler: Ruler) -> None:
    """Where policy drops texts, or no card allows a long one, another ruler finds them there and not missing."""
    place = stand.place()
    other = ModelCard("model", "0", hostile_ruler((0.0,)), policy={"texts": "drop"})
    write(place, [plain(0)], other)
    write(place, [plain(1, t="word " * 100)], None)
    total = merge(stand.open(place).profiles("model", ruler, START, START + HOUR)).total()
    found = nonzero(ruler, total)
    assert found["t|texts|"] == 2
    assert not [name for name in found if "missing" in name or "violation" in name]


def test_half_hour_zones(stand: Any) -> None:
    """Where local hours begin at half past, store and frame still agree on what an hour is called."""
    ruler = Ruler((Feature("n", "number", edges=(0.0,)),), time_zone="Asia/Kolkata")
    times = [START + dt.timedelta(minutes=10 * k) for k in range(24)]
    place = stand.place()
    write(place, [Prediction({"n": 1.0}, None, t) for t in times], ModelCard("model", "1", ruler))
    stored = merge(stand.open(place).profiles("model", ruler, START, START + 4 * HOUR))
    counted = count_columns(ruler, {"n": [1.0] * 24}, times=times)
    assert {k: nonzero(ruler, c) for k, c in stored.cells.items()} == {k: nonzero(ruler, c) for k, c in counted.cells.items()}


def test_nobody_sent_inputs(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Of inputs that nobody gave nothing is known; in an empty row all of them are absent."""
    place = stand.place()
    write(place, [Prediction(None, 0.5), Prediction({}, 0.5)], card)
    total = merge(stand.open(place).profiles("model", ruler, START, START + HOUR)).total()
    assert {int(total[ruler.index[f.name, "missing", "absent"]]) for f in ruler.inputs} == {1}


def test_inputs_that_were_too_long_are_not_absent(stand: Any, ruler: Ruler) -> None:
    """An event that was cut says nothing of what another ruler would have found in it."""
    place = stand.place()
    write(place, [plain(0, **{f"more{k}": "x" * 8_000 for k in range(150)})], None)
    total = merge(stand.open(place).profiles("model", ruler, START, START + HOUR)).total()
    assert total[0] == 1
    assert not [name for name in nonzero(ruler, total) if "missing" in name]


def test_latency_edges(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Latencies fall into the bins of their seconds, the open ones at either end included."""
    place = stand.place()
    seconds = [0.0, 9.9e-5, 1e-4, 0.1, 99.0, 101.0]
    write(place, [Prediction({}, None, START, s) for s in seconds], card)
    total = merge(stand.open(place).profiles("model", ruler, START, START + HOUR)).total()
    bins = [ruler.index[LATENCY, "bin", str(k)] for k in range(len(LATENCY_EDGES) + 1)]
    want = np.bincount(np.searchsorted(LATENCY_EDGES, seconds, side="right"), minlength=len(bins))
    assert total[bins].tolist() == want.tolist()


@pytest.mark.parametrize("name", ["o", "unexpected"])
def test_a_wide_integer_loses_no_event(stand: Any, ruler: Ruler, card: ModelCard, name: str) -> None:
    """An integer beyond 64 bits in an input that isn't typed is replaced, and the event is written."""
    place = stand.place()
    write(place, [plain(0, **{name: 2**70}), plain(1)], card)
    assert merge(stand.open(place).profiles("model", ruler, START, START + HOUR)).n == 2


def test_a_ruler_without_pairs_counts_none(stand: Any, card: ModelCard) -> None:
    """What an older ruler doesn't name has no cell, and what it names is counted as ever."""
    old = Ruler(hostile_ruler().features, ("c", "b"), "Europe/Berlin")
    place = stand.place()
    write(place, [plain(0), plain(1)], ModelCard("model", "1", old))
    total = merge(stand.open(place).profiles("model", old, START, START + HOUR)).total()
    assert total.shape == (len(old.cells),)
    assert total[old.index["n", "bin", "3"]] == 2


def test_how_two_numbers_go_together_is_counted_of_all_events(stand: Any, ruler: Ruler) -> None:
    """Of segments it isn't, whoever measured the events."""
    place = stand.place()
    write(place, [plain(0), plain(1, n=4.0)], None)
    profile = merge(stand.open(place).profiles("model", ruler, START, START + HOUR))
    pair = next(pair for pair in ruler.pairs if {pair.first, pair.second} == {"n", "m"})
    held = {segment: int(counts[ruler.index[pair.both]]) for (_, segment), counts in profile.cells.items()}
    assert held.pop(ALL) == 2
    assert set(held.values()) == {0}
    assert len(held) > 1
