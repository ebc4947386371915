"""OpenTelemetry's logs SDK: batches with its defaults (a queue of 2,048), each record as one line of JSON."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
from opentelemetry.sdk.resources import Resource

from benchmarks.logger.workload import DEPENDENCIES, MODEL, VERSION


class Telemetry:
    """What is constant is the resource, the prediction is the body, its id an attribute."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "events.ndjson").open("w", encoding="utf-8")
        exporter = ConsoleLogRecordExporter(out=self._file, formatter=lambda record: record.to_json(indent=None) + "\n")
        packages = {f"dependency.{name}": version for name, version in DEPENDENCIES.items()}
        resource = Resource.create({"service.name": MODEL, "service.version": VERSION, **packages})
        self._provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        self._emit = self._provider.get_logger("benchmark").emit

    def call(self, inputs: dict[str, Any], output: dict[str, Any], prediction_id: str) -> None:
        """One log record."""
        self._emit(
            timestamp=time.time_ns(),
            severity_number=SeverityNumber.INFO,
            body={"inputs": inputs, "output": output},
            attributes={"prediction_id": prediction_id},
            event_name="prediction",
        )

    def flush(self) -> None:
        """Export what is queued."""
        self._provider.force_flush()
        self._file.flush()

    def close(self) -> None:
        """Stop the processor, close the file."""
        self._provider.shutdown()
        self._file.close()

    def read(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Body and attributes."""
        return event["attributes"]["prediction_id"], event["body"]["inputs"]
