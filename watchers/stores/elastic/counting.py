"""Profiles of a model's hours, by aggregations alone: no document is fetched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mllog.ruler import COMPARED, MISSING_KINDS, REPEATED, Ruler, category_key
from watchers.finding import Window
from watchers.profile import ALL, NAMES_KEPT, WindowProfile
from watchers.stores.elastic import others, pairs
from watchers.stores.elastic.plan import (
    BOOLEAN,
    FINGERPRINT,
    KEYWORD,
    NEEDED,
    NUMBER,
    OF_ALL,
    TEXT,
    Body,
    Plan,
    buckets,
    by_hour,
    exists,
    hours_of,
    predictions,
    within,
)
from watchers.stores.elastic.searching import Searcher, problem

HOUR: Final = dt.timedelta(hours=1)
BUCKETS: Final = 40_000
"""Of one answer; ``search.max_buckets`` is 65,535, and what one event can add is known only roughly."""

NAMES: Final = 8
"""Kinds of names that an hour has."""

DENSE: Final = 1_000
"""Measured events of an hour, on average, from which on each hour's bins are counted beside the histogram of hours."""

TOGETHER: Final = 6
"""Such hours of one search: several searches of a request run side by side, each on a core of its own."""

CHUNK: Final = 24 * 7
"""Hours that are counted beforehand, to know how many can be asked for at once."""


@dataclass
class HourCounts:
    """What is known of an hour before it is counted.

    Attributes:
        n: Events.
        measured: Events that the ruler measured.
        withheld: Events of which a policy kept back something: nobody can say which are equal.
    """

    n: int
    measured: int
    withheld: int = 0


