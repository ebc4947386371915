"""Answers of a cluster."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kibana_objects import aggregations
from kibana_objects.preview.asking import Question
from kibana_objects.queries import Asked, Documents, Row
from mllog.elastic.client import connect, explained
from mllog.errors import StoreError


class Elasticsearch:
    """A cluster.

    Args:
        place: ``elasticsearch+http(s)://HOST:PORT``.

    Raises:
        StoreError: It can't be reached.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._client = connect(place)

    @property
    def until(self) -> dt.datetime:
        """Now, as in Kibana."""
        return dt.datetime.now(dt.UTC)

    def prepare(self, questions: Iterable[Question]) -> None:
        """Nothing is to be made ready."""

    def rows(self, asked: Asked) -> list[Row]:
        """What a layer shows: one search for each time that it looks at."""
        answers = self._search([(asked.scope.pattern, aggregations.search(asked, by)) for by in asked.shifts])
        return asked.together(
            {
                by: list(aggregations.rows(asked, by, answer))
                for by, answer in zip(asked.shifts, answers, strict=True)
            }
        )

    def documents(self, wanted: Documents) -> list[dict[str, Any]]:
        """The first documents."""
        (answer,) = self._search([(wanted.scope.pattern, aggregations.listing(wanted))])
        return [hit["_source"] for hit in answer["hits"]["hits"]]

    def _search(self, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """The answers to searches of (index pattern, body), in order.

        Raises:
            StoreError: One of them is an error; it says which and why.
        """
        lines: list[Any] = []
        for index, body in asked:
            lines += [{"index": index, "ignore_unavailable": True, "allow_no_indices": True}, dict(body)]
        with explained(self._place):
            answers = self._client.msearch(searches=lines)["responses"]
        for (index, body), answer in zip(asked, answers, strict=True):
            if "error" in answer or answer["_shards"]["failed"]:
                why = answer.get("error") or answer["_shards"].get("failures")
                raise StoreError(f"{self._place}: {index} can't be searched: {json.dumps(why)[:500]}; {body}")
        return [dict(answer) for answer in answers]
