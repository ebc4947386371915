"""What the panels of a dashboard ask, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from kibana_objects import kql
from kibana_objects.data_views import VIEWS, types_of
from kibana_objects.queries import Asked, Row, Span

HITS: Final = 12
"""So many documents of a saved search are shown."""

Json = Mapping[str, Any]


class Source(Protocol):
    """Whoever answers searches."""

    def search(self, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """The answers to searches of (index pattern, body), in order."""
        ...


class Elasticsearch:
    """A cluster.

    Args:
        place: ``elasticsearch+http(s)://HOST:PORT``.

    Raises:
        StoreError: It can't be reached.
    """

    def __init__(self, place: str) -> None:
        from mllog.elastic.client import connect  # noqa: PLC0415 - of another extra

        self._place = place
        self._client = connect(place)

    def search(self, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """The answers, in order.

        Raises:
            StoreError: One of them is an error; it says which and why.
        """
        from mllog.elastic.client import explained  # noqa: PLC0415 - of another extra
        from mllog.errors import StoreError  # noqa: PLC0415

        lines: list[Any] = []
        for index, body in asked:
            lines += [{"index": index, "ignore_unavailable": True, "allow_no_indices": True}, dict(body)]
        with explained(self._place):
            answers = self._client.msearch(searches=lines)["responses"] if lines else []
        for (index, body), answer in zip(asked, answers, strict=True):
            if "error" in answer or answer["_shards"]["failed"]:
                why = answer.get("error") or answer["_shards"].get("failures")
                raise StoreError(f"{self._place}: {index} can't be searched: {json.dumps(why)[:500]}; {body}")
        return [dict(answer) for answer in answers]


@dataclass(slots=True)
class Answered:
    """A panel, and what it shows.

    Attributes:
        panel: As it stands in the dashboard.
        layers: Layer id -> rows of column id -> value.
        marks: Annotations: what each document of them holds.
        hits: Documents of a saved search.
        columns: Fields of a saved search that are shown.
    """

    panel: Json
    layers: dict[str, list[Row]] = field(default_factory=dict)
    marks: list[dict[str, Any]] = field(default_factory=list)
    hits: list[dict[str, Any]] = field(default_factory=list)
    columns: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        if self.panel["type"] != "lens":
            return self.panel["type"] == "search" and not self.hits
        one = self.panel["embeddableConfig"]["attributes"]["visualizationType"] == "lnsMetric"
        shown = [value for rows in self.layers.values() for row in rows for value in row.values()]
        return all(value is None or (value == 0 and not one) for value in shown)


def ask(dashboard: Json, objects: Sequence[Json], source: Source, span: Span, *, where: str = "") -> Iterator[Answered]:
    """The panels of a dashboard with their answers, in their order.

    Args:
        dashboard: The saved object.
        objects: Those it goes with: searches.
        source: Who answers.
        span: Its time.
        where: KQL of whoever looks, such as a chosen model.

    Raises:
        SettingError: A filter can't be read, or a field isn't there.
        StoreError: The source can't answer.
    """
    held = dashboard["attributes"]
    own = json.loads(held["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
    searches = {one["id"]: one for one in objects if one["type"] == "search"}
    outer = {reference["name"]: reference["id"] for reference in dashboard["references"]}
    for panel in json.loads(held["panelsJSON"]):
        answered = Answered(panel)
        if panel["type"] == "lens":
            _ask_layers(answered, source, span, (own, where))
        elif panel["type"] == "search":
            search = searches[outer[f"{panel['panelIndex']}:{panel['panelRefName']}"]]
            _ask_documents(answered, search, source, span, (own, where))
        yield answered


def _known(text: str, view: str) -> str:
    """A filter of the whole page, where this view has its fields; as Kibana's controls, which ask no others."""
    types = types_of(view)
    return text if all(name in types for name in kql.fields(kql.parse(text))) else ""


def _ask_layers(answered: Answered, source: Source, span: Span, queries: tuple[str, ...]) -> None:
    lens = answered.panel["embeddableConfig"]["attributes"]
    state = lens["state"]
    views = {one["name"].rpartition("-layer-")[2]: one["id"] for one in lens["references"]}
    for key, layer in state["datasourceStates"]["formBased"]["layers"].items():
        view = views[key]
        pattern, _, time, _ = VIEWS[view]
        if all(column["operationType"] == "static_value" for column in layer["columns"].values()):
            continue
        texts = (state["query"]["query"], *(_known(text, view) for text in queries))
        asked = Asked(layer, texts, types_of(view), time, span)
        answers = source.search([(pattern, asked.search(by)) for by in asked.shifts])
        answered.layers[key] = asked.rows(dict(zip(asked.shifts, answers, strict=True)))
    for part in state["visualization"].get("layers", ()):
        if isinstance(part, Mapping) and part.get("layerType") == "annotations":
            answered.marks += _ask_marks(part, views[part["layerId"]], source, span, queries)


def _ask_marks(part: Json, view: str, source: Source, span: Span, queries: tuple[str, ...]) -> list[dict[str, Any]]:
    pattern, *_ = VIEWS[view]
    found = []
    for one in part["annotations"]:
        texts = (one["filter"]["query"], *(_known(text, view) for text in queries))
        (answer,) = source.search([(pattern, _documents(texts, view, one["timeField"], span, 100))])
        found += [hit["_source"] for hit in answer["hits"]["hits"]]
    return found


def _ask_documents(answered: Answered, search: Json, source: Source, span: Span, queries: tuple[str, ...]) -> None:
    held = search["attributes"]
    view = next(one["id"] for one in search["references"] if one["type"] == "index-pattern")
    pattern, *_ = VIEWS[view]
    own = json.loads(held["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
    texts = (own, *(_known(text, view) for text in queries))
    ((time, _),) = held["sort"]
    (answer,) = source.search([(pattern, _documents(texts, view, time, span, HITS))])
    answered.hits = [hit["_source"] for hit in answer["hits"]["hits"]]
    answered.columns = tuple(held["columns"])


def _documents(texts: Sequence[str], view: str, time: str, span: Span, size: int) -> dict[str, Any]:
    ends = {"gte": span.start.isoformat(), "lt": span.end.isoformat(), "format": "strict_date_optional_time"}
    types = types_of(view)
    filters = [{"range": {time: ends}}, *(kql.to_query(kql.parse(text), types) for text in texts if text)]
    return {
        "size": size,
        "track_total_hits": False,
        "query": {"bool": {"filter": filters}},
        "sort": [{time: {"order": "desc", "unmapped_type": "date"}}],
    }
