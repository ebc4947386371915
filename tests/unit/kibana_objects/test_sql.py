"""Filters as SQL: what passes them is what a plain reading of the filter lets pass, and texts stay texts."""

from __future__ import annotations

import datetime as dt

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kibana_objects import kql, sql
from kibana_objects.queries import Documents, Scope, Span
from mllog.errors import SettingError

TYPES = {
    "ml.model.name": "keyword", "it's \"quoted\"": "keyword", "n": "long", "@timestamp": "date", "message": "text", "ok": "boolean",
}  # fmt: skip
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
WORDS = st.sampled_from(["a", "b", "'", '"', "a'; DROP TABLE t; --", "\\", "*", "a*b", "%", "_", "ä", "$$", "\n"])


def passing(rows, node):
    """Numbers of the rows that pass, as DuckDB sees it."""
    arrow = {"TIMESTAMP": pa.timestamp("us"), "DOUBLE": pa.float64(), "VARCHAR[]": pa.list_(pa.string())}
    rows = [{name: value.replace(tzinfo=None) if name == "@timestamp" else value for name, value in row.items()} for row in rows]
    columns = {name: pa.array([row.get(name) for row in rows], arrow[sql.kind(kind)]) for name, kind in TYPES.items()}
    t = pa.table({"i": list(range(len(rows))), **columns})  # noqa: F841 - DuckDB finds it by its name
    connection = duckdb.connect()
    found = connection.execute(f"SELECT i FROM t WHERE {sql.condition(node, TYPES)} ORDER BY i").fetchall()
    return [i for (i,) in found]


@settings(deadline=None)
@given(st.lists(st.lists(WORDS | TEXTS, max_size=3), min_size=1, max_size=6), WORDS | TEXTS, st.sampled_from(list(TYPES)[:2]))
@example([["x"], ["'"]], "' OR true --", "it's \"quoted\"")
def test_a_value_is_a_value(rows, value, field):
    """Whatever is in it: those documents pass that have it, and with `not` the others."""
    documents = [{field: row} for row in rows]
    having = [i for i, row in enumerate(rows) if value in row]
    match = kql.Match(field, value)
    assert passing(documents, match) == having
    assert passing(documents, kql.Not(match)) == [i for i in range(len(rows)) if i not in having]


@settings(deadline=None)
@given(st.lists(st.lists(WORDS | TEXTS, max_size=3), min_size=1, max_size=6), st.lists(TEXTS.filter(lambda t: "*" not in t), min_size=2, max_size=3))
def test_a_pattern_is_no_expression(rows, parts):
    """A star stands for anything, everything else for itself."""

    def fits(text):
        head, *middle, tail = parts
        at = len(head)
        if not text.startswith(head) or not text.endswith(tail):
            return False
        for part in middle:
            at = text.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return at <= len(text) - len(tail)

    rows = [*rows, ["".join(parts)], ["".join([*parts[:-1], "\n'", parts[-1]])]]
    documents = [{"ml.model.name": row} for row in rows]
    having = [i for i, row in enumerate(rows) if any(map(fits, row))]
    assert passing(documents, kql.Match("ml.model.name", "*".join(parts), pattern=True)) == having
    assert {len(rows) - 2, len(rows) - 1} <= set(having)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("n > 3", [0]),
        ("n <= 3", [1]),
        ("not n > 3", [1, 2]),
        ("n : *", [0, 1]),
        ("n : 3", [1]),
        ('@timestamp >= "2026-11-30T00:00:00+01:00"', [0]),
        ('@timestamp < "2026-11-29T23:00:00"', [1]),
        ("message : TIME-OUT", [0]),
        ('message : "of the"', [1]),
        ("message : out", [0]),
        ("message : ou", []),
        ("ok : true", [0]),
        ("ok : true or n < 9", [0, 1]),
        ("ok : (true or false) and n : *", [0, 1]),
        ("ml.model.name > b", [1]),
        ("ml.model.name : *", [0, 1]),
        ("not ml.model.name : *", [2]),
    ],
)
def test_numbers_times_words(text, found):
    """Each type by its own order; what a document hasn't it isn't asked for."""
    rows = [
        {"n": 9, "@timestamp": dt.datetime(2026, 11, 29, 23, tzinfo=dt.UTC), "message": ["a Time out!"], "ok": ["true"], "ml.model.name": ["a"]},
        {"n": 3, "@timestamp": dt.datetime(2026, 11, 29, 22, 59, tzinfo=dt.UTC), "message": ["word of", "of the"], "ok": ["false"],
         "ml.model.name": ["a", "c"]},
        {},
    ]  # fmt: skip
    assert passing(rows, kql.parse(text)) == found


@pytest.mark.parametrize("text", ["n > many", '@timestamp > "now"', "nobody : x", "ok > false", "n : 3*"])
def test_what_means_nothing(text):
    """Is said before anything is asked."""
    with pytest.raises(SettingError):
        sql.condition(kql.parse(text), TYPES)


@pytest.mark.parametrize(("way", "found"), [("asc", [2, 0, 1, 3]), ("desc", [0, 1, 2, 3])])
def test_documents_in_the_order_of_a_node(way, found):
    """Of several values the first one in that order counts, what has none is last, and equals go by the next field."""
    scope = Scope("mllog-incidents", (), Span(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, tzinfo=dt.UTC)), "")
    states = [["c", "b"], ["b", "c"], ["c", "a"], []]
    t = pa.table({  # noqa: F841 - DuckDB finds it by its name
        "i": range(4), "_index": ["mllog-incidents"] * 4, "incident.state": pa.array(states, pa.list_(pa.string())), "incident.updated": pa.array([4, 3, 2, 1], pa.timestamp("us")),
    })  # fmt: skip
    wanted = Documents(scope, (), (("incident.state", way), ("incident.updated", "desc")), 10)
    assert [i for (i,) in duckdb.connect().execute(sql.listing(wanted, "t", ["i"])).fetchall()] == found
