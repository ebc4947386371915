"""``mllog``: the one command of all packages. Finds its subcommands by entry points and knows none of them.

Exit codes: 0 fine, 1 findings, 2 wrong usage, 3 could not judge or failed.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from mllog import __version__
from mllog.errors import MllogError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllog.command import Command

GROUP: Final = "mllog.commands"
FINE, FINDINGS, USAGE, FAILED = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``mllog``.

    Args:
        arguments: Those of the command line where none are given.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    found = {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}
    # Only the command that is called is loaded; the others' needs may be slow to import, or absent.
    wanted = next((word for word in given if word in found), None)
    commands: dict[str, Command] = {}
    missing: dict[str, str] = {}
    for name, point in found.items():
        if wanted in (None, name):
            _load(point, commands, missing)
    if wanted in missing:
        print(f"mllog {wanted}: {missing[wanted]}", file=sys.stderr)
        return USAGE
    parser = _parser(commands, missing)
    try:
        args = parser.parse_args(given)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    if args.command is None:
        parser.print_help()
        return USAGE
    return _run(commands[args.command], args)


def _run(command: Command, args: argparse.Namespace) -> int:
    try:
        return command.run(args)
    except MllogError as error:
        print(f"mllog {command.name}: {error}", file=sys.stderr)
        return USAGE
    except ModuleNotFoundError as error:
        print(f"mllog {command.name}: {_advice(command.name, error, loaded=True)}", file=sys.stderr)
        return USAGE
    except (OSError, RuntimeError, ValueError) as error:
        print(f"mllog {command.name}: {type(error).__name__}: {error}", file=sys.stderr)
        return FAILED


def _load(point: EntryPoint, commands: dict[str, Command], missing: dict[str, str]) -> None:
    try:
        commands[point.name] = point.load()
    except ModuleNotFoundError as error:
        missing[point.name] = _advice(point.name, error, loaded=False)


def _advice(name: str, error: ModuleNotFoundError, *, loaded: bool) -> str:
    # What a command needs beyond its own package is found out when it runs.
    extra = "demo" if loaded and name == "demo" else "watchers"
    return f"needs {error.name}: install mllog-elastic[{extra}]"


def _parser(commands: dict[str, Command], missing: dict[str, str]) -> argparse.ArgumentParser:
    epilog = "example: mllog demo --out demo/"
    if missing:
        epilog += "".join(f"\nnot installed: {name} ({why})" for name, why in missing.items())
    parser = argparse.ArgumentParser(
        prog="mllog",
        description="Log-based monitoring of machine-learning models.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mllog {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in commands.items():
        child = subparsers.add_parser(
            name,
            help=command.help,
            description=command.help,
            epilog=f"example: mllog {name}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(child)
    return parser


if __name__ == "__main__":
    sys.exit(main())
