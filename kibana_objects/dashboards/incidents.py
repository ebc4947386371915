"""Incidents: what is open, what it is about, what came before."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Control, Dashboard, Documents, Figure, Measure, Row, Table, Terms

_ALL = Measure("incidents", format="whole")

dashboard: Final = Dashboard(
    id="mllog-incidents",
    title="[mllog] Incidents",
    story="The incident of the page: its sentence, its segment, its onset, and how often the like happened before.",
    place=8,
    span="now-30d",
    controls=(
        Control("Model", parts.INCIDENTS, "ml.model.name"),
        Control("State", parts.INCIDENTS, "incident.state"),
        Control("Severity", parts.INCIDENTS, "incident.severity"),
        Control("Feature", parts.INCIDENTS, "features"),
    ),
    rows=(
        Row(
            5,
            (
                Figure(
                    title="Open",
                    view=parts.INCIDENTS,
                    measure=parts.OPEN_INCIDENTS,
                    steps=((0, "good"), (1, "warning")),
                    width=12,
                ),
                Figure(
                    title="Critical and open",
                    view=parts.INCIDENTS,
                    measure=Measure("critical", where=f"{parts.OPEN} and incident.severity : critical", format="whole"),
                    steps=((0, "good"), (1, "bad")),
                    width=12,
                ),
                Figure(
                    title="Nobody took",
                    view=parts.INCIDENTS,
                    measure=Measure("not taken", where="incident.state : open", format="whole"),
                    steps=((0, "good"), (1, "warning")),
                    width=12,
                ),
                Figure(
                    title="Opened in this time",
                    view=parts.OPENED_INCIDENTS,
                    measure=_ALL,
                    width=12,
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Opened, by severity",
                    view=parts.OPENED_INCIDENTS,
                    measures=(_ALL,),
                    x=parts.OPENED,
                    split=Terms("severity", "incident.severity", 3),
                    series="bar_stacked",
                    drill=("documents",),
                ),
                Chart(
                    title="Opened, by model",
                    view=parts.OPENED_INCIDENTS,
                    measures=(_ALL,),
                    x=parts.OPENED,
                    split=parts.BY_MODEL,
                    series="bar_stacked",
                    drill=("documents", "mllog-model"),
                ),
            ),
        ),
        Row(12, (Documents(title="Incidents, taken and open ones first", search="mllog-search-incidents"),)),
        Row(
            12,
            (
                Table(
                    title="By what and where",
                    view=parts.OPENED_INCIDENTS,
                    rows=(Terms("feature", "incident.feature", 50), Terms("check", "incident.check", 25)),
                    measures=(
                        _ALL,
                        Measure("first", "min", "onset", format="date"),
                        Measure("last", "max", "onset", format="date"),
                    ),
                    drill=("documents", "mllog-missing", "mllog-categories"),
                ),
                Table(
                    title="By segment",
                    view=parts.OPENED_INCIDENTS,
                    rows=(Terms("field", "segment.field", 20), Terms("value", "segment.value", 20)),
                    measures=(_ALL, Measure("last", "max", "onset", format="date")),
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Findings behind them, by check",
                    view="mllog-findings",
                    width=48,
                    measures=(Measure("findings", format="whole"),),
                    split=Terms("check", "check", 15),
                    series="bar_stacked",
                    drill=("documents",),
                ),
            ),
        ),
        Row(12, (Documents(title="Findings", search="mllog-search-findings"),)),
    ),
)
