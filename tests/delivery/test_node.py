"""The Elasticsearch node that other tests rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.elasticsearch import Node


@pytest.mark.parametrize("version", ["9.5.2", "8.19.8"])
def test_a_killed_node_comes_back_with_what_it_had(
    elasticsearch_nodes: Callable[[str], Node], version: str
) -> None:
    """Both versions start, take a document, and have it after kill -9 and a restart."""
    node = elasticsearch_nodes(version)
    if not node.can_restart:
        pytest.skip("MLLOG_TEST_ELASTICSEARCH names a node that isn't ours to kill")
    node.request("PUT", "/test-node/_doc/1", {"k": 1})
    node.kill()
    assert not node.answers()
    node.start()
    assert node.request("GET", "/test-node/_doc/1")["_source"] == {"k": 1}
    node.request("DELETE", "/test-node")
