"""What stands in the segments of a folder, process by process: one pass over the lines, in bounded memory."""

from __future__ import annotations

import bisect
import contextlib
import datetime as dt
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.delivery.lastword import LastWord
from mllog.delivery.locks import WRITER_LOCK
from mllog.shipping import registry
from mllog.shipping.checkpoint import checkpoints
from mllog.shipping.segments import LINE_BYTES, Segments, processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

LOSSES: Final = ("mllog.dropped", "mllog.rejected", "mllog.sampled_out")

_STEP: Final = 2**25
_BLOCK: Final = 2**20


class Numbers:
    """A set of numbers that are mostly one behind the other, as ranges."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.count = 0
        self.repeated = 0

    def add(self, number: int) -> None:
        """Take one more."""
        starts, ends = self._starts, self._ends
        k = bisect.bisect_right(starts, number) - 1
        if k >= 0 and number <= ends[k]:
            self.repeated += 1
            return
        self.count += 1
        joins_before = k >= 0 and ends[k] == number - 1
        joins_after = k + 1 < len(starts) and starts[k + 1] == number + 1
        if joins_before and joins_after:
            ends[k] = ends.pop(k + 1)
            starts.pop(k + 1)
        elif joins_before:
            ends[k] = number
        elif joins_after:
            starts[k + 1] = number
        else:
            starts.insert(k + 1, number)
            ends.insert(k + 1, number)

    @property
    def first(self) -> int:
        """The least; 0 where there is none."""
        return self._starts[0] if self._starts else 0

    @property
    def last(self) -> int:
        """The greatest; 0 where there is none."""
        return self._ends[-1] if self._ends else 0

    def holes(self, limit: int = 5) -> list[tuple[int, int]]:
        """The first ranges between the least and the greatest that aren't there."""
        return [(end + 1, start - 1) for end, start in zip(self._ends, self._starts[1:], strict=False)][:limit]


@dataclass(slots=True)
class ProcessReading:
    """What one process left in a folder.

    Attributes:
        name: Its folder, and `ml.sequence.process`.
        segments: Files.
        bytes: Bytes of them.
        events: Whole events.
        predictions: Those of them that are predictions or parts of one.
        corrupt: Lines that are no events, by reason.
        broken: Sealed segments that aren't what their checksum says.
        numbers: `ml.sequence.number` of the events.
        losses: Events that it said were dropped, rejected or sampled out; by events, or by its last word.
        lost_at: When it last said so of dropped or rejected ones, seconds since 1970.
        word: Its last word, where its logger was closed.
        closed_at: When that was, seconds since 1970.
        cards: Predictions by model and hash of the ruler (``None``: without a card).
        first: Least event time, seconds since 1970.
        last: Greatest event time.
        ahead: The most that an event's time is ahead of the last change of its file, seconds.
        began: Last change of its oldest segment, seconds since 1970.
        written: Last change of its newest segment.
        removed: Events that were delivered and are here no more.
        whole: Whether its first segment is still here.
        writing: Whether it is still there.
        closed: Whether it ended in order: its last word says so, or without one that its last segment is sealed.
    """

    name: str
    segments: int = 0
    bytes: int = 0
    events: int = 0
    predictions: int = 0
    corrupt: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    numbers: Numbers = field(default_factory=Numbers)
    losses: Counter[str] = field(default_factory=Counter)
    lost_at: float | None = None
    word: LastWord | None = None
    closed_at: float = 0.0
    cards: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    first: float | None = None
    last: float | None = None
    ahead: float = 0.0
    began: float | None = None
    written: float | None = None
    removed: int = 0
    whole: bool = True
    writing: bool = False
    closed: bool = False


