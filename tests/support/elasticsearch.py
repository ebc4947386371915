"""A real Elasticsearch node for tests, which can be killed and started again.

Taken, in this order, from ``MLLOG_TEST_ELASTICSEARCH`` (a URL), from Docker through testcontainers where an engine
answers, or from Maven Central (:mod:`support.distribution`). Where none can be had tests fail: a suite that skips its
real parts has proven nothing.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

from support.distribution import NoNodeError, distribution, java_home

DEFAULT_VERSION = "9.5.2"
OLDER_VERSION = "8.19.8"
"""The last line of the major version before."""
START_SECONDS = 240
HEAP = "512m"
QUICK = "-XX:TieredStopAtLevel=1"
"""For tests: a node that compiles little starts with half the CPU, and is slower only when it is busy for long."""


SETTINGS = {
    "cluster.name": "mllog-tests",
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "transport.port": "0",
    "xpack.security.enabled": "false",
    # A test machine's disk is often fuller than a server's may be.
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}


class Node:
    """A running node; base of those that differ in how they are started.

    Attributes:
        url: ``http://127.0.0.1:<port>``, the same after a restart.
        version: Of Elasticsearch.
        can_restart: Whether :meth:`kill` and :meth:`start` work: not on a node that isn't ours.
        context: Whom to trust, where it speaks TLS.
        login: User and password, where it asks for one.
    """

    can_restart = True
    context: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None

    def __init__(self, version: str, url: str) -> None:
        self.version = version
        self.url = url

    def start(self) -> None:
        """Start it, and wait until it answers."""
        raise NotImplementedError

    def kill(self) -> None:
        """End it at once, as kill -9 does; its data stay for the next :meth:`start`."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it for good and remove its data."""
        raise NotImplementedError

    def request(self, method: str, path: str, body: Any = None, *, login: tuple[str, str] | None = None) -> Any:
        """The parsed answer of a REST call; ``body`` is JSON, or bytes of NDJSON; ``login``: as somebody else.

        Raises:
            urllib.error.HTTPError: Where the node answers with an error.
            OSError: Where it doesn't answer.
        """
        content = "application/json"
        data: bytes | None = None
        if isinstance(body, bytes):
            data, content = body, "application/x-ndjson"
        elif body is not None:
            data = json.dumps(body).encode()
        who = login or self.login
        headers = {"Content-Type": content, **({"Authorization": basic(*who)} if who else {})}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60, context=self.context) as answer:
            return json.loads(answer.read() or b"null")

    def answers(self) -> bool:
        """Whether the node is up, and has what it held when it went down."""
        try:
            self.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
        except OSError:
            return False
        return True

    def wait(self, alive: Any, explain: Any) -> None:
        """Wait until the node answers.

        Raises:
            NoNodeError: Where it ended (``alive()`` is false) or takes too long; ``explain()`` says more.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if not alive() or time.monotonic() > deadline:
                raise NoNodeError(f"Elasticsearch {self.version} did not start:\n{explain()}")
            time.sleep(0.25)


class GivenNode(Node):
    """Somebody else's node, from ``MLLOG_TEST_ELASTICSEARCH``."""

    can_restart = False

    def start(self) -> None:
        """It has to be there."""
        self.wait(lambda: False, lambda: f"MLLOG_TEST_ELASTICSEARCH={self.url} does not answer")

    def stop(self) -> None:
        """It isn't ours to stop."""


