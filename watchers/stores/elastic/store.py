"""Elasticsearch as a store: events in data streams, counted by aggregations; results in indices of the watchers."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from elasticsearch import Elasticsearch

from mllog.card import ModelCard
from mllog.elastic.cards import CARDS, card_body, card_version
from mllog.elastic.client import connect
from mllog.events import dataset
from mllog.places import checked_namespace, parse
from mllog.ruler import Ruler
from watchers.finding import Window
from watchers.profile import WindowProfile
from watchers.stores.base import DocumentQuery, Rejected
from watchers.stores.elastic import queries
from watchers.stores.elastic.counting import Profiler
from watchers.stores.elastic.keeping import Keeping
from watchers.stores.elastic.plan import MODELS, Body, by_hour, hours_of, named_models, predictions, served
from watchers.stores.elastic.searching import PAGE, Searcher, problem

_SLOTS: Final = 200
_SAMPLE_SEED: Final = 20130129
_MANIFESTS: Final = 1000


class ElasticsearchStore(Keeping):
    """A cluster.

    Args:
        place: ``elasticsearch+http(s)://[user:password@]host:port``.
        namespace: Of the data streams; ``MLLOG_NAMESPACE`` or ``default``, as for the logger, where none is given.
        client: Instead of one for the place.

    Raises:
        mllog.errors.PlaceError: it is no such place.
    """

    def __init__(self, place: str, *, namespace: str | None = None, client: Elasticsearch | None = None) -> None:
        parsed = parse(place)
        searcher = Searcher(client or connect(parsed), parsed)
        super().__init__(searcher, checked_namespace(namespace or os.environ.get("MLLOG_NAMESPACE") or "default"))
        self._manifests: dict[str, dict[str, Any] | None] = {}
        self._problems: list[str] = []

    def refresh(self) -> None:
        """Let searches see every event that was indexed."""
        self.searcher.refresh(self._streams("*"))

    def _streams(self, kind: str) -> str:
        """Data streams of a kind of event."""
        return f"logs-mllog.{kind}-{self.namespace}"

    def _predictions(self, model: str) -> str:
        return f"logs-{dataset('prediction', model)}-{self.namespace}"

    def models(self) -> list[str]:
        """Models that have predictions, by name.

        Names are asked of all events, which the node knows without looking at one; of each name then one prediction.
        """
        body: Body = {"size": 0, "track_total_hits": False, "aggs": named_models()}
        (answer,) = self.searcher.searches([(self._streams("prediction.*"), body)], partial=True)
        found = answer.get("aggregations", {}).get("models", {})
        told = [problem(answer)]
        if found.get("sum_other_doc_count"):
            told.append(f"there are more than {MODELS:,}")
        names = [bucket["key"] for bucket in found.get("buckets", ())]
        one = {"size": 0, "terminate_after": 1, "track_total_hits": True}
        asked = [(self._predictions(name), {**one, "query": served(name)}) for name in names]
        answers = self.searcher.searches(asked, partial=True) if asked else []
        told += map(problem, answers)
        self._problems += [f"not every model is watched: {reason}" for reason in told if reason]
        return sorted(
            name
            for name, answer in zip(names, answers, strict=True)
            if answer.get("hits", {}).get("total", {}).get("value")
        )

    def problems(self) -> list[str]:
        """What of the store can't be read, as far as it was asked for."""
        return list(dict.fromkeys([*self._problems, *self._broken.problems]))

    def cards(self) -> list[ModelCard]:
        """Cards that loggers left and watchers made, oldest first; the same in every namespace."""
        self._trainings.clear()  # a model may have been trained again since
        self._broken.clear()
        return self._cards({"match_all": {}})

    def broken_card(self, model: str) -> str | None:
        """Why the newest card of a model couldn't be read by :meth:`cards`; None where it could, or there is none."""
        return self._broken.of(model)

    def save_card(self, card: ModelCard) -> None:
        """Keep a card in place of an older one of its ruler."""
        saved = time.time()
        body = card_body(card.model, card.version, card.ruler.hash, card.to_dict(), saved)
        document = (CARDS, card.file_name.removesuffix(".json"), orjson.Fragment(body))
        self.searcher.write([document], version=card_version(saved))
        self._trainings.pop(card.ruler.hash, None)

    def span(self, model: str) -> tuple[dt.datetime, dt.datetime] | None:
        """Least and greatest event time of a model's predictions."""
        ends = self._ends(self._predictions(model), served(model), ("asc", "desc"))
        return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])

    def latest(self) -> dt.datetime | None:
        """Greatest event time of any event."""
        return self._ends(self._streams("*"), {"match_all": {}}, ("desc",))[0]

    def _ends(self, index: str, query: Body, directions: Sequence[str]) -> list[dt.datetime | None]:
        bodies = []
        for direction in directions:
            sort = {"@timestamp": {"order": direction, "format": "strict_date_optional_time_nanos"}}
            body = {"size": 1, "track_total_hits": False, "query": query, "sort": sort, "_source": ["@timestamp"]}
            bodies.append((index, body))
        found = [answer["hits"]["hits"] for answer in self.searcher.searches(bodies)]
        return [dt.datetime.fromisoformat(hits[0]["_source"]["@timestamp"]) if hits else None for hits in found]

    def sample(self, model: str, start: dt.datetime, end: dt.datetime, limit: int) -> list[dict[str, Any]]:
        """Up to ``limit`` predictions of a span, spread evenly; for a model's first card, not for statistics."""
        index = self._predictions(model)
        step = dt.timedelta(seconds=max(1, math.ceil((end - start).total_seconds() / _SLOTS)))
        histogram = {"field": "@timestamp", "fixed_interval": f"{int(step.total_seconds())}s", "min_doc_count": 1}
        query = predictions(model, start.isoformat(), end.isoformat())
        body = {"size": 0, "query": query, "aggs": {"slots": {"date_histogram": histogram}}}
        slots = self.searcher.search(index, body).get("aggregations", {}).get("slots", {}).get("buckets", ())
        total = sum(slot["doc_count"] for slot in slots)
        found: list[dict[str, Any]] = []
        before = 0
        for slot in slots:
            upto = before + slot["doc_count"]
            wanted = upto * min(limit, total) // total - before * min(limit, total) // total
            before = upto
            if wanted:
                low = dt.datetime.fromtimestamp(slot["key"] / 1000, dt.UTC)
                span = predictions(model, max(low, start).isoformat(), min(low + step, end).isoformat())
                draw = {"seed": _SAMPLE_SEED, "field": "event.id"}
                drawn = {"function_score": {"query": span, "random_score": draw, "boost_mode": "replace"}}
                hits = self.searcher.pages(index, drawn, [{"_score": {"order": "asc"}}])
                found += [hit["_source"] for hit in itertools.islice(hits, wanted)]
        return sorted(found, key=lambda event: str(event["@timestamp"]))

    def profiles(self, model: str, ruler: Ruler, start: dt.datetime, end: dt.datetime) -> Iterator[WindowProfile]:
        """Count predictions hour by hour: one profile for each hour of the span, empty ones too, in order."""
        deployed = self._deployed(model, start, end)
        for profile in Profiler(self.searcher, self._predictions(model), model, ruler).profiles(start, end):
            low, high = profile.window.start, profile.window.end
            assert low is not None
            assert high is not None
            named = {fingerprint for time, fingerprint in deployed if low <= time < high}
            for fingerprint in sorted(named | profile.names.get("environment", {}).keys()):
                manifest = self.manifest(fingerprint)
                if manifest is not None:
                    packages = manifest.get("packages")
                    profile.manifests[fingerprint] = dict(packages) if isinstance(packages, dict) else {}
            yield profile

    def _deployed(self, model: str, start: dt.datetime, end: dt.datetime) -> list[tuple[dt.datetime, str]]:
        within = {"range": {"@timestamp": {"gte": start.isoformat(), "lt": end.isoformat()}}}
        query = {"bool": {"filter": [{"term": {"ml.model.name": model}}, {"term": {"event.action": "deploy"}}, within]}}
        found = []
        for hit in self.searcher.pages(
            self._streams("deployment"), query, queries.BY_TIME, ["@timestamp", "ml.environment", "ml.manifest"]
        ):
            source = hit["_source"]
            fingerprint = source["ml"].get("environment")
            if isinstance(fingerprint, str):
                self._manifests[fingerprint] = source["ml"].get("manifest")
                found.append((dt.datetime.fromisoformat(source["@timestamp"]), fingerprint))
        return found

    def counts(self, model: str, start: dt.datetime, end: dt.datetime) -> dict[dt.datetime, int]:
        """Predictions by hour, of hours that have any."""
        query = predictions(model, start.isoformat(), end.isoformat())
        answer = self.searcher.search(self._predictions(model), {"size": 0, "query": query, "aggs": by_hour({})})
        return {hour: bucket["doc_count"] for hour, bucket in hours_of(answer)}

    def documents(
        self, model: str, window: Window, query: DocumentQuery, segment: Mapping[str, str] | None, limit: int
    ) -> list[str]:
        """Ids of the events that show a finding best."""
        assert window.start is not None
        assert window.end is not None
        within = predictions(model, window.start.isoformat(), window.end.isoformat(), tails=True)
        filters = [within, queries.condition(query), *queries.of_segment(segment)]
        body = {
            "size": limit,
            "track_total_hits": False,
            "query": {"bool": {"filter": filters}},
            "sort": queries.order(query),
            "_source": ["event.id"],
        }
        hits = self.searcher.search(self._predictions(model), body)["hits"]["hits"]
        return [hit["_source"]["event"]["id"] for hit in hits]

    def events(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Events by their ids."""
        found = {}
        for begin in range(0, len(ids), PAGE):
            body = {"size": PAGE, "query": {"terms": {"event.id": list(ids[begin : begin + PAGE])}}}
            for hit in self.searcher.search(self._streams("*"), body)["hits"]["hits"]:
                found[hit["_source"]["event"]["id"]] = hit["_source"]
        return found

    def events_of(self, prediction_id: str) -> list[dict[str, Any]]:
        """Every event of one prediction (by ``ml.prediction_id`` or ``event.id``), in time order."""
        query = queries.any_of({"term": {"ml.prediction_id": prediction_id}}, {"term": {"event.id": prediction_id}})
        events = {
            hit["_source"]["event"]["id"]: hit["_source"]
            for hit in self.searcher.pages(self._streams("*"), query, queries.BY_TIME)
        }
        return sorted(events.values(), key=lambda event: str(event["@timestamp"]))

    def manifest(self, fingerprint: str) -> dict[str, Any] | None:
        """The environment manifest behind a fingerprint."""
        if fingerprint not in self._manifests:
            filters = [{"term": {"ml.environment": fingerprint}}, {"term": {"event.action": "deploy"}}]
            body = {"size": 1, "query": {"bool": {"filter": filters}}, "_source": ["ml.manifest"]}
            hits = self.searcher.search(self._streams("deployment"), body)["hits"]["hits"]
            if not hits:
                return None  # it may come yet
            if len(self._manifests) >= _MANIFESTS:
                self._manifests.clear()
            self._manifests[fingerprint] = hits[0]["_source"].get("ml", {}).get("manifest")
        return self._manifests[fingerprint]

    def rejected(self) -> list[Rejected]:
        """Events that were refused: dead letters; the newest of them."""
        body = {"size": PAGE, "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "date"}}]}
        return [
            Rejected(f"{hit['_index']}/{hit['_id']}", 1, str(hit["_source"].get("error", {}).get("message", "")))
            for hit in self.searcher.search(self._streams("deadletter"), body)["hits"]["hits"]
        ]

    def rejected_count(self) -> int:
        """How many events were refused."""
        answer = self.searcher.search(self._streams("deadletter"), {"size": 0, "track_total_hits": True})
        return int(answer["hits"]["total"]["value"])
