"""docker-compose.yml as ``docker-compose config`` reads it, and what is asked of each service of it."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any, Final

import yaml

ROOT: Final = pathlib.Path(__file__).parents[2]
FILE: Final = ROOT / "docker-compose.yml"
EXAMPLE: Final = ROOT / ".env.example"
_UNITS: Final = {"": 1, "b": 1, "k": 2**10, "kb": 2**10, "m": 2**20, "mb": 2**20, "g": 2**30, "gb": 2**30}
_SECONDS: Final = {"h": 3600, "m": 60, "s": 1}


def environment_of(example: str) -> dict[str, str]:
    """``.env.example`` as a user would have filled it in, each secret known by its value."""
    lines = re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE)
    return {name: value or f"secret-of-{name.lower()}-{'x' * 32}" for name, value in lines}


def compose(text: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """``docker-compose config`` on a text that stands where docker-compose.yml does."""
    command = shutil.which("docker-compose")
    assert command, "docker-compose isn't installed: apt-get install docker-compose, as make test does"
    with tempfile.TemporaryDirectory() as folder:
        file, env = pathlib.Path(folder, "compose.yml"), pathlib.Path(folder, "env")
        file.write_text(text, encoding="utf-8")
        env.write_text("".join(f"{name}={value}\n" for name, value in variables.items()), encoding="utf-8")
        return subprocess.run(
            [command, "--project-directory", ROOT, "--env-file", env, "-f", file, "config"],
            capture_output=True, text=True, check=False, timeout=120, env={"PATH": os.environ["PATH"], "HOME": folder},
        )  # fmt: skip


def read(text: str, example: str) -> Stack:
    """The stack of a text, every variable put in."""
    variables = environment_of(example)
    done = compose(text, variables)
    assert done.returncode == 0, done.stderr
    secrets = {name: value for name, value in variables.items() if value.startswith("secret-of-")}
    return Stack(yaml.safe_load(done.stdout), secrets)


@dataclass(frozen=True)
class Stack:
    """All of it.

    Attributes:
        body: What the file says.
        secrets: Name of a variable -> its value, of those that .env.example leaves open.
    """

    body: dict[str, Any]
    secrets: dict[str, str]

    @property
    def services(self) -> dict[str, Service]:
        return {name: Service(name, body, self) for name, body in self.body["services"].items()}


@dataclass(frozen=True)
class Mount:
    """One volume of a service: of a name, or of a file here (``bind``); ``as_is`` where the image doesn't fill it."""

    source: str
    target: str
    read_only: bool
    bind: bool
    as_is: bool = False


ENDING: Final = frozenset({"dashboards"})
"""Services that end, for whose end nobody waits."""


@dataclass(frozen=True)
class Service:
    """One service."""

    name: str
    body: dict[str, Any]
    stack: Stack

    @property
    def lasting(self) -> bool:
        """Whether it stays: nobody waits for its end, and it isn't one of those that end by themselves."""
        waiting = [other.waits.get(self.name) for other in self.stack.services.values()]
        return "service_completed_successfully" not in waiting and self.name not in ENDING

    @property
    def waits(self) -> dict[str, str]:
        """Name of a service that it waits for -> for what; a mere list waits for its start."""
        waits = self.body.get("depends_on", {})
        if isinstance(waits, list):
            return dict.fromkeys(waits, "service_started")
        return {name: how.get("condition", "") for name, how in waits.items()}

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in (self.body.get("environment") or {}).items()}

    @property
    def image(self) -> tuple[str, str]:
        """Its name and its tag."""
        name, _, tag = self.body.get("image", "").rpartition(":")
        return (name, tag) if name and "/" not in tag else (self.body.get("image", ""), "")

    @property
    def ours(self) -> bool:
        """Whether it is this project's image."""
        return self.image[0] == "mllog"

    @property
    def command(self) -> list[str]:
        return words(self.body.get("command"))

    @property
    def health(self) -> list[str]:
        """The words of its health check; of a shell's line, that line."""
        test = (self.body.get("healthcheck") or {}).get("test") or []
        return [test] if isinstance(test, str) else [str(word).replace("$$", "$") for word in test[1:]]

    @property
    def mounts(self) -> list[Mount]:
        return [_mount(one) for one in self.body.get("volumes", [])]

    @property
    def memory(self) -> int:
        """Its limit, in bytes; 0 where it has none."""
        return size(str(self.body.get("mem_limit", 0)))


def words(command: Any) -> list[str]:
    """A command's words; a line is a shell's."""
    if command is None:
        return []
    return [command] if isinstance(command, str) else [str(word) for word in command]


def size(text: str) -> int:
    """Bytes of ``512m``, ``2g``, ``1024``."""
    match = re.fullmatch(r"(\d+)([a-z]*)", text.lower())
    assert match, text
    return int(match[1]) * _UNITS[match[2]]


def seconds(text: str) -> int:
    """Of ``1m30s``."""
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)([hms])", str(text)))


def _mount(one: str | dict[str, Any]) -> Mount:
    if isinstance(one, dict):
        as_is = bool(one.get("volume", {}).get("nocopy"))
        return Mount(one["source"], one["target"], bool(one.get("read_only")), one["type"] == "bind", as_is)
    source, target, *mode = one.split(":")
    return Mount(source, target, "ro" in mode, source.startswith(("/", ".")))
