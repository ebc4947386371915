"""Putting the report together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import jinja2

from mllog.confidence import UNUSABLE
from mllog.shapes import is_shape
from watchers.finding import SEVERITIES, Finding
from watchers.report import words
from watchers.report.cards import card
from watchers.report.focus import focus
from watchers.report.panels import Surroundings, panel, volume
from watchers.report.series import gather, training
from watchers.report.timeline import timeline

if TYPE_CHECKING:
    from watchers.incidents.incident import Incident
    from watchers.profile import WindowProfile

HOURLY: Final = dt.timedelta(days=12)
FOUR_HOURLY: Final = dt.timedelta(days=120)
PICTURED: Final = 40
"""Incidents with a picture; further ones are told in words, so that a bad quarter still fits into a mail."""


@dataclass
class ReportData:
    """What a report is made of.

    Attributes:
        card: The model's card: ``model``, ``version``, ``ruler`` and, where it has them, ``training`` counts.
        profiles: Hourly profiles in order of time.
        incidents: The incidents of the span.
        findings: Findings of the span; those that alert stand in the incidents' tables.
        documents: Events by id: the worst documents of the incidents.
        faults: The demo's planted faults, or None.
        generated: When the report was made.
        summary: Further facts for the header.
    """

    card: Any
    profiles: Sequence[WindowProfile]
    incidents: Sequence[Incident]
    findings: Sequence[Finding]
    generated: dt.datetime
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    faults: Sequence[Mapping[str, Any]] | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)


def build(data: ReportData) -> str:
    """The report as one HTML page that needs nothing else.

    Whatever stands in names and values stays text.
    """
    ruler = data.card.ruler
    zone = ZoneInfo(ruler.time_zone)
    page: dict[str, Any] = {
        "model": data.card.model,
        "version": data.card.version,
        "generated": words.moment(data.generated, zone, year=True),
        "zone": ruler.time_zone,
        "figures": _figures(data, zone),
        "faults": [_fault(fault, zone) for fault in data.faults or ()],
        "extras": [(str(name).replace("_", " "), _plain(value)) for name, value in data.summary.items()],
    }
    starts = [profile.window.start for profile in data.profiles if profile.window.start]
    ends = [profile.window.end for profile in data.profiles if profile.window.end]
    incidents = sorted(
        data.incidents, key=lambda i: (i.recovered is not None, -SEVERITIES.index(i.severity), i.onset, i.id)
    )
    around = None
    if starts and ends:
        span = max(ends) - min(starts)
        hours = 1 if span <= HOURLY else 4 if span <= FOUR_HOURLY else 24
        counts = gather(ruler, zone, data.profiles, hours)
        if counts.starts:
            around = Surroundings(counts, training(ruler, zone, data.card), incidents, max(ends))
    if around is not None:
        page["timeline"] = timeline(incidents, around)
        page["resolution"] = {1: "hourly", 4: "every 4 hours", 24: "daily"}[around.counts.hours]
        drawn = [f for f in ruler.features if f.name != UNUSABLE and not is_shape(f.name)]
        panels = [panel(feature, around, number) for number, feature in enumerate(drawn)]
        inputs = [p for p, feature in zip(panels, drawn, strict=True) if feature.is_input]
        page["inputs"] = sorted(inputs, key=lambda p: not p.incidents)
        page["outputs"] = [volume(around)] + [p for p in panels if p not in inputs]
        page["trained"] = around.training is not None
    pictures = [
        focus(incident, ruler, data.profiles, around, number) if around is not None and number < PICTURED else None
        for number, incident in enumerate(incidents)
    ]
    page["cards"] = [
        card(incident, data.findings, data.documents, picture, zone)
        for incident, picture in zip(incidents, pictures, strict=True)
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("watchers.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = words.marked
    return environment.get_template("report.html.j2").render(defaults() | page)


def defaults() -> dict[str, Any]:
    """What a page without a single profile shows."""
    return {"timeline": None, "resolution": "", "inputs": [], "outputs": [], "trained": False, "cards": []}


def _figures(data: ReportData, zone: ZoneInfo) -> list[tuple[str, str, str]]:
    """The header's figures: value, name, tone."""
    starts = [profile.window.start for profile in data.profiles if profile.window.start]
    ends = [profile.window.end for profile in data.profiles if profile.window.end]
    lasting = [incident for incident in data.incidents if incident.active]
    rejected = sum(profile.rejected for profile in data.profiles)
    incomplete = sum(not profile.complete for profile in data.profiles)
    figures = []
    if starts and ends:
        first, last = words.day(min(starts), zone), words.day(max(ends) - dt.timedelta(seconds=1), zone)
        figures.append((f"{(max(ends) - min(starts)) / dt.timedelta(days=1):.0f}", f"days, {first} to {last}", ""))
    figures.append((f"{sum(profile.n for profile in data.profiles):,}", "predictions", ""))
    figures.append((str(len(data.incidents)), "incident" if len(data.incidents) == 1 else "incidents", ""))
    figures.append((str(len(lasting)), "not over yet", "bad" if lasting else "good"))
    figures.append((f"{rejected:,}", "rejected lines", "bad" if rejected else ""))
    if incomplete:
        figures.append((str(incomplete), "hours that could not be counted whole", "bad"))
    return figures


def _fault(fault: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    def time(value: Any) -> str:
        if not value:
            return "–"
        return words.moment(value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value)), zone)

    segment = fault.get("segment")
    place = segment if isinstance(segment, Mapping) else {}
    delay = ""
    if fault.get("found_at") and fault.get("start"):
        moments = [dt.datetime.fromisoformat(str(fault[key])) for key in ("start", "found_at")]
        delay = words.span(moments[1] - moments[0])
    return {
        "name": str(fault.get("name", "")),
        "kind": str(fault.get("kind", "")).replace("_", " "),
        "feature": str(fault.get("feature") or "–"),
        "segment": ", ".join(f"{k} = {v}" for k, v in place.items()) or str(segment or "–"),
        "start": time(fault.get("start")),
        "end": time(fault.get("end")),
        "found": "found" if fault.get("found") else "missed",
        "delay": delay,
        "incident": str(fault.get("incident") or ""),
        "named": _said(fault.get("feature"), fault.get("named_feature")),
        "named_segment": _said(segment, fault.get("named_segment")),
    }


def _said(planted: Any, named: Any) -> str:
    """Whether the incident named what was planted; a dash where there was nothing to name, and nothing was."""
    if planted == named:
        return "–" if planted is None else "yes"
    return f"no: {named}" if named else "no"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return words.number(value)
    if isinstance(value, list | tuple | set | frozenset):
        return f"{len(value)}"
    return words.clip(str(value), 200)
