"""The decorator."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from support.hostile import HOSTILE

import mllog
from mllog import context
from mllog.integrations.streams import CHARACTER_LIMIT, ITEM_LIMIT, Items
from mllog.testing import Captured, assert_valid, capture_events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ROW = {"distance": 500.0, "carrier": "UA"}


class Flight(BaseModel):
    """A request's body."""

    distance: float
    carrier: str


@dataclass
class Plain:
    distance: float
    carrier: str


def inputs(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for kind in event["ml"]["inputs"].values() for name, value in kind.items()}


@pytest.mark.parametrize("flight", [ROW, Flight(**ROW), Plain(**ROW)], ids=["dict", "pydantic", "dataclass"])  # type: ignore[arg-type]
def test_the_only_argument_with_named_values_holds_the_inputs(captured: Captured, flight: Any) -> None:
    """Alone, or beside plain values (inputs too) and other things (which are none)."""

    @captured.log.monitor
    def predict(flight: Any, threshold: float = 0.5, connection: Any = None) -> float:
        return threshold

    assert predict(flight) == 0.5
    assert predict(flight, threshold=0.7) == 0.7
    assert predict(flight, 0.7, object()) == 0.7
    first, second, third = map(inputs, captured.predictions())
    assert first == ROW
    assert second == third == {**ROW, "threshold": 0.7}


def test_else_the_arguments_by_name_are_the_inputs(captured: Captured) -> None:
    """With the defaults of those that weren't passed, and those of ``**kwargs`` under their own names."""

    @captured.log.monitor
    def predict(distance: float, /, carrier: str = "UA", *rest: int, night: bool = False, **more: Any) -> float:
        return 0.5

    predict(1.0)
    predict(1.0, "AA", 7, 8, night=True, hour=3)

    @captured.log.monitor
    def of_names(**features: Any) -> float:
        return 0.5

    of_names(a=1, b="x")
    first, second, third = map(inputs, captured.predictions())
    assert first == {"distance": 1.0, "carrier": "UA", "night": False, "rest": []}
    assert second == {"distance": 1.0, "carrier": "AA", "night": True, "rest": [7, 8], "hour": 3}
    assert third == {"a": 1, "b": "x"}


def test_id_user_and_inputs_are_named_or_computed(captured: Captured) -> None:
    """By the name of an argument, which then is no input, or by a function of the call's arguments."""

    @captured.log.monitor(id="request_id", user="who", inputs="flight")
    def named(flight: Any, settings: dict[str, Any], request_id: str, who: str = "nobody") -> float:
        return 0.5

    @captured.log.monitor(id=lambda body: body["id"], user=lambda body: body["nothing"], inputs=lambda body: body["x"])
    def computed(body: dict[str, Any]) -> float:
        return 0.5

    @captured.log.monitor(id="request_id")
    def partly(distance: float, request_id: str) -> float:
        return distance

    named(ROW, {"a": 1}, "p1")
    computed({"id": "p2", "x": ROW})
    partly(1.0, "p3")
    events = captured.predictions()
    assert [event["ml"]["prediction_id"] for event in events] == ["p1", "p2", "p3"]
    assert [inputs(event) for event in events] == [ROW, ROW, {"distance": 1.0}]
    assert events[0]["user"] == {"id": "nobody"}
    assert "user" not in events[1]
    assert captured.log.status().rejected == 0


class _Model:
    """A model as a class, which a decorator has to leave one."""

    def __init__(self, row: dict[str, float]) -> None:
        self.row = row


