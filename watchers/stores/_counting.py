"""Predictions counted by DuckDB: the events of a span as a table in memory, then one GROUP BY a kind of count.

Events that sampling kept by a rule only (``ml.sample`` is ``tail``) can be found and aren't counted: among them are
all failures and all rare classes, so every share would be wrong. Those that the draw kept stand for the traffic.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import orjson

from mllog.counting import segment_value, tally
from mllog.ruler import COMPARED, LABEL, MISSING_KINDS, REPEATED, SCORE, VALUE, CellKey, Pair, Ruler, category_key
from mllog.shapes import WITHHELD
from watchers.finding import Window
from watchers.profile import ALL, NAMES_KEPT, Segment, WindowProfile
from watchers.stores._deriving import derive

HOUR: Final = dt.timedelta(hours=1)

_STRINGS: Final = "VARCHAR[]"
_MISSING: Final = ", ".join(f'"{kind}" {_STRINGS}' for kind in MISSING_KINDS)
_COLUMNS: Final = {
    "@timestamp": "VARCHAR",
    "event": "STRUCT(id VARCHAR, action VARCHAR, outcome VARCHAR, duration BIGINT)",
    "host": "STRUCT(name VARCHAR)",
    "ml": (
        "STRUCT(model STRUCT(name VARCHAR, version VARCHAR, role VARCHAR), environment VARCHAR, card VARCHAR, "
        "prediction_id VARCHAR, sample VARCHAR, bins VARCHAR[], withheld VARCHAR[], truncated VARCHAR[], "
        f"missing STRUCT({_MISSING}), "
        f'violations STRUCT("range" {_STRINGS}, category {_STRINGS}, "type" {_STRINGS}, '
        f"unexpected {_STRINGS}, renamed {_STRINGS}), "
        "inputs STRUCT(keyword MAP(VARCHAR, VARCHAR), boolean MAP(VARCHAR, BOOLEAN), number MAP(VARCHAR, DOUBLE), "
        "text MAP(VARCHAR, VARCHAR), other MAP(VARCHAR, JSON)), "
        "text MAP(VARCHAR, STRUCT(tokens INTEGER, unseen INTEGER)), unseen_tokens VARCHAR[], "
        "outputs STRUCT(label VARCHAR))"
    ),
}

_LOAD: Final = """
CREATE OR REPLACE TABLE e AS
SELECT DISTINCT ON (event.id)
    event.id AS id, CAST("@timestamp" AS TIMESTAMP) AS ts,
    date_diff('hour', TIMESTAMP '1970-01-01 00:00:00', CAST("@timestamp" AS TIMESTAMP)) AS hour,
    event.outcome AS outcome, event.duration AS duration, host.name AS host, ml.model.version AS version,
    ml.environment AS environment, ml.card AS card, ml.bins AS bins, ml.missing AS missing, ml.violations AS violations,
    ml.inputs.keyword AS keyword, ml.inputs.boolean AS boolean, ml.inputs.number AS number, ml.text AS text,
    ml.unseen_tokens AS unseen_tokens, ml.outputs.label AS label, {segments} AS segs, {identity} AS identity,
    len(ml.withheld) > 0 AS withheld, coalesce(ml.sample, 'head') <> 'tail' AS counts
FROM read_ndjson($files, columns = {columns}, ignore_errors = true, maximum_object_size = 67108864)
WHERE ml.model.name = $model AND event.action = 'predict' AND coalesce(ml.model.role, 'champion') <> 'shadow'
    AND CAST("@timestamp" AS TIMESTAMP) >= $start AND CAST("@timestamp" AS TIMESTAMP) < $end
"""

_PARTS: Final = (
    *(f"map_entries(ml.inputs.{kind})" for kind in ("keyword", "boolean", "number", "text", "other")),
    *(f'ml.missing."{kind}"' for kind in ("null", "nan", "infinite", "empty")),
)
# The hash of a pair is linear in those of its halves: hashed once more, lest values that change places look equal.
_HASHES: Final = (f"list_aggregate(list_transform({part}, lambda p: hash(hash(p))), 'bit_xor')" for part in _PARTS)
_IDENTITY: Final = f"""
    CASE WHEN {" + ".join(f"coalesce(len({part}), 0)" for part in _PARTS)} > 0
        AND NOT list_contains(coalesce(ml.truncated, []), 'inputs') THEN hash({", ".join(_HASHES)}) END
