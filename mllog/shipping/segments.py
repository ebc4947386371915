"""Reads the segments that a process spooled, from a position on, in batches of whole lines.

The format is that of :mod:`mllog.delivery.spool`. Every line is looked at before it is given to anybody: an event is a
JSON object with a text ``event.id``; whatever else stands in a segment is *corrupt*: skipped past, named with its
reason, and never given to a destination. Sealed segments are held against their checksum before anything of them is
given to anybody (:mod:`mllog.shipping.seals`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, NamedTuple

import orjson

from mllog.delivery.locks import WRITER_LOCK, is_locked
from mllog.files import CHECKSUM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LINE_BYTES: Final = 32 * 2**20
"""Longest line that can be an event; a longer one is corrupt, so that memory stays bounded."""

YIELD_LINES: Final = 8
FOREIGN_SECONDS: Final = 10.0
"""A half line whose writer keeps no lock is given so long to be finished."""

Seal = Literal["intact", "altered", "unreadable", "open"]
"""Whether a segment is what its checksum says; ``unreadable``: its checksum is none, ``open``: it has none yet."""

_SEGMENT: Final = re.compile(r"(\d{8,})\.ndjson")
_DIGEST: Final = re.compile(rb"([0-9a-f]{64})  ")
_BLOCK: Final = 2**20


class Line(NamedTuple):
    """One event as it was spooled.

    Attributes:
        data: The line, line feed included.
        offset: Where it begins in its segment, in bytes.
        id: ``event.id``.
        dataset: ``event.dataset``, where it is a text.
        namespace: ``data_stream.namespace``, where it is a text.
        stamped: Whether it has an ``event.ingested`` already.
    """

    data: bytes
    offset: int
    id: str
    dataset: str | None = None
    namespace: str | None = None
    stamped: bool = False


@dataclass(frozen=True, slots=True)
class Corrupt:
    """A part of a segment that is no event: adjacent lines with one reason."""

    offset: int
    length: int
    reason: str
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive lines of one segment.

    Attributes:
        process: Whose they are.
        segment: Number of the segment.
        start: Where the batch begins, in bytes.
        end: Where it ends: what is before has been read, corrupt parts included.
        lines: The events.
        corrupt: What was no event.
        ingested: When the batch was first read, ISO 8601; the same for every attempt to send it.
        doubtful: Whether it may have arrived already.
    """

    process: str
    segment: int
    start: int
    end: int
    lines: Sequence[Line]
    corrupt: Sequence[Corrupt] = ()
    ingested: str = ""
    doubtful: bool = False

    def part(self, lines: Sequence[Line], *, doubtful: bool) -> Batch:
        """Some of its lines."""
        return replace(self, lines=lines, corrupt=(), doubtful=doubtful)


