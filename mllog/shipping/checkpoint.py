"""How far a destination has got with the segments of one process: a file beside them, ``<destination>.checkpoint``.

It is written by atomic rename, so whoever reads it finds one state or the other. Before a batch is sent, the batch
itself is noted (from where to where, and when it was first read): a shipper that was killed in the middle resends the
same bytes, and knows that they may have arrived.

What survives a loss of power may be older than what was delivered, by a second at most; the events in between are
then sent again, under the same ids.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import orjson

from mllog.delivery.spool import replace, sync_folder

VERSION: Final = 1
ENDING: Final = ".checkpoint"
SYNC_SECONDS: Final = 1.0


@dataclass(slots=True)
class Counts:
    """What became of events, as the one who ships them saw it.

    Attributes:
        delivered: Events that the destination acknowledged, those it had already included.
        duplicates: Those it had already.
        dead: Events that it refused for good; they are kept as dead letters, but for
        lost: those that there was no room for.
        corrupt: Lines that were no events; they are kept aside.
        corrupt_segments: Sealed segments that aren't what their checksum says.
        unasked: Batches resent without knowing what had arrived, since the destination may not be asked.
    """

    delivered: int = 0
    duplicates: int = 0
    dead: int = 0
    lost: int = 0
    corrupt: int = 0
    corrupt_segments: int = 0
    unasked: int = 0

    def add(self, other: Counts) -> None:
        """Count what ``other`` counted too."""
        for field in fields(Counts):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(slots=True)
class Intent:
    """A batch that is being sent: from ``start`` to ``end``, first read at ``ingested``."""

    start: int
    end: int
    ingested: str


@dataclass(slots=True)
class Checkpoint:
    """Everything before ``offset`` in ``segment``, and all segments before it, has been dealt with.

    Attributes:
        path: Its file.
        destination: Whose it is.
        segment: Number of the segment.
        offset: Bytes of it.
        counts: What became of the events before.
        intent: The batch that is being sent.
        last_success: When something was acknowledged, seconds since 1970.
        last_error: Why it last wasn't.
        last_error_at: When that was.
        lost: Whether there was a checkpoint that can't be read any more.
    """

    path: Path
    destination: str
    segment: int = 0
    offset: int = 0
    counts: Counts = None  # type: ignore[assignment]
    intent: Intent | None = None
    last_success: float | None = None
    last_error: str | None = None
    last_error_at: float | None = None
    lost: bool = False
    _synced: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or Counts()

    @classmethod
    def load(cls, path: Path, destination: str) -> Checkpoint:
        """The checkpoint in a file; a fresh one where there is none, or another destination's, or nonsense.

        Fresh means that everything is sent again, under the same ids.
        """
        fresh = cls(path, destination, lost=path.exists())
        try:
            held: Any = orjson.loads(path.read_bytes())
            if held["version"] != VERSION or held["destination"] != destination:
                return fresh
            return cls(
                path,
                destination,
                _count(held["segment"]),
                _count(held["offset"]),
                Counts(**{name: _count(value) for name, value in held["counts"].items()}),
                _intent(held["intent"]),
                *(held[name] for name in ("last_success", "last_error", "last_error_at")),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return fresh

    def save(self, *, sync: bool = False) -> None:
        """Write it; on the disk where ``sync`` says so or the last time was a second ago.

        Raises:
            OSError: Where the disk refuses.
        """
        now = time.monotonic()
        sync = sync or now - self._synced >= SYNC_SECONDS
        content = {
            "version": VERSION,
            "destination": self.destination,
            "segment": self.segment,
            "offset": self.offset,
            "counts": asdict(self.counts),
            "intent": None if self.intent is None else asdict(self.intent),
            "last_success": self.last_success,
            "last_error": self.last_error,
            "last_error_at": self.last_error_at,
        }
        replace(self.path, orjson.dumps(content, option=orjson.OPT_INDENT_2), sync=sync)
        if sync:
            sync_folder(self.path.parent)
            self._synced = now


def checkpoints(folder: Path) -> list[Checkpoint]:
    """All destinations' checkpoints in one process's folder; those that can't be read aren't among them."""
    found = []
    for path in sorted(folder.glob(f"*{ENDING}")):
        try:
            found.append(Checkpoint.load(path, orjson.loads(path.read_bytes())["destination"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value


def _intent(held: Any) -> Intent | None:
    if held is None:
        return None
    intent = Intent(_count(held["start"]), _count(held["end"]), held["ingested"])
    if not isinstance(intent.ingested, str) or intent.end < intent.start:
        raise ValueError(held)
    return intent
