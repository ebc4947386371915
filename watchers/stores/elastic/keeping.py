"""What watchers keep in Elasticsearch: profiles, findings, incidents, and what they remember from run to run."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

import orjson

from mllog.card import ModelCard
from mllog.elastic import indices
from mllog.elastic.cards import CARDS
from mllog.errors import CardError
from mllog.ruler import CellKey, Ruler
from watchers import windows
from watchers.incidents.incident import IncidentEvent, fold
from watchers.profile import WindowProfile
from watchers.stores._cards import BrokenCards
from watchers.stores._lease_elasticsearch import ElasticsearchRecords
from watchers.stores._leases import RecordLeases
from watchers.stores.base import Leases, StaleStateError
from watchers.stores.elastic import queries, results
from watchers.stores.elastic.plan import Body
from watchers.stores.elastic.results import Results
from watchers.stores.elastic.searching import PAGE, Searcher

HOUR: Final = dt.timedelta(hours=1)
DAY: Final = dt.timedelta(days=1)

DAY_BYTES: Final = 2**20
"""Of a larger day the hours suffice: of one document of it a node's memory would hold several copies at once."""

CARDS_PAGE: Final = 50
"""So many cards are read at once: parsed they are ten times what they are as text."""

_ADDED: Final = frozenset({"@timestamp", "data_stream"})
"""Keys of a finding's document that aren't the finding's."""


