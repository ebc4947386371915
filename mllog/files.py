"""Files that are whole or not there, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""Errors of a disk that somebody has to do something about: trying again won't help."""

CHECKSUM: Final = ".sha256"
"""What the checksum of a file is called, behind the file's name."""


def write_checksum(path: Path, digest: str) -> None:
    """Write the sha256 of a segment beside it, whole or not at all, in the format of ``sha256sum``.

    Raises:
        OSError: Where the disk refuses.
    """
    replace(path.with_name(f"{path.name}{CHECKSUM}"), f"{digest}  {path.name}\n".encode())
    sync_folder(path.parent)


def replace(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Put ``content`` in a file, whole or not at all: written beside it and renamed.

    Args:
        path: The file.
        content: What it then holds.
        sync: Whether it is on the disk before it has its name.

    Raises:
        OSError: Where the disk refuses; the file is then what it was.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def append_whole(fd: int, data: bytes, size: int) -> None:
    """Write all of ``data`` behind ``size`` bytes of a file and put it on the disk, or leave the file as it was.

    Raises:
        OSError: Where the disk refuses.
    """
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    except OSError:
        os.ftruncate(fd, size)
        raise


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, where that can be asked for."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
