"""What watchers write beside the events: small NDJSON files, replaced whole by an atomic rename."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file; readers see the old content or the new, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Documents of an NDJSON file; none where it isn't there."""
    if not path.exists():
        return []
    return [orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()]


def upsert(path: Path, documents: Sequence[Mapping[str, Any]], *, key: str = "id", keep: bool = False) -> None:
    """Put documents into an NDJSON file by their ``key``; with ``keep`` those that are there stay as they are.

    Two processes that do it at once lose nothing: the second waits for the first.
    """
    with locked(path.with_suffix(".lock")):
        held = {document[key]: document for document in read_lines(path)}
        for document in documents:
            if not (keep and document[key] in held):
                held[document[key]] = dict(document)
        write_atomically(path, b"".join(orjson.dumps(document) + b"\n" for document in held.values()))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two runs don't write at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
