"""The standard library's logging: a handler, and a formatter on python-json-logger.

A record is a prediction where it has inputs::

    logging.getLogger("model").info("predicted", extra={"inputs": row, "output": 0.81, "prediction_id": "a1"})

Both can stand in a ``logging.config.dictConfig``, which makes their logger itself::

    {"handlers": {"model": {"()": "mllog.integrations.stdlib.EventHandler", "model": "flight-delay", "version": "7"}}}
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

import orjson
from pythonjsonlogger.core import RESERVED_ATTRS, BaseJsonFormatter

from mllog import context, values
from mllog.fields import ECS_VERSION
from mllog.integrations.keys import prediction_arguments
from mllog.integrations.loggers import logger_of
from mllog.stamps import Timestamps

if TYPE_CHECKING:
    from mllog.logger import ModelLogger

_TIMESTAMPS: Final = Timestamps()
_ADDRESS: Final = re.compile(r" at 0x[0-9A-Fa-f]+")  # of an object in memory: another one in each event
_ATTRIBUTES: Final = len(logging.LogRecord("", 0, "", 0, "", (), None).__dict__)
"""How many every record has, beside what was given as ``extra``."""
_FRAMEWORK: Final = frozenset(RESERVED_ATTRS) | frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__)


class EventHandler(logging.Handler):
    """Hands the predictions among log records to a :class:`mllog.ModelLogger`; leaves all others alone.

    It returns at once, so it needs no ``QueueHandler`` before it; behind one it would log what was changed since.

    Args:
        log: Takes the predictions; one is made where none is given, and closed with the handler.
        level: Least level of the records that are looked at.
        model: Name of the model, for the logger that is made; ``MLLOG_MODEL``.
        version: Its version; ``MLLOG_VERSION``.
        **options: Anything else that :class:`mllog.ModelLogger` takes.

    Raises:
        SettingError: Where no logger is given, and model or version are known from nowhere.
    """

    def __init__(
        self,
        log: ModelLogger | None = None,
        level: int | str = logging.NOTSET,
        *,
        model: str | None = None,
        version: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(level)
        self._log = logger_of(log, model, version, options)
        self._owned = log is None

    def createLock(self) -> None:  # noqa: N802 - the library's name
        """None is needed: a :class:`mllog.ModelLogger` may be called from any thread."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool | logging.LogRecord:  # type: ignore[override, unused-ignore]
        """Log the prediction, if it is one that the handler's filters let pass; whether they did."""
        if self.filters:
            passed: Any = self.filter(record)
            if not passed:
                return False
            if isinstance(passed, logging.LogRecord):  # from Python 3.12 on filters may change it
                record = passed
        self.emit(record)
        return record

    def emit(self, record: logging.LogRecord) -> None:
        """Log the prediction, if it is one. Never raises."""
        given = record.__dict__
        if "inputs" not in given:
            return
        try:
            failed = record.exc_info is not None or record.exc_text is not None
            # Nothing but inputs, output and id beside what every record has.
            usual = 1 + ("output" in given) + ("prediction_id" in given) + _ATTRIBUTES == len(given)
            if usual and not failed and not record.args and type(record.msg) is str:
                self._log.hand_over(given["inputs"], given.get("output"), given.get("prediction_id"), record.msg)
            else:
                self._log.prediction(**_arguments(record))
        except Exception as problem:  # noqa: BLE001 - foreign code runs here; never into model code, counted
            self._log.refuse(problem)

    def flush(self) -> None:
        """Write what was accepted."""
        self._log.flush(timeout=1.0)

    def close(self) -> None:
        """Finish; the logger too, where this handler made it."""
        if self._owned:
            self._log.close()
        super().close()


class EventFormatter(BaseJsonFormatter):  # type: ignore[misc, unused-ignore]
    """Formats predictions as the logger's own events, and every other record as an ECS log line.

    For those who want events among their other logs, through whatever handler they have.

    Args:
        log: Makes the events; one is made where none is given. Its sink (``stdout:`` then) gets only what it says
            itself, once a process: the manifest.
        model: Name of the model, for the logger that is made; ``MLLOG_MODEL``.
        version: Its version; ``MLLOG_VERSION``.
        **options: Anything else that :class:`mllog.ModelLogger` takes.

    Raises:
        SettingError: Where no logger is given, and model or version are known from nowhere.
    """

    def __init__(
        self, log: ModelLogger | None = None, *, model: str | None = None, version: str | None = None, **options: Any
    ) -> None:
        super().__init__("{message}", style="{")
        if log is None:
            options.setdefault("sink", "stdout:")
        self._log = logger_of(log, model, version, options)

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        if "inputs" in record.__dict__:
            return self._log.render(**_arguments(record)).decode().rstrip("\n")
        line: str = super().format(record)
        return line

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """The fields of an ordinary record; what was given as ``extra`` goes under ``labels``."""
        log_data.update(context.known())
        log_data["@timestamp"] = _TIMESTAMPS.text(int(record.created * 1e9))
        log_data["ecs"] = {"version": ECS_VERSION}
        log_data["log"] = {"level": record.levelname.lower(), "logger": record.name}
        log_data["message"] = record.getMessage()
        if record.exc_text or record.exc_info:
            log_data["error"] = {"stack_trace": record.exc_text or self.formatException(record.exc_info)}
        extra = {name: value for name, value in (record.__dict__ | message_dict).items() if name not in _FRAMEWORK}
        if extra:
            log_data["labels"] = values.typed(extra)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Strict JSON, whatever the record holds."""
        return orjson.dumps(values.strict(log_data)).decode()


def _arguments(record: logging.LogRecord) -> dict[str, Any]:
    raised = record.exc_info[1] if type(record.exc_info) is tuple else None
    given = {name: value for name, value in record.__dict__.items() if name not in _FRAMEWORK}
    if raised is None and record.exc_text:  # a QueueHandler has made text of it
        given["exc_text"] = record.exc_text
    return prediction_arguments(given, _message(record), raised)


def _message(record: logging.LogRecord) -> Any:
    """The message with its arguments, which needn't fit: a prediction isn't lost for that."""
    try:
        text = record.getMessage()
        return text if type(record.msg) is str else _ADDRESS.sub("", text)
    except Exception:  # noqa: BLE001 - "%d" of a text, a __str__ that raises
        return record.msg
