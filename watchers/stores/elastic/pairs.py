"""How two numbers go together: on which sides they lie, counted by ranges over their values.

A range over doc values costs a tenth of looking through the bins of an event. Where the values aren't in the mapping (a
policy withheld them, or the field limit was reached) bins are looked through.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from mllog.ruler import CellKey, Feature, Ruler
from watchers.stores.elastic.plan import NUMBER, Body, by_hour, edge


def aggregations(ruler: Ruler, mapped: Collection[str]) -> Body:
    """Aggregations over the events that a ruler measured: for each pair those high or low in both, and in one of them.

    Args:
        ruler: Its pairs.
        mapped: Fields that are in the mapping.
    """
    filters: Body = {}
    for number, pair in enumerate(ruler.pairs):
        sides = [_sides(ruler, mapped, *end) for end in pair.ends]
        for name, (one, other) in {"ll": (0, 0), "hh": (1, 1), "lh": (0, 1), "hl": (1, 0)}.items():
            filters[f"{name}{number}"] = {"bool": {"filter": [*sides[0][one], *sides[1][other]]}}
    return {"pairs": {"filters": {"filters": filters}, "aggs": by_hour({})}}


def _sides(ruler: Ruler, mapped: Collection[str], name: str, low: int) -> tuple[list[Body], list[Body]]:
    """Queries for the low and the high side of a number."""
    feature = ruler.by_name[name]
    field = NUMBER + name
    if field in mapped:
        middle = edge(feature.edges[low])
        # A sentinel is a number too, and lies on no side.
        sentinels = sentinel_numbers(feature)
        without: list[Body] = [{"bool": {"must_not": {"terms": {field: sentinels}}}}] if sentinels else []
        return [{"range": {field: {"lt": middle}}}, *without], [{"range": {field: {"gte": middle}}}, *without]
    bins = [f"{name}:{k}" for k in range(len(feature.edges) + 1)]
    return [{"terms": {"ml.bins": bins[: low + 1]}}], [{"terms": {"ml.bins": bins[low + 1 :]}}]


def sentinel_numbers(feature: Feature) -> list[float]:
    """Numbers that stand for *missing*."""
    found = []
    for key in sorted(feature.sentinels):
        with suppress(ValueError):
            found.append(float(key))
    numbers = [number for number in found if math.isfinite(number)]
    return [*numbers, *(-number for number in numbers if number == 0)]  # to Lucene -0.0 is a number of its own


def read(ruler: Ruler, answer: Mapping[str, Any], add: Callable[[dt.datetime, CellKey, int], None]) -> None:
    """Tell ``add`` (hour, cell, count) what an answer to :func:`aggregations` says."""
    found = answer["aggregations"]["pairs"]["buckets"]
    for number, pair in enumerate(ruler.pairs):
        for name in ("ll", "hh", "lh", "hl"):
            for bucket in found[f"{name}{number}"]["hours"]["buckets"]:
                hour = dt.datetime.fromtimestamp(bucket["key"] / 1000, dt.UTC)
                add(hour, pair.both, bucket["doc_count"])
                if name in {"ll", "hh"}:
                    add(hour, pair.concordant, bucket["doc_count"])
