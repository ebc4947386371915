"""Which lines stand in a file already: asked once for what it held before, from memory where none of them does.

Of each line 8 bytes are remembered, so memory is bounded by the size of a segment (64 MiB: 2 MB). A line that may be
there by them is looked for in the file itself, from where the last one was found: what is sent again comes in order,
so all of it takes one reading.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_BLOCK: Final = 2**20


class Copy:
    """One file of whole lines, to which this process alone appends; half a line at its end is cut off.

    Args:
        path: The file; it may not be there yet.

    Raises:
        OSError: Where it can't be read, or be cut.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._end = 0
        self._hashes = array("q")
        if not path.exists():
            return
        size, hashes = 0, []
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    size += len(line)
                    hashes.append(hash(line))
        if size < path.stat().st_size:
            os.truncate(path, size)
        self._hashes = array("q", sorted(hashes))

    def knows(self, start: int) -> bool:
        """Whether nothing from ``start`` on, in bytes of the segment, has been added since the file was read."""
        return start >= self._end

    def added(self, end: int) -> None:
        """All before ``end``, in bytes of the segment, is there now."""
        self._end = end

    def missing(self, lines: Sequence[bytes]) -> list[bytes]:
        """Those of the lines that weren't there when the file was read.

        Raises:
            OSError: Where it can't be read.
        """
        there = self._found({line for line in lines if self._maybe(line)})
        return [line for line in lines if line not in there]

    def _maybe(self, line: bytes) -> bool:
        value = hash(line)
        k = bisect_left(self._hashes, value)
        return k < len(self._hashes) and self._hashes[k] == value

    def _found(self, wanted: set[bytes]) -> set[bytes]:
        found: set[bytes] = set()
        if not wanted:
            return found
        with self._path.open("rb", buffering=_BLOCK) as file:
            for begin, end in ((self._at, None), (0, self._at)):
                file.seek(begin)
                at = begin
                for line in file:
                    if end is not None and at >= end:
                        break
                    at += len(line)
                    if line in wanted:
                        found.add(line)
                        if len(found) == len(wanted):
                            self._at = at
                            return found
        return found