@dataclass
class Profiler:
    """Counts one model's predictions by one ruler.

    Args:
        searcher: The cluster.
        index: Its data streams of predictions.
        model: Model's name.
        ruler: How events were measured; those that another ruler measured, or none, are measured by ranges.
    """

    searcher: Searcher
    index: str
    model: str
    ruler: Ruler

    def profiles(self, start: dt.datetime, end: dt.datetime) -> Iterator[WindowProfile]:
        """One profile for each hour of the span, in order; empty ones where nothing came."""
        begin, last = _floor(start), _floor(end)
        while begin < last:
            upto = min(begin + CHUNK * HOUR, last)
            yield from self._chunk(begin, upto)
            begin = upto

    def _chunk(self, begin: dt.datetime, end: dt.datetime) -> Iterator[WindowProfile]:
        counted, told = self._count(begin, end)
        types = self.searcher.field_types(self.index, self._fields(), within(begin, end)) if counted else {}
        told = told or (unmapped(types) if counted else "")
        plan = Plan(self.ruler, frozenset(name for name, kinds in types.items() if kinds))
        for first, last in self._spans(begin, end, counted):
            hours = {
                first + k * HOUR: WindowProfile(
                    self.model, self.ruler.hash, Window(first + k * HOUR, first + (k + 1) * HOUR)
                )
                for k in range(int((last - first) / HOUR))
            }
            some = {hour: held for hour, held in counted.items() if hour in hours}
            if some and not told:
                self._fill(plan, hours, some)
            for profile in hours.values():
                if told:
                    profile.complete, profile.reason = False, told
                yield profile

    def _count(self, begin: dt.datetime, end: dt.datetime) -> tuple[dict[dt.datetime, HourCounts], str]:
        """How many events each hour has, and why that can't be known."""
        asked: Body = {"measured": {"filter": {"term": {"ml.card": self.ruler.hash}}}}
        if self.ruler.repeated:
            asked["withheld"] = {"filter": exists("ml.withheld")}
        (answer,) = self.searcher.searches([(self.index, self._body(begin, end, by_hour(asked)))], partial=True)
        held = {
            hour: HourCounts(bucket["doc_count"], *(bucket[name]["doc_count"] for name in asked))
            for hour, bucket in hours_of(answer)
        }
        return held, problem(answer)

    def _spans(
        self, begin: dt.datetime, end: dt.datetime, counted: Mapping[dt.datetime, HourCounts]
    ) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        """Runs of hours whose answer has few enough buckets.

        An event has at most one bin of each feature, one category, …, and stands in one segment of each field: a thin
        hour has few buckets however many cells there are.
        """
        first, size = begin, 0
        hour = begin
        while hour < end:
            held = counted.get(hour)
            own = self._buckets(held.n) if held else 0
            if size and size + own > BUCKETS:
                yield first, hour
                first, size = hour, 0
            size += own
            hour += HOUR
        yield first, end

    def _buckets(self, n: int) -> int:
        """How many buckets the answer about an hour of ``n`` events has at most."""
        ruler = self.ruler
        values = sum(len(ruler.by_name[name].categories) for name in ruler.segments)
        each = (1 + len(ruler.segments)) * (2 * len(ruler.features) + 10)
        return min((1 + values) * (len(ruler.cells) + 10), n * each) + NAMES * min(n, NAMES_KEPT)

    def _parts(self, plan: Plan, counted: Mapping[dt.datetime, HourCounts]) -> list[Body]:
        """The aggregations of measured events: of one search, or of several that have some values of segments each."""
        cells = plan.cells()
        values = plan.segment_values
        most = max(held.measured for held in counted.values())
        of_all = {**cells, **plan.repeats(most), **plan.lost(), **plan.names()}
        if sum(self._buckets(held.n) for held in counted.values()) <= BUCKETS:
            return [_by_hour({**of_all, **plan.segments(cells, values)}, counted)]
        size = max(1, BUCKETS // (len(self.ruler.cells) + 10) // len(counted))
        some = (plan.segments(cells, values[begin : begin + size]) for begin in range(0, len(values), size))
        return [_by_hour(of_all, counted), *(by_hour(part) for part in some if part)]

    def _fill(
        self, plan: Plan, hours: dict[dt.datetime, WindowProfile], counted: Mapping[dt.datetime, HourCounts]
    ) -> None:
        first, last = min(hours), max(hours) + HOUR
        asked = [self._body(first, last, by_hour(dict(OF_ALL)))]
        measured = {hour: held for hour, held in counted.items() if held.measured}
        for part in _together(measured):
            span = min(part), max(part) + HOUR
            asked += [self._body(*span, body, card=True) for body in self._parts(plan, part)]
        paired = pairs.aggregations(self.ruler, plan.mapped) if measured and self.ruler.pairs else None
        answers = self._asked(
            [(self.index, body) for body in asked]
            + ([(self.index, self._body(first, last, paired, card=True))] if paired else []),
            hours,
        )
        if not answers:
            return
        for answer in answers[: len(asked)]:
            for hour, bucket in hours_of(answer):
                if hour not in counted:
                    continue  # what came meanwhile is late, and has no bins in this answer
                apart = answer["aggregations"].get(_apart(hour), {})
                self._take(plan, hours[hour], {**bucket, "bins": apart["bins"]} if apart else bucket)
                if "compared" in bucket and not counted[hour].withheld:
                    self._add_repeated(hours[hour], bucket)
        if paired:
            known = {hour: hours[hour] for hour in counted}
            pairs.read(
                self.ruler,
                answers[-1],
                lambda hour, cell, count: self.add(known[hour], cell, count) if hour in known else None,
            )
        if measured:
            self._unseen(plan, hours)
        for hour, held in counted.items():
            if held.measured < held.n:
                others.fill(self, plan, hours[hour], held.n - held.measured)

    def _take(self, plan: Plan, profile: WindowProfile, bucket: Mapping[str, Any]) -> None:
        assert profile.window.start is not None
        stratum = self.ruler.stratum(profile.window.start)
        if "failure" in bucket:
            profile.add(stratum, ALL, plan.read(bucket))
        for segment, _, inner in plan.read_segments(bucket):
            profile.add(stratum, segment, plan.read(inner))
        if bucket.get("lost", {}).get("doc_count"):
            profile.complete = False
            profile.reason = (
                "the index has no room for fields of some categories or texts: raise index.mapping.total_fields.limit "
                "in mllog@custom, and roll the data stream over"
            )
        _take_names(profile, bucket)

    def _add_repeated(self, profile: WindowProfile, bucket: Mapping[str, Any]) -> None:
        """Count events that say the same as an earlier one of the hour; how many are different is told roughly."""
        compared = bucket["compared"]["value"]
        self.add(profile, COMPARED, compared)
        self.add(profile, REPEATED, max(compared - bucket["different"]["value"], 0))

    def _unseen(self, plan: Plan, hours: dict[dt.datetime, WindowProfile]) -> None:
        """Names of values that training never had, of the features that had some."""
        index = self.ruler.index
        concerned = [
            feature
            for feature in self.ruler.inputs
            if feature.kind in {"category", "boolean"}
            and any(
                profile.total()[index[feature.name, "violation", "category"]] for profile in hours.values() if profile.n
            )
        ]
        if not plan.unseen(concerned):
            return
        each = sum(min(profile.n, 3 * NAMES_KEPT) + 3 for profile in hours.values())
        size = max(1, BUCKETS // max(each, 1))
        parts = [plan.unseen(concerned[k : k + size]) for k in range(0, len(concerned), size)]
        span = min(hours), max(hours) + HOUR
        answers = self._asked([(self.index, self._body(*span, by_hour(part), card=True)) for part in parts], hours)
        for k, answer in enumerate(answers):
            for hour, bucket in hours_of(answer):
                if not hours[hour].n:
                    continue  # late, as above
                for number, feature in enumerate(concerned[k * size : (k + 1) * size]):
                    held = bucket.get(f"u{number}", {})
                    for letter in "kbn":
                        for key, count in buckets(held, letter):
                            name = category_key(key) if letter == "n" else key
                            hours[hour].count(f"unseen:{feature.name}", name, count)

    def _asked(self, asked: Sequence[tuple[str, Body]], hours: dict[dt.datetime, WindowProfile]) -> list[Body]:
        """Answers; none where one of them lacks something for good: then every hour is ``unknown``.

        Raises:
            StoreError: one lacks something now, and may have it later: the hours aren't judged before that.
        """
        answers = self.searcher.searches(asked, partial=True)
        told = next(filter(None, map(problem, answers)), "")
        for profile in hours.values() if told else ():
            profile.complete, profile.reason = False, told
        return [] if told else answers

    def add(self, profile: WindowProfile, cell: tuple[str, str, str], count: int) -> None:
        """Add to a count of all events of an hour that has some."""
        assert profile.window.start is not None
        profile.cells[self.ruler.stratum(profile.window.start), ALL][self.ruler.index[cell]] += count

    def _body(self, begin: dt.datetime, end: dt.datetime, aggs: Body, *, card: bool = False) -> Body:
        query = predictions(self.model, begin.isoformat(), end.isoformat(), card=self.ruler.hash if card else None)
        return {"size": 0, "track_total_hits": False, "query": query, "aggs": aggs}

    def _fields(self) -> list[str]:
        """Every field that a plan may ask for."""
        names = [*NEEDED, FINGERPRINT, *(f"ml.missing.{kind}" for kind in MISSING_KINDS)]
        for feature in self.ruler.inputs:
            names += [prefix + feature.name for prefix in (KEYWORD, BOOLEAN, NUMBER, TEXT)]
            if feature.kind == "text":
                names += [f"ml.text.{feature.name}.tokens", f"ml.text.{feature.name}.unseen"]
        return names


def unmapped(types: Mapping[str, set[str]]) -> str:
    """Why counts would be wrong by the mapping; empty where they are right."""
    for name in NEEDED:
        if types.get(name, set()) != {"keyword"}:
            found = " and ".join(sorted(types.get(name, ()))) or "not at all"
            return (
                f"field {name} is mapped {found}, not as keyword alone: run `mllog setup --elasticsearch URL`, "
                "and roll the data stream over"
            )
    for name, kinds in types.items():
        if len(kinds) > 1:
            return f"field {name} is mapped as {' and '.join(sorted(kinds))} in different indices"
    return ""


def _take_names(profile: WindowProfile, bucket: Mapping[str, Any]) -> None:
    for name in bucket:
        if name.startswith("name "):
            for key, count in buckets(bucket, name):
                profile.count(name.removeprefix("name "), key, count)


def _dense(counted: Mapping[dt.datetime, HourCounts]) -> bool:
    """Whether hours have so many events that each is worth some work of its own."""
    return sum(held.measured for held in counted.values()) >= DENSE * len(counted)


def _together(counted: Mapping[dt.datetime, HourCounts]) -> list[dict[dt.datetime, HourCounts]]:
    """The hours of each search."""
    hours = sorted(counted)
    size = TOGETHER if _dense(counted) else max(len(hours), 1)
    return [{hour: counted[hour] for hour in hours[k : k + size]} for k in range(0, len(hours), size)]


def _by_hour(inner: Body, counted: Mapping[dt.datetime, HourCounts]) -> Body:
    """``inner`` for each hour, the bins of busy hours apart.

    Below a histogram of hours the node finds each bin of each event in a hash table; below a filter it has one bucket
    only, and counts bins in an array: half the CPU. A filter looks at every event of the search, so that thin hours
    have none.
    """
    if "bins" not in inner or not _dense(counted):
        return by_hour(inner)
    bins = {"bins": inner["bins"]}
    apart = {_apart(hour): {"filter": within(hour, hour + HOUR), "aggs": bins} for hour in counted}
    return {**by_hour({name: agg for name, agg in inner.items() if name != "bins"}), **apart}


def _apart(hour: dt.datetime) -> str:
    """Name of the aggregation that counts one hour's bins."""
    return f"bins {hour.isoformat()}"


def _floor(time: dt.datetime) -> dt.datetime:
    return time.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
