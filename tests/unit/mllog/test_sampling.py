from __future__ import annotations

import logging
import math
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mllog
from mllog import context
from mllog.delivery.sinks import MemorySink
from mllog.environment import Manifest
from mllog.errors import SettingError
from mllog.events import Record
from mllog.sampling import RULES, Sampler, resolve
from mllog.testing import capture_events

if TYPE_CHECKING:
    from collections.abc import Iterator


def record(output: Any = None, *, action: str = "predict", kind: Any = "prediction", **fields: Any) -> Record:
    """A prediction as a logger would have made it."""
    made = Record(kind, action, 0, "id", 0)
    made.output = output
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def kept(sampler: Sampler, *args: Any, **fields: Any) -> tuple[str | None, float] | None:
    """Sample and weight of a record, ``None`` where it isn't kept."""
    made = record(*args, **fields)
    return (made.sample, made.weight) if sampler.keep(made) else None


def never(**options: Any) -> Sampler:
    """A sampler whose draw keeps next to nothing, so that only rules do."""
    return Sampler(mllog.Sampling(rate=1e-12, **options))


def test_a_rate_alone_keeps_the_rules() -> None:
    """A share is a sampling with all rules; text from the environment is a share too."""
    assert resolve(0.25) == resolve("0.25") == mllog.Sampling(rate=0.25)
    assert mllog.Sampling().always == RULES
    given = mllog.Sampling(rate=0.5, always=())
    assert resolve(given) is given


@pytest.mark.parametrize(
    ("options", "field"),
    [({"rate": 0}, "rate"), ({"rate": 1.5}, "rate"), ({"rate": "x"}, "rate"), ({"rate": math.nan}, "rate"), ({"rate": True}, "rate"),
     ({"always": "failure"}, "always"), ({"always": ("failures",)}, "always"), ({"always": None}, "always"),
     ({"always": 5}, "always"), ({"always": ([],)}, "always"), ({"seed": [1]}, "seed"), ({"rare_share": 0.0001}, "rare_share"),
     ({"rare_share": 2}, "rare_share"), ({"uncertain": -0.1}, "uncertain"), ({"uncertain": None}, "uncertain"), ({"keep": 5}, "keep")],
)  # fmt: skip
def test_impossible_settings_are_told(options: dict[str, Any], field: str) -> None:
    """Each impossible value is an error with its name, itself and what to write."""
    with pytest.raises(SettingError, match=rf"sampling\.{field} .*: write") as caught:
        mllog.Sampling(**options)
    assert caught.value.field == f"sampling.{field}"
    assert caught.value.value is options[field]


def test_missing_ids_are_drawn_one_by_one() -> None:
    """NaN and blank texts are no ids: predictions with such share no draw, and are no prediction's parts."""
    for missing in (float("nan"), "", " "):
        with capture_events(sampling=mllog.Sampling(rate=0.5, always=(), seed=1)) as captured:
            for _ in range(200):
                captured.log.prediction({}, 0.9, id=missing)  # type: ignore[arg-type]
            kept = captured.predictions()
        assert 60 < len(kept) < 140
        assert not any("prediction_id" in event["ml"] for event in kept)


@pytest.mark.parametrize("given", ["", "often", "0", "2", "nan", -1, None, []])
def test_impossible_rates_are_told(given: Any) -> None:
    """What is no share is told, with how to write one."""
    with pytest.raises(SettingError, match=r"sampling.*(write|mllog\.Sampling)"):
        resolve(given)


