"""Where finished lines go: one protocol, four sinks."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from mllog.delivery.plain import MemorySink, StdoutSink
from mllog.delivery.settings import number, variable
from mllog.delivery.spool import SEGMENT_BYTES, Spool
from mllog.errors import SettingError
from mllog.files import NOT_ALLOWED
from mllog.places import Place, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.delivery.lastword import LastWord
    from mllog.shipping.background import Background

__all__ = ["FileSink", "MemorySink", "Sink", "SpoolSink", "StdoutSink", "open_sink"]

SPOOL_FOLDER: Final = "mllog-spool"
SPOOL_BYTES: Final = 4 * 2**30
"""Holds what a thousand events a second come to in half an hour."""
LEAST_SPOOL_BYTES: Final = 10_000
"""Less is taken by the spool's own files."""
CLOSE_SECONDS: Final = 5.0
"""How long :meth:`SpoolSink.close` tries to deliver what is left."""

IDLE_SECONDS: Final = 10.0
"""A delivered segment to which nothing has been written for so long is sealed, so that it can be deleted."""
STALL_SECONDS: Final = 3.0
"""A full spool in which nothing became less for so long is given up by who waits for room at the end."""

LAST_SHARE: Final = 1 / 64
LAST_BYTES: Final = 2**12
"""So much of the bound, and so many bytes at least, are beyond it for what processes say at their end."""

_PARTS: Final = 4
_LOOK_SECONDS: Final = 1.0

_SPOOL_REMEDY: Final = "name a folder for the spool that this process may write to (spool=, MLLOG_SPOOL)"
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

_log: Final = logging.getLogger("mllog")


class Sink(Protocol):
    """Takes lines of JSON. One thread at a time calls it, and never the model's, unless it asked to wait."""

    def start(self, process: str) -> None:
        """Begin a sequence of events; called again in a forked child, which must leave what it inherited."""

    def write(self, lines: bytes) -> None:
        """Take whole lines, all or none.

        Raises:
            OSError: Where they could not be taken; they will be offered again.
        """

    def close(self) -> None:
        """Finish.

        Raises:
            OSError: Where that fails.
        """


class FileSink:
    """A folder of durable segments.

    Args:
        folder: Where; a service that changes its working directory later goes on writing where it began.
        segment_bytes: Size of a segment.
        durable: Sync every write, so that it survives a loss of power.

    Attributes:
        lost: Lines that were written and are gone before they had arrived; see :class:`SpoolSink`.
        part_bytes: What it wants to be given at once, where that matters; one line may be longer.
    """

    part_bytes: int | None = None

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        segment_bytes: int = SEGMENT_BYTES,
        durable: bool = False,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.lost = 0
        self._segment_bytes = segment_bytes
        self._durable = durable
        self._spool: Spool | None = None

    def start(self, process: str) -> None:
        """Begin a folder of this process's own."""
        if self._spool is not None:
            self._spool.leave()
        self.lost = 0
        self._spool = self._begin(process)

    def write(self, lines: bytes) -> None:
        """Append to the open segment."""
        if self._spool is not None:
            self._spool.write(lines)

    def write_last(self, lines: bytes) -> None:
        """The same for what a process says of itself at its end, where there is a bound also beyond that."""
        self.write(lines)

    def look(self) -> None:
        """Count what was removed of what had been written (:attr:`lost`)."""

    def tend(self) -> None:
        """Do what time brings, written to or not; the writer calls it every second or so.

        Raises:
            OSError: Where the disk refuses.
        """
        if self._spool is not None:
            self._spool.tend()

    def makes_room(self) -> bool:
        """Whether what could not be written may soon be, without anybody's help."""
        return False

    def _begin(self, process: str, restore: Callable[[], object] | None = None) -> Spool:
        return Spool(self.folder, process, segment_bytes=self._segment_bytes, durable=self._durable, restore=restore)

    def close(
        self,
        timeout: float | None = None,  # noqa: ARG002 - for those that have to wait
        word: LastWord | None = None,
    ) -> None:
        """Seal the open segment, and leave a last word."""
        if self._spool is not None:
            self._spool.close(word)


