"""No mapping explosion: many models, many features and hostile names through a real logger and `mllog ship`."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from support import processes
from support.elasticsearch import DEFAULT_VERSION

import mllog
from mllog.elastic.templates import FIELDS_LIMIT
from mllog.environment import Manifest
from mllog.values import NAME_LIMIT

if TYPE_CHECKING:
    import pathlib

    from conftest import Place

FEATURES = 50
LONG = "x" * NAME_LIMIT
QUIET: dict[str, Any] = {"resources": 0, "environment": Manifest()}


def lines(folder: pathlib.Path) -> list[dict[str, Any]]:
    found = [path for path in folder.rglob("*.ndjson") if not path.parent.name.startswith("_")]
    return [json.loads(line) for path in sorted(found) for line in path.read_bytes().splitlines()]


def shipped(place: Place, folder: pathlib.Path) -> list[dict[str, Any]]:
    """The events of a spool; all of them are documents then, and none was refused."""
    events = lines(folder)
    summary = place.ship(folder)
    assert {key: summary[key] for key in ("delivered", "dead", "lost", "corrupt", "duplicates")} == {
        "delivered": len(events), "dead": 0, "lost": 0, "corrupt": 0, "duplicates": 0,
    }  # fmt: skip
    every = place.stream("mllog.*")
    place.refresh(every)
    assert place.count(every) == len(events)
    return events


@pytest.mark.slow
def test_many_models(place: Place, tmp_path: pathlib.Path) -> None:
    """More features than an index may have, over 30 models: each has its own model's fields, all of them searchable."""
    # Making a data stream takes a small node a third of a second; for the older one a third of the models will do.
    models = 30 if place.node.version == DEFAULT_VERSION else 10
    assert 30 * FEATURES > FIELDS_LIMIT
    for m in range(models):
        with mllog.ModelLogger(f"m{m}", version="1", sink=tmp_path, namespace=place.namespace, **QUIET) as log:
            row: dict[str, Any] = {f"n{m}_{f}": f + 0.5 for f in range(FEATURES - 10)}
            row |= {f"k{m}_{f}": f"v{f}" for f in range(10)}
            log.prediction(row, 0.5)
    shipped(place, tmp_path)
    fields = place.fields(place.stream("mllog.prediction.*"))
    (static,) = place.fields(place.stream("mllog.deployment")).values()
    assert len(fields) == models
    assert set(fields.values()) == {static + FEATURES}
    assert static < 150
    last = models - 1
    stream = place.stream(f"mllog.prediction.m{last}")
    assert place.count(stream, {"range": {f"ml.inputs.number.n{last}_39": {"gte": 39.5, "lt": 40}}}) == 1
    assert place.count(stream, {"term": {f"ml.inputs.keyword.k{last}_9": "v9"}}) == 1


@pytest.mark.parametrize("first", ["older", "newer"])
def test_the_card_that_was_saved_last_is_kept(place: Place, tmp_path: pathlib.Path, first: str) -> None:
    """A model that was trained again may keep its ruler; a spool that is shipped late must not bring the old card back."""
    name = f"again_{place.namespace}"
    older = mllog.ModelCard.from_frame({"n": [1.0, 2.0, 3.0]}, name, "1")
    newer = mllog.ModelCard.from_frame({"n": [1.0, 2.0, 3.0] * 2}, name, "2", previous=older)
    assert newer.file_name == older.file_name
    spools = {"older": older, "newer": newer}
    for spool, card in spools.items():
        options: dict[str, Any] = {"card": card, "sink": tmp_path / spool, "namespace": place.namespace, **QUIET}
        with mllog.ModelLogger(name, version=card.version, **options) as log:
            log.prediction({"n": 2.0}, 0.5)
    # A minute apart, whatever a file system's clock can tell.
    (path,) = (tmp_path / "older" / "_cards").glob("*.json")
    os.utime(path, (path.stat().st_mtime - 60,) * 2)
    for spool in sorted(spools, key=lambda spool: spool != first):
        place.ship(tmp_path / spool)
    document = place.ask("GET", f"/mllog-cards/_doc/{newer.file_name.removesuffix('.json')}")
    assert document["_source"]["ml"]["model"]["version"] == document["_source"]["card"]["version"] == "2"
    assert mllog.ModelCard.from_dict(document["_source"]["card"]).totals == newer.totals


