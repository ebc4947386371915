"""What the panels of a dashboard ask, and what is answered."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from kibana_objects import kql
from kibana_objects.data_views import VIEWS, types_of
from kibana_objects.queries import Asked, Documents, Row, Scope, Span
from mllog.errors import SettingError

HITS: Final = 12
"""So many documents of a saved search are shown."""

MARKS: Final = 100

Json = Mapping[str, Any]


class Source(Protocol):
    """Whoever answers."""

    @property
    def until(self) -> dt.datetime:
        """The end of the time that is shown where nobody says one."""

    def prepare(self, questions: Iterable[Question]) -> None:
        """Hear what will be asked; what isn't named here can't be."""

    def rows(self, asked: Asked) -> list[Row]:
        """What a layer shows, in order.

        Raises:
            SettingError: A filter can't be read, or a field isn't there.
            StoreError: It can't be answered; says which and why.
        """

    def documents(self, wanted: Documents) -> list[dict[str, Any]]:
        """The first documents; raises as :meth:`rows` does."""


@dataclass(frozen=True, slots=True)
class Question:
    """A panel, and what it asks.

    Attributes:
        panel: As it stands in the dashboard.
        layers: Layer id -> what it asks.
        marks: Annotations.
        list: Of a saved search.
    """

    panel: Json
    layers: Mapping[str, Asked] = field(default_factory=dict)
    marks: tuple[Documents, ...] = ()
    list: Documents | None = None

    @property
    def asks(self) -> Iterator[Asked | Documents]:
        """All of it."""
        yield from self.layers.values()
        yield from self.marks
        if self.list is not None:
            yield self.list

    def answered(self, source: Source) -> Answered:
        """The panel with its answers; raises as the source does."""
        return Answered(
            self,
            {key: source.rows(asked) for key, asked in self.layers.items()},
            [hit for wanted in self.marks for hit in source.documents(wanted)],
            source.documents(self.list) if self.list is not None else [],
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """A panel, and what it shows.

    Attributes:
        question: What it asked.
        layers: Layer id -> rows of column id -> value.
        marks: Annotations: what each document of them holds.
        hits: Documents of a saved search.
    """

    question: Question
    layers: Mapping[str, list[Row]]
    marks: Sequence[Mapping[str, Any]]
    hits: Sequence[Mapping[str, Any]]

    @property
    def panel(self) -> Json:
        """As it stands in the dashboard."""
        return self.question.panel

    @property
    def found(self) -> int:
        """Rows of its layers that say something; a time axis has empty ones, too."""
        dimensions = {key: {name for name, _ in asked.dimensions} for key, asked in self.question.layers.items()}
        return sum(
            any(value for name, value in row.items() if name not in dimensions[key])
            for key, rows in self.layers.items()
            for row in rows
        )

    @property
    def span(self) -> Span:
        """The dashboard's time."""
        return next(self.question.asks).scope.span

    @property
    def columns(self) -> tuple[str, ...]:
        """Fields of a saved search that are shown."""
        return self.question.list.columns if self.question.list is not None else ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        if self.panel["type"] != "lens":
            return self.panel["type"] == "search" and not self.hits
        one = self.panel["embeddableConfig"]["attributes"]["visualizationType"] == "lnsMetric"
        shown = [value for rows in self.layers.values() for row in rows for value in row.values()]
        return all(value is None or (value == 0 and not one) for value in shown)


def questions(dashboard: Json, objects: Sequence[Json], span: Span, *, where: str = "") -> list[Question]:
    """What the panels of a dashboard ask, in their order.

    Args:
        dashboard: The saved object.
        objects: Those it goes with: searches.
        span: Its time.
        where: KQL of whoever looks, such as a chosen model.

    Raises:
        SettingError: A filter can't be read.
    """
    held = dashboard["attributes"]
    own = json.loads(held["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
    searches = {one["id"]: one for one in objects if one["type"] == "search"}
    outer = {reference["name"]: reference["id"] for reference in dashboard["references"]}
    found = []
    for panel in json.loads(held["panelsJSON"]):
        question = Question(panel)
        if panel["type"] == "lens":
            question = _of_layers(panel, span, (own, where))
        elif panel["type"] == "search":
            search = searches[outer[f"{panel['panelIndex']}:{panel['panelRefName']}"]]
            question = Question(panel, list=_of_search(search, span, (own, where)))
        found.append(question)
    return found


def ask(dashboard: Json, objects: Sequence[Json], source: Source, span: Span, *, where: str = "") -> Iterator[Answered]:
    """The panels of a dashboard with their answers; arguments and errors as of :func:`questions` and the source."""
    asked = questions(dashboard, objects, span, where=where)
    source.prepare(asked)
    return (question.answered(source) for question in asked)


def _known(node: kql.Node, view: str) -> bool:
    """Whether a filter of the whole page is for this view: as Kibana's controls, which ask no others.

    Raises:
        SettingError: No view has its fields.
    """
    names = sorted(set(kql.fields(node)))
    for name in names:
        if not any(name in types_of(each) for each in VIEWS):
            message = f"field {name!r} isn't there; docs/reference/events.md names those that are"
            raise SettingError(message, field="where", value=name)
    types = types_of(view)
    return all(name in types for name in names)


def _of_layers(panel: Json, span: Span, page: tuple[str, ...]) -> Question:
    lens = panel["embeddableConfig"]["attributes"]
    state = lens["state"]
    views = {one["name"].rpartition("-layer-")[2]: one["id"] for one in lens["references"]}
    layers = {}
    for key, layer in state["datasourceStates"]["formBased"]["layers"].items():
        if all(column["operationType"] == "static_value" for column in layer["columns"].values()):
            continue
        view = views[key]
        layers[key] = Asked(layer, _scope(view, (state["query"]["query"], *page), span, VIEWS[view][2]))
    marks = [
        Documents(
            _scope(views[part["layerId"]], (one["filter"]["query"], *page), span, one["timeField"]),
            shown,
            ((one["timeField"], "desc"),),
            MARKS,
        )
        for part in state["visualization"].get("layers", ())
        if isinstance(part, Mapping) and part.get("layerType") == "annotations"
        for one in part["annotations"]
        for shown in [(one["timeField"], one["textField"], *one["extraFields"])]
    ]
    return Question(panel, layers, tuple(marks))


def _of_search(search: Json, span: Span, page: tuple[str, ...]) -> Documents:
    held = search["attributes"]
    view = next(one["id"] for one in search["references"] if one["type"] == "index-pattern")
    own = json.loads(held["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
    sort = tuple((str(name), str(way)) for name, way in held["sort"])
    return Documents(_scope(view, (own, *page), span, VIEWS[view][2]), tuple(held["columns"]), sort, HITS)


def _scope(view: str, texts: tuple[str, ...], span: Span, time: str) -> Scope:
    first, *page = (kql.conjuncts(kql.parse(text)) for text in texts)
    return Scope(view, (*first, *(node for nodes in page for node in nodes if _known(node, view))), span, time)