def test_the_environment_names_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLLOG_SAMPLING is a share; an argument goes before it."""
    monkeypatch.setenv("MLLOG_SAMPLING", "1e-12")
    options = {"version": "1", "environment": Manifest()}
    with mllog.ModelLogger("m", sink=MemorySink(), **options) as log:
        for _ in range(20):
            log.prediction({}, 0.9)
        assert log.status().sampled_out == 20
    with mllog.ModelLogger("m", sink=MemorySink(), sampling=1.0, **options) as log:
        log.prediction({}, 0.9)
        assert log.status().sampled_out == 0
    monkeypatch.setenv("MLLOG_SAMPLING", "2")
    with pytest.raises(SettingError):
        mllog.ModelLogger("m", version="1", sink="stdout:")


def test_what_an_event_says_of_itself() -> None:
    """The draw's events are head and stand for 1 / rate; a rule's stand for themselves, drawn or not."""
    half = Sampler(mllog.Sampling(rate=0.5, seed=3))
    assert {kept(half, 0.9) for _ in range(50)} == {None, ("head", 2.0)}
    assert {kept(half, 0.9, outcome="failure") for _ in range(50)} == {("tail", 1.0), ("head", 1.0)}
    assert kept(Sampler(mllog.Sampling()), 0.9) == ("head", 1.0)
    with capture_events(sampling=mllog.Sampling(rate=0.5, seed=3)) as captured:
        for k in range(50):
            captured.log.prediction({"k": k}, 0.9)
        captured.log.label("a", 1)
        predictions, (label,) = captured.events("prediction"), captured.events("label")
    assert 10 < len(predictions) < 40
    assert all((e["ml"]["sample"], e["ml"]["weight"]) == ("head", 2.0) for e in predictions)
    assert "sample" not in label["ml"]


def test_without_sampling_no_event_says_anything() -> None:
    """Where everything is kept there is nothing to say."""
    with capture_events() as captured:
        captured.log.prediction({}, 0.9)
        assert not {"sample", "weight"} & captured.events("prediction")[0]["ml"].keys()


def test_failures_are_kept() -> None:
    """A failed call is kept, however it is told; the rule can be left out."""
    sampler = never()
    assert kept(sampler, outcome="failure") == ("tail", 1.0)
    assert kept(sampler, error={"type": "ValueError"}) == ("tail", 1.0)
    assert kept(sampler, outcome="unknown") is None
    assert kept(never(always=("rare",)), outcome="failure") is None
    with capture_events(sampling=1e-12) as captured:
        with pytest.raises(ValueError, match="no"), captured.log.request(inputs={"a": 1}):
            raise ValueError("no")
        captured.log.prediction({"a": 2}, 0.99)
        (event,) = captured.events("prediction")
    assert event["error"]["type"] == "ValueError"


@pytest.mark.parametrize(
    ("output", "uncertain"),
    [
        (0.52, True), (0.9, False), (0, False), (1, False), (True, False), ("a", False), (None, False), (17.5, False), (math.nan, False),
        ([0.5], False), ({"score": 0.46}, True), ({"score": 0.4}, False), ({"value": 0.5}, False), ({"scores": {"a": 0.41, "b": 0.4, "c": 0.19}}, True),
        ({"scores": {"a": 0.7, "b": 0.2, "c": 0.1}, "score": 0.5}, False), ({"scores": [0.34, 0.33, 0.33]}, True), ({"scores": {"a": 0.5}}, False),
        ({"scores": {"a": "x", "b": "y"}, "score": 0.5}, True), ({"scores": {}, "score": "0.5"}, False),
    ],
)  # fmt: skip
def test_uncertain_predictions_are_kept(output: Any, uncertain: bool) -> None:
    """Where the two best classes are nearly equal, or a score is nearly a half."""
    assert (kept(never(), output) is not None) == uncertain
    assert kept(never(always=("failure", "rare")), output) is None


def test_a_regression_is_never_uncertain() -> None:
    """A number between 0 and 1 is no probability where the card says that the model is a regression."""
    card = mllog.ModelCard.from_frame({"a": [1.0, 2.0] * 60}, "m", "1", predictions=[0.5, 7.5] * 60)
    assert card.task == "regression"
    for sampling in (1e-12, None):
        with capture_events("m", card=card, sampling=sampling) as captured:
            captured.log.prediction({"a": 1.0}, 0.5)
            assert len(captured.events("prediction")) == (sampling is None)
    assert kept(Sampler(mllog.Sampling(rate=1e-12), regression=True), {"score": 0.5}) == ("tail", 1.0)


@pytest.mark.parametrize("wrap", [lambda label: label, lambda label: {"label": label, "score": 0.99}])
def test_rare_classes_are_kept(wrap: Any) -> None:
    """A class below the share is kept once enough has been seen to call it rare, and no common one is."""
    sampler = never(rare_share=0.01)
    draw = random.Random(5)
    found: dict[str, list[int]] = {"common": [], "rare": [], "usual": []}
    for k in range(20_000):
        label = draw.choices(["common", "usual", "rare"], [0.945, 0.05, 0.005])[0]
        if kept(sampler, wrap(label)):
            found[label].append(k)
    assert found["common"] == found["usual"] == []
    assert len([k for k in found["rare"] if k > 2000]) > 0.9 * 0.005 * 18_000


def test_a_new_class_is_rare() -> None:
    """The first of a class that never came before is kept, and what becomes common stops being rare."""
    sampler = never()
    for _ in range(200):
        assert kept(sampler, "old") is None
    assert kept(sampler, "new") == ("tail", 1.0)
    for _ in range(5_000):
        last = kept(sampler, "new")
    assert last is None
    assert kept(sampler, "old") is None
    for _ in range(50_000):
        kept(sampler, "new")
    assert kept(sampler, "old") is not None


def test_what_rare_remembers_is_bounded() -> None:
    """A model that answers with a new class each time fills no memory."""
    sampler = never(rare_share=0.01)
    for k in range(28_000):
        kept(sampler, f"class {k}" + "x" * 1000)
    assert sampler._classes is not None
    assert len(sampler._classes._counts) <= 10_000
    assert max(map(len, sampler._classes._counts)) <= 256


def test_numbers_are_no_classes() -> None:
    """A bare number is a score or a value; a label may be one."""
    sampler = never(always=("rare",))
    for k in range(500):
        assert kept(sampler, 0.001 * k) is None
        assert kept(sampler, {"value": k}) is None
        assert kept(sampler, [k]) is None
    assert sampler._classes is not None
    assert sampler._classes._counts == {}
    for label in (5, 5.0, True):
        kept(sampler, {"label": label})
    assert sampler._classes._counts == {"5": 2, "true": 1}


def test_a_rule_of_ones_own(caplog: pytest.LogCaptureFixture) -> None:
    """A function decides too; where it fails the event is kept, and that is said once."""
    sampler = never(keep=lambda made: made.inputs["amount"] > 1000)
    assert sampler.needs_inputs
    assert not never().needs_inputs
    assert kept(sampler, 0.9, inputs={"amount": 5000}) == ("tail", 1.0)
    assert kept(sampler, 0.9, inputs={"amount": 5}) is None
    with caplog.at_level(logging.WARNING, "mllog"):
        assert kept(sampler, 0.9, inputs={"secret": 1}) == ("tail", 1.0)
        assert kept(sampler, 0.9, inputs={}) == ("tail", 1.0)
    assert [entry.getMessage() for entry in caplog.records] == ["mllog: sampling.keep failed, such events are kept: KeyError"]


IDS = [f"order-{k}" for k in range(4000)]


def test_an_id_decides() -> None:
    """All services that see an id, and all parts of its prediction, decide alike; other ids fall otherwise."""
    def drawn(sampling: mllog.Sampling, field: str = "prediction_id") -> list[str]:
        sampler = Sampler(sampling)
        return [name for name in IDS if kept(sampler, 0.9, **{field: name})]

    quarter = drawn(mllog.Sampling(rate=0.25))
    assert quarter == drawn(mllog.Sampling(rate=0.25)) == drawn(mllog.Sampling(rate=0.25), "trace_id")
    assert abs(len(quarter) - 1000) < 4 * math.sqrt(4000 * 0.25 * 0.75)
    assert set(quarter) < set(drawn(mllog.Sampling(rate=0.5)))
    seeded = drawn(mllog.Sampling(rate=0.25, seed="other"))
    assert seeded == drawn(mllog.Sampling(rate=0.25, seed="other"))
    assert abs(len(set(quarter) & set(seeded)) - 250) < 4 * math.sqrt(4000 * 0.0625)
    assert drawn(mllog.Sampling(rate=1.0)) == IDS


def test_the_trace_of_a_request_decides() -> None:
    """Where there is no id of the prediction the trace's is used, given or bound by a middleware."""
    sampling = mllog.Sampling(rate=0.5)
    for trace in IDS[:40]:
        want = kept(Sampler(sampling), 0.9, trace_id=trace)
        assert kept(Sampler(sampling), 0.9, context={"trace": {"id": trace}}) == want
        with capture_events(sampling=sampling) as captured, context.bind(trace={"id": trace}):
            captured.log.prediction({}, 0.9)
            assert len(captured.events("prediction")) == (want is not None)


