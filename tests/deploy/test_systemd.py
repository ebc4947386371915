"""The units of systemd: what systemd-analyze says of them, and that they leave the shipper the time that it needs."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from support.commands import DEPLOY, unit

from mllog.shipping.command import STOP_SECONDS
from mllog.shipping.destinations.http import CONNECT_SECONDS

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
EXPOSURE = 20
"""Tenths of systemd's own scale from 0 to 10, on which a unit without any of this has 9.6."""


@pytest.fixture
def here(tmp_path: pathlib.Path):
    """Copies of the units whose commands are those of this environment, as a list of files."""
    assert shutil.which("systemd-analyze"), (
        "systemd-analyze isn't installed: apt-get install systemd, as make test does"
    )

    def copies(changed=lambda text: text) -> list[pathlib.Path]:
        found = []
        for path in UNITS:
            text = changed(path.read_text())
            (tmp_path / path.name).write_text(
                text.replace("/opt/mllog/bin/", f"{pathlib.Path(sys.executable).parent}/")
            )
            found.append(tmp_path / path.name)
        return found

    return copies


def analyze(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)


def test_they_are_units(here) -> None:
    """No key and no value that systemd doesn't know, and commands that can be executed."""
    done = analyze("verify", *here())
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("old", "new"), [("RestartSec", "RestartSecs"), ("ProtectSystem=strict", "ProtectSystem=all"), ("bin/", "bin/no-")]
)
def test_a_broken_one_is_found(here, old: str, new: str) -> None:
    """A misspelt key, a value that is none, a command that isn't there."""
    assert analyze("verify", *here(lambda text: text.replace(old, new))).stderr != ""


def test_they_are_confined(here) -> None:
    """By systemd's own measure; without what confines them they aren't."""
    for path in here():
        done = analyze("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", path)
        assert done.returncode == 0, done.stdout
    for path in here(
        lambda text: re.sub(r"^(Protect|Private|Restrict[A-Z]|System|Capability).*\n", "", text, flags=re.MULTILINE)
    ):
        assert analyze("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", path).returncode != 0


@pytest.mark.parametrize("path", UNITS, ids=[path.stem for path in UNITS])
def test_they_keep_secrets(path: pathlib.Path) -> None:
    """They come from files that systemd reads as root, none stands in the unit; the authority's file is handed over."""
    service = unit(path)
    (variables,) = service["EnvironmentFile"]
    assert re.fullmatch(r"/etc/mllog/\w+\.env", variables)
    assert service["Environment"] == ["MLLOG_CA_CERTS=%d/ca.crt"]
    assert service["LoadCredential"] == ["ca.crt:/etc/mllog/ca.crt"]
    assert not re.search(r"(PASSWORD|API_KEY)\s*=", path.read_text())


def test_the_shipper_has_time_to_end() -> None:
    """For the request in hand and a connection that is being made; what ends it otherwise starts it again."""
    service = unit(DEPLOY / "systemd" / "mllog-ship.service")
    assert STOP_SECONDS + CONNECT_SECONDS < float(service["TimeoutStopSec"][0]) <= 30
    assert service["Restart"] == ["always"]
    # Wrong usage stays wrong, whatever else it ends with is tried again.
    assert service["RestartPreventExitStatus"] == ["2"]
    assert service["SuccessExitStatus"] == ["1 3"]


def test_the_watchers_have_time_to_end() -> None:
    """They finish the hour that they are at, and keep nothing on this machine."""
    service = unit(DEPLOY / "systemd" / "mllog-watchers.service")
    assert float(service["TimeoutStopSec"][0]) >= 60
    assert service["DynamicUser"] == ["yes"]
    assert (service["Restart"], service["RestartPreventExitStatus"]) == (["always"], ["2"])
