"""One small picture for each feature: where it stands over time, against what is usual."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mllog.ruler import LATENCY, Feature
from watchers.report import words
from watchers.report.drawing import Picture, Scale, TimeScale
from watchers.report.series import Counts, Reference, Values, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from watchers.incidents.incident import Incident

WIDTH: Final = 380.0
LEFT: Final = 44.0
RIGHT: Final = 368.0
SHOWN: Final = 5
"""Categories drawn by name; the rest is added up."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Surroundings:
    """What all panels share.

    Attributes:
        counts: Counts over the whole span.
        training: The card's training counts as one row, or None.
        incidents: All incidents, shaded where they name the feature.
        end: Until when an open incident is shaded.
    """

    counts: Counts
    training: Counts | None
    incidents: Sequence[Incident]
    end: dt.datetime

    def calm(self, feature: str | None) -> Mask:
        """Rows outside of the incidents that name ``feature`` (None: of any); a gap to training breaks no row."""
        length = dt.timedelta(hours=self.counts.hours)
        broken = [i for i in self.incidents if not i.lasting]
        named = [i for i in broken if feature is None or feature in i.features or not i.features]
        spans = [(incident.onset, incident.recovered or self.end) for incident in named]
        starts = self.counts.starts
        return np.array([all(s >= end or s + length <= begin for begin, end in spans) for s in starts], dtype=bool)

    @property
    def x(self) -> TimeScale:
        """The time scale."""
        return TimeScale(self.counts.starts[0], self.end, LEFT, RIGHT)

    def middles(self, x: TimeScale) -> list[float]:
        """Where the middle of each row is."""
        half = dt.timedelta(hours=self.counts.hours / 2)
        return [x(start + half) for start in self.counts.starts]


@dataclass
class Panel:
    """What the template needs of one feature."""

    name: str
    kind: str
    picture: Any
    legend: list[tuple[str, str]] = field(default_factory=list)
    note: str = ""
    incidents: list[Incident] = field(default_factory=list)


def panel(feature: Feature, around: Surroundings, number: int) -> Panel:
    """The panel of one feature."""
    named = [incident for incident in around.incidents if feature.name in incident.features]
    drawing = Picture(WIDTH, 0.0, f"{feature.name} over time", "", f"p{number}")
    x = around.x
    bottom = 116.0 if feature.is_input else 78.0
    drawing.height = bottom + 18
    _incidents(drawing, x, named, around, bottom)
    drawing.times(x, around.counts.zone, 6, bottom, 6)
    result = Panel(feature.name, feature.kind, None, incidents=named)
    if feature.kind == "number":
        said = _number(drawing, x, feature, around, result)
    elif feature.kind in {"category", "boolean"}:
        said = _category(drawing, x, feature, around, result)
    elif feature.kind == "text":
        said = _text(drawing, x, feature, around, result)
    else:
        said = ""
    if feature.is_input:
        missing = around.counts.missing(feature.name)
        said += " " + _strip(drawing, x, missing, around, feature.name)
        result.legend.append(("swatch-missing", "missing"))
    drawing.description = said.strip()
    result.picture = drawing.svg()
    return result


def volume(around: Surroundings) -> Panel:
    """Predictions over time."""
    counts = around.counts
    drawing = Picture(WIDTH, 96.0, "predictions over time", "", "p-volume")
    x = around.x
    named = [i for i in around.incidents if {"no_data", "volume"} & {*i.checks}]
    _incidents(drawing, x, named, around, 78)
    result = Panel("predictions", "volume", None, incidents=named)
    rate = counts.n / counts.hours
    usual = reference(counts, rate, around.calm(None))
    scale = Scale.around([rate], 6, 78, zero=True)
    drawing.times(x, counts.zone, 6, 78, 6)
    drawing.frame(x, scale, words.number)
    _curve(drawing, x, around, rate, usual, scale=scale)
    drawing.description = f"Between {words.number(rate.min())} and {words.number(rate.max())} predictions an hour."
    result.legend = [("swatch-line", "per hour"), ("swatch-band", "usual")]
    result.note = f"{counts.n.sum():,.0f} in all"
    result.picture = drawing.svg()
    return result


def unit(feature: Feature) -> Callable[[float], str]:
    """How values of a feature are written."""
    return words.seconds if feature.name == LATENCY else words.number


def _number(drawing: Picture, x: TimeScale, feature: Feature, around: Surroundings, result: Panel) -> str:
    counts = around.counts
    output = not feature.is_input
    middle = counts.quantile(feature, 0.5)
    upper = counts.quantile(feature, 0.95 if feature.name == LATENCY else 0.9)
    usual = reference(counts, middle, around.calm(feature.name))
    shown = [middle, *([upper] if output else []), *([usual.low, usual.high] if usual else [])]
    lower = counts.quantile(feature, 0.1)
    if output and feature.name != LATENCY:
        shown.append(lower)
    log = feature.name == LATENCY
    scale = Scale.around(shown, 6, 78, log=log)
    drawing.frame(x, scale, unit(feature))
    xs = around.middles(x)
    if output and not log:
        drawing.band(xs, lower, upper, scale, "spread")
        result.legend.append(("swatch-spread", "10–90%"))
    if log:
        drawing.line(xs, upper, scale, "line upper")
        result.legend.append(("swatch-upper", "95th percentile"))
    trained = None
    if around.training is not None and not log:
        trained = float(around.training.quantile(feature, 0.5)[0])
    _curve(drawing, x, around, middle, usual, scale=scale, trained=trained)
    result.legend = [("swatch-line", "median"), ("swatch-band", "usual"), *result.legend]
    if trained is not None and np.isfinite(trained):
        result.legend.append(("swatch-training", "training"))
    last = middle[np.isfinite(middle)]
    result.note = f"median {unit(feature)(float(np.median(last)))}" if last.size else "no values"
    return f"Median between {unit(feature)(_least(middle))} and {unit(feature)(_most(middle))}."


