"""The Dockerfile, read as far as its steps can be done outside of a builder."""

from __future__ import annotations

import fnmatch
import pathlib
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from support.stack import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCKERFILE: Final = ROOT / "Dockerfile"


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next: (instruction, its text) in order."""

    steps: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """The texts of one instruction."""
        return [text for instruction, text in self.steps if instruction == name]


def stages(text: str) -> list[Stage]:
    """A Dockerfile's stages; what stands before the first is put in, where it is named."""
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    steps = [tuple(step.split(None, 1)) for step in re.sub(r"\\\n\s*", "", lines).splitlines() if step.strip()]
    arguments = dict(text.split("=", 1) for name, text in steps if name == "ARG")
    found: list[list[tuple[str, str]]] = []
    for name, rest in steps:
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append(
                (name, re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], rest) if name == "FROM" else rest)
            )
    return [Stage(tuple(one)) for one in found]


def sent(names: Iterable[str], ignore: str) -> set[str]:
    """Which of these files a builder is sent: by the last line of .dockerignore that speaks of them, or their folder.

    https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    kept = set()
    for name in names:
        parts = name.split("/")
        under = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        here = True
        for line in ignore.splitlines():
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            wanted = pattern.startswith("!")
            pattern = pattern.removeprefix("!")
            if any(_matches(one, pattern) for one in under):
                here = wanted
        if here:
            kept.add(name)
    return kept


def _matches(name: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return any(_matches("/".join(name.split("/")[start:]), pattern[3:]) for start in range(name.count("/") + 1))
    wanted, given = pattern.split("/"), name.split("/")
    return len(wanted) == len(given) and all(
        fnmatch.fnmatchcase(one, other) for one, other in zip(given, wanted, strict=True)
    )


def context(folder: pathlib.Path) -> pathlib.Path:
    """A copy of what a builder is sent of this repository, with what stands in it untracked."""
    # Looked through by hand, since these hold a hundred times as many files as everything else.
    tops = [path for path in ROOT.iterdir() if path.name not in {".git", ".venv", "node_modules"}]
    inside = [file for top in tops for file in ([top] if top.is_file() else top.rglob("*")) if file.is_file()]
    files = {str(path.relative_to(ROOT)) for path in inside}
    for name in sent(files, (ROOT / ".dockerignore").read_text()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def copy(instruction: str, source: pathlib.Path, target: pathlib.Path) -> None:
    """Do one COPY: of files to a folder, or of a folder's content to a folder."""
    *names, where = instruction.split()
    place = target / where
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, place, dirs_exist_ok=True)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, place)