@pytest.mark.parametrize("option", ["id", "user", "inputs"])
def test_an_argument_that_is_not_there_is_refused(captured: Captured, option: str) -> None:
    """While decorating, with the names that there are."""
    with pytest.raises(mllog.SettingError, match=f"{option} 'nothing'.*flight") as caught:
        captured.log.monitor(**{option: "nothing"})(lambda flight: flight)  # type: ignore[call-overload]
    assert (caught.value.field, caught.value.value) == (option, "nothing")
    with pytest.raises(mllog.SettingError, match=f"{option} 5: give the name of an argument") as caught:
        captured.log.monitor(**{option: 5})(lambda flight: flight)  # type: ignore[call-overload]
    assert (caught.value.field, caught.value.value) == (option, 5)
    with pytest.raises(mllog.SettingError, match="give a function"):
        captured.log.monitor(5)  # type: ignore[call-overload]
    with pytest.raises(mllog.SettingError, match="_Model'>: give a function; of a class, one of its methods") as caught:
        captured.log.monitor(_Model)
    assert (caught.value.field, caught.value.value) == ("function", _Model)
    with pytest.raises(mllog.SettingError, match="nobody knows its arguments; put a function of your own around it"):
        captured.log.monitor(max)


def test_everything_that_can_be_called(captured: Captured) -> None:
    """Methods of each kind in either order, partials, lambdas and objects with ``__call__``."""
    log = captured.log

    class Model:
        @log.monitor
        def method(self, a: float) -> float:
            return a

        @classmethod
        @log.monitor
        def of_class(cls, a: float) -> float:
            assert cls is Model
            return a

        @log.monitor
        @classmethod
        def of_class_outside(cls, a: float) -> float:
            assert cls is Model
            return a

        @staticmethod
        @log.monitor
        def static(a: float) -> float:
            return a

        @log.monitor  # type: ignore[arg-type]
        @staticmethod
        def static_outside(a: float) -> float:
            return a

        def __call__(self, a: float) -> float:
            return a

    class Async:
        async def __call__(self, a: float) -> float:
            return a

    def scaled(factor: float, a: float) -> float:
        return factor * a

    model = Model()
    calls: list[Callable[[float], Any]] = [
        model.method,
        Model.of_class,
        model.of_class_outside,
        Model.static,
        model.static_outside,
        log.monitor(model),
        log.monitor(model.method.__wrapped__.__get__(model)),  # type: ignore[attr-defined]
        log.monitor(lambda a: a),
        log.monitor(functools.partial(scaled, 1.0)),
    ]
    for call in calls:
        assert call(0.25) == 0.25
    assert asyncio.run(log.monitor(Async())(0.25)) == 0.25
    assert [inputs(event)["a"] for event in captured.predictions()] == [0.25] * 10
    assert [event["ml"]["outputs"]["score"] for event in captured.predictions()] == [0.25] * 10


with capture_events() as _module:

    @_module.log.monitor
    def documented(flight: dict[str, float], threshold: float = 0.5) -> float:
        """What it does."""
        return threshold


def test_a_decorated_function_stays_what_it_was() -> None:
    """Name, signature and docstring are kept, it is pickled by name, and its kind can still be seen."""
    assert (documented.__name__, documented.__doc__) == ("documented", "What it does.")
    assert list(inspect.signature(documented).parameters) == ["flight", "threshold"]
    with capture_events() as captured:
        monitor = captured.log.monitor

        async def awaited() -> None: ...
        def streamed() -> Iterator[int]:
            yield 1

        async def streamed_async() -> AsyncIterator[int]:
            yield 1

        assert inspect.iscoroutinefunction(monitor(awaited))
        assert inspect.isgeneratorfunction(monitor(streamed))
        assert inspect.isasyncgenfunction(monitor(streamed_async))


