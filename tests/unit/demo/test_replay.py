"""Requests come one after the other, with plain Python values under the names that upstream sent."""

import datetime as dt
import math
import time
from itertools import pairwise

import pytest

from watchers.demo import faults, flights, model, replay


@pytest.fixture(scope="module")
def plan():
    return {fault.name: fault for fault in faults.plan(0)}


@pytest.fixture(scope="module")
def stream(served, models):
    return faults.apply(faults.plan(0), served, models)


@pytest.fixture(scope="module")
def requests(stream):
    return list(replay.requests(stream))


def test_every_row_is_one_request(stream, requests):
    """Nothing is lost or doubled on the way."""
    assert len(requests) == len(stream)
    assert {request.prediction_id for request in requests} == set(stream["flight_id"])


def test_times_are_distinct_and_increasing(stream, requests):
    """Two requests never come at once, and each comes in the minute of its flight."""
    assert all(one.time < other.time for one, other in pairwise(requests))
    minutes = dict(zip(stream["flight_id"], stream["time"], strict=True))
    for request in requests:
        assert type(request.time) is dt.datetime
        assert request.time.tzinfo is dt.UTC
        assert request.time.replace(second=0, microsecond=0) == minutes[request.prediction_id]


def test_values_are_plain(requests):
    """Inputs are strings, numbers and None, never NaN nor numpy."""
    kinds = {type(value) for request in requests for value in request.inputs.values()}
    assert kinds == {str, int, float, type(None)}
    assert not any(
        isinstance(value, float) and math.isnan(value)
        for request in requests
        for value in request.inputs.values()
    )
    assert {type(request.score) for request in requests} == {float}
    assert {type(request.environment) for request in requests} == {int}


def test_renamed_feature_stands_under_its_new_name_only(requests, plan):
    """While the rename lasts, the old name is absent, not null."""
    fault = plan["rename"]
    new_names = tuple(fault.value if name == fault.feature else name for name in flights.FEATURES)
    for request in requests:
        hit = fault.start <= request.time < fault.end
        assert tuple(request.inputs) == (new_names if hit else flights.FEATURES)


def test_null_feature_is_none(requests, plan):
    """While the feature is null for an origin, its requests carry None."""
    fault = plan["null-for-origin"]
    hit = [
        request
        for request in requests
        if fault.start <= request.time < fault.end and request.inputs["origin"] == fault.segment["origin"]
    ]
    assert hit
    assert all(request.inputs[fault.feature] is None for request in hit)


def test_inputs_are_those_of_the_flight(stream, requests):
    """Values arrive unchanged."""
    rows = stream.set_index("flight_id")
    for request in requests[::997]:
        row = rows.loc[request.prediction_id]
        for name, value in request.inputs.items():
            assert value == row[name] or (value is None and row.isna()[name])


def test_labels(stream, requests):
    """A flight that arrived has a label and its time, any other has neither."""
    rows = stream.set_index("flight_id")
    assert {type(request.late) for request in requests} == {bool, type(None)}
    for request in requests:
        assert (request.late is None) == (request.label_time is None)
        assert request.label_time is None or type(request.label_time) is dt.datetime
    for request in requests[::997]:
        assert request.label in {model.LATE, model.ON_TIME}
        if request.late is not None:
            assert request.late == rows.loc[request.prediction_id, "late"]
            assert request.label_time == rows.loc[request.prediction_id, "label_time"]


def test_replay_is_deterministic(stream, requests):
    """The same stream gives the same requests, another seed other moments."""
    assert list(replay.requests(stream)) == requests
    assert next(replay.requests(stream, seed=1)).time != requests[0].time


def test_speed(stream):
    """All requests are handed out in less than 2 seconds."""
    start = time.perf_counter()
    count = sum(1 for _ in replay.requests(stream))
    assert time.perf_counter() - start < 2
    assert count > 67_000
