"""The frame of a program with commands: arguments that show no password, exit codes, and what is said of a failure.

Exit codes: 0 fine, 1 findings, 2 wrong usage, 3 could not judge or failed. With ``--json`` a failure is a document too,
on standard output: ``{"error": ..., "field": ..., "value": ...}``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from mllog.errors import MllogError, StoreError
from mllog.places import without_password

FINE: Final = 0
FINDINGS: Final = 1
USAGE: Final = 2
FAILED: Final = 3
DISTRIBUTION: Final = "mllog-elastic"

Handler = Callable[[argparse.Namespace], int]
Add = Callable[[str, str, str, Handler], argparse.ArgumentParser]
"""Makes a command of a name, a help, an example and a handler."""


class UsageError(Exception):
    """A command line that can't be understood.

    Attributes:
        parser: The one that doesn't.
    """

    def __init__(self, message: str, parser: argparse.ArgumentParser) -> None:
        super().__init__(message)
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """One that shows no password where it quotes what it doesn't understand; its options can't be shortened.

    Shortened ones would hide from what takes passwords off the command line (``mllog.shipping.hiding``).
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        """Raise where argparse would print and exit, so that ``--json`` can be answered.

        Raises:
            UsageError: Always.
        """
        raise UsageError(without_password(message), self)


def adder(parser: argparse.ArgumentParser) -> Add:
    """What adds commands to a program, each with an example in its help, a handler and ``--json``.

    Args:
        parser: The program's.
    """
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help_: str, example: str, handler: Handler) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.", epilog=f"example: {example}"
        )
        made.set_defaults(handler=handler)
        made.add_argument("--json", action="store_true", help="print one JSON document")
        return made

    return add


def understood(parser: argparse.ArgumentParser, given: Sequence[str] | None) -> argparse.Namespace:
    """The arguments of a command line.

    Args:
        parser: The program's.
        given: Its words; those of this process where none are given.

    Raises:
        SystemExit: With 2 where they can't be understood, which is said; with 0 after ``--help``.
    """
    words = list(sys.argv[1:] if given is None else given)
    try:
        return parser.parse_args(words)
    except UsageError as error:
        error.parser.print_usage(sys.stderr)
        raise SystemExit(fail(error.parser.prog, str(error), USAGE, as_json="--json" in words)) from None
    except SystemExit as stop:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            raise SystemExit(_unheard()) from stop
        raise


def answered(
    name: str,
    call: Callable[[], int],
    *,
    as_json: bool,
    extra: str,
    wrong: tuple[type[Exception], ...] = (),
) -> int:
    """The exit code of a command; where it raises, why is said, and never a traceback.

    Args:
        name: Program and command.
        call: Does it.
        as_json: Whether a document is wanted.
        extra: Brings what it needs.
        wrong: Errors besides :class:`MllogError` that are wrong usage.
    """
    try:
        code = call()
        sys.stdout.flush()
    except MllogError as error:
        code = FAILED if isinstance(error, StoreError) else USAGE
        return fail(name, str(error), code, as_json=as_json, field=error.field, value=error.value)
    except ModuleNotFoundError as error:
        command = name.rpartition(" ")[2]
        return fail(name, needs(error, extra), USAGE, as_json=as_json, field="command", value=command)
    except wrong as error:
        return fail(name, str(error), USAGE, as_json=as_json)
    except BrokenPipeError:
        return _unheard()
    except KeyboardInterrupt:
        return fail(name, "interrupted", FAILED, as_json=as_json)
    except (OSError, RuntimeError, ValueError) as error:
        return fail(name, _told(error), FAILED, as_json=as_json)
    return code


def fail(name: str, message: str, code: int, *, as_json: bool, field: str | None = None, value: object = None) -> int:
    """Say why a command fails: to people, and as a document where one is wanted.

    Args:
        name: Program and command.
        message: Why.
        code: The exit code.
        as_json: Whether a document is wanted.
        field: Which argument or variable is wrong.
        value: What it was.

    Returns:
        The exit code.
    """
    print(f"{name}: {message}", file=sys.stderr)
    if as_json:
        print(document(message, field, value))
    return code


def document(message: str, field: str | None = None, value: object = None) -> str:
    """A failure as JSON."""
    return json.dumps({"error": message, "field": field, "value": value}, default=str)


def needs(error: ModuleNotFoundError, extra: str) -> str:
    """What isn't installed, and what brings it."""
    return f"needs {error.name}: pip install '{DISTRIBUTION}[{extra or 'all'}]'"


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or ''}: {error.strerror}".removeprefix(": ")
    return f"{type(error).__name__}: {error}"


def _unheard() -> int:
    """Whoever read our output (`| head`) has enough; what is still buffered has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED
