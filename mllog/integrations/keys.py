"""Which keys make a log record a prediction, for every front door that has keys instead of arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

RENAMED: Final = {"prediction_id": "id", "event": "message"}
KEYS: Final = (
    "inputs",
    "output",
    "prediction_id",
    "trace_id",
    "latency",
    "time",
    "labels",
    "outcome",
    "event",
    "error",
    "user",
)


def prediction_arguments(record: Mapping[str, Any], not_labels: frozenset[str] = frozenset()) -> dict[str, Any] | None:
    """Arguments of :meth:`mllog.ModelLogger.prediction`, or ``None`` where the record is no prediction.

    A prediction has ``inputs``. An ``error`` makes it a failure, where no ``outcome`` is given. Keys that mean
    nothing here are labels, so that nothing that was logged is lost.

    Args:
        record: The keys of a log call.
        not_labels: Keys that the logging framework put there.
    """
    if "inputs" not in record:
        return None
    arguments = {RENAMED.get(key, key): record[key] for key in KEYS if record.get(key) is not None}
    arguments.setdefault("inputs", None)
    labels = {
        key: value
        for key, value in record.items()
        if key not in KEYS and key not in not_labels and not str(key).startswith("_")
    }
    error, outcome, given = (arguments.get(key) for key in ("error", "outcome", "labels"))
    if error is not None:
        arguments.setdefault("outcome", "failure")
        if not isinstance(error, BaseException):  # error="no such file", as people write it
            labels["error"] = arguments.pop("error")
    if outcome is not None and type(outcome) is not str:
        arguments["outcome"] = "unknown"
    if given is not None:
        labels |= given if isinstance(given, Mapping) else {"labels": given}
    if labels:
        arguments["labels"] = labels
    return arguments
