"""Bytes of an event on disk: the product's templates beside other mappings of the same documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from benchmarks.elasticsearch.data import MODEL
from benchmarks.elasticsearch.filling import bulk, stream
from benchmarks.elasticsearch.meters import Bench

OURS: Final = "mllog's templates"
PLAIN: Final = "plain typed fields"
FLATTENED: Final = "flattened"
ROW: Final = "plain typed fields, inputs and outputs alone"
WITHOUT: Final = ", without texts"

_SETTINGS: Final = {"number_of_replicas": 0, "mapping.total_fields.limit": 2_000}
_STRINGS: Final = [
    {"texts": {"path_match": "ml.inputs.text.*", "mapping": {"type": "text"}}},
    {"strings": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}},
]
"""Numbers become `long` and `float`, everything is indexed, by the node's own defaults."""

_TYPED: Final = {"properties": {"@timestamp": {"type": "date"}}, "dynamic_templates": _STRINGS}
_FLAT: Final = {"dynamic": False, "properties": {"@timestamp": {"type": "date"}, "ml": {"type": "flattened"}}}


def measure(bench: Bench, lines: Iterable[bytes]) -> dict[str, dict[str, float]]:
    """Index the same events in every way: bytes and CPU of the node for one event.

    Args:
        bench: The node.
        lines: Events.
    """
    events = list(lines)
    short = [_changed(line, _without_texts) for line in events]
    found = {}
    for number, (suffix, some) in enumerate((("", events), (WITHOUT, short))):
        plain = {PLAIN: (_TYPED, some), FLATTENED: (_FLAT, some)}
        plain[ROW] = (_TYPED, [_changed(line, _row) for line in some])
        found[OURS + suffix] = _one(bench, stream(MODEL, f"disk{number}"), some)
        for k, (name, (mapping, documents)) in enumerate(plain.items()):
            index = f"plain{number}-{k}"
            bench.node.request("PUT", f"/{index}", {"settings": _SETTINGS, "mappings": mapping})
            found[name + suffix] = _one(bench, index, documents)
    return found


def _one(bench: Bench, index: str, lines: list[bytes]) -> dict[str, float]:
    with bench.measured() as cost:
        bulk(bench, index, lines)
        bench.node.request("POST", f"/{index}/_refresh")
    # One segment: how many there would be depends on when they were merged.
    bench.client.indices.forcemerge(index=index, max_num_segments=1)
    bench.node.request("POST", f"/{index}/_flush")
    bench.node.request("POST", f"/{index}/_refresh")
    size = bench.node.request("GET", f"/{index}/_stats/store,docs")["_all"]["primaries"]
    if size["docs"]["count"] != len(lines):
        raise SystemExit(f"{index} has {size['docs']['count']} documents of {len(lines)}")
    return {
        "bytes": size["store"]["size_in_bytes"] / len(lines),
        "node_us": float("nan") if cost.node is None else 1e6 * cost.node / len(lines),
    }


def _changed(line: bytes, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    return orjson.dumps(change(orjson.loads(line)))


def _without_texts(event: dict[str, Any]) -> dict[str, Any]:
    event["ml"]["inputs"].pop("text", None)
    return event


def _row(event: dict[str, Any]) -> dict[str, Any]:
    ml = event["ml"]
    kept = {name: ml[name] for name in ("model", "inputs", "outputs")}
    return {"@timestamp": event["@timestamp"], "event": {"id": event["event"]["id"]}, "ml": kept}


def ratios(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Bytes to those of plain typed fields of the same documents, texts and all."""
    return {name: row["bytes"] / found[PLAIN]["bytes"] for name, row in found.items()}
