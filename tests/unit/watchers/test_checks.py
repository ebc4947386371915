"""Each check alone: fires on its fault and says what broke, is quiet without it."""

from __future__ import annotations

import datetime as dt
import importlib
import pkgutil
from collections import Counter
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import watchers.checks
from mllog.card import ModelCard
from mllog.ruler import Feature
from watchers.check import FunctionCheck
from watchers.checks import all_checks
from watchers.checks.swapped import shares_elsewhere
from watchers.compare import profile
from watchers.finding import Window
from watchers.history import History
from watchers.judge import judge
from watchers.profile import ALL, WindowProfile
from watchers.view import View

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
HOURS = 72
N = 300
WORDS = ("gate", "late", "crew", "weather", "held", "clear")


def frame(hour: int, n: int = N, seed: int = 1) -> dict[str, list[Any]]:
    """One calm hour of requests."""
    rng = np.random.default_rng([seed, hour])
    way = np.random.default_rng([seed, hour, 1])
    miles = way.lognormal(6, 0.6, n)
    return {
        "time": [START + hour * HOUR + dt.timedelta(seconds=11 * k % 3600) for k in range(n)],
        "miles": miles.tolist(),
        "minutes": (20 + miles / 8 * way.lognormal(0, 0.2, n)).tolist(),
        "reserve": (9_000 - miles * way.lognormal(0, 0.3, n)).tolist(),
        "amount": rng.lognormal(3, 0.5, n).tolist(),
        "age": [
            None if missing else float(age)
            for missing, age in zip(rng.random(n) < 0.02, rng.normal(40, 10, n), strict=True)
        ],
        "carrier": rng.choice(["UA", "AA", "DL", "B6"], n, p=[0.4, 0.3, 0.2, 0.1]).tolist(),
        "origin": rng.choice(["EWR", "JFK", "LGA"], n, p=[0.4, 0.35, 0.25]).tolist(),
        "member": [bool(value) for value in rng.random(n) < 0.3],
        "remarks": [" ".join(row) for row in rng.choice(WORDS, (n, 4))],
        "@score": rng.beta(2, 5, n).tolist(),
        "@label": ["late" if value < 0.2 else "on time" for value in rng.random(n)],
        "@latency": (0.03 * rng.lognormal(0, 0.3, n)).tolist(),
    }


def joined(frames) -> dict[str, list[Any]]:
    """Frames, one under the other."""
    whole: dict[str, list[Any]] = {}
    for part in frames:
        for name, values in part.items():
            whole.setdefault(name, []).extend(values)
    return whole


def make_card(model="delay", change=None) -> ModelCard:
    """A card from three calm days."""
    data = joined(frame(hour, seed=2) for hour in range(HOURS))
    data["late"] = data.pop("@label")
    if change is not None:
        change(data)
    return ModelCard.from_frame(
        data, model, "1", target="late", text=["remarks"], segments=["origin", "carrier"], time="time"
    )


CARD = make_card()
HISTORY = [profile(frame(hour), CARD, time="time") for hour in range(HOURS)]
for past in HISTORY:
    past.names |= {"version": Counter({"1": N}), "environment": Counter({"f00": N})}
    past.manifests = {"f00": {"numpy": "2.3.1", "scipy": "1.16"}}


@dataclass
class Planted:
    """A fault: what it does to an hour of requests, or to its profile."""

    check: str
    feature: str | None
    words: tuple[str, ...]
    change: Any = None
    names: dict[str, Counter[str]] = field(default_factory=dict)
    segment: dict[str, str] | None = None
    severity: str = "warning"
    n: int = N
    also: str | None = None
    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)


def turned(values):
    """The same values, the greatest where the least was."""
    ranks = np.argsort(np.argsort(values))
    return np.sort(values)[::-1][ranks].tolist()


def sent_again(count):
    """The last requests of the hour are its first ones."""

    def change(data):
        for name in data.keys() - {"time", "@latency"}:
            data[name][-count:] = data[name][:count]

    return change


