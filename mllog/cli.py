"""``mllog``: the one command of all packages. Finds its subcommands by entry points and knows none of them.

The extra that a command needs stands at its entry point, in square brackets. Exit codes and what is said of failures:
``mllog.program``.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final, TextIO

from mllog import __version__
from mllog.places import without_password
from mllog.program import DISTRIBUTION, FAILED, USAGE, Parser, answered, document, fail, needs, understood

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mllog.command import Command

GROUP: Final = "mllog.commands"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``mllog``.

    Args:
        arguments: Those of the command line where none are given.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    found = {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}
    word = next((word for word in given if not word.startswith("-")), None)
    # Only the command that is called is loaded; the others' needs may be slow to import, or absent.
    wanted = word if word in found else None
    commands: dict[str, Command] = {}
    missing: dict[str, str] = {}
    for name, point in found.items():
        if wanted in (None, name):
            _load(point, commands, missing)
    if word is not None and wanted is None:
        shown = without_password(word)
        return fail(
            "mllog", _unknown(shown, found, commands, missing), USAGE, as_json=as_json, field="command", value=shown
        )
    if wanted in missing:
        return fail(f"mllog {wanted}", missing[wanted], USAGE, as_json=as_json, field="command", value=wanted)
    parser = _parser(commands, missing)
    try:
        args = understood(parser, given)
    except SystemExit as stop:  # it can't be understood, or --help, --version
        return stop.code if isinstance(stop.code, int) else USAGE
    if args.command is None:
        parser.print_help()
        return USAGE
    return _run(commands[args.command], args, found[args.command], as_json=getattr(args, "json", False) is True)


def _run(command: Command, args: argparse.Namespace, point: EntryPoint, *, as_json: bool) -> int:
    def call() -> int:
        out, err = _Heard(sys.stdout), _Heard(sys.stderr)
        with contextlib.ExitStack() as stack:
            if as_json:
                stack.enter_context(contextlib.redirect_stdout(out))
                stack.enter_context(contextlib.redirect_stderr(err))
            code = command.run(args)
        if as_json and code in {USAGE, FAILED} and not out.used:
            # It has said why on standard error; whoever asked for a document gets one.
            said = "".join(err.texts).strip().removeprefix(f"mllog {command.name}: ")
            print(document(said or f"mllog {command.name} ended with {code}"))
        return code

    return answered(f"mllog {command.name}", call, as_json=as_json, extra=_extra(point))


def _load(point: EntryPoint, commands: dict[str, Command], missing: dict[str, str]) -> None:
    try:
        commands[point.name] = point.load()
    except ModuleNotFoundError as error:
        missing[point.name] = needs(error, _extra(point))


def _extra(point: EntryPoint) -> str:
    return ",".join(point.extras)


def _unknown(
    word: str, found: Mapping[str, EntryPoint], commands: Mapping[str, Command], missing: Mapping[str, str]
) -> str:
    """What to say of a command that isn't there: which ones are, and what brings what they need."""
    meant = difflib.get_close_matches(word, found, n=1)
    lines = [f"no command {word!r}{f' (did you mean {meant[0]!r}?)' if meant else ''}; there are:"]
    for name, point in found.items():
        about = commands[name].help if name in commands else f"not installed: {missing[name]}"
        extra = f" ({DISTRIBUTION}[{_extra(point)}])" if _extra(point) and name in commands else ""
        lines.append(f"  {name:10} {about}{extra}")
    return "\n".join(lines)


class _Heard:
    """A standard stream that remembers what was said to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.texts: list[str] = []
        self.used = False

    def write(self, text: str) -> int:
        self.used = True
        if len(self.texts) < 1000:
            self.texts.append(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        # Whoever wants the bytes below will write to them.
        self.used = self.used or name == "buffer"
        return getattr(self._stream, name)


def _parser(commands: dict[str, Command], missing: dict[str, str]) -> argparse.ArgumentParser:
    epilog = "example: mllog demo --out demo/"
    if missing:
        epilog += "".join(f"\nnot installed: {name} ({why})" for name, why in missing.items())
    parser = Parser(
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
