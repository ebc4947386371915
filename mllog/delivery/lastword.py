"""The last word of a process: what its logger had counted when it was closed, in the file that its writer locks.

Events alone can't say where a sequence ends: the last ones may be dropped, or be deleted with their segment. The file
has its size from the moment at which the lock is taken, and is only overwritten then, so a full disk has room for it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from pathlib import Path

_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class LastWord:
    """What a process says of itself.

    Attributes:
        closed: Whether its logger was closed, and wrote nothing since; while it wasn't nothing else counts.
        written: Events that the sink took.
        rendered: Events that somebody else delivers.
        dropped: Events that were lost.
        rejected: Events that could not be made.
        sampled_out: Events that sampling left out; they have no number.
    """

    closed: bool = False
    written: int = 0
    rendered: int = 0
    dropped: int = 0
    rejected: int = 0
    sampled_out: int = 0

    @property
    def numbered(self) -> int:
        """The last number that was given to an event."""
        return self.written + self.rendered + self.dropped + self.rejected

    def content(self) -> bytes:
        """What stands in the file, always as long."""
        return orjson.dumps(asdict(self)).ljust(_BYTES - 1) + b"\n"

    @classmethod
    def read(cls, path: Path) -> LastWord | None:
        """The word in a file; ``None`` where there is none that can be read."""
        try:
            with path.open("rb") as file:
                held: Any = orjson.loads(file.read(_BYTES))
            closed = held.pop("closed")
            word = cls(closed is True, **held)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        counts = list(asdict(word).values())[1:]
        return word if all(type(count) is int and count >= 0 for count in counts) else None