class SpoolSink(FileSink):
    """A folder of durable segments that a thread of its own ships to a server.

    The thread begins with the first write, be there room for it or not, and is another one after a fork. Writing never
    waits for the network, and never fails because of it before the folder has reached its bound. What has arrived is
    deleted.

    Where somebody removes the folder, what its open segment held is written again. Sealed segments can't be, nor can an
    open one whose disk takes nothing until :meth:`close`: lines of theirs that hadn't arrived a second before are
    counted (:attr:`lost`).

    Args:
        place: The server.
        folder: The spool; ``mllog-spool/<kind>-<host>-<8 hex of the place>`` where none is given. Several processes
            share it.
        segment_bytes: Size of a segment; not more than a quarter of ``spool_bytes``.
        spool_bytes: Bound of what waits in the folder, dead letters included (they may take a quarter of it). What has
            been delivered of a process's open segment doesn't count, though it is on the disk until the segment is
            full, an hour old, or delivered and idle for :data:`IDLE_SECONDS`. A single event that is larger than
            half of it is taken where half is free. :data:`LAST_SHARE` of it is beyond it, for last events alone.
        durable: Sync every write.

    Raises:
        PlaceError: Where the folder belongs to another destination, or a library is missing.
        SettingError: Where a certificate can't be read, a variable is impossible, or the bound too low.
    """

    def __init__(
        self,
        place: Place,
        folder: str | os.PathLike[str] | None = None,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        spool_bytes: int = SPOOL_BYTES,
        durable: bool = False,
    ) -> None:
        # A logger that ships nothing needs none of these. All of them now: the threads mustn't import anything, since a
        # child that is forked meanwhile inherits the module's lock, and waits for it for ever.
        from mllog.delivery import room  # noqa: F401, PLC0415 - as said
        from mllog.shipping import background, ownership  # noqa: F401, PLC0415 - as said
        from mllog.shipping.destinations import open_destination  # noqa: PLC0415 - as said

        spool_bytes = spool_bound(spool_bytes)
        self._destination = open_destination(place)
        super().__init__(
            folder or Path(SPOOL_FOLDER) / self._destination.key,
            # What has been delivered can be deleted only once its segment is sealed.
            segment_bytes=min(segment_bytes, max(spool_bytes // _PARTS, 1)),
            durable=durable,
        )
        self._spool_bytes = spool_bytes
        # What is larger than all the room there can be would wait for ever.
        self.part_bytes = max(spool_bytes // (2 * _PARTS), 1)
        self._process = ""
        self._background: Background | None = None
        self._forget()
        ownership.check(self.folder, self._destination.name)

    def start(self, process: str) -> None:
        """Begin a folder of this process's own; a forked child leaves the thread and its connections behind."""
        self._process = process
        super().start(process)
        self._background = None
        self._forget()
        self._destination.renew()

    def write(self, lines: bytes) -> None:
        """Append to the open segment.

        Raises:
            OSError: Where the disk refuses, or the folder has reached its bound (``ENOSPC``).
        """
        self._write(lines, self._spool_bytes)

    def write_last(self, lines: bytes) -> None:
        """Append beyond the bound, in a share of it that is kept for this."""
        self._write(lines, self._spool_bytes + max(int(self._spool_bytes * LAST_SHARE), LAST_BYTES))

    def look(self) -> None:
        """Count what was removed before it had arrived (:attr:`lost`)."""
        # The folder is locked: nobody clears it away yet.
        with contextlib.suppress(OSError):
            self._look_for_removed()

    def tend(self) -> None:
        """Seal what is old, or delivered and idle; notice what was removed.

        Raises:
            OSError: Where the disk refuses.
        """
        super().tend()
        spool = self._spool
        if spool is None or not spool.written:
            return
        self._look_for_removed()
        if spool.end[1] and spool.idle >= IDLE_SECONDS and self._position >= spool.end:
            spool.seal()

    def makes_room(self) -> bool:
        """Whether there is no room, and something was delivered within the last :data:`STALL_SECONDS`."""
        return self._full and time.monotonic() - self._less < STALL_SECONDS

    def close(self, timeout: float | None = None, word: LastWord | None = None) -> None:
        """Seal the open segment and try to deliver what is left; what isn't stays for the next process.

        Args:
            timeout: Seconds to try for; :data:`CLOSE_SECONDS` where none is given.
            word: The process's last, for its folder.

        Raises:
            OSError: Where the disk refuses; lines that are lost for that are counted.
        """
        self.look()
        try:
            super().close(word=word)
        except OSError as error:
            self._give_up(error)
            raise
        finally:
            if self._spool is not None:
                # From now on others may ship these, and clear them away: that is no loss.
                self._spool.written.clear()
            background, self._background = self._background, None
            if background is not None:
                background.finish(CLOSE_SECONDS if timeout is None else max(timeout, 0.0))

    def _begin(self, process: str, restore: Callable[[], object] | None = None) -> Spool:
        return super()._begin(process, restore or self._look_for_removed)

    def _forget(self) -> None:
        """Know nothing of the folder."""
        self._claimed = False
        self._bytes = 0
        self._full = False
        self._position = (0, 0)
        self._looked = self._less = float("-inf")

    def _write(self, lines: bytes, bound: int) -> None:
        if self._is_full(len(lines), bound):
            self._full = True
            # What fills it may be what others left, and nobody else may be there to ship it.
            self._ship()
            raise OSError(
                errno.ENOSPC,
                f"the spool has reached its bound of {self._spool_bytes} bytes, since events can't be delivered",
                str(self.folder),
            )
        try:
            if not self._claimed:
                self._claim()
            super().write(lines)
        except OSError as error:
            self._full = error.errno in _NO_ROOM
            if self._full:
                self._ship()
            if error.errno in NOT_ALLOWED:
                raise OSError(error.errno, f"{error.strerror}; {_SPOOL_REMEDY}", error.filename) from None
            raise
        self._full = False
        self._bytes += len(lines)
        self._ship()

    def _claim(self) -> None:
        from mllog.shipping import ownership  # noqa: PLC0415 - as in __init__

        ownership.claim(self.folder, self._destination.name, self._spool_bytes)
        self._claimed = True

    def _ship(self) -> None:
        """Begin to ship, unless that was done."""
        if self._background is not None:
            return
        from mllog.shipping.background import Background  # noqa: PLC0415 - as in __init__

        self._background = Background(
            self.folder, self._process, self._destination, dead_bytes=self._spool_bytes // _PARTS
        )
        self._background.start()

    def _is_full(self, more: int, bound: int) -> bool:
        now = time.monotonic()
        # Others write to the folder, and the shipper delivers and deletes.
        if now - self._looked >= _LOOK_SECONDS or self._bytes + more > bound:
            from mllog.delivery.room import needed_bytes  # noqa: PLC0415 - as in __init__

            before, self._bytes, self._looked = self._bytes, needed_bytes(self.folder), now
            if self._bytes < before or not self._full:
                self._less = now
        # What is larger than half the bound is a single event, which would keep the others until nothing waits.
        return self._bytes + min(more, self._spool_bytes // 2) > bound

    def _look_for_removed(self) -> None:
        """Count the lines of finished segments that are gone though nobody had passed them; and see how far it got.

        One that is missing beside a checkpoint isn't counted here: shippers count it (``missing_segments``).
        """
        spool = self._spool
        if spool is None or not spool.written:
            return
        from mllog.delivery import room  # noqa: PLC0415 - as in __init__

        folder = self.folder / self._process
        finished = [segment for segment in spool.written if segment < spool.end[0]]
        gone = {segment for segment in finished if not (folder / f"{segment:08d}.ndjson").exists()}
        # Asked behind that: what the shipper deleted it had noted before.
        position = room.position(folder, self._destination)
        self._position = max(self._position, position or (0, 0))
        lost = 0
        for segment in finished:
            if segment < self._position[0]:
                del spool.written[segment]
            elif segment in gone and position is None:
                lost += spool.written.pop(segment)
        if lost:
            self.lost += lost
            _log.warning("mllog: %s was removed, and %d events in it that weren't delivered", folder, lost)
        room.claim_again(self.folder, self._destination, self._spool_bytes)

    def _give_up(self, error: OSError) -> None:
        """Count the lines of an open segment that was removed and can't be written again."""
        spool = self._spool
        if spool is None:
            return
        segment, arrived = self._position
        lost = spool.give_up(arrived if segment == spool.end[0] else 0)
        if lost:
            self.lost += lost
            _log.warning(
                "mllog: %d events were lost, their file in %s was removed and can't be written again: %s",
                lost,
                self.folder / self._process,
                error,
            )


def spool_bound(given: float | None = None) -> int:
    """Bytes of a spool: those that were given, else ``MLLOG_SPOOL_BYTES``, else :data:`SPOOL_BYTES`.

    Raises:
        SettingError: Where they are no number, or too few.
    """
    bound = int(number("spool_bytes", given, SPOOL_BYTES))
    if bound < LEAST_SPOOL_BYTES:
        raise SettingError(
            f"spool_bytes {bound}: write a number of bytes, at least {LEAST_SPOOL_BYTES}",
            field="spool_bytes",
            value=bound,
        )
    return bound


def open_sink(
    place: str | Place | os.PathLike[str] | Sink,
    *,
    segment_bytes: int = SEGMENT_BYTES,
    spool: str | os.PathLike[str] | None = None,
    spool_bytes: int | None = None,
    durable: bool = False,
) -> Sink:
    """The sink for a place; nothing is opened or connected to before the first write.

    Args:
        place: A place (:mod:`mllog.places`), a path, or an object of one's own.
        segment_bytes: Size of the spool's files.
        spool: Folder in which events wait until a server has them; only for servers.
        spool_bytes: Bound of that folder; only for servers.
        durable: Sync every write to the disk.

    Raises:
        PlaceError: Where a logger can't write to such a place, or with such a spool.
        SettingError: Where a spool is given for something that isn't a server, or credentials are wrong.
    """
    if isinstance(place, os.PathLike):
        place = Place("file", os.fspath(place))
    if isinstance(place, str):
        place = parse(place)
    if isinstance(place, Place) and place.kind in {"logstash", "elasticsearch"}:
        return SpoolSink(
            place,
            spool or variable("spool"),
            segment_bytes=segment_bytes,
            spool_bytes=spool_bound(spool_bytes),
            durable=durable,
        )
    if spool is not None or spool_bytes is not None:
        name, value = ("spool", spool) if spool is not None else ("spool_bytes", spool_bytes)
        raise SettingError(
            f"{name} {str(value)!r} with a sink that isn't a server: events wait in a spool only on their way to "
            "Logstash or Elasticsearch; leave it out",
            field=name,
            value=value,
        )
    if not isinstance(place, Place):
        if not all(callable(getattr(place, name, None)) for name in ("start", "write", "close")):
            raise SettingError(
                f"sink {place!r}: write a place (a folder, stdout:, logstash+http://host:port), or give an object with "
                "start(), write() and close()",
                field="sink",
                value=place,
            )
        return place
    if place.kind == "stdout":
        return StdoutSink()
    sink = FileSink(place.location, segment_bytes=segment_bytes, durable=durable)
    if (sink.folder / "_spool.json").exists():
        from mllog.shipping import ownership  # noqa: PLC0415 - rare

        ownership.check(sink.folder, None)
    return sink