"""
"""Equal where all inputs are, in whatever order; of an event without inputs, or with too many to be kept, nothing."""

_LISTS: Final = (
    *((f'missing."{kind}"', "missing", kind) for kind in MISSING_KINDS),
    *((f'violations."{kind}"', "violation", kind) for kind in ("range", "category", "type")),
)

_COUNT: Final = f"""
WITH d AS (SELECT *, unnest(segs) AS seg FROM e WHERE counts AND card = $card AND hour >= $first AND hour < $last),
k AS (
    SELECT hour, seg, '' AS feature, 'n' AS what, '' AS which, 1 AS c FROM d
    UNION ALL SELECT hour, seg, '', 'failure', '', 1 FROM d WHERE outcome = 'failure'
    UNION ALL SELECT hour, seg, regexp_extract(b, '(?s)^(.*):[0-9]+$', 1), 'bin', regexp_extract(b, '([0-9]+)$', 1), c
        FROM (SELECT hour, seg, b, count(*) AS c FROM (SELECT hour, seg, unnest(bins) AS b FROM d) GROUP BY ALL)
    {
    " ".join(
        f"UNION ALL SELECT hour, seg, f, '{what}', '{which}', 1 FROM (SELECT hour, seg, unnest({path}) AS f FROM d)"
        for path, what, which in _LISTS
    )
}
    UNION ALL SELECT hour, seg, m.key, 'category', m.value, 1
        FROM (SELECT hour, seg, unnest(map_entries(keyword)) AS m FROM d)
    UNION ALL SELECT hour, seg, m.key, 'category', CAST(m.value AS VARCHAR), 1
        FROM (SELECT hour, seg, unnest(map_entries(boolean)) AS m FROM d)
    UNION ALL SELECT hour, seg, '@label', if(list_contains($labels, label), 'category', 'violation'),
        if(list_contains($labels, label), label, 'category'), 1 FROM d WHERE label IS NOT NULL
    UNION ALL SELECT hour, seg, m.key, 'texts', '', 1 FROM (SELECT hour, seg, unnest(map_entries(text)) AS m FROM d)
    UNION ALL SELECT hour, seg, m.key, 'tokens', '', m.value.tokens
        FROM (SELECT hour, seg, unnest(map_entries(text)) AS m FROM d)
    UNION ALL SELECT hour, seg, m.key, 'unseen_tokens', '', m.value.unseen
        FROM (SELECT hour, seg, unnest(map_entries(text)) AS m FROM d)
)
SELECT hour, seg, p.i AS i, CAST(sum(c) AS BIGINT) AS c
FROM k JOIN positions p ON (k.feature = p.feature AND k.what = p.what AND k.which = p.which)
GROUP BY ALL
"""

_NAMES: Final = """
WITH d AS (SELECT * FROM e WHERE counts AND hour >= $first AND hour < $last),
n AS (
    SELECT hour, 'version' AS kind, version AS name FROM d
    UNION ALL SELECT hour, 'environment', environment FROM d
    UNION ALL SELECT hour, 'host', host FROM d
    UNION ALL SELECT hour, 'token', unnest(unseen_tokens) FROM d WHERE card = $card
    UNION ALL SELECT hour, 'unexpected', unnest(violations.unexpected) FROM d WHERE card = $card
    UNION ALL SELECT hour, 'renamed', unnest(violations.renamed) FROM d WHERE card = $card
    UNION ALL SELECT hour, 'unseen:' || f, coalesce(keyword[f], CAST(boolean[f] AS VARCHAR))
        FROM (SELECT hour, keyword, boolean, unnest(violations.category) AS f FROM d WHERE card = $card)
    UNION ALL SELECT hour, 'unseen:@label', label FROM d
        WHERE card = $card AND $labelled AND NOT list_contains($labels, label)
)
SELECT hour, kind, name, count(*) AS c FROM n WHERE name IS NOT NULL GROUP BY hour, kind, name
QUALIFY row_number() OVER (PARTITION BY hour, kind ORDER BY c DESC, name) <= $kept
"""

_SIDES: Final = """
SELECT any_value(hour) AS hour, bit_or(there) AS there, bit_or(high) AS high
FROM (
    SELECT rowid AS event, hour, unnest(bins) AS bin FROM e
    WHERE counts AND card = $card AND hour >= $first AND hour < $last
) JOIN (SELECT unnest($bin) AS bin, unnest(CAST($there AS UBIGINT[])) AS there,
    unnest(CAST($high AS UBIGINT[])) AS high) USING (bin)
