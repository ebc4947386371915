"""Answers of a folder, the embedded default: its documents as tables of DuckDB in memory."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, cast

import duckdb
import pyarrow as pa

from kibana_objects import sql
from kibana_objects.data_views import VIEWS, Types
from kibana_objects.preview.asking import Question
from kibana_objects.preview.values import dotted
from kibana_objects.queries import Asked, Documents, Row, shift
from mllog.errors import StoreError
from mllog.fields import KEYWORD_LENGTH, TABLES
from watchers.stores.files import FilesStore
from watchers.stores.mirror import Kind, documents

BATCH: Final = 20_000
"""Documents that are Python objects at once."""

_ARROW: Final = {"TIMESTAMP": pa.timestamp("us"), "DOUBLE": pa.float64(), "VARCHAR[]": pa.list_(pa.string())}
_SHOWN: Final = "shown:"
"""Before the name of a column that holds a field as it stands in the document, and not as it is indexed."""


class Folder:
    """A folder that loggers write to, with what watchers keep in it.

    Args:
        folder: Where.

    Raises:
        PlaceError: It isn't there.
    """

    def __init__(self, folder: str) -> None:
        self._store = FilesStore(folder)
        self._connection = duckdb.connect()

    @property
    def until(self) -> dt.datetime:
        """The hour of its newest event or run to its end: a folder may be of long ago."""
        runs = [dt.datetime.fromisoformat(run["@timestamp"]) for run in self._store.runs(1)]
        latest = max((at for at in (self._store.latest(), *runs) if at is not None), default=dt.datetime.now(dt.UTC))
        return latest.replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=1)

    def prepare(self, questions: Iterable[Question]) -> None:
        """Load the fields that are asked for, of the time that is."""
        needs: dict[Kind, _Need] = {}
        for asked in (each for question in questions for each in question.asks):
            needs.setdefault(_kind(asked.scope.view), _Need()).add(asked)
        for kind, need in needs.items():
            self._load(kind, need)

    def rows(self, asked: Asked) -> list[Row]:
        """What a layer shows: one query for each time that it looks at."""
        table = _kind(asked.scope.view)
        return asked.together(
            {by: sql.rows(asked, by, self._execute(sql.select(asked, table, by))) for by in asked.shifts}
        )

    def documents(self, wanted: Documents) -> list[dict[str, Any]]:
        """The first documents: by the dotted names of what is shown of them."""
        names = _shown(wanted)
        columns = [sql.quoted(f"{_SHOWN}{name}") for name in names]
        found = self._execute(sql.listing(wanted, _kind(wanted.scope.view), columns))
        return [
            {name: json.loads(value) for name, value in zip(names, line, strict=True) if value is not None}
            for line in found
        ]

    def _execute(self, query: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query).fetchall()
        except duckdb.Error as error:
            raise StoreError(f"{self._store.folder}: {error}; {query}") from error

    def _load(self, kind: Kind, need: _Need) -> None:
        """Make the table of a kind of documents."""
        types = Types(TABLES[kind])
        lengths = {field.name: field.length for field in TABLES[kind]}
        columns: dict[str, tuple[pa.DataType, Callable[[dict[str, Any]], Any]]] = {
            name: (_ARROW[sql.kind(types[name])], _reader(name, types[name], lengths.get(name, KEYWORD_LENGTH)))
            for name in sorted(need.fields)
        }
        for name in sorted(need.shown):
            columns[f"{_SHOWN}{name}"] = (pa.string(), _writer(name))
        schema = pa.schema([("_index", pa.string()), *((name, held) for name, (held, _) in columns.items())])
        self._connection.register("batch", schema.empty_table())
        self._connection.execute(f"CREATE OR REPLACE TABLE {sql.quoted(kind)} AS FROM batch")
        found = documents(self._store, kind, need.start, need.end)
        while batch := list(islice(found, BATCH)):
            values = [[read(body) for _, _, body in batch] for _, read in columns.values()]
            table = pa.table([[index for index, _, _ in batch], *values], schema=schema)
            self._connection.register("batch", table)
            self._connection.execute(f"INSERT INTO {sql.quoted(kind)} FROM batch")


class _Need:
    """Fields of a kind of documents that are asked for, and of when."""

    def __init__(self) -> None:
        self.fields: set[str] = set()
        self.shown: set[str] = set()
        self.start = dt.datetime.max.replace(tzinfo=dt.UTC)
        self.end = dt.datetime.min.replace(tzinfo=dt.UTC)

    def add(self, asked: Asked | Documents) -> None:
        """One more question."""
        span, back = asked.scope.span, [dt.timedelta(0)]
        if isinstance(asked, Asked):
            self.fields |= asked.fields
            back = [shift(by) for by in asked.shifts]
        else:
            self.fields |= {*(name for name, _ in asked.sort), *asked.scope.fields}
            self.shown |= set(_shown(asked))
        self.start = min(self.start, span.start - max(back))
        self.end = max(self.end, span.end)


def _kind(view: str) -> Kind:
    return cast("Kind", VIEWS[view][3])


def _shown(wanted: Documents) -> list[str]:
    return list(dict.fromkeys((*(name for name, _ in wanted.sort), *wanted.columns)))


def _reader(name: str, field_type: str, length: int) -> Callable[[dict[str, Any]], Any]:
    """What is indexed of a field of a document."""
    kind = sql.kind(field_type)
    if kind == "TIMESTAMP":
        return lambda body: next(map(_moment, _values(dotted(body, name))), None)
    if kind == "DOUBLE":
        return lambda body: next(map(_number, _values(dotted(body, name))), None)
    limit = length if field_type == "keyword" else None
    return lambda body: [
        text for text in map(_text, _values(dotted(body, name))) if limit is None or len(text) <= limit
    ]


def _writer(name: str) -> Callable[[dict[str, Any]], str | None]:
    """A field of a document as it stands there."""

    def written(body: dict[str, Any]) -> str | None:
        value = dotted(body, name)
        return None if value is None else json.dumps(value)

    return written


def _values(value: Any) -> Iterator[Any]:
    """A field's values: none, one or several; below an object they are those of its leaves."""
    if isinstance(value, list):
        for each in value:
            yield from _values(each)
    elif isinstance(value, dict):
        yield from _values(list(value.values()))
    elif value is not None:
        yield value


def _moment(value: Any) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    utc = moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)  # of a date milliseconds are indexed


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
