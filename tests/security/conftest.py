"""A node with security on, set up by the command that production runs, with a user of each role."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from support import privileges, processes
from support.elasticsearch import QUICK, basic
from support.secured import PASSWORD, SUPERUSER, SecuredNode

from mllog.elastic.roles import BY_NAME, variable

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("MLLOG_") and not name.startswith("MLLOG_TEST_")]:
        monkeypatch.delenv(name)


class Secured:
    """The node, its users, and commands that are run as one of them.

    Attributes:
        node: The node.
        place: As commands name it.
        backing: The index behind a data stream of predictions.
    """

    def __init__(self, node: SecuredNode) -> None:
        self.node = node
        self.place = f"elasticsearch+{node.url}"
        self.passwords = {name: f"{name}, only in tests" for name in (*BY_NAME, "kibana_system")}
        self.backing = ""

    def environment(self, user: str, **more: str) -> dict[str, str]:
        """What a command needs to work there as a user."""
        password = PASSWORD if user == SUPERUSER else self.passwords[user]
        given = {"MLLOG_USERNAME": user, "MLLOG_PASSWORD": password, "MLLOG_CA_CERTS": str(self.node.authority_file)}
        return {**processes.environment(), **given, **more}

    def run(self, user: str, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
        """``mllog …`` or ``watchers …`` as a user."""
        module = "watchers.cli" if words[0] == "watchers" else "mllog.cli"
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", module, *map(str, words[words[0] in {"watchers", "mllog"} :])],
            check=False, capture_output=True, text=True, timeout=300, env=self.environment(user, **more),
        )  # fmt: skip

    def status(self, method: str, path: str, body: Any = None, *, login: tuple[str, str], runas: str = "") -> int:
        """Of the answer to one request."""
        request = urllib.request.Request(
            f"{self.node.url}{path}", None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": basic(*login)}, method=method,
        )  # fmt: skip
        if runas:
            request.add_header("es-security-runas-user", runas)
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.node.context) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def setup(self, user: str, *words: object, **more: str) -> tuple[int, dict[str, Any]]:
        """``mllog setup`` as a user: its exit code and its document."""
        given = {variable(name): password for name, password in self.passwords.items()}
        done = self.run(user, "setup", "--elasticsearch", self.node.url, "--json", *words, **{**given, **more})
        assert not any(password in done.stdout + done.stderr for password in (*self.passwords.values(), PASSWORD))
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="session")
def secured() -> Iterator[Secured]:
    """The node; it fails where none can be had. Tests share it: give models and namespaces names of their own."""
    node = SecuredNode(java=QUICK)
    try:
        node.start()
        found = Secured(node)
        users = [word for name in found.passwords for word in ("--user", name)]
        code, document = found.setup(SUPERUSER, *users)
        assert code == 0, document
        found.backing = privileges.prepare(node)
        yield found
    finally:
        node.stop()
