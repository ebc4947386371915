"""mllog: called directly, and behind the standard library's logging.

What the others carry on every event (40 versions) is a fingerprint here, and a manifest once a process.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mllog
from benchmarks.logger.contenders import stdlib
from benchmarks.logger.workload import DEPENDENCIES, MODEL, VERSION
from mllog.environment import Manifest

MISSING = {"null": None, "nan": math.nan, "infinite": math.inf, "empty": ""}


class Mllog:
    """The main road: one call."""

    def __init__(self, folder: Path, *, card: Path | None = None, durable: str | None = None) -> None:
        self.log = mllog.ModelLogger(
            MODEL, version=VERSION, card=card, sink=folder, durable=durable, environment=Manifest(DEPENDENCIES)
        )

    def call(self, inputs: dict[str, Any], output: dict[str, Any], prediction_id: str) -> None:
        """One prediction."""
        self.log.prediction(inputs, output, prediction_id)

    def flush(self) -> None:
        """All that was accepted."""
        self.log.flush()

    def close(self) -> None:
        """Seal the segment."""
        self.log.close()

    def read(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """Inputs from their typed maps, and from the lists of those that are missing."""
        ml = event["ml"]
        if "prediction_id" not in ml:
            return None
        inputs = {name: value for values in ml["inputs"].values() for name, value in values.items()}
        for kind, names in ml.get("missing", {}).items():
            if kind in MISSING:
                inputs |= dict.fromkeys(names, MISSING[kind])
        return ml["prediction_id"], inputs


class MllogStdlib(Mllog):
    """The side road: ``logger.info(extra=)`` with an EventHandler."""

    def __init__(self, folder: Path, *, card: Path | None = None) -> None:
        from mllog.integrations.stdlib import EventHandler  # noqa: PLC0415 - the direct call doesn't need it

        super().__init__(folder, card=card)
        stdlib.use(EventHandler(self.log))
        self._info = stdlib.LOGGER.info

    def call(self, inputs: dict[str, Any], output: dict[str, Any], prediction_id: str) -> None:
        """One log record."""
        self._info("prediction", extra={"inputs": inputs, "output": output, "prediction_id": prediction_id})
