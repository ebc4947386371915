"""The sinks that keep nothing on a disk: standard output, and a list."""

from __future__ import annotations

import sys


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
