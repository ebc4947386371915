"""Incidents as text on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from watchers.finding import Finding
from watchers.incidents.incident import LASTING, Incident


def belongs(finding: dict[str, Any], incident: Incident) -> bool:
    """Whether a stored finding speaks of what an incident is about, in its time."""
    end = (incident.recovered or incident.updated).isoformat()
    named = finding["feature"] in incident.features or (
        finding["feature"] is None and finding["check"] in incident.checks
    )
    return bool(
        named
        and incident.lasting == (finding["check"] in LASTING)
        and incident.onset.isoformat() <= str(finding["window"]["end"])
        and str(finding["window"]["start"]) <= end
    )


def print_list(incidents: Sequence[Incident]) -> None:
    """A line an incident."""
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table("id", "state", "severity", "model", "since", "what")
    for incident in incidents:
        table.add_row(
            incident.id,
            incident.state,
            incident.severity,
            escape(incident.model),
            f"{incident.onset:%Y-%m-%d %H:%M}",
            escape(incident.title),
        )
    Console().print(table if incidents else "no incidents")


def print_incident(incident: Incident, findings: Sequence[Finding], place: str) -> None:
    """One incident with its causes, its findings and the documents to look at."""
    print(f"{incident.id}  {incident.state}  {incident.severity}  {incident.model} {', '.join(incident.versions)}")
    print(incident.title)
    print(incident.message)
    recovered = incident.recovered.isoformat() if incident.recovered else "-"
    print(f"since {incident.onset.isoformat()}, opened {incident.opened.isoformat()}, recovered {recovered}")
    for cause in incident.causes:
        print(
            f"cause: {cause['kind']} {cause['value']} ({cause['share']:.0%})"
            if cause.get("share") is not None
            else f"cause: {cause['kind']} {cause['value']}"
        )
    for finding in findings[:10]:
        print(f"- {finding.window.end}: {finding.message}")
    for document in incident.documents:
        print(f"document: mllog show {document} --store {place}")
