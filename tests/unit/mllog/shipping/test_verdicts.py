from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllog.shipping.destinations.verdicts import CLUSTER, DOCUMENT, types, verdict


def item(status: int, *names: str) -> dict[str, Any]:
    """An item that failed, with what caused it inside."""
    error: Any = None
    for name in reversed(names):
        error = {"type": name, "reason": "x", **({"caused_by": error} if error else {})}
    return {"status": status, **({"error": error} if error else {})}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (item(201), "done"),
        (item(200), "done"),
        (item(409, "version_conflict_engine_exception"), "done"),
        (item(400, "document_parsing_exception"), "refused"),
        (item(400, "mapper_parsing_exception", "illegal_argument_exception"), "refused"),
        (item(400, "illegal_argument_exception", "max_bytes_length_exceeded_exception"), "refused"),
        (item(413, "x"), "refused"),
        (item(400, "validation_exception"), "wait"),
        (item(400, "index_closed_exception"), "wait"),
        (item(400, "index_not_found_exception", "parsing_exception"), "wait"),
        (item(401, "security_exception"), "wait"),
        (item(403, "cluster_block_exception"), "wait"),
        (item(404, "index_not_found_exception"), "wait"),
        (item(404), "wait"),
        (item(429, "es_rejected_execution_exception"), "wait"),
        (item(503, "unavailable_shards_exception"), "wait"),
        (item(500, "null_pointer_exception"), "failed"),
        (item(400, "illegal_argument_exception"), "unclear"),
        (item(400), "unclear"),
    ],
    ids=str,
)
def test_verdicts(found: dict[str, Any], expected: str) -> None:
    """The event's fault by its type, the cluster's by type or status, and what may be either."""
    assert verdict(found) == expected


def test_no_type_is_both() -> None:
    """The two tables have nothing in common."""
    assert not DOCUMENT & CLUSTER


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "caused_by", "x"]), inner),
    max_leaves=8,
)


@given(st.integers(0, 999), json)
def test_whatever_an_error_is(status: int, error: Any) -> None:
    """Any JSON there gives a verdict, and nothing is refused without a type or a status that says so."""
    found = verdict({"status": status, "error": error})
    if found == "refused":
        assert status == 413 or DOCUMENT & set(types(error))
