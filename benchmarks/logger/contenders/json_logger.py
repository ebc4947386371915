"""python-json-logger with each of its encoders, to a file, or behind a QueueHandler."""

from __future__ import annotations

import importlib
import logging
import logging.handlers
import queue as queues
from pathlib import Path

from benchmarks.logger.contenders import stdlib

FORMATTERS = {"json": "JsonFormatter", "orjson": "OrjsonFormatter", "msgspec": "MsgspecFormatter"}


class JsonLogger:
    """One FileHandler with a formatter of python-json-logger."""

    def __init__(self, folder: Path, *, encoder: str, queue: bool = False) -> None:
        module = importlib.import_module(f"pythonjsonlogger.{encoder}")
        self._handler = logging.FileHandler(folder / "events.ndjson", encoding="utf-8")
        self._handler.setFormatter(getattr(module, FORMATTERS[encoder])(timestamp=True))
        self._queue: queues.Queue[logging.LogRecord] | None = None
        self.call = stdlib.call
        self.read = stdlib.read
        if queue:
            self._queue = queues.Queue()
            self._listener = logging.handlers.QueueListener(self._queue, self._handler)
            self._listener.start()
            stdlib.use(logging.handlers.QueueHandler(self._queue))
        else:
            stdlib.use(self._handler)

    def flush(self) -> None:
        """FileHandler flushes each record; a queue must have run empty."""
        if self._queue is not None:
            self._queue.join()

    def close(self) -> None:
        """Stop the listener, close the file."""
        if self._queue is not None:
            self._listener.stop()
        self._handler.close()