HOSTILE = """
import json, uuid
from mllog.environment import Manifest
names = json.loads(sys.argv[3])
log = mllog.ModelLogger("hostile", version="1", sink=sys.argv[1], namespace=sys.argv[2], resources=0, environment=Manifest())
depth = 1
for _ in range(50):
    depth = {"a.b": depth, "": None}
for k in range(20):
    log.prediction({str(uuid.uuid4()): k for _ in range(200)}, 0.5)
log.prediction({f"key.{k}": k for k in range(10_000)}, 0.5)
log.prediction({name: 1 for name in names}, 0.5)
log.prediction({name: "text" for name in names}, 0.5)
log.prediction({"deep": depth, "long": "x" * 40_000, "many": list(range(5_000))}, {"label": "x" * 40_000, "deep": depth})
# What is a number once is a text, a truth, an object or gone the next time.
for value in (1, 2.5, "2.5", True, None, float("nan"), {"a": 1}, [1, "a"], "x" * 40_000, b"x", 10**400, -(2**70)):
    log.prediction({"shifty": value, "a": value, "a.b": value, "a.b.c": value}, value, labels={"shifty": value, "a": {"b": value}})
    log.label("p1", value, annotator=value)
    log.kpi("kpi", value, unit=value)
    log.step("step", value, value)
log.prediction({}, labels={"deep": depth, "x" * 5000: "y" * 40_000, **{str(k): k for k in range(3_000)}})
log.close()
"""


def test_hostile_events(place: Place, tmp_path: pathlib.Path) -> None:
    """UUIDs, dots and blanks as names, 10,000 of them in one event, depth 50, types that change: nothing is refused.

    Three processes, since a logger without a card takes its first 300 names for features; each has others.
    """
    names = [" ", "", ".", "..", ".a", "a.", "a..b", "*", "_id", "ml.inputs", "@timestamp", "\u0000", "\ud83d\ude00", "é", "a b", '"', "x" * 300]
    for _ in range(3):
        processes.run(tmp_path, HOSTILE, place.namespace, json.dumps(names))
    events = shipped(place, tmp_path)
    assert len(events) > 200
    fields = place.fields(place.stream("mllog.*"))
    assert len(fields) == 5
    assert max(fields.values()) <= FIELDS_LIMIT
    # Without a bound they would be more than fifteen thousand.
    stream = place.stream("mllog.prediction.hostile")
    (backing,) = (name for name in fields if "prediction" in name)
    assert fields[backing] > 900
    # The documents hold what the index ignored.
    ids = {event["event"]["id"] for event in events}
    answer = place.ask("POST", f"/{place.stream('mllog.*')}/_search", {"size": 1000, "_source": ["event.id"]})
    assert {hit["_source"]["event"]["id"] for hit in answer["hits"]["hits"]} == ids
    # And the fixed fields are found, however full the index is.
    with mllog.ModelLogger("hostile", version="late", sink=tmp_path / "late", namespace=place.namespace, **QUIET) as log:
        log.prediction({"anything": 1.0}, {"label": "fine"})
    place.ship(tmp_path / "late")
    place.refresh(stream)
    assert place.count(stream, {"term": {"ml.outputs.label": "fine"}}) == 1


def train(n: int = 400) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **{f"number {k}": [j * (k + 1) / n for j in range(n)] for k in range(20)},
            **{f"category.{k}": [f"{k}-{j % 5}" for j in range(n)] for k in range(10)},
            # As long as a name may be; in ml.bins its bin stands behind it.
            LONG: [float(j) for j in range(n)],
            "night": [j % 2 == 0 for j in range(n)],
            "remarks": [f"word{j % 30} gate late held" for j in range(n)],
            "late": [j % 3 == 0 for j in range(n)],
        }
    )


