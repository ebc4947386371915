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

from mllog.shipping.checkpoint import checkpoints
from mllog.shipping.segments import Segments, processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOSSES: Final = ("mllog.dropped", "mllog.rejected", "mllog.sampled_out")

_STEP: Final = 2**25


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
        losses: Events that it said were dropped, rejected or sampled out.
        lost_at: When it last said so of dropped or rejected ones, seconds since 1970.
        cards: Predictions by model and hash of the ruler (``None``: without a card).
        first: Least event time, seconds since 1970.
        last: Greatest event time.
        ahead: The most that an event's time is ahead of the last change of its file, seconds.
        began: Last change of its oldest segment, seconds since 1970.
        written: Last change of its newest segment.
        removed: Events that were delivered and are here no more.
        whole: Whether its first segment is still here.
        writing: Whether it is still there.
        closed: Whether it ended in order: its last segment is sealed.
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
    reading = ProcessReading(folder.name, writing=segments.is_written())
    positions = [_Position(c.segment, c.offset, c.counts.delivered + c.counts.dead) for c in checkpoints(folder)]
    numbers = segments.numbers()
    for number in numbers:
        # A shipper may delete it at any moment: then it has arrived.
        with contextlib.suppress(FileNotFoundError):
            _segment(reading, segments, number, positions, progress)
    reading.whole = not numbers or numbers[0] == 1
    reading.closed = bool(numbers) and segments.is_sealed(numbers[-1])
    # What a destination has got and isn't before its position any more has been deleted.
    reading.removed = max([position.dealt - position.here for position in positions] + [0])
    return reading


def _segment(
    reading: ProcessReading, segments: Segments, number: int, positions: list[_Position], progress: _Progress
) -> None:
    path = segments.path(number)
    began = path.stat().st_mtime
    digest = hashlib.sha256() if segments.is_sealed(number) else None
    size, latest = 0, 0.0
    with path.open("rb", buffering=2**20) as file:
        for line in file:
            progress.add(len(line))
            if digest is not None:
                digest.update(line)
            size += len(line)
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
