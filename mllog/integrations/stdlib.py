"""The standard library's logging: a handler, and a formatter on python-json-logger.

A record is a prediction where it has inputs::

    logging.getLogger("model").info("predicted", extra={"inputs": row, "output": 0.81, "prediction_id": "a1"})
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import orjson
from pythonjsonlogger.core import RESERVED_ATTRS, BaseJsonFormatter

from mllog import values
from mllog.events import Timestamps
from mllog.fields import ECS_VERSION
from mllog.integrations.keys import prediction_arguments

if TYPE_CHECKING:
    from mllog.logger import ModelLogger

_TIMESTAMPS: Final = Timestamps()


class EventHandler(logging.Handler):
    """Hands the predictions among log records to a :class:`mllog.ModelLogger`; leaves all others alone."""

    def __init__(self, log: ModelLogger, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log the prediction, if it is one."""
        arguments = _arguments(record)
        if arguments is not None:
            self._log.prediction(**arguments)

    def flush(self) -> None:
        """Write what was accepted."""
        self._log.flush(timeout=1.0)


class EventFormatter(BaseJsonFormatter):  # type: ignore[misc, unused-ignore]
    """Formats predictions as the logger's own events, and every other record as an ECS log line.

    For those who want events among their other logs, through whatever handler they have.
    """

    def __init__(self, log: ModelLogger) -> None:
        super().__init__("{message}", style="{")
        self._log = log

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        arguments = _arguments(record)
        if arguments is not None:
            return self._log.render(**arguments).decode().rstrip("\n")
        line: str = super().format(record)
        return line

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """The fields of an ordinary record; what was given as ``extra`` goes under ``labels``."""
        log_data["@timestamp"] = _TIMESTAMPS.text(int(record.created * 1e9))
        log_data["ecs"] = {"version": ECS_VERSION}
        log_data["log"] = {"level": record.levelname.lower(), "logger": record.name}
        log_data["message"] = record.getMessage()
        if record.exc_text or record.exc_info:
            log_data["error"] = {"stack_trace": record.exc_text or self.formatException(record.exc_info)}
        extra = {
            name: value
            for name, value in (record.__dict__ | message_dict).items()
            if name not in RESERVED_ATTRS and not name.startswith("_")
        }
        if extra:
            log_data["labels"] = values.typed(extra)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Strict JSON, whatever the record holds."""
        return orjson.dumps(values.strict(log_data)).decode()


def _arguments(record: logging.LogRecord) -> dict[str, Any] | None:
    if "inputs" not in record.__dict__:
        return None
    error = record.exc_info[1] if record.exc_info else None
    return prediction_arguments({**record.__dict__, "event": record.getMessage(), "error": error})
