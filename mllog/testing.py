"""For users' tests: a logger that keeps its events in memory.

::

    with capture_events("flight-delay") as captured:
        serve(captured.log)
    assert captured.events("prediction")[0]["ml"]["outputs"]["label"] == "late"
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from mllog.delivery.sinks import MemorySink
from mllog.environment import Manifest
from mllog.logger import ModelLogger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.events import Kind


class Captured:
    """Events of one logger.

    Attributes:
        log: The logger.
    """

    def __init__(self, log: ModelLogger, sink: MemorySink) -> None:
        self.log = log
        self._sink = sink

    @property
    def lines(self) -> list[bytes]:
        """Every line that a real sink would have got."""
        self.log.flush()
        return list(self._sink.lines)

    def events(self, kind: Kind | None = None) -> list[dict[str, Any]]:
        """Events so far, of one kind where it is given."""
        parsed = [orjson.loads(line) for line in self.lines]
        return [
            event for event in parsed if kind is None or event["event"]["dataset"].split(".")[1] == kind
        ]  # fmt: skip


@contextmanager
def capture_events(model: str = "model", *, version: str = "1", **options: Any) -> Iterator[Captured]:
    """A logger that writes to memory, closed at the end.

    Args:
        model: Name of the model.
        version: Its version.
        **options: Anything else that :class:`mllog.ModelLogger` takes.
    """
    sink = MemorySink()
    options.setdefault("environment", Manifest(python="3"))
    log = ModelLogger(model, version=version, sink=sink, **options)
    try:
        yield Captured(log, sink)
    finally:
        log.close()
