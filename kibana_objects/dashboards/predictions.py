"""Predictions: what the model answers."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Dashboard, Documents, Figure, Measure, Ratio, Row, Share, Table, Terms

_LABELS = f'{parts.DAYS_BUCKETS} and feature.name : "@label"'

dashboard: Final = Dashboard(
    id="mllog-predictions-made",
    title="[mllog] Predictions",
    story="A model that answers otherwise than before shows it in its scores and in its classes' shares, by version.",
    place=5,
    controls=parts.controls(parts.PREDICTIONS, ("Class", "ml.outputs.label"), ("Service", "service.name")),
    rows=(
        Row(
            5,
            (
                Figure(
                    title="Predictions",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=Measure("predictions", format="whole"),
                    width=12,
                ),
                Figure(
                    title="Median score",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=Measure("median score", "median", "ml.outputs.score"),
                    width=12,
                ),
                Figure(
                    title="Classes",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=Measure("classes", "unique_count", "ml.outputs.label", format="whole"),
                    width=12,
                ),
                Figure(
                    title="Without an answer",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=Ratio(
                        "without an answer",
                        Measure(
                            "none",
                            where="not ml.outputs.label : * and not ml.outputs.value : * and not ml.outputs.score : *",
                        ),
                        Measure("all"),
                    ),
                    steps=((0, "good"), (0.01, "warning"), (0.05, "bad")),
                    width=12,
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Shares of the classes",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    width=32,
                    measures=(Measure("predictions", format="whole"),),
                    split=Terms("class", "ml.outputs.label", 10, other=True),
                    series="bar_percentage_stacked",
                    drill=("documents",),
                ),
                Share(
                    title="Classes",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    width=16,
                    slices=Terms("class", "ml.outputs.label", 10, other=True),
                    measure=Measure("predictions", format="whole"),
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Score: 5th, 50th and 95th percentile",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measures=(
                        Measure("p5", "percentile", "ml.outputs.score", percentile=5),
                        Measure("median", "median", "ml.outputs.score"),
                        Measure("p95", "percentile", "ml.outputs.score", percentile=95),
                    ),
                    drill=("documents",),
                ),
                Chart(
                    title="Median score by version",
                    view=parts.PREDICTIONS,
                    where=f"{parts.PREDICTED} and ml.outputs.score : *",
                    measures=(Measure("median", "median", "ml.outputs.score"),),
                    split=Terms("version", "ml.model.version", 5, by=None),
                    drill=("documents", "mllog-versions"),
                ),
            ),
        ),
        Row(
            12,
            (
                Table(
                    title="Shares of classes by day beside training's",
                    view=parts.WINDOWS,
                    where=_LABELS,
                    rows=(Terms("model", "ml.model.name", 20), Terms("class", "bucket.value", 12)),
                    measures=(
                        Measure("share", "average", "bucket.share", format="percent"),
                        Measure("in training", "average", "bucket.reference", format="percent"),
                        Measure("a week ago", "average", "bucket.share", format="percent", shift="1w"),
                    ),
                ),
                Table(
                    title="Versions side by side",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    rows=(parts.BY_MODEL, parts.BY_VERSION),
                    measures=(
                        Measure("predictions", format="whole"),
                        Measure("mean score", "average", "ml.outputs.score"),
                        Measure("median score", "median", "ml.outputs.score"),
                        Measure("last", "max", "@timestamp", format="date"),
                    ),
                    drill=("documents",),
                ),
            ),
        ),
        Row(12, (Documents(title="Predictions", search="mllog-search-predictions"),)),
    ),
)
