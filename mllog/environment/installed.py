"""Which distributions are installed, from the names of their metadata folders, without reading one of them.

``importlib.metadata`` parses a file of each distribution, and is slow to import itself. The names say the same: the
folder of an installed distribution is called ``{name}-{version}.dist-info``
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/), neither part with a hyphen in
it. Only legacy ``name.egg-info`` folders have to be opened, and archives on the path (zipped eggs) are left to
``importlib.metadata``.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Signature = tuple[tuple[str, int], ...]
"""Folders of ``sys.path`` and when each was last changed, in nanoseconds."""

# Half-removed distributions are left as "~umpy-2.0.dist-info" by pip; they begin with no letter or digit.
_FOLDER: Final = re.compile(r"([A-Za-z0-9][^-]*)-([^-]+)(?:-py[0-9.]+(?:-.+)?)?\.(?:dist-info|egg-info|egg)")
_EGG_INFO: Final = re.compile(r"([A-Za-z0-9][^-]*)\.egg-info")
_RUNS: Final = re.compile(r"[-_.]+")


def installed(path: Sequence[str] | None = None) -> dict[str, str]:
    """Versions by name, sorted; where a distribution is there twice, the one that Python would import counts.

    Args:
        path: Where to look, in order; ``sys.path`` by default.

    Returns:
        Names as PEP 503 normalises them: lower case, ``-`` for each run of ``-``, ``_`` and ``.``.
    """
    found: dict[str, str] = {}
    for folder in dict.fromkeys(sys.path if path is None else path):
        # A folder that has one twice was left so by a broken removal; which one counts must at least not change.
        for name, version in dict(sorted(_of(folder))).items():
            found.setdefault(name, version)
    return dict(sorted(found.items()))


def signature(path: Sequence[str] | None = None) -> Signature:
    """Changes where a distribution is installed, removed or replaced: one ``stat`` for each folder of the path."""
    stamps = []
    for folder in dict.fromkeys(sys.path if path is None else path):
        with contextlib.suppress(OSError):
            stamps.append((folder, Path(folder).stat().st_mtime_ns))
    return tuple(stamps)


def normalised(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return _RUNS.sub("-", name).lower()


def _of(folder: str) -> Iterator[tuple[str, str]]:
    if folder.endswith(".egg"):
        match = _FOLDER.fullmatch(Path(folder).name)
        if match is not None:
            yield normalised(match[1]), match[2]
            return
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in entries]
    except NotADirectoryError:
        yield from _of_archive(folder)
        return
    except OSError:
        return
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            match = _FOLDER.fullmatch(name)
            if match is not None:
                yield normalised(match[1]), match[2]
            elif match := _EGG_INFO.fullmatch(name):
                version = _version_in(Path(folder, name))
                if version is not None:
                    yield normalised(match[1]), version


def _version_in(egg_info: Path) -> str | None:
    """``Version:`` of a legacy metadata folder, or file, whose name has none."""
    for path in (egg_info / "PKG-INFO", egg_info):
        with contextlib.suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("Version:"):
                    return line.removeprefix("Version:").strip()
                if not line.strip():
                    return None
    return None


def _of_archive(path: str) -> Iterator[tuple[str, str]]:
    import importlib.metadata  # noqa: PLC0415 - slow, and archives are rare

    with contextlib.suppress(Exception):
        for distribution in importlib.metadata.distributions(path=[path]):
            yield normalised(distribution.name), distribution.version
