"""What the three programs have in common: each as it is started, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import processes

from kibana_objects.cli import main as kibana_objects
from mllog.cli import main as mllog
from watchers.cli import main as watchers

if TYPE_CHECKING:
    from collections.abc import Callable

MAINS: dict[str, Callable[[list[str]], int]] = {"kibana-objects": kibana_objects, "mllog": mllog, "watchers": watchers}
MODULES = {"kibana-objects": "kibana_objects.cli", "mllog": "mllog.cli", "watchers": "watchers.cli"}
URL = "https://ann:tell-nobody@host.example:1/?token=tell-nobody"
WORKING = {
    "kibana-objects": ["import", "--kibana", URL],
    "mllog": ["ship", "spool", "--to", f"elasticsearch+{URL}"],
    "watchers": ["health", "--store", f"elasticsearch+{URL}"],
}


def outcome(program: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int | str | None, str, str]:
    """What a program ends with and says."""
    try:
        code: int | str | None = MAINS[program](words)
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


def started(code: str, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Some code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True, text=True, check=False, timeout=120, cwd=cwd, env=processes.environment(),
    )  # fmt: skip


@pytest.mark.parametrize("program", MAINS)
@pytest.mark.parametrize("stray", [["--stray", URL], [f"--stray={URL}"], [URL]])
def test_no_password_is_repeated(program: str, stray: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Where an argument isn't understood it is named, for people and in a document, without what is secret in it."""
    for words in ([*WORKING[program], *stray], [*stray, *WORKING[program]], stray):
        code, out, err = outcome(program, [*words, "--json"], capsys)
        assert code == 2, words
        assert "tell-nobody" not in out + err
        assert json.loads(out)["error"] in err
    assert "usage: " in outcome(program, [*WORKING[program], *stray], capsys)[2]


@pytest.mark.parametrize("program", MAINS)
def test_options_are_written_out(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A shortened one would hide its password from what takes passwords off the command line."""
    shortened = [word[:-1] if word.startswith("--") else word for word in WORKING[program]]
    code, _, err = outcome(program, shortened, capsys)
    assert code == 2
    assert "required" in err
    assert "tell-nobody" not in err


@pytest.mark.parametrize("program", MAINS)
@pytest.mark.parametrize("words", ["--help", None])
def test_a_reader_that_has_enough(program: str, words: str | None, tmp_path: Path) -> None:
    """``… | head`` ends without a traceback, and without Python's own complaint at its end."""
    given = words or {
        "kibana-objects": "check --json", "mllog": "doctor nowhere --json", "watchers": "incidents --store . --json",
    }[program]  # fmt: skip
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", MODULES[program], *given.split()], stdout=write, stderr=subprocess.PIPE,
            cwd=tmp_path, text=True, check=False, timeout=120, env=processes.environment(),
        )  # fmt: skip
    finally:
        os.close(write)
    assert done.stderr == ""
    # What argparse can't write at once it doesn't write.
    assert done.returncode in ({0, 3} if words else {3})


@pytest.mark.parametrize(
    ("program", "module", "words", "extra"),
    [
        ("kibana-objects", "lark", ["check"], "kibana"),
        ("kibana-objects", "urllib3", ["import", "--kibana", "http://127.0.0.1:1"], "kibana"),
        ("mllog", "elasticsearch", ["setup", "--elasticsearch", "http://127.0.0.1:1"], "elastic"),
        ("mllog", "numpy", ["show", "a", "--store", "."], "watchers"),
        ("watchers", "pandas", ["card", "train.csv", "--model", "m", "--version", "1"], "watchers"),
        ("watchers", "duckdb", ["profile", "--store", "."], "watchers"),
    ],
)
def test_what_is_not_installed(program: str, module: str, words: list[str], extra: str, tmp_path: Path) -> None:
    """Wrong usage, with the extra that brings it, as a document too."""
    (tmp_path / "train.csv").write_text("a\n1\n")
    code = f"import sys; sys.modules[{module!r}] = None; from {MODULES[program]} import main; sys.exit(main())"
    done = started(code, *words, "--json", cwd=tmp_path)
    told = f"needs {module}: pip install 'mllog-elastic[{extra}]'"
    assert (done.returncode, done.stderr) == (2, f"{program} {words[0]}: {told}\n")
    assert json.loads(done.stdout) == {"error": told, "field": "command", "value": words[0]}


def test_watchers_without_anything_of_theirs() -> None:
    """They can't be imported then, and say so all the same, from what the installed program runs."""
    scripts = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["watchers"].partition(":")
    code = f"import sys; sys.modules['numpy'] = None; from {module} import {name}; sys.exit({name}())"
    done = started(code, "health", "--store", ".")
    assert (done.returncode, done.stderr) == (2, "watchers: needs numpy: pip install 'mllog-elastic[watchers]'\n")
    done = started(f"import sys; from {module} import {name}; sys.exit({name}())", "health", "--store", "nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("watchers health: ")


def test_mllog_starts_quickly() -> None:
    """Neither the programs' frame nor how they are started loads what ships, counts or draws."""
    code = "import sys, mllog.cli, mllog.starting; print(sorted({'numpy', 'urllib3', 'pandas', 'elasticsearch'} & set(sys.modules)))"
    assert started(code).stdout == "[]\n"
