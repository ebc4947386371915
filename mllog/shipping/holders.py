"""Who holds a shipper's lock: its holder writes that into the file, which the lock itself doesn't care for."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sign(path: Path) -> None:
    """Write this process into a lock's file, for :func:`holder`; on a full disk it stays as it is."""
    with contextlib.suppress(OSError):
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")


def holder(path: Path) -> str:
    """Who wrote into a lock's file last, in words."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "another process"
    except OSError:
        return "another process"
