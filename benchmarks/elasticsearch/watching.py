"""What watching costs: a day's profile, its segments, a week's baseline, an hourly run, bytes over the wire."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.elasticsearch import data, filling, rivals
from benchmarks.elasticsearch.meters import Bench, Cost
from mllog.card import ModelCard
from mllog.ruler import Ruler
from watchers.finding import Window
from watchers.incidents import Engine
from watchers.profile import WindowProfile, merge
from watchers.running import IMMEDIATE
from watchers.schedule import run
from watchers.stores.elastic import ElasticsearchStore

HOUR: Final = dt.timedelta(hours=1)
DAYS: Final = 7
WARM: Final = 6
"""Rounds before the first one that counts: a node is asked the same each hour, and its code has long been compiled."""

HISTORY: Final = 28
"""Days of stored profiles that an hourly run reads."""

END: Final = data.START + data.DAY
WIRE: Final = "wire"
OURS: Final = "mllog's store"
DUCKDB: Final = "DuckDB on Parquet"
SCAN: Final = "pandas + scipy, full scan"
EACH: Final = "a query a feature and rule"
EXPORT: Final = "export of all documents + pandas"


def _warm(rounds: int) -> int:
    return WARM if rounds > 1 else 1


def store_of(bench: Bench) -> ElasticsearchStore:
    """The store whose requests the bench counts."""
    return ElasticsearchStore(bench.place, namespace=data.NAMESPACE, client=bench.client)


def profile(bench: Bench, card: ModelCard, table: pd.DataFrame, folder: Path, rounds: int) -> dict[str, Any]:
    """A day of everybody's: costs by way, and which features they count otherwise."""
    ruler, store, index = card.ruler, store_of(bench), filling.stream(card.model, data.NAMESPACE)
    day, before = folder / "day.parquet", folder / "before.parquet"
    rivals.write_parquet(table, data.times(len(table)), day)
    rivals.write_parquet(data.frame(9, len(table), serving=False), data.times(len(table)), before)
    ways = {
        OURS: (rounds, lambda: list(store.profiles(card.model, ruler, data.START, END))),
        DUCKDB: (rounds, lambda: rivals.duckdb_counts(day, ruler)),
        SCAN: (rounds, lambda: rivals.evidently_like(day, before, ruler)),
        EACH: (rounds, lambda: rivals.query_each(bench.client, index, ruler)),
        EXPORT: (1, lambda: rivals.export_counts(bench.client, index, ruler)),
    }
    costs: dict[str, Cost] = {}
    said: dict[str, Any] = {}
    for name, (times, work) in ways.items():
        if times > 1:
            for _ in range(_warm(rounds)):
                bench.forget()
                work()
        costs[name], said[name] = bench.median(times, work)
    counted = counts_of(said[OURS], ruler)
    return {
        "costs": {name: asdict(cost) for name, cost in costs.items()},
        "features": len(ruler.inputs),
        "rules": said[EACH],
        "otherwise": {name: rivals.differing(counted, said[name], ruler) for name in (DUCKDB, EXPORT)},
        "complete": all(each.complete for each in said[OURS]),
    }


def counts_of(profiles: Sequence[WindowProfile], ruler: Ruler) -> dict[tuple[str, str, str], int]:
    """All hours together, by cell."""
    total = merge(profiles).total()
    return {cell: int(total[position]) for cell, position in ruler.index.items()}


def segments(bench: Bench, card: ModelCard, rounds: int) -> dict[str, Any]:
    """The same day with everything counted for each value of one field too."""
    # Events name the ruler that measured them, and segments change nothing of what they say: one ruler's events serve.
    ruler = replace(card.ruler, segments=(data.SEGMENT,))
    ruler.__dict__["hash"] = card.ruler.hash
    store = store_of(bench)
    without, _ = bench.median(rounds, lambda: list(store.profiles(card.model, card.ruler, data.START, END)))
    held, found = bench.median(rounds, lambda: list(store.profiles(card.model, ruler, data.START, END)))
    values = len({segment for each in found for segment in each.segments()})
    return {"values": values, "without": asdict(without), "with": asdict(held)}