def test_another_process_decides_alike() -> None:
    """Nothing of the decision depends on the process: hashes of strings do in Python, by default."""
    code = """
import mllog
from mllog.sampling import Sampler
from mllog.events import Record
sampler = Sampler(mllog.Sampling(rate=0.25))
for k in range(200):
    record = Record("prediction", "predict", 0, "id", 0)
    record.prediction_id = f"order-{k}"
    if sampler.keep(record):
        print(record.prediction_id)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    sampler = Sampler(mllog.Sampling(rate=0.25))
    assert done.stdout.split() == [name for name in IDS[:200] if kept(sampler, 0.9, prediction_id=name)]


@given(st.text())
def test_any_id_can_be_drawn(name: str) -> None:
    """No id is too odd, and an empty one is none."""
    assert kept(Sampler(mllog.Sampling()), 0.9, prediction_id=name + "\ud800", trace_id="") == ("head", 1.0)


def test_later_parts_go_with_their_prediction() -> None:
    """Output and explanation are kept where their id was drawn, or the prediction was kept by a rule; facts always."""
    with capture_events(sampling=mllog.Sampling(rate=0.3, uncertain=0.0)) as captured:
        log = captured.log
        for name in IDS[:60]:
            log.prediction({"a": 1}, {"label": "x", "score": 0.9}, id=name, outcome="failure" if name.endswith("7") else "success")
            log.output(name, {"label": "x", "score": 0.9})
            log.explanation(name, {"a": 0.1})
            log.label(name, "x")
            log.outcome(name, 1)
            log.kpi("clicks", 1, prediction_id=name)
        events = captured.events()
        status = log.status()
    marks: dict[str, dict[str, set[Any]]] = {}
    for event in events:
        name = event["ml"].get("prediction_id")
        if name:
            actions = marks.setdefault(name, {})
            actions.setdefault(event["event"]["action"], set()).add((event["ml"].get("sample"), event["ml"].get("weight")))
    assert len(marks) == 60
    predicted = {name for name, actions in marks.items() if "predict" in actions}
    assert {name for name in IDS[:60] if name.endswith("7")} < predicted
    for name, actions in marks.items():
        assert {"label", "outcome", "kpi"} <= actions.keys()
        assert actions["label"] == {(None, None)}
        assert ("output" in actions) == ("explain" in actions) == (name in predicted)
        if name in predicted:
            assert actions["output"] == actions["explain"] == actions["predict"]
    assert status.sampled_out == 3 * (60 - len(predicted))


def test_ids_that_a_rule_kept_are_forgotten_in_time() -> None:
    """Only so many are remembered: a later part that comes very late is drawn as any other."""
    sampler = never()
    for k in range(30_001):
        kept(sampler, outcome="failure", prediction_id=f"p{k}")
    assert kept(sampler, action="output", prediction_id="p0") is None
    assert kept(sampler, action="output", prediction_id="p30000") == ("tail", 1.0)
    assert len(sampler._kept) + len(sampler._kept_before) <= 20_000


def test_a_late_output_can_be_rare() -> None:
    """Where inputs come first and the output later, rules that look at outputs judge the output's event."""
    sampler = never()
    for _ in range(300):
        kept(sampler, "old", action="output", prediction_id="a")
    assert kept(sampler, "new", action="output", prediction_id="b") == ("tail", 1.0)


