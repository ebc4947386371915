from __future__ import annotations

import asyncio
import copy
import datetime as dt
import os
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mllog
from mllog.card import ModelCard
from mllog.environment import Manifest
from mllog.testing import Captured, capture_events

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOON = 1_767_355_200_000_000_000
ROW = {"a": 1.5, "b": "x"}


class Clock:
    """A clock that is set by hand."""

    def __init__(self, *times: int) -> None:
        self.times = list(times)

    def __call__(self) -> int:
        return self.times.pop(0) if len(self.times) > 1 else self.times[0]


def read(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for path in sorted(folder.glob("*/*.ndjson")) for line in path.read_bytes().splitlines()]


def by_request(log: mllog.ModelLogger) -> None:
    with log.request(inputs=ROW, id="p1", trace_id="t1") as request:
        request.output = {"label": "late", "score": 0.81}


def by_async_request(log: mllog.ModelLogger) -> None:
    async def serve() -> None:
        async with log.request(inputs=ROW, id="p1", trace_id="t1") as request:
            await asyncio.sleep(0)
            request.output = {"label": "late", "score": 0.81}

    asyncio.run(serve())


CONTRACT: dict[str, tuple[Callable[[mllog.ModelLogger], object], str, str, dict[str, Any]]] = {
    "request": (by_request, "prediction", "predict", {"outputs": {"label": "late", "score": 0.81}}),
    "async request": (
        by_async_request,
        "prediction",
        "predict",
        {"outputs": {"label": "late", "score": 0.81}},
    ),
    "prediction": (
        lambda log: log.prediction(inputs=ROW, output=0.81, id="p1"),
        "prediction",
        "predict",
        {"outputs": {"value": 0.81, "score": 0.81}, "prediction_id": "p1"},
    ),
    "batch": (
        lambda log: log.batch(pd.DataFrame([ROW]), outputs=[0.5], time=None),
        "prediction",
        "predict",
        {"inputs": {"number": {"a": 1.5}, "keyword": {"b": "x"}}, "outputs": {"value": 0.5, "score": 0.5}},
    ),
    "label": (
        lambda log: log.label("p1", "late", at=None, annotator=None),
        "label",
        "label",
        {"prediction_id": "p1", "label": {"value": "late"}},
    ),
    "kpi": (
        lambda log: log.kpi("revenue", 12.3, prediction_id="p1"),
        "metric",
        "kpi",
        {"metric": {"name": "revenue", "value": 12.3}, "prediction_id": "p1"},
    ),
    "cost": (
        lambda log: log.cost("tokens", 5, unit="tokens"),
        "metric",
        "cost",
        {"metric": {"name": "tokens", "value": 5.0, "unit": "tokens"}},
    ),
    "step": (
        lambda log: log.step("join", rows_in=10, rows_out=9),
        "pipeline",
        "step",
        {"step": {"name": "join", "rows_in": 10, "rows_out": 9}},
    ),
}


@pytest.mark.parametrize("name", CONTRACT)
def test_the_public_face(captured: Captured, name: str) -> None:
    """Each way to log gives one event, of its kind, with the fields that every event has."""
    call, kind, action, expected = CONTRACT[name]
    call(captured.log)
    (event,) = captured.events(kind)  # type: ignore[arg-type]
    ml = event["ml"]
    assert expected.items() <= ml.items()
    assert ml["model"] == {"name": "model", "version": "1", "role": "champion"}
    assert ml["environment"] == Manifest(python="3").fingerprint
    assert ml["sequence"] == {"process": captured.log.status().process, "number": 2}
    dataset = f"mllog.{kind}.model" if kind in {"prediction", "label"} else f"mllog.{kind}"
    assert event["data_stream"] == {"type": "logs", "dataset": dataset, "namespace": "default"}
    assert event["event"]["dataset"] == dataset
    assert event["event"]["action"] == action
    assert event["event"]["outcome"] == "success"
    assert event["process"] == {"pid": os.getpid()}
    assert event["host"]["name"]
    assert event["ecs"]["version"]
    assert event["@timestamp"].endswith("Z")


def test_a_process_says_once_what_it_runs_on(captured: Captured) -> None:
    """The manifest is one event; predictions carry its fingerprint."""
    captured.log.prediction(ROW)
    captured.log.prediction(ROW)
    (event,) = captured.events("deployment")
    assert event["ml"]["manifest"]["python"] == "3"
    assert event["event"]["action"] == "deploy"