def test_a_decorated_function_is_pickled_by_name(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As any function is: worker processes import it, logger and all."""
    (tmp_path / "decorated_model.py").write_text(
        "import mllog\nlog = mllog.ModelLogger('m', version='1', sink='stdout:')\n"
        "@log.monitor\ndef predict(row):\n    return 0.5\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import decorated_model  # type: ignore[import-not-found]

    assert pickle.loads(pickle.dumps(decorated_model.predict)) is decorated_model.predict
    decorated_model.log.close()


# Streams


def test_a_stream_is_one_event_when_it_is_over() -> None:
    """Nothing happens before it is asked for, latency lasts until it is exhausted, and texts are joined."""
    now = [0]
    with capture_events(clock=lambda: now[0]) as captured:

        @captured.log.monitor
        def answer(question: str) -> Iterator[str]:
            for word in ("it ", "is ", question):
                now[0] += 1_000_000
                yield word

        stream = answer("late")
        assert captured.predictions() == []
        now[0] = 5_000_000
        assert next(stream) == "it "
        assert captured.predictions() == []
        assert list(stream) == ["is ", "late"]
        (event,) = captured.predictions()
    assert event["ml"]["outputs"] == {"label": "it is late"}
    assert event["event"]["duration"] == 3_000_000
    assert event["event"]["outcome"] == "success"
    assert event["ml"]["inputs"] == {"keyword": {"question": "late"}}


@pytest.mark.parametrize(
    ("end", "outcome", "error"),
    [("closed", "unknown", None), ("dropped", "unknown", None), ("raised", "failure", "ValueError")],
)
def test_a_stream_that_ends_early(captured: Captured, end: str, outcome: str, error: str | None) -> None:
    """Closed by whoever read it, forgotten, or failed: the event has what came until then."""

    @captured.log.monitor
    def answer() -> Iterator[str]:
        yield "it is"
        if end == "raised":
            raise ValueError("bad")
        yield " late"

    stream = answer()
    next(stream)
    if end == "closed":
        stream.close()  # type: ignore[attr-defined]
    elif end == "dropped":
        del stream
        gc.collect()
    else:
        with pytest.raises(ValueError, match="bad"):
            next(stream)
    (event,) = captured.predictions()
    assert event["ml"]["outputs"] == {"label": "it is"}
    assert event["event"]["outcome"] == outcome
    assert event.get("error", {}).get("type") == error


def test_async_streams(captured: Captured) -> None:
    """Exhausted, closed early, and cancelled while waiting."""

    @captured.log.monitor
    async def answer(n: int) -> AsyncIterator[int]:
        for k in range(n):
            await asyncio.sleep(0 if k < 2 else 30)
            yield k

    async def main() -> None:
        assert [k async for k in answer(2)] == [0, 1]
        stream = answer(5)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]

        async def consume() -> None:
            async for _ in answer(5):
                pass

        task = asyncio.create_task(consume())
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    events = captured.predictions()
    assert [event["event"]["outcome"] for event in events] == ["success", "unknown", "unknown"]
    assert [event["ml"]["outputs"]["other"]["output"] for event in events[::2]] == [[0, 1], [0, 1]]
    assert events[1]["ml"]["outputs"] == {"value": 0.0, "score": 0.0}
    assert events[2]["error"]["type"] == "CancelledError"


@pytest.mark.parametrize("chunks", [["a", "é"], [b"a\xc3", b"\xa9"], ["a", b"\xc3\xa9"]])
def test_texts_and_bytes_are_joined(chunks: list[Any]) -> None:
    """A letter that was cut in two by a chunk's end is whole again."""
    items = Items()
    for chunk in chunks:
        items.add(chunk)
    assert items.output() == "aé"


def test_what_is_kept_of_a_stream_is_bounded() -> None:
    """A long text ends in a mark with the hash of all of it, a long list in a mark with the number of the others."""
    texts, lists = Items(), Items()
    for k in range(5000):
        texts.add("word ")
        lists.add({"k": k})
    text, listed = texts.output(), lists.output()
    assert text[:CHARACTER_LIMIT] == ("word " * 5000)[:CHARACTER_LIMIT]
    assert text[CHARACTER_LIMIT:].startswith("… #")
    assert len(text) <= mllog.values.TEXT_LIMIT
    assert listed == [*({"k": k} for k in range(ITEM_LIMIT)), "… 4900 more"]
    texts.add("other")
    assert texts.output() != text


def test_items_are_kept_as_they_were(captured: Captured) -> None:
    """What whoever reads the stream does with an item isn't logged; a stream that turns from texts is a list."""

    @captured.log.monitor
    def answer() -> Iterator[Any]:
        yield "begin"
        yield {"k": 1}

    for item in answer():
        if isinstance(item, dict):
            item["k"] = 2
    assert captured.predictions()[0]["ml"]["outputs"]["other"]["output"] == ["begin", {"k": 1}]


def test_a_stream_keeps_the_request_that_it_began_in(captured: Captured) -> None:
    """The event of a streaming answer has the context of its first piece, wherever the last one is read."""

    @captured.log.monitor
    def answer() -> Iterator[int]:
        yield 1
        yield 2

    with context.bind(trace={"id": "t"}):
        stream = answer()
        next(stream)
    assert list(stream) == [2]
    captured.log.prediction({"a": 1})
    first, second = captured.predictions()
    assert first["trace"] == {"id": "t"}
    assert "trace" not in second


class OddError(Exception):
    pass


def script(steps: list[str]) -> Iterator[Any]:
    """A generator that answers what is done to it in the ways that a list says."""
    seen: list[str] = []
    for step in steps:
        try:
            got = yield (step, list(seen))
            seen.append(f"got {got!r}")
        except OddError as error:
            seen.append(f"caught {error}")
            if step == "reraise":
                raise
            if step == "other":
                raise KeyError("other") from error
            if step == "return":
                return "early"
        except GeneratorExit:
            if step == "ignore":
                yield "ignored"
            if step == "return":
                return "closed"
            raise
        except StopIteration:
            if step == "reraise":
                raise
    if steps and steps[-1] == "fail":
        raise OddError("end")
    return "done"


async def script_async(steps: list[str]) -> AsyncIterator[Any]:
    """The same, asynchronous."""
    seen: list[str] = []
    for step in steps:
        await asyncio.sleep(0)
        try:
            got = yield (step, list(seen))
            seen.append(f"got {got!r}")
        except OddError as error:
            seen.append(f"caught {error}")
            if step == "reraise":
                raise
            if step == "other":
                raise KeyError("other") from error
            if step == "return":
                return
        except GeneratorExit:
            if step == "ignore":
                yield "ignored"
            raise
        except StopAsyncIteration:
            if step == "reraise":
                raise
    if steps and steps[-1] == "fail":
        raise OddError("end")


STEPS = st.lists(st.sampled_from(["go", "reraise", "other", "return", "ignore", "fail"]), max_size=5)
DRIVES = st.lists(
    st.sampled_from(["next", "send", "throw", "throw stop", "throw exit", "close"]), min_size=1, max_size=8
)


def described(error: BaseException) -> tuple[Any, ...]:
    cause = error.__cause__ or error.__context__
    value = error.value if isinstance(error, StopIteration) else str(error)
    return (type(error).__name__, value, None if cause is None else (type(cause).__name__, str(cause)))


def drive(generator: Any, how: list[str]) -> list[Any]:
    """What a generator answers."""
    answers: list[Any] = []
    for step in [*how, *["close"] * 7]:
        try:
            if step == "next":
                answers.append(next(generator))
            elif step == "send":
                answers.append(generator.send(len(answers)))
            elif step == "close":
                answers.append(("closed", generator.close()))
            else:
                thrown = {"throw": OddError("x"), "throw stop": StopIteration("s"), "throw exit": GeneratorExit()}[step]
                answers.append(generator.throw(thrown))
        except BaseException as error:  # noqa: BLE001 - all of them are answers
            answers.append(described(error))
    return answers


async def drive_async(generator: Any, how: list[str]) -> list[Any]:
    """What an asynchronous generator answers."""
    answers: list[Any] = []
    for step in [*how, *["close"] * 7]:
        try:
            if step == "next":
                answers.append(await anext(generator))
            elif step == "send":
                answers.append(await generator.asend(len(answers)))
            elif step == "close":
                answers.append(("closed", await generator.aclose()))
            else:
                thrown = {"throw": OddError("x"), "throw stop": StopAsyncIteration("s"), "throw exit": GeneratorExit()}[
                    step
                ]
                answers.append(await generator.athrow(thrown))
        except BaseException as error:  # noqa: BLE001
            answers.append(described(error))
    return answers


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, how=DRIVES)
def test_a_monitored_generator_behaves_as_it_did(steps: list[str], how: list[str]) -> None:
    """Whatever is sent, thrown or closed, in any order: the same values, exceptions, causes and returned value."""
    with capture_events() as captured:
        assert drive(captured.log.monitor(script)(steps), how) == drive(script(steps), how)
        assert captured.log.status().rejected == 0


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, how=DRIVES)
def test_a_monitored_async_generator_behaves_as_it_did(steps: list[str], how: list[str]) -> None:
    """The same of the asynchronous kind."""
    with capture_events() as captured:
        monitored = captured.log.monitor(script_async)

        async def both() -> tuple[list[Any], list[Any]]:
            first = monitored(steps)
            second = script_async(steps)
            return await drive_async(first, how), await drive_async(second, how)

        first, second = asyncio.run(both())
        assert first == second
        assert captured.log.status().rejected == 0


