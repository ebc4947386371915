"""A bundle as the linter reads it, and what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that Kibana would refuse, drop or show wrongly.

    Attributes:
        object: Type and id.
        place: Where in it: a panel, a column, a field.
        message: What is wrong, and what should be.
    """

    object: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.object}{f' {self.place}' if self.place else ''}: {self.message}"


@dataclass(slots=True)
class Panel:
    """A panel of a dashboard.

    Attributes:
        dashboard: Type and id of what it is on.
        key: Its ``panelIndex``.
        held: The panel.
        outer: The dashboard's references by name.
    """

    dashboard: str
    key: str
    held: Json
    outer: Mapping[str, Json]

    @property
    def lens(self) -> Json | None:
        """Its Lens attributes; None where it is of another kind."""
        if self.held.get("type") != "lens":
            return None
        found = self.held.get("embeddableConfig", {}).get("attributes")
        return found if isinstance(found, Mapping) else None

    @property
    def layers(self) -> Mapping[str, Json]:
        """Its data source's layers by id."""
        lens = self.lens or {}
        found: Mapping[str, Json] = (
            lens.get("state", {}).get("datasourceStates", {}).get("formBased", {}).get("layers", {})
        )
        return found

    @property
    def inner(self) -> Mapping[str, Json]:
        """Its own references by name."""
        return {one["name"]: one for one in (self.lens or {}).get("references", ())}

    def view_of(self, layer: str) -> str | None:
        """The data view of a layer; None where nothing says so."""
        for name in (f"indexpattern-datasource-layer-{layer}", f"xy-visualization-layer-{layer}"):
            if name in self.inner:
                return str(self.inner[name]["id"])
        return None

    def problem(self, message: str, part: str = "") -> Problem:
        """Of this panel."""
        title = self.held.get("embeddableConfig", {}).get("title") or self.key
        return Problem(self.dashboard, f"panel {title!r}{f' {part}' if part else ''}", message)


@dataclass(slots=True)
class Bundle:
    """Objects that are imported together.

    Attributes:
        objects: They.
        broken: Ids of dashboards whose strings of JSON can't be read.
    """

    objects: list[Json]
    broken: set[str] = field(default_factory=set)

    def of(self, kind: str) -> Iterator[Json]:
        """Objects of a type."""
        return (one for one in self.objects if one.get("type") == kind)

    def panels(self) -> Iterator[Panel]:
        """The panels of all dashboards that can be read."""
        for one in self.of("dashboard"):
            if one["id"] not in self.broken:
                outer = {reference["name"]: reference for reference in one.get("references", ())}
                for panel in json.loads(one["attributes"]["panelsJSON"]):
                    yield Panel(called(one), str(panel.get("panelIndex")), panel, outer)


def called(one: Json) -> str:
    """Type and id."""
    return f"{one.get('type')} {one.get('id')}"
