"""Missing features: which, in what way, since when, in which version."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Dashboard, Documents, Figure, Heat, Measure, Ratio, Row, Table, Terms, Time
from mllog.ruler import MISSING_KINDS

_RATE = Measure("missing", "average", "missing.rate", format="percent")
_ANY = " or ".join(f"ml.missing.{kind} : *" for kind in MISSING_KINDS)

dashboard: Final = Dashboard(
    id="mllog-missing",
    title="[mllog] Missing features",
    story="The feature that stopped coming is a row that changes colour, with the hour and how it is missing.",
    place=2,
    controls=parts.controls(parts.WINDOWS, ("Feature", "feature.name")),
    rows=(
        Row(
            5,
            (
                Figure(
                    title="Worst feature and hour",
                    view=parts.WINDOWS,
                    measure=parts.WORST_MISSING,
                    steps=((0, "good"), (0.05, "warning"), (0.2, "bad")),
                    width=16,
                ),
                Figure(
                    title="Features that were ever missing altogether",
                    view=parts.WINDOWS,
                    where=f"{parts.FEATURES} and missing.rate >= 0.99",
                    measure=Measure("features", "unique_count", "feature.name", format="whole"),
                    steps=((0, "good"), (1, "bad")),
                    width=16,
                ),
                Figure(
                    title="Predictions with something missing",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=Ratio(
                        "with something missing",
                        Measure("missing", where=_ANY),
                        Measure("all"),
                    ),
                    width=16,
                ),
            ),
        ),
        Row(
            14,
            (
                Heat(
                    title="Missing rate by feature and time",
                    view=parts.WINDOWS,
                    where=parts.FEATURES,
                    width=48,
                    x=Time(),
                    y=Terms("feature", "feature.name", 40),
                    measure=_RATE,
                    drill=("mllog-model",),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="The worst features",
                    view=parts.WINDOWS,
                    where=parts.FEATURES,
                    measures=(_RATE,),
                    split=parts.BY_FEATURE,
                    drill=("mllog-model",),
                ),
                Chart(
                    title="In what way they are missing",
                    view=parts.WINDOWS,
                    where=parts.FEATURES,
                    measures=tuple(
                        Measure(kind, "average", f"missing.{kind}", format="percent") for kind in MISSING_KINDS
                    ),
                    series="area_stacked",
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
                    rows=(Terms("feature", "feature.name", 100),),
                    measures=(
                        _RATE,
                        Measure("a week ago", "average", "missing.rate", format="percent", shift="1w"),
                        Measure("worst hour", "max", "missing.rate", format="percent"),
                    ),
                    drill=("mllog-model",),
                ),
                Table(
                    title="Features whose key isn't sent, by version and host",
                    view=parts.PREDICTIONS,
                    rows=(
                        Terms("feature", "ml.missing.absent", 20),
                        Terms("version", "ml.model.version", 5),
                        Terms("host", "host.name", 5),
                    ),
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
                Table(
                    title="Renamed by somebody upstream?",
                    view=parts.PREDICTIONS,
                    rows=(Terms("absent > unexpected", "ml.violations.renamed", 20),),
                    measures=(
                        Measure("predictions", format="whole"),
                        Measure("first", "min", "@timestamp", format="date"),
                    ),
                    drill=("documents",),
                ),
                Chart(
                    title="Features that are null, by feature",
                    view=parts.PREDICTIONS,
                    measures=(Measure("predictions", format="whole"),),
                    split=Terms("feature", "ml.missing.null", 10),
                    series="bar_stacked",
                    drill=("documents",),
                ),
            ),
        ),
        Row(12, (Documents(title="Predictions with missing features", search="mllog-search-missing"),)),
    ),
)
