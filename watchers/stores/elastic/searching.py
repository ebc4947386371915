"""Searches whose answers are looked at before they are believed.

Elasticsearch answers 200 with partial counts where a shard failed or time ran out, and with zeros where a field isn't
mapped (https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-search). Either would look like a feature
that is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import elasticsearch
import orjson
from elasticsearch import Elasticsearch

from mllog.elastic.cards import VERSIONED
from mllog.elastic.client import explained
from mllog.errors import StoreError
from mllog.places import Place

PAGE: Final = 1000
"""Documents of one answer."""

BULK_BYTES: Final = 5 * 2**20

FIRST: Final = 32
"""So many documents are got by id before it is known how large they are,"""

ANSWER_BYTES: Final = 16 * 2**20
"""and about so much of them at once from then on."""

Body = dict[str, Any]


class Searcher:
    """Requests to one cluster, each error with the place's name.

    Args:
        client: Of ``mllog.elastic.client.connect``.
        place: Itself, for errors, which name it.
    """

    def __init__(self, client: Elasticsearch, place: str | Place) -> None:
        self.client = client
        self.asked = place
        self.place = str(place)
        self._behind = False

    def search(self, index: str, body: Body) -> Body:
        """One search; no matter whether the index is there.

        Raises:
            StoreError: it can't be answered at all.
        """
        return self.searches([(index, body)])[0]

    def searches(self, asked: Sequence[tuple[str, Body]], *, partial: bool = False) -> list[Body]:
        """Several searches in one request.

        Args:
            asked: (index, body) of each; no matter whether the index is there.
            partial: Whether an answer may lack something for good; :func:`problem` says what. Without it every answer
                is whole.

        Raises:
            StoreError: one of them can't be answered, or not now.
        """
        lines: list[Any] = []
        for index, body in asked:
            lines += [{"index": index, "ignore_unavailable": True, "allow_no_indices": True}, body]
        with explained(self.asked):
            # Shards that can't have an event of the span aren't asked: one that is mapped by guess would fail.
            answers = self.client.msearch(searches=lines, pre_filter_shard_size=1)["responses"]
        for (index, _), answer in zip(asked, answers, strict=True):
            told = problem(answer)
            if told and not (partial and lasting(answer)):
                raise StoreError(f"{self.place}: {index}: {told}", field="place", value=self.place)
        return list(answers)

    def pages(
        self, index: str, query: Body, sort: Sequence[Body], source: Sequence[str] | bool = True, size: int = PAGE
    ) -> Iterator[Body]:
        """Every document of a query, page by page, as they were at the first; for results, never for statistics.

        Args:
            index: Where; no matter whether it is there.
            query: What.
            sort: In which order.
            source: Which fields.
            size: How many a page has; they are in memory at once.

        Raises:
            StoreError: a shard failed, or time ran out.
        """
        with explained(self.asked):
            opened = self.client.open_point_in_time(index=index, keep_alive="2m", ignore_unavailable=True)
        point = opened["id"]
        after: list[Any] | None = None
        try:
            while True:
                body: Body = {"query": query, "sort": list(sort), "size": size, "_source": source}
                body |= {"pit": {"id": point, "keep_alive": "2m"}, "track_total_hits": False}
                if after is not None:
                    body["search_after"] = after
                with explained(self.asked):
                    answer: Body = self.client.search(body=body).body
                told = problem(answer)
                if told:
                    raise StoreError(f"{self.place}: {index}: {told}", field="place", value=self.place)
                point = answer.get("pit_id", point)
                hits = answer["hits"]["hits"]
                yield from hits
                if len(hits) < size:
                    return
                after = hits[-1]["sort"]
        finally:
            with suppress(elasticsearch.ApiError, elasticsearch.TransportError):
                self.client.close_point_in_time(id=point)

    def get(self, documents: Sequence[tuple[str, str]], source: Sequence[str] | bool = True) -> list[Body | None]:
        """Documents by (index, id), as they are now; None where there is none."""
        found: list[Body | None] = []
        size = FIRST
        while len(found) < len(documents):
            some = documents[len(found) : len(found) + size]
            asked = [{"_index": index, "_id": name} for index, name in some]
            with explained(self.asked):
                answer = self.client.mget(docs=asked, source=source)
            for held in answer["docs"]:
                error = held.get("error")
                if error and error["type"] != "index_not_found_exception":
                    raise StoreError(f"{self.place}: {reason(error)}", field="place", value=self.place)
                found.append(held.get("_source", {}) if held.get("found") else None)
            if len(found) < len(documents):
                told = len(orjson.dumps(found[-len(some) :], option=orjson.OPT_NON_STR_KEYS))
                size = max(1, min(PAGE, ANSWER_BYTES * len(some) // told))
        return found

    def versioned(self, index: str, name: str) -> tuple[Body | None, Body]:
        """A document as it is now, and what :meth:`swap` must be told of it."""
        with explained(self.asked):
            try:
                answer = self.client.get(index=index, id=name)
            except elasticsearch.NotFoundError:
                return None, {"op_type": "create"}
        return answer["_source"], {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]}

    def swap(self, index: str, name: str, body: Mapping[str, Any], version: Body) -> bool:
        """Write a document where nobody wrote since :meth:`versioned`; whether that was so.

        Where the answer to a first attempt was lost, the second finds the first's writing, which is as good.
        """
        self._may_write()
        with explained(self.asked):
            try:
                self.client.index(index=index, id=name, document=body, **version)
            except elasticsearch.ConflictError:
                held, _ = self.versioned(index, name)
                return held is not None and orjson.loads(orjson.dumps(body)) == held
        return True

    def delete(self, documents: Sequence[tuple[str, str]]) -> None:
        """Delete documents by (index, id); one that isn't there is gone."""
        lines = [orjson.dumps({"delete": {"_index": index, "_id": name}}) for index, name in documents]
        if lines:
            self._bulk(lines)

    def write(
        self,
        documents: Sequence[tuple[str, str, Mapping[str, Any] | orjson.Fragment]],
        *,
        create: bool = False,
        version: int | None = None,
    ) -> int:
        """Write documents (index, id, body); how many were new.

        Args:
            documents: One that is there is replaced.
            create: One that is there stays as it is.
            version: One that is there with a greater version stays as it is.

        Raises:
            StoreError: one was refused; which, and why.
        """
        new = 0
        action = "create" if create else "index"
        versioned = {} if version is None else {"version": version, "version_type": VERSIONED}
        lines: list[bytes] = []
        size = 0
        for number, (index, name, body) in enumerate(documents, 1):
            head = orjson.dumps({action: {"_index": index, "_id": name, **versioned}})
            line = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
            lines += [head, line]
            size += len(line)
            if size >= BULK_BYTES or number == len(documents):
                new += self._bulk(lines, [(action, 409)] if create or version is not None else ())
                lines, size = [], 0
        return new

    def _bulk(self, lines: list[bytes], fine: Collection[tuple[str, int]] = (("create", 409), ("delete", 404))) -> int:
        """Send a bulk request; how many documents are new. What is there already, or gone already, is fine."""
        self._may_write()
        with explained(self.asked):
            answer = self.client.bulk(operations=cast("Any", lines))
        new = 0
        for item in answer["items"]:
            ((action, done),) = item.items()
            if done["status"] in {200, 201}:
                new += done["status"] == 201
            elif (action, done["status"]) not in fine:
                raise StoreError(
                    f"{self.place} refused {done['_index']}/{done['_id']} ({done['status']}): "
                    f"{reason(done.get('error') or done.get('result'))}",
                    field="place",
                    value=self.place,
                )
        return new

    def refresh(self, index: str) -> None:
        """Let searches see what was written.

        Whoever may only read sees what was written a second ago, and may write nothing from then on.
        """
        with explained(self.asked):
            try:
                self.client.indices.refresh(index=index, ignore_unavailable=True, allow_no_indices=True)
            except elasticsearch.AuthorizationException:
                self._behind = True

    def _may_write(self) -> None:
        if self._behind:
            raise StoreError(
                f"{self.place}: this user may not refresh (privilege maintenance), so what is written might rest on "
                "what isn't so any more; watchers need the role mllog_watcher",
                field="place",
                value=self.place,
            )

    def field_types(self, index: str, names: Sequence[str], within: Body) -> dict[str, set[str]]:
        """Types by which fields are mapped in those indices that may have what a query asks for."""
        with explained(self.asked):
            answer = self.client.field_caps(
                index=index, fields=list(names), index_filter=within, ignore_unavailable=True, allow_no_indices=True
            )
        # Where a name begins another one (`t`, `t.2`) 8.19 calls it an object; it has no values of its own.
        return {name: set(types) - {"unmapped", "object", "nested"} for name, types in answer["fields"].items()}


