"""``python -m benchmarks.shipping.child WAY``: brings a folder of segments into a data stream by elasticsearch-py."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import elasticsearch
import orjson
from elasticsearch.helpers import parallel_bulk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAYS: dict[str, tuple[dict[str, Any], Callable[[bytes], Any]]] = {
    # As its documentation shows it: four threads, 500 documents a request, the standard library's JSON.
    "parallel_bulk": ({}, json.loads),
    # With what `mllog ship` has: two threads, 2,000 documents a request, gzip, orjson.
    "parallel_bulk, as mllog sends": ({"thread_count": 2, "chunk_size": 2000, "queue_size": 2}, orjson.loads),
}


def main() -> int:
    """Send everything.

    Returns:
        0 where all was taken.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=list(WAYS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("url")
    args = parser.parse_args()
    options, loads = WAYS[args.way]
    more: dict[str, Any] = {}
    if loads is orjson.loads:
        more = {"http_compress": True, "serializer": elasticsearch.OrjsonSerializer()}
    client = elasticsearch.Elasticsearch(args.url, request_timeout=60, **more)
    taken = sum(ok for ok, _ in parallel_bulk(client, actions(args.folder, loads), raise_on_error=True, **options))
    print(json.dumps({"delivered": taken}))
    return 0


def actions(folder: Path, loads: Callable[[bytes], Any]) -> Iterator[dict[str, Any]]:
    """A create for each line, under its own id, as mllog does it."""
    for path in sorted(folder.glob("[!_]*/*.ndjson")):
        with path.open("rb") as file:
            for line in file:
                event = loads(line)
                stream = event["data_stream"]
                yield {
                    "_op_type": "create",
                    "_index": f"logs-{stream['dataset']}-{stream['namespace']}",
                    "_id": event["event"]["id"],
                    "_source": event,
                }


if __name__ == "__main__":
    sys.exit(main())
