"""Holds sealed segments against their checksums, before the first line of them is sent.

That is one reading from beginning to end for each segment; what is sent then comes from the system's cache. A segment
that is not what was written goes aside whole: nobody can say which of its lines are true. Where the checksum itself
can't be read its lines are sent, each of which is looked at anyway, and a copy is kept aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mllog.shipping.segments import Seal, Segments

REASONS: Final = {
    "altered": "it isn't what its checksum says",
    "unreadable": "its checksum can't be read, so nobody can tell whether it is what was written",
}
"""Of seals that are none."""


class Seals:
    """Remembers what came of it for one segment, until that is touched.

    Args:
        segments: Of one process.
    """

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._known: tuple[object, ...] = ()
        self._seal: Seal = "open"

    def look(self, number: int) -> Seal:
        """Whether a segment is what its checksum says."""
        if not self._segments.is_sealed(number):
            return "open"
        try:
            now = self._segments.path(number).stat()
        except FileNotFoundError:
            return "open"
        identity = (number, now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)
        if identity != self._known:
            self._seal, self._known = self._segments.seal(number), identity
        return self._seal