def problem(answer: Mapping[str, Any]) -> str:
    """Why an answer isn't the whole truth; empty where it is."""
    if "error" in answer:
        return f"answered {answer.get('status')}: {reason(answer['error'])}{_remedy(answer['error'])}"
    if answer.get("timed_out"):
        return "the search timed out; its counts are partial"
    shards = answer.get("_shards", {})
    if shards.get("failed"):
        first: Mapping[str, Any] = next(iter(shards.get("failures") or ()), {})
        return (
            f"{shards['failed']} of {shards['total']} shards failed, the first in {first.get('index', 'no index')}; "
            f"counts are partial ({reason(first.get('reason') or {})}){_remedy(first)}"
        )
    return ""


_LASTING: Final = ("illegal_argument_exception", "query_shard_exception", "too_many_buckets_exception")
_GUESSED: Final = "Fielddata is disabled"


def lasting(answer: Mapping[str, Any]) -> bool:
    """Whether what an answer lacks will be lacking the next time too: a field of another type, too many buckets."""
    if "error" in answer:
        return any(kind in str(answer["error"]) for kind in _LASTING)
    failures = answer.get("_shards", {}).get("failures") or ()
    return bool(failures) and all(any(kind in str(one) for kind in _LASTING) for one in failures)


def _remedy(error: Any) -> str:
    """What to do about a field that was mapped by guess."""
    if _GUESSED not in str(error):
        return ""
    return (
        "; events came before the templates: run `mllog setup --elasticsearch URL`, and roll the data stream over "
        "(where it is an index, the setup says so, and what to do)"
    )


def reason(error: Any) -> str:
    """What the server said, in one line; the innermost cause says most."""
    if not isinstance(error, Mapping):
        return str(error)
    inner = error.get("caused_by")
    roots = error.get("root_cause") or error.get("failed_shards")
    if isinstance(inner, Mapping) and inner.get("reason"):
        return reason(inner)
    if roots and isinstance(roots[0], Mapping) and not error.get("reason"):
        return reason(roots[0].get("reason") or roots[0])
    return str(error.get("reason") or error.get("type"))