def test_ids_and_numbers(captured: Captured) -> None:
    """prediction() gives back the event's id; numbers have no gaps."""
    ids = [captured.log.prediction(ROW) for _ in range(10)]
    events = captured.events("prediction")
    assert [event["event"]["id"] for event in events] == ids == sorted(set(ids))
    assert [event["ml"]["sequence"]["number"] for event in events] == list(range(2, 12))


def test_a_request_that_fails() -> None:
    """The exception goes on to the caller, and its type, message and traceback into the event."""
    with capture_events(clock=Clock(NOON, NOON, NOON + 5_000_000)) as captured:
        with pytest.raises(KeyError, match="gone"), captured.log.request(inputs=ROW):
            raise KeyError("gone")
        (event,) = captured.events("prediction")
    assert event["event"]["outcome"] == "failure"
    assert event["event"]["duration"] == 5_000_000
    assert event["@timestamp"] == "2026-01-02T12:00:00.000000Z"
    assert event["error"]["type"] == "KeyError"
    assert event["error"]["message"] == "'gone'"
    assert "test_logger.py" in event["error"]["stack_trace"]


def test_cancellation_says_nothing_of_the_model(captured: Captured) -> None:
    """A task that was cancelled is neither a success nor a failure."""

    async def serve() -> None:
        with captured.log.request(inputs=ROW):
            await asyncio.sleep(10)

    async def main() -> None:
        task = asyncio.create_task(serve())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert captured.events("prediction")[0]["event"]["outcome"] == "unknown"


def test_inputs_are_those_that_came_in(captured: Captured) -> None:
    """What the model changes afterwards isn't logged, and what was passed isn't changed."""
    row = {"a": 1.0, "nested": {"list": [1, 2]}}
    before = copy.deepcopy(row)
    with captured.log.request(inputs=row):
        row["a"] = 2.0
        row["nested"]["list"].append(3)  # type: ignore[index]
    row["a"], row["nested"] = 1.0, {"list": [1, 2]}
    captured.log.prediction(row)
    assert row == before
    for event in captured.events("prediction"):
        assert event["ml"]["inputs"] == {"number": {"a": 1.0}, "other": {"nested": {"list": [1, 2]}}}


@pytest.mark.parametrize(
    "make", [pd.DataFrame, pl.DataFrame, pa.table, dict], ids=["pandas", "polars", "pyarrow", "mapping"]
)
def test_batches(captured: Captured, make: Any) -> None:
    """The same events from each kind of frame; columns of times and ids are no inputs."""
    when = [dt.datetime(2026, 1, 2, hour, tzinfo=dt.UTC) for hour in (12, 13)]
    frame = make({"n": [1.5, 2.5], "k": ["x", None], "t": when, "id": ["a", "b"]})
    ids = captured.log.batch(frame, outputs=[0.1, 0.2], time="t", id="id")
    events = captured.events("prediction")
    assert [event["event"]["id"] for event in events] == ids
    assert [event["ml"]["prediction_id"] for event in events] == ["a", "b"]
    assert [event["@timestamp"][11:13] for event in events] == ["12", "13"]
    assert [event["ml"]["outputs"]["score"] for event in events] == [0.1, 0.2]
    assert events[0]["ml"]["inputs"] == {"number": {"n": 1.5}, "keyword": {"k": "x"}}
    assert [kind for kind, names in events[1]["ml"]["missing"].items() if names == ["k"]] in (
        ["null"],
        ["nan"],
    )


@pytest.mark.parametrize(
    "outputs",
    [
        pd.DataFrame({"label": ["x", "y"], "score": [0.1, 0.2]}),
        {"label": ["x", "y"], "score": [0.1, 0.2]},
        [{"label": "x", "score": 0.1}, {"label": "y", "score": 0.2}],
    ],
    ids=["frame", "columns", "rows"],
)
def test_batches_of_outputs(captured: Captured, outputs: Any) -> None:
    """Outputs of several columns, as a frame, as columns or as rows."""
    captured.log.batch([ROW, ROW], outputs=outputs)
    assert [event["ml"]["outputs"] for event in captured.events("prediction")] == [
        {"label": "x", "score": 0.1},
        {"label": "y", "score": 0.2},
    ]


