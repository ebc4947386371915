"""Advisory locks between processes (``flock(2)``) that end with their holder, however it ends.

A lock belongs to an open file, which a forked child inherits: unless the child closes it, it holds what its parent
held. So every lock here is known to this module, which closes them in the child. File systems without locks (some
network file systems) are told apart from a lock that somebody else has.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from pathlib import Path
from typing import Any, Final

fcntl: Any = None
with contextlib.suppress(ImportError):  # Windows: nothing is locked there, and nothing forks
    import fcntl

WRITER_LOCK: Final = "writer.lock"
"""In a folder of segments: held for as long as somebody writes to it."""

_held: Final[weakref.WeakSet[Lock]] = weakref.WeakSet()
# Held while a file is opened and not yet in the set, so that no fork falls in between.
_opening = threading.RLock()


class Lock:
    """One lock, free at first.

    Args:
        path: A file, made where there is none; its folder must exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._fd: int | None = None
        self._pid = 0

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._fd is not None

    def acquire(self, *, timeout: float = 0.0) -> bool:
        """Take it.

        Args:
            timeout: Seconds to try for.

        Returns:
            Whether it is held now.

        Raises:
            OSError: Where the file can't be made, or its file system has no locks.
        """
        deadline = time.monotonic() + timeout
        while self._fd is None:
            if self._try():
                break
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.002)
        return True

    def release(self) -> None:
        """Let go of it; the file stays."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        _held.discard(self)
        if self._pid == os.getpid() and fcntl is not None:
            # In words: a child that was forked without our hooks may hold a copy of the file.
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_UN)
        with contextlib.suppress(OSError):
            os.close(fd)

    def note(self, content: bytes, *, sync: bool = True) -> None:
        """Write into the file of a lock that is held, over what stands there.

        Args:
            content: What.
            sync: Whether it is on the disk when this returns.

        Raises:
            OSError: Where the disk refuses.
        """
        if self._fd is not None:
            os.lseek(self._fd, 0, os.SEEK_SET)
            os.write(self._fd, content)
            if sync:
                os.fsync(self._fd)

    def _try(self) -> bool:
        with _opening:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                if fcntl is not None:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Its folder may have been cleared away between our opening and our locking.
                taken = fcntl is None or os.path.samestat(os.fstat(fd), self.path.stat())
            except (BlockingIOError, FileNotFoundError):
                taken = False
            except OSError:
                os.close(fd)
                raise
            if not taken:
                os.close(fd)
                return False
            self._fd, self._pid = fd, os.getpid()
            _held.add(self)
            return True


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Whether somebody holds the lock; also where that can't be found out."""
    if fcntl is None:
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def _after_fork() -> None:
    """Close the copies that this child inherited; its parent's locks stay as they are."""
    global _opening  # noqa: PLW0603 - the parent's may be held by a thread that doesn't exist here
    _opening = threading.RLock()
    for lock in list(_held):
        lock.release()


def _before_fork() -> None:
    _opening.acquire()


def _after_fork_in_parent() -> None:
    _opening.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork)
