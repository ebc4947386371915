"""Spools as loggers leave them, made in a moment."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any

from mllog.delivery.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable

DATASET = "mllog.prediction.m"


def line(identity: str, *, dataset: str = DATASET, **more: Any) -> bytes:
    """An event as the encoder writes it, line feed included."""
    document = {
        "@timestamp": "2026-11-23T10:00:00.000000Z",
        "data_stream": {"type": "logs", "dataset": dataset, "namespace": "default"},
        "event": {"id": identity, "action": "predict", "dataset": dataset, "outcome": "success"},
        "ml": {"model": {"name": "m", "version": "1"}},
        **more,
    }
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def lines(process: str, count: int, **more: Any) -> list[bytes]:
    """Events of one process, numbered in their ids."""
    return [line(f"{process}-{k}", **more) for k in range(count)]


def spool(
    folder: pathlib.Path, process: str, events: Iterable[bytes], *, segment_bytes: int = 2**20, closed: bool = True
) -> Spool:
    """Write events one by one; ``closed``: the writer has ended in peace."""
    writer = Spool(folder, process, segment_bytes=segment_bytes)
    for event in events:
        writer.write(event)
    if closed:
        writer.close()
    return writer


def read(folder: pathlib.Path) -> list[bytes]:
    """Lines of all processes' segments, in order."""
    return [
        event for path in sorted(folder.glob("[!_]*/*.ndjson")) for event in path.read_bytes().splitlines(keepends=True)
    ]


def moved(folder: pathlib.Path, namespace: str) -> pathlib.Path:
    """A copy of a spool beside it with its events in a namespace, as if nothing of it had been shipped."""
    copy = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))
    for path in folder.rglob("*"):
        if path.suffix in {".ndjson", ".json"} and "_watchers" not in path.parts:
            target = copy / path.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes().replace(b'"namespace":"default"', f'"namespace":"{namespace}"'.encode()))
            # Of two cards of one ruler the one that was saved later counts.
            os.utime(target, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    return copy
