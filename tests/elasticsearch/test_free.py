"""Everything that is asked of Elasticsearch is free: each endpoint, query and aggregation is listed here, and no other is asked.

What a Basic licence holds: https://www.elastic.co/subscriptions. The node of these tests lets paid features through, so
that one would be noticed by nobody but its user.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

from support import streams
from support.between import between

from mllog.elastic.client import connect
from mllog.elastic.setup import check, ensure
from mllog.shipping.destinations import open_destination
from mllog.shipping.shipper import Shipper
from watchers.finding import Window
from watchers.schedule import run
from watchers.stores.base import DocumentQuery
from watchers.stores.elastic import ElasticsearchStore
from watchers.stores.elastic.queries import _QUERIES

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINTS = {
    # documents
    "POST /_bulk", "PUT /_bulk", "POST /_mget", "GET /{index}/_doc/{id}", "PUT /{index}/_doc/{id}",
    "DELETE /{index}/_doc/{id}", "POST /{index}/_refresh",
    # searches
    "POST /_msearch", "POST /_search", "POST /{index}/_search", "POST /{index}/_field_caps", "POST /{index}/_pit", "DELETE /_pit",
    # indices and templates
    "HEAD /{index}", "GET /{index}", "PUT /{index}", "GET /_resolve/index/{index}", "GET /{index}/_mapping", "PUT /{index}/_mapping", "GET /{index}/_settings",
    "POST /{index}/_rollover", "GET /_component_template/{name}", "PUT /_component_template/{name}", "GET /_index_template/{name}",
    "GET /_index_template",    "PUT /_index_template/{name}",
    # roles, and lifecycles, where the server has them
    "GET /_security/role/{name}", "PUT /_security/role/{name}",
    "GET /_ilm/policy/{name}", "PUT /_ilm/policy/{name}", "GET /_data_stream/{name}", "PUT /_data_stream/{name}/_lifecycle",
}  # fmt: skip
AGGREGATIONS = {"terms", "date_histogram", "filter", "filters", "range", "value_count", "sum", "cardinality"}
QUERIES = {"bool", "term", "terms", "range", "exists", "match_all", "ids", "function_score"}

PAID = {
    "boxplot", "top_metrics", "t_test", "inference", "change_point", "frequent_item_sets", "categorize_text", "geo_line", "rate",
    "string_stats", "rank_vectors", "sparse_vector", "text_expansion", "semantic", "pinned", "rule",
}  # fmt: skip
"""Aggregations and queries of which none may ever be listed above; some are free today, and were paid before."""


def kinds(body: Any, key: str) -> set[str]:
    """The types of all aggregations (``aggs``) or queries in a body."""
    found: set[str] = set()
    if isinstance(body, dict):
        for name, value in body.items():
            if name == key == "aggs":
                for agg in value.values():
                    found |= set(agg) - {"aggs", "meta"}
                    found |= kinds({k: v for k, v in agg.items() if k == "aggs"}, key)
            elif key == "query" and name in {"query", "filter", "must_not", "should", "filters"} and isinstance(value, dict | list):
                parts = value.values() if name == "filters" else value if isinstance(value, list) else [value]
                for part in parts:
                    found |= set(part) if len(part) == 1 else set()
            found |= kinds(value, key)
    elif isinstance(body, list):
        for value in body:
            found |= kinds(value, key)
    return found


def endpoint(method: str, path: str) -> str:
    """A request's method and path without names."""
    path = path.partition("?")[0]
    path = re.sub(r"^/(_component_template|_index_template|_ilm/policy|_data_stream|_security/role)/[^/]+", r"/\1/{name}", path)
    path = re.sub(r"^/_resolve/index/[^/]+", "/_resolve/index/{index}", path)
    path = re.sub(r"/(_create|_doc)/[^/]+", r"/\1/{id}", path)
    return f"{method} {re.sub(r'^/(?!_)[^/]+', '/{index}', path)}"


def test_what_is_asked_is_free(newest: Any, tmp_path: Path) -> None:
    """Setting up, shipping, judging and looking at what was found, seen from a proxy."""
    place, card = newest, streams.card_of("free")
    streams.serve(tmp_path, "free", hours=40, broken=32, card=card, namespace=place.namespace)
    streams.serve(tmp_path, "free", hours=8, first=32, each=5, namespace=place.namespace, seed=5)
    with between(place.node.url) as proxy:
        client = connect(proxy.place)
        ensure(client)
        check(client)
        shipper = Shipper(tmp_path, open_destination(proxy.place), give_up=30.0)
        shipper.run()
        assert shipper.problem is None
        store = ElasticsearchStore(proxy.place, namespace=place.namespace)
        store.refresh()
        report = run(store, streams.START + 42 * streams.HOUR, cards=[card])
        assert report.findings
        start, end = streams.START, streams.START + 40 * streams.HOUR
        for kind in _QUERIES:
            store.documents("free", Window(end - dt.timedelta(days=1), end), DocumentQuery(kind, "carrier", ("UA",)), {"carrier": "UA"}, 3)
        (sampled,) = store.sample("free", start, end, 1)
        assert store.events([sampled["event"]["id"]])
        assert store.events_of(sampled["event"]["id"])
        assert store.findings("free")
        store.rejected()
        store.latest()
        asked = list(proxy.requests)
    seen = {endpoint(method, path) for method, path, _ in asked}
    assert seen <= ENDPOINTS, seen - ENDPOINTS
    bodies: list[Any] = []
    for _, path, body in asked:
        if "_bulk" not in path and body:
            bodies += [json.loads(line) for line in body.splitlines() if line.strip()] if "_msearch" in path else [json.loads(body)]
    searches = [body for body in bodies if isinstance(body, dict) and {"query", "aggs"} & body.keys()]
    assert len(searches) > 20
    aggregations = set().union(*(kinds(body, "aggs") for body in searches))
    queries = set().union(*(kinds(body, "query") for body in searches))
    assert aggregations == AGGREGATIONS
    assert queries <= QUERIES, queries - QUERIES
    assert {"bool", "term", "range", "exists", "function_score"} <= queries
    assert not (AGGREGATIONS | QUERIES) & PAID
    settings = json.dumps([json.loads(body) for method, path, body in asked if method == "PUT" and "template" in path])
    assert '"logsdb"' not in settings
    assert "synthetic" not in settings
