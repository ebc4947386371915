"""What others do with the same day: DuckDB, a scan of the frame, an export, and a query a feature and rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from scipy import stats

from benchmarks.elasticsearch.data import DAY, START, TEXTS
from mllog.ruler import Feature, Ruler

TIME: Final = "ts"
Cells = dict[tuple[str, str, str], int]
"""By cell of the ruler: what a way counted, all hours together."""

PAGE: Final = 2_000


def write_parquet(frame: pd.DataFrame, times: pd.DatetimeIndex, path: Path) -> None:
    """The rows with their times, as DuckDB writes them by default."""
    table = frame.assign(**{TIME: times.tz_localize(None).astype("datetime64[us]")})  # DuckDB reads the name
    with duckdb.connect() as connection:
        connection.register("rows_", table)
        connection.execute(f"COPY rows_ TO '{path}' (FORMAT parquet)")


def _case(column: str, edges: Sequence[float], first: int = 0) -> str:
    """SQL that finds a number's bin by halving, which is what DuckDB does fastest."""
    if not edges:
        return str(first)
    middle = len(edges) // 2
    low, high = _case(column, edges[:middle], first), _case(column, edges[middle + 1 :], first + middle + 1)
    return f"CASE WHEN {column} < {edges[middle]!r}::DOUBLE THEN {low} ELSE {high} END"


def duckdb_counts(path: Path, ruler: Ruler) -> Cells:
    """The same counts hour by hour: one GROUP BY a feature over the Parquet file."""
    found: Cells = Counter()
    with duckdb.connect() as connection:
        for feature in ruler.inputs:
            name, column = feature.name, f'"{feature.name}"'
            hours = f"SELECT date_trunc('hour', {TIME}) AS hour"
            end = f"FROM '{path}' GROUP BY ALL"
            if feature.kind == "number":
                outside = f"count(*) FILTER ({column} < {feature.low!r} OR {column} > {feature.high!r})"
                bins = f"CASE WHEN isfinite({column}) THEN {_case(column, feature.edges)} END"
                for _, bin_, n, far in connection.execute(
                    f"{hours}, {bins} AS bin, count(*), {outside} {end}"
                ).fetchall():
                    cell = (name, "missing", "null") if bin_ is None else (name, "bin", str(bin_))
                    found[cell] += n
                    found[name, "violation", "range"] += far
            elif feature.kind == "text":
                words = f"sum(len(string_split({column}, ' ')))"
                for _, n, tokens in connection.execute(f"{hours}, count({column}), {words} {end}").fetchall():
                    found[name, "texts", ""] += n
                    found[name, "tokens", ""] += int(tokens)
            else:
                for _, value, n in connection.execute(f"{hours}, {column}, count(*) {end}").fetchall():
                    found[_category(feature, value)] += n
    return found


def _category(feature: Feature, value: Any) -> tuple[str, str, str]:
    if value is None:
        return feature.name, "missing", "null"
    known = value in feature.categories
    return (feature.name, "category", value) if known else (feature.name, "violation", "category")


def evidently_like(path: Path, reference: Path, ruler: Ruler) -> dict[str, float]:
    """Read both frames, and test each number (Kolmogorov-Smirnov) and each category (chi-squared); texts aside."""
    now, before = pd.read_parquet(path), pd.read_parquet(reference)
    found = {}
    for feature in ruler.inputs:
        if feature.kind == "number":
            one, other = (table[feature.name].dropna().to_numpy() for table in (now, before))
            found[feature.name] = float(stats.ks_2samp(one, other).pvalue)
        elif feature.kind == "category":
            counts = pd.concat([table[feature.name].value_counts() for table in (now, before)], axis=1).fillna(0)
            found[feature.name] = float(stats.chi2_contingency(counts.to_numpy().T).pvalue)
    return found


