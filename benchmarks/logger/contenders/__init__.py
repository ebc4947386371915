"""Who is compared: one class a library, each set up as its own documentation tells.

A contender's module is imported in its child process only: no library pays for another's imports.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

FLOOR: Final = "orjson + write"
"""What ratios are to."""

BASELINE: Final = "python-json-logger, json"
"""What delivered events are compared with."""


class Contender(Protocol):
    """One way to log a prediction into files of one folder."""

    call: Callable[[dict[str, Any], dict[str, Any], str], object]
    """What model code calls, with inputs, output and an id: this is timed."""

    def flush(self) -> None:
        """Return when every event that was taken has been handed to the operating system."""

    def close(self) -> None:
        """Let go of files and threads; not timed."""

    def read(self, event: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """Id and inputs that a reader gets back from one parsed line; None where it is no prediction."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender's row of the table.

    Attributes:
        module: Where its class is.
        make: Name of the class.
        options: What the class is told, beside the folder.
        note: What a reader should know of it.
        environment: Variables of its process.
    """

    module: str
    make: str
    options: dict[str, Any]
    note: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def _entry(
    module: str, make: str, note: str = "", *, environment: Mapping[str, str] | None = None, **options: Any
) -> Entry:
    return Entry(f"benchmarks.logger.contenders.{module}", make, options, note, environment or {})


_PURE: Final = {"MLLOG_PURE_PYTHON": "1"}


CONTENDERS: Final[dict[str, Entry]] = {
    FLOOR: _entry("floor", "Floor", "the floor: no typing, no checks, no time text, no id of its own"),
    "orjson + write, full event": _entry("floor", "FullEvent", "by hand, with ISO time, UUID and ECS fields"),
    BASELINE: _entry("json_logger", "JsonLogger", encoder="json"),
    "python-json-logger, orjson": _entry("json_logger", "JsonLogger", encoder="orjson"),
    "python-json-logger, msgspec": _entry("json_logger", "JsonLogger", encoder="msgspec"),
    "python-json-logger, queue": _entry(
        "json_logger", "JsonLogger", "orjson, behind QueueHandler and QueueListener", encoder="orjson", queue=True
    ),
    "structlog, orjson": _entry("structlogs", "Structlog", "BytesLogger"),
    "ecs-logging": _entry("ecs", "Ecs", "StdlibFormatter"),
    "loguru": _entry("logurus", "Loguru", "serialize=True"),
    "loguru, enqueue": _entry("logurus", "Loguru", "serialize=True, enqueue=True", enqueue=True),
    "OpenTelemetry logs": _entry("telemetry", "Telemetry", "BatchLogRecordProcessor with its defaults, JSON lines"),
    "mllog": _entry("ours", "Mllog"),
    "mllog, card": _entry("ours", "Mllog", "bins, violations, missing kinds, tokens of two texts", with_card=True),
    "mllog, Python": _entry("ours", "Mllog", "without the compiled loops", environment=_PURE),
    "mllog, card, Python": _entry("ours", "Mllog", "without the compiled loops", environment=_PURE, with_card=True),
    "mllog, stdlib": _entry("ours", "MllogStdlib", "logger.info(extra=) and EventHandler"),
    "mllog, card, stdlib": _entry("ours", "MllogStdlib", "logger.info(extra=) and EventHandler", with_card=True),
    "mllog, durable": _entry("ours", "Mllog", 'durable="each": written before the call returns', durable="each"),
}


def make(name: str, folder: Path, card: Path) -> Contender:
    """Set a contender up to write into ``folder``, which is empty.

    Raises:
        ImportError: Where its library isn't installed.
    """
    entry = CONTENDERS[name]
    options = dict(entry.options)
    if options.pop("with_card", False):
        options["card"] = card
    contender: Contender = getattr(importlib.import_module(entry.module), entry.make)(folder, **options)
    return contender
