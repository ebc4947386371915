"""For users' tests: a logger that keeps its events in memory, and a look at whether events are what they should be.

::

    @pytest.fixture
    def captured():
        with capture_events("flight-delay", card="card.json") as captured:
            yield captured

    def test_a_late_flight(captured):
        serve(captured.log)
        (event,) = captured.predictions()
        assert event["ml"]["outputs"]["label"] == "late"
        assert_valid(captured.events())

An application that has a logger of its own already is tested with that one: :func:`redirect`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.delivery import settings
from mllog.delivery.sinks import MemorySink
from mllog.environment import Manifest
from mllog.integrations.loggers import check_logger
from mllog.logger import ModelLogger
from mllog.validity import assert_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mllog.events import Kind


__all__ = ["Captured", "assert_valid", "capture_events", "redirect"]

_FLUSH_SECONDS: Final = 10.0


class Captured:
    """Events of one logger.

    Attributes:
        log: The logger.
    """

    def __init__(self, log: ModelLogger, sink: MemorySink, flush: Callable[[], bool]) -> None:
        self.log = log
        self._sink = sink
        self._flush = flush

    @property
    def lines(self) -> list[bytes]:
        """Every line that a real sink would have got."""
        self._flush()
        return list(self._sink.lines)

    def events(self, kind: Kind | None = None) -> list[dict[str, Any]]:
        """Events so far, of one kind where it is given."""
        parsed = [orjson.loads(line) for line in self.lines]
        return [event for event in parsed if kind is None or event["event"]["dataset"].split(".")[1] == kind]

    def predictions(self) -> list[dict[str, Any]]:
        """Predictions so far; outputs and explanations that came apart from theirs aren't among them."""
        return [event for event in self.events("prediction") if event["event"]["action"] == "predict"]


@contextmanager
def capture_events(model: str = "model", *, version: str = "1", **options: Any) -> Iterator[Captured]:
    """A logger that writes to memory, closed at the end.

    ``MLLOG_*`` variables say nothing here, so a test is the same on every machine; only ``MLLOG_SALT`` is read where a
    card's policy hashes and no ``salt`` is given.

    Args:
        model: Name of the model.
        version: Its version.
        **options: Anything else that :class:`mllog.ModelLogger` takes.
    """
    sink = MemorySink()
    options.setdefault("environment", Manifest(python="3"))
    options.setdefault("resources", 0)
    token = settings.alone.set(True)
    try:
        log = ModelLogger(model, version=version, sink=sink, **options)
    finally:
        settings.alone.reset(token)
    try:
        yield Captured(log, sink, log.flush)
    finally:
        log.close()


@contextmanager
def redirect(log: ModelLogger) -> Iterator[Captured]:
    """The events of a logger that an application has made, in memory instead of where it writes, within a block.

    For what holds its logger in a variable of a module: front doors and middlewares need not know. What was logged
    before goes where the logger writes, what is logged behind the block too; closing the logger within it (as a
    server does at its end) closes nothing that is needed behind it. Card, policy, clock and names are the logger's own.
    Sampling is off, so that no test depends on a draw, and the process's resources aren't looked at.

    Any thread may log meanwhile. Blocks around one logger may stand within each other, and must not overlap otherwise.

    Args:
        log: The logger.

    Raises:
        SettingError: Where it is none.
    """
    check_logger(log)
    sink = MemorySink()
    before, sampler = log._engine, log._sampler  # noqa: SLF001 - of this package
    before.flush(_FLUSH_SECONDS)
    engine = before.beside(sink)
    # One assignment: a thread that logs meanwhile has the one or the other.
    log._engine, log._sampler = engine, None  # noqa: SLF001 - of this package
    try:
        engine.start()
        yield Captured(log, sink, engine.flush)
    finally:
        log._engine, log._sampler = before, sampler  # noqa: SLF001 - of this package
        engine.close()
