"""What watchers write into Elasticsearch: plain indices named by the document's own month, ids that follow from content.

So a repeated run writes the same documents to the same places, and changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mllog.events import dataset
from mllog.ruler import Ruler
from watchers.incidents.incident import Incident, IncidentEvent
from watchers.profile import WindowProfile

Document = tuple[str, str, dict[str, Any]]
"""(index, id, body)."""

PROFILES: Final = "mllog-profile"
FINDINGS: Final = "mllog-finding"
CHANGES: Final = "mllog-incident-event"
INCIDENTS: Final = "mllog-incidents"
CARDS: Final = "mllog-cards"
STATE: Final = "mllog-state"


def monthly(name: str, time: dt.datetime | str | None) -> str:
    """The index of a moment's month."""
    moment = dt.datetime.fromisoformat(time) if isinstance(time, str) else time
    return f"{name}-{(moment or dt.datetime.fromtimestamp(0, dt.UTC)).astimezone(dt.UTC):%Y.%m}"


def key(model: str) -> str:
    """A model's part of an id: as short and as different as the name of its data stream."""
    return dataset("prediction", model).removeprefix("mllog.prediction.")


def profile_place(model: str, ruler: str, hour: dt.datetime) -> tuple[str, str]:
    """Index and id of the profile of an hour."""
    return monthly(PROFILES, hour), f"{key(model)}-{ruler}-{hour.astimezone(dt.UTC):%Y%m%dT%H}"


def profile_document(profile: WindowProfile, ruler: Ruler) -> Document:
    """An hour's profile, whole and not indexed."""
    start = profile.window.start
    assert start is not None
    return (
        *profile_place(profile.model, profile.ruler, start),
        {
            "@timestamp": start.isoformat(),
            "ml": {"model": {"name": profile.model}, "card": profile.ruler},
            "n": profile.n,
            "complete": profile.complete,
            "reason": profile.reason,
            "profile": profile.to_dict(ruler),
        },
    )


def finding_document(finding: Mapping[str, Any]) -> Document:
    """A finding with its evidence, of which only what the table names is indexed."""
    end = finding["window"]["end"]
    return monthly(FINDINGS, end), str(finding["id"]), {"@timestamp": end, **finding}


def change_document(event: Mapping[str, Any], model: str | None) -> Document:
    """A change of an incident."""
    body = {
        "@timestamp": event["at"],
        "incident": {"id": event["incident"]},
        "kind": event["kind"],
        "change": dict(event),
    }
    if model is not None:
        body["ml"] = {"model": {"name": model}}
    return monthly(CHANGES, event["at"]), str(event["id"]), body


def incident_document(incident: Incident) -> Document:
    """An incident as its changes left it, by names that Kibana shows."""
    held = incident.to_dict()
    segment = incident.segment or {}
    named = (
        "id",
        "state",
        "severity",
        "opened",
        "updated",
        "recovered",
        "acknowledged_by",
        "snoozed_until",
        "title",
        "message",
    )
    body = {
        "@timestamp": held["opened"],
        "incident": {name: held[name] for name in named},
        "ml": {"model": {"name": incident.model, "version": incident.versions}},
        "features": incident.features,
        "checks": incident.checks,
        "segment": {"field": list(segment), "value": list(segment.values())},
        "onset": held["onset"],
        "causes": incident.causes,
        "findings": incident.findings,
        "worst": held["worst"],
        "documents": incident.documents,
    }
    return INCIDENTS, incident.id, body


def in_order(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Changes of incidents, each incident's in the order in which they happened to it."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        groups.setdefault(event["incident"], []).append(dict(event))
    for group in groups.values():
        group.sort(key=lambda event: (event.get("number", 0), event["at"], event["id"]))
    return [event for group in sorted(groups.values(), key=lambda group: str(group[0]["at"])) for event in group]


def models_of(changes: Iterable[IncidentEvent]) -> dict[str, str]:
    """Models of incidents by id, as far as the changes tell."""
    return {change.incident: change.data["model"] for change in changes if isinstance(change.data.get("model"), str)}
