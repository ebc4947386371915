"""What a notification says: what broke, since when, for whom, and how to look further."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import datetime as dt

    from watchers.incidents.incident import EventKind, Incident, IncidentEvent

Tone = Literal["failure", "warning", "success"]

TOLD: Final[tuple[EventKind, ...]] = ("opened", "reopened", "recovered")
"""The changes that everybody is told of; of the others those only who don't know of the incident yet."""

_WORDS: Final = {"opened": "", "updated": "Worse: ", "reopened": "Again: ", "recovered": "Recovered: "}


@dataclass(frozen=True, slots=True)
class Message:
    """A title, a body in plain text, and how bad it is.

    Attributes:
        key: The same for every copy of a message, and the last word of its body: a receiver that drops what it had
            already gets each once, also where a run was killed between sending and noting that it has sent.
    """

    title: str
    body: str
    tone: Tone
    key: str = ""


def compose(event: IncidentEvent, incident: Incident, *, store: str = "PLACE", time_zone: str = "UTC") -> Message:
    """The message of one change.

    Args:
        event: The change.
        incident: The incident after it.
        store: Place of the events, for the commands that look further.
        time_zone: IANA zone in which times are written.
    """
    zone = ZoneInfo(time_zone)
    lines = [incident.message or incident.title, ""]
    lines.append(f"Model: {incident.model}" + (f" {', '.join(incident.versions)}" if incident.versions else ""))
    lines.append(f"Since: {_moment(incident.onset, zone)}")
    if event.kind == "recovered":
        lines.append(f"Until: {_moment(event.at, zone)} ({_span(event.at - incident.onset)})")
    lines.append(f"Severity: {incident.severity}")
    if incident.segment:
        lines.append("Segment: " + ", ".join(f"{field} = {value}" for field, value in incident.segment.items()))
    if len(incident.features) > 1:
        more = f" and {len(incident.features) - 8} more" if len(incident.features) > 8 else ""
        lines.append("Features: " + ", ".join(incident.features[:8]) + more)
    if incident.worst:
        lines.append(f"Largest effect: {incident.worst['value']:+.3g}")
    for cause in incident.causes[:3]:
        share = "" if cause.get("share") is None else f" ({cause['share']:.0%} of predictions)"
        lines.append(f"Coincides with {cause['kind']}: {cause['value']}{share}")
    lines += ["", f"Incident {incident.id}; look further:"]
    lines.append(f"  watchers incidents show {incident.id} --store {store}")
    if incident.documents:
        lines.append(f"  mllog show {incident.documents[0]} --store {store}")
    lines += ["", f"Message {event.id}"]
    title = f"{_WORDS.get(event.kind, '')}[{incident.model}] {incident.title}"
    return Message(" ".join(title.split()), "\n".join(lines), _tone(event, incident), event.id)


def _tone(event: IncidentEvent, incident: Incident) -> Tone:
    if event.kind == "recovered":
        return "success"
    return "failure" if incident.severity == "critical" else "warning"


def _moment(moment: dt.datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def _span(span: dt.timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.1f} days"