def baseline(bench: Bench, card: ModelCard, lines: Sequence[bytes], rounds: int) -> dict[str, Any]:
    """A week from stored hours beside the same week counted anew; ``lines`` are each day's events."""
    store, index = store_of(bench), filling.stream(card.model, data.NAMESPACE)
    start = data.START - DAYS * data.DAY
    for k in range(DAYS):
        filling.bulk(bench, index, filling.dated(lines, (start + k * data.DAY).date()))
    bench.settle()
    rescan, profiles = bench.median(rounds, lambda: list(store.profiles(card.model, card.ruler, start, data.START)))
    _keep(store, profiles, card.ruler)
    bench.settle()
    stored, summed = bench.median(
        5 * rounds, lambda: merge(store.stored_profiles(card.model, card.ruler, start, data.START))
    )
    again = merge(profiles)
    equal = summed.n == len(lines) * DAYS and np.array_equal(summed.total(), again.total())
    return {"each": len(lines), "rescan": asdict(rescan), "stored": asdict(stored), "equal": bool(equal)}


def hourly(bench: Bench, card: ModelCard, rounds: int, indexing: dict[str, Any]) -> dict[str, Any]:
    """One hourly run of the scheduler over the day's last hour, with four weeks of stored hours before it.

    Args:
        bench: The node, which has the day.
        card: Of its model.
        rounds: How often.
        indexing: What bringing the day into the node cost.
    """
    store, ruler = store_of(bench), card.ruler
    counting, day = bench.median(
        _warm(rounds) + rounds, lambda: list(store.profiles(card.model, ruler, data.START, END))
    )
    _keep(store, day[:-1], ruler)
    for back in range(1, HISTORY + 1):
        _keep(store, [_moved(each, -back * data.DAY) for each in day], ruler)
    bench.settle()
    judged = END - HOUR
    engine = Engine.restore(card.model, [], None, immediate=IMMEDIATE).state()
    costs = []
    report = None
    for _ in range(rounds + 1):
        store.write_state(card.model, {"judged": judged.isoformat(), "ruler": ruler.hash, "engine": engine})
        bench.forget()
        with bench.measured() as cost:
            report = run(store_of(bench), END + HOUR / 2)
        costs.append(cost)
    assert report is not None
    if report.hours != {card.model: 1}:
        raise SystemExit(f"one hour was to be judged, not {report.hours}: {report.problems}")
    # The first one imports and compiles.
    best = sorted(costs[1:], key=lambda cost: cost.cpu + (cost.node or 0))[len(costs[1:]) // 2]
    found = {"events": day[-1].n, "alerts": len(report.findings), **asdict(best)}
    return {**found, "counting": asdict(counting), "indexing": indexing}


def _keep(store: ElasticsearchStore, profiles: Sequence[WindowProfile], ruler: Ruler) -> None:
    """Leave stored hours, without what dashboards read beside them."""
    store.keep_profiles(profiles, ruler)


def _moved(profile: WindowProfile, by: dt.timedelta) -> WindowProfile:
    assert profile.window.start is not None
    assert profile.window.end is not None
    return replace(profile, window=Window(profile.window.start + by, profile.window.end + by))


def wire(bench: Bench, folder: Path, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Bytes of the answers that a day's profile takes, by how many events the day has; each size its own day."""
    card = data.card(WIRE, data.SMALL)
    least = min(sizes)
    data.log(folder, data.frame(11, least, data.SMALL), card)
    lines = list(data.lines(folder))
    index, store = filling.stream(WIRE, data.NAMESPACE), store_of(bench)
    found = []
    for k, size in enumerate(sizes):
        start = data.START + k * data.DAY
        copies = chain.from_iterable(repeat(lines, size // least))
        sent = filling.bulk(bench, index, filling.dated(copies, start.date()))
        bench.settle()
        cost, profiles = bench.median(
            2, lambda start=start: list(store.profiles(WIRE, card.ruler, start, start + data.DAY))
        )
        if sum(each.n for each in profiles) != sent:
            raise SystemExit(f"of {sent} events {sum(each.n for each in profiles)} were counted")
        found.append({"events": sent, **asdict(cost)})
    return found
