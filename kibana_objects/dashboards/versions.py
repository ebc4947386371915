"""Versions and dependencies: what answered, with which packages, on which hosts, since when."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Dashboard, Documents, Figure, Measure, Row, Share, Table, Terms

_FIRST = Measure("first", "min", "@timestamp", format="date")
_LAST = Measure("last", "max", "@timestamp", format="date")
_HOSTS = Measure("hosts", "unique_count", "host.name", format="whole")
_ENVIRONMENT = Terms("environment", "ml.environment", 10)

dashboard: Final = Dashboard(
    id="mllog-versions",
    title="[mllog] Versions and dependencies",
    story="Two environments at once, a version that nobody meant to serve, a forgotten host: who answered with what.",
    place=6,
    controls=parts.controls(parts.PREDICTIONS, ("Host", "host.name"), ("Role", "ml.model.role")),
    rows=(
        Row(
            5,
            (
                Figure(
                    title="Versions that answer",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=Measure("versions", "unique_count", "ml.model.version", format="whole"),
                    width=12,
                ),
                Figure(
                    title="Environments",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=Measure("environments", "unique_count", "ml.environment", format="whole"),
                    width=12,
                ),
                Figure(
                    title="Hosts",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=_HOSTS,
                    width=12,
                ),
                Figure(
                    title="Deployments",
                    view="mllog-deployments",
                    where="event.action : deploy",
                    measure=Measure("deployments", format="whole"),
                    width=12,
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Predictions by version",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measures=(Measure("predictions", format="whole"),),
                    split=parts.BY_VERSION,
                    series="bar_stacked",
                    drill=("documents",),
                ),
                Chart(
                    title="Predictions by environment",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measures=(Measure("predictions", format="whole"),),
                    split=_ENVIRONMENT,
                    series="bar_stacked",
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            12,
            (
                Table(
                    title="Which version answered with which packages",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    width=32,
                    rows=(parts.BY_MODEL, parts.BY_VERSION, _ENVIRONMENT),
                    measures=(Measure("predictions", format="whole"), _HOSTS, _FIRST, _LAST),
                    drill=("documents",),
                ),
                Share(
                    title="Roles",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    width=16,
                    slices=Terms("role", "ml.model.role", 3),
                    measure=Measure("predictions", format="whole"),
                ),
            ),
        ),
        Row(
            12,
            (
                Table(
                    title="Hosts",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    rows=(Terms("host", "host.name", 50), parts.BY_VERSION),
                    measures=(Measure("predictions", format="whole"), _FIRST, _LAST),
                    drill=("documents",),
                ),
                Table(
                    title="Artefacts that were deployed",
                    view="mllog-deployments",
                    where="event.action : deploy",
                    rows=(parts.BY_MODEL, parts.BY_VERSION, _ENVIRONMENT),
                    measures=(Measure("processes", format="whole"), _HOSTS, _FIRST, _LAST),
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            12,
            (Documents(title="Deployments; each document has all of its packages", search="mllog-search-deployments"),),
        ),
    ),
)