class Store(Mapping[str, Any]):
    """A mapping whose values come from somewhere that is down."""

    def __getitem__(self, key: str) -> Any:
        raise TimeoutError("feature store")

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


def of_features(features: Any, threshold: float = 0.5) -> float:
    return threshold


def of_named(threshold: float, **features: Any) -> float:
    return threshold


@pytest.mark.parametrize("number", range(len(HOSTILE) + 1))  # pytest looks at its parameters, which these don't stand
def test_arguments_that_raise_raise_nowhere_else(captured: Captured, number: int) -> None:
    """A model that copes with its arguments goes on undisturbed, and its calls are events."""
    odd: Any = (Store, *HOSTILE)[number]()
    one, other = captured.log.monitor(of_features), captured.log.monitor(of_named)
    assert [one(odd), one(odd, 0.7), one({"a": odd}, 0.7)] == [0.5, 0.7, 0.7]
    assert [other(0.7, a=odd), other(0.7, a=odd, b=odd)] == [0.7, 0.7]

    @captured.log.monitor
    def stream(features: Any, threshold: float) -> Iterator[Any]:
        yield "text"
        yield odd
        yield "text"

    assert [item is odd for item in stream(odd, 0.7)] == [False, True, False]
    assert captured.log.status().rejected == 0
    events = captured.predictions()
    assert_valid(events)
    assert len(events) == 6
    assert all("threshold" in inputs(event) for event in events[1:])


