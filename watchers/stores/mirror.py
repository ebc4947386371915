"""A folder's documents by the names that they have in Elasticsearch: for who asks a folder what is asked of a cluster.

Events are what the loggers wrote; windows, findings, incidents and runs are made of what the watchers keep beside them,
by the functions that make a cluster's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from mllog.card import ModelCard
from mllog.shipping.dead import FOLDER as DEAD
from mllog.shipping.dead import read as read_letters
from mllog.shipping.destinations.streams import DEAD_LETTERS
from watchers import windows
from watchers.incidents.incident import IncidentEvent, fold
from watchers.profile import WindowProfile
from watchers.stores.elastic.results import Document, Results
from watchers.stores.files import FilesStore

Kind = Literal["event", "window", "finding", "incident", "run"]
"""Keys of :data:`mllog.fields.TABLES`."""

REJECTS: Final = "mllog.reject"
NAMESPACE: Final = "default"
"""Of what stands in a folder without one."""

RUNS: Final = 10_000


def documents(store: FilesStore, kind: Kind, start: dt.datetime, end: dt.datetime) -> Iterator[Document]:
    """Documents of a kind as (index or data stream, id, body).

    Args:
        store: The folder's.
        kind: Which.
        start: Events, windows and findings of whole seconds before it are left out.
        end: And those of whole seconds after it.
    """
    if kind == "event":
        yield from _events(store, start, end)
        yield from _refused(store)
        return
    results = Results(NAMESPACE)
    if kind == "window":
        yield from (results.window(document) for document in _windows(store, start, end))
    elif kind == "finding":
        for model in store.models():
            for finding in store.findings(model):
                if start <= dt.datetime.fromisoformat(finding["window"]["end"]) < end:
                    yield results.finding(model, finding)
    elif kind == "incident":
        changes = map(IncidentEvent.from_dict, store.incident_events())
        yield from map(results.incident, fold(changes).values())
    else:
        yield from map(results.run, store.runs(RUNS))


def _events(store: FilesStore, start: dt.datetime, end: dt.datetime) -> Iterator[Document]:
    """Each once: a batch may have been written twice around a crash."""
    # Times are written alike, so that whole seconds can be compared as text.
    low, high = (moment.astimezone(dt.UTC).isoformat()[:19] for moment in (start, end))
    known: set[str] = set()
    for path in store.event_files(start):
        for line in Path(path).read_bytes().splitlines():
            event = orjson.loads(line)
            name = event["event"]["id"]
            if low <= event["@timestamp"][:19] <= high and name not in known:
                known.add(name)
                yield _stream(event), name, event


def _stream(event: dict[str, Any]) -> str:
    held = event.get("data_stream", {})
    dataset = held.get("dataset") or event["event"].get("dataset") or ""
    return f"logs-{dataset}-{held.get('namespace', NAMESPACE)}"


def _windows(store: FilesStore, start: dt.datetime, end: dt.datetime) -> Iterator[windows.Document]:
    """Those of the newest card of each ruler, as a cluster's."""
    models = set(store.models())
    cards = {(card.model, card.ruler.hash): card for card in store.cards() if card.model in models}
    for card in cards.values():

        def day(low: dt.datetime, of: ModelCard = card) -> list[WindowProfile]:
            return store.stored_profiles(of.model, of.ruler, low, low + windows.DAY)

        # A day's documents stand at its beginning and are there when its last hour is.
        held = store.stored_profiles(card.model, card.ruler, start, end + windows.DAY)
        for document in windows.documents(held, card.ruler, card.totals, day):
            if start <= dt.datetime.fromisoformat(document["@timestamp"]) < end:
                yield document


def _refused(store: FilesStore) -> Iterator[Document]:
    """Lines that are no events, and dead letters of ``mllog ship``."""
    for place, rejects in groupby(store.rejected(), attrgetter("place")):
        path = store.folder / place
        modified = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).isoformat()
        lines = path.read_bytes().split(b"\n")
        for one in rejects:
            original = lines[one.line - 1].decode("utf-8", "replace")
            yield _tombstone(REJECTS, f"{place}:{one.line}", modified, original, "rejected", one.reason)
    for path in sorted((store.folder / DEAD).rglob("*.ndjson")):
        for number, letter in enumerate(read_letters(path)):
            kind, reason = str(letter.get("status") or "refused"), str(letter.get("reason"))
            name = f"{path.stem}:{number}"
            yield _tombstone(DEAD_LETTERS, name, str(letter.get("refused")), letter["original"], kind, reason)


def _tombstone(dataset: str, name: str, when: str, original: str, kind: str, reason: str) -> Document:
    body = {
        "@timestamp": when,
        "data_stream": {"type": "logs", "dataset": dataset, "namespace": NAMESPACE},
        "event": {"id": name, "dataset": dataset, "action": dataset.rpartition(".")[2], "original": original},
        "error": {"type": kind, "message": reason},
    }
    return f"logs-{dataset}-{NAMESPACE}", name, body