def export_counts(client: Elasticsearch, index: str, ruler: Ruler) -> Cells:
    """Every document of the day over the wire, and the counts from a frame, hour by hour."""
    within = {"range": {"@timestamp": {"gte": START.isoformat(), "lt": (START + DAY).isoformat()}}}
    hits = scan(client, index=index, query={"query": within}, size=PAGE)
    frame = pd.DataFrame([_flat(hit["_source"]) for hit in hits])
    hours = pd.to_datetime(frame.pop(TIME), format="ISO8601").dt.floor("h")
    found: Cells = Counter()
    for feature in ruler.inputs:
        column, name = frame[feature.name], feature.name
        found[name, "missing", "null"] += int(column.isna().groupby(hours).sum().sum())
        present = column.dropna()
        if feature.kind == "number":
            values = present.to_numpy(dtype=np.float64)
            bins = pd.Series(np.searchsorted(feature.edges, values, side="right"), index=present.index)
            for (_, bin_), n in bins.groupby([hours.loc[present.index], bins]).size().items():
                found[name, "bin", str(bin_)] += n
            found[name, "violation", "range"] += int(((values < feature.low) | (values > feature.high)).sum())
        elif feature.kind == "text":
            found[name, "texts", ""] += len(present)
            found[name, "tokens", ""] += int(present.str.split(" ").str.len().sum())
        else:
            for (_, value), n in present.groupby([hours.loc[present.index], present]).size().items():
                found[_category(feature, value)] += n
    return found


def _flat(source: Mapping[str, Any]) -> dict[str, Any]:
    row = {TIME: source["@timestamp"]}
    for values in source["ml"]["inputs"].values():
        if isinstance(values, dict):
            row |= values
    return row


def rules(ruler: Ruler) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Rules as ElastAlert2 has them, hour by hour: (feature, further query, aggregations of an hour).

    Each feature: missing (``frequency``). Each number: below and above what training had (``frequency``), its mean
    (``metric_aggregation``). Each category: new values and shares (``new_term``, ``percentage_match``).
    """
    found: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for feature in ruler.inputs:
        kind = {"number": "number", "text": "text"}.get(feature.kind, "keyword")
        field = f"ml.inputs.{kind}.{feature.name}"
        tokens = f"ml.text.{feature.name}.tokens"
        there = {"exists": {"field": tokens if feature.kind == "text" else field}}
        found.append((feature.name, {"bool": {"must_not": there}}, {}))
        if feature.kind == "number":
            found.append((feature.name, {"range": {field: {"lt": feature.low}}}, {}))
            found.append((feature.name, {"range": {field: {"gt": feature.high}}}, {}))
            found.append((feature.name, there, {"mean": {"avg": {"field": field}}}))
        elif feature.kind == "category":
            unseen = {"bool": {"filter": there, "must_not": {"terms": {field: list(feature.categories)}}}}
            found.append((feature.name, unseen, {}))
            found.append((feature.name, there, {"shares": {"terms": {"field": field, "size": 100}}}))
        else:
            found.append((feature.name, there, {"mean": {"avg": {"field": tokens}}}))
    return found


def query_each(client: Elasticsearch, index: str, ruler: Ruler) -> int:
    """A query a feature and rule: how many there were."""
    within = {"range": {"@timestamp": {"gte": START.isoformat(), "lt": (START + DAY).isoformat()}}}
    asked = rules(ruler)
    for _, query, aggs in asked:
        hours = {"date_histogram": {"field": "@timestamp", "fixed_interval": "1h"}, "aggs": aggs}
        body = {"size": 0, "query": {"bool": {"filter": [within, query]}}, "aggs": {"hours": hours}}
        client.search(index=index, body=body)
    return len(asked)


def differing(ours: Mapping[tuple[str, str, str], int], theirs: Cells, ruler: Ruler) -> list[str]:
    """Features of which another way counted something else; words aside, which are cut differently."""
    names = [name for name in sorted({name for name, _, _ in theirs}) if name not in TEXTS]
    return [name for name in names if _of(ours, ruler, name) != _of(theirs, ruler, name)]


def _of(counts: Mapping[tuple[str, str, str], int], ruler: Ruler, name: str) -> Cells:
    """One feature's values; how a value is missing only events tell."""
    found: Cells = Counter()
    for cell in ruler.by_name[name].cells():
        if cell[1] in {"bin", "category", "missing"}:
            found[name, cell[1], "" if cell[1] == "missing" else cell[2]] += counts.get(cell, 0)
    return found