GROUP BY event
"""
"""Per event one bit for each feature of some pairs: whether it is a number, and whether that is on its high side."""

_PAIRS_AT_ONCE: Final = 32
"""Whose features have a bit each in 64."""

_REPEATED: Final = """
SELECT hour, count(identity), count(identity) - count(DISTINCT identity) FROM e
WHERE counts AND hour >= $first AND hour < $last GROUP BY hour HAVING NOT coalesce(bool_or(withheld), false)
"""
"""Where a policy withheld something nobody can say which events are equal."""

_NUMBERS: Final = """
WITH v AS (
    SELECT hour, number, unnest(violations.category) AS f FROM e
    WHERE counts AND card = $card AND hour >= $first AND hour < $last
)
SELECT hour, f, number[f] AS x, count(*) FROM v WHERE number[f] IS NOT NULL GROUP BY ALL
"""
"""Numbers among unseen categories: sent where training had booleans. Python says what they are called."""


class PredictionTable:
    """One model's predictions of a span, in memory, counted by one ruler."""

    def __init__(
        self,
        files: Sequence[str],
        model: str,
        ruler: Ruler,
        start: dt.datetime,
        end: dt.datetime,
        load_from: dt.datetime,
    ) -> None:
        self.model, self.ruler, self.start, self.end = model, ruler, start, end
        self.connection = connect()
        self.segments: list[Segment] = [ALL] + [(f, v) for f in ruler.segments for v in ruler.by_name[f].categories]
        if not files:
            return
        self._positions()
        self.connection.execute(
            _LOAD.format(
                segments=self._segment_list(),
                identity=_IDENTITY if ruler.repeated else "NULL",
                columns=_struct(_COLUMNS),
            ),
            {
                "files": list(files),
                "model": model,
                "start": naive(load_from),
                "end": naive(end),
                **self._segment_values(),
            },
        )
        self._files = list(files)

    def _positions(self) -> None:
        self.connection.execute("CREATE TABLE positions (feature VARCHAR, what VARCHAR, which VARCHAR, i INTEGER)")
        features, whats, whichs = zip(*self.ruler.cells, strict=True)
        self.connection.execute(
            "INSERT INTO positions SELECT unnest($f), unnest($w), unnest($h), unnest($i)",
            {"f": list(features), "w": list(whats), "h": list(whichs), "i": list(range(len(features)))},
        )

    def _segment_list(self) -> str:
        """SQL for the numbers of the segments that an event belongs to; 0 is all events."""
        parts = ["0"]
        for k, _ in enumerate(self.ruler.segments):
            value = f"coalesce(ml.inputs.keyword[$field{k}], CAST(ml.inputs.boolean[$field{k}] AS VARCHAR))"
            parts.append(f"map(CAST($values{k} AS VARCHAR[]), CAST($numbers{k} AS INTEGER[]))[{value}]")
        return f"list_filter([{', '.join(parts)}], lambda s: s IS NOT NULL)"

    def _segment_values(self) -> dict[str, Any]:
        """The parameters of :meth:`_segment_list`."""
        parameters: dict[str, Any] = {}
        for k, field in enumerate(self.ruler.segments):
            chosen = {value: s for s, (f, value) in enumerate(self.segments) if f == field}
            parameters |= {f"field{k}": field, f"values{k}": list(chosen), f"numbers{k}": list(chosen.values())}
        return parameters

    def profiles(self) -> Iterator[WindowProfile]:
        """One profile for each hour of the span, in order."""
        first, last = _hour(self.start), _hour(self.end)
        for begin in range(first, last, 24 * 7):
            yield from self._some(begin, min(begin + 24 * 7, last))

    def _some(self, first: int, last: int) -> Iterator[WindowProfile]:
        hours = {hour: self._empty(hour) for hour in range(first, last)}
        if hasattr(self, "_files"):
            label = self.ruler.by_name.get(LABEL)
            known = sorted(label.listed) if label else []
            span = {"first": first, "last": last, "card": self.ruler.hash, "labels": known}
            table = self.connection.execute(_COUNT, span).fetchnumpy()
            self._fill(hours, {name: np.asarray(column) for name, column in table.items()})
            named = {**span, "kept": NAMES_KEPT, "labelled": label is not None}
            for hour, kind, name, count in self.connection.execute(_NAMES, named).fetchall():
                hours[hour].names.setdefault(kind, Counter())[name] = count
            numbers = {name: value for name, value in span.items() if name != "labels"}
            for hour, feature, number, count in self.connection.execute(_NUMBERS, numbers).fetchall():
                hours[hour].count(f"unseen:{feature}", category_key(number), count)
            self._count_pairs(hours, numbers)
            self._measure_others(hours, first, last)
            self._count_repeated(hours, first, last)
        yield from hours.values()

    def ids(self, clause: str, values: dict[str, Any]) -> list[str]:
        """Ids of the events that a condition (and order) picks."""
        if not hasattr(self, "_files"):
            return []
        return [row[0] for row in self.connection.execute(f"SELECT id FROM e WHERE {clause}", values).fetchall()]

    def _empty(self, hour: int) -> WindowProfile:
        start = dt.datetime.fromtimestamp(hour * 3600, dt.UTC)
        return WindowProfile(self.model, self.ruler.hash, Window(start, start + HOUR))

    def _fill(self, hours: dict[int, WindowProfile], table: dict[str, npt.NDArray[Any]]) -> None:
        if not len(table["hour"]):
            return
        order = np.lexsort((table["seg"], table["hour"]))
        hour, seg, position, count = (table[name][order] for name in ("hour", "seg", "i", "c"))
        starts = np.flatnonzero(np.r_[True, (np.diff(hour) != 0) | (np.diff(seg) != 0)])
        for first, last in zip(starts, [*starts[1:], len(hour)], strict=True):
            counts = np.zeros(len(self.ruler.cells), dtype=np.int64)
            counts[position[first:last]] = count[first:last]
            derive(self.ruler, counts)
            profile = hours[int(hour[first])]
            assert profile.window.start is not None
            profile.cells[self.ruler.stratum(profile.window.start), self.segments[int(seg[first])]] = counts

    def _count_pairs(self, hours: dict[int, WindowProfile], span: dict[str, Any]) -> None:
        """Count on which sides the numbers of a pair lie, from the events' bins alone."""
        pairs = self.ruler.pairs
        for begin in range(0, len(pairs), _PAIRS_AT_ONCE):
            some = pairs[begin : begin + _PAIRS_AT_ONCE]
            bit, sides = _sides(self.ruler, some)
            table = self.connection.execute(_SIDES, {**span, **sides}).fetchnumpy()
            hour, there, high = (np.asarray(table[name]) for name in ("hour", "there", "high"))
            for pair in some:
                one, other = (np.uint64(bit[end]) for end in pair.ends)
                both = (there >> one & there >> other & np.uint64(1)).astype(bool)
                agree = both & ((high >> one ^ high >> other) & np.uint64(1) == 0)
                for cell, which in ((pair.both, both), (pair.concordant, agree)):
                    for number, count in zip(*np.unique(hour[which], return_counts=True), strict=True):
                        self._add(hours[int(number)], cell, int(count))

    def _count_repeated(self, hours: dict[int, WindowProfile], first: int, last: int) -> None:
        """Count events whose inputs are all equal to another's of their hour, whoever measured them."""
        if not self.ruler.repeated:
            return
        for hour, compared, repeated in self.connection.execute(_REPEATED, {"first": first, "last": last}).fetchall():
            self._add(hours[hour], COMPARED, compared)
            self._add(hours[hour], REPEATED, repeated)

    def _add(self, profile: WindowProfile, cell: CellKey, count: int) -> None:
        """Add to a count of all events of an hour that has some."""
        assert profile.window.start is not None
        profile.cells[self.ruler.stratum(profile.window.start), ALL][self.ruler.index[cell]] += count

    def _measure_others(self, hours: dict[int, WindowProfile], first: int, last: int) -> None:
        """Events that another ruler measured, or none: their raw inputs are measured here, by this ruler."""
        found = self.connection.execute(
            "SELECT id, hour FROM e WHERE counts AND card IS DISTINCT FROM $card AND hour >= $first AND hour < $last",
            {"card": self.ruler.hash, "first": first, "last": last},
        ).fetchall()
        if not found:
            return
        hour_of = dict(found)
        known = set(self.segments)
        # How two numbers go together is counted of all events alone.
        together = [self.ruler.index[cell] for pair in self.ruler.pairs for cell in (pair.both, pair.concordant)]
        for event in raw_events(self.connection, self._files, list(hour_of)):
            profile = hours[hour_of[event["event"]["id"]]]
            assert profile.window.start is not None
            inputs = inputs_of(event)
            outputs = event["ml"].get("outputs") or {}
            score, value, label = _number(outputs.get("score")), _number(outputs.get("value")), outputs.get("label")
            if value is None and SCORE not in self.ruler.by_name and VALUE in self.ruler.by_name:
                value = score  # without a card the logger takes a number between 0 and 1 for a score
            duration = _number(event["event"].get("duration"))
            counts = tally(
                self.ruler, inputs, profile.names, score=score, value=value,
                label=None if label is None else category_key(label),
                latency=None if duration is None else duration / 1e9,
                failure=event["event"].get("outcome") == "failure", withheld=self._unknown(event["ml"]),
                scores=outputs.get("scores"), replaced=event["ml"].get("replaced") or (),
            )  # fmt: skip
            stratum = self.ruler.stratum(profile.window.start)
            profile.add(stratum, ALL, counts)
            counts[together] = 0
            for name in self.ruler.segments:
                segment = (name, segment_value(self.ruler.by_name[name], inputs.get(name)))
                if segment in known:
                    profile.add(stratum, segment, counts)

    def _unknown(self, ml: dict[str, Any]) -> Collection[str]:
        """Inputs of which an event doesn't say whether they were there."""
        if "inputs" in (ml.get("truncated") or ()):  # the event was too long
            return [feature.name for feature in self.ruler.inputs]
        return ml.get("withheld") or ()


