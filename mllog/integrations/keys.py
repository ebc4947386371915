"""Which keys make a log record a prediction, for every front door that has keys instead of arguments."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mllog.told import LABEL_LIMIT
from mllog.tracebacks import ToldError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS: Final = {
    "inputs": "inputs",
    "output": "output",
    "prediction_id": "id",
    "trace_id": "trace_id",
    "latency": "latency",
    "time": "time",
    "labels": "labels",
    "outcome": "outcome",
    "error": "error",
    "user": "user",
}
"""Key of a log call, and the argument of :meth:`mllog.ModelLogger.prediction` that it is."""


def prediction_arguments(given: Mapping[str, Any], message: Any, error: Any = None) -> dict[str, Any]:
    """Arguments of :meth:`mllog.ModelLogger.prediction`.

    An error makes it a failure, where no ``outcome`` is given; texts of exceptions are part of it, whatever their key.
    Keys that mean nothing here are labels, and so is what isn't of its key's type, so that nothing that was logged is
    lost.

    Args:
        given: The keys that the caller gave; ``inputs`` among them.
        message: The log message.
        error: The exception that the logging framework found, where there is one.
    """
    arguments: dict[str, Any] = {"inputs": None, "message": message}
    labels: dict[str, Any] = {}
    told = ToldError(error)
    for key, value in given.items():
        if type(key) is str and key in KEYS:
            if value is not None:
                arguments[KEYS[key]] = value
        elif not told.take(key, value):
            labels[key] = value
    if "labels" in arguments:
        labels = _with(labels, arguments.pop("labels"))
    said = arguments.pop("error", None)
    if said is not None:
        arguments.setdefault("outcome", "failure")
        if not told.take("error", said):
            labels[_free("error", labels)] = said
    if told.says_more or told.exception is not None:
        arguments["error"] = told if told.says_more else told.exception
    # A stack that is shown is no failure.
    arguments.setdefault("outcome", "failure" if told.is_failure else "success")
    outcome = arguments.get("outcome")
    if outcome is not None and type(outcome) is not str:
        arguments["outcome"] = "unknown"
        labels[_free("outcome", labels)] = outcome
    if labels:
        arguments["labels"] = labels
    return arguments


def _with(labels: dict[str, Any], given: Any) -> dict[str, Any]:
    """``labels`` of the call itself, and those that were given as such; what is no mapping is one label."""
    try:
        pairs = [(key, value) for key, value in islice(given.items(), LABEL_LIMIT + 1)]
        merged = dict(pairs)
        for name, value in labels.items():
            merged[_free(name, merged)] = value
    except Exception:  # noqa: BLE001 - whatever was passed for labels
        return {**labels, _free("labels", labels): given}
    return merged


def _free(name: Any, labels: Mapping[Any, Any]) -> Any:
    """``name``, with as many underscores behind it as it takes to be another than those in ``labels``."""
    while name in labels:
        name = f"{name}_"
    return name
