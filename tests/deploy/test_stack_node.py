"""A real Elasticsearch with the stack's own settings and certificates: its health check, the setup, the watchers."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from support import processes
from support.certificates import SERVICES, make
from support.elasticsearch import free_port
from support.stack import EXAMPLE, FILE, ROOT, Service, Stack, read
from support.stack_node import StackNode

import mllog

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = 3600 * 10**9


@pytest.fixture(scope="module")
def stack() -> Stack:
    """The stack, as docker-compose reads it."""
    return read(FILE.read_text(), EXAMPLE.read_text())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Those of the stack."""
    folder = tmp_path_factory.mktemp("certificates")
    assert make(folder, *SERVICES).returncode == 0
    return folder


@pytest.fixture(scope="module")
def node(stack: Stack, certificates: pathlib.Path) -> Iterator[StackNode]:
    """The node."""
    found = StackNode(stack.services["elasticsearch"], certificates)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the commands of the image."""
    folder = tmp_path_factory.mktemp("mllog") / "bin"
    folder.mkdir()
    (folder.parent / "cards").mkdir()
    for name, module in (("mllog", "mllog.cli"), ("watchers", "watchers.cli")):
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m {module} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def inside(node: StackNode, certificates: pathlib.Path, commands: pathlib.Path):
    """Words and environment of a container's command, as they are outside of it."""

    def translate(service: Service, words: list[str]) -> tuple[list[str], dict[str, str]]:
        here = [word.replace("$$", "$").replace("https://elasticsearch:9200", node.url) for word in words]
        here = [word.replace("/var/lib/mllog", str(commands.parent)) for word in here]
        here = [re.sub(r"^0\.0\.0\.0:9464$", f"127.0.0.1:{free_port()}", word) for word in here]
        variables = {**service.environment, "MLLOG_CA_CERTS": str(certificates / "trust" / "ca.crt")}
        return here, {**processes.environment(), **variables, "PATH": f"{commands}:{os.environ['PATH']}"}

    return translate