class Keeping:
    """The half of a store that writes.

    Attributes:
        searcher: The cluster.
        namespace: Of the data streams whose events are judged.
        results: Documents of that namespace.
    """

    def __init__(self, searcher: Searcher, namespace: str) -> None:
        self.searcher = searcher
        self.namespace = namespace
        self.results = Results(namespace)
        self._trainings: dict[str, Counter[CellKey]] = {}
        self._broken = BrokenCards()

    def _cards(self, query: Body) -> list[ModelCard]:
        self.searcher.refresh(CARDS)
        sort = [{"saved": {"order": "asc", "unmapped_type": "date"}}]
        hits = self.searcher.pages(CARDS, query, sort, ["card"], CARDS_PAGE)
        rulers: dict[str, Ruler] = {}
        cards = (self._broken.read(hit["_id"], _named(hit), partial(_card, hit)) for hit in hits)
        # Models that are alike, or were trained again, share one: its layout is most of a card's memory.
        return [
            replace(card, ruler=rulers.setdefault(card.ruler.hash, card.ruler)) for card in cards if card is not None
        ]

    def stored_profiles(self, model: str, ruler: Ruler, start: dt.datetime, end: dt.datetime) -> list[WindowProfile]:
        """Profiles written before, in order; those of another ruler are left aside."""
        hour = start.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
        if hour < start:
            hour += HOUR
        hours = [hour + k * HOUR for k in range(math.ceil((end - hour) / HOUR))]
        whole = [day for day in hours if day.hour == 0 and day + DAY <= end]
        days = self._documents(self.results.day_place(model, ruler.hash, day) for day in whole)
        found = {day: body["profile"]["hours"] for day, body in zip(whole, days, strict=True) if body is not None}
        rest = [hour for hour in hours if hour.replace(hour=0) not in found]
        single = self._documents(self.results.profile_place(model, ruler.hash, hour) for hour in rest)
        held = [
            *itertools.chain.from_iterable(found.values()),
            *(body["profile"] for body in single if body is not None),
        ]
        profiles = [WindowProfile.from_dict(profile, ruler) for profile in held]
        return sorted(profiles, key=lambda profile: profile.window.start or start)

    def _documents(self, places: Iterable[tuple[str, str]]) -> list[Body | None]:
        """Whole documents: to leave a little out of each the node would parse and write all of it."""
        return self.searcher.get(list(places))

    def keep_profiles(self, profiles: Sequence[WindowProfile], ruler: Ruler) -> None:
        """Keep profiles; a day whose last hour is there also as one document, unless it would be large.

        Four weeks of hours are read by every run, and a node takes ten times as long for 672 documents as for 28.
        """
        self.searcher.write([self.results.profile(profile, ruler) for profile in profiles])
        whole: list[tuple[str, str, orjson.Fragment]] = []
        large: list[tuple[str, str]] = []
        touched = {
            (profile.model, profile.window.start.astimezone(dt.UTC).replace(hour=0))
            for profile in profiles
            if profile.window.start is not None
        }
        for model, day in self._over(touched, ruler):
            index, name, body = self._day(model, ruler, day)
            line = orjson.dumps(body)
            if len(line) <= DAY_BYTES:
                whole.append((index, name, orjson.Fragment(line)))
            else:  # smaller before a late event came, perhaps
                large.append((index, name))
        self.searcher.write(whole)
        self.searcher.delete(large)

    def _over(self, days: Collection[tuple[str, dt.datetime]], ruler: Ruler) -> list[tuple[str, dt.datetime]]:
        """Those days of models whose last hour is kept."""
        ordered = sorted(days)
        last = self._documents(self.results.profile_place(model, ruler.hash, day + 23 * HOUR) for model, day in ordered)
        return [day for day, body in zip(ordered, last, strict=True) if body is not None]

    def _day(self, model: str, ruler: Ruler, day: dt.datetime) -> results.Document:
        hours = self._documents(self.results.profile_place(model, ruler.hash, day + k * HOUR) for k in range(24))
        return self.results.day(model, ruler.hash, day, [body for body in hours if body is not None])

    def write_profiles(self, profiles: Sequence[WindowProfile], ruler: Ruler) -> None:
        """Keep profiles, and the window documents that follow from them; writing the same hour again replaces it."""
        self.keep_profiles(profiles, ruler)
        self.searcher.write([self.results.window(document) for document in self._windows(profiles, ruler)])

    def _windows(self, profiles: Sequence[WindowProfile], ruler: Ruler) -> Iterator[windows.Document]:
        model = profiles[0].model if profiles else ""
        return windows.documents(
            profiles,
            ruler,
            self._training(ruler),
            lambda start: self.stored_profiles(model, ruler, start, start + windows.DAY),
        )

    def _training(self, ruler: Ruler) -> Counter[CellKey]:
        """Counts of training by cell; none where nobody kept the card."""
        found = self._trainings.get(ruler.hash)
        if found is None:
            # Of this ruler alone: in a fleet each model has its own, and would read the cards of all others.
            found = self._newest_training(ruler.hash)
            # One at a time, as models take turns: a fleet's would be kept to the end of the run.
            self._trainings = {ruler.hash: found}
        return found

    def _newest_training(self, ruler: str) -> Counter[CellKey]:
        """Of the card of a ruler that was saved last; models that are alike share a ruler, and may be hundreds."""
        self.searcher.refresh(CARDS)
        sort = [{"saved": {"order": "desc", "unmapped_type": "date"}}]
        body: Body = {"query": {"term": {"ml.card": ruler}}, "sort": sort, "size": 1, "_source": ["card"]}
        for k in itertools.count():
            hits = self.searcher.search(CARDS, {**body, "from": k})["hits"]["hits"]
            if not hits:
                break
            # One that can't be read is another model's: of its own no profiles are made.
            with suppress(CardError):
                return _card(hits[0]).totals
        return Counter()

    def write_findings(self, model: str, findings: Sequence[Mapping[str, Any]]) -> None:
        """Keep findings (documents with an ``id``); writing one again replaces it."""
        self.searcher.write([self.results.finding(model, finding) for finding in findings])

    def findings(self, model: str) -> list[dict[str, Any]]:
        """Findings of a model in time order."""
        index = f"{results.FINDINGS}-*"
        self.searcher.refresh(index)
        found = [
            _without(hit["_source"], *_ADDED)
            for hit in self.searcher.pages(
                index, {"bool": {"filter": [self.results.mine, {"term": {"model": model}}]}}, queries.BY_TIME
            )
        ]
        return sorted(found, key=lambda finding: str(finding["window"]["end"]))

    def withdraw_findings(self, model: str, ids: Sequence[str]) -> None:
        """Let findings be gone."""
        del model
        index = f"{results.FINDINGS}-*"
        self.searcher.refresh(index)
        for begin in range(0, len(ids), PAGE):
            names = [self.results.id(name) for name in ids[begin : begin + PAGE]]
            hits = self.searcher.search(index, {"size": PAGE, "query": {"ids": {"values": names}}, "_source": False})
            self.searcher.delete([(hit["_index"], hit["_id"]) for hit in hits["hits"]["hits"]])

    def write_incident_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Append incident events (documents with an ``id``); one that is there already is left as it is.

        The incidents that they change are written anew, as all their events together leave them.
        """
        if not events:
            return
        held = [IncidentEvent.from_dict(event) for event in events]
        models = {**self._models_of({event.incident for event in held}), **results.models_of(held)}
        self.searcher.write(
            [self.results.change(event, models.get(event["incident"])) for event in events], create=True
        )
        touched = sorted({event.incident for event in held})
        folded = fold(IncidentEvent.from_dict(event) for event in self._changes([{"terms": {"incident.id": touched}}]))
        self.searcher.write([self.results.incident(incident) for incident in folded.values()])

    def _models_of(self, incidents: Collection[str]) -> dict[str, str]:
        """Models of incidents by id: what people do to one doesn't say it."""
        names = sorted(incidents)
        found = self.searcher.get([(results.INCIDENTS, self.results.id(name)) for name in names], ["ml.model.name"])
        return {name: body["ml"]["model"]["name"] for name, body in zip(names, found, strict=True) if body is not None}

    def incident_events(self, model: str | None = None) -> list[dict[str, Any]]:
        """Incident events, each incident's in order: all, or those of a model's incidents."""
        return self._changes([] if model is None else [{"term": {"ml.model.name": model}}])

    def _changes(self, filters: Sequence[Body]) -> list[dict[str, Any]]:
        index = f"{results.CHANGES}-*"
        self.searcher.refresh(index)
        query = {"bool": {"filter": [self.results.mine, *filters]}}
        hits = self.searcher.pages(index, query, queries.BY_TIME, ["change"])
        return results.in_order(hit["_source"]["change"] for hit in hits)

    def state(self, model: str) -> dict[str, Any]:
        """What the last run left for the next."""
        (held,) = self.searcher.get([self.results.state_place(model)])
        return dict(held["state"]) if held else {}

    def write_state(self, model: str, state: Mapping[str, Any], *, after: int | None = None) -> None:
        """Keep that, all or nothing; with ``after`` only where nobody wrote since.

        Optimistic concurrency: https://www.elastic.co/docs/reference/elasticsearch/rest-apis/optimistic-concurrency-control
        """
        index, name, body = self.results.state(model, state)
        if after is None:
            self.searcher.write([(index, name, body)])
            return
        held, version = self.searcher.versioned(index, name)
        number = held["state"].get("number", 0) if held else 0
        if number != after or not self.searcher.swap(index, name, body, version):
            raise StaleStateError(f"state of model {model!r} is number {number}, not {after}, or was written meanwhile")

    def told(self, ids: Sequence[str]) -> set[str]:
        """Which of these messages were noted as told, this month or the last."""
        now = dt.datetime.now(dt.UTC)
        months = {indices.monthly(results.TOLD, moment) for moment in (now, now.replace(day=1) - dt.timedelta(days=1))}
        asked = [(month, name) for month in sorted(months) for name in ids]
        found = self.searcher.get([(month, self.results.id(name)) for month, name in asked], False)
        return {name for (_, name), body in zip(asked, found, strict=True) if body is not None}

    def write_told(self, document: Mapping[str, Any]) -> None:
        """Note that a message was brought to its receiver."""
        self.searcher.write([self.results.told(document)])

    def write_run(self, document: Mapping[str, Any]) -> None:
        """Keep what a run says of itself."""
        self.searcher.write([self.results.run(document)])

    def runs(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest of those, oldest first."""
        index = f"{results.RUNS}-*"
        self.searcher.refresh(index)
        sort = [{"@timestamp": {"order": "desc", "unmapped_type": "date"}}]
        body = {"size": limit, "query": self.results.mine, "sort": sort}
        hits = self.searcher.search(index, body)["hits"]["hits"]
        return [
            {"id": hit["_source"]["run"]["id"], **_without(hit["_source"], "data_stream")} for hit in reversed(hits)
        ]

    def leases(self) -> Leases:
        """Leases that all schedulers of this namespace share."""
        return RecordLeases(ElasticsearchRecords(self.searcher.client, self.searcher.asked, self.namespace))


def _named(hit: Body) -> str:
    return f"card {hit['_id']!r} in the index {CARDS}"


def _card(hit: Body) -> ModelCard:
    """The card of a document: none, where somebody else put it there."""
    return ModelCard.from_dict(hit.get("_source", {}).get("card"), _named(hit))


def _without(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}
