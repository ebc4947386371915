"""structlog processors: a log call with ``inputs`` is a prediction.

::

    structlog.get_logger().info("predicted", inputs=row, output=0.81, prediction_id="a1")

Two ends for it: :func:`deliver` hands it to the logger, :func:`as_event` leaves the delivery to whatever renderer
follows. Typing, the look at the card, the policy, sampling and the stamp are not processors of their own: the
logger does them on its writer's thread, where the model doesn't wait for them, and for every front door alike.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog

from mllog import context, stamps
from mllog.integrations.keys import prediction_arguments

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import EventDict, Processor, WrappedLogger

    from mllog.logger import ModelLogger

_TIMES: Final = frozenset({"@timestamp", "timestamp"})
_NAMES: Final = frozenset({"logger", "logger_name"})
_OF_FORMATTER: Final = frozenset({"_from_structlog", "_record"})
"""What structlog.stdlib.ProcessorFormatter puts into an event."""
_LEVELS: Final = {"exception": "error", "warn": "warning", "fatal": "critical", "msg": "info"}
_SECONDS: Final = 60.0


def deliver(log: ModelLogger, *, first: bool = False) -> Processor:
    """Hand predictions over to ``log`` and end their way here; other calls pass. It never raises anything else.

    Args:
        log: Takes the predictions.
        first: Whether no processor before it adds keys of its own: then every key is the caller's. Else those are
            told from the caller's by their values: a ``level`` that is the method's, a ``timestamp`` of this minute,
            the name of the ``logger``.
    """

    def processor(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if "inputs" not in event:
            return event
        try:
            log.prediction(**_arguments(event, None if first else (logger, method)))
        except Exception as problem:  # noqa: BLE001 - foreign code runs here; never into model code, counted
            log.refuse(problem)
        raise structlog.DropEvent

    return processor


def as_event(log: ModelLogger, *, first: bool = False) -> Processor:
    """Turn predictions into the logger's own nested events, for a renderer further down; other calls pass.

    Args:
        log: Makes the events.
        first: As of :func:`deliver`.
    """

    def processor(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if "inputs" not in event:
            return event
        try:
            line = log.render(**_arguments(event, None if first else (logger, method)))
        except Exception as problem:  # noqa: BLE001 - foreign code runs here; never into model code, counted
            log.refuse(problem)
            raise structlog.DropEvent from None
        rendered: dict[str, Any] = orjson.loads(line)
        return rendered

    return processor


def add_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put what is bound of the request (trace, route, …: :mod:`mllog.context`) on an ordinary log line."""
    for name, value in context.known().items():
        event.setdefault(name, value)
    return event


def exception_of(given: Any) -> BaseException | None:
    """The exception that ``exc_info`` stands for: itself, that of a triple, or for anything true the one at hand."""
    if issubclass(type(given), BaseException):
        found: BaseException = given
        return found
    if type(given) is tuple and len(given) == 3:
        return exception_of(given[1])
    try:
        return sys.exc_info()[1] if given else None
    except Exception:  # noqa: BLE001 - a __bool__ may do anything
        return None


def _arguments(event: MutableMapping[str, Any], call: tuple[WrappedLogger, str] | None) -> dict[str, Any]:
    """Arguments of a prediction.

    Args:
        event: The keys of a log call, and perhaps those that processors added.
        call: Logger and method, where processors may have added keys.
    """
    given = dict(event)
    message = given.pop("event", None)
    raised = given.get("exc_info")
    error = exception_of(raised)
    if error is not None or raised is None or issubclass(type(raised), bool | tuple):
        given.pop("exc_info", None)
    if type(given.get("stack_info")) is bool:
        del given["stack_info"]
    if call is not None:
        given = {name: value for name, value in given.items() if not _is_added(name, value, *call)}
    return prediction_arguments(given, message, error)


def _is_added(name: str, value: Any, logger: WrappedLogger, method: str) -> bool:
    """Whether structlog's own processors added a key; the event says the same elsewhere, or nobody wants it."""
    if name in _OF_FORMATTER:
        return True
    if name == "level":
        return type(value) is str and value.lower() == _LEVELS.get(method, method)
    if name in _NAMES:
        return type(value) is str and value == getattr(logger, "name", None)
    if name in _TIMES and (type(value) is str or type(value) is float):
        try:
            return abs(stamps.moment(value) / 1e9 - time.time()) < _SECONDS
        except ValueError:
            return False
    return False
