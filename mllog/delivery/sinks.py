"""Where finished lines go: one protocol, three sinks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol

from mllog.delivery.spool import SEGMENT_BYTES, Spool
from mllog.errors import PlaceError
from mllog.places import Place, parse


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
    """A folder of durable segments."""

    def __init__(self, folder: str | os.PathLike[str], *, segment_bytes: int = SEGMENT_BYTES) -> None:
        # A service that changes its working directory later goes on writing where it began.
        self.folder = Path(folder).absolute()
        self._segment_bytes = segment_bytes
        self._spool: Spool | None = None

    def start(self, process: str) -> None:
        """Begin a folder of this process's own."""
        if self._spool is not None:
            self._spool.leave()
        self._spool = Spool(self.folder, process, segment_bytes=self._segment_bytes)

    def write(self, lines: bytes) -> None:
        """Append to the open segment."""
        if self._spool is not None:
            self._spool.write(lines)

    def close(self) -> None:
        """Seal the open segment."""
        if self._spool is not None:
            self._spool.seal()


class StdoutSink:
    """Standard output, for containers whose platform collects it."""

    def start(self, process: str) -> None:
        """Nothing to begin."""

    def write(self, lines: bytes) -> None:
        """Write and flush."""
        stream = sys.stdout
        buffer = getattr(stream, "buffer", None)
        if buffer is None:
            stream.write(lines.decode())
        else:
            buffer.write(lines)
        stream.flush()

    def close(self) -> None:
        """Standard output isn't ours to close."""


class MemorySink:
    """A list of lines, for tests."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def start(self, process: str) -> None:  # noqa: ARG002 - the protocol's
        """Forget what a parent process logged."""
        self.lines = []

    def write(self, lines: bytes) -> None:
        """Keep them."""
        self.lines += lines.splitlines()

    def close(self) -> None:
        """Nothing to finish."""


def open_sink(place: str | Place | os.PathLike[str] | Sink, *, segment_bytes: int = SEGMENT_BYTES) -> Sink:
    """The sink for a place; nothing is opened before the first write.

    Raises:
        PlaceError: Where a logger can't write to such a place.
    """
    if isinstance(place, os.PathLike):
        place = Place("file", os.fspath(place))
    if isinstance(place, str):
        place = parse(place)
    if not isinstance(place, Place):
        return place
    if place.kind == "file":
        return FileSink(place.location, segment_bytes=segment_bytes)
    if place.kind == "stdout":
        return StdoutSink()
    raise PlaceError(
        f"sink {str(place)!r}: a logger writes to a folder or to stdout:, so that no network stands "
        "between a model and its answer; write to a folder and forward that",
        field="sink",
        value=str(place),
    )
