"""What a prediction ran on: packages, Python, system; whole once a process, a fingerprint on each event."""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import importlib.metadata
import os
import platform
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Manifest:
    """Everything that may change a model's answers though its artefact is the same.

    Attributes:
        packages: Version by distribution name, in lower case.
        python: Version of the interpreter.
        implementation: ``CPython``, ``PyPy``, …
        system: Operating system and architecture.
        commit: Commit of the code, where it is known.
    """

    packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    implementation: str = ""
    system: str = ""
    commit: str | None = None

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that are the same where, and only where, the manifest is the same."""
        return hashlib.sha256(orjson.dumps(self.to_dict(), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def replace(self, **changes: Any) -> Manifest:
        """A copy with other values, for replays and tests.

        Args:
            **changes: Attributes; ``packages`` are merged into those that are there.
        """
        if "packages" in changes:
            changes["packages"] = {**self.packages, **changes["packages"]}
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types: what a deployment event carries."""
        values = {
            name: value
            for name, value in self.__dict__.items()
            if name != "fingerprint" and value is not None
        }
        return {**values, "packages": dict(self.packages)}


@functools.cache
def current() -> Manifest:
    """The manifest of this process; worked out once."""
    packages: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name, version = distribution.metadata["Name"], distribution.version
        if isinstance(name, str) and isinstance(version, str):
            packages.setdefault(name.lower(), version)
    return Manifest(
        packages=dict(sorted(packages.items())),
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        commit=os.environ.get("MLLOG_COMMIT") or _commit(Path.cwd()),
    )


def artifact_hash(path: str | os.PathLike[str]) -> str:
    """sha256 of a file, or of the names and contents of all files in a folder.

    Raises:
        OSError: Where it can't be read.
    """
    root = Path(path)
    if root.is_file():
        with root.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not root.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))
    digest = hashlib.sha256()
    for file_path in sorted(entry for entry in root.rglob("*") if entry.is_file()):
        digest.update(file_path.relative_to(root).as_posix().encode() + b"\0")
        with file_path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _commit(folder: Path) -> str | None:
    """The checked-out commit, read from ``.git``; ``None`` where that isn't plain to see."""
    git = next((parent / ".git" for parent in (folder, *folder.parents) if (parent / ".git").is_dir()), None)
    if git is None:
        return None
    try:
        head = (git / "HEAD").read_text().strip()
        return (git / head[5:]).read_text().strip() if head.startswith("ref: ") else head
    except (OSError, UnicodeDecodeError):
        return None