class Segments:
    """The segments of one process.

    Args:
        folder: ``<spool>/<process>``.
        breathe: Called every few lines, where a model wants to have the interpreter meanwhile.
    """

    def __init__(self, folder: Path, *, breathe: Callable[[], object] | None = None) -> None:
        self.folder = folder
        self._breathe = breathe

    def numbers(self) -> list[int]:
        """Numbers of the segments that are there, ascending."""
        return numbers(self.folder)

    def path(self, number: int) -> Path:
        """The file of a segment."""
        return self.folder / f"{number:08d}.ndjson"

    def is_sealed(self, number: int) -> bool:
        """Whether its writer finished it."""
        return self.path(number).with_name(f"{self.path(number).name}{CHECKSUM}").exists()

    def is_written(self) -> bool:
        """Whether somebody may still append; where nobody keeps a lock, recent changes count."""
        lock = self.folder / WRITER_LOCK
        if lock.exists():
            return is_locked(lock)
        found = self.numbers()
        if not found or self.is_sealed(found[-1]):
            return False
        try:
            return time.time() - self.path(found[-1]).stat().st_mtime < FOREIGN_SECONDS
        except OSError:
            return True

    def read(self, number: int, start: int, *, max_bytes: int, max_lines: int, finished: bool) -> Batch | None:
        """The next lines of a segment.

        Args:
            number: The segment.
            start: Where to begin, in bytes.
            max_bytes: Bound of the batch; one line may be longer.
            max_lines: Bound of the batch.
            finished: Nobody appends to it any more, so a last line without an end is corrupt.

        Returns:
            The batch; ``None`` where no whole line stands behind ``start``.

        Raises:
            OSError: Where it can't be read.
        """
        with self.path(number).open("rb") as file:
            file.seek(start)
            data = file.read(max_bytes)
            cut = data.rfind(b"\n") + 1
            if not cut and len(data) == max_bytes:
                data, corrupt = _long_line(file, data, start)
                if corrupt is not None:
                    return self._batch(number, start, (), (corrupt,))
                cut = data.rfind(b"\n") + 1
        if not cut:
            if not data or not finished:
                return None
            corrupt = Corrupt(start, len(data), "its last line has no end: the writer died in the middle of it")
            return self._batch(number, start, (), (corrupt,))
        lines: list[Line] = []
        bad: list[Corrupt] = []
        for raw in self._split(data, cut, max_lines):
            offset = start + raw.start()
            found = parse(raw.group(), offset)
            if isinstance(found, Line):
                lines.append(found)
            elif bad and bad[-1].reason == found.reason and bad[-1].offset + bad[-1].length == offset:
                last = bad.pop()
                bad.append(Corrupt(last.offset, last.length + found.length, last.reason, last.lines + 1))
            else:
                bad.append(found)
        return self._batch(number, start, lines, bad)

    def seal(self, number: int) -> Seal:
        """Whether a segment is what its checksum says; it is read to its end for that."""
        path = self.path(number)
        try:
            digest = _DIGEST.match(path.with_name(f"{path.name}{CHECKSUM}").read_bytes())
            if digest is None:
                return "unreadable"
            with path.open("rb") as file:
                fits = hashlib.file_digest(file, "sha256").hexdigest() == digest[1].decode()
        except FileNotFoundError:
            return "open"
        return "intact" if fits else "altered"

    def count(self, number: int, start: int, end: int | None = None) -> int:
        """Lines of a segment between two positions, in bytes; half a line at its end is one too.

        Raises:
            OSError: Where it can't be read.
        """
        lines, at, last = 0, start, b"\n"
        with self.path(number).open("rb") as file:
            file.seek(start)
            while block := file.read(_BLOCK if end is None else min(_BLOCK, max(end - at, 0))):
                lines += block.count(b"\n")
                at += len(block)
                last = block[-1:]
        return lines + (last != b"\n")

    def is_half_line(self, at: tuple[int, int], last: int) -> bool:
        """Whether all that is behind a position is a line that its writer hasn't finished.

        Args:
            at: Number of a segment, and bytes of it.
            last: Number of the last segment.
        """
        if at[0] != last or not self.is_written():
            return False
        with contextlib.suppress(FileNotFoundError), self.path(last).open("rb") as file:
            file.seek(at[1])
            return not any(b"\n" in block for block in iter(lambda: file.read(_BLOCK), b""))
        return True

    def _split(self, data: bytes, cut: int, max_lines: int) -> Iterator[re.Match[bytes]]:
        for k, match in enumerate(re.finditer(rb"[^\n]*\n", data[:cut])):
            if k >= max_lines:
                return
            if self._breathe is not None and k % YIELD_LINES == YIELD_LINES - 1:
                self._breathe()
            yield match

    def _batch(self, number: int, start: int, lines: Sequence[Line], corrupt: Sequence[Corrupt]) -> Batch:
        ends = [lines[-1].offset + len(lines[-1].data)] if lines else []
        ends += [corrupt[-1].offset + corrupt[-1].length] if corrupt else []
        return Batch(self.folder.name, number, start, max(ends), lines, corrupt)


def numbers(folder: Path) -> list[int]:
    """Numbers of the segments in a folder, ascending; none where there is no folder."""
    try:
        names = {entry.name for entry in os.scandir(folder)}
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [int(match[1]) for name in names if (match := _SEGMENT.fullmatch(name))]
    return sorted(number for number in found if f"{number:08d}.ndjson" in names)


def processes(spool: Path) -> list[str]:
    """Names of the processes that have spooled; folders that begin with ``_`` or ``.`` are something else's."""
    try:
        with os.scandir(spool) as entries:
            return sorted(entry.name for entry in entries if entry.name[0] not in "_." and entry.is_dir())
    except FileNotFoundError:
        return []


def parse(data: bytes, offset: int) -> Line | Corrupt:
    """The event in a line, or why there is none."""
    try:
        document: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return Corrupt(offset, len(data), f"not JSON: {error.msg}" if data.strip() else "an empty line")
    event = document.get("event") if isinstance(document, dict) else None
    if not isinstance(event, dict):
        return Corrupt(offset, len(data), "no JSON object with an event in it")
    identity, dataset = event.get("id"), event.get("dataset")
    if not isinstance(identity, str) or not identity:
        return Corrupt(offset, len(data), "no event.id")
    stream = document.get("data_stream")
    namespace = stream.get("namespace") if isinstance(stream, dict) else None
    return Line(
        data,
        offset,
        identity,
        dataset if isinstance(dataset, str) else None,
        namespace if isinstance(namespace, str) else None,
        "ingested" in event,
    )


def _long_line(file: BinaryIO, data: bytes, start: int) -> tuple[bytes, Corrupt | None]:
    """Read on to the next line feed, which may be far; what is longer than a line may be isn't kept in memory."""
    parts, size = [data], len(data)
    while size <= LINE_BYTES:
        block = file.read(_BLOCK)
        feed = block.find(b"\n") + 1
        parts.append(block[:feed] if feed else block)
        size += len(parts[-1])
        if feed or not block:
            return b"".join(parts), None
    while block := file.read(_BLOCK):
        feed = block.find(b"\n") + 1
        size += feed or len(block)
        if feed:
            break
    return b"", Corrupt(start, size, f"a line of more than {LINE_BYTES} bytes")
