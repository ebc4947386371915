"""Window documents: what dashboards read of a profile."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mllog.fields import WINDOW
from mllog.ruler import LABEL, LATENCY, LATENCY_EDGES, SCORE, SCORE_EDGES, Feature, Ruler
from watchers import windows
from watchers.finding import Window
from watchers.profile import ALL, WindowProfile, merge

START = dt.datetime(2026, 3, 6, 22, tzinfo=dt.UTC)


@pytest.fixture
def ruler():
    return Ruler(
        (
            Feature("x", "number", edges=(0.0, 10.0), low=-1.0, high=20.0),
            Feature("c", "category", categories=("a", "b"), known=frozenset({"a", "b", "rare"})),
            Feature("t", "text", vocabulary=frozenset({"late"})),
            Feature(SCORE, "number", edges=SCORE_EDGES),
            Feature(LABEL, "category", categories=("late",), known=frozenset({"late"})),
            Feature(LATENCY, "number", edges=LATENCY_EDGES),
        )
    )


@pytest.fixture
def profile(ruler):
    """100 events of an hour."""
    counts = np.zeros(len(ruler.cells), dtype=np.int64)
    for key, count in {
        ("", "n", ""): 100, ("", "failure", ""): 7,
        ("x", "missing", "null"): 10, ("x", "missing", "absent"): 5, ("x", "violation", "range"): 3,
        ("x", "bin", "0"): 5, ("x", "bin", "1"): 60, ("x", "bin", "2"): 20,
        ("c", "category", "a"): 70, ("c", "other", ""): 10, ("c", "violation", "category"): 20,
        ("t", "texts", ""): 100, ("t", "tokens", ""): 400, ("t", "unseen_tokens", ""): 100,
        (SCORE, "bin", "10"): 93, (LABEL, "category", "late"): 93,
    }.items():  # fmt: skip
        counts[ruler.index[key]] = count
    result = WindowProfile("m", ruler.hash, Window(START, START + dt.timedelta(hours=1)))
    result.add("d22", ALL, counts)
    for token, count in (("gate", 9), ("strike", 2)):
        result.count("token", token, count)
    for name, count in (("A", 15), ("true", 5)):
        result.count("unseen:c", name, count)
    result.count("unseen:@label", "never", 1)
    result.count("version", "7", 100)
    return result


def by_name(documents, kind, about):
    return {document[about]["name"]: document for document in documents if document["kind"] == kind}


def test_an_hour_has_its_metrics_and_features(ruler, profile):
    """Rates are of all events, unseen tokens of all tokens; quantiles lie in the bins where the counts are."""
    documents = list(windows.hour_documents(profile, ruler))
    metrics = {name: document["metric"]["value"] for name, document in by_name(documents, "metric", "metric").items()}
    assert (metrics["predictions"], metrics["failures"]) == (100, 0.07)
    assert 0.5 <= metrics["score.p50"] < metrics["score.p95"] <= 0.55
    assert "latency.p50" not in metrics  # nobody measured one
    features = by_name(documents, "feature", "feature")
    assert features.keys() == {"x", "c", "t"}
    assert features["x"]["missing"] == {
        "rate": 0.15, "absent": 0.05, "null": 0.1, "nan": 0, "infinite": 0, "empty": 0, "sentinel": 0,
    }  # fmt: skip
    assert features["x"]["violations"] == {"rate": 0.03}
    assert "unseen" not in features["x"]
    assert features["c"]["unseen"] == {"rate": 0.2, "count": 20}
    assert features["t"]["unseen"] == {"rate": 0.25, "count": 100}
    assert {document["ml"]["model"]["version"][0] for document in documents} == {"7"}
    assert {document["window"]["seconds"] for document in documents} == {3600}


def test_buckets_stand_beside_training(ruler, profile):
    """The greatest first, with bounds for names; without training counts nothing is compared."""
    training = {("c", "category", "a"): 30, ("c", "category", "b"): 60, ("c", "other", ""): 10}
    documents = list(windows.bucket_documents(profile, ruler, training))
    found = [(d["bucket"]["value"], d["bucket"]["share"], d["bucket"]["reference"]) for d in documents if d.get("feature", {}).get("name") == "c"]
    assert found == [("a", 70 / 80, 0.3), ("(other)", 10 / 80, 0.1)]
    found = [(d["bucket"]["value"], d["bucket"]["reference"]) for d in documents if d.get("feature", {}).get("name") == "x"]
    assert found == [("0 [-∞, 0)", None), ("1 [0, 10)", None), ("2 [10, ∞)", None)]
    assert {(d["kind"], d["feature"]["name"]) for d in documents} == {("bucket", name) for name in ("x", "c", SCORE, LABEL)}


def test_bins_keep_their_order(profile):
    """By their names too, however many they are: a shift is read from one to the next. Those that emptied are there."""
    ruler = Ruler((Feature("x", "number", edges=tuple(map(float, range(40)))),))
    counts = np.zeros(len(ruler.cells), dtype=np.int64)
    for key, count in {("", "n", ""): 9, **{("x", "bin", str(k)): k % 9 for k in range(3, 30)}}.items():
        counts[ruler.index[key]] = count
    held = WindowProfile("m", ruler.hash, profile.window)
    held.add("d22", ALL, counts)
    found = list(windows.bucket_documents(held, ruler, {("x", "bin", "1"): 4, ("x", "bin", "12"): 12}))
    shares = {d["bucket"]["value"]: (d["bucket"]["share"], d["bucket"]["reference"]) for d in found}
    assert list(shares) == sorted(shares)
    assert [int(name[:2]) for name in shares] == [1, *(k for k in range(3, 30) if k % 9)]
    assert shares["01 [0, 1)"] == (0, 0.25)
    assert shares["12 [11, 12)"] == (3 / 108, 0.75)
    assert sum(share for share, _ in shares.values()) == pytest.approx(1)


def test_a_feature_without_any_value_has_no_shares(ruler, profile):
    """Neither are its bins of 0 %, which they'd be of nothing."""
    counts = np.zeros(len(ruler.cells), dtype=np.int64)
    counts[ruler.index["", "n", ""]] = counts[ruler.index["x", "missing", "null"]] = 10
    held = WindowProfile("m", ruler.hash, profile.window)
    held.add("d22", ALL, counts)
    assert list(windows.bucket_documents(held, ruler, {("x", "bin", "1"): 4})) == []


