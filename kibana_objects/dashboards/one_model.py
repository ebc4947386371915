"""Model: one model, whole."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Dashboard, Documents, Figure, Heat, Measure, Row, Table, Terms, Time

_MISSING = Measure("missing", "average", "missing.rate", format="percent")

dashboard: Final = Dashboard(
    id="mllog-model",
    title="[mllog] Model",
    story="One model: its traffic, its answers and each of its features, with deployments marked: what began when.",
    place=1,
    controls=parts.controls(parts.WINDOWS, ("Feature", "feature.name")),
    rows=(
        Row(
            5,
            (
                Figure(
                    title="Open incidents",
                    view=parts.INCIDENTS,
                    measure=parts.OPEN_INCIDENTS,
                    steps=((0, "good"), (1, "bad")),
                    drill=("mllog-incidents",),
                ),
                Figure(title="Predictions", view=parts.WINDOWS, measure=parts.PREDICTIONS_SUM),
                Figure(
                    title="Failures",
                    view=parts.WINDOWS,
                    measure=parts.FAILURE_RATE,
                    steps=((0, "good"), (0.01, "warning"), (0.05, "bad")),
                ),
                Figure(title="p95 latency, worst hour", view=parts.WINDOWS, measure=parts.LATENCY_P95),
                Figure(title="Worst missing rate", view=parts.WINDOWS, measure=parts.WORST_MISSING),
                Figure(title="Worst unseen rate", view=parts.WINDOWS, measure=parts.WORST_UNSEEN),
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
                    drill=("documents", "mllog-versions"),
                ),
                Chart(
                    title="Score, median and p95",
                    view=parts.WINDOWS,
                    where=parts.HOURS,
                    measures=(
                        Measure("median", "average", "metric.value", parts.metric("score.p50")),
                        Measure("p95", "average", "metric.value", parts.metric("score.p95")),
                    ),
                    drill=("mllog-predictions-made",),
                ),
            ),
        ),
        Row(
            14,
            (
                Heat(
                    title="Missing rate by feature",
                    view=parts.WINDOWS,
                    where=parts.FEATURES,
                    x=Time(),
                    y=Terms("feature", "feature.name", 30),
                    measure=_MISSING,
                    drill=("mllog-missing",),
                ),
                Heat(
                    title="Unseen values and words by feature",
                    view=parts.WINDOWS,
                    where=parts.UNSEEN,
                    x=Time(),
                    y=Terms("feature", "feature.name", 30),
                    measure=Measure("unseen", "average", "unseen.rate", format="percent"),
                    drill=("mllog-categories", "mllog-text"),
                ),
            ),
        ),
        Row(
            12,
            (
                Table(
                    title="Features, and a week before",
                    view=parts.WINDOWS,
                    where=parts.FEATURES,
                    width=48,
                    rows=(Terms("feature", "feature.name", 100), Terms("kind", "feature.kind", 4)),
                    measures=(
                        _MISSING,
                        Measure("missing a week ago", "average", "missing.rate", format="percent", shift="1w"),
                        Measure("unseen", "average", "unseen.rate", format="percent"),
                        Measure("unseen a week ago", "average", "unseen.rate", format="percent", shift="1w"),
                        Measure("violations", "average", "violations.rate", format="percent"),
                        Measure("violations a week ago", "average", "violations.rate", format="percent", shift="1w"),
                    ),
                    drill=("mllog-missing", "mllog-categories"),
                ),
            ),
        ),
        Row(12, (Documents(title="Predictions", search="mllog-search-predictions"),)),
    ),
)
