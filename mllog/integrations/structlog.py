"""structlog, set up in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer

from mllog import events, values
from mllog.integrations.loggers import logger_of
from mllog.processors import add_context, deliver, exception_of

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

    from mllog.logger import ModelLogger


def configure_structlog(
    log: ModelLogger | None = None, *, model: str | None = None, version: str | None = None, **options: Any
) -> ModelLogger:
    """Make structlog write JSON lines to standard output, and predictions to ``log`` instead.

    A call is a prediction where it has ``inputs``; see :mod:`mllog.processors` for those who have a
    configuration of their own. Tracebacks are written without the frames' local variables. Call it before the first
    use of any logger: one that structlog has cached (``cache_logger_on_first_use``), or that somebody bound, keeps the
    processors that it was made with.

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
    # structlog.processors.dict_tracebacks would write every frame's local variables: passwords, rows, tokens.
    tracebacks = ExceptionDictTransformer(show_locals=False)

    def exceptions(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        error = exception_of(event.pop("exc_info", None))
        if error is not None:
            try:
                event["exception"] = tracebacks((type(error), error, error.__traceback__))
            except Exception:  # noqa: BLE001 - an exception's own methods run here
                event["exception"] = events.error_fields(error)
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            deliver(log, first=True),
            add_context,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp"),
            exceptions,
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