def traffic(n: int, seed: int) -> Iterator[tuple[bool, Record]]:
    """Predictions of which 3 % fail, 0.5 % are of a rare class and a third have some property, more often the rare ones."""
    draw = random.Random(seed)
    for k in range(n):
        rare = draw.random() < 0.005
        failed = draw.random() < 0.03
        has = draw.random() < (0.7 if rare or failed else 0.3)
        output = {"label": "rare" if rare else "common", "score": draw.random()}
        outcome = "failure" if failed else "success"
        yield has, record(output, outcome=outcome, prediction_id=f"{seed}-{k}" if k % 2 else None)


def interval(sample: list[tuple[bool, float]]) -> tuple[float, float]:
    """95 % interval of a share from weighted draws: Hajek's ratio, its variance under Poisson sampling by linearisation.

    Särndal, Swensson and Wretman 1992, Model Assisted Survey Sampling, sections 5.6 and 5.7.
    """
    total = math.fsum(weight for _, weight in sample)
    share = math.fsum(weight for has, weight in sample if has) / total
    variance = math.fsum(weight * (weight - 1) * (has - share) ** 2 for has, weight in sample) / total**2
    half = 1.96 * math.sqrt(variance)
    return share - half, share + half


def test_weighted_rates_are_unbiased() -> None:
    """The 95 % interval of a weighted share holds the true share in 93 to 97 of 100 replays (seeds are fixed)."""
    hit = replays = 0
    errors = []
    for seed in range(600):
        sampler = Sampler(mllog.Sampling(rate=0.2, seed=seed))
        sample, truth = [], []
        for has, made in traffic(400, seed):
            truth.append(has)
            if sampler.keep(made):
                sample.append((has, made.weight))
        low, high = interval(sample)
        share = sum(truth) / len(truth)
        replays += 1
        hit += low <= share <= high
        errors.append((low + high) / 2 - share)
    assert 0.93 <= hit / replays <= 0.97
    mean = math.fsum(errors) / replays
    spread = math.sqrt(math.fsum((error - mean) ** 2 for error in errors) / (replays - 1))
    assert abs(mean) < 3 * spread / math.sqrt(replays)


