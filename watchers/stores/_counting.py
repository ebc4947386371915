"""Predictions counted by DuckDB: the events of a span as a table in memory, then one GROUP BY a kind of count."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import orjson

from mllog.frames import tally
from mllog.ruler import MISSING_KINDS, Ruler, category_key
from watchers.finding import Window
from watchers.profile import ALL, NAMES_KEPT, Segment, WindowProfile

HOUR: Final = dt.timedelta(hours=1)

_STRINGS: Final = "VARCHAR[]"
_MISSING: Final = ", ".join(f'"{kind}" {_STRINGS}' for kind in MISSING_KINDS)
_COLUMNS: Final = {
    "@timestamp": "VARCHAR",
    "event": "STRUCT(id VARCHAR, action VARCHAR, outcome VARCHAR, duration BIGINT)",
    "host": "STRUCT(name VARCHAR)",
    "ml": (
        "STRUCT(model STRUCT(name VARCHAR, version VARCHAR, role VARCHAR), environment VARCHAR, card VARCHAR, "
        "prediction_id VARCHAR, bins VARCHAR[], "
        f"missing STRUCT({_MISSING}), "
        f'violations STRUCT("range" {_STRINGS}, category {_STRINGS}, "type" {_STRINGS}, unexpected {_STRINGS}, renamed {_STRINGS}), '
        "inputs STRUCT(keyword MAP(VARCHAR, VARCHAR), boolean MAP(VARCHAR, BOOLEAN), number MAP(VARCHAR, DOUBLE)), "
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
    ml.unseen_tokens AS unseen_tokens, ml.outputs.label AS label, {segments} AS segs
FROM read_ndjson($files, columns = {columns}, ignore_errors = true, maximum_object_size = 67108864)
WHERE ml.model.name = $model AND event.action = 'predict' AND coalesce(ml.model.role, 'champion') <> 'shadow'
    AND CAST("@timestamp" AS TIMESTAMP) >= $start AND CAST("@timestamp" AS TIMESTAMP) < $end
"""

_LISTS: Final = (
    *((f'missing."{kind}"', "missing", kind) for kind in MISSING_KINDS),
    *((f'violations."{kind}"', "violation", kind) for kind in ("range", "category", "type")),
)

_COUNT: Final = f"""
WITH d AS (SELECT *, unnest(segs) AS seg FROM e WHERE card = $card AND hour >= $first AND hour < $last),
k AS (
    SELECT hour, seg, '' AS feature, 'n' AS what, '' AS which, 1 AS c FROM d
    UNION ALL SELECT hour, seg, '', 'failure', '', 1 FROM d WHERE outcome = 'failure'
    UNION ALL SELECT hour, seg, regexp_extract(b, '^(.*):[0-9]+$', 1), 'bin', regexp_extract(b, '([0-9]+)$', 1), 1
        FROM (SELECT hour, seg, unnest(bins) AS b FROM d)
    {" ".join(f"UNION ALL SELECT hour, seg, f, '{what}', '{which}', 1 FROM (SELECT hour, seg, unnest({path}) AS f FROM d)"
              for path, what, which in _LISTS)}
    UNION ALL SELECT hour, seg, m.key, 'category', m.value, 1
        FROM (SELECT hour, seg, unnest(map_entries(keyword)) AS m FROM d)
    UNION ALL SELECT hour, seg, m.key, 'category', CAST(m.value AS VARCHAR), 1
        FROM (SELECT hour, seg, unnest(map_entries(boolean)) AS m FROM d)
    UNION ALL SELECT hour, seg, '@label', 'category', label, 1 FROM d WHERE label IS NOT NULL
    UNION ALL SELECT hour, seg, m.key, 'texts', '', 1 FROM (SELECT hour, seg, unnest(map_entries(text)) AS m FROM d)
    UNION ALL SELECT hour, seg, m.key, 'tokens', '', m.value.tokens FROM (SELECT hour, seg, unnest(map_entries(text)) AS m FROM d)
    UNION ALL SELECT hour, seg, m.key, 'unseen_tokens', '', m.value.unseen
        FROM (SELECT hour, seg, unnest(map_entries(text)) AS m FROM d)
)
SELECT hour, seg, coalesce(p.i, o.i) AS i, CAST(sum(c) AS BIGINT) AS c
FROM k LEFT JOIN positions p ON (k.feature = p.feature AND k.what = p.what AND k.which = p.which)
LEFT JOIN positions o ON (p.i IS NULL AND k.what = 'category' AND k.feature = o.feature AND o.what = 'other')
WHERE coalesce(p.i, o.i) IS NOT NULL
GROUP BY ALL
"""

