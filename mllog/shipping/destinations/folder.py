"""A second folder: the same lines in segments of the same names, on its disk before they count as delivered.

``<folder>/<process>/00000001.ndjson`` holds the good lines of the segment of that name, byte for byte. What a file held
before this shipper came to it is looked at first, whatever a checkpoint says: so nothing is there twice, even where the
checkpoint is gone, is older than the file (power was lost), or could never be kept.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.delivery.locks import WRITER_LOCK, Lock
from mllog.files import append_whole, sync_folder, write_checksum
from mllog.shipping.destinations.base import CHECK_SECONDS, Answer, Check, UnavailableError, canonical, key
from mllog.shipping.destinations.copies import Copy

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        self._locks: dict[str, tuple[Lock, os.stat_result]] = {}
        self._copies: dict[str, tuple[int, Copy]] = {}

    def send(self, batch: Batch) -> Answer:
        """Append the lines and put them on the disk.

        Raises:
            UnavailableError: Where the disk refuses.
        """
        try:
            path = self._path(batch.process, batch.segment)
            begun = path.exists()
            copy = self._copy(path, batch)
            lines = copy.missing([line.data for line in batch.lines])
            if lines:
                _append(path, b"".join(lines))
            copy.added(batch.end)
            if not begun:
                sync_folder(path.parent)
        except OSError as error:
            self._copies.pop(batch.process, None)
            raise UnavailableError(f"{self.folder}: {error.strerror or error}") from None
        return Answer(duplicates=len(batch.lines) - len(lines), asked=True)

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

    def hurry(self, seconds: float, *, altogether: bool = False) -> None:
        """It never keeps anybody waiting."""

    def renew(self) -> None:
        """Locks stay with the parent (:mod:`mllog.delivery.locks`)."""
        self._locks = {}
        self._copies = {}

    def close(self) -> None:
        """Say that nobody writes here any more."""
        for lock, _ in self._locks.values():
            lock.release()
        self._locks.clear()
        self._copies.clear()

    def _path(self, process: str, segment: int) -> Path:
        folder = self.folder / process
        if process in self._locks and not self._is_there(process):
            # Somebody removed it, or put another one in its place: nothing that is known of it holds any more.
            self._forget(process)
        if process not in self._locks:
            while len(self._locks) >= _LOCKS:
                self._forget(next(iter(self._locks)))
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                sync_folder(self.folder)
                sync_folder(self.folder.parent)
            lock = Lock(folder / WRITER_LOCK)
            if not lock.acquire(timeout=1.0):
                raise OSError(f"somebody else writes to {folder}")
            try:
                self._locks[process] = lock, lock.path.stat()
            except OSError:  # removed again
                lock.release()
                raise
        return folder / f"{segment:08d}.ndjson"

    def _is_there(self, process: str) -> bool:
        lock, known = self._locks[process]
        try:
            return os.path.samestat(known, lock.path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _forget(self, process: str) -> None:
        self._copies.pop(process, None)
        self._locks.pop(process)[0].release()

    def _copy(self, path: Path, batch: Batch) -> Copy:
        """What is known of a file; read anew where a batch comes that may have been added to it meanwhile."""
        segment, copy = self._copies.get(batch.process, (0, None))
        if copy is None or segment != batch.segment or not copy.knows(batch.start):
            copy = Copy(path)
            self._copies[batch.process] = batch.segment, copy
        return copy


def _append(path: Path, data: bytes) -> None:
    """Append all of it or nothing, on the disk."""
    fd = os.open(path, _FLAGS, 0o640)
    try:
        append_whole(fd, data, os.fstat(fd).st_size)
    finally:
        os.close(fd)