def where(data, name, value):
    return [k for k, held in enumerate(data[name]) if held == value]


def put(name, value, rows=None):
    """Overwrite a feature, everywhere or in some rows; ``value`` may be a function of the old one."""

    def change(data):
        for k in rows(data) if rows else range(len(data[name])):
            data[name][k] = value(data[name][k]) if callable(value) else value

    return change


def drop(name):
    """The key is not sent any more."""
    return lambda data: data.pop(name)


def every(step):
    return lambda data: range(0, len(data["time"]), step)


def of(name, value):
    return lambda data: where(data, name, value)


FAULTS = {
    "missing": Planted("missing", "age", ("`age` is null in 2", "% of requests", "expected", "since 2026-03-05 00:00"), put("age", None, every(4))),
    "missing-segment": Planted(
        "missing", "amount", ("`amount` is null in 100%", "(0% expected)", "nearly all of them have origin=LGA"),
        put("amount", None, of("origin", "LGA")), segment={"origin": "LGA"}, severity="critical",
    ),
    "vanished": Planted(
        "vanished", "carrier", ("`carrier` has vanished: absent in 100% of requests (0% expected)",), drop("carrier"), severity="critical"
    ),
    "renamed": Planted(
        "renamed", "amount", ("`amount` looks renamed to `price`: 100% of requests",),
        lambda data: data.update(price=data.pop("amount")), names={"renamed": Counter({"amount>price": N})}, severity="critical",
    ),
    "unseen_category": Planted(
        "unseen_category", "carrier", ("`carrier` has values that training never had in 10% of requests (0% expected)", "'ua' (30)"),
        put("carrier", "ua", every(10)),
    ),
    "category_shift": Planted(
        "category_shift", "carrier", ("`carrier`=B6 makes up ", "% of requests", "% expected)"), put("carrier", "B6", every(4))
    ),
    "range": Planted(
        "range", "age", ("`age` is outside of [", "] in 20% of requests (", "% expected)"), put("age", 400.0, every(5))
    ),
    "type_change": Planted(
        "type_change", "amount", ("`amount` is no number in 50% of requests (0% expected)",), put("amount", "12,50", every(2)), severity="critical"
    ),
    "numeric_drift": Planted("numeric_drift", "age", ("`age` is higher by ", " sd than at these hours"), put("age", lambda v: v and v + 5)),
    "numeric_spread": Planted(
        "numeric_drift", "age", ("`age` is less spread out by ", " sd"), put("age", lambda v: v and 40 + (v - 40) / 4)
    ),
    "unit_change": Planted(
        "unit_change", "amount", ("`amount` is multiplied by about 10 since", "a factor of 10"), put("amount", lambda v: 10 * v), severity="critical"
    ),
    "unit_segment": Planted(
        "unit_change", "amount", ("`amount` is multiplied by about 1.609 in origin=JFK", "miles to kilometres"),
        put("amount", lambda v: 1.609344 * v, of("origin", "JFK")), segment={"origin": "JFK"}, severity="critical", n=2000,
    ),
    "unseen_tokens": Planted(
        "unseen_tokens", "remarks", ("of the words of `remarks` were not in training (0% expected)", "'verspätet'"),
        put("remarks", "gate held wegen wetter verspätet", every(3)),
    ),
    "correlation": Planted(
        "correlation", "minutes", ("`minutes` and `", "` go together less than they did: quadrant correlation ", "(0.", " at these hours) since", "while each lies on"),
        lambda data: data["minutes"].sort(),
    ),
    "correlation-turned": Planted(
        "correlation", "reserve", ("`reserve` and `mi", "` have begun to go together: quadrant correlation 0.", "(-0.", " at these hours)"),
        lambda data: data.update(reserve=turned(data["reserve"])),
    ),
    "repeated": Planted(
        "repeated", None, ("20% of requests repeat all inputs of an earlier one of the same hour (0% at these hours) since 2026-03-05 00:00",),
        sent_again(60),
    ),
    "text_encoding": Planted(
        "text_shape", "remarks", ("`remarks`: 5% of texts show encoding faults (é read as Ã©, or as �) since 2026-03-05 00:00 UTC; usual 0%",),
        put("remarks", "gate hÃ©ld late crew", every(20)),
    ),
    "text_length": Planted(
        "text_shape", "remarks", ("`remarks`: texts are longer by ", " sd than at these hours", "half of them have about 40 characters or more, usually 20"),
        put("remarks", lambda v: f"{v} {v}"),
    ),
    "text_script": Planted(
        "text_shape", "remarks", ("`remarks`: 20% of texts are in Cyrillic letters (0% expected) since",), put("remarks", "поезд опоздал", every(5)),
    ),
    "text_emoji": Planted(
        "text_shape", "remarks", ("`remarks`: 20% of texts have emoji (0% expected) since",), put("remarks", lambda v: f"{v} 😀", every(5)),
    ),
    "stuck": Planted(
        "stuck", "age", ("`age` says the same in 100% of requests (", "% expected) since 2026-03-05 00:00 UTC: between "),
        put("age", 41.0, lambda data: [k for k, age in enumerate(data["age"]) if age is not None]),
    ),
    "stuck-category": Planted("stuck", "carrier", ("`carrier` says the same in 100% of requests (", "'DL'"), put("carrier", "DL")),
    "stuck-score": Planted("stuck", "@score", ("`@score` says the same",), put("@score", 0.5), severity="critical"),
    "appeared": Planted(
        "appeared", "fare", ("`fare` has appeared in 100% of requests (0% expected)", "the card doesn't know it"),
        lambda data: data.update(fare=[1.0] * N), severity="info",
    ),
    "swapped": Planted(
        "swapped", "age", ("`age` and `amount` look swapped: each says what the other used to say since",),
        lambda data: data.update(age=data["amount"], amount=data["age"]), severity="critical", n=1000, also="amount",
    ),
    "swapped-category": Planted(
        "swapped", "carrier", ("`carrier` and `origin` look swapped",),
        lambda data: data.update(carrier=data["origin"], origin=data["carrier"]), severity="critical", also="origin",
    ),
    "output_drift": Planted("output_drift", "@score", ("the model's scores are higher by ", " sd"), put("@score", lambda v: v + 0.2)),
    "output_class": Planted("output_drift", "@label", ("class '", "is predicted in ", "% of requests"), put("@label", "late", every(3))),
    "output_new_class": Planted(
        "unseen_category", "@label", ("the model answers what training never had in 10% of requests (0% expected)", "'retry' (30)"),
        put("@label", "retry", every(10)),
    ),
    "unanswered": Planted(
        "unanswered", "@score", ("the model gives no score in 10% of requests (0% expected) since 2026-03-05 00:00",), put("@score", None, every(10)),
    ),
    "unanswered-class": Planted(
        "unanswered", "@label", ("the model gives no class in 100% of requests (0% expected)",), put("@label", None), severity="critical",
    ),
    "unanswered-segment": Planted(
        "unanswered", "@score", ("the model gives no score in 100% of requests", "nearly all of them have origin=LGA"),
        put("@score", None, of("origin", "LGA")), segment={"origin": "LGA"}, severity="critical", n=1000,
    ),
    "failures": Planted(
        "failures", None, ("5% of calls fail (0% expected) since 2026-03-05 00:00",), counts={("", "failure", ""): 15},
    ),
    "failures-many": Planted(
        "failures", None, ("40% of calls fail (0% expected)",), counts={("", "failure", ""): 120}, severity="critical",
    ),
    "confidence": Planted(
        "confidence", "@margin", ("the model is less sure of its answers than at these hours: the margin", "smaller by ", " sd"),
        put("@score", lambda v: 0.5 + (v - 0.5) / 3),
    ),
    "numeric_stability": Planted(
        "numeric_stability", "@score", ("the model's answer is no finite number in 5% of requests (0% expected) since 2026-03-05 00:00",),
        put("@score", float("nan"), every(20)),
    ),
    "latency": Planted("latency", "@latency", ("requests take ", " ms expected, x2"), put("@latency", lambda v: 2 * v)),
    "dependency_change": Planted(
        "dependency_change", None, ("50% of predictions come from an environment never seen before (numpy 2.3.1 -> 2.4.0; + onnx 1.2)",),
        names={"environment": Counter({"f00": N // 2, "f01": N // 2})},
    ),
    "wrong_model": Planted(
        "wrong_model", "@score", ("the scores look like those of other 1, not of delay 1 (log likelihood ratio ",),
        put("@score", lambda v: 1 - v), severity="critical",
    ),
}  # fmt: skip


def view_of(planted: Planted | None, now: int = HOURS, history=None) -> View:
    """The hour after three calm days, with a fault in it."""
    data = frame(now, planted.n if planted else N)
    if planted and planted.change:
        planted.change(data)
    current = profile(data, CARD, time="time")
    # The bounds of a frame are its times; an hour of a store is a whole hour.
    current.window = Window(START + now * HOUR, START + (now + 1) * HOUR)
    for key, count in (planted.counts if planted else {}).items():
        for cells in (counted for (_, segment), counted in current.cells.items() if segment == ALL):
            cells[CARD.ruler.index[key]] = count
    names = {"version": Counter({"1": N}), "environment": Counter({"f00": N})}
    current.names |= names | (planted.names if planted else {})
    current.manifests = {"f01": {"numpy": "2.4.0", "scipy": "1.16", "onnx": "1.2"}}
    book = History(CARD, [*(HISTORY if history is None else history), current])
    last = len(book) - 1
    return View(CARD, book, past=(0, last), now=(last, last + 1), others=[OTHER])


OTHER = make_card("other", lambda data: data.update({"@score": [1 - score for score in data["@score"]]}))
CHECKS = {check.name: check for check in all_checks()}


def test_every_check_is_tested_here():
    """Each check has a fault below (a stream without data has tests of its own)."""
    assert {planted.check for planted in FAULTS.values()} | {"no_data"} == CHECKS.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_a_check_fires_on_its_fault(name):
    """Alone it finds its fault, names feature and segment, and its sentence has the numbers."""
    planted = FAULTS[name]
    findings = judge(view_of(planted), [CHECKS[planted.check]])
    (finding,) = [finding for finding in findings if finding.feature == planted.feature]
    assert (finding.check, finding.state, finding.severity) == (planted.check, "alert", planted.severity)
    assert finding.segment == planted.segment
    assert [word for word in planted.words if word not in finding.message] == [], finding.message
    assert finding.onset == START + HOURS * HOUR
    assert finding.version == "1"
    if finding.effect is not None:
        assert finding.effect.low <= finding.effect.value <= finding.effect.high
    if finding.p_value is not None:
        assert finding.p_value <= finding.q_value <= 0.01


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_is_quiet_without_a_fault(name):
    """On a calm hour it finds nothing; asked for all, it says ok or nothing at all."""
    assert judge(view_of(None), [CHECKS[name]]) == []
    assert {finding.state for finding in judge(view_of(None), [CHECKS[name]], every=True)} <= {"ok"}


@pytest.mark.parametrize("name", FAULTS)
def test_the_faulty_feature_is_found_by_all_checks_together(name):
    """With every check at work the fault is still found by its own, and no untouched input is blamed."""
    planted = FAULTS[name]
    findings = judge(view_of(planted))
    assert (planted.check, planted.feature) in {(finding.check, finding.feature) for finding in findings}
    touched = {planted.feature, planted.also, "@score", "@label", "@margin"}
    assert {finding.feature for finding in findings} <= touched | {None}


@pytest.mark.parametrize("factor", [1000, 0.001, 60])
def test_a_unit_far_outside_of_the_range_is_named(factor):
    """Bins of whole decades beyond either end tell a factor of 1,000 from one of 60."""
    findings = judge(view_of(Planted("", "amount", (), put("amount", lambda value: factor * value))))
    named = {finding.observed for finding in findings if finding.check == "unit_change"}
    assert [factor] == [pytest.approx(value) for value in named]


def test_saturated_answers_are_found_where_the_mean_hardly_moves():
    """Answers without a doubt, in one of twenty requests: their share says it, with the bins that show it."""
    planted = Planted("", "@margin", (), put("@score", 1.0, every(20)))
    findings = judge(view_of(planted), [CHECKS["confidence"]])
    (finding,) = [finding for finding in findings if "saturated" in finding.message]
    assert "5% of answers are saturated, with a margin of 0.999 or more before the next class (0% expected)" in finding.message
    assert finding.evidence["query"] == {"kind": "bin", "feature": "@margin", "values": ["@margin:22", "@margin:23", "@margin:24"]}


def test_a_factor_between_two_units_is_not_named():
    """Five is no unit: the number has drifted, and no unit is blamed."""
    findings = judge(view_of(Planted("", "amount", (), put("amount", lambda value: 5 * value))))
    assert "numeric_drift" in {finding.check for finding in findings}
    assert "unit_change" not in {finding.check for finding in findings}


def hours_of(empty=()):
    """Three days of hours with events but in some."""
    return [
        WindowProfile(CARD.model, CARD.ruler.hash, past.window) if k in empty else past
        for k, past in enumerate(HISTORY)
    ]


def empty_hour(now=HOURS):
    return WindowProfile(CARD.model, CARD.ruler.hash, Window(START + now * HOUR, START + (now + 1) * HOUR))


def silent(history) -> list[Any]:
    """What is said of an hour without events."""
    for k, past in enumerate(history):
        past.window = Window(START + k * HOUR, START + (k + 1) * HOUR)
    book = History(CARD, [*history, empty_hour()])
    return judge(View(CARD, book, past=(0, HOURS), now=(HOURS, HOURS + 1)), [CHECKS["no_data"]])


def test_no_data_fires_where_there_always_was_some():
    """An hour without any event, after three days with hundreds in each, is critical and says how many were expected."""
    (finding,) = silent(hours_of())
    assert (finding.check, finding.state, finding.severity, finding.n) == ("no_data", "alert", "critical", 0)
    assert "no prediction arrived since 2026-03-05 00:00 UTC, where about 300 were expected" in finding.message


def test_no_data_is_unknown_where_nights_are_empty():
    """An hour that is always empty is no alarm, and nothing is said to be ok either."""
    (finding,) = silent(hours_of(empty=(0, 24, 48)))
    assert (finding.state, finding.severity) == ("unknown", "info")


def test_no_data_is_silent_while_data_comes():
    """An hour with events is the other checks' business."""
    assert list(CHECKS["no_data"](view_of(None))) == []


@pytest.mark.parametrize("name", ["missing", "vanished", "unseen_category", "type_change", "range"])
def test_what_needs_no_variance_is_judged_from_the_first_hour(name):
    """Without any history what training never had is found by the card alone."""
    gone = {"missing": ("amount", None), "vanished": ("amount", None), "range": ("age", 4000.0)}
    feature, value = gone.get(name, ("carrier", "ua") if name == "unseen_category" else ("amount", "12"))
    planted = Planted(name, feature, (), put(feature, value, every(1 if name == "vanished" else 2)))
    view = view_of(planted, history=[])
    assert view.learning
    assert feature in {finding.feature for finding in judge(view, [CHECKS[name]])}


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_copes_with_an_hour_of_one_event(name):
    """One event is no ground for any alarm of a rate, a shift or a unit."""
    data = {column: values[:1] for column, values in frame(HOURS).items()}
    current = profile(data, CARD, time="time")
    book = History(CARD, [*HISTORY, current])
    (said,) = judge(View(CARD, book, past=(0, HOURS), now=(HOURS, HOURS + 1), others=[OTHER]), [CHECKS[name]])
    assert (said.check, said.state) == ("few_events", "unknown")
    assert "only 1 event: checks that compare need 20" in said.message


def test_all_checks_are_the_modules_of_the_folder():
    """Every module without an underscore is a check, named as its file is; no list has to be kept."""
    modules = [m.name for m in pkgutil.iter_modules(watchers.checks.__path__) if not m.name.startswith("_")]
    assert sorted(CHECKS) == sorted(modules)
    for name in modules:
        module = importlib.import_module(f"watchers.checks.{name}")
        assert isinstance(module, ModuleType)
        assert "Runbook:" in (module.__doc__ or "")
        assert isinstance(module.check, FunctionCheck)


def test_a_new_file_is_a_new_check(tmp_path, monkeypatch):
    """A file put into the folder of checks is found and run without being listed anywhere."""
    (tmp_path / "always.py").write_text(
        '''"""Always alarms."""
from watchers.check import FunctionCheck, Tests

def _run(view):
    finding = view.finding("always", feature="amount", n=view.n, message="always")
    return [Tests(facts=[finding])]

check = FunctionCheck("always", _run, immediate=True)
'''
    )
    monkeypatch.setattr(watchers.checks, "__path__", [*watchers.checks.__path__, str(tmp_path)])
    all_checks.cache_clear()
    try:
        assert "always" in {check.name for check in all_checks()}
        findings = judge(view_of(None))
        assert [(finding.check, finding.feature, finding.state) for finding in findings] == [
            ("always", "amount", "alert")
        ]
    finally:
        all_checks.cache_clear()


def test_a_value_that_some_hours_say_alone_is_not_stuck():
    """What was said by all in one window of history may be said by all again."""
    history = list(HISTORY)
    data = frame(0)
    put("carrier", "DL")(data)
    quiet = profile(data, CARD, time="time")
    quiet.window, quiet.names = HISTORY[30].window, HISTORY[30].names
    history[30] = quiet
    planted = FAULTS["stuck-category"]
    assert judge(view_of(planted, history=history), [CHECKS["stuck"]]) == []


def test_hours_of_an_incident_do_not_teach_what_is_stuck():
    """While an incident lasts, its hours are no reason to find a value usual."""
    planted = FAULTS["stuck"]
    history = list(HISTORY)
    for k in (70, 71):
        data = frame(k)
        planted.change(data)
        stuck = profile(data, CARD, time="time")
        stuck.window, stuck.names = HISTORY[k].window, HISTORY[k].names
        history[k] = stuck
    view = view_of(planted, history=history)
    assert judge(view, [CHECKS["stuck"]]) == []
    view = view_of(planted, history=history)
    view.spans = [(frozenset({"age"}), START + 70 * HOUR, None)]
    assert [finding.feature for finding in judge(view, [CHECKS["stuck"]])] == ["age"]


def test_a_feature_that_comes_again_has_appeared():
    """Missing in all of history and there now: the model sees what it hadn't seen."""
    history = []
    for hour in range(HOURS):
        data = frame(hour)
        data.pop("age")
        past = profile(data, CARD, time="time")
        past.window, past.names = HISTORY[hour].window, HISTORY[hour].names
        history.append(past)
    (finding,) = judge(view_of(None, history=history), [CHECKS["appeared"]])
    assert (finding.feature, finding.severity) == ("age", "warning")
    assert "`age` has appeared in 9" in finding.message


@pytest.mark.parametrize(
    ("edges", "counts", "target", "shares"),
    [
        ((0.0, 1.0), (0, 4, 0), (0.0, 0.5, 1.0), (0, 0.5, 0.5, 0)),
        ((0.0, 10.0, 20.0), (0, 1, 3, 0), (5.0, 15.0), (0.125, 0.5, 0.375)),
        ((0.0, 1.0), (0, 4, 0), (100.0,), (1, 0)),
    ],
)
def test_shares_elsewhere(edges, counts, target, shares):
    """Values are spread evenly in their bin, and none is lost."""
    one, other = (Feature(name, "number", edges=part) for name, part in (("a", edges), ("b", target)))
    assert shares_elsewhere(one, np.array(counts, dtype=float), other) == pytest.approx(shares)


def test_two_that_broke_at_once_are_no_swap():
    """Each says partly what the other used to say, and partly what neither ever did: two faults, not one."""

    def broken(data):
        age, amount = data["age"], data["amount"]
        data["age"] = [value if k % 3 else 400.0 for k, value in enumerate(amount)]
        data["amount"] = [value if k % 3 else 1e6 for k, value in enumerate(age)]

    found = judge(view_of(Planted("swapped", "age", (), broken, n=1000)))
    assert {"age", "amount"} <= {finding.feature for finding in found}
    assert "swapped" not in {finding.check for finding in found}


def test_an_answer_that_is_no_number_is_an_answer():
    """A score that can't be counted with is one check's business, and no score that is missing."""
    view = view_of(FAULTS["numeric_stability"])
    found = judge(view, [CHECKS["numeric_stability"], CHECKS["unanswered"]])
    assert [(finding.check, finding.feature) for finding in found] == [("numeric_stability", "@score")]


def failing(past, failed):
    """The same window with so many failures by origin."""
    cells = {key: counted.copy() for key, counted in past.cells.items()}
    position = CARD.ruler.index["", "failure", ""]
    for (_, segment), counted in cells.items():
        counted[position] = sum(failed.values()) if segment == ALL else failed.get(segment[1], 0)
    return replace(past, cells=cells)


def test_failures_of_one_origin_are_found_among_those_of_another():
    """While one origin's calls always fail now and then, another's that never did are found in its segment alone."""
    rng = np.random.default_rng(3)
    history = [failing(past, {"EWR": int(rng.integers(5, 40))}) for past in HISTORY]
    current = failing(HISTORY[0], {"LGA": 15})
    current.window = Window(START + HOURS * HOUR, START + (HOURS + 1) * HOUR)
    book = History(CARD, [*history, current])
    (finding,) = judge(View(CARD, book, past=(0, HOURS), now=(HOURS, HOURS + 1)), [CHECKS["failures"]])
    assert (finding.segment, finding.evidence["concentrated"]) == ({"origin": "LGA"}, False)
    assert "% of calls fail (0% expected) since 2026-03-05 00:00 UTC in origin=LGA" in finding.message


@pytest.mark.parametrize(("share", "names"), [(0.42, set()), (0.15, {"member", "returned"})])
def test_what_only_looks_a_little_more_alike_is_no_swap(share, names):
    """Two opposite words that both fade past the middle are two faults; that end where the other was, a swap."""

    def words(flags):
        return np.where(flags, "yes", "no").tolist()

    def hour(k, usual):
        ranks = np.random.default_rng([5, k]).permuted(np.tile(np.arange(1000), (2, 1)), axis=1)
        member, returned = ranks[0] < 1000 * usual, ranks[1] >= 1000 * usual
        made = profile({"member": words(member), "returned": words(returned)}, card)
        made.window = Window(START + k * HOUR, START + (k + 1) * HOUR)
        return made

    flags = np.arange(1000) < 850
    card = ModelCard.from_frame({"member": words(flags), "returned": words(~flags)}, "m", "1")
    book = History(card, [*(hour(k, 0.85) for k in range(48)), hour(48, share)])
    found = judge(View(card, book, past=(0, 48), now=(48, 49)), [CHECKS["swapped"]])
    assert {finding.feature for finding in found} == names
