"""A second folder: the same lines in segments of the same names, on its disk before they count as delivered.

``<folder>/<process>/00000001.ndjson`` holds the good lines of the segment of that name, byte for byte. A batch that may
have been written already (the shipper was killed) is looked for at the end of the file, so that nothing is there twice.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.delivery.locks import WRITER_LOCK, Lock
from mllog.delivery.spool import sync_folder, write_checksum
from mllog.shipping.destinations.base import CHECK_SECONDS, Answer, Check, UnavailableError, canonical, key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mllog.places import Place
    from mllog.shipping.destinations.base import Refusal
    from mllog.shipping.segments import Batch

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_LOCKS: Final = 64


class FolderDestination:
    """A folder, as a logger with a file sink would have left it."""

    acknowledges = True
    holds = True

    def __init__(self, place: Place) -> None:
        self.folder = Path(place.location).absolute()
        self.name = canonical(place)
        self.key = key(place)
        self._locks: dict[str, Lock] = {}

    def send(self, batch: Batch) -> Answer:
        """Append the lines and put them on the disk.

        Raises:
            UnavailableError: Where the disk refuses.
        """
        lines = [line.data for line in batch.lines]
        try:
            path = self._path(batch.process, batch.segment)
            begun = path.exists()
            fd = os.open(path, _FLAGS, 0o640)
            try:
                there = _already(fd, lines) if batch.doubtful else 0
                _append(fd, b"".join(lines[there:]))
            finally:
                os.close(fd)
            if not begun:
                sync_folder(path.parent)
        except OSError as error:
            raise UnavailableError(f"{self.folder}: {error.strerror or error}") from None
        return Answer(duplicates=there)

    def bury(self, batch: Batch, refused: Mapping[int, Refusal]) -> None:
        """Nothing is ever refused."""

    def passed(self, process: str, segment: int) -> None:
        """Seal the segment's copy.

        Raises:
            UnavailableError: Where the disk refuses.
        """
        try:
            path = self._path(process, segment)
            if path.exists():
                with path.open("rb") as file:
                    write_checksum(path, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise UnavailableError(f"{self.folder}: {error.strerror or error}") from None

    def check(self, timeout: float = CHECK_SECONDS) -> Check:  # noqa: ARG002 - the protocol's
        """Whether it can be written to."""
        folder = self.folder
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return Check(True, f"{self.folder} can be written to")
        return Check(False, f"{self.folder} can't be written to")

    def hurry(self, seconds: float) -> None:
        """It never keeps anybody waiting."""

    def renew(self) -> None:
        """Locks stay with the parent (:mod:`mllog.delivery.locks`)."""
        self._locks = {}

    def close(self) -> None:
        """Say that nobody writes here any more."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()

    def _path(self, process: str, segment: int) -> Path:
        folder = self.folder / process
        if process not in self._locks:
            while len(self._locks) >= _LOCKS:
                self._locks.pop(next(iter(self._locks))).release()
            folder.mkdir(parents=True, exist_ok=True)
            lock = self._locks[process] = Lock(folder / WRITER_LOCK)
            if not lock.acquire(timeout=1.0):
                del self._locks[process]
                raise OSError(f"somebody else writes to {folder}")
        return folder / f"{segment:08d}.ndjson"


def _append(fd: int, data: bytes) -> None:
    """Append all of it or nothing, on the disk."""
    size = os.fstat(fd).st_size
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    except OSError:
        os.ftruncate(fd, size)
        raise


def _already(fd: int, lines: Sequence[bytes]) -> int:
    """How many of the lines stand at the end of the file; half a line there is cut off."""
    size = os.fstat(fd).st_size
    total = sum(map(len, lines))
    tail = os.pread(fd, total, max(size - total, 0))
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        os.ftruncate(fd, size - (len(tail) - whole))
        tail = tail[:whole]
    last = tail[tail.rfind(b"\n", 0, -1) + 1 :]
    # Ids make lines differ, so one number at most fits.
    n = lines.index(last) + 1 if last in lines else 0
    return n if tail.endswith(b"".join(lines[:n])) else 0
