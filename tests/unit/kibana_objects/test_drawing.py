"""Panels as Vega-Lite: bars stand where and as high as their numbers say, and time is the dashboard's."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kibana_objects.columns import dimension, layer, measure, threshold
from kibana_objects.model import Measure, Terms, Time
from kibana_objects.preview.asking import Answered, Question
from kibana_objects.preview.drawing import specification
from kibana_objects.queries import Asked, Scope, Span

SPAN = Span(dt.datetime(2026, 11, 29, tzinfo=dt.UTC), dt.datetime(2026, 11, 30, tzinfo=dt.UTC))
STEP = dt.timedelta(seconds=SPAN.step("auto"))
STEPS = [SPAN.start + k * STEP for k in range(4)]


def answered(series, rows, *, lines=(), **state):
    """A chart of a number by a value and by time."""
    columns = layer({
        "d0": dimension(Terms("host", "host.name"), ["m0"]),
        "d1": dimension(Time(), ["m0"]),
        **measure("m0", Measure("n")),
    })  # fmt: skip
    data = {"layerId": "data", "layerType": "data", "accessors": ["m0"], "seriesType": series, "xAccessor": "d1", "splitAccessor": "d0"}
    drawn, layers = [data], {"data": columns}
    if lines:
        layers["lines"] = layer({f"l{k}": threshold(f"line {k}", value) for k, value in enumerate(lines)})
        keys = [f"l{k}" for k in range(len(lines))]
        drawn.append({
            "layerId": "lines", "layerType": "referenceLine", "accessors": keys,
            "yConfig": [{"forAccessor": key, "color": "red"} for key in keys],
        })  # fmt: skip
    visualization = {"legend": {"isVisible": True}, "layers": drawn, **state}
    attributes = {
        "visualizationType": "lnsXY",
        "state": {"visualization": visualization, "datasourceStates": {"formBased": {"layers": layers}}},
    }
    panel = {"type": "lens", "embeddableConfig": {"attributes": attributes}}
    asked = Asked(columns, Scope("mllog-predictions", (), SPAN, "@timestamp"))
    return Answered(Question(panel, {"data": asked}), {"data": rows}, [], [])


NUMBERS = st.lists(st.one_of(st.none(), st.integers(0, 50)), min_size=8, max_size=8)


def by_host(numbers):
    places = itertools.product(["a", "b"], STEPS)
    return [{"d0": host, "d1": step, "m0": number} for (host, step), number in zip(places, numbers, strict=True)]


@given(NUMBERS.filter(any), st.sampled_from(["bar", "bar_stacked", "bar_percentage_stacked"]))
def test_bars_have_their_places(numbers, series):
    """Each as high as its number, from its step's begin to its end, and none over another."""
    rows = by_host(numbers)
    (spec,) = specification(answered(series, rows), 400, 200)["layer"]
    boxes = spec["data"]["values"]
    assert spec["mark"] == {"type": "rect"}
    wanted = {(row["d0"], row["d1"]): row["m0"] for row in rows if row["m0"]}
    totals = {step: sum(number for (_, at), number in wanted.items() if at == step) for step in STEPS}
    assert len(boxes) == len(wanted)
    for box in boxes:
        start, end = dt.datetime.fromisoformat(box["x"]), dt.datetime.fromisoformat(box["x2"])
        (step,) = [step for step in STEPS if step <= start < step + STEP]
        assert end <= step + STEP
        height = box["y"] - box["y2"]
        whole = totals[step] if "percentage" in series else 1
        assert height == pytest.approx(wanted[box["series"], step] / whole)
    for one, other in itertools.combinations(boxes, 2):
        beside = one["x2"] <= other["x"] or other["x2"] <= one["x"]
        above = one["y"] <= other["y2"] + 1e-9 or other["y"] <= one["y2"] + 1e-9
        assert beside or above


@pytest.mark.parametrize("series", ["line", "area", "bar_stacked"])
def test_an_axis_is_all_of_the_time(series):
    """In UTC, whatever is in it, so that panels can be compared."""
    (spec,) = specification(answered(series, by_host([1, None, None, None, 2, 3, None, 4])), 400, 200)["layer"]
    scale = spec["encoding"]["x"]["scale"]
    assert scale["type"] == "utc"
    assert scale["domain"] == [SPAN.start.isoformat(), SPAN.end.isoformat()]


def test_lines_beyond_an_axis_that_fits_are_left_out():
    """They would make it as high as without; from 0 up all are drawn."""
    rows = by_host([1990, 1991, 2000, 2001, 1990, 2010, 2011, 2012])
    fitting = specification(answered("line", rows, lines=(1950.0, 2005.0), yLeftExtent={"mode": "dataBounds"}), 400, 200)
    labels = [one["data"]["values"][0]["label"] for one in fitting["layer"][1:]]
    assert labels == ["line 1", "line 1"]
    assert fitting["layer"][0]["encoding"]["y"]["scale"] == {"zero": False}
    plain = specification(answered("line", rows, lines=(1950.0, 2005.0)), 400, 200)
    assert len(plain["layer"]) == 1 + 2 * 2
    assert "scale" not in plain["layer"][0]["encoding"]["y"]


def test_zeros_stand_at_the_bottom():
    """And not in the middle of an axis that has nothing else."""
    rows = [{**row, "m1": 1} for row in by_host([0] * 8)]
    (spec,) = specification(answered("line", rows), 400, 200)["layer"]
    assert spec["encoding"]["y"]["scale"] == {"domain": [0, 1]}
