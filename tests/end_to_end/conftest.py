"""The installed commands, as a user calls them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one strict JSON document."""
        return json.loads(self.out, parse_constant=_refuse)


class Call(Protocol):
    """Runs an installed command."""

    def __call__(self, *words: object, cwd: Path | None = None) -> Answer:
        """Run it to its end; whatever it was asked, it shows nobody a traceback."""


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@pytest.fixture(scope="session")
def call() -> Call:
    """Calls of the commands that ``pip install`` put beside this interpreter."""
    folder = str(Path(sys.executable).parent)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLLOG_", "PYTHON"))}

    def run(*words: object, cwd: Path | None = None) -> Answer:
        name, *others = map(str, words)
        command = shutil.which(name, path=folder)
        assert command is not None, f"{name} isn't installed: pip install -e '.[test]'"
        done = subprocess.run(
            [command, *others], capture_output=True, text=True, check=False, timeout=600, cwd=cwd, env=environment
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "Warning" not in done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    return run
