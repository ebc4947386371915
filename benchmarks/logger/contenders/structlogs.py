"""structlog in the fastest configuration of its performance page: BytesLogger and orjson."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import orjson
import structlog

from benchmarks.logger.workload import DEPENDENCIES, MODEL, VERSION


class Structlog:
    """A bound logger that knows the model; unbuffered, so each line is one write."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "events.ndjson").open("wb", buffering=0)
        structlog.reset_defaults()
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=orjson.dumps),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.BytesLoggerFactory(self._file),
            cache_logger_on_first_use=True,
        )
        self._info = structlog.get_logger().bind(model=MODEL, version=VERSION, dependencies=DEPENDENCIES).info

    def call(self, inputs: dict[str, Any], output: dict[str, Any], prediction_id: str) -> None:
        """One event with keywords."""
        self._info("prediction", prediction_id=prediction_id, inputs=inputs, output=output)

    def flush(self) -> None:
        """BytesLogger flushes each line."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """As it was written."""
        return event["prediction_id"], event["inputs"]