_NAMES: Final = """
WITH d AS (SELECT * FROM e WHERE hour >= $first AND hour < $last),
n AS (
    SELECT hour, 'version' AS kind, version AS name FROM d
    UNION ALL SELECT hour, 'environment', environment FROM d
    UNION ALL SELECT hour, 'host', host FROM d
    UNION ALL SELECT hour, 'token', unnest(unseen_tokens) FROM d WHERE card = $card
    UNION ALL SELECT hour, 'unexpected', unnest(violations.unexpected) FROM d WHERE card = $card
    UNION ALL SELECT hour, 'renamed', unnest(violations.renamed) FROM d WHERE card = $card
    UNION ALL SELECT hour, 'unseen:' || f, coalesce(keyword[f], CAST(boolean[f] AS VARCHAR))
        FROM (SELECT hour, keyword, boolean, unnest(violations.category) AS f FROM d WHERE card = $card)
)
SELECT hour, kind, name, count(*) AS c FROM n WHERE name IS NOT NULL GROUP BY hour, kind, name
QUALIFY row_number() OVER (PARTITION BY hour, kind ORDER BY c DESC, name) <= $kept
"""


class PredictionTable:
    """One model's predictions of a span, in memory, counted by one ruler."""

    def __init__(
        self, files: Sequence[str], model: str, ruler: Ruler, start: dt.datetime, end: dt.datetime, load_from: dt.datetime
    ) -> None:
        self.model, self.ruler, self.start, self.end = model, ruler, start, end
        self.connection = connect()
        self.segments: list[Segment] = [ALL] + [(f, v) for f in ruler.segments for v in ruler.by_name[f].categories]
        if not files:
            return
        self._positions()
        self.connection.execute(
            _LOAD.format(segments=self._segment_list(), columns=_struct(_COLUMNS)),
            {"files": list(files), "model": model, "start": naive(load_from), "end": naive(end)},
        )
        self._files = list(files)

    def _positions(self) -> None:
        self.connection.execute("CREATE TABLE positions (feature VARCHAR, what VARCHAR, which VARCHAR, i INTEGER)")
        features, whats, whichs = zip(*self.ruler.cells, strict=True)
        self.connection.execute(
            "INSERT INTO positions SELECT unnest($f), unnest($w), unnest($h), unnest($i)",
            {"f": list(features), "w": list(whats), "h": list(whichs), "i": list(range(len(features)))},
        )
        self.connection.execute("CREATE TABLE segments (field VARCHAR, value VARCHAR, s INTEGER)")
        fields, values = zip(*self.segments, strict=True)
        self.connection.execute(
            "INSERT INTO segments SELECT unnest($f), unnest($v), unnest($s)",
            {"f": list(fields), "v": list(values), "s": list(range(len(self.segments)))},
        )

    def _segment_list(self) -> str:
        """SQL for the numbers of the segments that an event belongs to; 0 is all events."""
        parts = ["0"]
        for field in self.ruler.segments:
            source = "boolean" if self.ruler.by_name[field].kind == "boolean" else "keyword"
            name = _quote(field)
            chosen = {value: s for s, (f, value) in enumerate(self.segments) if f == field}
            pairs = ", ".join(f"{_quote(value)}: {s}" for value, s in chosen.items())
            if pairs:
                parts.append(f"MAP {{{pairs}}}[CAST(ml.inputs.{source}[{name}] AS VARCHAR)]")
        return f"list_filter([{', '.join(parts)}], lambda s: s IS NOT NULL)"

    def profiles(self) -> Iterator[WindowProfile]:
        """One profile for each hour of the span, in order."""
        first, last = _hour(self.start), _hour(self.end)
        for begin in range(first, last, 24 * 7):
            yield from self._some(begin, min(begin + 24 * 7, last))

    def _some(self, first: int, last: int) -> Iterator[WindowProfile]:
        hours = {hour: self._empty(hour) for hour in range(first, last)}
        if hasattr(self, "_files"):
            span = {"first": first, "last": last, "card": self.ruler.hash}
            table = self.connection.execute(_COUNT, span).fetchnumpy()
            self._fill(hours, {name: np.asarray(column) for name, column in table.items()})
            for hour, kind, name, count in self.connection.execute(_NAMES, {**span, "kept": NAMES_KEPT}).fetchall():
                hours[hour].names.setdefault(kind, Counter())[name] = count
            self._measure_others(hours, first, last)
        yield from hours.values()

    def ids(self, clause: str, values: dict[str, Any]) -> list[str]:
        """Ids of the events that a condition (and order) picks."""
        if not hasattr(self, "_files"):
            return []
        return [row[0] for row in self.connection.execute(f"SELECT id FROM e WHERE {clause}", values).fetchall()]  # noqa: S608

    def _empty(self, hour: int) -> WindowProfile:
        start = dt.datetime.fromtimestamp(hour * 3600, dt.UTC)
        return WindowProfile(self.model, self.ruler.hash, Window(start, start + HOUR))

    def _fill(self, hours: dict[int, WindowProfile], table: dict[str, npt.NDArray[Any]]) -> None:
        order = np.lexsort((table["seg"], table["hour"]))
        hour, seg, position, count = (table[name][order] for name in ("hour", "seg", "i", "c"))
        starts = np.flatnonzero(np.r_[True, (np.diff(hour) != 0) | (np.diff(seg) != 0)]) if len(hour) else []
        for first, last in zip(starts, [*starts[1:], len(hour)], strict=True):
            counts = np.zeros(len(self.ruler.cells), dtype=np.int64)
            counts[position[first:last]] = count[first:last]
            self._derive(counts)
            profile = hours[int(hour[first])]
            assert profile.window.start is not None
            profile.cells[self.ruler.stratum(profile.window.start), self.segments[int(seg[first])]] = counts

    def _derive(self, counts: npt.NDArray[np.int64]) -> None:
        """Counts that follow from others: unseen values were counted as ``other`` too; what isn't missing is there."""
        index = self.ruler.index
        for feature in self.ruler.features:
            name = feature.name
            if feature.kind in {"category", "boolean"}:
                counts[index[name, "other", ""]] -= counts[index[name, "violation", "category"]]
            elif feature.kind == "other":
                gone = sum(counts[index[name, "missing", kind]] for kind in MISSING_KINDS)
                counts[index[name, "present", ""]] = counts[0] - gone

    def _measure_others(self, hours: dict[int, WindowProfile], first: int, last: int) -> None:
        """Events that another ruler measured, or none: their raw inputs are measured here, by this ruler."""
        found = self.connection.execute(
            "SELECT id, hour FROM e WHERE card IS DISTINCT FROM $card AND hour >= $first AND hour < $last",
            {"card": self.ruler.hash, "first": first, "last": last},
        ).fetchall()
        if not found:
            return
        hour_of = dict(found)
        for event in raw_events(self.connection, self._files, list(hour_of)):
            profile = hours[hour_of[event["event"]["id"]]]
            assert profile.window.start is not None
            inputs = inputs_of(event)
            outputs = event["ml"].get("outputs") or {}
            duration = event["event"].get("duration")
            counts = tally(
                self.ruler, inputs, profile.names, score=outputs.get("score"), value=outputs.get("value"), label=outputs.get("label"),
                latency=None if duration is None else duration / 1e9, failure=event["event"].get("outcome") == "failure",
            )  # fmt: skip
            stratum = self.ruler.stratum(profile.window.start)
            for segment in self.segments:
                if segment == ALL or category_key(inputs.get(segment[0])) == segment[1]:
                    profile.add(stratum, segment, counts)


def inputs_of(event: dict[str, Any]) -> dict[str, Any]:
    """An event's inputs as model code sent them, missing ones included."""
    ml = event["ml"]
    held = ml.get("inputs") or {}
    inputs: dict[str, Any] = {}
    for kind in ("number", "keyword", "boolean", "text", "other"):
        inputs.update(held.get(kind) or {})
    missing = ml.get("missing") or {}
    for kind, value in (("null", None), ("nan", float("nan")), ("infinite", float("inf")), ("empty", "")):
        for name in missing.get(kind) or ():
            inputs[name] = value
    return inputs


def raw_events(connection: duckdb.DuckDBPyConnection, files: Sequence[str], ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Events as they were written, by id, each once."""
    if not files or not ids:
        return
    connection.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT unnest($ids) AS id", {"ids": list(ids)})
    cursor = connection.execute(
        "SELECT DISTINCT ON (w.id) json FROM read_ndjson_objects($files, ignore_errors = true, maximum_object_size = 67108864) "
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
