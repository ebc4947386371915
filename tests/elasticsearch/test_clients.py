"""Elastic's client library of the next major version: it works with servers of its own, and older ones say what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import processes, streams
from support.elasticsearch import OLDER_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.elasticsearch import Node

CLIENT = "elasticsearch==9.5.1"


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with that library."""
    folder = tmp_path_factory.mktemp("client")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--target", folder, CLIENT],
        check=True, timeout=300,
    )  # fmt: skip
    return folder


def called(folder: Path, namespace: str, *words: Any) -> subprocess.CompletedProcess[str]:
    """A command by that library."""
    path = os.pathsep.join([str(folder), processes.environment().get("PYTHONPATH", "")])
    environment = {**processes.environment(), "PYTHONPATH": path, "MLLOG_NAMESPACE": namespace}
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False, timeout=300, env=environment)


def test_a_client_9_watches_a_server_9(newest: Any, newer: Path, tmp_path: Path) -> None:
    """Setup, a run and what it found."""
    place = newest
    streams.serve(tmp_path, "nine", hours=40, broken=32, card=streams.card_of("nine"), namespace=place.namespace)
    place.ship(tmp_path)
    version = called(newer, place.namespace, "-c", "import elasticsearch; print(elasticsearch.__versionstr__)")
    assert version.stdout.startswith("9.")
    done = called(newer, place.namespace, "-m", "mllog.cli", "setup", "--elasticsearch", place.node.url, "--check", "--json")
    assert done.returncode == 0, done.stderr + done.stdout[-500:]
    place.refresh(f"logs-*-{place.namespace}")
    done = called(newer, place.namespace, "-m", "watchers.cli", "run", "--once", "--store", place.name, "--now", "2026-03-03T17:00:00Z")
    assert done.returncode == 1, done.stderr + done.stdout
    assert "distance" in done.stdout
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr


def test_a_client_9_is_told_by_a_server_8(elasticsearch_nodes: Callable[[str], Node], newer: Path) -> None:
    """It is refused, and the message says which client to install."""
    place = f"elasticsearch+{elasticsearch_nodes(OLDER_VERSION).url}"
    done = called(newer, "default", "-m", "watchers.cli", "run", "--once", "--store", place)
    assert done.returncode == 3, done.stderr
    assert "pip install 'elasticsearch>=8.19,<9'" in done.stderr
    assert "Traceback" not in done.stderr
