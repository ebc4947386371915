"""A dashboard of one model, made of its card: each feature now against training, with its allowed range as lines."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Control, Dashboard, Documents, Figure, Heat, Measure, Panel, Row, Terms, Time
from mllog.card import ModelCard, load_cards
from mllog.ruler import Feature

MOST_FEATURES: Final = 40
"""A page has at most 100 panels, and each feature two."""
MOST_BINS: Final = 40
"""So many of a number are shown, of several versions' together."""

_NAME_LENGTH: Final = 40


def dashboards_of(paths: Iterable[str]) -> list[Dashboard]:
    """The dashboards of models, one a model: of several cards of one the last counts.

    Args:
        paths: Cards, or folders of them.

    Raises:
        CardError: One can't be read.
    """
    made = map(dashboard_of, load_cards(paths))
    return list({dashboard.id: dashboard for dashboard in made}.values())


def dashboard_of(card: ModelCard) -> Dashboard:
    """The dashboard of a model; features beyond :data:`MOST_FEATURES` are left to the set's own.

    Args:
        card: The model's.
    """
    model = f'ml.model.name : "{_quoted(card.model)}"'
    rows = [Row(10, _panels(feature)) for feature in card.ruler.inputs[:MOST_FEATURES] if _panels(feature)]
    return Dashboard(
        id=f"mllog-card-{_identity(card.model)}",
        title=f"[mllog] {card.model}",
        story=f"Each feature of {card.model} {card.version} as it is now beside what it was in training.",
        place=100,
        where=model,
        controls=(Control("Version", parts.WINDOWS, "ml.model.version"),),
        rows=(
            Row(
                5,
                (
                    Figure(
                        title="Open incidents",
                        view=parts.INCIDENTS,
                        measure=parts.OPEN_INCIDENTS,
                        steps=((0, "good"), (1, "bad")),
                        width=12,
                        drill=("mllog-incidents",),
                    ),
                    Figure(title="Predictions", view=parts.WINDOWS, measure=parts.PREDICTIONS_SUM, width=12),
                    Figure(title="Failures", view=parts.WINDOWS, measure=parts.FAILURE_RATE, width=12),
                    Figure(title="Worst missing rate", view=parts.WINDOWS, measure=parts.WORST_MISSING, width=12),
                ),
            ),
            Row(12, (_MISSING,)),
            *rows,
            Row(12, (Documents(title="Predictions", search="mllog-search-predictions"),)),
        ),
    )


_MISSING: Final = Heat(
    title="Missing rate by feature",
    view=parts.WINDOWS,
    where=parts.FEATURES,
    x=Time(),
    y=Terms("feature", "feature.name", MOST_FEATURES),
    measure=Measure("missing", "average", "missing.rate", format="percent"),
    drill=("mllog-missing",),
    width=48,
)


def _panels(feature: Feature) -> tuple[Panel, ...]:
    """How a feature goes over time, and how its values are spread beside training's."""
    named = f'feature.name : "{_quoted(feature.name)}"'
    if feature.kind == "number":
        field = f"ml.inputs.number.{feature.name}"
        lines = [("least in training", feature.low), ("most in training", feature.high)]
        over = Chart(
            title=f"{feature.name}: 5th, 50th and 95th percentile",
            view=parts.PREDICTIONS,
            where=parts.PREDICTED,
            measures=(
                Measure("p5", "percentile", field, percentile=5),
                Measure("median", "median", field),
                Measure("p95", "percentile", field, percentile=95),
            ),
            lines=tuple((label, value, "bad") for label, value in lines if value is not None),
            fit=_is_far_from_zero(feature),
            drill=("documents",),
        )
    elif feature.kind in {"category", "boolean", "text"}:
        what = "unseen words" if feature.kind == "text" else "unseen values"
        over = Chart(
            title=f"{feature.name}: missing, and {what}",
            view=parts.WINDOWS,
            where=f"{parts.FEATURES} and {named}",
            measures=(
                Measure("missing", "average", "missing.rate", format="percent"),
                Measure(what, "average", "unseen.rate", format="percent"),
            ),
            drill=("mllog-missing", "mllog-text" if feature.kind == "text" else "mllog-categories"),
        )
    else:
        return ()
    if feature.kind == "text":
        return (_whole(over),)
    bins = feature.kind == "number"  # which have an order of their own, by their names
    spread = Chart(
        title=f"{feature.name}: now beside training",
        view=parts.WINDOWS,
        where=f"{parts.DAYS_BUCKETS} and {named}",
        measures=(
            Measure("now", "average", "bucket.share", format="percent"),
            Measure("in training", "average", "bucket.reference", format="percent"),
        ),
        x=Terms("bin", "bucket.value", MOST_BINS, by=None) if bins else Terms("value", "bucket.value", 20),
        series="bar",
        drill=("mllog-categories",),
    )
    return over, spread


def _is_far_from_zero(feature: Feature) -> bool:
    """Whether a feature's range is narrow beside its numbers, as of years: from 0 up every line would be flat."""
    if feature.low is None or feature.high is None:
        return False
    return min(abs(feature.low), abs(feature.high)) > feature.high - feature.low


def _whole(chart: Chart) -> Chart:
    return Chart(
        title=chart.title, view=chart.view, where=chart.where, measures=chart.measures, drill=chart.drill, width=48
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _identity(model: str) -> str:
    """A name for its object, made of the model's: the same whenever it is built, and no other model's."""
    plain = re.sub(r"[^a-z0-9_.-]", "-", model.lower())[:_NAME_LENGTH]
    return plain if plain == model else f"{plain}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
