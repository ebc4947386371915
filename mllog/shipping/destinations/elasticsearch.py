"""Elasticsearch itself: pre-serialised ``_bulk`` requests that create each event once, item by item accounted for.

``create`` with ``_id`` = ``event.id`` makes a second copy a 409, which is as good as a 201. That holds within one
backing index: after a rollover the same id would be taken again (elastic/elasticsearch#44794). So a batch that may have
arrived already is first looked up by its ids in the whole data stream (refresh and search), where the role allows that;
where it doesn't (403), the batch is sent all the same and counted as ``unasked``.

Only data streams are written to (``require_data_stream``, since 8.13): where no template makes one, events wait, and
don't make an index whose fields have the types of chance and which no later setup can turn into a data stream.

Item by item it is decided whether an event is there, never will be, or waits, since something is wrong with the
cluster, the data stream or the role and not with the event (:mod:`mllog.shipping.destinations.verdicts`).

``event.ingested`` is the time at which the batch was first read. It is kept in the checkpoint, so a resend is the same
bytes. See https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk.
"""

from __future__ import annotations

import time
import urllib.parse
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.elastic.blocks import block_remedy
from mllog.elastic.cards import CARDS, VERSIONED, card_document
from mllog.elastic.mappings import mapping
from mllog.fields import TABLES
from mllog.shipping.destinations import streams
from mllog.shipping.destinations.base import (
    CHECK_SECONDS,
    Answer,
    Check,
    Refusal,
    TooLargeError,
    UnavailableError,
    canonical,
    key,
)
from mllog.shipping.destinations.halves import Halves
from mllog.shipping.destinations.http import Client, Response
from mllog.shipping.destinations.verdicts import CLUSTER, types, verdict
from mllog.shipping.destinations.waiting import Streams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mllog.places import Place
    from mllog.shipping.segments import Batch, Line

ORIGINAL_BYTES: Final = 2**20
"""So much of a dead letter is sent to Elasticsearch; the spool's folder has all of it."""

_BULK: Final = (
    "/_bulk?require_data_stream=true&filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,"
    "items.*.error.caused_by.type,items.*.error.caused_by.reason"
)
_UNKNOWN: Final = "request [/_bulk] contains unrecognized parameter"
"""How a server before 8.13 begins: nothing is wrong with the events."""
_REMEMBERED: Final = 10_000

_REMEDIES: Final = {
    "requires a data stream": "run mllog setup --elasticsearch URL there: it makes their templates, and they arrive",
    "is not a data stream": "events came before the templates; mllog setup --check says what to do with that index",
}
"""By what the server says where an event isn't taken by a data stream."""


