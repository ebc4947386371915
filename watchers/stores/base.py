"""The protocol of a store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mllog.card import ModelCard
from mllog.ruler import Ruler
from watchers.finding import Window
from watchers.profile import WindowProfile


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """Which documents show a finding.

    Attributes:
        kind: ``missing``, ``unseen``, ``range``, ``type``, ``tokens``, ``category``, ``number``, ``latency``,
            ``environment``, ``bin``, ``failure``, ``unanswered`` or ``any``.
        feature: The feature in question.
        values: Values of it, for ``category``, ``unseen`` and ``environment``; as in ``ml.bins`` for
            ``bin`` and ``unanswered``.
        side: ``high`` or ``low``, for ``number``.
    """

    kind: str
    feature: str | None = None
    values: tuple[str, ...] = ()
    side: str = "high"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no event: kept where it is, left out of every count, and reported."""

    place: str
    line: int
    reason: str


class StaleStateError(Exception):
    """A state that was to be written builds on one that isn't the newest any more: another run was faster."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to be the only one at something, for a while.

    Attributes:
        name: What at: a model's name.
        holder: Who holds it.
        seconds: How long it holds from its last renewal on.
        taken: When the holder took it, by its clock; nobody else compares that with theirs.
        version: The record as it was written; whoever finds another one there knows that somebody wrote since.
        deadline: Until when its holder may rely on it, seconds of its own :func:`watchers.stores._leases.elapsed`.
    """

    name: str
    holder: str
    seconds: float
    taken: dt.datetime
    version: str = ""
    deadline: float = 0.0


class Leases(Protocol):
    """Who is at which model. Keep one object for the life of a scheduler: it remembers for how long it has watched."""

    def acquire(self, name: str, seconds: float, *, patience: float = 0.0) -> Lease | None:
        """Take a lease that nobody holds, or whose holder has shown no life for as long as it holds.

        Args:
            name: What for.
            seconds: How long it shall hold without a renewal.
            patience: How long to watch a holder that shows no life, seconds; a sign of life ends the wait.

        Returns:
            None while somebody else holds it.
        """

    def lapsed(self, names: Sequence[str]) -> bool:
        """Whether one of these is held by somebody who has shown no life for as long as it holds.

        Whoever waits looks from time to time, so that a holder's end is seen then and not begun to be watched later.
        """

    def renew(self, lease: Lease) -> Lease | None:
        """Hold it for as long again; None where somebody else took it."""

    def release(self, lease: Lease) -> None:
        """Let the next one have it at once; nothing happens where somebody else took it."""


class Store(Protocol):
    """What watchers need of a place that holds events and results."""

    def models(self) -> list[str]:
        """Models that have predictions, by name."""

    def problems(self) -> list[str]:
        """What of the store can't be read, as far as it was asked for; what could be was answered."""

    def cards(self) -> list[ModelCard]:
        """Cards that the loggers left, oldest first."""

    def broken_card(self, model: str) -> str | None:
        """Why the newest card of a model couldn't be read by :meth:`cards`; None where it could, or there is none."""

    def save_card(self, card: ModelCard) -> None:
        """Keep a card that the watchers made."""

    def span(self, model: str) -> tuple[dt.datetime, dt.datetime] | None:
        """Least and greatest event time of a model's predictions."""

    def latest(self) -> dt.datetime | None:
        """Greatest event time of any event: how far the store's data reaches."""

    def sample(self, model: str, start: dt.datetime, end: dt.datetime, limit: int) -> list[dict[str, Any]]:
        """Up to ``limit`` predictions of a span, spread evenly."""

    def profiles(self, model: str, ruler: Ruler, start: dt.datetime, end: dt.datetime) -> Iterator[WindowProfile]:
        """Count predictions hour by hour: one profile for each hour of the span, empty ones too, in order.

        Of sampled traffic those with ``ml.sample`` of ``tail`` aren't counted: only those of the draw stand for all.
        """

    def counts(self, model: str, start: dt.datetime, end: dt.datetime) -> dict[dt.datetime, int]:
        """Predictions by hour (its start, UTC), of hours that have any: the cheapest count that grows with each event.

        It is compared with itself only, to see whether events came to hours that were judged: events that came twice
        may count twice. Those that :meth:`profiles` leaves out don't count.
        """

    def stored_profiles(self, model: str, ruler: Ruler, start: dt.datetime, end: dt.datetime) -> list[WindowProfile]:
        """Profiles written before, in order; those of another ruler are left aside."""

    def write_profiles(self, profiles: Sequence[WindowProfile], ruler: Ruler) -> None:
        """Keep profiles; writing the same hour again replaces it."""

    def documents(
        self, model: str, window: Window, query: DocumentQuery, segment: Mapping[str, str] | None, limit: int
    ) -> list[str]:
        """Ids of the events that show a finding best."""

    def events(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Events by their ids."""

    def events_of(self, prediction_id: str) -> list[dict[str, Any]]:
        """Every event of one prediction (by ``ml.prediction_id`` or ``event.id``), in time order."""

    def manifest(self, fingerprint: str) -> dict[str, Any] | None:
        """The environment manifest behind a fingerprint."""

    def rejected(self) -> list[Rejected]:
        """Lines that are no events, each with its place; a store may keep only so many of them."""

    def rejected_count(self) -> int:
        """How many lines are no events, all of them counted."""

    def write_findings(self, model: str, findings: Sequence[Mapping[str, Any]]) -> None:
        """Keep findings (documents with an ``id``); writing one again replaces it."""

    def findings(self, model: str) -> list[dict[str, Any]]:
        """Findings of a model in time order."""

    def write_incident_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Append incident events (documents with an ``id``); one that is there already is left as it is."""

    def incident_events(self, model: str | None = None) -> list[dict[str, Any]]:
        """Incident events in order: all, or those of a model's incidents."""

    def withdraw_findings(self, model: str, ids: Sequence[str]) -> None:
        """Let findings be gone: with late events their windows show nothing any more. Unknown ids are passed over."""

    def state(self, model: str) -> dict[str, Any]:
        """What the last run left for the next: how far it judged, its memory."""

    def write_state(self, model: str, state: Mapping[str, Any], *, after: int | None = None) -> None:
        """Keep that, all or nothing, and at once visible to :meth:`state`.

        Args:
            model: Model's name.
            state: JSON types; ``number`` counts how often it was written.
            after: The ``number`` that the stored state must have (0: there is none, or it has no number); checked
                and written in one step. None: whatever is there is replaced.

        Raises:
            StaleStateError: The stored state has another number; nothing was written.
        """

    def told(self, ids: Sequence[str]) -> set[str]:
        """Which of these messages were noted as told, all of them at once visible."""

    def write_told(self, document: Mapping[str, Any]) -> None:
        """Note that a message was brought to its receiver (``id``, ``event``, ``incident``, ``route``, ``@timestamp``).

        It is on the disk when this returns. Notes of messages older than a month may be forgotten.
        """

    def write_run(self, document: Mapping[str, Any]) -> None:
        """Keep what a run says of itself (``id``, ``@timestamp``, ``run``); old ones may be forgotten."""

    def runs(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest of those, oldest first."""

    def leases(self) -> Leases:
        """Leases that all schedulers of this store share."""
