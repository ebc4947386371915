"""Leases as documents of an index, by Elasticsearch's optimistic concurrency.

https://www.elastic.co/docs/reference/elasticsearch/rest-apis/optimistic-concurrency-control
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from elasticsearch import ConflictError, NotFoundError

from mllog.elastic.client import explained
from mllog.events import dataset
from watchers.stores.base import Lease

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from mllog.places import Place

INDEX: Final = "mllog-state"


class ElasticsearchRecords:
    """Records in an index.

    Args:
        client: From :func:`mllog.elastic.client.connect`.
        place: As errors name it.
        namespace: Of the data streams; each has its own leases.
        index: A plain index; it is made by the first write where nobody made it.
    """

    def __init__(
        self, client: Elasticsearch, place: str | Place, namespace: str = "default", index: str = INDEX
    ) -> None:
        self._client, self._place, self._namespace, self._index = client, place, namespace, index

    def _id(self, name: str) -> str:
        # A plain name is its own; others become one that may be an id.
        return f"{self._namespace}-lease-{dataset('prediction', name).removeprefix('mllog.prediction.')}"

    def read(self, name: str) -> Lease | None:
        """The record, or None; a read by id sees every write at once.

        Raises:
            mllog.errors.StoreError: the server can't be reached or refuses.
        """
        with explained(self._place):
            try:
                answer = self._client.get(index=self._index, id=self._id(name))
            except NotFoundError:
                return None
        held = answer["_source"]["lease"]
        taken = dt.datetime.fromisoformat(held["taken"])
        return Lease(name, held["holder"], held["seconds"], taken, _version(answer))

    def write(self, lease: Lease, expected: str | None) -> str | None:
        """Write it where nobody else did.

        Raises:
            mllog.errors.StoreError: the server can't be reached or refuses.
        """
        until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=lease.seconds)
        held = {
            "name": lease.name,
            "holder": lease.holder,
            "seconds": lease.seconds,
            "taken": lease.taken.isoformat(),
            "until": until.isoformat(),  # which makes each writing of a holder another one
        }
        condition: dict[str, Any] = {"op_type": "create"} if expected is None else _condition(expected)
        with explained(self._place):
            try:
                answer = self._client.index(
                    index=self._index,
                    id=self._id(lease.name),
                    document={"data_stream": {"namespace": self._namespace}, "lease": held},
                    **condition,
                )
            except ConflictError:
                return self._mine(lease.name, held)
        return _version(answer)

    def _mine(self, name: str, written: dict[str, Any]) -> str | None:
        """The version, where what is in our way is our own writing: its answer was lost and it was sent again."""
        try:
            answer = self._client.get(index=self._index, id=self._id(name))
        except NotFoundError:
            return None
        return _version(answer) if answer["_source"]["lease"] == written else None

    def delete(self, name: str, expected: str) -> None:
        """Delete it where nobody else wrote.

        Raises:
            mllog.errors.StoreError: the server can't be reached or refuses.
        """
        with explained(self._place):
            try:
                self._client.delete(index=self._index, id=self._id(name), **_condition(expected))
            except (ConflictError, NotFoundError):
                return


def _version(answer: Any) -> str:
    return f"{answer['_seq_no']}.{answer['_primary_term']}"


def _condition(version: str) -> dict[str, Any]:
    number, _, term = version.partition(".")
    return {"if_seq_no": int(number), "if_primary_term": int(term)}
