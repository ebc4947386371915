"""The report: whole, small, and text stays text whatever it says."""

from __future__ import annotations

import datetime as dt
import re
import types
from html.parser import HTMLParser

import numpy as np
import pytest

from mllog.ruler import LATENCY, LATENCY_EDGES, SCORE, SCORE_EDGES, Feature, Ruler
from watchers.finding import Effect, Finding, Window
from watchers.incidents import Incident
from watchers.profile import ALL, WindowProfile
from watchers.report import ReportData, build
from watchers.report.series import quantiles

T0 = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
EVIL = '"><script>alert(1)</script>{{ 7*7 }}<svg/onload=alert(1)>'
FEATURES = (
    Feature(f"n{EVIL}", "number", (1.0, 2.0, 3.0), 0.0, 4.0),
    Feature(f"c{EVIL}", "category", categories=(f"a{EVIL}", "b"), known=frozenset({f"a{EVIL}", "b"})),
    Feature("t", "text", vocabulary=frozenset({"word"})),
    Feature("o", "other"),
    Feature(SCORE, "number", SCORE_EDGES),
    Feature(LATENCY, "number", LATENCY_EDGES),
)


def data(hours=200, features=FEATURES, incidents=(), **more):
    ruler = Ruler(features, (f"c{EVIL}",), "Europe/Berlin")
    rng = np.random.default_rng(1)
    profiles = []
    for hour in range(hours):
        profile = WindowProfile("m", ruler.hash, Window(T0 + hour * HOUR, T0 + (hour + 1) * HOUR))
        if hour % 50 != 17:  # an hour without data now and then
            counts = rng.poisson(20, len(ruler.cells))
            counts[0] = 400
            profile.add("d00", ALL, counts)
            profile.add("d00", (f"c{EVIL}", "b"), counts // 2)
        profiles.append(profile)
    card = types.SimpleNamespace(model=f"m{EVIL}", version=EVIL, ruler=ruler, training={})
    given = {"findings": [], "generated": T0, **more}
    return ReportData(card, profiles, list(incidents), **given)


def incident(number=0, feature=f"n{EVIL}", check="missing", **more):
    onset = T0 + (40 + number) * HOUR
    values = {
        "title": EVIL,
        "message": f"`{EVIL}` and ` {EVIL}",
        "features": [feature] if feature else [],
        "checks": [check],
        "segment": {f"c{EVIL}": "b"},
        "causes": [{"kind": EVIL, "value": EVIL, "share": 0.5}],
        "documents": ["d1"],
        "recovered": onset + 9 * HOUR,
        "state": "recovered",
        "acknowledged_by": EVIL,
        "versions": [EVIL],
        **more,
    }
    return Incident(f"id{number}", "m", onset + 2 * HOUR, onset + 9 * HOUR, onset, **values)


class Elements(HTMLParser):
    """Collects the names of all elements and attributes."""

    def __init__(self, text):
        super().__init__()
        self.names, self.attributes = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_hostile_names_stay_text():
    """Names, values, sentences, documents and configuration can't become markup or template code."""
    window = Window(T0 + 41 * HOUR, T0 + 42 * HOUR)
    finding = Finding(
        "missing", "m", window, 9, f"n{EVIL}", {EVIL: EVIL}, effect=Effect(EVIL, 1, 0, 2), state="alert"
    )
    event = {
        "@timestamp": EVIL,
        "ml": {"inputs": {"keyword": {f"n{EVIL}": EVIL}}, "outputs": {"label": EVIL}},
    }
    fault = {
        "name": EVIL,
        "kind": EVIL,
        "feature": EVIL,
        "segment": {EVIL: EVIL},
        "start": None,
        "incident": EVIL,
    }
    page = build(
        data(
            incidents=[incident()],
            findings=[finding],
            documents={"d1": event},
            faults=[fault],
            summary={EVIL: EVIL, "n": 3},
        )
    )
    elements = Elements(page)
    assert not {"script", "img", "iframe", "object"} & elements.names
    assert not {name for name in elements.attributes if name.startswith("on")}
    assert "{{ 7*7 }}" in page
    assert page.count("&lt;script&gt;") > 10


@pytest.mark.parametrize("hours", [0, 1, 3, 200, 24 * 20, 24 * 130])
def test_any_span_renders(hours):
    """From nothing at all to months."""
    page = build(data(hours, incidents=[incident(state="open", recovered=None)]))
    assert page.startswith("<!doctype html>")
    assert "nan" not in re.findall(r' d="[^"]*?(nan)', page)


@pytest.mark.parametrize(
    ("feature", "check"),
    [
        (None, "no_data"),
        (f"c{EVIL}", "category_shift"),
        (f"c{EVIL}", "unseen_category"),
        ("t", "unseen_tokens"),
        ("o", "vanished"),
        (SCORE, "output_drift"),
        (LATENCY, "latency"),
        (f"n{EVIL}", "range"),
        (f"n{EVIL}", "type_change"),
        ("gone", "missing"),
    ],
)
def test_each_check_has_its_picture(feature, check):
    """Every kind of incident gets a picture of what broke."""
    page = build(data(incidents=[incident(feature=feature, check=check)]))
    assert "during the incident" in page


@pytest.mark.parametrize(
    ("feature", "words"),
    [(f"c{EVIL}", "share of "), (f"n{EVIL}", "median of "), ("t", "share of unseen words"), ("o", "without o")],
)
def test_a_gap_to_training_is_drawn_beside_training(feature, words):
    """There is no calm hour to draw as a band: the picture has the line of training, and other bands stay whole."""
    index = Ruler(FEATURES, (f"c{EVIL}",), "Europe/Berlin").index
    trained = dict.fromkeys(index, 30) | {("", "n", ""): 400, (f"c{EVIL}", "category", "b"): 200}
    lasting = incident(-40, feature=feature, check="training_skew", recovered=None, state="open", segment=None)
    given = data(incidents=[lasting])
    assert "Dotted: training" not in build(given)
    given.card.training = {"*": {key: count for key, count in trained.items() if key in index}}
    page = build(given)
    (figure,) = re.findall(r"<figcaption>([^<]*)<span>Dotted: training\.</span>", page)
    assert words in figure
    assert "in training" in figure
    if feature.startswith("c"):
        assert "= b" in figure
    assert page.count('class="band"') == build(data()).count('class="band"') > 0


def test_a_long_report_is_small():
    """76 days of 15 features, hourly, stay under a megabyte with a dozen incidents."""
    features = [Feature(f"f{k}", "number", tuple(map(float, range(20))), -1.0, 20.0) for k in range(8)]
    features += [
        Feature(f"g{k}", "category", categories=tuple("abcdefgh"), known=frozenset("abcdefgh"))
        for k in range(6)
    ]
    many = [incident(number * 100, "f1", segment=None) for number in range(12)]
    page = build(data(76 * 24, (*features, *FEATURES[2:]), many))
    assert len(page.encode()) < 1_000_000


def test_no_asset_is_fetched():
    """Nothing in the page points out of it."""
    page = build(data(incidents=[incident()]))
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "url(" not in page
    assert "@import" not in page


def test_quantiles_of_bins():
    """A quantile lies where the counts put it, linear within its bin."""
    feature = Feature("x", "number", (10.0, 20.0), 0.0, 30.0)
    bins = np.array([[0, 100, 0], [100, 0, 100], [0, 0, 0]], dtype=float)
    assert quantiles(feature, bins, 0.5)[:2].tolist() == [15.0, 10.0]
    assert np.isnan(quantiles(feature, bins, 0.5)[2])


def test_what_is_derived_is_drawn_where_it_is_found():
    """Unusable answers and wrong encodings as shares, a text's length in characters; none of them has a panel."""
    derived = (
        Feature("@margin", "number", (0.5, 0.9)),
        Feature("@unusable", "number"),
        Feature("@length:t", "number", (1.0, 2.0, 4.0)),
        Feature("@script:t", "number", (1.0, 2.0)),
        Feature("@marks:t", "number", (1.0, 2.0)),
    )
    wrong = "share of texts of t with a wrong encoding"
    for hours, caption in ((range(0), "median characters of t"), (range(41, 50), wrong)):
        incidents = [incident(0, SCORE, "numeric_stability"), incident(1, "t", "text_shape", segment=None)]
        given = data(features=(*FEATURES, *derived), incidents=incidents)
        faulty = given.card.ruler.index["@marks:t", "bin", "2"]
        for hour, profile in enumerate(given.profiles):
            for counts in profile.cells.values():
                counts[faulty] = 15 if hour in hours else 0
        page = build(given)
        assert "share of answers that are NaN or infinite" in page
        assert caption in page
        assert ">@margin<" in page
        assert not re.search(">@(unusable|script:t|marks:t|length:t)<", page)