def test_an_hour_names_what_training_never_had(ruler, profile):
    """Values of each category and of the answers, and words, with the events that have them; the most frequent ones."""
    for k in range(30):
        profile.count("unseen:c", f"v{k:02d}", 2)
    documents = list(windows.hour_documents(profile, ruler))
    found = [(d["feature"]["name"], d["unseen"]["value"], d["unseen"]["count"]) for d in documents if d["kind"] == "unseen"]
    assert found[:3] == [("c", "A", 15), ("c", "true", 5), ("c", "v00", 2)]
    assert len(found) == windows.MOST_UNSEEN + 1
    assert found[-1] == (LABEL, "never", 1)
    assert [(d["token"]["value"], d["token"]["count"]) for d in documents if d["kind"] == "token"] == [("gate", 9), ("strike", 2)]


def test_no_window_tells_a_thing_twice(ruler, profile):
    """New words are of hours, busy or not, and of days; of one length of window each word of an hour is there once."""
    busy = merge([profile, profile, profile])
    busy.window = profile.window
    for held in (profile, busy):
        last = replace(held, window=Window(START + dt.timedelta(hours=1), START + dt.timedelta(hours=2)))
        hours = [held, last]
        documents = list(windows.documents(hours, ruler, {}, lambda _, hours=hours: hours))
        assert len({windows.key(document) for document in documents}) == len(documents)
        lengths = Counter((d["kind"], d["window"]["seconds"] == 3600) for d in documents)
        assert lengths["token", True] == 4
        assert lengths["token", False] == 2
        assert lengths["unseen", True] == 6
        assert not lengths["unseen", False]
        assert bool(lengths["bucket", True]) is (held is busy)


def test_ids_tell_documents_apart(ruler, profile):
    """And are the same when the hour is counted again."""
    documents = [*windows.hour_documents(profile, ruler), *windows.bucket_documents(profile, ruler)]
    keys = [windows.key(document) for document in documents]
    assert len(set(keys)) == len(keys)
    again = [*windows.hour_documents(profile, ruler), *windows.bucket_documents(profile, ruler)]
    assert [windows.key(document) for document in again] == keys


def test_what_was_not_counted_is_not_drawn(ruler, profile):
    """An hour that is unknown, or without events, has no documents: zeros would be a lie."""
    profile.complete = False
    assert [*windows.hour_documents(profile, ruler), *windows.bucket_documents(profile, ruler)] == []
    empty = WindowProfile("m", ruler.hash, Window(START, START + dt.timedelta(hours=1)))
    assert [*windows.hour_documents(empty, ruler), *windows.bucket_documents(empty, ruler)] == []


def test_every_field_is_in_the_table(ruler, profile):
    """So that dashboards can show it."""
    names = {field.name for field in WINDOW}

    def leaves(value, path=""):
        for key, inner in value.items():
            name = f"{path}{key}"
            if isinstance(inner, dict):
                yield from leaves(inner, f"{name}.")
            else:
                yield name

    for document in (*windows.hour_documents(profile, ruler), *windows.bucket_documents(profile, ruler)):
        assert set(leaves(document)) <= names
