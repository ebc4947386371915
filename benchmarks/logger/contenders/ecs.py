"""Elastic's ecs-logging: the standard library's logging with its StdlibFormatter."""

from __future__ import annotations

import logging
from pathlib import Path

import ecs_logging

from benchmarks.logger.contenders import stdlib


class Ecs:
    """One FileHandler."""

    def __init__(self, folder: Path) -> None:
        self._handler = logging.FileHandler(folder / "events.ndjson", encoding="utf-8")
        self._handler.setFormatter(ecs_logging.StdlibFormatter())
        stdlib.use(self._handler)
        self.call = stdlib.call
        self.read = stdlib.read

    def flush(self) -> None:
        """FileHandler flushes each record."""

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