def check(service: Service, node: StackNode, *, path: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """The health check of Elasticsearch, in its folder; its port is another one here."""
    (line,) = service.health
    assert "localhost:9200" in line
    return subprocess.run(
        ["sh", "-c", line.replace("localhost:9200", f"localhost:{node.port}")], cwd=node.home, capture_output=True,
        check=False, timeout=60, env={"PATH": path, "ELASTIC_PASSWORD": service.environment["ELASTIC_PASSWORD"], **variables},
    )  # fmt: skip


def test_healthy(stack: Stack, node: StackNode, tmp_path: pathlib.Path) -> None:
    """It is, and its password is in no process's command line meanwhile."""
    (tmp_path / "curl").write_text(
        f'#!/bin/sh\ntr "\\0" " " </proc/$$/cmdline >{tmp_path}/seen\nexec {shutil.which("curl")} "$@"\n'
    )
    (tmp_path / "curl").chmod(0o755)
    done = check(stack.services["elasticsearch"], node, path=f"{tmp_path}:{os.environ['PATH']}")
    assert (done.returncode, done.stderr) == (0, b"")
    seen = (tmp_path / "seen").read_text()
    assert "_cluster/health" in seen
    assert stack.secrets["ELASTIC_PASSWORD"] not in seen


def test_not_healthy(stack: Stack, node: StackNode, tmp_path: pathlib.Path) -> None:
    """Whoever has another password, or trusts another authority, isn't told that it is."""
    service = stack.services["elasticsearch"]
    assert check(service, node, path=os.environ["PATH"], ELASTIC_PASSWORD="another").returncode != 0
    make(tmp_path, "elasticsearch")
    other = Service(service.name, {**service.body, "healthcheck": {
        "test": ["CMD-SHELL", service.health[0].replace("config/certs/ca.crt", str(tmp_path / "trust" / "ca.crt"))],
    }}, stack)  # fmt: skip
    assert check(other, node, path=os.environ["PATH"]).returncode != 0


def test_nobody_is_let_in_without_a_password(node: StackNode) -> None:
    """Security is on, and http isn't spoken."""
    url = f"{node.url}/_cluster/health"
    plain = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", node.home / "config/certs/ca.crt"]
    assert subprocess.run([*plain, url], capture_output=True, check=False, timeout=60).stdout == b"401"
    assert (
        subprocess.run([*plain, url.replace("https", "http")], capture_output=True, check=False, timeout=60).returncode
        != 0
    )


@pytest.fixture(scope="module")
def set_up(stack: Stack, node: StackNode, inside) -> subprocess.CompletedProcess[str]:
    """The setup's container, run once."""
    service = stack.services["setup"]
    words, variables = inside(service, service.command)
    return subprocess.run(words, env=variables, capture_output=True, text=True, check=False, timeout=300)


def test_the_setup(stack: Stack, node: StackNode, inside, set_up: subprocess.CompletedProcess[str]) -> None:
    """It ends well, a second time too; each user may log in then, and no password was printed."""
    assert set_up.returncode == 0, set_up.stderr
    service = stack.services["setup"]
    words, variables = inside(service, service.command)
    again = subprocess.run(words, env=variables, capture_output=True, text=True, check=False, timeout=300)
    assert again.returncode == 0
    for user in ("mllog_writer", "mllog_watcher", "mllog_viewer", "kibana_system"):
        password = stack.secrets[f"{user.upper()}_PASSWORD"]
        assert node.request("GET", "/_security/_authenticate", login=(user, password))["username"] == user
        assert password not in set_up.stdout + set_up.stderr + again.stdout + again.stderr


def log(folder: pathlib.Path) -> None:
    """An hour of a model, long enough ago to be judged, and the data that its card is made of."""
    draw = np.random.default_rng(1)
    pd.DataFrame({"amount": draw.lognormal(4, 1, 500), "late": draw.integers(0, 2, 500)}).to_csv(
        folder / "train.csv", index=False
    )
    at = time.time_ns() // HOUR * HOUR - 3 * HOUR
    with mllog.ModelLogger("stack", version="1", sink=folder / "events", clock=lambda: at) as logger:
        for amount in draw.lognormal(4, 1, 200):
            logger.prediction({"amount": float(amount)}, 0.5)


def test_the_watchers(stack: Stack, inside, set_up: object, tmp_path: pathlib.Path) -> None:
    """They judge what came, are healthy then, and end in time when they are told to."""
    assert set_up is not None
    log(tmp_path)
    writer = Service(
        "writer",
        {"environment": {"MLLOG_USERNAME": "mllog_writer", "MLLOG_PASSWORD": stack.secrets["MLLOG_WRITER_PASSWORD"]}},
        stack,
    )
    words, variables = inside(
        writer, ["mllog", "ship", str(tmp_path / "events"), "--to", "elasticsearch+https://elasticsearch:9200"]
    )
    shipped = subprocess.run(words, env=variables, capture_output=True, text=True, check=False, timeout=120)
    assert shipped.returncode == 0, shipped.stderr
    service = stack.services["watchers"]
    card = ["watchers", "card", str(tmp_path / "train.csv"), "--model", "stack", "--version", "1", "--target", "late"]
    # Logstash brings no cards, so the page's command does.
    words, variables = inside(
        service, [*card, "--out", str(tmp_path / "card.json"), "--store", "elasticsearch+https://elasticsearch:9200"]
    )
    assert subprocess.run(words, env=variables, capture_output=True, check=False, timeout=120).returncode == 0
    health, variables = inside(service, service.health)
    # Nothing was judged yet, which isn't healthy.
    assert subprocess.run(health, env=variables, capture_output=True, check=False, timeout=60).returncode == 3
    words, variables = inside(service, service.command)
    process = subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while True:
            said = subprocess.run(health, env=variables, capture_output=True, text=True, check=False, timeout=60)
            if said.returncode == 0:
                break
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, said
            time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "stack: " in out


def test_the_snapshot_of_the_page(node: StackNode, set_up: object) -> None:
    """The requests of docs/how-to/running.md that make a repository and a snapshot."""
    assert set_up is not None
    page = (ROOT / "docs/how-to/running.md").read_text(encoding="utf-8")
    requests = re.findall(r"^```\n(PUT|POST) (/_snapshot\S+)\n(\{.*\})\n```", page, re.MULTILINE)
    assert [method for method, _, _ in requests] == ["PUT", "PUT", "POST"]
    repository, snapshot, _ = [(method, path, json.loads(body)) for method, path, body in requests]
    repository[2]["settings"]["location"] = str(node.home / "snapshots")
    assert node.request(*repository) == {"acknowledged": True}
    # The distribution of Maven Central has no Kibana, whose indices the page keeps too.
    snapshot[2]["feature_states"].remove("kibana")
    made = node.request(*snapshot)["snapshot"]
    assert (made["state"], made["shards"]["failed"]) == ("SUCCESS", 0)
    assert any(name.startswith("logs-mllog.prediction.") for name in made["data_streams"])