def _sides(ruler: Ruler, pairs: Sequence[Pair]) -> tuple[dict[tuple[str, int], int], dict[str, list[Any]]]:
    """The bit of each end of some pairs, and per bin of these the bits of an event in it, for :data:`_SIDES`."""
    bit = {end: k for k, end in enumerate(dict.fromkeys(end for pair in pairs for end in pair.ends))}
    table = [
        (f"{name}:{bin_}", 1 << k, (bin_ > low) << k)
        for (name, low), k in bit.items()
        for bin_ in range(len(ruler.by_name[name].edges) + 1)
    ]
    bins, there, high = zip(*table, strict=True)
    return bit, {"bin": list(bins), "there": list(there), "high": list(high)}


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def inputs_of(event: dict[str, Any]) -> dict[str, Any]:
    """An event's inputs as model code sent them, missing ones included.

    Texts that weren't kept (by policy, or too long where no card says that they may be) are there as texts without a
    word: that they came is known, and nothing else.
    """
    ml = event["ml"]
    held = ml.get("inputs") or {}
    inputs: dict[str, Any] = {}
    for kind in ("number", "keyword", "boolean", "text", "other"):
        inputs.update(held.get(kind) or {})
    missing = ml.get("missing") or {}
    for kind, value in (("null", None), ("nan", float("nan")), ("infinite", float("inf")), ("empty", "")):
        for name in missing.get(kind) or ():
            inputs[name] = value
    for name in ml.get("text") or ():
        inputs.setdefault(name, WITHHELD)
    for name in ml.get("truncated") or ():
        if isinstance(inputs.get(name), dict) and inputs[name].keys() == {"length", "hash"}:
            inputs[name] = WITHHELD
    return inputs