@pytest.mark.parametrize("options", [{"outputs": [1, 2]}, {"time": "none"}, {"id": "none"}])
def test_one_wrong_option_loses_no_row(
    captured: Captured, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Outputs of another number, or a column that isn't there: the inputs are logged, and a warning says what isn't."""
    assert len(captured.log.batch([ROW, ROW, ROW], **options)) == 3
    assert len(captured.events("prediction")) == 3
    assert caplog.messages


@pytest.mark.parametrize(("frame", "options"), [(5, {}), (None, {})])
def test_impossible_batches_are_counted(captured: Captured, frame: Any, options: dict[str, Any]) -> None:
    """A batch that can't be read raises nothing into model code."""
    assert captured.log.batch(frame, **options) == []
    assert captured.log.status().rejected == 1
    assert captured.events("prediction") == []


def test_monitor(captured: Captured) -> None:
    """A mapping is the inputs; else they are the arguments by name. Async functions stay async."""

    @captured.log.monitor
    def predict(features: dict[str, float]) -> float:
        return features["a"] / 10

    @captured.log.monitor
    async def predict_async(a: float, b: str = "x") -> str:
        return f"{a}{b}"

    class Service:
        @captured.log.monitor
        def answer(self, a: float) -> float:
            return a

    assert predict({"a": 5.0}) == 0.5
    assert asyncio.run(predict_async(1.0)) == "1.0x"
    assert Service().answer(0.25) == 0.25
    with pytest.raises(TypeError):
        predict()  # type: ignore[call-arg]
    first, second, third, fourth = captured.events("prediction")
    assert first["ml"]["inputs"] == {"number": {"a": 5.0}}
    assert first["ml"]["outputs"] == {"value": 0.5, "score": 0.5}
    assert second["ml"]["inputs"] == {"number": {"a": 1.0}, "keyword": {"b": "x"}}
    assert second["ml"]["outputs"] == {"label": "1.0x"}
    assert third["ml"]["inputs"] == {"number": {"a": 0.25}}
    assert fourth["event"]["outcome"] == "failure"
    assert predict.__name__ == "predict"


def test_timed_steps(captured: Captured) -> None:
    """A step around a block: duration, rows and outcome."""
    with captured.log.timed("join", rows_in=10) as step:
        step.rows_out = 9
    with pytest.raises(ValueError, match="bad"), captured.log.timed("join"):
        raise ValueError("bad")
    good, bad = captured.events("pipeline")
    assert good["ml"]["step"] == {"name": "join", "rows_in": 10, "rows_out": 9}
    assert good["event"]["duration"] >= 0
    assert bad["event"]["outcome"] == "failure"


def test_a_clock_that_goes_back() -> None:
    """Ids still grow, durations are never negative, and the step is counted."""
    with capture_events(clock=Clock(NOON, NOON, NOON - 10**12)) as captured:
        with captured.log.request(inputs=ROW):
            pass
        captured.log.prediction(ROW)
        events = captured.events("prediction")
        ids = [event["event"]["id"] for event in captured.events()]
        assert captured.log.status().clock_steps == 1
    assert ids == sorted(ids)
    assert events[0]["event"]["duration"] == 0


class Hostile:
    def __getattribute__(self, name: str) -> NoReturn:
        raise RuntimeError(name)


@pytest.mark.parametrize(
    "make",
    [
        Hostile,
        lambda: 5,
        object,
        bytes,
        list,
        lambda: "text",
        lambda: float("nan"),
        lambda: 10**400,
        lambda: "\ud800",
    ],
)
def test_nothing_raises_into_model_code(captured: Captured, make: Callable[[], Any]) -> None:
    """Whatever is passed where, the call returns; the event is there or counted."""
    thing = make()
    log = captured.log
    log.prediction(thing, thing, thing, trace_id=thing, latency=thing, time=thing)
    log.prediction({"x": thing, "y" if make is list else thing: 1}, {"score": thing, "label": thing})
    log.prediction({}, labels=thing, message=thing)
    log.label(thing, thing, at=thing, annotator=thing)
    log.kpi(thing, thing, thing, thing)
    log.cost(thing, thing)
    log.step(thing, thing, thing, duration=thing)
    log.batch(thing, thing)
    with log.request(inputs=thing, id=thing, trace_id=thing) as request:
        request.output = thing
    events = captured.events()
    status = log.status()
    assert status.queued == status.dropped == 0
    assert status.accepted == status.written + status.rejected == len(events) + status.rejected


def test_a_clock_that_raises() -> None:
    """Even the clock may fail."""

    def broken() -> int:
        raise OSError("no clock")

    with capture_events(clock=broken) as captured:
        assert captured.log.prediction(ROW) == ""
        assert captured.log.status().rejected == 2


def test_a_wrong_time_is_marked(captured: Captured) -> None:
    """An event with a time that is none has the time of the call, and says so."""
    captured.log.prediction(ROW, time="yesterday")
    assert captured.events("prediction")[0]["ml"]["replaced"] == ["@timestamp"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sink": "s3://bucket"}, mllog.PlaceError, "s3"),
        ({"sink": "elasticsearch+tcp://host"}, mllog.PlaceError, "tcp"),
        ({"spool": "waiting", "sink": "events"}, mllog.SettingError, "spool"),
        ({"spool_bytes": -1}, mllog.SettingError, "spool_bytes"),
        ({"resources": -1}, mllog.SettingError, "resources"),
        ({"sampling": 1.5}, mllog.SettingError, "sampling"),
        ({"overflow": "drop"}, mllog.SettingError, "drop_new, drop_old, block"),
        ({"role": "king"}, mllog.SettingError, "champion"),
        ({"durable": "always"}, mllog.SettingError, "each"),
        ({"max_bytes": -1}, mllog.SettingError, "above 0"),
        ({"flush_interval": "soon"}, mllog.SettingError, "above 0"),
        ({"namespace": "A-B"}, mllog.SettingError, "lower-case"),
        ({"service": {"nam": "x"}}, mllog.SettingError, "nam"),
        ({"artifact": "/no/such/file"}, mllog.SettingError, "artifact"),
        ({"model": " "}, mllog.SettingError, "model"),
        ({"model": "😀" * 129}, mllog.SettingError, "258 characters"),
    ],
)
def test_bad_arguments_say_what_to_write(options: dict[str, Any], error: type[Exception], words: str) -> None:
    """While a logger is being made, mistakes are errors with field, value and remedy."""
    with pytest.raises(error, match=words):
        mllog.ModelLogger(options.pop("model", "model"), version="1", **{"sink": "stdout:", **options})


