"""structlog, set up in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import structlog

from mllog import values
from mllog.processors import deliver

if TYPE_CHECKING:
    from mllog.logger import ModelLogger


def configure_structlog(log: ModelLogger) -> None:
    """Make structlog write JSON lines to standard output, and predictions to ``log`` instead.

    A call is a prediction where it has ``inputs``; see :mod:`mllog.processors` for those who have a
    configuration of their own.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            deliver(log),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp"),
            structlog.processors.dict_tracebacks,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=structlog.BytesLoggerFactory(),
    )


def _dumps(event: dict[str, Any], **_: Any) -> bytes:
    """Strict JSON, whatever the event holds."""
    return orjson.dumps(values.strict(values.typed(event)))
