"""The Dockerfile: no engine builds it here, so each of its steps that can be done outside of one is done.

The wheel is built by its very command from what a builder is sent, is installed into an environment of its own, and has
every command there that a container, a pod, a unit or cron starts.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest
from support.commands import COMMANDS, STARTED
from support.images import DOCKERFILE, context, copy, sent, stages
from support.stack import EXAMPLE, FILE, ROOT, read

BUILD, FINAL = stages(DOCKERFILE.read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_what_a_builder_is_sent() -> None:
    """No secret, no history, nothing that was built here; all that is copied."""
    ignore = (ROOT / ".dockerignore").read_text()
    names = {
        ".env", ".env.example", ".git/config", "tests/conftest.py", "demo-out/events/a.ndjson", "docker-compose.yml",
        "mllog/.env", "mllog/__pycache__/cli.cpython-311.pyc", "mllog/delivery/loops/compiled.cpython-311-x86_64-linux-gnu.so",
        "mllog/delivery/loops/compiled.c", "mllog/cli.py", "watchers/checks/base.py", "kibana_objects/data_views.py",
        "pyproject.toml", "hatch_build.py", "constraints.txt", "README.md", "LICENSE", "deploy/certificates.sh",
        "deploy/kibana/kibana.yml", "mllog/delivery/loops/compiled.pyx",
    }  # fmt: skip
    assert sent(names, ignore) == {
        "mllog/cli.py", "watchers/checks/base.py", "kibana_objects/data_views.py", "pyproject.toml", "hatch_build.py",
        "constraints.txt", "README.md", "LICENSE", "deploy/certificates.sh",
        "mllog/delivery/loops/compiled.pyx",
    }  # fmt: skip


def test_its_base_is_pinned_and_what_tests_run_on() -> None:
    """One slim image of Python for both stages, of the minor version that the suite runs on."""
    (base, _, _), (final,) = (stage.all("FROM")[0].split() for stage in (BUILD, FINAL))
    assert base == final
    match = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", base)
    assert match
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert match[1] == oldest


def test_what_runs_has_no_compiler_and_no_root() -> None:
    """The last stage takes its packages from the first, installs nothing that builds, and its user is the stack's."""
    runs = " ".join(FINAL.all("RUN"))
    assert not re.search(r"gcc|libc6-dev|build-essential|pip", runs)
    assert "gcc" in " ".join(BUILD.all("RUN"))
    assert FINAL.all("COPY")[0] == "--from=build /opt/mllog /opt/mllog"
    (user,) = FINAL.all("USER")
    stack = read(FILE.read_text(), EXAMPLE.read_text())
    assert {service.body["user"] for service in stack.services.values() if service.ours} == {user}
    names = [name for name, _ in FINAL.steps]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name in {"RUN", "COPY"})
    assert "NONE" in FINAL.all("HEALTHCHECK")


def test_its_labels() -> None:
    """They are the project's, and its tag is the version that the stack names."""
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', " ".join(FINAL.all("LABEL"))))
    assert labels["version"] == PROJECT["version"]
    assert labels["licenses"] == PROJECT["license"]


def test_its_folders_are_those_that_volumes_are_mounted_at() -> None:
    """A new volume takes over the owner of the image's folder, and without one it is root's."""
    stack = read(FILE.read_text(), EXAMPLE.read_text())
    mounted = {m.target for service in stack.services.values() if service.ours for m in service.mounts if not m.as_is}
    (made,) = (run for run in FINAL.all("RUN") if "install -d" in run)
    parts = re.search(r"for folder in ([\w ]+);", made)[1].split()
    assert {f"/certificates/{part}" for part in parts} | set(re.findall(r"750 (\S+)$", made)) == mounted


def test_its_scripts_can_be_executed() -> None:
    """Their mode is taken over from here, and PATH finds them."""
    (copied,) = (text for text in FINAL.all("COPY") if "--from" not in text)
    *scripts, where = copied.split()
    assert where.rstrip("/") in FINAL.all("ENV")[0]
    for script in scripts:
        assert os.access(ROOT / script, os.X_OK)
        assert (ROOT / script).read_text().startswith("#!/bin/sh\n")
    started = {words[0] for where, words in STARTED if not where.startswith(("cron", "mllog-"))}
    assert started == {"kibana-objects", "mllog", "watchers", "sh", *(pathlib.Path(script).name for script in scripts)}


def test_it_installs_what_the_tests_run_on() -> None:
    """The wheel with all extras, by the same constraints."""
    (install,) = (run for run in BUILD.all("RUN") if "pip install" in run)
    assert "--constraint constraints.txt" in install
    assert install.endswith('"$(ls /wheels/mllog_elastic-*.whl)[all]"')


@pytest.mark.slow
def test_the_wheel_has_every_command(tmp_path: pathlib.Path) -> None:
    """Built by the step's own line from what a builder is sent, and installed without anything of this folder."""
    source, work = context(tmp_path / "sent"), tmp_path / "src"
    for text in BUILD.all("COPY"):
        copy(text, source, work)
    (line,) = (run for run in BUILD.all("RUN") if "pip wheel" in run)
    environment = {
        "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "MLLOG_PURE_PYTHON": "1",
    }
    line = line.replace("/wheels", str(tmp_path / "wheels")).replace("--no-cache-dir ", "")
    subprocess.run(
        ["sh", "-c", line], cwd=work, env={**os.environ, **environment}, check=True, timeout=300, capture_output=True
    )
    (wheel,) = (tmp_path / "wheels").glob("mllog_elastic-*.whl")
    own = tmp_path / "own"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", own], check=True, timeout=120)
    python = own / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel],
        check=True, timeout=120,
    )  # fmt: skip
    # What it depends on is here already, installed by the same constraints; this folder is not on its way.
    (packages,) = own.glob("lib/python*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "here.pth").write_text("\n".join(here))
    for name in {command[0] for _, command in COMMANDS} - {"sh", "certificates.sh"}:
        assert (own / "bin" / name).is_file(), name
    for arguments in (
        ["mllog", "--version"],
        ["mllog", "setup", "--help"],
        ["mllog", "demo", "--help"],
        ["watchers", "schedule", "--help"],
        ["kibana-objects", "check"],
    ):
        done = subprocess.run(
            [own / "bin" / arguments[0], *arguments[1:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    found = subprocess.run(
        [python, "-c", "import mllog, watchers, kibana_objects; print(mllog.__file__, watchers.__file__, kibana_objects.__file__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert all(path.startswith(str(packages)) for path in found), found
