"""structlog, set up in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import structlog

from mllog import values
from mllog.integrations.loggers import logger_of
from mllog.processors import add_context, deliver

if TYPE_CHECKING:
    from mllog.logger import ModelLogger


def configure_structlog(
    log: ModelLogger | None = None, *, model: str | None = None, version: str | None = None, **options: Any
) -> ModelLogger:
    """Make structlog write JSON lines to standard output, and predictions to ``log`` instead.

    A call is a prediction where it has ``inputs``; see :mod:`mllog.processors` for those who have a
    configuration of their own.

    Args:
        log: Takes the predictions; one is made where none is given.
        model: Name of the model, for the logger that is made; ``MLLOG_MODEL``.
        version: Its version; ``MLLOG_VERSION``.
        **options: Anything else that :class:`mllog.ModelLogger` takes.

    Returns:
        The logger that takes the predictions.

    Raises:
        SettingError: Where no logger is given, and model or version are known from nowhere.
    """
    log = logger_of(log, model, version, options)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            deliver(log),
            add_context,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp"),
            structlog.processors.dict_tracebacks,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=structlog.BytesLoggerFactory(),
    )
    return log


def _dumps(event: dict[str, Any], **_: Any) -> bytes:
    """Strict JSON, whatever the event holds."""
    return orjson.dumps(values.strict(values.typed(event)))
