"""An incident and the events of its life; the state of an incident is nothing but the fold of its events."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from watchers.finding import Severity

IncidentState = Literal["open", "acknowledged", "snoozed", "recovered"]
EventKind = Literal["opened", "updated", "acknowledged", "snoozed", "recovered", "reopened"]

LASTING: Final = frozenset({"training_skew"})
"""Checks of *does serving differ from training?*: one lasting incident, which swallows no other."""

_TIMES: Final = ("opened", "updated", "recovered", "onset", "snoozed_until")


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """One change of one incident.

    Attributes:
        id: Deterministic: the same change has the same id, so writing it twice changes nothing.
        incident: Incident's id.
        at: End of the window that brought the change, or when somebody acted.
        kind: What happened.
        number: How many events of this incident the writer knew before; orders events of one moment.
        data: JSON types. ``opened``, ``updated``, ``recovered``, ``reopened``: the whole incident as watchers
            see it, and ``keys``, by which the engine recognises what raised it; ``updated`` also what its
            severity ``was``, where that rose. ``acknowledged``: ``by`` and ``as_normal``. ``snoozed``: ``by`` and
            ``until``.
    """

    id: str
    incident: str
    at: dt.datetime
    kind: EventKind
    number: int = 0
    data: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, incident: str, at: dt.datetime, kind: EventKind, number: int, data: dict[str, Any]) -> IncidentEvent:
        """An event with its id."""
        content = json.dumps(
            [incident, at.astimezone(dt.UTC).isoformat(), kind, number, data], sort_keys=True, allow_nan=False
        )
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        return cls(digest, incident, at, kind, number, data)

    def to_dict(self) -> dict[str, Any]:
        """As strict JSON types."""
        return {
            "id": self.id,
            "incident": self.incident,
            "at": self.at.isoformat(),
            "kind": self.kind,
            "number": self.number,
            "data": self.data,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> IncidentEvent:
        """Read what :meth:`to_dict` wrote; keys of a later version are left aside."""
        at = dt.datetime.fromisoformat(data["at"])
        return cls(data["id"], data["incident"], at, data["kind"], data.get("number", 0), dict(data["data"]))


@dataclass(slots=True)
class Incident:
    """What is wrong, since when, for whom.

    Attributes:
        id: Stable id.
        model: Model's name.
        versions: Model versions in its windows, in order of appearance.
        state: ``open``, ``acknowledged``, ``snoozed`` or ``recovered``.
        severity: The worst severity of its findings.
        opened: When it was opened.
        updated: Its last change.
        recovered: When it was declared over, or None.
        onset: Since when the leading feature is off.
        title: What broke, in one line.
        message: The leading finding's sentence.
        feature: That of the leading finding; None where the whole model is meant.
        features: Features that its findings name, the leading one first.
        checks: Checks that raised it, the leading one first.
        segment: ``{field: value}`` of the leading finding, or None.
        causes: Ranked: ``{"kind", "value", "share"}``.
        findings: How many findings stand behind it.
        worst: ``{"value", "at"}`` of the leading check's largest effect, or None.
        documents: ids of the worst events.
        acknowledged_by: Who took it.
        snoozed_until: Until when it is silent.
        as_normal: Somebody said that the new level is right: its windows stay in the history.
        events: ids of the events that it is the fold of.
    """

    id: str
    model: str
    opened: dt.datetime
    updated: dt.datetime
    onset: dt.datetime
    versions: list[str] = field(default_factory=list)
    state: IncidentState = "open"
    severity: Severity = "warning"
    recovered: dt.datetime | None = None
    title: str = ""
    message: str = ""
    feature: str | None = None
    features: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    segment: dict[str, str] | None = None
    causes: list[dict[str, Any]] = field(default_factory=list)
    findings: int = 0
    worst: dict[str, Any] | None = None
    documents: list[str] = field(default_factory=list)
    acknowledged_by: str | None = None
    snoozed_until: dt.datetime | None = None
    as_normal: bool = False
    events: list[str] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Whether it isn't over."""
        return self.state != "recovered"

    @property
    def about(self) -> str:
        """The leading feature; ``@model`` where the whole model is meant: a value that is none is in no table."""
        return self.feature or "@model"

    @property
    def lasting(self) -> bool:
        """Whether it is about training against serving, and not about what broke."""
        return bool(self.checks) and LASTING.issuperset(self.checks)

    def to_dict(self) -> dict[str, Any]:
        """As strict JSON types."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {key: value.isoformat() if isinstance(value, dt.datetime) else value for key, value in values.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Incident:
        """Read what :meth:`to_dict` wrote; keys of a later version are left aside."""
        if "feature" not in data:  # written before there was one
            data = {**data, "feature": next(iter(data.get("features") or ()), None)}
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        for key in _TIMES:
            if values.get(key):
                values[key] = dt.datetime.fromisoformat(values[key])
        return cls(**values)


def fold(events: Iterable[IncidentEvent], start: Mapping[str, Incident] | None = None) -> dict[str, Incident]:
    """Incidents by id, as ``events`` left them.

    Args:
        events: In the order in which they were written. One that was applied before is passed over.
        start: What an earlier fold returned, to go on from; it is not changed.
    """
    incidents = dict(start or {})
    for event in events:
        held = incidents.get(event.incident)
        if held is not None and event.id in held.events:
            continue
        after = _apply(held, event)
        if after is not None:
            incidents[event.incident] = after
    return incidents


def acknowledged(incident: Incident, by: str, at: dt.datetime, *, as_normal: bool = False) -> IncidentEvent:
    """The event of somebody taking ``incident``."""
    data = {"by": by, "as_normal": as_normal}
    return IncidentEvent.make(incident.id, at, "acknowledged", len(incident.events), data)


def snoozed(incident: Incident, by: str, at: dt.datetime, until: dt.datetime) -> IncidentEvent:
    """The event of somebody silencing ``incident`` until a moment."""
    data = {"by": by, "until": until.isoformat()}
    return IncidentEvent.make(incident.id, at, "snoozed", len(incident.events), data)


def _apply(held: Incident | None, event: IncidentEvent) -> Incident | None:
    data = event.data
    if event.kind in {"acknowledged", "snoozed"}:
        if held is None:  # somebody acted on an incident whose beginning isn't among the events
            return None
        state: IncidentState = "recovered" if held.state == "recovered" else "acknowledged"
        after = replace(
            held,
            updated=max(held.updated, event.at),
            acknowledged_by=data["by"],
            events=[*held.events, event.id],
        )
        if event.kind == "acknowledged":
            after.as_normal = bool(data.get("as_normal")) or held.as_normal
        else:
            state = "recovered" if held.state == "recovered" else "snoozed"
            after.snoozed_until = dt.datetime.fromisoformat(data["until"])
        after.state = state
        return after
    after = Incident.from_dict({**data, "id": event.incident, "updated": event.at.isoformat()})
    after.state = "recovered" if event.kind == "recovered" else "open"
    after.events = [event.id]
    if held is not None:
        after.updated = max(held.updated, event.at)
        after.events = [*held.events, event.id]
        after.as_normal = held.as_normal
        if event.kind != "reopened":  # whoever took the first round need not know of the second
            after.acknowledged_by, after.snoozed_until = held.acknowledged_by, held.snoozed_until
        if event.kind == "updated":
            woken = held.state == "snoozed" and held.snoozed_until is not None and held.snoozed_until <= event.at
            after.state = "open" if woken else held.state
    after.recovered = after.recovered if after.state == "recovered" else None
    return after
