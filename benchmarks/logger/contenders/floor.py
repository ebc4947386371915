"""The floor, and an event of the same content as ours written by hand.

*Floor*: one literal dict a call of ``@timestamp`` (nanoseconds), ``id`` (the caller's), ``model``, ``version``,
``dependencies`` (40 versions), ``inputs`` and ``output`` as the caller passed them; :func:`orjson.dumps` with a line
feed, one :func:`os.write` to an open file. Nothing is typed, copied, checked, measured, numbered, levelled or
formatted. Targets are ratios to this.

*Full event*: the same way, but with what an event says of itself: ``@timestamp`` in ISO 8601, ``event`` (``id`` from
:func:`uuid.uuid4`, ``action``, ``outcome``, ``dataset``), ``data_stream``, ``ecs``, ``host``, ``process``, ``service``,
and ``ml`` with model, dependencies, id, inputs and outputs; constant parts are dicts that are made once. It costs more
than twice the floor, mostly for the UUID and the time, and is a row like any other: what somebody pays who writes such
events without a library.
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
            "@timestamp": time_ns(),
            "id": prediction_id,
            "model": MODEL,
            "version": VERSION,
            "dependencies": DEPENDENCIES,
            "inputs": inputs,
            "output": output,
        }
        os.write(self._fd, orjson.dumps(event, option=OPTIONS))

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def read(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """As it was written."""
        return event["id"], event["inputs"]


class FullEvent(Floor):
    """The same of an event that can be told from all others."""

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

    def read(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """As it was written."""
        return event["ml"]["prediction_id"], event["ml"]["inputs"]
