"""Events that another ruler measured, or none: they are measured here, by this ruler, from aggregated values.

Numbers are counted by ``range`` over the ruler's edges, in groups; of everything else the distinct values are asked for
and measured as one value each, by the same code that measures frames.

What can't be told from the outside, and how it is counted (the bound that ``docs/decisions/0021`` states):

* inputs that aren't in a typed map (lists, objects, names that the other card didn't know, more than 300 names without
  a card) can't be seen. Where another card says that such an input was there, or a policy withheld it, it is counted in
  no way; otherwise it counts as absent.
* a text is measured where it is among an hour's :data:`VALUES` most frequent short ones of a logger without a card;
  other texts are known to be there, and their words aren't.
* margins of scores and unusable answers are taken as the other ruler measured them; without a card they aren't known.
* which names came that this ruler doesn't know isn't told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mllog.counting import cell_of_category, position_of
from mllog.ruler import LABEL, LATENCY, SCORE, VALUE, Feature
from watchers.profile import ALL, WindowProfile
from watchers.stores.elastic import pairs
from watchers.stores.elastic.plan import (
    BOOLEAN,
    KEYWORD,
    LONG_LABEL,
    NUMBER,
    TEXT,
    Body,
    Plan,
    buckets,
    edge,
    exists,
    predictions,
    terms,
)
from watchers.stores.elastic.searching import problem

if TYPE_CHECKING:
    from watchers.stores.elastic.counting import Profiler

VALUES: Final = 2_000
"""So many distinct values of a feature are asked for in an hour."""

BUCKETS: Final = 60_000
"""Of one answer; ``search.max_buckets`` is 65,535."""

GROUP: Final = 10
"""Features of one search: larger ones of ranges take longer than their parts."""


Counts = npt.NDArray[np.int64]


def fill(profiler: Profiler, plan: Plan, profile: WindowProfile, n: int) -> None:
    """Add to an hour the ``n`` events of it that the ruler didn't measure."""
    ruler, hour, end = profiler.ruler, profile.window.start, profile.window.end
    assert hour is not None
    assert end is not None
    query = predictions(profiler.model, hour.isoformat(), end.isoformat(), card=ruler.hash, others=True)
    groups = [_events()]
    for begin in range(0, len(ruler.features), GROUP):
        numbers = range(begin, min(begin + GROUP, len(ruler.features)))
        groups.append({f"{k} {key}": agg for k in numbers for key, agg in _values(plan, ruler.features[k]).items()})
    parts = list(groups)
    values = plan.segment_values
    size = max(1, BUCKETS // (GROUP * min(VALUES, n)))
    for begin in range(0, len(values), size):
        parts += [plan.segments(group, values[begin : begin + size], numbers=True) for group in groups]
    parts = [part for part in parts if part]
    asked: list[tuple[str, Body]] = [
        (profiler.index, {"size": 0, "track_total_hits": True, "query": query, "aggs": part}) for part in parts
    ]
    if ruler.pairs:
        body = {"size": 0, "track_total_hits": False, "query": query, "aggs": pairs.aggregations(ruler, plan.mapped)}
        asked.append((profiler.index, body))
    answers = profiler.searcher.searches(asked, partial=True)
    told = "; ".join(dict.fromkeys(filter(None, map(problem, answers))))
    if told:
        profile.complete, profile.reason = False, told
        return
    total = answers[0]["hits"]["total"]["value"]
    if not total:
        return
    reader = _Reader(plan, profile)
    whole: dict[str, Any] = {"doc_count": total}
    segments: dict[tuple[tuple[str, str], str], dict[str, Any]] = {}
    for answer in answers[: len(parts)]:
        whole |= answer["aggregations"]
        for segment, came_as, bucket in plan.read_segments(answer["aggregations"]):
            segments.setdefault((segment, came_as), {}).update(bucket)
    stratum = ruler.stratum(hour)
    profile.add(stratum, ALL, reader.read(whole, profile.names))
    for (segment, _), bucket in segments.items():
        profile.add(stratum, segment, reader.read(bucket, {}))
    if ruler.pairs:
        pairs.read(ruler, answers[-1], lambda _, cell, count: profiler.add(profile, cell, count))


def _events() -> Body:
    return {
        "failure": {"filter": {"term": {"event.outcome": "failure"}}},
        "long": {"filter": {"term": {"ml.truncated": "inputs"}}},
    }


def _values(plan: Plan, feature: Feature) -> Body:
    """Aggregations of one feature's values and of what the event says of them."""
    name, mapped = feature.name, plan.mapped
    if not feature.is_input:
        return _outputs(plan, feature)
    aggs: Body = {
        f"missing {kind}": {"filter": {"term": {f"ml.missing.{kind}": name}}}
        for kind in ("absent", "null", "nan", "infinite", "empty")
    }
    typed = [exists(prefix + name) for prefix in (KEYWORD, BOOLEAN, NUMBER, TEXT) if prefix + name in mapped]
    wrong = {"term": {"ml.violations.type": name}}
    hidden = [{"term": {f"ml.{what}": name}} for what in ("violations.unexpected", "withheld", "truncated")]
    cut = {"term": {"_ignored": KEYWORD + name}}
    if feature.kind in {"text", "other"}:
        # What was cut is a text; what was withheld is there, which is all that is counted of others.
        known = [*hidden[2:], exists(f"ml.text.{name}.tokens")] if feature.kind == "text" else hidden[1:]
        texts = [*known, *([exists(TEXT + name)] if TEXT + name in mapped else [])]
        untyped = [query for query in typed if query != exists(TEXT + name)]
        aggs["t"] = _where(texts, untyped)
        hidden, typed = [query for query in hidden if query not in known], [*typed, *texts]
    elif TEXT + name in mapped:
        aggs["t"] = {"filter": exists(TEXT + name)}
    sentinel = {"term": {"ml.missing.sentinel": name}}
    aggs["w"] = _where([wrong], [*typed, cut])
    aggs["z"] = _where([sentinel], [*typed, cut])
    aggs["h"] = _where(hidden, [*typed, wrong, sentinel, cut])
    aggs["i"] = {"filter": cut}
    if KEYWORD + name in mapped:
        aggs["k"] = terms(KEYWORD + name, VALUES)
    if BOOLEAN + name in mapped:
        aggs["b"] = terms(BOOLEAN + name, 2)
    if NUMBER + name in mapped:
        field = NUMBER + name
        if feature.kind == "number":
            sentinels = pairs.sentinel_numbers(feature)
            aggs["s"] = {"filter": {"terms": {field: sentinels}}}
            without = {"filter": {"bool": {"must_not": {"terms": {field: sentinels}}}}}
            aggs["r"] = {**without, "aggs": {"r": _ranges(field, feature.edges)}}
            if feature.low is not None and feature.high is not None:
                inside = {"range": {field: {"gte": edge(feature.low), "lte": feature.high or 0.0}}}
                outside = {
                    "bool": {
                        "filter": exists(field),
                        "must_not": [inside, {"terms": {field: sentinels}}],
                    }
                }
                aggs["o"] = {"filter": outside}
        else:
            aggs["n"] = terms(field, VALUES)
    return aggs


def _where(some: list[Body], none: list[Body]) -> Body:
    """How many events fulfil one of some queries, and none of the others."""
    return {"filter": {"bool": {"should": some, "must_not": none, "minimum_should_match": 1}}}


def _outputs(plan: Plan, feature: Feature) -> Body:
    if feature.name == LABEL:
        return {"l": terms("ml.outputs.label", VALUES), "long": {"filter": LONG_LABEL}}
    if feature.name == SCORE:
        # The field is a float: an edge is as exact as what it is compared with.
        return {"r": _range_of("ml.outputs.score", tuple(float(np.float32(value)) for value in feature.edges))}
    if feature.name == LATENCY:
        return {"r": _range_of("event.duration", tuple(seconds * 1e9 for seconds in feature.edges))}
    if feature.name == VALUE:
        aggs = {"r": _range_of("ml.outputs.value", feature.edges)}
        if SCORE not in plan.ruler.by_name:  # without a card the logger takes a number between 0 and 1 for a score
            no_value = {"bool": {"must_not": {"exists": {"field": "ml.outputs.value"}}}}
            aggs["v"] = {"filter": no_value, "aggs": {"r": _ranges("ml.outputs.score", feature.edges)}}
        return aggs
    bins = [f"{feature.name}:{k}" for k in range(len(feature.edges) + 1)]
    return {"x": terms("ml.bins", len(bins), bins)}


def _range_of(field: str, edges: tuple[float, ...]) -> Body:
    return {"filter": exists(field), "aggs": {"r": _ranges(field, edges)}}


def _ranges(field: str, edges: tuple[float, ...]) -> Body:
    if not edges:
        return {"range": {"field": field, "ranges": [{"key": "0", "from": -1.7e308}]}}
    edges = tuple(map(edge, edges))
    ranges: list[Body] = [{"key": "0", "to": edges[0]}]
    ranges += [{"key": str(k), "from": low, "to": high} for k, (low, high) in enumerate(pairwise(edges), 1)]
    ranges.append({"key": str(len(edges)), "from": edges[-1]})
    return {"range": {"field": field, "ranges": ranges}}


class _Reader:
    def __init__(self, plan: Plan, profile: WindowProfile) -> None:
        self.ruler, self.profile = plan.ruler, profile
        self.singles = {f.name: replace(plan.ruler, features=(f,), segments=(), pairs=()) for f in plan.ruler.inputs}

    def read(self, bucket: Mapping[str, Any], names: dict[str, Counter[str]]) -> Counts:
        """The counts of one bucket, shape ``(len(ruler.cells),)``."""
        ruler = self.ruler
        counts = np.zeros(len(ruler.cells), dtype=np.int64)
        counts[0], counts[1] = bucket["doc_count"], bucket["failure"]["doc_count"]
        known = bucket["doc_count"] - bucket["long"]["doc_count"]
        tokens: Counter[str] = Counter()
        for number, feature in enumerate(ruler.features):
            held = {key.partition(" ")[2]: agg for key, agg in bucket.items() if key.partition(" ")[0] == str(number)}
            if feature.is_input:
                self._read_input(feature, held, known, counts, names, tokens)
            else:
                self._read_output(feature, held, counts, names)
        if tokens:
            names.setdefault("token", Counter()).update(tokens)
        return counts

    def _read_input(
        self,
        feature: Feature,
        held: Mapping[str, Any],
        known: int,
        counts: Counts,
        names: dict[str, Counter[str]],
        tokens: Counter[str],
    ) -> None:
        index, name = self.ruler.index, feature.name
        # Withheld, or of a name that the other card didn't know: there, and nothing else is known.
        there = held["h"]["doc_count"]
        for kind in ("absent", "null", "nan", "infinite", "empty"):
            counts[index[name, "missing", kind]] += held[f"missing {kind}"]["doc_count"]
            there += held[f"missing {kind}"]["doc_count"]
        for letter in "kbn":
            for value, count in buckets(held, letter):
                typed = value == "true" if letter == "b" else value
                self._put(feature, typed, count, counts, names, tokens)
                there += count
            rest = held.get(letter, {}).get("sum_other_doc_count", 0)
            there += rest
            self._put_rest(feature, rest, counts)
        there += self._read_number(feature, held, counts)
        # Lists and objects, which are of no type that is watched.
        wrong, sentinels, texts, long = (held[letter]["doc_count"] if letter in held else 0 for letter in "wzti")
        there += wrong + sentinels + texts + long
        # Of a value that isn't in a map of its type only that is known: one card's sentinel is most likely another's.
        counts[index[name, "missing", "sentinel"]] += sentinels if feature.sentinels else 0
        if feature.kind == "text":
            counts[index[name, "texts", ""]] += texts + long
        elif feature.kind == "number":
            wrong += texts + long
        elif feature.kind in {"category", "boolean"}:
            way = (name, "other", "") if feature.open else (name, "violation", "category")
            counts[index[way]] += long
        if feature.kind == "other":
            counts[index[name, "present", ""]] += max(known - there, 0) + wrong + texts + long
        else:
            counts[index[name, "violation", "type"]] += wrong
            counts[index[name, "missing", "absent"]] += max(known - there, 0)

    def _read_number(self, feature: Feature, held: Mapping[str, Any], counts: Counts) -> int:
        index, name = self.ruler.index, feature.name
        if "r" not in held:
            return 0
        found: int = 0
        for inner in held["r"]["r"]["buckets"]:
            counts[index[name, "bin", inner["key"]]] += inner["doc_count"]
            found += inner["doc_count"]
        sentinels: int = held["s"]["doc_count"]
        counts[index[name, "missing", "sentinel"]] += sentinels
        if "o" in held:
            counts[index[name, "violation", "range"]] += held["o"]["doc_count"]
        return found + sentinels

    def _put(
        self,
        feature: Feature,
        value: Any,
        count: int,
        counts: Counts,
        names: dict[str, Counter[str]],
        tokens: Counter[str],
    ) -> None:
        index, unseen_tokens = self.ruler.index, dict[str, None]()
        first, second, total, unseen = position_of(self.singles[feature.name], feature, index, value, unseen_tokens)
        for position in (first, second):
            if position >= 0:
                counts[position] += count
        if first == index.get((feature.name, "violation", "category"), -2):
            names.setdefault(f"unseen:{feature.name}", Counter())[feature.key(value)] += count
        if feature.kind == "text" and total:
            counts[index[feature.name, "tokens", ""]] += total * count
            counts[index[feature.name, "unseen_tokens", ""]] += unseen * count
        tokens.update(dict.fromkeys(unseen_tokens, count))

    def _put_rest(self, feature: Feature, rest: int, counts: Counts) -> None:
        """Values beyond those that were asked for."""
        if not rest:
            return
        index = self.ruler.index
        if feature.kind == "text":
            counts[index[feature.name, "texts", ""]] += rest
        elif feature.open:
            counts[index[feature.name, "other", ""]] += rest
        else:
            self.profile.complete = False
            self.profile.reason = f"{feature.name} has more than {VALUES} values in events that another card measured"

    def _read_output(
        self, feature: Feature, held: Mapping[str, Any], counts: Counts, names: dict[str, Counter[str]]
    ) -> None:
        index, name = self.ruler.index, feature.name
        for value, count in buckets(held, "l"):
            position = cell_of_category(feature, index, value)
            counts[position] += count
            if position == index[LABEL, "violation", "category"]:
                names.setdefault(f"unseen:{LABEL}", Counter())[value] += count
        if "long" in held:
            counts[index[LABEL, "violation", "category"]] += held["long"]["doc_count"]
        for letter in "rv":
            for inner in held.get(letter, {}).get("r", {}).get("buckets", ()):
                counts[index[name, "bin", inner["key"]]] += inner["doc_count"]
        for key, count in buckets(held, "x"):
            position_in = index.get((name, "bin", key.rpartition(":")[2]))
            if position_in is not None:
                counts[position_in] += count
