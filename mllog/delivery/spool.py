"""Durable segments: ``<folder>/<process>/00000001.ndjson``, one JSON event a line and nothing else.

The writer only appends. A segment that is full or old is *sealed*: synced to disk, its sha256 written beside
it (the format of ``sha256sum``), and the next one begun. Readers may read the open segment too, up to its
last line feed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import Final

SEGMENT_BYTES: Final = 64 * 2**20
SEGMENT_SECONDS: Final = 3600.0


class Spool:
    """Segments of one process.

    Args:
        folder: Where all processes spool; made with the first write.
        process: Name of the folder in it.
        segment_bytes: Size at which a segment is sealed.
        segment_seconds: Age at which it is.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        process: str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
    ) -> None:
        self.folder = Path(folder)
        self.process = process
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._number = 0
        self._fd: int | None = None
        self._path = Path()
        self._size = 0
        self._opened = 0.0
        self._digest = hashlib.sha256()

    def write(self, lines: bytes) -> None:
        """Append whole lines; after an error none of them is there.

        Raises:
            OSError: Where the disk refuses.
        """
        if self._fd is None or (self._size and self._is_full(len(lines))):
            self.seal()
            self._open()
        fd = self._fd
        if fd is None:
            raise OSError(f"no segment could be opened in {self.folder}")
        view = memoryview(lines)
        try:
            while view:
                view = view[os.write(fd, view) :]
        except OSError:
            self._take_back(fd)
            raise
        self._size += len(lines)
        self._digest.update(lines)

    def seal(self) -> None:
        """Close the open segment, if there is one, and write its checksum beside it.

        Raises:
            OSError: Where the disk refuses.
        """
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        checksum = self._path.with_name(f"{self._path.name}.sha256")
        checksum.write_text(f"{self._digest.hexdigest()}  {self._path.name}\n", encoding="utf-8")

    def leave(self) -> None:
        """Let go of an inherited segment without touching it, in a forked child."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)

    def _is_full(self, more: int) -> bool:
        return (
            self._size + more > self._segment_bytes or time.monotonic() - self._opened > self._segment_seconds
        )

    def _open(self) -> None:
        folder = self.folder / self.process
        folder.mkdir(parents=True, exist_ok=True)
        # Counted first: where the name is taken, the next attempt takes the next one.
        self._number += 1
        path = folder / f"{self._number:08d}.ndjson"
        # Others may read events (they ship them), nobody else may write.
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._path = path
        self._size = 0
        self._opened = time.monotonic()
        self._digest = hashlib.sha256()

    def _take_back(self, fd: int) -> None:
        """Undo half a write. Where even that fails the segment is left as it is, and a new one is begun."""
        try:
            os.ftruncate(fd, self._size)
        except OSError:
            self.leave()
