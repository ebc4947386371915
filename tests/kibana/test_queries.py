"""Every layer of every panel is asked on a real node over two weeks with every fault, and answers with something."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from support import story

from kibana_objects.bundles import bundles
from kibana_objects.cards import dashboard_of
from kibana_objects.preview import ask
from kibana_objects.preview.cluster import Elasticsearch
from kibana_objects.queries import Span, shift
from mllog.elastic.client import connect

WHERE = "data_stream.namespace : story"
SHOWN = Span(story.END - story.SHOWN * 24 * story.HOUR, story.END + story.HOUR)
OBJECTS = [one for objects in bundles().values() for one in objects]
PAGES = {one["id"]: one for one in OBJECTS if one["type"] == "dashboard"}


@pytest.mark.parametrize("identity", sorted(PAGES))
def test_each_panel_shows_something(told, identity):
    """No panel is empty: charts, numbers, tables and documents, and deployments mark the time axes."""
    place, *_ = told
    source = Elasticsearch(place)
    empty, marked, rows = [], 0, 0
    for answered in ask(PAGES[identity], OBJECTS, source, SHOWN, where=WHERE):
        title = answered.panel["embeddableConfig"].get("title")
        # What was refused was so when it was shipped, and not in 2013: see below.
        if answered.is_empty and title != "Refused events":
            empty.append(title)
        marked += bool(answered.marks)
        rows += sum(map(len, answered.layers.values()))
    assert empty == []
    assert rows > 20
    if any("annotations" in one["attributes"]["panelsJSON"] for one in [PAGES[identity]]):
        assert marked


@pytest.mark.parametrize("page", ["mllog-overview", "mllog-incidents"])
def test_what_is_open_stands_first(told, page):
    """Though something else changed since; what is over follows, the last changed first."""
    place, *_ = told
    (answered,) = [
        one for one in ask(PAGES[page], OBJECTS, Elasticsearch(place), SHOWN, where=WHERE)
        if one.panel["embeddableConfig"].get("title") == "Incidents, taken and open ones first"
    ]  # fmt: skip
    found = [(hit["incident"]["state"], hit["incident"]["updated"]) for hit in answered.hits]
    assert [state for state, _ in found] == ["open", *["recovered"] * (len(found) - 1)]
    over = [updated for _, updated in found[1:]]
    assert over == sorted(over, reverse=True)
    assert over[0] > found[0][1]


def test_the_page_of_a_card_shows_each_feature(told):
    """Shares beside training's for numbers and categories alike."""
    place, cards, _ = told
    (page,) = [
        one for objects in bundles([dashboard_of(cards[0])]).values() for one in objects
        if one["id"].startswith("mllog-card-")
    ]  # fmt: skip
    empty = [
        answered.panel["embeddableConfig"].get("title")
        for answered in ask(page, OBJECTS, Elasticsearch(place), SHOWN, where=WHERE)
        if answered.is_empty
    ]
    assert empty == []


def test_a_panel_says_what_its_documents_say(told):
    """Numbers of the overview and of the page of missing features, counted again in another way."""
    place, *_ = told
    client = connect(place)
    source = Elasticsearch(place)
    span = {"range": {"@timestamp": {"gte": SHOWN.start.isoformat(), "lt": SHOWN.end.isoformat()}}}
    query = {"bool": {"filter": [span, {"term": {"data_stream.namespace": "story"}}, {"term": {"event.action": "predict"}}]}}
    hits = client.search(index="logs-mllog.prediction.*", query=query, size=10_000)["hits"]["hits"]
    documents = [hit["_source"] for hit in hits]
    assert 1000 < len(documents) < 10_000
    lacking = sum(bool(document["ml"].get("missing")) for document in documents)
    failed = sum(document["event"]["outcome"] == "failure" for document in documents)
    assert lacking > failed > 20

    def figure(page, title):
        (found,) = [
            answered for answered in ask(PAGES[page], OBJECTS, source, SHOWN, where=WHERE)
            if answered.panel["embeddableConfig"].get("title") == title and "data" in answered.layers
        ]  # fmt: skip
        (row,) = found.layers["data"]
        return row["m0"]

    assert figure("mllog-missing", "Predictions with something missing") == pytest.approx(lacking / len(documents))
    assert figure("mllog-operations", "Failures") == pytest.approx(failed / len(documents))
    assert figure("mllog-operations", "Predictions") == len(documents)


def test_what_was_refused_is_listed(told):
    """With its reason and the event as it was, when it happened."""
    place, *_ = told
    now = dt.datetime.now(dt.UTC)
    span = Span(now - dt.timedelta(hours=1), now + dt.timedelta(minutes=1))
    answered = list(ask(PAGES["mllog-watchers"], OBJECTS, Elasticsearch(place), span, where=WHERE))[-1]
    (hit,) = answered.hits
    assert "role" in hit["error"]["message"]
    assert json.loads(hit["event"]["original"])["event"]["id"] == "refused-1"


def test_rules_are_queries(told):
    """Each is one that the node takes, and those on what happened here match."""
    place, *_ = told
    client = connect(place)
    matched = {}
    for one in OBJECTS:
        if one["type"] == "alert":
            params = one["attributes"]["params"]
            body = json.loads(params["esQuery"])
            answer = client.indices.validate_query(index=params["index"], query=body["query"], explain=True)
            assert answer["valid"], answer
            matched[one["id"]] = client.count(index=params["index"], query=body["query"])["count"]
    params = {one["id"]: one["attributes"]["params"] for one in OBJECTS if one["type"] == "alert"}
    critical = params["mllog-rule-critical"]
    # An incident that is open for three weeks without news is told still.
    window = {"range": {critical["timeField"]: {"gte": f"now-{critical['timeWindowSize']}{critical['timeWindowUnit']}"}}}
    late = (story.END + 21 * 24 * story.HOUR).isoformat()
    window["range"][critical["timeField"]]["gte"] = window["range"][critical["timeField"]]["gte"].replace("now", f"{late}||")
    query = {"bool": {"filter": [json.loads(critical["esQuery"])["query"], window]}}
    assert client.count(index=critical["index"], query=query)["count"] > 0
    silent = params["mllog-rule-heartbeat"]
    assert (silent["thresholdComparator"], silent["threshold"]) == ("<", [1])
    assert matched["mllog-rule-critical"] > 0
    assert matched["mllog-rule-unjudged"] > 0
    assert matched["mllog-rule-deadletters"] >= 1
    assert matched["mllog-rule-heartbeat"] >= 1


@pytest.mark.parametrize(
    ("hours", "interval", "step"),
    [
        (24, "auto", 1800), (97, "auto", 3600), (24 * 76, "auto", 86_400), (1, "auto", 60), (24 * 3650, "auto", 30 * 86_400),
        (24, "1h", 3600), (97, "1h", 3600), (168, "1h", 3600), (24 * 30, "1h", 3 * 3600),
    ],
)  # fmt: skip
def test_time_axes(hours, interval, step):
    """Have the step that Kibana would choose for them; a week ago is a week ago."""
    assert Span(story.START, story.START + hours * story.HOUR).step(interval) == step
    assert shift("1w").days == 7
    assert shift("").total_seconds() == 0