class ElasticsearchDestination:
    """A cluster, by one of its nodes.

    Args:
        place: The node.
        parallel: Send the halves of a long batch at the same time, which a node with more than one core takes faster.

    Raises:
        SettingError: Where a certificate or a variable is wrong.
    """

    acknowledges = True
    holds = True

    def __init__(self, place: Place, *, parallel: bool = False) -> None:
        self.name = canonical(place)
        self.key = key(place)
        self._client = Client(place, most=2 if parallel else 1)
        self._halves = Halves(self._send) if parallel else None
        # By stream, when it last took an event; by id, when one first failed for what may be its own fault.
        self._worked: dict[str, float] = {}
        self._failed: dict[str, float] = {}
        self._streams = Streams()

    def send(self, batch: Batch) -> Answer:
        """Create the events of a batch.

        Raises:
            UnavailableError: Where the request as a whole wasn't taken.
            TooLargeError: Where it was refused for its size or for one line in it.
        """
        return self._send(batch) if self._halves is None else self._halves.send(batch)

    def _send(self, batch: Batch) -> Answer:
        refused: dict[int, Refusal] = {}
        fitting: list[int] = []
        for k, line in enumerate(batch.lines):
            reason = streams.problem(line)
            if reason is None:
                fitting.append(k)
            else:
                refused[k] = Refusal(reason)
        there: set[str] = set()
        asked = unasked = False
        if batch.doubtful and fitting:
            known = self._existing([batch.lines[k] for k in fitting])
            asked, unasked = known is not None, known is None
            there = known or set()
        wanted = [k for k in fitting if batch.lines[k].id not in there]
        duplicates = len(fitting) - len(wanted)
        if not wanted:
            return Answer(refused, duplicates=duplicates, unasked=unasked, asked=asked or not fitting)
        body = b"".join(part for k in wanted for part in _create(batch.lines[k], batch.ingested))
        answer = self._client.request("POST", _BULK, body, content_type="application/x-ndjson")
        items = self._items(answer, len(body), len(wanted))
        verdicts = [verdict(item) for item in items]
        now = time.monotonic()
        names = [streams.stream(batch.lines[k]) for k in wanted]
        done = {name for name, said in zip(names, verdicts, strict=True) if said == "done"}
        self._worked |= dict.fromkeys(done, now)
        waiting = {name for name, said in zip(names, verdicts, strict=True) if said in {"wait", "failed", "unclear"}}
        spent = self._streams.answered(done, waiting, now)
        retry: list[int] = []
        suspect: list[int] = []
        unclear = False
        problem: str | None = None
        for k, name, item, said in zip(wanted, names, items, verdicts, strict=True):
            if said == "done":
                duplicates += item["status"] == 409
                continue
            alone = said in {"failed", "unclear"} and self._is_alone(batch.lines[k], now)
            if said == "refused" or (said == "unclear" and alone):
                refused[k] = Refusal(self._reason(item), item["status"])
                continue
            if name in spent:
                reason = f"{self._reason(item)}; set aside, while {name} took nothing and other data streams did"
                refused[k] = Refusal(reason, item["status"])
                continue
            retry.append(k)
            problem = problem or f"Elasticsearch answered {item['status']} for some events: {self._reason(item)}"
            if alone:
                suspect.append(k)
            unclear = unclear or (said in {"failed", "unclear"} and not alone)
        return Answer(
            refused,
            retry,
            duplicates=duplicates,
            unasked=unasked,
            retry_after=answer.retry_after,
            problem=problem,
            suspect=suspect,
            unclear=unclear,
            asked=asked,
        )

    def _is_alone(self, line: Line, now: float) -> bool:
        """Whether its stream has taken another event since this one first failed, or beside it."""
        if len(self._failed) >= _REMEMBERED:
            self._failed.clear()
        since = self._failed.setdefault(line.id, now)
        return self._worked.get(streams.stream(line), float("-inf")) >= since

    def bury(self, batch: Batch, refused: Mapping[int, Refusal]) -> None:
        """Write dead letters to ``logs-mllog.deadletter-<namespace>``; that they can't be stops nothing."""
        body = b"".join(_tombstone(batch.lines[k], refusal, batch.ingested) for k, refusal in refused.items())
        try:
            self._client.request("POST", _BULK, body, content_type="application/x-ndjson")
        except UnavailableError:
            return

    def passed(self, process: str, segment: int) -> None:
        """Nothing to do."""

    def check(self, timeout: float = CHECK_SECONDS) -> Check:
        """Ask for the cluster's health; a role that may only write answers 403, which is as good."""
        try:
            answer = self._client.request("GET", "/_cluster/health?filter_path=status", seconds=timeout)
        except UnavailableError as problem:
            return Check(False, str(problem))
        if answer.status == 403:
            return Check(True, f"{self.name} answers; this role may not ask for its health", answer.date)
        if answer.status != 200:
            return Check(False, str(self._client.refused(answer)), answer.date)
        health = _object(answer.data).get("status")
        if health is None:
            return Check(False, f"{self.name} answers, but not as Elasticsearch does", answer.date)
        return Check(True, f"{self.name} answers: {health}", answer.date)

    def take_card(self, path: Path) -> None:
        """Keep a card in the index of cards; one of the same ruler that was saved later stays there.

        Raises:
            UnavailableError: Where it isn't kept.
            OSError: Where the file can't be read.
        """
        name, version, body = card_document(path)
        there = self._client.request("HEAD", f"/{CARDS}")
        if there.status == 404:
            # Where nobody has set templates up, each name in a card would become a field.
            made = self._client.request("PUT", f"/{CARDS}", orjson.dumps({"mappings": mapping(TABLES["card"])}))
            if made.status not in {200, 400}:  # 400: somebody was faster
                raise self._client.refused(made, hint=" (made the index of cards)")
        versioned = f"version={version}&version_type={VERSIONED}"
        answer = self._client.request("PUT", f"/{CARDS}/_doc/{urllib.parse.quote(name)}?{versioned}", body)
        if answer.status not in {200, 201, 409}:
            raise self._client.refused(answer, hint=" (kept a card)")

    def hurry(self, seconds: float, *, altogether: bool = False) -> None:
        """Wait no longer than that for an answer from now on."""
        self._client.hurry(seconds, altogether=altogether)

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._client.renew()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _items(self, answer: Response, size: int, expected: int) -> list[dict[str, Any]]:
        """What became of each line, in order; whatever the answer says of them all."""
        if answer.status == 413:
            raise TooLargeError(f"Elasticsearch takes no {size} bytes at once (413)", 413)
        document = _object(answer.data)
        if answer.status == 400 and isinstance(document.get("error"), dict):
            # Its own words, not a proxy's: something in the body makes it refuse all of it.
            error = document["error"]
            if CLUSTER.intersection(types(error)) or str(error.get("reason")).startswith(_UNKNOWN):
                raise UnavailableError(f"Elasticsearch refuses a request: {self._reason(document)}", doubtful=False)
            raise TooLargeError(f"Elasticsearch refuses a request: {self._reason(document)}", 400)
        if answer.status != 200:
            raise self._client.refused(answer)
        items = document.get("items")
        if not isinstance(items, list):
            raise self._unreadable("_bulk")
        found = [held for item in items if (held := _outcome(item)) is not None]
        if len(found) < len(items):
            raise self._unreadable("_bulk")
        if len(found) != expected:
            raise UnavailableError(f"{self.name} said what became of {len(found)} events, and was sent {expected}")
        return found

    def _unreadable(self, what: str) -> UnavailableError:
        return UnavailableError(f"{self.name} answered 200 with something that is no answer to {what}", hopeless=True)

    def _existing(self, lines: Sequence[Line]) -> set[str] | None:
        """Which ids are there, in any backing index; ``None`` where this role may not ask."""
        by_stream: dict[str, list[str]] = defaultdict(list)
        for line in lines:
            by_stream[streams.stream(line)].append(line.id)
        found: set[str] = set()
        for name, ids in by_stream.items():
            path = f"/{urllib.parse.quote(name)}"
            refreshed = self._client.request("POST", f"{path}/_refresh?ignore_unavailable=true")
            if refreshed.status == 404:
                continue  # there is no such stream yet
            if refreshed.status == 403:
                return None
            if refreshed.status != 200:
                raise self._client.refused(refreshed, hint=" (asked what has arrived)")
            shards = _object(refreshed.data).get("_shards")
            if not isinstance(shards, dict):
                raise self._unreadable("_refresh")
            if shards.get("failed"):
                raise UnavailableError(f"{self.name} can't say what has arrived: shards of {name} failed")
            query = {
                "query": {"ids": {"values": ids}},
                "size": 2 * len(ids),
                "_source": False,
                "track_total_hits": False,
            }
            answer = self._client.request(
                "POST",
                f"{path}/_search?ignore_unavailable=true&allow_partial_search_results=false&filter_path=hits.hits._id",
                orjson.dumps(query),
            )
            if answer.status == 403:
                return None
            if answer.status == 404:
                continue
            if answer.status != 200:
                raise self._client.refused(answer, hint=" (asked what has arrived)")
            # filter_path leaves out what is empty.
            hits = _object(answer.data).get("hits", {})
            hits = hits.get("hits", []) if isinstance(hits, dict) else None
            if not isinstance(hits, list) or not all(isinstance(hit, dict) and "_id" in hit for hit in hits):
                raise self._unreadable("_search")
            found |= {hit["_id"] for hit in hits}
        return found

    def _reason(self, item: Mapping[str, Any]) -> str:
        error = item.get("error")
        if not isinstance(error, dict):
            return f"status {item.get('status')}"
        cause = error.get("caused_by")
        parts = [error.get("type"), error.get("reason"), cause.get("reason") if isinstance(cause, dict) else None]
        text = self._client.scrub(": ".join(str(part) for part in parts if part))
        remedy = next((remedy for said, remedy in _REMEDIES.items() if said in text), "") or block_remedy(text)
        return f"{text.rstrip(';')}; {remedy}" if remedy else text


