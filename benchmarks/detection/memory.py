"""A store that holds profiles instead of events, so that ``watchers.schedule.run`` can be driven by counts alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mllog import ModelCard
from mllog.ruler import Ruler
from watchers import Window, WindowProfile
from watchers.stores._leases import MemoryRecords, RecordLeases
from watchers.stores.base import DocumentQuery, Leases, Rejected

HOUR: Final = dt.timedelta(hours=1)


@dataclass
class Kept:
    """What runs leave behind."""

    judged: dt.datetime | None = None
    state: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)


class MemoryStore:
    """One model's hours, without a gap, made already or made as they are asked for.

    Args:
        card: The model's card.
        hours: Profiles, each of the hour that its window says, in order.
        span: First and last moment of the hours; by default what ``hours`` says, which must be a list then.
    """

    def __init__(
        self,
        card: ModelCard,
        hours: Iterable[WindowProfile],
        span: tuple[dt.datetime, dt.datetime] | None = None,
    ) -> None:
        self.card, self.hours = card, hours
        if span is None:
            held = list(hours)
            first, last = held[0].window.start, held[-1].window.start
            assert first is not None
            assert last is not None
            self.hours, span = held, (first, last)
        self._span = span
        self.kept = Kept()

    def models(self) -> list[str]:
        """The one."""
        return [self.card.model]

    def cards(self) -> list[ModelCard]:
        """Its card."""
        return [self.card]

    def broken_card(self, model: str) -> str | None:  # noqa: ARG002
        """None."""
        return None

    def save_card(self, card: ModelCard) -> None:
        """Never asked for: there is a card."""

    def span(self, model: str) -> tuple[dt.datetime, dt.datetime] | None:  # noqa: ARG002
        """First and last event; events are as if they all came at the hour's beginning."""
        return self._span

    def latest(self) -> dt.datetime | None:
        """The last event."""
        return self._span[1]

    def sample(self, model: str, start: dt.datetime, end: dt.datetime, limit: int) -> list[dict[str, Any]]:  # noqa: ARG002
        """There are no events."""
        return []

    def profiles(self, model: str, ruler: Ruler, start: dt.datetime, end: dt.datetime) -> Iterator[WindowProfile]:  # noqa: ARG002
        """The hours of a span; those behind the last one are empty."""
        at = start
        for profile in self.hours:
            assert profile.window.start is not None
            if start <= profile.window.start < end:
                at = profile.window.start + HOUR
                yield profile
        while at < end:
            yield WindowProfile(self.card.model, ruler.hash, Window(at, at + HOUR))
            at += HOUR

    def stored_profiles(self, model: str, ruler: Ruler, start: dt.datetime, end: dt.datetime) -> list[WindowProfile]:  # noqa: ARG002
        """The hours of a span that were judged already."""
        judged = self.kept.judged
        if judged is None:
            return []
        within = (profile for profile in self.hours if profile.window.start and profile.window.start < min(end, judged))
        return [profile for profile in within if profile.window.start and profile.window.start >= start]

    def write_profiles(self, profiles: Sequence[WindowProfile], ruler: Ruler) -> None:
        """They are kept anyway."""

    def documents(
        self,
        model: str,  # noqa: ARG002
        window: Window,  # noqa: ARG002
        query: DocumentQuery,  # noqa: ARG002
        segment: Mapping[str, str] | None,  # noqa: ARG002
        limit: int,  # noqa: ARG002
    ) -> list[str]:
        """There are no events."""
        return []

    def events(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:  # noqa: ARG002
        """There are no events."""
        return {}

    def events_of(self, prediction_id: str) -> list[dict[str, Any]]:  # noqa: ARG002
        """There are no events."""
        return []

    def manifest(self, fingerprint: str) -> dict[str, Any] | None:  # noqa: ARG002
        """There are none."""
        return None

    def rejected(self) -> list[Rejected]:
        """There are none."""
        return []

    def rejected_count(self) -> int:
        """There are none."""
        return 0

    def write_findings(self, model: str, findings: Sequence[Mapping[str, Any]]) -> None:
        """The run reports them."""

    def findings(self, model: str) -> list[dict[str, Any]]:  # noqa: ARG002
        """None are kept."""
        return []

    def write_incident_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Append changes of incidents."""
        self.kept.events += [dict(event) for event in events]

    def problems(self) -> list[str]:
        """None."""
        return []

    def incident_events(self, model: str | None = None) -> list[dict[str, Any]]:  # noqa: ARG002
        """All of them."""
        return list(self.kept.events)

    def state(self, model: str) -> dict[str, Any]:  # noqa: ARG002
        """What the last run left."""
        return dict(self.kept.state)

    def write_state(self, model: str, state: Mapping[str, Any], *, after: int | None = None) -> None:  # noqa: ARG002
        """Keep it."""
        self.kept.state = dict(state)
        self.kept.judged = dt.datetime.fromisoformat(state["judged"])

    def counts(self, model: str, start: dt.datetime, end: dt.datetime) -> dict[dt.datetime, int]:  # noqa: ARG002
        """Nothing comes late."""
        return {}

    def withdraw_findings(self, model: str, ids: Sequence[str]) -> None:
        """None are kept."""

    def told(self, ids: Sequence[str]) -> set[str]:  # noqa: ARG002
        """Nobody is told."""
        return set()

    def write_told(self, document: Mapping[str, Any]) -> None:
        """Nobody is told."""

    def write_run(self, document: Mapping[str, Any]) -> None:
        """Nobody asks."""

    def runs(self, limit: int = 100) -> list[dict[str, Any]]:  # noqa: ARG002
        """None are kept."""
        return []

    def leases(self) -> Leases:
        """Nobody else is at it."""
        return RecordLeases(MemoryRecords())
