"""The demonstration's verdict: which planted fault was found, when, and what the incident said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from watchers.demo.drive import ZONE
from watchers.demo.faults import Fault
from watchers.demo.flights import STORM_SHARE
from watchers.incidents import Incident

AFTERMATH: Final = dt.timedelta(hours=24)
"""The longest window still shows a fault for so long after its end."""

HOUR: Final = dt.timedelta(hours=1)

CHECKS: Final[Mapping[str, frozenset[str]]] = {
    "null-for-origin": frozenset({"missing", "vanished"}),
    "rename": frozenset({"renamed"}),
    "case": frozenset({"unseen_category"}),
    "unit": frozenset({"unit_change"}),
    "vocabulary": frozenset({"unseen_tokens"}),
    "wrong-model": frozenset({"wrong_model"}),
    "dependency": frozenset({"dependency_change"}),
    "latency": frozenset({"latency"}),
    "no-data": frozenset({"no_data"}),
    "category-share": frozenset({"category_shift"}),
}
"""What an incident must have been opened for to count as having found a fault."""

SLOW: Final = frozenset({"unit"})
"""Faults that only longer windows can see: a segment of a few requests an hour."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one planted fault.

    Attributes:
        fault: The fault.
        incident: The incident that found it, or None.
    """

    fault: Fault
    incident: Incident | None

    @property
    def named(self) -> bool:
        """Whether the incident leads with the right feature and segment, and knows since when."""
        incident, fault = self.incident, self.fault
        if incident is None:
            return False
        tolerance = AFTERMATH if fault.name in SLOW else HOUR
        return (
            self.feature == fault.feature
            and incident.segment == fault.segment
            and abs(incident.onset - fault.start) <= tolerance
        )

    @property
    def feature(self) -> str | None:
        """The feature that the incident leads with."""
        return self.incident.features[0] if self.incident and self.incident.features else None

    def to_dict(self) -> dict[str, Any]:
        """As the contract has it."""
        fault, incident = self.fault, self.incident
        return {
            "name": fault.name,
            "kind": fault.kind,
            "feature": fault.feature,
            "segment": fault.segment,
            "start": fault.start.isoformat(),
            "end": fault.end.isoformat(),
            "found": incident is not None,
            "found_at": incident.opened.isoformat() if incident else None,
            "incident": incident.id if incident else None,
            "named_feature": self.feature,
            "named_segment": incident.segment if incident else None,
            "onset": incident.onset.isoformat() if incident else None,
            "named": self.named,
            "message": incident.message if incident else None,
        }


@dataclass(frozen=True, slots=True)
class Other:
    """An incident that no planted fault covers.

    Attributes:
        incident: The incident.
        cancelled: Share of the flights that were cancelled on the day of its onset, or on the day it was opened
            where that is more.
    """

    incident: Incident
    cancelled: float

    @property
    def explained(self) -> bool:
        """Whether a storm explains it."""
        return self.cancelled >= STORM_SHARE


def verdicts(faults: Sequence[Fault], incidents: Sequence[Incident]) -> list[Verdict]:
    """Match planted faults with incidents: opened for the right reason, during the fault or in its aftermath."""
    result = []
    for fault in faults:
        fitting = [
            incident
            for incident in incidents
            if fault.start <= incident.opened <= fault.end + AFTERMATH and CHECKS[fault.name] & set(incident.checks)
        ]
        chosen = [Verdict(fault, incident) for incident in sorted(fitting, key=lambda incident: incident.opened)]
        result.append(next((v for v in chosen if v.named), chosen[0] if chosen else Verdict(fault, None)))
    return result


def _covers(fault: Fault, incident: Incident) -> bool:
    """Whether a fault explains an incident: opened in its time, for its reason, its feature, or outputs alone."""
    if not fault.start <= incident.opened <= fault.end + AFTERMATH:
        return False
    about = fault.feature in incident.features or bool(CHECKS[fault.name] & set(incident.checks))
    consequence = bool(incident.features) and all(feature.startswith("@") for feature in incident.features)
    return about or consequence


def others(faults: Sequence[Fault], incidents: Sequence[Incident], flights: pd.DataFrame) -> list[Other]:
    """Incidents that no planted fault covers, with how bad the weather was."""
    days = flights["time"].dt.tz_convert(ZONE.key).dt.date
    share = flights["cancelled"].groupby(days).mean()
    found = []
    for incident in sorted(incidents, key=lambda incident: incident.opened):
        if any(_covers(fault, incident) for fault in faults):
            continue
        dates = {moment.astimezone(ZONE).date() for moment in (incident.onset, incident.opened)}
        found.append(Other(incident, max(float(share.get(date, 0.0)) for date in dates)))
    return found
