"""Categories: new values, and shares that moved."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Dashboard, Documents, Figure, Heat, Measure, Row, Table, Terms, Time

_CATEGORIES = f"{parts.UNSEEN} and (feature.kind : category or feature.kind : boolean)"

_NEW = f"kind : unseen and {parts.HOURS}"
_DAYS = (
    f"{parts.DAYS_BUCKETS} and (feature.kind : category or feature.kind : boolean) "
    'and not feature.name : "@label"'  # an answer, which the predictions' page shows
)
_NAMED = f'{_DAYS} and not bucket.value : "(other)"'
_UNSEEN = Measure("unseen", "average", "unseen.rate", format="percent")
_SHARE = Measure("share", "average", "bucket.share", format="percent")
_TRAINED = Measure("in training", "average", "bucket.reference", format="percent")

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
                    title="Values sent that training never had",
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
                # Of all features the shares add up to nothing, so each value has a row of its own.
                Heat(
                    title="Share of each value in its feature, by day: the 15 greatest",
                    view=parts.WINDOWS,
                    where=_NAMED,
                    x=Time(every="1d"),
                    y=Terms("value", "bucket.value", 15),
                    measure=_SHARE,
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="The 40 greatest shares of days beside training's",
                    view=parts.WINDOWS,
                    where=_NAMED,
                    width=48,
                    measures=(_SHARE, _TRAINED),
                    x=Terms("value", "bucket.value", 40),
                    series="bar",
                ),
            ),
        ),
        Row(
            14,
            (
                Table(
                    title="New values, and since when",
                    view=parts.WINDOWS,
                    where=_NEW,
                    rows=(Terms("feature", "feature.name", 20), Terms("value", "unseen.value", 20)),
                    measures=(
                        Measure("events", "sum", "unseen.count", format="whole"),
                        Measure("first", "min", "@timestamp", format="date"),
                        Measure("last", "max", "@timestamp", format="date"),
                    ),
                    drill=("documents",),
                ),
                Table(
                    title="Shares of days beside training's",
                    view=parts.WINDOWS,
                    where=_DAYS,
                    rows=(Terms("feature", "feature.name", 30), Terms("value", "bucket.value", 12)),
                    measures=(
                        _SHARE,
                        _TRAINED,
                        Measure("a week ago", "average", "bucket.share", format="percent", shift="1w"),
                    ),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Requests with a new value, by feature",
                    view=parts.PREDICTIONS,
                    where="ml.violations.category : *",
                    width=32,
                    measures=(Measure("predictions", format="whole"),),
                    split=Terms("feature", "ml.violations.category", 10),
                    series="bar_stacked",
                    drill=("documents",),
                ),
                Table(
                    title="They came to",
                    view=parts.PREDICTIONS,
                    where="ml.violations.category : *",
                    width=16,
                    rows=(Terms("feature", "ml.violations.category", 20), Terms("version", "ml.model.version", 5)),
                    measures=(Measure("predictions", format="whole"),),
                    drill=("documents",),
                ),
            ),
        ),
        Row(12, (Documents(title="Predictions with unseen categories", search="mllog-search-categories"),)),
    ),
)
