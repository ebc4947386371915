"""A logger for those who configure logging and never hold one: by arguments or ``MLLOG_*`` variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mllog.delivery import settings
from mllog.errors import SettingError

if TYPE_CHECKING:
    from mllog.logger import ModelLogger


def check_logger(log: object) -> None:
    """Refuse what is no logger before it has to take a prediction.

    Raises:
        SettingError: Where ``log`` is no :class:`mllog.ModelLogger`.
    """
    from mllog.logger import ModelLogger  # noqa: PLC0415 - a cycle

    if not isinstance(log, ModelLogger):
        raise SettingError(
            f"log {log!r} is no logger: pass mllog.ModelLogger(model, version=…, sink=…)", field="log", value=log
        )


def logger_of(log: ModelLogger | None, model: str | None, version: str | None, options: dict[str, Any]) -> ModelLogger:
    """``log``, or where there is none a new logger.

    Args:
        log: A logger that somebody made.
        model: Name of the model; ``MLLOG_MODEL``.
        version: Its version; ``MLLOG_VERSION``.
        options: Anything else that :class:`mllog.ModelLogger` takes, which reads ``MLLOG_CARD``, ``MLLOG_SINK`` and
            so on where it isn't given.

    Raises:
        SettingError: Where model or version are known from nowhere, ``log`` is no logger, or both a logger and options
            are given.
    """
    if log is not None:
        given = {"model": model, "version": version, **options}
        superfluous = [name for name, value in given.items() if value is not None]
        if superfluous:
            raise SettingError(
                f"log and {superfluous[0]} are both given: a logger that is made has its own",
                field=superfluous[0],
                value=given[superfluous[0]],
            )
        check_logger(log)
        return log
    from mllog.logger import ModelLogger  # noqa: PLC0415 - a cycle

    chosen = {"model": model or settings.variable("model"), "version": version or settings.variable("version")}
    for name, value in chosen.items():
        if value is None:
            raise SettingError(
                f"{name} is not known: pass log=, or {name}=, or set MLLOG_{name.upper()}", field=name, value=None
            )
    return ModelLogger(str(chosen["model"]), version=str(chosen["version"]), **options)
