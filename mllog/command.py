"""What a command is. Other packages bring theirs under the entry point group ``mllog.commands``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import argparse


class Command(Protocol):
    """One subcommand of ``mllog``.

    Attributes:
        name: Word that calls it.
        help: One line.
    """

    @property
    def name(self) -> str:
        """Word that calls it."""

    @property
    def help(self) -> str:
        """One line."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options; set ``parser.epilog`` to an example."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it. 0: fine, 1: findings, 2: wrong usage, 3: failed."""