def read(folder: Path, tell: Callable[[int, int], object] | None = None) -> list[ProcessReading]:
    """Read all segments of a folder.

    Args:
        folder: Of events, or a spool.
        tell: Called now and then with bytes read and bytes to read.

    Raises:
        OSError: Where one can't be read.
    """
    names = processes(folder)
    total = 0
    for name in names:
        for path in (folder / name).glob("*.ndjson"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
    progress = _Progress(total, tell)
    return [_process(folder / name, progress) for name in names]


@dataclass(slots=True)
class _Position:
    """How far a destination has got: everything before ``offset`` in ``segment``.

    Attributes:
        segment: Number of the segment.
        offset: Bytes.
        dealt: Events before, that were delivered or refused.
        here: Those of them that are still here.
    """

    segment: int
    offset: int
    dealt: int
    here: int = 0


class _Progress:
    def __init__(self, total: int, tell: Callable[[int, int], object] | None) -> None:
        self._total, self._tell = total, tell
        self._done = self._told = 0

    def add(self, size: int) -> None:
        self._done += size
        if self._tell is not None and self._done - self._told >= _STEP:
            self._told = self._done
            self._tell(self._done, max(self._total, self._done))


def _process(folder: Path, progress: _Progress) -> ProcessReading:
    segments = Segments(folder)
    # Asked in this order: what a writer does meanwhile then comes behind its word, and is no reproach.
    reading = ProcessReading(folder.name, writing=segments.is_written())
    word = LastWord.read(folder / WRITER_LOCK)
    positions = [_Position(c.segment, c.offset, c.counts.delivered + c.counts.dead) for c in checkpoints(folder)]
    numbers = segments.numbers()
    last = 0
    for number in numbers:
        # A shipper may delete it at any moment: then it has arrived.
        with contextlib.suppress(FileNotFoundError):
            _segment(reading, segments, number, positions, progress)
            last = number
    reading.whole = not numbers or numbers[0] == 1
    reading.closed = word.closed if word is not None else bool(numbers) and segments.is_sealed(numbers[-1])
    # What a destination has got and isn't before its position any more has been deleted.
    reading.removed = max([position.dealt - position.here for position in positions] + [0])
    # Segments go in their order: while the last one that was read is here, no shipper took those behind it.
    if word is not None and word.closed and (segments.path(last).exists() if last else not numbers):
        _believe(reading, word, folder)
    return reading


def _believe(reading: ProcessReading, word: LastWord, folder: Path) -> None:
    """Take what a process said at its end: it knew more than those events say that are still here."""
    removed = reading.removed
    if not reading.segments:
        # Asked again, since a shipper may have been at it; what it was about to remove it had counted first.
        counts = [checkpoint.counts for checkpoint in checkpoints(folder)]
        removed = max([each.delivered + each.dead + each.corrupt for each in counts] + [0])
        if any(folder.name in entry.folded for entry in registry.entries(folder.parent)):
            return
    try:
        reading.closed_at = (folder / WRITER_LOCK).stat().st_mtime
    except FileNotFoundError:
        return
    reading.word, reading.removed = word, removed
    for name, count in zip(LOSSES, (word.dropped, word.rejected, word.sampled_out), strict=True):
        if count > reading.losses[name]:
            reading.losses[name] = count
            if name in LOSSES[:2]:
                reading.lost_at = max(reading.lost_at or 0.0, reading.closed_at)


def _segment(
    reading: ProcessReading, segments: Segments, number: int, positions: list[_Position], progress: _Progress
) -> None:
    path = segments.path(number)
    began = path.stat().st_mtime
    digest = hashlib.sha256() if segments.is_sealed(number) else None
    size, latest = 0, 0.0
    with path.open("rb", buffering=_BLOCK) as file:
        for piece, line in _lines(file):
            progress.add(len(piece))
            if digest is not None:
                digest.update(piece)
            size += len(piece)
            if line is None:
                continue
            if not line:
                reading.corrupt[f"a line of more than {LINE_BYTES} bytes"] += 1
                continue
            unfinished = not line.endswith(b"\n")
            if unfinished and reading.writing:
                break
            moment = _take(reading, line, unfinished=unfinished)
            if moment is None:
                continue
            latest = max(latest, moment)
            for position in positions:
                position.here += (number, size) <= (position.segment, position.offset)
    written = path.stat().st_mtime
    reading.segments += 1
    reading.bytes += size
    reading.began = began if reading.began is None else min(reading.began, began)
    reading.written = max(reading.written or 0.0, written)
    if latest:
        reading.ahead = max(reading.ahead, latest - written)
    if digest is not None and digest.hexdigest() != _stated(path):
        reading.broken.append(path.name)


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, bytes | None]]:
    """What stands in a file, piece by piece, each with its line; of one that is too long nothing, and then ``None``."""
    while piece := file.readline(LINE_BYTES + 1):
        ends = len(piece) <= LINE_BYTES or piece.endswith(b"\n")
        yield piece, piece if ends else b""
        while not ends and (piece := file.readline(_BLOCK)):
            ends = piece.endswith(b"\n")
            yield piece, None


def _take(reading: ProcessReading, line: bytes, *, unfinished: bool) -> float | None:
    """Count a line; the time of its event, seconds since 1970."""
    if unfinished:
        reading.corrupt["its last line has no end: the writer died in the middle of it"] += 1
        return None
    try:
        event: Any = orjson.loads(line)
        action, ml = event["event"]["action"], event["ml"]
        moment = dt.datetime.fromisoformat(event["@timestamp"]).timestamp()
        number = ml["sequence"]["number"]
    except (ValueError, KeyError, TypeError) as error:
        not_json = isinstance(error, orjson.JSONDecodeError)
        reading.corrupt["not JSON" if not_json else "no event of this logger: parts are missing"] += 1
        return None
    reading.events += 1
    reading.first = moment if reading.first is None else min(reading.first, moment)
    reading.last = moment if reading.last is None else max(reading.last, moment)
    if type(number) is int and number > 0:
        reading.numbers.add(number)
    if action in {"predict", "output", "explain"}:
        reading.predictions += 1
        if "inputs" in ml:
            reading.cards[ml["model"]["name"], ml.get("card")] += 1
    elif action == "ledger":
        metric = ml.get("metric") or {}
        reading.losses[str(metric.get("name"))] += int(metric.get("value") or 0)
        if metric.get("name") in LOSSES[:2]:
            reading.lost_at = max(reading.lost_at or 0.0, moment)
    return moment


def _stated(path: Path) -> str | None:
    try:
        return path.with_name(f"{path.name}.sha256").read_text(encoding="ascii", errors="replace").partition(" ")[0]
    except OSError:
        return None
