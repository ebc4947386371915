"""The strip at the top: all incidents on one line of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from watchers.report import words
from watchers.report.drawing import Picture, TimeScale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchers.incidents.incident import Incident
    from watchers.report.panels import Surroundings

_WIDTH: Final = 1080.0
_ROW: Final = 22.0
_NAMED: Final = 24
"""With more incidents than this, rows are shared and bars carry their name only when pointed at."""


def timeline(incidents: Sequence[Incident], around: Surroundings) -> Markup:
    """The strip, its bars linked to the incidents' cards."""
    counts = around.counts
    x = TimeScale(counts.starts[0], around.end, 8.0, _WIDTH - 8)
    ordered = sorted(incidents, key=lambda incident: (incident.onset, incident.id))
    named = len(ordered) <= _NAMED
    rows = list(range(len(ordered))) if named else _packed(ordered, x, around)
    height = (max(rows, default=0) + 1) * (_ROW if named else 12.0)
    said = "; ".join(f"{incident.title}, {words.moment(incident.onset, counts.zone)}" for incident in ordered[:_NAMED])
    drawing = Picture(_WIDTH, height + 30, "Incidents over time", said or "No incidents.", "timeline")
    drawing.times(x, counts.zone, 4, height + 12, 13)
    for incident, row in zip(ordered, rows, strict=True):
        begin, end = x(incident.onset), x(incident.recovered or around.end)
        top = 8 + row * (_ROW if named else 12.0)
        _bar(drawing, incident, begin, max(end, begin + 5), top, named=named)
    return drawing.svg()


def _bar(drawing: Picture, incident: Incident, begin: float, end: float, top: float, *, named: bool) -> None:
    style = f"bar {incident.severity}" + ("" if incident.recovered else " lasting")
    parts = [
        Markup('<a href="#i-{i}" class="entry" aria-label="{t}"><title>{t}</title>').format(
            i=incident.id, t=incident.title
        ),
        Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" rx="3" class="{}"/>').format(
            begin, top + 2, end - begin, 14 if named else 8, style
        ),
    ]
    if named:
        title = words.clip(incident.title, 78)
        room = 6.4 * len(title)
        right = end + 6 + room < _WIDTH
        at, anchor = (end + 6, "start") if right else (begin - 6, "end")
        if not right and begin - 6 < room:  # neither side has room: inside
            at, anchor = begin + 6, "start"
        label = Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}" class="name">{}</text>')
        parts.append(label.format(at, top + 13, anchor, title))
    drawing.parts.append(Markup("").join(parts) + Markup("</a>"))


def _packed(ordered: Sequence[Incident], x: TimeScale, around: Surroundings) -> list[int]:
    """A row for each incident, so that none covers another."""
    free: list[float] = []
    rows = []
    for incident in ordered:
        begin, end = x(incident.onset), x(incident.recovered or around.end)
        row = next((k for k, until in enumerate(free) if until < begin), len(free))
        if row == len(free):
            free.append(0.0)
        free[row] = max(end, begin + 5) + 2
        rows.append(row)
    return rows
