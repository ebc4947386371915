"""structlog processors: a log call with ``inputs`` is a prediction.

::

    structlog.get_logger().info("predicted", inputs=row, output=0.81, prediction_id="a1")

Two ends for it: :func:`deliver` hands it to the logger, :func:`as_event` leaves the delivery to whatever renderer
follows. Typing, the look at the card, the policy, sampling and the stamp are not processors of their own: the
logger does them on its writer's thread, where the model doesn't wait for them, and for every front door alike.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog

from mllog import context
from mllog.integrations.keys import prediction_arguments

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import EventDict, Processor, WrappedLogger

    from mllog.logger import ModelLogger

_FRAMEWORK: Final = frozenset(
    {
        "@timestamp",
        "exc_info",
        "exception",
        "level",
        "logger",
        "logger_name",
        "positional_args",
        "stack",
        "stack_info",
        "timestamp",
    }
)
"""What structlog's own processors put into an event."""


def deliver(log: ModelLogger) -> Processor:
    """Hand predictions over to ``log`` and end their way here; other calls pass."""

    def processor(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        arguments = _arguments(event)
        if arguments is None:
            return event
        log.prediction(**arguments)
        raise structlog.DropEvent

    return processor


def as_event(log: ModelLogger) -> Processor:
    """Turn predictions into the logger's own nested events, for a renderer further down; other calls pass."""

    def processor(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        arguments = _arguments(event)
        if arguments is None:
            return event
        rendered: dict[str, Any] = orjson.loads(log.render(**arguments))
        return rendered

    return processor


def add_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put what is bound of the request (trace, route, …: :mod:`mllog.context`) on an ordinary log line."""
    for name, value in context.known().items():
        event.setdefault(name, value)
    return event


def _arguments(event: MutableMapping[str, Any]) -> dict[str, Any] | None:
    if "inputs" not in event:
        return None
    given = event.get("exc_info")
    error: Any = None
    if isinstance(given, BaseException):
        error = given
    elif isinstance(given, tuple) and len(given) == 3:
        error = given[1]
    elif given:
        error = sys.exc_info()[1]
    return prediction_arguments({"error": error, **event}, _FRAMEWORK)
