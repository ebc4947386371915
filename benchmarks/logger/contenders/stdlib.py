"""What all that stand behind the standard library's logging share: a logger, a call with ``extra``."""

from __future__ import annotations

import logging
from typing import Any, Final

from benchmarks.logger.workload import DEPENDENCIES, MODEL, VERSION

LOGGER: Final = logging.getLogger("benchmark")


def use(handler: logging.Handler) -> None:
    """Make ``handler`` the only one."""
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    for old in LOGGER.handlers[:]:
        LOGGER.removeHandler(old)
    LOGGER.addHandler(handler)


def call(inputs: dict[str, Any], output: dict[str, Any], prediction_id: str) -> None:
    """Log as an application does that wants to know later what its model ran on."""
    LOGGER.info(
        "prediction",
        extra={
            "prediction_id": prediction_id,
            "model": MODEL,
            "version": VERSION,
            "dependencies": DEPENDENCIES,
            "inputs": inputs,
            "output": output,
        },
    )


def read(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What ``extra`` held, under its own names."""
    return event["prediction_id"], event.get("inputs") or {}
