"""structlog processors: a log call with ``inputs`` is a prediction.

::

    structlog.get_logger().info("predicted", inputs=row, output=0.81, prediction_id="a1")
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from mllog.integrations.keys import prediction_arguments

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import EventDict, Processor, WrappedLogger

    from mllog.logger import ModelLogger


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


def _arguments(event: MutableMapping[str, Any]) -> dict[str, Any] | None:
    given = event.get("exc_info")
    error: Any = None
    if isinstance(given, BaseException):
        error = given
    elif isinstance(given, tuple):
        error = given[1]
    elif given:
        error = sys.exc_info()[1]
    return prediction_arguments({"error": error, **event})
