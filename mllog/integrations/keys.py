"""Which keys make a log record a prediction, for every front door that has keys instead of arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

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
)


def prediction_arguments(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Arguments of :meth:`mllog.ModelLogger.prediction`, or ``None`` where the record is no prediction.

    A prediction has ``inputs``. An ``error`` makes it a failure, where no ``outcome`` is given.
    """
    if "inputs" not in record:
        return None
    arguments = {RENAMED.get(key, key): record[key] for key in KEYS if record.get(key) is not None}
    arguments.setdefault("inputs", None)
    if "error" in arguments:
        arguments.setdefault("outcome", "failure")
    if "outcome" in arguments and arguments["outcome"] not in {"success", "failure", "unknown"}:
        arguments["outcome"] = "unknown"
    return arguments
