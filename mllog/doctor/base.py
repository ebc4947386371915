"""What the doctor looks at, what a check is, and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from mllog.doctor.reading import ProcessReading
    from mllog.places import Place
    from mllog.shipping import ShipStatus

State = Literal["ok", "warning", "problem", "unknown"]

DAY = 86_400.0
RECENT = DAY
"""What happened longer ago is told, and is no finding any more: nobody can do anything about it."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a check says of one thing.

    Attributes:
        check: Which one.
        state: ``ok``, ``warning`` (something will go wrong), ``problem`` (something has), ``unknown`` (can't be told).
        message: One sentence; never a secret.
        remedy: What to do about it, where it isn't ok.
        figures: The same in numbers, for ``--json``.
    """

    check: str
    state: State
    message: str
    remedy: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of asking a server.

    Attributes:
        name: The place, without user and password.
        reachable: Whether it answered as it should.
        message: One sentence, without secrets.
        acknowledges: Whether what it takes is safe.
        skew: Seconds that its clock is ahead of ours; ``None`` where it didn't say what time it has.
    """

    name: str
    reachable: bool
    message: str
    acknowledges: bool = True
    skew: float | None = None


@dataclass(slots=True)
class Subject:
    """What is looked at.

    Attributes:
        folders: Folders of events and spools.
        places: Servers, with the credentials to reach them.
        variables: The environment.
        now: Seconds since 1970.
        tell: Called with bytes read and bytes to read, where somebody wants to know.
    """

    folders: tuple[Path, ...]
    places: tuple[Place, ...]
    variables: Mapping[str, str]
    now: float
    tell: Callable[[int, int], object] | None = None
    _readings: dict[Path, list[ProcessReading]] = field(default_factory=dict)
    _statuses: dict[Path, list[ShipStatus]] = field(default_factory=dict)
    _reached: dict[Place, Reached] = field(default_factory=dict)

    def readings(self, folder: Path) -> list[ProcessReading]:
        """What stands in the segments of a folder; read once.

        Raises:
            OSError: Where they can't be read.
        """
        if folder not in self._readings:
            from mllog.doctor.reading import read  # noqa: PLC0415 - not every check reads

            self._readings[folder] = read(folder, self.tell)
        return self._readings[folder]

    def statuses(self, folder: Path) -> list[ShipStatus]:
        """How far each destination of a folder has got; asked once.

        Raises:
            OSError: Where it can't be read.
        """
        if folder not in self._statuses:
            from mllog.shipping import inspect  # noqa: PLC0415 - not every check asks

            self._statuses[folder] = inspect(folder, now=self.now)
        return self._statuses[folder]

    def reached(self, place: Place) -> Reached:
        """Ask a server; once."""
        if place not in self._reached:
            from mllog.doctor.asking import ask  # noqa: PLC0415 - only where there are servers

            self._reached[place] = ask(place)
        return self._reached[place]

    def existing(self) -> list[Path]:
        """The folders that are there."""
        return [folder for folder in self.folders if folder.is_dir()]


class Check(Protocol):
    """One thing to look at."""

    @property
    def name(self) -> str:
        """A word for it."""

    def run(self, subject: Subject) -> Iterable[Diagnosis]:
        """Look. What it raises becomes ``unknown``."""