def stamped(line: Line, ingested: str) -> bytes:
    """The line with ``event.ingested``, which one that has it already keeps."""
    if line.stamped:
        return line.data
    head = streams.head_of(line.data)
    if head is not None:
        return b'%b"ingested":"%b",%b' % (line.data[:head], ingested.encode(), line.data[head:])
    document = orjson.loads(line.data)
    document["event"]["ingested"] = ingested
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _create(line: Line, ingested: str) -> tuple[bytes, bytes]:
    action = {"create": {"_index": streams.stream(line), "_id": line.id}}
    return orjson.dumps(action, option=orjson.OPT_APPEND_NEWLINE), stamped(line, ingested)


def _tombstone(line: Line, refusal: Refusal, ingested: str) -> bytes:
    namespace = streams.namespace(line) if streams.is_namespace(streams.namespace(line)) else "default"
    event = orjson.loads(line.data)
    ml = event.get("ml")
    model = ml.get("model") if isinstance(ml, dict) else None
    document: dict[str, Any] = {
        "@timestamp": ingested,
        "data_stream": {"type": "logs", "dataset": streams.DEAD_LETTERS, "namespace": namespace},
        "event": {
            "id": line.id[: streams.ID_LENGTH],
            "action": "deadletter",
            "dataset": streams.DEAD_LETTERS,
            "ingested": ingested,
            "original": line.data[:ORIGINAL_BYTES].decode("utf-8", "replace").rstrip("\n"),
        },
        "error": {"type": str(refusal.status or "refused"), "message": refusal.reason},
    }
    if isinstance(model, dict):
        known = {name: model[name] for name in ("name", "version") if isinstance(model.get(name), str)}
        document["ml"] = {"model": known}
    action = {"create": {"_index": f"logs-{streams.DEAD_LETTERS}-{namespace}"}}
    if streams.problem(line) is None:
        action["create"]["_id"] = line.id
    return orjson.dumps(action) + b"\n" + orjson.dumps(document) + b"\n"


def _outcome(item: object) -> dict[str, Any] | None:
    """What an item says of its event; ``None`` where it says nothing."""
    held = next(iter(item.values()), None) if isinstance(item, dict) else None
    return held if isinstance(held, dict) and type(held.get("status")) is int else None


def _object(data: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
