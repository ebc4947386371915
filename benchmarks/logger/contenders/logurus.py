"""loguru with ``serialize=True``, on the caller's thread or on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loguru import logger

from benchmarks.logger.workload import DEPENDENCIES, MODEL, VERSION


class Loguru:
    """A file sink; the model is bound."""

    def __init__(self, folder: Path, *, enqueue: bool = False) -> None:
        logger.remove()
        logger.add(folder / "events.ndjson", format="{message}", serialize=True, enqueue=enqueue)
        self._bind = logger.bind(model=MODEL, version=VERSION, dependencies=DEPENDENCIES).bind

    def call(self, inputs: dict[str, Any], output: dict[str, Any], prediction_id: str) -> None:
        """Structured values go through ``bind``, as its documentation tells."""
        self._bind(prediction_id=prediction_id, inputs=inputs, output=output).info("prediction")

    def flush(self) -> None:
        """Wait for the queue, where there is one."""
        logger.complete()

    def close(self) -> None:
        """Close the file."""
        logger.remove()

    def read(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """What was bound, under ``extra``."""
        extra = event["record"]["extra"]
        return extra["prediction_id"], extra["inputs"]
