"""What watchers write beside the events: small NDJSON files, replaced whole by an atomic rename."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from mllog.errors import StoreError


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
    """Documents of an NDJSON file, each with an ``id``; none where it isn't there.

    Such files are replaced whole, so a line that a kill cut short can't be in them: one that is broken is somebody
    else's work, and passing over it would let the next write drop what it said.

    Raises:
        StoreError: A line is no document.
    """
    if not path.exists():
        return []
    lines = enumerate(path.read_bytes().splitlines(), 1)
    return [_document(path, number, line) for number, line in lines if line.strip()]


def _document(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        why = f"isn't JSON ({error.msg}, column {error.colno})"
    else:
        if isinstance(document, dict) and isinstance(document.get("id"), str):
            return document
        why = "is no document with an id"
    raise StoreError(
        f"{path}: line {number} {why}; the watchers write this file whole, so something else has changed it: take it "
        "from a backup, or delete that line, and what it said is gone"
    )


def read_object(path: Path, otherwise: str, needs: Collection[str] = ()) -> dict[str, Any] | None:
    """The object of a JSON file that is replaced whole; None where it isn't there.

    Args:
        path: The file.
        otherwise: What follows from deleting it, where it is broken.
        needs: Fields that it can't be without.

    Raises:
        StoreError: It is no JSON object, or has no such field.
    """
    try:
        held = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError as error:
        why = f"isn't JSON ({error.msg}, line {error.lineno}, column {error.colno})"
    else:
        if isinstance(held, dict) and held.keys() >= set(needs):
            return held
        why = f"has no field {min(set(needs) - held.keys())!r}" if isinstance(held, dict) else "is no object"
    raise StoreError(
        f"{path}: it {why}; the watchers write this file whole, so something else has changed it: take it from a "
        f"backup. Or delete it: then {otherwise}"
    )


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


def rewrite_without(path: Path, ids: Collection[str], *, key: str = "id") -> None:
    """Take documents out of an NDJSON file."""
    gone = set(ids)
    if gone and path.exists():
        with locked(path.with_suffix(".lock")):
            kept = [document for document in read_lines(path) if document[key] not in gone]
            write_atomically(path, b"".join(orjson.dumps(document) + b"\n" for document in kept))


def append(path: Path, document: Mapping[str, Any], *, at_most: int) -> None:
    """Add a line to an NDJSON file, on the disk when this returns; of twice ``at_most`` lines the newer half stays.

    A line that a kill cut short is ended first, so that it spoils no other.
    """
    with locked(path.with_suffix(".lock")):
        new = not path.exists()
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                cut = file.read(1) != b"\n"
            else:
                cut = False
            file.write((b"\n" if cut else b"") + orjson.dumps(document) + b"\n")
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        if new:
            _sync_folder(path.parent)
        # Most lines are no shorter than 100 bytes: below that many nobody needs to count.
        if size > 200 * at_most:
            lines = path.read_bytes().splitlines(keepends=True)
            if len(lines) >= 2 * at_most:
                write_atomically(path, b"".join(lines[-at_most:]))


def read_appended(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """The last documents of such a file, or all; lines that a kill cut short are none."""
    found = []
    if path.exists():
        for line in path.read_bytes().splitlines()[-limit if limit else None :]:
            with suppress(orjson.JSONDecodeError):
                found.append(orjson.loads(line))
    return found


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