def test_heads_alone_are_a_uniform_sample() -> None:
    """Of the draw's events the shares are those of the traffic without any weight, while all kept events are biased."""
    heads: list[bool] = []
    everything: list[bool] = []
    truth: list[bool] = []
    for seed in range(40):
        sampler = Sampler(mllog.Sampling(rate=0.2, seed=seed))
        for _, made in traffic(500, seed):
            failed = made.outcome == "failure"
            truth.append(failed)
            if sampler.keep(made):
                everything.append(failed)
                if made.sample == "head":
                    heads.append(failed)
    share = sum(truth) / len(truth)
    error = math.sqrt(share * (1 - share) / len(heads))
    assert abs(sum(heads) / len(heads) - share) < 3 * error
    assert sum(everything) / len(everything) > share + 10 * error


def test_batches_are_sampled() -> None:
    """Rows of a batch are drawn one by one, by their ids, as single predictions are."""
    sampling = mllog.Sampling(rate=0.3, uncertain=0.2)
    frame = {"a": list(range(80)), "id": IDS[:80]}
    outputs = [k / 80 for k in range(80)]
    with capture_events(sampling=sampling) as captured:
        returned = captured.log.batch(frame, outputs, id="id")
        found = {e["ml"]["prediction_id"]: (e["ml"]["sample"], e["ml"]["weight"]) for e in captured.events("prediction")}
        status = captured.log.status()
    sampler = Sampler(sampling)
    want = {name: kept(sampler, output, prediction_id=name) for name, output in zip(IDS[:80], outputs, strict=True)}
    assert found == {name: mark for name, mark in want.items() if mark is not None}
    assert len(returned) == 80
    assert status.sampled_out == 80 - len(found)


def test_a_rule_of_inputs_says_nothing_of_later_parts() -> None:
    """An output that comes later goes with its prediction: a rule of one's own isn't asked about what has no inputs."""
    sampling = mllog.Sampling(rate=1e-9, always=(), keep=lambda made: made.inputs["amount"] > 10)
    with capture_events(sampling=sampling) as captured:
        for k in range(20):
            captured.log.prediction({"amount": k}, id=f"p{k}")
            captured.log.output(f"p{k}", 0.5)
    kept = [event["ml"]["prediction_id"] for event in captured.events("prediction")]
    assert sorted(kept) == sorted([f"p{k}" for k in range(11, 20)] * 2)
