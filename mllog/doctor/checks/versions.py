"""Versions: mllog, Python, which extras are installed, and whether the loops over values were compiled."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, requires
from typing import TYPE_CHECKING, Final

from mllog import __version__
from mllog.delivery import loops
from mllog.doctor.base import Diagnosis
from mllog.environment.installed import installed, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllog.doctor.base import Subject

DISTRIBUTION: Final = "mllog-elastic"
_NEED: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[([^\]]*)\])?[^;]*(?:;.*\bextra\s*==\s*[\"']([^\"']+))?")
_OF_DEVELOPERS: Final = frozenset({"all", "bench", "test"})


class Versions:
    """The check."""

    name = "versions"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:  # noqa: ARG002 - the protocol's
        """One line: there is nothing wrong with an extra that nobody installed, but a command may need it."""
        present = installed()
        needs = extras()
        figures = {
            "mllog": __version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "compiled": loops.COMPILED,
            "extras": {extra: sorted(needed - present.keys()) for extra, needed in sorted(needs.items())},
        }
        complete = [extra for extra, needed in sorted(needs.items()) if needed <= present.keys()]
        absent = [extra for extra in sorted(needs) if extra not in complete]
        text = f"mllog {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
        if not loops.COMPILED:
            text += "; loops not compiled (an event costs half as much CPU again)"
        if complete:
            text += f"; extras installed: {', '.join(complete)}"
        if absent:
            text += f"; not installed: {', '.join(absent)} (pip install 'mllog-elastic[NAME]')"
        yield Diagnosis(self.name, "ok", text, figures=figures)


def extras() -> Mapping[str, frozenset[str]]:
    """Normalised names of what each extra needs, by the metadata of the distribution."""
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return {}
    direct: dict[str, set[str]] = {}
    nested: dict[str, set[str]] = {}
    for line in lines:
        match = _NEED.match(line)
        if match is None or match[3] is None or match[3] in _OF_DEVELOPERS:
            continue
        direct.setdefault(match[3], set())
        if normalised(match[1]) == DISTRIBUTION:
            nested.setdefault(match[3], set()).update(part.strip() for part in (match[2] or "").split(","))
        else:
            direct[match[3]].add(normalised(match[1]))
    return {extra: frozenset(_all_of(extra, direct, nested)) for extra in direct}


def _all_of(extra: str, direct: Mapping[str, set[str]], nested: Mapping[str, set[str]]) -> set[str]:
    needed = set(direct.get(extra, ()))
    for other in nested.get(extra, ()):
        needed |= _all_of(other, direct, nested)
    return needed


check = Versions()
