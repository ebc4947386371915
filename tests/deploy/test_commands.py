"""Each command that a container, a pod, a unit or cron starts is one that its program understands."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from support.commands import COMMANDS, STARTED

from kibana_objects.cli import main as kibana_main
from mllog.cli import main as mllog_main
from watchers.cli import main as watchers_main

MAINS = {"kibana-objects": kibana_main, "mllog": mllog_main, "watchers": watchers_main}


@pytest.mark.parametrize(
    ("where", "words"), COMMANDS, ids=[f"{number}-{where}" for number, (where, _) in enumerate(COMMANDS)]
)
def test_it_is_understood(where: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With one option more than it has, that one alone is refused: the others, and what they are given, are right."""
    try:
        code = MAINS[words[0]]([*words[1:], "--no-such-option"])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert capsys.readouterr().err.rstrip().endswith(" unrecognized arguments: --no-such-option")


def test_none_was_overlooked() -> None:
    """Setup, watching, its health, shipping, the demo and expiry are all among them."""
    found = {" ".join(words[:2]) for _, words in COMMANDS}
    assert found == {
        "mllog setup", "mllog ship", "mllog demo", "watchers schedule", "watchers run", "watchers health",
        "kibana-objects import",
    }  # fmt: skip
    assert len(COMMANDS) >= 15


def test_no_secret_stands_in_one() -> None:
    """Neither a password nor a user's name: they come from the environment."""
    for _, words in COMMANDS:
        assert not re.search(r"://[^/\s]*@|password|secret", " ".join(words), re.IGNORECASE)


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_the_setup_holds_nobody_up_for_what_it_had_to_leave(tmp_path, code: int, ends: int) -> None:
    """A field whose index stays as it is until next month (1) is no reason not to start; anything else is."""
    (words,) = (given for where, given in STARTED if where == "compose-setup")
    (tmp_path / "mllog").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "mllog").chmod(0o755)
    line = [word.replace("$$", "$") for word in words]
    assert subprocess.run(line, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False).returncode == ends