def test_inputs_that_cannot_be_read_are_marked(captured: Captured) -> None:
    """Beside plain values or not, the event names what there is nothing of."""
    predict = captured.log.monitor(of_features)
    predict(Store())
    predict(Store(), 0.7)
    first, second = captured.predictions()
    assert first["ml"]["replaced"] == ["@inputs"]
    assert second["ml"]["replaced"] == ["features"]
    assert second["ml"]["inputs"]["number"] == {"threshold": 0.7}


def test_marks_of_inputs_survive_a_threshold(captured: Captured) -> None:
    """What is written of an object with named values is the same where a plain value stands beside it."""
    predict = captured.log.monitor(of_features)
    for features in (Plain(2**70, "x" * 9000), MappingProxyType({"distance": 2**70, "carrier": "x" * 9000})):  # type: ignore[arg-type]
        captured.log.prediction(features)
        predict(features, 0.7)
        direct, beside = captured.predictions()[-2:]
        assert inputs(beside) == {**inputs(direct), "threshold": 0.7}
        for mark in ("truncated", "replaced"):
            assert beside["ml"][mark] == direct["ml"][mark]


def test_a_warning_holds_no_value_of_the_call(captured: Captured, caplog: pytest.LogCaptureFixture) -> None:
    """What computes an id may fail with what it was given: only the kind of failure is logged."""
    captured.log.monitor(lambda row: 0.5, id=lambda row: int(row["customer"]))({"customer": "C-SECRET"})
    assert "id= of a monitored call failed: ValueError" in caplog.text
    assert "SECRET" not in caplog.text


def test_exceptions_that_lie_about_their_class_go_on(captured: Captured) -> None:
    """The exception of the model reaches its caller, whatever it does when it is looked at."""

    class Lying(Exception):  # noqa: N818 - hostile names too
        @property
        def __class__(self) -> Any:  # type: ignore[override]
            raise RuntimeError("no")

    @captured.log.monitor
    def predict(row: Any) -> float:
        raise Lying

    with pytest.raises(Lying):
        predict({"a": 1})
    (event,) = captured.predictions()
    assert event["event"]["outcome"] == "failure"
