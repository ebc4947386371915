"""Overview: the whole fleet."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Control, Dashboard, Documents, Figure, Measure, Row, Table, Terms

dashboard: Final = Dashboard(
    id="mllog-overview",
    title="[mllog] Overview",
    story="Which model is in trouble, and since when: open incidents beside the traffic of every model.",
    place=0,
    controls=(
        Control("Model", parts.WINDOWS, "ml.model.name"),
        Control("Namespace", parts.WINDOWS, "data_stream.namespace"),
    ),
    rows=(
        Row(
            5,
            (
                Figure(
                    title="Open incidents",
                    view=parts.INCIDENTS,
                    measure=parts.OPEN_INCIDENTS,
                    steps=((0, "good"), (1, "warning")),
                    drill=("mllog-incidents",),
                ),
                Figure(
                    title="Critical ones",
                    view=parts.INCIDENTS,
                    measure=Measure(
                        "critical incidents", where=f"{parts.OPEN} and incident.severity : critical", format="whole"
                    ),
                    steps=((0, "good"), (1, "bad")),
                    drill=("mllog-incidents",),
                ),
                Figure(
                    title="Models",
                    view=parts.WINDOWS,
                    measure=Measure("models", "unique_count", "ml.model.name", format="whole"),
                ),
                Figure(title="Predictions", view=parts.WINDOWS, measure=parts.PREDICTIONS_SUM),
                Figure(
                    title="Failures",
                    view=parts.WINDOWS,
                    measure=parts.FAILURE_RATE,
                    steps=((0, "good"), (0.01, "warning"), (0.05, "bad")),
                    drill=("mllog-operations",),
                ),
                Figure(
                    title="Worst missing rate",
                    view=parts.WINDOWS,
                    measure=parts.WORST_MISSING,
                    drill=("mllog-missing",),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Incidents that were opened, by severity",
                    view=parts.OPENED_INCIDENTS,
                    measures=(Measure("incidents", format="whole"),),
                    x=parts.OPENED,
                    split=Terms("severity", "incident.severity", 3),
                    series="bar_stacked",
                    drill=("documents", "mllog-incidents"),
                ),
                Chart(
                    title="Predictions by model",
                    view=parts.WINDOWS,
                    where=parts.metric("predictions"),
                    measures=(Measure("predictions", "sum", "metric.value", format="whole"),),
                    split=parts.BY_MODEL,
                    series="area_stacked",
                    drill=("mllog-model",),
                ),
            ),
        ),
        Row(
            12,
            (
                Table(
                    title="Models",
                    view=parts.WINDOWS,
                    width=48,
                    rows=(Terms("model", "ml.model.name", 100),),
                    measures=(
                        parts.PREDICTIONS_SUM,
                        parts.FAILURE_RATE,
                        parts.LATENCY_P95,
                        parts.WORST_MISSING,
                        parts.WORST_UNSEEN,
                        Measure("last hour", "max", "@timestamp", format="date"),
                    ),
                    drill=("mllog-model",),
                ),
            ),
        ),
        Row(
            12,
            (
                Table(
                    title="Incidents by model and severity",
                    view=parts.INCIDENTS,
                    rows=(Terms("model", "ml.model.name", 100), Terms("severity", "incident.severity", 3)),
                    measures=(
                        parts.OPEN_INCIDENTS,
                        Measure("incidents", format="whole"),
                        Measure("last change", "max", "incident.updated", format="date"),
                    ),
                    drill=("mllog-incidents",),
                ),
                Table(
                    title="What broke in this time",
                    view=parts.OPENED_INCIDENTS,
                    rows=(Terms("feature", "incident.feature", 50), Terms("check", "incident.check", 25)),
                    measures=(
                        Measure("incidents", format="whole"),
                        Measure("since", "min", "onset", format="date"),
                    ),
                    drill=("mllog-incidents",),
                ),
            ),
        ),
        Row(12, (Documents(title="Incidents, taken and open ones first", search="mllog-search-incidents"),)),
    ),
)
