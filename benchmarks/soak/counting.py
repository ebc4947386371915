"""What an index holds of what services numbered, asked of the node itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mllog.shipping import inspect

STREAMS: Final = "logs-mllog.*"
PAGE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Held:
    """What is in the data streams.

    Attributes:
        documents: How many.
        ids: How many different ``event.id``; fewer than documents are duplicates.
        numbers: How many different (process, number); each process numbers its events from 1.
        highest: The highest number of each process, summed: what was accepted.
        predictions: How many different ids of predictions.
    """

    documents: int
    ids: int
    numbers: int
    highest: int
    predictions: int


def held(node: Any) -> Held:
    """Look at every document's ids, page by page."""
    node.request("POST", f"/{STREAMS}/_refresh")
    ids: Counter[str] = Counter()
    numbers: set[tuple[str, int]] = set()
    predictions: set[str] = set()
    documents = 0
    after: list[Any] | None = None
    fields = ["event.id", "ml.sequence.process", "ml.sequence.number", "ml.prediction_id"]
    body: dict[str, Any] = {
        "size": PAGE,
        "_source": False,
        "fields": fields,
        "sort": [{"@timestamp": "asc"}, {"event.id": "asc"}],
    }
    while True:
        hits = node.request("POST", f"/{STREAMS}/_search", {**body, **({"search_after": after} if after else {})})
        found = hits["hits"]["hits"]
        if not found:
            break
        after = found[-1]["sort"]
        for hit in found:
            has = hit["fields"]
            documents += 1
            ids[has["event.id"][0]] += 1
            if "ml.sequence.number" in has:
                numbers.add((has["ml.sequence.process"][0], has["ml.sequence.number"][0]))
            predictions.update(has.get("ml.prediction_id", ()))
    highest: dict[str, int] = {}
    for process, number in numbers:
        highest[process] = max(number, highest.get(process, 0))
    return Held(documents, len(ids), len(numbers), sum(highest.values()), len(predictions))


def waiting(spools: Path) -> int:
    """Lines that no server has yet."""
    return sum(status.pending_lines for spool in spools.iterdir() for status in inspect(spool))
