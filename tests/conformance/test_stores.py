"""What every store must do, whatever it is made of: the same events in, the same answers out.

Events are written by the real logger and read back through the protocol of ``watchers.stores.Store`` alone.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import streams

from mllog.card import ModelCard
from mllog.confidence import MARGIN, MARGIN_EDGES, UNUSABLE
from mllog.counting import count_columns, segment_value, tally
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
    SCORE_EDGES,
    CellKey,
    Feature,
    Pair,
    Ruler,
    category_key,
)
from mllog.shapes import LENGTH_EDGES, MARK_EDGES, SCRIPT_EDGES
from watchers.finding import Window
from watchers.incidents import IncidentEvent
from watchers.profile import ALL, WindowProfile, merge
from watchers.schedule import run
from watchers.stores._leases import RecordLeases
from watchers.stores.base import DocumentQuery, StaleStateError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

START = dt.datetime(2026, 3, 6, 22, tzinfo=dt.UTC)
"""Friday evening: in Berlin, where the ruler lives, the weekend begins an hour later."""

HOUR = dt.timedelta(hours=1)


@dataclass
class Prediction:
    """What model code gives to the logger."""

    inputs: dict[str, Any] | None
    output: Any = None
    time: dt.datetime = START
    latency: float | None = None
    failed: bool = False
    id: str | None = None


def write(
    place: str, predictions: Sequence[Prediction], card: ModelCard | None = None, model: str = "model", **options: Any
) -> list[str]:
    """Write predictions by the real logger; their event ids."""
    options.setdefault("environment", Manifest(python="3", packages={"numpy": "2.4.6"}))
    clock = options.pop("clock", lambda: int(START.timestamp()) * 10**9)
    with ModelLogger(model, version=options.pop("version", "1"), card=card, sink=place, clock=clock, **options) as log:
        return [
            log.prediction(
                p.inputs, p.output, p.id, time=p.time, latency=p.latency, outcome="failure" if p.failed else "success"
            )
            for p in predictions
        ]


def nonzero(ruler: Ruler, counts: np.ndarray[Any, Any]) -> dict[str, int]:
    """Counts by the names of their cells, for messages that can be read."""
    return {"|".join(ruler.cells[i]): int(counts[i]) for i in np.flatnonzero(counts)}


def hostile_ruler(edges: tuple[float, ...] = (-1.0, 0.0, 0.1, 5.0, 1e300), extra: frozenset[str] = frozenset()) -> Ruler:
    """Every kind of feature, with names and values that somebody might have to quote; with other ``edges`` and ``extra`` values another one, of the same features."""
    carriers = ("UA", "5", "a:b", "it's", 'é"', "None")
    return Ruler(
        (
            Feature("n", "number", edges=edges, low=-5.0, high=5.0, sentinels=frozenset({"-999"})),
            Feature("a:b.'\"\nü", "number", edges=edges, low=0.0, high=1.0),
            Feature("m", "number", edges=edges[:1]),
            Feature("c", "category", categories=carriers, known=frozenset({*carriers, "rare", *extra}), sentinels=frozenset({"N/A"})),
            Feature("id:'", "category", open=True),
            Feature("b", "boolean", categories=("false", "true"), known=frozenset({"false", "true"})),
            Feature("t", "text", vocabulary=frozenset({"late", "gate", "0", *extra})),
            Feature("t.2", "text", vocabulary=frozenset({"late"})),
            Feature("o", "other"),
            Feature(SCORE, "number", edges=SCORE_EDGES),
            Feature(LABEL, "category", categories=("late", "5"), known=frozenset({"late", "5"})),
            Feature(MARGIN, "number", edges=MARGIN_EDGES),
            Feature(UNUSABLE, "number"),
            Feature("@length:t", "number", edges=LENGTH_EDGES),
            Feature("@script:t", "number", edges=SCRIPT_EDGES),
            Feature("@marks:t", "number", edges=MARK_EDGES),
            Feature(LATENCY, "number", edges=LATENCY_EDGES),
        ),
        segments=("c", "b"),
        time_zone="Europe/Berlin",
        pairs=(Pair("n", "a:b.'\"\nü", len(edges) // 2, len(edges) - 1), Pair("m", "n", 0, 0)),
        repeated=True,
    )


NASTY: tuple[Any, ...] = (
    None, math.nan, math.inf, -math.inf, 0, -0.0, 0.0, 1, 1.0, True, False, 5, 5.0, "5", "5.0", -1, -1.0, 0.1, 0.3 - 0.2, 1e300, -5, 5.1,
    -999, -999.0, "-999", "N/A", "", " \n", 2**53, 2**63, 2**70, 10**400, -(10**400), 1e-320, "UA", "ua", "a:b", "it's", 'é"', "rare", "ZZ",
    "None", "null", "true", "yes", 2, 2.5, [1, 2], [], {"k": None}, "late at Gate 12", "l'été 7 late LATE", "…", "!?", "x" * 300, "late " * 2000,
    "tab\there", "nul\x00l", "bad\ud800", "日本 12", "[1, 2]",
)  # fmt: skip
NAMES = ("n", "m", "a:b.'\"\nü", "c", "id:'", "b", "t", "t.2", "o")

# Not shrunk: each example writes and reads a store, and the message names the cells that differ.
SETTINGS = settings(
    max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip

values = st.one_of(
    st.sampled_from(NASTY), st.floats(), st.integers(-10, 10), st.text(max_size=12), st.lists(st.floats(), max_size=2)
)


def is_narrow(value: Any) -> bool:
    """See ``test_a_wide_integer_loses_no_event``."""
    return not isinstance(value, int) or -(2**63) <= value < 2**63


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


def expected(ruler: Ruler, given: Sequence[Prediction]) -> dict[tuple[dt.datetime, tuple[str, str]], Any]:
    """Counts by hour and segment, by the ruler's definition: one event after the other, in plain Python."""
    counts: dict[tuple[dt.datetime, tuple[str, str]], Any] = {}
    of_all = np.array([what in {"both", "concordant"} for _, what, _ in ruler.cells])
    for p in given:
        output = p.output if isinstance(p.output, dict) else {"label" if isinstance(p.output, str) else "score": p.output}
        score, label = output.get("score"), output.get("label")
        row = dict(p.inputs or {})
        one = tally(
            ruler, row, {}, score=score, label=None if label is None else category_key(label), latency=p.latency, failure=p.failed,
            scores=output.get("scores"),
        )
        hour = p.time.replace(minute=0, second=0, microsecond=0)
        segments = [ALL]
        for name in ruler.segments:
            value = segment_value(ruler.by_name[name], row.get(name))
            if value in ruler.by_name[name].categories:
                segments.append((name, str(value)))
        for segment in segments:
            held = one if segment == ALL else one * ~of_all
            counts[hour, segment] = counts.get((hour, segment), 0) + held
    return counts


