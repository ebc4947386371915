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


class Store(Protocol):
    """What watchers need of a place that holds events and results."""

    def models(self) -> list[str]:
        """Models that have predictions, by name."""

    def cards(self) -> list[ModelCard]:
        """Cards that the loggers left, oldest first."""

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

    def incident_events(self) -> list[dict[str, Any]]:
        """All incident events in order."""

    def state(self, model: str) -> dict[str, Any]:
        """What the last run left for the next: how far it judged, its memory."""

    def write_state(self, model: str, state: Mapping[str, Any]) -> None:
        """Keep that, all or nothing."""
