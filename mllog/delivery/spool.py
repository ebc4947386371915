"""Durable segments: ``<folder>/<process>/00000001.ndjson``, one JSON event a line and nothing else.

The writer only appends. A segment that is full or old is *sealed*: synced to disk, its sha256 written beside
it (the format of ``sha256sum``), and the next one begun. Readers may read the open segment too, up to its
last line feed. While somebody writes, ``<folder>/<process>/writer.lock`` is locked, so that readers can tell a
writer that has died from one that is silent. Whoever closes in order leaves its last word there
(:mod:`mllog.delivery.lastword`).

What survives what: a line is the operating system's when :meth:`Spool.write` returns, so it survives the end of
the process, ``kill -9`` too. It survives a loss of power once its segment is sealed (64 MiB, an hour, or the end
of the process), or, with ``durable``, at once: every write is then synced (``fdatasync(2)``), which costs what the
disk needs for that (docs/reference/shipping.md has figures).

A segment that somebody removes while it is written to is noticed at the next write: its link count is 0 then
(``fstat(2)``). What is written from then on goes to a new file, in a new folder where need be.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.delivery.lastword import LastWord
from mllog.delivery.locks import WRITER_LOCK, Lock
from mllog.files import sync_folder, write_checksum

if TYPE_CHECKING:
    from collections.abc import Callable

SEGMENT_BYTES: Final = 64 * 2**20
SEGMENT_SECONDS: Final = 3600.0
"""Ending of the file beside a sealed segment."""

_LOCK_SECONDS: Final = 0.1
_ATTEMPTS: Final = 3
_BLOCK: Final = 2**20

_log: Final = logging.getLogger("mllog")


class Spool:
    """Segments of one process.

    Args:
        folder: Where all processes spool; made with the first write.
        process: Name of the folder in it.
        segment_bytes: Size at which a segment is sealed.
        segment_seconds: Age at which it is.
        durable: Sync every write.
        restore: Write an open segment again that somebody removed, since its lines are still on their way, and call
            this before. Without it they had arrived, and who removed them wanted them gone.

    Attributes:
        written: Lines in each segment of this object's, by its number.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        process: str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
        durable: bool = False,
        restore: Callable[[], object] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.process = process
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._durable = durable
        self._restore = restore
        self.written: dict[int, int] = {}
        self._lock = Lock(self.folder / process / WRITER_LOCK)
        self._number = 0
        self._fd: int | None = None
        self._path = Path()
        self._size = 0
        self._opened = 0.0
        self._changed = 0.0
        self._linked = False
        self._digest = self._before = hashlib.sha256()

    @property
    def end(self) -> tuple[int, int]:
        """Number of the open segment and its bytes; of the next one and 0 where none is open."""
        return (self._number, self._size) if self._fd is not None else (self._number + 1, 0)

    @property
    def idle(self) -> float:
        """Seconds since the last write."""
        return time.monotonic() - self._changed

    def write(self, lines: bytes) -> None:
        """Append whole lines; after an error none of them is there.

        Raises:
            OSError: Where the disk refuses.
        """
        if self._fd is not None and self._size and self._is_full(len(lines)):
            self.seal()
        if self._fd is None:
            self._open()
        self._append_or_follow(lines)
        # Asked behind the write: so nothing that was taken went to a file that was gone by then.
        if self._is_removed():
            self._write_again(lines)
        self._changed = time.monotonic()
        if self._restore is not None:
            self.written[self._number] = self.written.get(self._number, 0) + lines.count(b"\n")

    def tend(self) -> None:
        """Do what time brings: seal a segment that has become old, notice that one was removed.

        Raises:
            OSError: Where the disk refuses.
        """
        if self._fd is None or not self._size:
            return
        if self._restore is not None and self._is_removed():
            self._rebuild()
        if self._is_full(0):
            self.seal()

    def seal(self) -> None:
        """Close the open segment, if there is one, and write its checksum beside it.

        Raises:
            OSError: Where the disk refuses.
        """
        if self._is_removed():
            if self._restore is None or not self._size:
                self._abandon()
                return
            self._rebuild()
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        write_checksum(self._path, self._digest.hexdigest())

    def close(self, word: LastWord | None = None) -> None:
        """Seal the open segment, and say that nobody writes here any more (until the next write).

        Args:
            word: What to leave behind that.

        Raises:
            OSError: Where the disk refuses.
        """
        try:
            self.seal()
        finally:
            if word is not None:
                with contextlib.suppress(OSError):
                    self._lock.note(word.content())
            self._lock.release()

    def give_up(self, start: int) -> int:
        """Let go of an open segment that was removed and that :meth:`close` could not write again.

        Args:
            start: Bytes of it that had arrived.

        Returns:
            Lines behind them; none where it wasn't removed, or nobody wants it restored.
        """
        fd = self._fd
        if fd is None or self._restore is None or not self._is_removed():
            return 0
        lines, at = 0, start
        with contextlib.suppress(OSError):
            while at < self._size and (block := os.pread(fd, min(_BLOCK, self._size - at), at)):
                lines += block.count(b"\n")
                at += len(block)
        self.written.pop(self._number, None)
        self._fd = None
        with contextlib.suppress(OSError):
            os.close(fd)
        return lines

    def leave(self) -> None:
        """Let go of an inherited segment without touching it, in a forked child."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)
        self._lock.release()

    def _is_full(self, more: int) -> bool:
        return self._size + more > self._segment_bytes or time.monotonic() - self._opened > self._segment_seconds

    def _open(self) -> None:
        folder = self.folder / self.process
        self._take_folder(folder)
        # Counted first: where the name is taken, the next attempt takes the next one.
        self._number += 1
        path = folder / f"{self._number:08d}.ndjson"
        self._fd = _create(path)
        # Some file systems count no links at all.
        self._linked = os.fstat(self._fd).st_nlink > 0
        self._path = path
        self._size = 0
        self._opened = time.monotonic()
        self._digest = hashlib.sha256()
        if self._durable:
            sync_folder(folder)

    def _take_folder(self, folder: Path) -> None:
        """Make the folder and lock it; a shipper may be clearing away what it held before."""
        for _ in range(_ATTEMPTS):
            folder.mkdir(parents=True, exist_ok=True)
            if self._lock.held:
                return
            try:
                if self._lock.acquire(timeout=_LOCK_SECONDS):
                    # Not synced: it takes back a former word, and has room for the next one.
                    with contextlib.suppress(OSError):
                        self._lock.note(LastWord().content(), sync=False)
                    return
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in {errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK}:
                    raise
                return  # no locks here: readers then never take the writer for dead
        raise OSError(errno.EAGAIN, "somebody is clearing this folder away", str(folder))

    def _append_or_follow(self, lines: bytes) -> None:
        begun = self._size > 0
        try:
            self._append(lines)
        except OSError:
            if not begun or self._fd is not None:
                raise
            # A new file may be written to where this one has reached its limit (EFBIG) or its last block.
            self._open()
            self._append(lines)

    def _append(self, lines: bytes) -> None:
        fd = self._fd
        if fd is None:
            raise OSError(f"no segment could be opened in {self.folder}")
        view = memoryview(lines)
        try:
            while view:
                view = view[os.write(fd, view) :]
            if self._durable:
                _sync_data(fd)
        except OSError:
            self._take_back(fd, touched=len(view) < len(lines))
            raise
        self._size += len(lines)
        if self._restore is not None:
            # It may have to be taken back.
            self._before = self._digest.copy()
        self._digest.update(lines)

    def _take_back(self, fd: int, *, touched: bool) -> None:
        """Undo half a write; the segment is then done with.

        A reader may have seen, and passed, what is cut off here: what came behind it in the same file would be
        taken for read. So a segment that was written to is sealed, or removed where it is empty, and an untouched
        empty one is kept for the next attempt (or a full disk would collect empty files).
        """
        if not touched and not self._size:
            return
        if touched:
            try:
                os.ftruncate(fd, self._size)
            except OSError:
                # Half a line stays: readers set it aside. Without a checksum nobody takes it for whole.
                self._fd = None
                os.close(fd)
                return
        if self._size:
            with contextlib.suppress(OSError):
                self.seal()
            return
        self._fd = None
        os.close(fd)
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _is_removed(self) -> bool:
        """Whether the open segment can't be found any more; one that was only moved is still its owner's."""
        if self._fd is None:
            return False
        now = os.fstat(self._fd)
        if self._restore is None:
            return self._linked and now.st_nlink == 0
        # Shippers look where it was.
        try:
            return not os.path.samestat(now, self._path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False

    def _write_again(self, lines: bytes) -> None:
        """Lines went to a file that somebody removed: they go to one that is there."""
        if self._restore is None:
            self._abandon()
            self._open()
            self._append(lines)
            return
        try:
            self._rebuild()
        except OSError:
            # They will be offered again; what stood before them waits in the nameless file.
            self._size -= len(lines)
            self._digest = self._before
            if self._fd is not None:
                os.ftruncate(self._fd, self._size)
            raise

    def _abandon(self) -> None:
        """Let go of a segment that was removed, and of a lock that nobody can see any more."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
        self._lock.release()
        _log.warning("mllog: %s was removed while it was written to; a new file is begun", self._path)

    def _rebuild(self) -> None:
        """Write a segment that was removed again, byte for byte and under its name: shippers know how far they got.

        Raises:
            OSError: Where the disk refuses; all is then as it was.
        """
        old = self._fd
        if old is None or self._restore is None:
            return
        self._restore()
        self._lock.release()
        self._take_folder(self._path.parent)
        try:
            new = _create(self._path)
        except FileExistsError:  # somebody else's: then under the next name
            self.written[self._number + 1] = self.written.pop(self._number, 0)
            self._number += 1
            self._path = self._path.with_name(f"{self._number:08d}.ndjson")
            new = _create(self._path)
        digest = hashlib.sha256()
        try:
            at = 0
            while at < self._size and (block := os.pread(old, min(_BLOCK, self._size - at), at)):
                view = memoryview(block)
                while view:
                    view = view[os.write(new, view) :]
                digest.update(block)
                at += len(block)
            if self._durable:
                os.fsync(new)
                sync_folder(self._path.parent)
        except OSError:
            os.close(new)
            with contextlib.suppress(OSError):
                self._path.unlink()
            raise
        os.close(old)
        self._fd, self._digest = new, digest
        _log.warning("mllog: %s was removed before all of it had arrived; it is written again", self._path)


def _create(path: Path) -> int:
    # Others may read events (they ship them), nobody else may write. Read here alone, should its name be lost.
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)


def _sync_data(fd: int) -> None:
    getattr(os, "fdatasync", os.fsync)(fd)