def add_repeated(
    ruler: Ruler, store: Any, ids: Sequence[str], counts: dict[tuple[dt.datetime, tuple[str, str]], Any], *, spelling: bool
) -> None:
    """Add what repeats to ``counts``: by the events as they were written, one after the other; perhaps to the letter."""
    seen: set[tuple[Any, ...]] = set()
    for event in store.events(ids).values():
        ml = event["ml"]
        parts = [(kind, name, json.dumps(float(value) + 0.0 if kind == "number" else value, sort_keys=True))
                 for kind, held in (ml.get("inputs") or {}).items() for name, value in held.items()]  # fmt: skip
        parts += [(kind, name, "") for kind in ("null", "nan", "infinite", "empty") for name in (ml.get("missing") or {}).get(kind, ())]
        if not parts:
            continue
        hour = dt.datetime.fromisoformat(event["@timestamp"]).replace(minute=0, second=0, microsecond=0)
        key = (hour, json.dumps([ml.get("inputs"), ml.get("missing")])) if spelling else (hour, *sorted(parts))
        counts[hour, ALL][ruler.index[COMPARED]] += 1
        counts[hour, ALL][ruler.index[REPEATED]] += key in seen
        seen.add(key)


def check_equal(
    ruler: Ruler, profiles: Sequence[WindowProfile], want: dict[tuple[dt.datetime, tuple[str, str]], Any], blind: Collection[CellKey] = ()
) -> None:
    """Profiles and counts are equal to the last cell that isn't in ``blind``, and every cell stands under its hour's stratum."""
    have = {}
    seen = np.array([key not in blind for key in ruler.cells])
    for profile in profiles:
        assert profile.complete
        assert profile.window.start is not None
        for (stratum, segment), counts in profile.cells.items():
            assert stratum == ruler.stratum(profile.window.start)
            assert counts.min() >= 0
            have[profile.window.start, segment] = nonzero(ruler, counts * seen)
    wanted = {key: nonzero(ruler, counts * seen) for key, counts in want.items()}
    # What a reader of a failure must see: which cells.
    differ = {
        key: {cell: (mine.get(cell), theirs.get(cell)) for cell in mine.keys() | theirs.keys() if mine.get(cell) != theirs.get(cell)}
        for key in have.keys() | wanted.keys() if (mine := have.get(key, {})) != (theirs := wanted.get(key, {}))
    }  # fmt: skip
    assert differ == {}


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


