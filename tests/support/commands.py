"""Every command of ours that a container, a pod, a unit of systemd or cron starts, as its words."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, Final

import yaml
from support.stack import FILE, ROOT, words

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY: Final = ROOT / "deploy"
_OURS: Final = re.compile(r"(?:mllog|watchers) [^|;&)]+")


def unit(path: Any) -> dict[str, list[str]]:
    """Key -> values of a unit's [Service]; keys may come several times."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        elif section == "Service" and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def cron_lines() -> list[str]:
    """The commands of deploy/cron/mllog, each as cron gives it to its shell."""
    lines = (DEPLOY / "cron" / "mllog").read_text(encoding="utf-8").splitlines()
    return [line.split(None, 6)[6] for line in lines if re.match(r"[*\d]", line)]


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of a file, and each document in it."""
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path.name, document


def pod(document: dict[str, Any]) -> dict[str, Any] | None:
    """The pod that a document describes, if it does."""
    spec = document.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    found: dict[str, Any] | None = spec.get("template", {}).get("spec")
    return found


_DEFAULT: Final = re.compile(r"\$\{\w+:-([^}]*)\}")
"""A variable of Compose, and what stands there without it."""


def _started() -> Iterator[tuple[str, list[str]]]:
    for name, service in yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"].items():
        if service["image"].startswith("mllog:"):
            yield f"compose-{name}", [_DEFAULT.sub(r"\1", word) for word in words(service["command"])]
            if "healthcheck" in service:
                yield f"compose-{name}-health", words(service["healthcheck"]["test"])[1:]
    for file, document in manifests():
        for container in [
            *(pod(document) or {}).get("initContainers", []),
            *(pod(document) or {}).get("containers", []),
        ]:
            where = f"{file.removesuffix('.yaml')}-{container['name']}"
            if "command" in container:
                yield where, [*container["command"], *container.get("args", [])]
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if "exec" in container.get(probe, {}):
                    yield f"{where}-{probe}", container[probe]["exec"]["command"]
    for path in sorted((DEPLOY / "systemd").glob("*.service")):
        for line in unit(path)["ExecStart"]:
            yield path.stem, shlex.split(line.replace("/opt/mllog/bin/", "").replace("%S", "/var/lib"))
    for number, line in enumerate(cron_lines()):
        yield f"cron-{number}", ["sh", "-c", line]


def _inner(given: list[str]) -> Iterator[list[str]]:
    """Our commands within what is started."""
    if given[0] == "sh":
        line = given[2].replace("2>&1", "").replace('"$1"', shlex.quote((given[4:] or [""])[0]))
        yield from map(shlex.split, _OURS.findall(line))
    elif given[0] != "certificates.sh":
        yield given


STARTED: Final = list(_started())
"""Where something is started, and the words that it is started by."""

COMMANDS: Final = [(where, one) for where, given in STARTED for one in _inner(given)]
"""Where a command of ours is started, and its words."""