def test_another_models_card_is_refused(card: ModelCard) -> None:
    """The error names both models."""
    with pytest.raises(mllog.CardError, match=r"'model'.*'other'"):
        mllog.ModelLogger("other", version="1", card=card, sink="stdout:")


def test_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, card: ModelCard) -> None:
    """MLLOG_* variables stand in for arguments, which win."""
    card.save(tmp_path / "card.json")
    for name, value in {
        "SINK": f"file:{tmp_path / 'events'}",
        "CARD": str(tmp_path / "card.json"),
        "SERVICE": "api",
        "SERVICE_ENVIRONMENT": "production",
        "NAMESPACE": "prod",
        "ROLE": "shadow",
    }.items():
        monkeypatch.setenv(f"MLLOG_{name}", value)
    with mllog.ModelLogger("model", version="1", role="canary") as log:
        log.prediction({"distance": 5.0})
    prediction = next(event for event in read(tmp_path / "events") if event["event"]["action"] == "predict")
    assert prediction["service"] == {"name": "api", "environment": "production"}
    assert prediction["data_stream"]["namespace"] == "prod"
    assert prediction["ml"]["model"]["role"] == "canary"
    assert prediction["ml"]["card"] == card.ruler.hash


def test_the_card_lies_beside_the_events(tmp_path: Path, card: ModelCard) -> None:
    """Whoever reads the events finds the card that measured them."""
    with mllog.ModelLogger("model", version="1", card=card, sink=tmp_path):
        pass
    assert ModelCard.load(tmp_path / "_cards" / card.file_name).ruler == card.ruler
    assert [path.name for path in (tmp_path / "_cards").iterdir()] == [card.file_name]