def plain(minutes: float = 0, **changes: Any) -> Prediction:
    """A prediction with nothing odd about it, but what is changed."""
    good = {"n": 0.5, "m": 0.5, "a:b.'\"\nü": 0.5, "c": "UA", "id:'": "x", "b": True, "t": "late gate", "t.2": "late", "o": [1]}
    return Prediction({**good, **changes}, 0.5, START + dt.timedelta(minutes=minutes))


@pytest.fixture
def ruler() -> Ruler:
    """The hostile one."""
    return hostile_ruler()


@pytest.fixture
def card(ruler: Ruler) -> ModelCard:
    """A card around it."""
    return ModelCard("model", "1", ruler, task="classification")


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


def test_profiles_are_kept(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Stored profiles come back equal, once, in order, by any time zone; another ruler's stay aside."""
    place = stand.place()
    write(place, [plain(0), plain(61, c=None), plain(130, t="unheard of")], card)
    store = stand.open(place)
    made = list(store.profiles("model", ruler, START, START + 3 * HOUR))
    store.write_profiles(made, ruler)
    store.write_profiles(made[:2], ruler)
    other = hostile_ruler((0.0,))
    store.write_profiles(list(store.profiles("model", other, START, START + HOUR)), other)
    again = stand.open(place)
    east = dt.timezone(dt.timedelta(hours=9))
    for zone in (dt.UTC, east):
        held = again.stored_profiles("model", ruler, START.astimezone(zone), (START + 3 * HOUR).astimezone(zone))
        assert [p.to_dict(ruler) for p in held] == [p.to_dict(ruler) for p in made]
    assert [p.n for p in again.stored_profiles("model", ruler, START + HOUR, START + 2 * HOUR)] == [1]
    assert len(again.stored_profiles("model", other, START, START + 3 * HOUR)) == 1
    assert again.stored_profiles("nobody", ruler, START, START + 3 * HOUR) == []


QUERIES = [
    (DocumentQuery("missing", "n"), [1]),
    (DocumentQuery("missing", "c"), [2, 3]),
    (DocumentQuery("unseen", "c"), [4, 5]),
    (DocumentQuery("unseen", "c", ("it''s",)), [5]),
    (DocumentQuery("range", "n"), [6]),
    (DocumentQuery("type", "n"), [7]),
    (DocumentQuery("tokens", "t"), [8]),
    (DocumentQuery("category", "c", ("it's", "a:b")), [9, 10]),
    (DocumentQuery("category", "b", ("false",)), [11]),
    (DocumentQuery("category", LABEL, ("5",)), [12]),
    (DocumentQuery("number", "n", side="high"), [6, 13]),
    (DocumentQuery("number", "n", side="low"), [14]),
    (DocumentQuery("latency"), [15]),
    (DocumentQuery("bin", values=("@unusable:0", "@margin:24")), [16, 17]),
    (DocumentQuery("environment", values=("nothing",)), []),
    (DocumentQuery("failure"), [18]),
    (DocumentQuery("unanswered", "@score", (*(f"@score:{k}" for k in range(20)), "@unusable:0")), [12, 19]),
    (DocumentQuery("unanswered", LABEL), [0, 1]),
    (DocumentQuery("any"), [0, 1]),
]


@pytest.mark.parametrize(("query", "which"), QUERIES, ids=lambda v: f"{v.kind}-{v.feature}-{v.side}" if isinstance(v, DocumentQuery) else None)
def test_documents_show_a_finding(stand: Any, ruler: Ruler, card: ModelCard, query: DocumentQuery, which: list[int]) -> None:
    """Every kind of query brings the events that show it, the worst or first ones in front."""
    given_ = [
        plain(0), plain(1, n=None), plain(2, c=""), plain(3, c="N/A"), plain(4, c="ZZ"), plain(5, c="it''s"), plain(6, n=99.0),
        plain(7, n="much"), plain(8, t="unheard of"), plain(9, c="it's"), plain(10, c="a:b"), plain(11, b=False), plain(12), plain(13, n=4.9),
        plain(14, n=-4.9), plain(15), plain(16), plain(17), plain(18), plain(19),
    ]  # fmt: skip
    given_[12].output = {"label": 5}
    given_[15].latency = 3.0
    given_[18].failed, given_[18].output, given_[19].output = True, None, None
    given_[16].output, given_[17].output = {"score": math.nan}, {"label": "late", "score": 1.0}
    place = stand.place()
    ids = write(place, given_, card)
    store = stand.open(place)
    list(store.profiles("model", ruler, START, START + HOUR))
    window = Window(START, START + HOUR)
    found = store.documents("model", window, query, None, max(len(which), 1))
    assert found == [ids[k] for k in which]
    events = store.events(found)
    assert list(events) == [event["event"]["id"] for event in events.values()]
    assert set(events) == set(found)


def test_documents_of_a_segment_and_window(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """A segment and a window narrow a query, values with quotes and booleans included; a limit is kept."""
    place = stand.place()
    given_ = [plain(0, n=None, c="it's"), plain(1, n=None, b=False), plain(2, n=None, c="it's", b=False), plain(70, n=None)]
    ids = write(place, given_, card)
    store = stand.open(place)
    list(store.profiles("model", ruler, START, START + 2 * HOUR))
    query, hour = DocumentQuery("missing", "n"), Window(START, START + HOUR)
    assert store.documents("model", hour, query, {"c": "it's"}, 5) == [ids[0], ids[2]]
    assert store.documents("model", hour, query, {"b": "false"}, 5) == [ids[1], ids[2]]
    assert store.documents("model", hour, query, {"c": "it's", "b": "false"}, 5) == [ids[2]]
    assert store.documents("model", hour, query, None, 2) == ids[:2]
    assert store.documents("model", Window(START + HOUR, START + 2 * HOUR), query, None, 5) == ids[3:]


def test_everything_of_one_prediction(stand: Any, card: ModelCard) -> None:
    """By the caller's id or by the event's: prediction and label, in time order, and nothing else."""
    place = stand.place()
    (event_id, _) = write(place, [Prediction({"n": 1}, 0.5, START, id="it's-1"), plain(1)], card)
    with ModelLogger("model", version="1", sink=place, clock=lambda: int(START.timestamp()) * 10**9 + 10**9) as log:
        log.label("it's-1", "late")
        log.label("another", "late")
    store = stand.open(place)
    assert [event["event"]["action"] for event in store.events_of("it's-1")] == ["predict", "label"]
    assert [event["event"]["id"] for event in store.events_of(event_id)] == [event_id]
    assert store.events_of("nothing") == []
    assert store.events(["nothing"]) == {}


def test_manifests_are_found_by_fingerprint(stand: Any, card: ModelCard) -> None:
    """The packages behind a fingerprint are there, and an unknown fingerprint gives None."""
    place = stand.place()
    manifest = Manifest(python="3.12", packages={"scipy": "1.0"})
    write(place, [plain(0)], card, environment=manifest)
    store = stand.open(place)
    held = store.manifest(manifest.fingerprint)
    assert held is not None
    assert held["packages"] == {"scipy": "1.0"}
    assert store.manifest("0" * 16) is None


def test_cards_are_found(stand: Any, card: ModelCard) -> None:
    """The card that a logger left is there, and so is one that the watchers made."""
    place = stand.place()
    write(place, [plain(0)], card)
    store = stand.open(place)
    assert [c.ruler.hash for c in store.cards()] == [card.ruler.hash]
    made = ModelCard("model", "observed", hostile_ruler((0.0,)))
    store.save_card(made)
    store.save_card(made)
    assert {c.ruler.hash for c in stand.open(place).cards()} == {card.ruler.hash, made.ruler.hash}


def test_the_last_card_of_a_ruler_counts(stand: Any) -> None:
    """A model that was trained again may keep its ruler: its training and version are those of the card saved last."""
    place = stand.place()
    first = ModelCard.from_frame({"n": [1.0, 2.0, 3.0]}, "model", "1")
    second, third = (ModelCard.from_frame({"n": [1.0, 2.0, 3.0] * k}, "model", str(k), previous=first) for k in (2, 3))
    assert first.ruler.hash == second.ruler.hash == third.ruler.hash

    def held(store: Any) -> list[tuple[str, int]]:
        return [(card.version, sum(card.totals.values())) for card in store.cards()]

    wanted = [(card.version, sum(card.totals.values())) for card in (first, second, third)]
    for k, card in enumerate((first, second)):
        write(place, [plain(k)], card, version=card.version)
        store = stand.open(place)
        assert held(store) == wanted[k : k + 1]
    store.save_card(third)
    assert held(store) == wanted[2:]
    # Where events are shipped again, so are their cards: an older one must not come back.
    assert held(stand.open(place)) == wanted[2:]


@pytest.mark.parametrize(("limit", "n"), [(1, 1), (3, 3), (6, 6), (10, 10), (11, 10)])
def test_a_sample_is_spread_over_the_span(stand: Any, card: ModelCard, limit: int, n: int) -> None:
    """A sample is no larger than asked, full where there is enough, and not of the first hours alone."""
    place = stand.place()
    write(place, [plain(10 * k) for k in range(10)], card)
    found = stand.open(place).sample("model", START, START + 2 * HOUR, limit)
    assert len(found) == n
    assert len({event["event"]["id"] for event in found}) == n
    if limit > 1:
        assert found[-1]["@timestamp"] >= (START + dt.timedelta(minutes=50)).isoformat()


def test_results_are_upserted(stand: Any) -> None:
    """Findings replace themselves by id, incident events stay as they were written, state is whole."""
    place = stand.place()
    store = stand.open(place)
    store.write_findings("m", [{"id": "b", "window": {"end": "2026-01-02"}, "v": 1}, {"id": "a", "window": {"end": "2026-01-01"}}])
    store.write_findings("m", [{"id": "b", "window": {"end": "2026-01-02"}, "v": 2}])
    store.write_findings("m", [])
    assert [(f["id"], f.get("v")) for f in stand.open(place).findings("m")] == [("a", None), ("b", 2)]
    data = {"model": "m", "onset": START.isoformat(), "opened": START.isoformat(), "title": "what broke"}
    made = [IncidentEvent.make("i", START + k * HOUR, "updated" if k else "opened", k, {**data, "findings": k}).to_dict() for k in range(3)]
    store.write_incident_events(made[:2])
    store.write_incident_events([{**made[0], "data": {**data, "findings": 9}}, made[2]])
    assert stand.open(place).incident_events() == made
    assert store.state("m") == {}
    store.write_state("m", {"judged": "x"})
    store.write_state("m", {"judged": "y"})
    assert stand.open(place).state("m") == {"judged": "y"}
    assert store.findings("other") == []


def test_days_of_profiles_are_kept(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Whole days and parts of some come back hour by hour; an hour of a day that is over can be replaced."""
    place = stand.place()
    write(place, [plain(60 * k) for k in range(0, 60, 7)], card)
    store = stand.open(place)
    begin, end = START - 2 * HOUR, START + 60 * HOUR
    made = list(store.profiles("model", ruler, begin, end))
    store.write_profiles(made[:30], ruler)
    store.write_profiles(made[30:], ruler)
    for first, last in ((0, 62), (4, 28), (3, 29), (5, 6), (27, 53)):
        found = stand.open(place).stored_profiles("model", ruler, begin + first * HOUR, begin + last * HOUR)
        assert [profile.to_dict(ruler) for profile in found] == [profile.to_dict(ruler) for profile in made[first:last]]
    made[10].count("host", "another", 3)
    store.write_profiles([made[10]], ruler)
    found = stand.open(place).stored_profiles("model", ruler, begin, end)
    assert [profile.to_dict(ruler) for profile in found] == [profile.to_dict(ruler) for profile in made]


def test_hours_are_counted_cheaply(stand: Any, card: ModelCard) -> None:
    """Events of each hour that has some, by whatever card, and none of those that only a rule kept."""
    place = stand.place()
    write(place, [plain(0), plain(1), plain(130)], card)
    write(place, [plain(2)], None)
    write(place, [plain(61)], None, model="other")
    counts = stand.open(place).counts("model", START, START + 3 * HOUR)
    assert counts == {START: 3, START + 2 * HOUR: 1}
    assert stand.open(place).counts("model", START + HOUR, START + 2 * HOUR) == {}
    assert stand.open(place).counts("nobody", START, START + HOUR) == {}


def test_a_state_is_swapped(stand: Any) -> None:
    """A state that builds on an older one than that which is there is refused, and changes nothing."""
    place = stand.place()
    store = stand.open(place)
    store.write_state("m", {"number": 1, "v": 1}, after=0)
    store.write_state("m", {"number": 2, "v": 2}, after=1)
    with pytest.raises(StaleStateError):
        store.write_state("m", {"number": 2, "v": 3}, after=1)
    with pytest.raises(StaleStateError):
        store.write_state("new", {"number": 2}, after=1)
    assert (store.state("m"), store.state("new")) == ({"number": 2, "v": 2}, {})


def test_what_was_told_and_run_is_kept(stand: Any) -> None:
    """Messages that were told are known at once; the newest runs come back, oldest first."""
    place = stand.place()
    store = stand.open(place)
    now = dt.datetime.now(dt.UTC)
    assert store.told(["a"]) == set()
    store.write_told({"id": "a", "@timestamp": now.isoformat(), "event": "e", "incident": "i", "route": "mail", "by": "me"})
    before = now.replace(day=1) - dt.timedelta(days=1)
    store.write_told({"id": "c", "@timestamp": before.isoformat(), "event": "e", "incident": "i", "route": "mail", "by": "me"})
    assert store.told(["a", "b", "c"]) == {"a", "c"}
    runs = [{"id": str(k), "@timestamp": (now - k * HOUR).isoformat(), "run": {"id": str(k), "pid": k}} for k in range(3)]
    for document in reversed(runs):
        store.write_run(document)
    assert stand.open(place).runs(2) == [runs[1], runs[0]]


def test_findings_are_withdrawn(stand: Any) -> None:
    """Those that are named are gone, unknown ones are passed over."""
    place = stand.place()
    store = stand.open(place)
    store.write_findings("m", [{"id": name, "window": {"end": "2026-01-02T00:00:00+00:00"}} for name in "abc"])
    store.withdraw_findings("m", ["a", "c", "nobody"])
    assert [finding["id"] for finding in stand.open(place).findings("m")] == ["b"]


def test_leases(stand: Any) -> None:
    """One at a time, until it is given back; of two stores too."""
    place = stand.place()
    mine, theirs = stand.open(place).leases(), stand.open(place).leases()
    held = mine.acquire("m", 30.0)
    assert held is not None
    assert RecordLeases(theirs._records, holder="elsewhere/1").acquire("m", 30.0) is None
    held = mine.renew(held)
    assert held is not None
    mine.release(held)
    assert RecordLeases(theirs._records, holder="elsewhere/1").acquire("m", 30.0) is not None


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
