"""Answers of Elasticsearch: what isn't the whole truth is noticed, and whether asking again may help."""

from __future__ import annotations

import sys

import pytest

from mllog.elastic.indices import BY_NAME
from mllog.errors import PlaceError
from watchers.stores import open_store
from watchers.stores.elastic import results
from watchers.stores.elastic.searching import lasting, problem

GUESSED = {"type": "illegal_argument_exception", "reason": "Fielddata is disabled on [ml.bins] in [x]."}
BUSY = {"type": "circuit_breaking_exception", "reason": "data too large"}
MANY = {"type": "too_many_buckets_exception", "reason": "too many"}


def failed(*reasons):
    return {"_shards": {"total": 3, "failed": len(reasons), "failures": [{"shard": k, "reason": r} for k, r in enumerate(reasons)]}}


@pytest.mark.parametrize(
    ("answer", "said", "lasts"),
    [
        ({"timed_out": True, "_shards": {"total": 1, "failed": 0}}, "timed out", False),
        (failed(BUSY), "data too large", False),
        (failed(GUESSED), "mllog setup", True),
        (failed(GUESSED, BUSY), "2 of 3 shards", False),
        ({"_shards": {"total": 3, "failed": 1}}, "1 of 3 shards", False),
        ({"error": MANY, "status": 400}, "answered 400: too many", True),
        ({"error": {"root_cause": [GUESSED], "failed_shards": [{"reason": GUESSED}]}, "status": 400}, "mllog setup", True),
        ({"error": BUSY, "status": 429}, "answered 429: data too large", False),
    ],
)  # fmt: skip
def test_what_is_not_whole(answer, said, lasts):
    """It has a reason, in one line; what lasts is unknown, what doesn't is asked for again."""
    assert said in problem(answer)
    assert "\n" not in problem(answer)
    assert lasting(answer) is lasts


def test_what_is_whole():
    """Nothing is said of it."""
    assert problem({"timed_out": False, "_shards": {"total": 3, "failed": 0}, "hits": {}}) == ""


def test_every_index_is_set_up():
    """Whatever watchers write to has a row in the table, and with it a template."""
    names = {value for name, value in vars(results).items() if name.isupper() and isinstance(value, str)}
    assert {"mllog-profile", "mllog-state", "mllog-told"} <= names
    assert names <= BY_NAME.keys()


def test_namespaces_have_documents_of_their_own():
    """The same incident, finding or state of two namespaces never meets."""
    one, other = results.Results("one"), results.Results("other")
    finding = {"id": "x", "window": {"end": "2026-01-02T00:00:00+00:00"}}
    assert one.finding("m", finding)[:2] == ("mllog-finding-2026.01", "one-x")
    assert one.finding("m", finding)[1] != other.finding("m", finding)[1]
    assert one.state_place("m") != other.state_place("m")
    event = {"id": "x", "incident": "i", "at": "2026-01-02T00:00:00+00:00", "kind": "opened"}
    assert one.change(event, "m")[1] != other.change(event, "m")[1]


def test_what_is_not_installed(monkeypatch):
    """Whoever has files only is told what a place in Elasticsearch needs, and not by a traceback."""
    for name in [name for name in sys.modules if name.startswith(("watchers.stores.elastic", "mllog.elastic.client"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "elasticsearch", None)
    with pytest.raises(PlaceError, match=r"@host.*needs elasticsearch: pip install 'mllog-elastic\[elastic\]'") as told:
        open_store("elasticsearch+http://me:secret@host")
    assert "secret" not in str(told.value)