class LocalNode(Node):
    """The distribution from Maven Central as a process of an ordinary user, data in a temporary folder."""

    def __init__(
        self,
        version: str = DEFAULT_VERSION,
        settings: dict[str, str] | None = None,
        java: str = "",
        home: pathlib.Path | None = None,
    ) -> None:
        self._java_options = _java_options(java)
        self._port = free_port()
        super().__init__(version, f"http://127.0.0.1:{self._port}")
        self._home = home or distribution(version)
        self._java = java_home(version)
        self._process: subprocess.Popen[bytes] | None = None
        # Root's own temporary folder may be closed to others; the node's user owns this one.
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="mllog-elasticsearch-"))
        self._user = _ordinary_user()
        self._configure({**SETTINGS, "http.port": str(self._port), **(settings or {})})

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        log = self._folder / "output.log"
        with log.open("ab") as output:
            self._process = process = subprocess.Popen(
                [self._home / "bin" / "elasticsearch"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "HOME": str(self._folder),
                    "ES_JAVA_HOME": str(self._java),
                    "ES_JAVA_OPTS": self._java_options,
                    "ES_PATH_CONF": str(self._folder / "config"),
                    "ES_TMPDIR": str(self._folder / "tmp"),
                },
                # The launcher has a child, the server: they are killed as a group.
                start_new_session=True,
                **self._user,
            )
        try:
            self.wait(lambda: process.poll() is None, lambda: log.read_text(errors="replace")[-3000:])
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9 of the server and its launcher."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def prepare(self, config: pathlib.Path) -> None:
        """Add to the folder of its configuration."""

    def stop(self) -> None:
        """Kill it, and remove its data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _configure(self, settings: dict[str, str]) -> None:
        config = self._folder / "config"
        shutil.copytree(self._home / "config", config)
        paths = {"path.data": str(self._folder / "data"), "path.logs": str(self._folder / "logs")}
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in {**settings, **paths}.items()]
        (config / "elasticsearch.yml").write_text("".join(lines))
        self.prepare(config)
        for name in ("tmp", "data", "logs"):
            (self._folder / name).mkdir()
        if self._user:
            for path in (self._folder, *self._folder.rglob("*")):
                os.chown(path, self._user["user"], self._user["group"])


class DockerNode(Node):
    """A container of the image that Elastic publishes."""

    def __init__(
        self, version: str = DEFAULT_VERSION, settings: dict[str, str] | None = None, java: str = ""
    ) -> None:
        from testcontainers.core.container import DockerContainer

        port = free_port()
        super().__init__(version, f"http://127.0.0.1:{port}")
        image = f"docker.elastic.co/elasticsearch/elasticsearch:{version}"
        container = DockerContainer(image).with_bind_ports(9200, port)
        given = {**SETTINGS, "network.host": "0.0.0.0", "ES_JAVA_OPTS": _java_options(java), **(settings or {})}
        for name, value in given.items():
            container.with_env(name, value)
        self._container = container
        self._created = False

    def start(self) -> None:
        """Create the container, or start it again, and wait until it answers."""
        if self._created:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._created = True
        self.wait(lambda: True, lambda: self._container.get_logs()[1].decode(errors="replace")[-3000:])

    def kill(self) -> None:
        """kill -9 of the container; its file system stays."""
        self._container.get_wrapped_container().kill()

    def stop(self) -> None:
        """Remove the container and its data."""
        self._container.stop()


def _java_options(java: str) -> str:
    return f"-Xms{HEAP} -Xmx{HEAP} {java}".strip()


def open_node(version: str = DEFAULT_VERSION, settings: dict[str, str] | None = None, java: str = "") -> Node:
    """A started node of ``version``, or the one that was given.

    Args:
        version: Of Elasticsearch; a given node has its own.
        settings: Further lines of elasticsearch.yml.
        java: Further options of its Java.

    Raises:
        NoNodeError: Where none can be had; says what to install.
    """
    given = os.environ.get("MLLOG_TEST_ELASTICSEARCH")
    node: Node
    if given:
        node = GivenNode("given", given.rstrip("/"))
    elif _docker_answers():
        node = DockerNode(version, settings, java)
    else:
        node = LocalNode(version, settings, java)
    try:
        node.start()
    except BaseException:
        node.stop()
        raise
    return node


def basic(user: str, password: str) -> str:
    """A header's value for basic authentication."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _docker_answers() -> bool:
    """Whether testcontainers is installed and an engine answers it."""
    try:
        import docker
        import testcontainers.core.container  # noqa: F401
    except ImportError:
        return False
    try:
        client = docker.from_env(timeout=5)
        client.ping()
        client.close()
    except Exception:  # noqa: BLE001 - no engine says so in many ways
        return False
    return True


def _ordinary_user() -> dict[str, Any]:
    """Arguments of Popen for a user whom Elasticsearch doesn't refuse; none where we aren't root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
