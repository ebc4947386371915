"""A real node, set up as mllog sets servers up, with a namespace that no other test has."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from support import pipelines
from support.logstash import Logstash, Write

from mllog.elastic.client import connect
from mllog.elastic.setup import ensure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from support.elasticsearch import Node


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("MLLOG_") and not name.startswith("MLLOG_TEST_")]:
        monkeypatch.delenv(name)


class Place:
    """A node, and pipelines that write to it by real ``_bulk`` requests."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.name = f"elasticsearch+{node.url}"
        self.namespace = f"logstash_{uuid.uuid4().hex[:8]}"
        self.pipelines = Logstash(pipelines.read(pipelines.texts()), MLLOG_NAMESPACE=self.namespace)

    def write(self, writes: Iterable[Write]) -> list[dict[str, Any]]:
        """What the node says of each document."""
        body = b"".join(write.lines() for write in writes)
        answer = self.node.request("POST", "/_bulk?refresh=true", body)
        return [next(iter(item.values())) for item in answer["items"]]

    def documents(self, dataset: str = "mllog.*", namespace: str | None = None) -> dict[tuple[str, str], dict[str, Any]]:
        """Stream without its namespace, and id -> document."""
        name = namespace or self.namespace
        self.node.request("POST", f"/logs-{dataset}-{name}/_refresh")
        body = {"size": 5000, "track_total_hits": True}
        answer = self.node.request("POST", f"/logs-{dataset}-{name}/_search", body)
        hits = answer["hits"]["hits"]
        assert len(hits) == answer["hits"]["total"]["value"]
        found = {(hit["_source"]["data_stream"]["dataset"], hit["_id"]): hit["_source"] for hit in hits}
        assert len(found) == len(hits)
        assert all(f"logs-{key[0]}-{name}" in hit["_index"] for key, hit in zip(found, hits, strict=True))
        return found

    def names(self) -> set[str]:
        """Everything that the node holds by a name."""
        answer = self.node.request("GET", "/_resolve/index/*?expand_wildcards=all")
        return {one["name"] for kind in ("indices", "data_streams", "aliases") for one in answer[kind]}


@pytest.fixture
def place(elasticsearch_nodes: Callable[[str], Node], request: pytest.FixtureRequest) -> Place:
    """A node of the newest version, set up."""
    found = Place(elasticsearch_nodes(getattr(request, "param", "9.5.2")))
    ensure(connect(found.name))
    return found
