"""What watchers write into Elasticsearch: plain indices named by the month, under ids that follow from the content.

So a repeated run writes the same documents to the same places, and changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mllog.elastic import indices
from mllog.events import dataset
from mllog.ruler import Ruler
from watchers import windows
from watchers.incidents.incident import Incident, IncidentEvent
from watchers.profile import WindowProfile

Document = tuple[str, str, dict[str, Any]]
"""(index, id, body)."""

PROFILES: Final = "mllog-profile"
WINDOWS: Final = "mllog-window"
FINDINGS: Final = "mllog-finding"
CHANGES: Final = "mllog-incident-event"
INCIDENTS: Final = "mllog-incidents"
TOLD: Final = "mllog-told"
RUNS: Final = "mllog-run"
STATE: Final = "mllog-state"

_INCIDENT: Final = (
    "id", "state", "severity", "opened", "updated", "recovered", "acknowledged_by", "snoozed_until", "title", "message",
)  # fmt: skip


def monthly(name: str, time: str) -> str:
    """The index of a document, by its ``@timestamp``."""
    return indices.monthly(name, dt.datetime.fromisoformat(time))


def key(model: str) -> str:
    """A model's part of an id: as short and as different as the name of its data stream."""
    return dataset("prediction", model).removeprefix("mllog.prediction.")


@dataclass(frozen=True, slots=True)
class Results:
    """Documents of one namespace: the same model may serve in production and in staging.

    Attributes:
        namespace: Of the data streams whose events are judged.
    """

    namespace: str

    def id(self, *parts: str) -> str:
        """The id of a document."""
        return "-".join((self.namespace, *parts))

    @property
    def mine(self) -> dict[str, Any]:
        """The query of this namespace's documents."""
        return {"term": {"data_stream.namespace": self.namespace}}

    def _body(self, **fields: Any) -> dict[str, Any]:
        return {"data_stream": {"namespace": self.namespace}, **fields}

    def profile_place(self, model: str, ruler: str, hour: dt.datetime) -> tuple[str, str]:
        """Index and id of the profile of an hour."""
        return indices.monthly(PROFILES, hour), self.id(key(model), ruler, f"{hour.astimezone(dt.UTC):%Y%m%dT%H}")

    def profile(self, profile: WindowProfile, ruler: Ruler) -> Document:
        """An hour's profile, whole and not indexed."""
        start = profile.window.start
        assert start is not None
        body = self._body(
            ml={"model": {"name": profile.model}, "card": profile.ruler},
            window={"seconds": 3_600},
            n=profile.n,
            complete=profile.complete,
            reason=profile.reason,
            profile=profile.to_dict(ruler),
        )
        return *self.profile_place(profile.model, profile.ruler, start), {"@timestamp": start.isoformat(), **body}

    def day_place(self, model: str, ruler: str, day: dt.datetime) -> tuple[str, str]:
        """Index and id of the profiles of a day's hours."""
        return indices.monthly(PROFILES, day), self.id(key(model), ruler, f"{day.astimezone(dt.UTC):%Y%m%d}")

    def day(self, model: str, ruler: str, day: dt.datetime, hours: Sequence[Mapping[str, Any]]) -> Document:
        """The documents of a day's hours as one."""
        body = self._body(
            ml={"model": {"name": model}, "card": ruler},
            window={"seconds": 86_400},
            n=sum(hour["n"] for hour in hours),
            complete=all(hour["complete"] for hour in hours),
            reason="",
            profile={"hours": [hour["profile"] for hour in hours]},
        )
        return *self.day_place(model, ruler, day), {"@timestamp": day.isoformat(), **body}

    def window(self, document: windows.Document) -> Document:
        """What a dashboard reads of a window."""
        model = document["ml"]["model"]["name"]
        name = self.id(key(model), windows.key(document))
        return monthly(WINDOWS, document["@timestamp"]), name, {**document, **self._body()}

    def finding(self, model: str, finding: Mapping[str, Any]) -> Document:
        """A finding with its evidence, of which only what the table names is indexed."""
        end = finding["window"]["end"]
        body = {"@timestamp": end, **self._body(model=model), **finding}
        return monthly(FINDINGS, end), self.id(str(finding["id"])), body

    def change(self, event: Mapping[str, Any], model: str | None) -> Document:
        """A change of an incident."""
        body = self._body(incident={"id": event["incident"]}, kind=event["kind"], change=dict(event))
        if model is not None:
            body["ml"] = {"model": {"name": model}}
        return monthly(CHANGES, event["at"]), self.id(str(event["id"])), {"@timestamp": event["at"], **body}

    def incident(self, incident: Incident) -> Document:
        """An incident as its changes left it, by names that Kibana shows."""
        held = incident.to_dict()
        segment = incident.segment or {}
        leading = {"check": incident.checks[0] if incident.checks else None, "feature": incident.about}
        body = self._body(
            incident={**{name: held[name] for name in _INCIDENT}, **leading},
            ml={"model": {"name": incident.model, "version": incident.versions}},
            segment={"field": list(segment), "value": list(segment.values())},
            **{
                name: held[name] for name in ("features", "checks", "onset", "causes", "findings", "worst", "documents")
            },
        )
        return INCIDENTS, self.id(incident.id), {"@timestamp": held["opened"], **body}

    def told(self, document: Mapping[str, Any]) -> Document:
        """The note that a message was brought to its receiver."""
        body = self._body(
            event={"id": document["event"]},
            incident={"id": document["incident"]},
            route=document["route"],
            by=document["by"],
        )
        time = document["@timestamp"]
        return monthly(TOLD, time), self.id(str(document["id"])), {"@timestamp": time, **body}

    def run(self, document: Mapping[str, Any]) -> Document:
        """What a run says of itself."""
        time = document["@timestamp"]
        body = {"@timestamp": time, **self._body(run=dict(document["run"]))}
        return monthly(RUNS, time), self.id(str(document["id"])), body

    def state_place(self, model: str) -> tuple[str, str]:
        """Index and id of what one run leaves for the next."""
        return STATE, self.id("run", key(model))

    def state(self, model: str, state: Mapping[str, Any]) -> Document:
        """What one run leaves for the next."""
        body = self._body(ml={"model": {"name": model}}, judged=state.get("judged"), state=dict(state))
        return *self.state_place(model), body


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