def _category(drawing: Picture, x: TimeScale, feature: Feature, around: Surroundings, result: Panel) -> str:
    counts = around.counts
    totals = {category: counts.column(feature.name, "category", category) for category in feature.categories}
    top = sorted(totals, key=lambda category: -totals[category].sum())[:SHOWN]
    unseen = counts.column(feature.name, "violation", "category")
    others = sum((totals[c] for c in totals if c not in top), np.zeros(len(unseen)))
    others = others + np.maximum(counts.column(feature.name, "other") - unseen, 0)
    layers = [
        *((totals[c], f"c{k}", c) for k, c in enumerate(top)),
        (others, "c-rest", "others"),
        (unseen, "c-new", "unseen"),
    ]
    layers = [layer for layer in layers if layer[0].sum() > 0]
    scale = Scale(0.0, 1.0, 6, 78)
    xs = around.middles(x)
    heights = np.cumsum([counts.share(layer) for layer, _, _ in layers], axis=0) if layers else np.zeros((0, 0))
    zeros = np.zeros(len(xs))
    for height, (_, style, _) in reversed(list(zip(heights, layers, strict=True))):
        drawing.band(xs, zeros, height, scale, f"layer {style}")  # each covers the lower part of the one before
    for value, name in ((0.0, "0"), (0.5, "50%"), (1.0, "100%")):
        drawing.text(x.left - 5, scale(value) + 3, name, "tick", "end")
    if around.training is not None:
        _bar(drawing, around.training, feature, top)
    result.legend = [(f"swatch-{style}", words.clip(name, 14)) for _, style, name in layers]
    result.note = f"{len(feature.known) or len(feature.categories)} values in training"
    shares = [f"{name} {words.share(layer.sum() / max(counts.n.sum(), 1))}" for layer, _, name in layers]
    return "Shares of all predictions: " + ", ".join(shares) + "."


def _bar(drawing: Picture, training: Counts, feature: Feature, top: Sequence[str]) -> None:
    """Training's shares as a thin bar at the right."""
    scale, below = Scale(0.0, 1.0, 6, 78), 0.0
    for k, category in enumerate(top):
        share = float(training.share(training.column(feature.name, "category", category))[0])
        if share > 0:
            x0, x1 = RIGHT + 4, RIGHT + 10
            named = f"training: {category} {words.share(share)}"
            drawing.shade((x0, x1), (scale(below + share), scale(below)), f"layer c{k}", named)
            below += share


def _text(drawing: Picture, x: TimeScale, feature: Feature, around: Surroundings, result: Panel) -> str:
    unseen = around.counts.unseen(feature)
    usual = reference(around.counts, unseen, around.calm(feature.name))
    scale = Scale.around([unseen, *([usual.high] if usual else [])], 6, 78, zero=True, least=0.01)
    drawing.frame(x, scale, words.share)
    trained = float(around.training.unseen(feature)[0]) if around.training is not None else None
    _curve(drawing, x, around, unseen, usual, scale=scale, trained=trained)
    result.legend = [("swatch-line", "unseen words"), ("swatch-band", "usual")]
    result.note = f"{len(feature.vocabulary):,} words in training"
    least, most = words.share(_least(unseen)), words.share(_most(unseen))
    return f"Share of words that training never had between {least} and {most}."


def _strip(drawing: Picture, x: TimeScale, missing: Values, around: Surroundings, name: str) -> str:
    usual = reference(around.counts, missing, around.calm(name))
    scale = Scale.around([missing], 90, 116, zero=True, least=0.05)
    most = _most(missing)
    xs = around.middles(x)
    drawing.add('<path d="M{a} {y}H{b}" class="axis"/>', a=x.left, b=x.right, y=116)
    drawing.text(x.left - 5, 97, words.share(min(scale.high, 1.0)), "tick", "end")
    drawing.text(x.left - 5, 117, "0", "tick", "end")
    if usual is not None:
        drawing.band(xs, usual.low, usual.high, scale, "band")
    drawing.band(xs, np.where(np.isfinite(missing), 0.0, np.nan), missing, scale, "missing")
    return f"Missing between {words.share(_least(missing))} and {words.share(most)}."


def _curve(
    drawing: Picture,
    x: TimeScale,
    around: Surroundings,
    values: Values,
    usual: Reference | None,
    *,
    scale: Scale,
    trained: float | None = None,
) -> None:
    xs = around.middles(x)
    if usual is not None:
        drawing.band(xs, usual.low, usual.high, scale, "band")
    if trained is not None and np.isfinite(trained):
        drawing.add('<path d="M{a} {y}H{b}" class="training"/>', a=x.left, b=x.right, y=scale(trained))
    drawing.line(xs, values, scale, "line")


def _incidents(drawing: Picture, x: TimeScale, named: Sequence[Incident], around: Surroundings, bottom: float) -> None:
    top = 6.0
    for incident in named:
        begin, end = x(incident.onset), x(incident.recovered or around.end)
        drawing.shade((begin, end), (top, bottom), f"span {incident.severity}", incident.title, f"i-{incident.id}")
        drawing.shade((begin, end), (top - 5, top - 2), f"bar {incident.severity}", incident.title)


def _least(values: Values) -> float:
    return float(np.nanmin(values)) if np.isfinite(values).any() else float("nan")


def _most(values: Values) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")
