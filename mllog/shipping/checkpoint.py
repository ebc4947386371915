"""How far a destination has got with the segments of one process: a file beside them, ``<destination>.checkpoint``.

It is written by atomic rename, so whoever reads it finds one state or the other. Before a batch is sent, the batch
itself is noted (from where to where, and when it was first read): a shipper that was killed in the middle resends the
same bytes, and knows that they may have arrived.

What survives a loss of power may be older than what was delivered, by a second at most; the events in between are
then sent again, under the same ids. So a checkpoint says whether it is the last word (``settled``): it is *settled*
where its shipper closed it and nothing behind it was sent. The first one that a shipper writes isn't, and is on the
disk before anything is sent (:mod:`mllog.shipping.doubt`).

Its ``checksum`` is that of everything else in it. A file without one was written by an older version, and is believed
where it can be right.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import math
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import orjson

from mllog.files import replace, sync_folder
from mllog.shipping.held import count_of, moment_of, numbers_of, place_of, ranges, text_of
from mllog.shipping.positions import impossible
from mllog.shipping.segments import Segments

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
        missing_segments: Segments that were deleted before they had been delivered, or before the rest of them had.
        restarts: Checkpoints that couldn't be right, so that everything there was sent again.
    """

    delivered: int = 0
    duplicates: int = 0
    dead: int = 0
    lost: int = 0
    corrupt: int = 0
    corrupt_segments: int = 0
    unasked: int = 0
    missing_segments: int = 0
    restarts: int = 0

    def add(self, other: Counts) -> None:
        """Count what ``other`` counted too."""
        for count in fields(Counts):
            setattr(self, count.name, getattr(self, count.name) + getattr(other, count.name))


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
        failing: Whether that was behind the last success: clocks may go back, and don't tell.
        lost: Whether there was a checkpoint that can't be read any more, or can't be right.
        why: What is wrong with it, where it is lost.
        known: Numbers of the segments that were seen and not passed, ascending.
        settled: Whether nothing behind it, and behind the batch that is being sent, was sent.
        doubt: Up to which segment, and byte of it, anything may have been sent, since a former checkpoint was lost.
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
    failing: bool = False
    lost: bool = False
    why: str = ""
    known: list[int] = field(default_factory=list)
    settled: bool = True
    doubt: tuple[int, int] | None = None
    _synced: float = -math.inf
    _file: bytes | None = None
    _on_disk: bool = False

    def __post_init__(self) -> None:
        self.counts = self.counts or Counts()

    @classmethod
    def load(cls, path: Path, destination: str) -> Checkpoint:
        """The checkpoint in a file; a fresh one where there is none, or one that can't be right.

        Fresh means that everything is sent again, under the same ids. A checkpoint can't be right that isn't what its
        checksum says, that is another destination's, whose values aren't of their types, that is past the end of the
        segments beside it, or in the middle of a line: whoever believed it would skip events.
        """
        try:
            content = path.read_bytes()
            held: Any = orjson.loads(content)
            stated = held.pop("checksum", None)
            if stated is not None and stated != _checksum(held):
                return cls(path, destination, lost=True, why="it isn't what its checksum says")
            if held["version"] != VERSION:
                return cls(path, destination, lost=True, why=f"its version is {held['version']!r}")
            if held["destination"] != destination:
                return cls(path, destination, lost=True, why=f"it is that of {held['destination']!r}")
            found = cls(
                path,
                destination,
                count_of(held["segment"]),
                count_of(held["offset"]),
                counts_of(held["counts"]),
                _intent(held["intent"]),
                moment_of(held["last_success"]),
                text_of(held["last_error"]),
                moment_of(held["last_error_at"]),
                held.get("failing", (held["last_error_at"] or 0.0) > (held["last_success"] or 0.0)) is True,
                known=numbers_of(held.get("known", [])),
                settled=held.get("settled") is True,
                doubt=place_of(held.get("doubt")),
                _file=content,
                _on_disk=held.get("settled") is True,
            )
        except (FileNotFoundError, NotADirectoryError):
            return cls(path, destination)
        except OSError as error:
            return cls(path, destination, lost=True, why=f"it can't be read: {error.strerror or error}")
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(path, destination, lost=True, why="it is no checkpoint: its values aren't what they should be")
        why = impossible(found)
        return found if why is None else cls(path, destination, lost=True, why=why)

    def see(self, ahead: list[int]) -> int:
        """Remember the segments that are to be shipped; of those that were, how many are gone.

        Numbers alone don't tell: a writer on a full disk leaves some out. A last segment of which something was shipped
        may have been shipped to its end, and deleted for that.
        """
        here = set(ahead)
        gone = [number for number in self.known if number >= self.segment and number not in here]
        if not ahead and self.offset:
            gone = [number for number in gone if number > self.segment]
        self.known = ahead
        # One in which nothing stands yet may go with its writer.
        with contextlib.suppress(OSError):
            if ahead and not Segments(self.path.parent).path(ahead[-1]).stat().st_size:
                self.known = ahead[:-1]
        return len(gone)

    def save(self, *, sync: bool = False) -> None:
        """Write it; on the disk where ``sync`` says so, the last time was a second ago, or it is the first time.

        What stands there already isn't written again.

        Raises:
            OSError: Where the disk refuses.
        """
        now = time.monotonic()
        sync = sync or now - self._synced >= SYNC_SECONDS
        held = {
            "version": VERSION,
            "destination": self.destination,
            "segment": self.segment,
            "offset": self.offset,
            "counts": asdict(self.counts),
            "intent": None if self.intent is None else asdict(self.intent),
            "last_success": self.last_success,
            "last_error": self.last_error,
            "last_error_at": self.last_error_at,
            "failing": self.failing,
            "known": ranges(self.known),
            "settled": self.settled,
            "doubt": self.doubt,
        }
        content = orjson.dumps({**held, "checksum": _checksum(held)}, option=orjson.OPT_INDENT_2)
        if content == self._file and (self._on_disk or not sync):
            return
        self._file, self._on_disk = None, False
        replace(self.path, content, sync=sync)
        if sync:
            sync_folder(self.path.parent)
            self._synced = now
        self._file, self._on_disk = content, sync


def checkpoints(folder: Path) -> list[Checkpoint]:
    """All destinations' checkpoints in one process's folder; those that can't be read aren't among them."""
    found = []
    for path in sorted(folder.glob(f"*{ENDING}")):
        try:
            found.append(Checkpoint.load(path, orjson.loads(path.read_bytes())["destination"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def counts_of(held: Any) -> Counts:
    """Counts from a file.

    Raises:
        ValueError: Where one of them is no number of events.
        TypeError: Where they aren't counts.
    """
    return Counts(**{name: count_of(value) for name, value in held.items()})


def _intent(held: Any) -> Intent | None:
    if held is None:
        return None
    intent = Intent(count_of(held["start"]), count_of(held["end"]), held["ingested"])
    # It goes into events, and a store would refuse them all for a time that is none.
    dt.datetime.fromisoformat(intent.ingested)
    if intent.end < intent.start:
        raise ValueError(held)
    return intent


def _checksum(held: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(held, option=orjson.OPT_SORT_KEYS)).hexdigest()