def raw_events(
    connection: duckdb.DuckDBPyConnection, files: Sequence[str], ids: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Events as they were written, by id, each once."""
    if not files or not ids:
        return
    connection.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT unnest($ids) AS id", {"ids": list(ids)})
    cursor = connection.execute(
        "SELECT DISTINCT ON (w.id) json FROM read_ndjson_objects("
        "$files, ignore_errors = true, maximum_object_size = 67108864) "
        "JOIN wanted w ON json_extract_string(json, '$.event.id') = w.id",
        {"files": list(files)},
    )
    while rows := cursor.fetchmany(1000):
        for (text,) in rows:
            yield orjson.loads(text)


def connect() -> duckdb.DuckDBPyConnection:
    """A database in memory that fetches nothing from anywhere."""
    return duckdb.connect(
        ":memory:", config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    )


def naive(time: dt.datetime) -> dt.datetime:
    """A moment as DuckDB's TIMESTAMP, which is UTC here; its type with a zone would need an extension."""
    return time.astimezone(dt.UTC).replace(tzinfo=None)


def _hour(time: dt.datetime) -> int:
    return int(time.timestamp() // 3600)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _struct(columns: dict[str, str]) -> str:
    return "{" + ", ".join(f"{_quote(name)}: {_quote(kind)}" for name, kind in columns.items()) + "}"