def test_every_feature_of_a_card_is_searched(place: Place, tmp_path: pathlib.Path) -> None:
    """By range, term and exists; and an incident is found by feature, value, missing kind and version, at once."""
    frame = train()
    card = mllog.ModelCard.from_frame(frame, model="Flight Delay", version="7", target="late", text=["remarks"])
    row = {name: getattr(value, "item", lambda value=value: value)() for name, value in frame.iloc[7].items() if name != "late"}
    options: dict[str, Any] = {"card": card, "sink": tmp_path, "namespace": place.namespace, **QUIET}
    with mllog.ModelLogger("Flight Delay", version="7", **options) as log:
        log.prediction(row, {"label": "late", "score": 0.75}, id="fine")
    with mllog.ModelLogger("Flight Delay", version="8", **options) as log:
        log.prediction(
            {**row, "number 3": float("nan"), "number 4": 1e6, "category.2": "never", "extra": 1, "remarks": "gate quux"},
            {"label": "on time", "score": 0.05}, id="broken",
        )  # fmt: skip
        del row["number 5"]
        log.prediction({**row, "category.3": ""}, {"label": "late", "score": 0.9}, id="absent")
    shipped(place, tmp_path)
    (stream,) = (one["name"] for one in place.ask("GET", f"/_resolve/index/{place.stream('mllog.prediction.*')}")["data_streams"])

    def ids(*queries: dict[str, Any]) -> set[str]:
        body = {"query": {"bool": {"filter": list(queries)}}, "fields": ["ml.prediction_id"], "_source": False}
        hits = place.ask("POST", f"/{stream}/_search", body)["hits"]["hits"]
        return {hit["fields"]["ml.prediction_id"][0] for hit in hits}

    for name, value in row.items():
        feature = next(one for one in card.ruler.inputs if one.name == name)
        if feature.kind == "number":
            field = f"ml.inputs.number.{name}"
            assert "fine" in ids({"range": {field: {"gte": value, "lte": value}}}), name
            assert "fine" not in ids({"range": {field: {"gt": value}}}), name
        elif feature.kind != "text":
            field = f"ml.inputs.{'boolean' if feature.kind == 'boolean' else 'keyword'}.{name}"
            assert "fine" in ids({"term": {field: value}}), name
        if feature.kind != "text":
            assert "fine" in ids({"exists": {"field": field}}), name
    assert ids({"range": {"ml.inputs.number.number 4": {"gt": 1e5}}}) == {"broken"}
    assert ids({"term": {"ml.missing.nan": "number 3"}}) == {"broken"}
    assert ids({"term": {"ml.missing.absent": "number 5"}}) == {"absent"}
    assert ids({"term": {"ml.missing.empty": "category.3"}}) == {"absent"}
    assert ids({"term": {"ml.violations.range": "number 4"}}, {"term": {"ml.model.version": "8"}}) == {"broken"}
    assert ids({"term": {"ml.violations.category": "category.2"}}, {"term": {"ml.inputs.keyword.category.2": "never"}}) == {"broken"}
    assert ids({"term": {"ml.violations.unexpected": "extra"}}) == {"broken"}
    assert ids({"term": {"ml.unseen_tokens": "quux"}}) == {"broken"}
    assert ids({"range": {"ml.text.remarks.unseen": {"gte": 1}}}) == {"broken"}
    assert ids({"term": {"ml.model.name": "Flight Delay"}}, {"range": {"ml.outputs.score": {"lt": 0.1}}}) == {"broken"}
    buckets = place.ask("POST", f"/{stream}/_search", {"size": 0, "aggs": {"f": {"terms": {"field": "ml.bins", "size": 1000}}}})
    counted = {one["key"]: one["doc_count"] for one in buckets["aggregations"]["f"]["buckets"]}
    for name in ("number 1", LONG):
        assert sum(count for key, count in counted.items() if key.startswith(f"{name}:")) == 3
    # A node alone holds every copy that it should.
    assert place.ask("GET", f"/_cluster/health/{stream}")["status"] == "green"
    (fields,) = place.fields(stream).values()
    (static,) = place.fields(place.stream("mllog.deployment")).values()
    # The typed features, and the tokens of a text; nothing for the one name that the card doesn't know.
    assert fields - static <= len(card.ruler.inputs) + 3
