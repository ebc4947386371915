"""The picture of an incident: its leading feature, around the time it was off."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mllog.confidence import UNUSABLE
from mllog.ruler import LATENCY, Feature, Ruler
from mllog.shapes import FAULTY, LENGTH, MARKS
from watchers.checks._said import answered
from watchers.profile import ALL, WindowProfile
from watchers.report import words
from watchers.report.drawing import Picture, Scale, TimeScale
from watchers.report.panels import Surroundings, unit
from watchers.report.series import Counts, Curve, Reference, constant, gather, most_changed, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from watchers.incidents.incident import Incident
    from watchers.report.series import Values

LEAST: Final = dt.timedelta(hours=36)
MOST: Final = dt.timedelta(days=10)
_WIDTH: Final = 560.0
_HEIGHT: Final = 168.0
_ABSENT: Final = frozenset({"missing", "vanished", "renamed"})
_VIOLATIONS: Final = {
    "range": ("range", "outside of the training range"),
    "type": ("type", "of another type"),
    "type_change": ("type", "of another type"),
}
_SHARES: Final = _ABSENT | frozenset(_VIOLATIONS)


@dataclass(frozen=True)
class Focus:
    """A picture and what it shows."""

    picture: Any
    caption: str
    band: str


def focus(
    incident: Incident, ruler: Ruler, profiles: Sequence[WindowProfile], around: Surroundings, number: int
) -> Focus | None:
    """The picture of ``incident``; None where there is nothing to draw."""
    end = incident.recovered or around.end
    reach = min(max(end - incident.onset, LEAST), MOST)
    first, last = incident.onset - reach, end + reach
    hours = 1 if last - first <= dt.timedelta(days=12) else 4
    segment = next(iter(incident.segment.items()), ALL) if incident.segment else ALL
    kept = segment if segment[0] in ruler.segments else ALL
    everything = gather(ruler, around.counts.zone, profiles, hours, kept)
    shown = everything.between(first, last)
    if len(shown.starts) < 2:
        return None
    wide = Surroundings(everything, around.training, around.incidents, around.end)
    leading = incident.features[0] if incident.features else None
    calm = wide.calm(leading)
    feature = ruler.by_name.get(leading or "")
    trained = around.training if incident.lasting else None
    usual: Reference | None
    if trained is None:
        what, curve, write, share = _curve_of(incident, feature, everything, ~calm)
        usual, when = reference(everything, curve(everything), calm), "usually"
    else:  # a gap that was always there has no calm hours to be compared with
        both = everything.beside(trained)
        what, curve, write, share = _curve_of(incident, feature, both, np.arange(len(both.starts)) > 0)
        usual, when = constant(float(curve(trained)[0]), len(everything.starts), "Dotted: training"), "in training"
    drawing = Picture(_WIDTH, _HEIGHT, f"{what} around {incident.title}", "", f"f{number}")
    x = TimeScale(shown.starts[0], min(last, around.end), 52.0, _WIDTH - 12)
    position = {start: k for k, start in enumerate(everything.starts)}
    rows = [position[start] for start in shown.starts]
    values = curve(everything)[rows]
    curves = [values] if usual is None else [values, usual.low[rows], usual.high[rows]]
    scale = Scale.around(curves, 20, _HEIGHT - 20, zero=share, log=leading == LATENCY, least=0.01 if share else 0.0)
    bottom = _HEIGHT - 20
    drawing.shade((x(incident.onset), x(end)), (20, bottom), f"span {incident.severity}", incident.title)
    drawing.times(x, shown.zone, 20, bottom, 7)
    drawing.frame(x, scale, write)
    middles = [x(start + dt.timedelta(hours=hours / 2)) for start in shown.starts]
    if trained is not None and usual is not None:
        drawing.line(middles, usual.middle[rows], scale, "training")
    elif usual is not None:
        drawing.band(middles, usual.low[rows], usual.high[rows], scale, "band")
    drawing.line(middles, values, scale, "line strong")
    _marks(drawing, x, incident, bottom)
    inside = values[[incident.onset <= start < end for start in shown.starts]]
    inside = inside[np.isfinite(inside)]
    middle = write(float(np.median(inside))) if inside.size else "–"
    usually = write(float(np.nanmedian(usual.middle[rows]))) if usual else "unknown"
    drawing.description = f"{what}: median {middle} during the incident, {when} {usually}."
    whose = f" where {kept[0]} = {kept[1]}" if kept != ALL else ""
    pace = "hourly" if hours == 1 else f"every {hours} h"
    caption = f"{what}{whose}, {pace}: {middle} during the incident, {when} {usually}"
    return Focus(drawing.svg(), caption, usual.words if usual else "Too few calm windows for a band")


def _curve_of(
    incident: Incident, feature: Feature | None, counts: Counts, inside: Any
) -> tuple[str, Curve, Callable[[float], str], bool]:
    """What to draw: its name, how it's read from counts, how it's written, and whether it is a share."""
    check = incident.checks[0] if incident.checks else ""
    if check == "failures":
        return "share of calls that fail", lambda c: c.share(c.column("", "failure")), words.share, True
    if check == "unanswered" and feature is not None:
        return f"share of requests without {feature.name}", partial(_unanswered, feature.name), words.share, True
    if feature is None:
        return "predictions an hour", lambda c: c.n / c.hours, words.number, True
    if check == "numeric_stability":
        return "share of answers that are NaN or infinite", _unusable, words.share, True
    if check == "text_shape" and feature.name in counts.ruler.shapes:
        return _shape_of(feature.name, counts, inside)
    if feature.kind == "number" and check not in _SHARES:
        if feature.name == LATENCY:
            return "95th percentile of latency", lambda c: c.quantile(feature, 0.95), unit(feature), False
        return f"median of {feature.name}", lambda c: c.quantile(feature, 0.5), unit(feature), False
    what, curve = _share_of(check, feature, counts, inside)
    return what, curve, words.share, True


def _unanswered(name: str, counts: Counts) -> Values:
    cells = answered(counts.ruler, name)
    return counts.share(np.maximum(counts.n - counts.rows[:, cells].sum(axis=1), 0))


def _unusable(counts: Counts) -> Values:
    return counts.share(counts.column(UNUSABLE, "bin", "0"))


def _shape_of(name: str, counts: Counts, inside: Any) -> tuple[str, Curve, Callable[[float], str], bool]:
    """Wrong encodings where there were more of them than otherwise, else the length."""

    def faulty(c: Counts) -> Values:
        return c.share(c.column(MARKS + name, "bin", str(FAULTY)), c.column(name, "texts"))

    shares = faulty(counts)
    during, otherwise = (np.nanmean(np.append(shares[rows], 0.0)) for rows in (inside, ~inside))
    if during > 2 * otherwise:
        return f"share of texts of {name} with a wrong encoding", faulty, words.share, True
    length = counts.ruler.by_name[LENGTH + name]
    return f"median characters of {name}", lambda c: c.quantile(length, 0.5), words.number, False


def _share_of(check: str, feature: Feature, counts: Counts, inside: Any) -> tuple[str, Curve]:
    name = feature.name
    category = None
    if feature.kind in {"category", "boolean"} and check not in {"unseen_category", *_SHARES}:
        category = most_changed(counts, feature, inside)
    if category is not None:
        return f"share of {name} = {category}", lambda c: c.share(c.column(name, "category", category))
    if check in _VIOLATIONS:
        violation, outside = _VIOLATIONS[check]
        return f"share of {name} {outside}", lambda c: c.share(c.column(name, "violation", violation))
    if check in _ABSENT or feature.kind == "other":
        return f"share of predictions without {name}", lambda c: c.missing(name)
    what = "words" if feature.kind == "text" else "values"
    return f"share of unseen {what} in {name}", lambda c: c.unseen(feature)


def _marks(drawing: Picture, x: TimeScale, incident: Incident, bottom: float) -> None:
    """Onset, opening and recovery, named above where there is room."""
    free = -1.0
    for time, name in (
        (incident.onset, "onset"),
        (incident.opened, "opened"),
        (incident.recovered, "recovered"),
    ):
        if time is not None:
            at = x(time)
            drawing.add('<path d="M{x} 16V{b}" class="mark"/>', x=at, b=bottom)
            anchor = "end" if name == "recovered" and at > _WIDTH - 60 else "start"
            if at >= free or anchor == "end":
                drawing.text(at, 12, name, "tick", anchor)
                free = at + 6.2 * len(name)
