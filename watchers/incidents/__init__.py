"""Incidents: findings that share a cause, with a life of their own."""

from __future__ import annotations

from watchers.incidents.causes import rank as rank_causes
from watchers.incidents.engine import IMMEDIATE, Engine
from watchers.incidents.incident import Incident, IncidentEvent, acknowledged, fold, snoozed

__all__ = [
    "IMMEDIATE",
    "Engine",
    "Incident",
    "IncidentEvent",
    "acknowledged",
    "fold",
    "rank_causes",
    "snoozed",
]
