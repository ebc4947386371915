"""The lines of deploy/cron/mllog, run by the shell that cron would run them by."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest
from support import processes, spools
from support.commands import DEPLOY, cron_lines
from support.receivers import logstash

SHIP, RUN, HEALTH, EXPIRE = cron_lines()
PLACE = "elasticsearch+https://elastic.example:9200"


@pytest.fixture
def cron(tmp_path: pathlib.Path):
    """Run a line with the variables of its file; gives what would be mailed."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, module in (("mllog", "mllog.cli"), ("watchers", "watchers.cli")):
        (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        (commands / name).chmod(0o755)

    def run(line: str, variables: dict[str, str], *changes: tuple[str, str]) -> str:
        (file,) = re.findall(r"/etc/mllog/\w+\.env", line)
        settings = tmp_path / "settings.env"
        settings.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        line = line.replace(file, str(settings))
        for old, new in changes:
            assert old in line
            line = line.replace(old, new)
        done = subprocess.run(
            ["/bin/sh", "-c", line], capture_output=True, text=True, check=False, timeout=120, cwd="/",
            env={"PYTHONPATH": processes.environment()["PYTHONPATH"], "PATH": f"{commands}:{os.environ['PATH']}"},
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout

    return run


def test_the_file_is_one_of_cron() -> None:
    """Five fields, a user that isn't root, no percent sign (which cron takes for the end of a line), a last newline."""
    text = (DEPLOY / "cron" / "mllog").read_text()
    assert text.endswith("\n")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    settings = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    assert settings == {"SHELL": "/bin/sh", "PATH": "/opt/mllog/bin:/usr/bin:/bin", "MAILTO": "root"}
    for line in lines[len(settings) :]:
        assert re.match(r"(?:[\d*/,-]+ ){4}[\d*/,-]+  mllog  \S", line)
        assert "%" not in line
        assert len(line) < 998
    assert len(re.findall(r"^# .* 0 .*; 1 .*; 2 .*; 3 ", text, re.MULTILINE)) == 3


def test_shipping(tmp_path: pathlib.Path, cron) -> None:
    """It takes its credentials from the file, is silent where all was delivered, and says why where it wasn't."""
    spool = tmp_path / "spool"
    spools.spool(spool, "a", spools.lines("a", 5))
    with logstash() as receiver:
        changes = (("/var/lib/mllog/events", str(spool)), (PLACE, receiver.place()))
        assert cron(SHIP, {"MLLOG_USERNAME": "ann", "MLLOG_PASSWORD": "s3cret"}, *changes) == ""
        assert len(receiver.lines) == 5
        assert all(request.headers["authorization"].startswith("Basic ") for request in receiver.requests)
    said = cron(SHIP, {}, ("/var/lib/mllog/events", str(spool / "none")), (PLACE, "stdout:"))
    assert "no such folder" in said


def test_judging(tmp_path: pathlib.Path, cron) -> None:
    """Findings (1) are told by other ways and mail nothing; what can't be judged is mailed."""
    events = tmp_path / "events"
    assert cron(RUN, {}, (PLACE, str(events)), ("watchers run --once", "exit 1; :")) == ""
    events.mkdir()
    assert cron(RUN, {}, (PLACE, str(events))) == ""
    assert "nowhere" in cron(RUN, {}, (PLACE, "nowhere+http://host"))


def test_health(tmp_path: pathlib.Path, cron) -> None:
    """Silent while all is fine, a sentence where it isn't."""
    events = tmp_path / "events"
    events.mkdir()
    assert cron(HEALTH, {}, (PLACE, str(events))).startswith("unknown: no run has left a sign of life")
    assert cron(HEALTH, {}, (PLACE, str(events)), ("watchers health", "true")) == ""


def test_expiry(cron) -> None:
    """A server that can't be reached is said."""
    said = cron(EXPIRE, {"MLLOG_TIMEOUT": "15"}, ("https://elastic.example:9200", "http://127.0.0.1:1"))
    assert said.startswith("mllog setup: ")
