"""Two floors: an event of the same content written by hand, and a bare line.

*Floor*: one literal dict a call of ``@timestamp`` (ISO 8601, UTC), ``event`` (``id`` from :func:`uuid.uuid4`,
``action``, ``outcome``, ``dataset``), ``data_stream``, ``ecs``, ``host``, ``process``, ``service``, and ``ml`` with
``model``, ``dependencies`` (40 versions), ``prediction_id``, ``inputs`` and ``outputs`` as the caller passed them;
:func:`orjson.dumps` with a line feed, one :func:`os.write` to an open file. Constant parts are dicts that are made
once. Nothing is typed, copied, checked, measured, numbered or levelled. About half of its time is the text of the time
and the UUID, which is why there is a second one.

*Bare*: the same without what an event says of itself: ``time`` in nanoseconds, the caller's ``id``, ``dependencies``,
``inputs`` and ``output``. Ratios to it are the stricter reading of the targets, and are shown too.
"""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import Any
from uuid import uuid4

import orjson

from benchmarks.logger.workload import DEPENDENCIES, MODEL, VERSION

OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
DATASET = "mllog.prediction.flight_delay"
DATA_STREAM = {"type": "logs", "dataset": DATASET, "namespace": "default"}
ECS = {"version": "9.2.0"}
HOST = {"name": platform.node()}
PROCESS = {"pid": os.getpid()}
SERVICE = {"name": "scoring", "version": "1.0.0"}
OF_MODEL = {"name": MODEL, "version": VERSION, "role": "champion"}


class Floor:
    """orjson and a file descriptor."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / "events.ndjson", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def call(self, inputs: dict[str, Any], output: dict[str, Any], prediction_id: str) -> None:
        """Encode and write."""
        event = {
            "@timestamp": datetime.now(UTC).isoformat(),
            "event": {"id": str(uuid4()), "action": "predict", "outcome": "success", "dataset": DATASET},
            "data_stream": DATA_STREAM,
            "ecs": ECS,
            "host": HOST,
            "process": PROCESS,
            "service": SERVICE,
            "ml": {
                "model": OF_MODEL,
                "dependencies": DEPENDENCIES,
                "prediction_id": prediction_id,
                "inputs": inputs,
                "outputs": output,
            },
        }
        os.write(self._fd, orjson.dumps(event, option=OPTIONS))

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def read(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """As it was written."""
        return event["ml"]["prediction_id"], event["ml"]["inputs"]


class Bare(Floor):
    """The same of a bare line."""

    def call(self, inputs: dict[str, Any], output: dict[str, Any], prediction_id: str) -> None:
        """Encode and write."""
        event = {
            "time": time_ns(),
            "id": prediction_id,
            "dependencies": DEPENDENCIES,
            "inputs": inputs,
            "output": output,
        }
        os.write(self._fd, orjson.dumps(event, option=OPTIONS))

    def read(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """As it was written."""
        return event["id"], event["inputs"]
