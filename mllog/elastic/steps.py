"""Further steps of ``mllog setup``: other packages bring theirs under the entry point group ``mllog.setup``.

An entry is called by the option that asks for it, and the extra that it needs stands in its square brackets.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol

from mllog.errors import SettingError
from mllog.program import needs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping
    from importlib.metadata import EntryPoint

    from mllog.elastic.report import Item
    from mllog.places import Place

GROUP: Final = "mllog.setup"


class Plan(Protocol):
    """What was asked of a step.

    Attributes:
        places: By option, the places that follow it on the command line: their passwords are taken off it.
        place: What is set up, for messages.
    """

    @property
    def places(self) -> Mapping[str, Mapping[str, Place]]:
        """By option, the places that follow it on the command line: their passwords are taken off it."""

    @property
    def place(self) -> str:
        """What is set up, for messages."""

    def run(self, *, change: bool, tell: Callable[[str], None]) -> Iterator[Item]:
        """Set up, or say what would be changed.

        Args:
            change: Whether anything may be.
            tell: Told what is being done.

        Raises:
            MllogError: It can't go on; what came before stays as it was told.
        """


class Step(Protocol):
    """What an entry names."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options, the one of its entry's name among them."""

    def plan(self, args: argparse.Namespace) -> Plan | None:
        """What was asked of it; None where nothing was. Nothing is asked of any server yet.

        Raises:
            MllogError: Wrong usage.
        """


def steps() -> list[Step]:
    """All of them; for one that can't be loaded, one that says what to install."""
    found: list[Step] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found.append(_Loaded(point, point.load()))
        except ModuleNotFoundError as error:
            found.append(_Absent(point.name, _needs(point, error)))
    return found


def _needs(point: EntryPoint, error: ModuleNotFoundError) -> str:
    return f"--{point.name} {needs(error, ','.join(point.extras))}"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A step whose plan may need what isn't installed."""

    point: EntryPoint
    step: Step

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        self.step.add_arguments(parser)

    def plan(self, args: argparse.Namespace) -> Plan | None:
        try:
            return self.step.plan(args)
        except ModuleNotFoundError as error:
            raise SettingError(_needs(self.point, error), field=self.point.name) from error


@dataclass(frozen=True, slots=True)
class _Absent:
    name: str
    why: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(f"--{self.name}", metavar="URL", help=f"not installed: {self.why}")

    def plan(self, args: argparse.Namespace) -> Plan | None:
        if getattr(args, self.name) is None:
            return None
        raise SettingError(self.why, field=self.name)
