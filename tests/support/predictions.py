"""Predictions of every odd kind: how a logger writes them, and what the ruler counts of them in plain Python."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mllog.card import ModelCard
from mllog.confidence import MARGIN, MARGIN_EDGES, UNUSABLE
from mllog.counting import segment_value, tally
from mllog.environment import Manifest
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
from watchers.profile import ALL, WindowProfile

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


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
def is_narrow(value: Any) -> bool:
    """See ``test_a_wide_integer_loses_no_event``."""
    return not isinstance(value, int) or -(2**63) <= value < 2**63


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


def plain(minutes: float = 0, **changes: Any) -> Prediction:
    """A prediction with nothing odd about it, but what is changed."""
    good = {"n": 0.5, "m": 0.5, "a:b.'\"\nü": 0.5, "c": "UA", "id:'": "x", "b": True, "t": "late gate", "t.2": "late", "o": [1]}
    return Prediction({**good, **changes}, 0.5, START + dt.timedelta(minutes=minutes))
