"""Categories: new values, and shares that moved."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Dashboard, Documents, Figure, Heat, Measure, Row, Table, Terms, Time

_CATEGORIES = f"{parts.UNSEEN} and (feature.kind : category or feature.kind : boolean)"

_DAYS = f"{parts.DAYS_BUCKETS} and (feature.kind : category or feature.kind : boolean)"
_UNSEEN = Measure("unseen", "average", "unseen.rate", format="percent")

dashboard: Final = Dashboard(
    id="mllog-categories",
    title="[mllog] Categories",
    story="A category that nobody knew, or whose share has moved, stands beside the share that it had in training.",
    place=3,
    controls=parts.controls(parts.WINDOWS, ("Feature", "feature.name")),
    rows=(
        Row(
            5,
            (
                Figure(
                    title="Worst rate of unseen values",
                    view=parts.WINDOWS,
                    where=_CATEGORIES,
                    measure=Measure("unseen", "max", "unseen.rate", format="percent"),
                    steps=((0, "good"), (0.01, "warning"), (0.05, "bad")),
                    width=16,
                ),
                Figure(
                    title="Values that training never had",
                    view=parts.WINDOWS,
                    where=_CATEGORIES,
                    measure=Measure("values", "sum", "unseen.count", format="whole"),
                    width=16,
                ),
                Figure(
                    title="Features with such values",
                    view=parts.WINDOWS,
                    where=f"{_CATEGORIES} and unseen.count > 0",
                    measure=Measure("features", "unique_count", "feature.name", format="whole"),
                    width=16,
                ),
            ),
        ),
        Row(
            12,
            (
                Heat(
                    title="Unseen values by feature and time",
                    view=parts.WINDOWS,
                    where=_CATEGORIES,
                    x=Time(),
                    y=Terms("feature", "feature.name", 30),
                    measure=_UNSEEN,
                    drill=("mllog-model",),
                ),
                Chart(
                    title="Shares of values: choose a feature above",
                    view=parts.WINDOWS,
                    where=_DAYS,
                    measures=(Measure("share", "average", "bucket.share", format="percent"),),
                    split=Terms("value", "bucket.value", 12),
                    series="bar_percentage_stacked",
                ),
            ),
        ),
        Row(
            14,
            (
                Table(
                    title="Shares of days beside training's",
                    view=parts.WINDOWS,
                    where=_DAYS,
                    rows=(Terms("feature", "feature.name", 30), Terms("value", "bucket.value", 12)),
                    measures=(
                        Measure("share", "average", "bucket.share", format="percent"),
                        Measure("in training", "average", "bucket.reference", format="percent"),
                        Measure("a week ago", "average", "bucket.share", format="percent", shift="1w"),
                    ),
                ),
                Table(
                    title="Requests with a value that training never had",
                    view=parts.PREDICTIONS,
                    rows=(Terms("feature", "ml.violations.category", 20), Terms("version", "ml.model.version", 5)),
                    measures=(
                        Measure("predictions", format="whole"),
                        Measure("first", "min", "@timestamp", format="date"),
                        Measure("last", "max", "@timestamp", format="date"),
                    ),
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Such requests over time, by feature",
                    view=parts.PREDICTIONS,
                    width=48,
                    measures=(Measure("predictions", format="whole"),),
                    split=Terms("feature", "ml.violations.category", 10),
                    series="bar_stacked",
                    drill=("documents",),
                ),
            ),
        ),
        Row(12, (Documents(title="Predictions", search="mllog-search-predictions"),)),
    ),
)
