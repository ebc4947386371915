"""A server that is set up for mllog, and the way of events into it: a real logger, its spool, `mllog ship`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from support import processes
from support.elasticsearch import DEFAULT_VERSION, OLDER_VERSION

from mllog.elastic.client import connect
from mllog.elastic.setup import ensure

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

    from elasticsearch import Elasticsearch
    from support.elasticsearch import Node

    from mllog.elastic.report import Report


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("MLLOG_") and not name.startswith("MLLOG_TEST_")]:
        monkeypatch.delenv(name)


class Place:
    """A node, a client of it, and a namespace of data streams that no other test has."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.name = f"elasticsearch+{node.url}"
        self.namespace = f"setup_{uuid.uuid4().hex[:8]}"
        self.client: Elasticsearch = connect(self.name)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self.node.request(method, path, body)

    def clean(self) -> None:
        """As before the first setup: no templates, no indices; data streams can't be deleted here."""
        # A template that a data stream needs can only be deleted where another one would do.
        self.ask("PUT", "/_index_template/mllog-test-rest", {"index_patterns": ["logs-mllog.*"], "data_stream": {}})
        indices = [one["name"] for one in self.ask("GET", "/_resolve/index/mllog-*")["indices"]]
        if indices:
            self.ask("DELETE", f"/{','.join(indices)}")
        for kind in ("index_template", "component_template"):
            there = [one["name"] for one in self.ask("GET", f"/_{kind}")[f"{kind}s"]]
            names = [name for name in there if name.startswith("mllog") and not name.startswith("mllog-test")]
            if names:
                self.ask("DELETE", f"/_{kind}/{','.join(names)}")

    def stream(self, dataset: str) -> str:
        return f"logs-{dataset}-{self.namespace}"

    def ours(self, report: Report) -> dict[str, str]:
        """Name -> state of everything but other tests' data streams."""
        return {
            item.name: item.state
            for item in report.items
            if item.kind != "data stream" or item.name.endswith(self.namespace)
        }

    def ship(self, folder: pathlib.Path) -> dict[str, Any]:
        """`mllog ship`, as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "mllog.cli", "ship", str(folder), "--to", self.name, "--json"],
            check=False, capture_output=True, text=True, timeout=500, env=processes.environment(),
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout, done.stderr)
        return json.loads(done.stdout)

    def count(self, index: str, query: dict[str, Any] | None = None) -> int:
        body = {"size": 0, "track_total_hits": True, "query": query or {"match_all": {}}}
        answer = self.ask("POST", f"/{index}/_search", body)
        assert not answer["_shards"]["failed"]
        return answer["hits"]["total"]["value"]

    def refresh(self, index: str) -> None:
        self.ask("POST", f"/{index}/_refresh")

    def write_index(self, stream: str) -> str:
        return self.ask("GET", f"/_resolve/index/{stream}")["data_streams"][0]["backing_indices"][-1]

    def fields(self, index: str) -> dict[str, int]:
        """Backing index -> how many fields its mapping has, objects counted too, as its limit counts them."""

        def size(properties: dict[str, Any]) -> int:
            return sum(1 + size(field.get("properties", {})) for field in properties.values())

        answer = self.ask("GET", f"/{index}/_mapping")
        return {name: size(found["mappings"].get("properties", {})) for name, found in answer.items()}


@pytest.fixture(params=[DEFAULT_VERSION, OLDER_VERSION])
def bare(request: pytest.FixtureRequest, elasticsearch_nodes: Callable[[str], Node]) -> Iterator[Place]:
    """A node without anything of mllog's, in either version; left so too."""
    place = Place(elasticsearch_nodes(request.param))
    place.clean()
    yield place
    place.clean()
    place.client.close()


@pytest.fixture
def place(bare: Place) -> Place:
    """The same, set up."""
    ensure(bare.client)
    return bare


@pytest.fixture
def newest(elasticsearch_nodes: Callable[[str], Node]) -> Iterator[Place]:
    """A node of the newest version, set up: for what doesn't depend on the version."""
    place = Place(elasticsearch_nodes(DEFAULT_VERSION))
    place.clean()
    ensure(place.client)
    yield place
    place.client.close()
