"""What importing each library costs: ``-X importtime`` in fresh interpreters."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from typing import Final

STATEMENTS: Final = {
    "import mllog": "import mllog",
    "from mllog import ModelLogger": "from mllog import ModelLogger",
    "python-json-logger": "import pythonjsonlogger.json",
    "structlog": "import structlog",
    "ecs-logging": "import ecs_logging",
    "loguru": "import loguru",
    "OpenTelemetry logs": "import opentelemetry.sdk._logs.export",
    "orjson": "import orjson",
}

UNWANTED: Final = "numpy"


def measure(rounds: int) -> dict[str, dict[str, float | bool]]:
    """Milliseconds of each statement beyond the interpreter's own imports, median; and whether numpy came with it."""
    with tempfile.TemporaryDirectory() as folder:
        # Bytecode of their own for all: pip writes it for what it installs, but not for an editable install.
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        known = set(_self_times("pass", environment))
        result: dict[str, dict[str, float | bool]] = {}
        for name, statement in STATEMENTS.items():
            _self_times(statement, environment)  # the first one writes it
            took = [_self_times(statement, environment) for _ in range(rounds)]
            sums = [sum(micros for module, micros in times.items() if module not in known) for times in took]
            result[name] = {"ms": statistics.median(sums) / 1e3, UNWANTED: UNWANTED in took[0]}
    return result


def _self_times(statement: str, environment: dict[str, str]) -> dict[str, int]:
    """Microseconds spent in each module itself; lines are ``import time: self | cumulative | name``."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    times: dict[str, int] = {}
    for line in done.stderr.splitlines():
        own, *_, module = line.removeprefix("import time:").split("|")
        if own.strip().isdigit():
            times[module.strip()] = int(own)
    return times
