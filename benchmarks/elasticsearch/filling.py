"""How events get into the node: by the product's shipper, or as they are, by bulk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

from benchmarks.elasticsearch.meters import Bench, Cost
from mllog.events import dataset
from mllog.shipping.destinations import open_destination
from mllog.shipping.shipper import Shipper

BATCH: Final = 2_000
_STAMP: Final = b'"@timestamp":"'
_DATE: Final = len("2026-03-02")


def stream(model: str, namespace: str) -> str:
    """The data stream of a model's predictions."""
    return f"logs-{dataset('prediction', model)}-{namespace}"


def ship(bench: Bench, spool: Path) -> Cost:
    """What it costs to bring a spool into the node, by the product's shipper."""
    with bench.measured() as cost:
        shipper = Shipper(spool, open_destination(bench.place), give_up=120.0)
        shipper.run()
    if shipper.problem is not None:
        raise SystemExit(f"shipping failed: {shipper.problem}")
    bench.settle()
    return cost


def bulk(bench: Bench, index: str, lines: Iterable[bytes]) -> int:
    """Send documents as they are, each under an id of the node's; how many."""
    head, sent = b'{"create":{}}', 0
    rest = iter(lines)
    while batch := list(islice(rest, BATCH)):
        operations: list[Any] = [part for line in batch for part in (head, line.rstrip(b"\n"))]
        answer = bench.client.bulk(index=index, operations=cast("Any", operations), filter_path="errors,items.*.error")
        if answer["errors"]:
            raise SystemExit(f"{index} refused: {str(answer['items'])[:500]}")
        sent += len(batch)
    return sent


def dated(lines: Iterable[bytes], day: dt.date) -> Iterator[bytes]:
    """The same events of another day."""
    date = day.isoformat().encode()
    for line in lines:
        at = line.index(_STAMP) + len(_STAMP)
        yield line[:at] + date + line[at + _DATE :]
