"""What a run is given, and what it says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from watchers.config import Config
from watchers.finding import Finding
from watchers.incidents import IncidentEvent
from watchers.notify import Notifier
from watchers.stores.base import Store

Progress = Callable[[str, int, int], None]
"""Told of (model, hours judged, hours to judge)."""


@dataclass(slots=True)
class RunReport:
    """What a run did.

    Attributes:
        findings: Alerts of this run, in time order.
        events: Changes of incidents.
        hours: Hours judged, by model.
        reopened: Hours that late events came to and that were judged again, by model.
        judged: Until when each model is judged; those are in it that have been judged at all.
        ends: Until when each can be, by its newest event: a stream that has ended is due no more.
        found: How many models have predictions.
        held: Models that another scheduler is at.
        rejected: Lines that are no events, in the whole store.
        problems: What could not be done (a model without a card, a notification that failed).
        unjudged: Those of them for which hours of a model, or models, aren't judged.
        seconds: How long it took, where it was watched.
    """

    findings: list[Finding] = field(default_factory=list)
    events: list[IncidentEvent] = field(default_factory=list)
    hours: dict[str, int] = field(default_factory=dict)
    reopened: dict[str, list[dt.datetime]] = field(default_factory=dict)
    judged: dict[str, dt.datetime] = field(default_factory=dict)
    ends: dict[str, dt.datetime] = field(default_factory=dict)
    found: int = 0
    held: list[str] = field(default_factory=list)
    rejected: int = 0
    problems: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def fail(self, *problems: str) -> None:
        """Note problems for which something isn't judged."""
        self.problems += problems
        self.unjudged += problems


@dataclass(frozen=True, slots=True)
class Means:
    """What all models of a run share.

    Attributes:
        store: Events and results.
        config: Settings.
        now: The moment as of which to judge.
        report: What the run did so far.
        stop: Whether to come to an end.
        notifier: Who brings messages.
        progress: Told how far the run is.
        place: The store as commands in messages name it.
    """

    store: Store
    config: Config
    now: dt.datetime
    report: RunReport
    stop: Callable[[], bool]
    notifier: Notifier | None = None
    progress: Progress | None = None
    place: str = "PLACE"