def test_artifacts_are_hashed(tmp_path: Path) -> None:
    """The hash of the model's file is on every event."""
    (tmp_path / "model.bin").write_bytes(b"x")
    with capture_events(artifact=tmp_path / "model.bin") as captured:
        captured.log.prediction(ROW)
        assert len(captured.events()[0]["ml"]["model"]["artifact_hash"]) == 64


def test_threads_lose_nothing(captured: Captured) -> None:
    """Four threads at once: every event once, numbers without gaps."""

    def work() -> None:
        for _ in range(500):
            captured.log.prediction(ROW)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = captured.events()
    assert sorted(event["ml"]["sequence"]["number"] for event in events) == list(range(1, 2002))
    assert len({event["event"]["id"] for event in events}) == 2001


def test_events_after_close_are_not_lost(tmp_path: Path) -> None:
    """Something else's exit handler may still log: its events are written at once."""
    log = mllog.ModelLogger("model", version="1", sink=tmp_path)
    assert log.close()
    assert log.close()
    log.prediction(ROW)
    status = log.status()
    assert (status.accepted, status.written, status.dropped) == (2, 2, 0)
    assert len(read(tmp_path)) == 2


def test_durable_each_is_on_disk_at_once(tmp_path: Path) -> None:
    """With durable="each" the event can be read when the call returns."""
    log = mllog.ModelLogger("model", version="1", sink=tmp_path, durable="each", flush_interval=60)
    log.prediction(ROW)
    assert len(read(tmp_path)) == 2
    log.close()


def test_the_polling_writer_needs_no_flush(tmp_path: Path) -> None:
    """Within the flush interval an event is on disk by itself."""
    import time

    log = mllog.ModelLogger("model", version="1", sink=tmp_path, flush_interval=0.01)
    log.prediction(ROW)
    deadline = time.monotonic() + 5
    while len(read(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(read(tmp_path)) == 2
    log.close()


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("version", None, "write the model's version"),
        ("version", "", "write the model's version"),
        ("version", " ", "write the model's version"),
        ("artifact", 5, "give the path"),
        ("artifact", b"model", "give the path"),
        ("card", {}, "give a ModelCard, or the path of one"),
        ("sink", 5, "write a place"),
        ("sink", ["a"], "write a place"),
        ("environment", 5, "give a mllog.environment.Manifest"),
        ("service", 5, "write its name, or a mapping"),
    ],
)
def test_settings_that_are_none_are_told(field: str, value: Any, remedy: str) -> None:
    """With the argument's name, its value and what to write instead."""
    with pytest.raises(mllog.SettingError, match=rf"{field} .*{remedy}") as caught:
        mllog.ModelLogger("m", **({"version": "1", "sink": "stdout:"} | {field: value}))
    assert (caught.value.field, caught.value.value) == (field, value)


def test_a_salt_of_another_type_is_told_without_showing_it() -> None:
    """Whatever was meant by it may be the secret."""
    with pytest.raises(mllog.SettingError, match="salt: give a text or bytes") as told:
        mllog.ModelLogger("model", version="1", salt=90210)  # type: ignore[arg-type]
    assert "90210" not in str(told.value)
    assert told.value.field == "salt"


@pytest.mark.parametrize("card", [None, "card"])
def test_an_integer_that_python_refuses_to_write(card: str | None) -> None:
    """An integer of more digits than Python writes costs no event, under whatever name."""
    made = None if card is None else ModelCard.from_frame({"a": [1.0, 2.0] * 20}, "model", "1")
    with capture_events(card=made) as captured:
        assert captured.log.prediction({"a": 1.0, "z": 10**5000})
    (event,) = captured.predictions()
    assert event["ml"]["replaced"] == ["z"]
    assert captured.log.status().rejected == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [({}, "success"), ({"error": KeyError("x")}, "failure"), ({"error": KeyError("x"), "outcome": "success"}, "success"),
     ({"error": KeyError("x"), "outcome": "unknown"}, "unknown"), ({"outcome": "failure"}, "failure")],
)  # fmt: skip
def test_an_error_is_a_failure_where_nobody_says_otherwise(given, said):
    """A prediction that failed counts among the failures without a word about the outcome."""
    with capture_events("shop", version="1") as captured:
        captured.log.prediction({"amount": 1}, None, **given)
    (event,) = captured.predictions()
    assert event["event"]["outcome"] == said
