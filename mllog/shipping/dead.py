"""Dead letters: events that a destination refused for good, ``<spool>/_dead/<destination>/<process>.ndjson``.

Each line is a JSON object: ``reason``, ``status``, ``refused`` (when), ``process``, ``segment``, ``offset`` and
``original``, the event's line as a text. ``mllog ship FOLDER --to PLACE --replay-dead`` sends them again; what is taken
then leaves the file, what is refused again stays, and what has been damaged meanwhile is kept in ``_corrupt``.
"""

from __future__ import annotations

import contextlib
import os
import re
from itertools import accumulate, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.delivery.locks import Lock
from mllog.files import append_whole, sync_folder
from mllog.shipping.segments import LINE_BYTES, Line, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mllog.shipping.destinations.base import Refusal
    from mllog.shipping.segments import Batch

FOLDER: Final = "_dead"
_LOCK_SECONDS: Final = 30.0
_REPLAY: Final = ".replay"
_AGAIN: Final = ".again"
_ROUND: Final = re.compile(r"\.r\d+$")
_TAIL: Final = 2 * LINE_BYTES


class DeadLetters:
    """The dead letters of one destination.

    Args:
        spool: Folder of all processes.
        key: The destination's.
        limit: Bytes that they may have; ``None``: what the disk has.
    """

    def __init__(self, spool: Path, key: str, *, limit: int | None = None) -> None:
        self.folder = spool / FOLDER / key
        self._limit = limit

    def keep(self, batch: Batch, refused: Mapping[int, Refusal]) -> int:
        """Append refused lines of a batch; those of one that was sent before aren't kept twice.

        Returns:
            For how many there was no room.

        Raises:
            OSError: Where the disk refuses.
        """
        known = set(self._places(batch.process)) if batch.doubtful else set()
        letters = [
            _letter(batch, batch.lines[k], refusal)
            for k, refusal in sorted(refused.items())
            if (batch.segment, batch.lines[k].offset) not in known
        ]
        fitting = len(letters)
        if self._limit is not None:
            room = self._limit - sum(path.stat().st_size for path in self._files())
            fitting = sum(1 for size in accumulate(map(len, letters)) if size <= room)
        if fitting:
            if not self.folder.is_dir():
                self.folder.mkdir(parents=True, exist_ok=True)
                sync_folder(self.folder.parent)
                sync_folder(self.folder.parent.parent)
            with self._locked():
                append(self.folder / f"{batch.process}.ndjson", b"".join(letters[:fitting]))
        return len(letters) - fitting

    def count(self) -> int:
        """How many there are."""
        return sum(_count_lines(path) for path in self._files())

    def take(self) -> Iterator[Path]:
        """Files of dead letters to be sent again; new ones go to new files meanwhile.

        One that was being replayed when its replay ended comes again.
        """
        if not self.folder.is_dir():
            return
        with self._locked():
            for path in self.folder.glob("*.ndjson"):
                stem = _ROUND.sub("", path.stem)
                free = next(n for n in count(1) if not self._is_taken(f"{stem}.r{n}", path))
                path.rename(path.with_name(f"{stem}.r{free}{_REPLAY}"))
        yield from sorted(self.folder.glob(f"*{_REPLAY}"))

    def begin(self, path: Path) -> None:
        """A file is being replayed: nothing of it was refused again so far."""
        path.with_suffix(_AGAIN).unlink(missing_ok=True)

    def add(self, path: Path, letters: Sequence[Mapping[str, Any]]) -> None:
        """Of a file that is being replayed these are to be kept.

        Raises:
            OSError: Where the disk refuses.
        """
        content = b"".join(orjson.dumps(held, option=orjson.OPT_APPEND_NEWLINE) for held in letters)
        if content:
            append(path.with_suffix(_AGAIN), content)

    def put_back(self, path: Path) -> None:
        """A file has been replayed: what was to be kept takes its place.

        Raises:
            OSError: Where the disk refuses; then it is as before.
        """
        again = path.with_suffix(_AGAIN)
        with self._locked():
            if again.exists():
                again.replace(path)
                path.rename(path.with_suffix(".ndjson"))
            else:
                path.unlink()

    def busy(self) -> Lock | None:
        """The right to replay, which one has at a time; ``None`` where somebody else does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(self.folder / "replay.lock")
        return lock if lock.acquire() else None

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [path for path in self.folder.iterdir() if path.suffix in {".ndjson", _REPLAY}]

    def _is_taken(self, stem: str, mine: Path) -> bool:
        both = (self.folder / f"{stem}.ndjson", self.folder / f"{stem}{_REPLAY}")
        return any(path.exists() and path != mine for path in both)

    def _places(self, process: str) -> Iterator[tuple[int, int]]:
        for path in self._files():
            if path.name.startswith(f"{process}."):
                for held in read(path):
                    if held.get("process") == process:
                        yield _whole(held.get("segment")), _whole(held.get("offset"))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock = Lock(self.folder / "letters.lock")
        if not lock.acquire(timeout=_LOCK_SECONDS):
            raise OSError(f"{self.folder}: somebody else has been writing dead letters for {_LOCK_SECONDS:g} s")
        try:
            yield
        finally:
            lock.release()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The letters in a file; what is none is passed over."""
    return (letter for letter, _ in entries(path) if letter is not None)


def entries(path: Path) -> Iterator[tuple[dict[str, Any] | None, bytes]]:
    """All lines of a file, each with the letter that it is; ``None`` where it is damaged, or half a line at the end."""
    with path.open("rb") as file:
        for raw in file:
            try:
                letter = orjson.loads(raw) if raw.endswith(b"\n") else None
            except orjson.JSONDecodeError:
                letter = None
            known = isinstance(letter, dict) and isinstance(letter.get("original"), str)
            yield (letter if known else None), raw


def line_of(letter: Mapping[str, Any]) -> Line | None:
    """The event in a letter; ``None`` where what it holds is none, or isn't one line."""
    data = letter["original"].encode()
    found = parse(data, _whole(letter.get("offset")))
    return found if isinstance(found, Line) and data.find(b"\n") == len(data) - 1 else None


def renewed(letter: Mapping[str, Any], refusal: Refusal, at: str) -> dict[str, Any]:
    """A letter that was refused once more."""
    return {**letter, "reason": refusal.reason, "status": refusal.status, "refused": at}


def append(path: Path, content: bytes) -> None:
    """Append whole lines, on the disk; half a line that a killed process left is cut off before.

    Raises:
        OSError: Where the disk refuses; nothing is appended then.
    """
    begun = path.exists()
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            tail = os.pread(fd, min(size, _TAIL), max(size - _TAIL, 0))
            size -= len(tail) - (tail.rfind(b"\n") + 1)
            os.ftruncate(fd, size)
        append_whole(fd, content, size)
    finally:
        os.close(fd)
    if not begun:
        sync_folder(path.parent)


def _letter(batch: Batch, line: Line, refusal: Refusal) -> bytes:
    return orjson.dumps(
        {
            "reason": refusal.reason,
            "status": refusal.status,
            "refused": batch.ingested,
            "process": batch.process,
            "segment": batch.segment,
            "offset": line.offset,
            "id": line.id,
            "original": line.data.decode(),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _whole(value: object) -> int:
    """A number of bytes, or of a segment, as a file says it; 0 where it says something else."""
    return value if type(value) is int else 0


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b""))
