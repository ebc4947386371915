"""Wrapped estimators: what goes in is never used up, many rows are logged as columns, and no answer is lost."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mllog
from mllog.integrations import matrices, pending
from mllog.integrations.pending import WHOLE_ROWS
from mllog.integrations.sklearn import LOGGED
from mllog.testing import Captured, assert_valid, capture_events

if TYPE_CHECKING:
    from collections.abc import Callable

N = 3 * WHOLE_ROWS
MATRIX = np.random.default_rng(0).normal(size=(N, 3))
FRAME = pd.DataFrame(MATRIX, columns=["a", "b", "c"])
TWO = np.where(MATRIX[:, 0] > 0, "yes", "no")
THREE = np.where(MATRIX[:, 0] > 0.5, "high", np.where(MATRIX[:, 0] < -0.5, "low", "middle"))


class Lengths:
    """An estimator that reads whatever it is given once."""

    def predict(self, rows: Any) -> list[int]:
        return [len(row) for row in rows]


ONCE: dict[str, Callable[[], Any]] = {
    "generator": lambda: (text for text in ["good", "bad"]),
    "map": lambda: map(str, ["good", "bad"]),
    "file": lambda: io.StringIO("good\nbad"),
}


@pytest.mark.parametrize("kind", ONCE)
def test_iterators_are_the_estimators(captured: Captured, kind: str) -> None:
    """It answers what it answers without us; there is an event for each answer, and its inputs are marked."""
    expected = Lengths().predict(ONCE[kind]())
    assert mllog.wrap(Lengths(), captured.log).predict(ONCE[kind]()) == expected
    events = captured.predictions()
    assert [event["ml"]["outputs"]["value"] for event in events] == expected
    assert [event["ml"]["replaced"] for event in events] == [["@inputs"], ["@inputs"]]
    assert [event["ml"]["truncated"] for event in events] == [["inputs"], ["inputs"]]


def test_a_generator_for_a_pipeline(captured: Captured) -> None:
    """A pipeline of texts takes a generator, wrapped or not; many answers are as many events."""
    texts = ["good nice", "bad awful"] * N
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, ["pos", "neg"] * N)
    assert list(mllog.wrap(model, captured.log).predict(text for text in texts)) == ["pos", "neg"] * N
    events = captured.predictions()
    assert [event["ml"]["outputs"]["label"] for event in events] == ["pos", "neg"] * N
    assert {tuple(event["ml"]["replaced"]) for event in events} == {("@inputs",)}


def test_an_iterator_and_an_estimator_that_fails(captured: Captured) -> None:
    """Nobody knows how many rows there were: one failure."""
    with pytest.raises(TypeError, match="len"):
        mllog.wrap(Lengths(), captured.log).predict(iter([5]))
    (event,) = captured.predictions()
    assert event["event"]["outcome"] == "failure"
    assert event["ml"]["replaced"] == ["@inputs"]


def told(event: dict[str, Any]) -> dict[str, Any]:
    """What an event says but for what is each event's own."""
    del event["ml"]["sequence"], event["event"]["id"]
    return event


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "two classes": lambda: LogisticRegression().fit(MATRIX, TWO),
    "flags": lambda: LogisticRegression().fit(MATRIX, MATRIX[:, 0] > 0),
    "three classes": lambda: RandomForestClassifier(5, random_state=0).fit(MATRIX, THREE),
    "two labels": lambda: RandomForestClassifier(5, random_state=0).fit(MATRIX, np.column_stack([TWO, THREE])),
    "regression": lambda: LinearRegression().fit(MATRIX, MATRIX[:, 0]),
    "two values": lambda: LinearRegression().fit(MATRIX, MATRIX[:, :2]),
}
MATRICES: dict[str, Callable[[], Any]] = {
    "numpy": lambda: MATRIX,
    "lists": MATRIX.tolist,
    "pandas": lambda: FRAME,
    "polars": lambda: pl.DataFrame(FRAME.to_dict("list")),
    "sparse": lambda: sparse.csr_matrix(MATRIX),
}


def both(model: Any, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Any], Any]) -> list[list[dict[str, Any]]]:
    """What is told of the same calls, as columns and row by row."""
    logged = []
    for least in (WHOLE_ROWS, 10 * N):
        monkeypatch.setattr(pending, "WHOLE_ROWS", least)
        with capture_events(clock=lambda: 1_767_355_200_000_000_000) as captured:
            ask(mllog.wrap(model, captured.log))
            events = captured.predictions()
            assert_valid(events)
            logged.append(list(map(told, events)))
    return logged


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_many_rows_say_what_few_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a number of rows on they are logged as columns: every event is that of the row alone."""
    model = ESTIMATORS[name]()

    def ask(wrapped: Any) -> None:
        for method in LOGGED:
            if hasattr(model, method):
                getattr(wrapped, method)(MATRIX)

    columns, rows = both(model, monkeypatch, ask)
    assert columns == rows
    assert len(columns) == N * sum(hasattr(model, method) for method in LOGGED)


@pytest.mark.parametrize("kind", MATRICES)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_many_rows_of_each_kind(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of whatever a matrix is."""
    columns, rows = both(ESTIMATORS["regression"](), monkeypatch, lambda wrapped: wrapped.predict(MATRICES[kind]()))
    assert columns == rows
    assert [list(event["ml"]["inputs"]["number"].values()) for event in columns] == MATRIX.tolist()


def test_a_large_sparse_matrix_is_read_by_the_row(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it may not fit as a dense one."""
    monkeypatch.setattr(matrices, "DENSE_VALUES", 10)
    mllog.wrap(ESTIMATORS["regression"](), captured.log).predict(sparse.csr_matrix(MATRIX))
    events = captured.predictions()
    assert [list(event["ml"]["inputs"]["number"].values()) for event in events] == MATRIX.tolist()


def test_many_rows_are_entries_of_columns(captured: Captured) -> None:
    """The encoder of single events is asked for one line of them, not for one a row."""
    line, asked = captured.log._engine._encoder.line, []

    def counted(record: Any) -> bytes:
        asked.append(record)
        return line(record)

    captured.log._engine._encoder.line = counted  # type: ignore[method-assign]
    mllog.wrap(ESTIMATORS["two classes"](), captured.log).predict_proba(MATRIX)
    assert len(captured.predictions()) == N
    assert len(asked) == 1


def test_many_rows_are_those_that_came_in_and_went_out() -> None:
    """Neither an estimator that scales its matrix in place nor a caller who changes the answer changes an event."""
    model = make_pipeline(StandardScaler(copy=False), LinearRegression()).fit(MATRIX.copy(), MATRIX[:, 0])
    given = MATRIX.copy()
    with capture_events(flush_interval=3600) as captured:
        answers = mllog.wrap(model, captured.log).predict(given)
        expected = answers.tolist()
        answers[:] = 99.0
        events = captured.predictions()
    assert not np.array_equal(given, MATRIX)
    assert [list(event["ml"]["inputs"]["number"].values()) for event in events] == MATRIX.tolist()
    assert [event["ml"]["outputs"]["value"] for event in events] == expected


def test_sampled_rows_are_decided_on_one_by_one() -> None:
    """With a draw some of many rows are kept, the others are counted."""
    with capture_events(sampling=mllog.Sampling(0.5, always=(), seed=1)) as captured:
        mllog.wrap(ESTIMATORS["regression"](), captured.log).predict(MATRIX)
        kept = len(captured.predictions())
        assert 0 < kept < N
        assert captured.log.status().sampled_out == N - kept


@pytest.mark.parametrize("rows", [4, N])
def test_each_row_has_the_latency_of_its_call(rows: int) -> None:
    """Nobody had an answer before all had theirs; what logging takes isn't the estimator's."""
    now = 1_767_355_200_000_000_000

    class Slow:
        def predict(self, matrix: Any) -> Any:
            nonlocal now
            now += 200_000_000
            return np.zeros(len(matrix))

    with capture_events(clock=lambda: now) as captured:
        mllog.wrap(Slow(), captured.log).predict(MATRIX[:rows])
        events = captured.predictions()
    assert [event["event"]["duration"] for event in events] == [200_000_000] * rows
    assert {event["@timestamp"] for event in events} == {"2026-01-02T12:00:00.000000Z"}


def test_failures_of_many_rows(captured: Captured) -> None:
    """Each of them is a failure with the exception."""

    class Broken:
        def predict(self, matrix: Any) -> Any:
            raise OSError("no weights")

    with pytest.raises(OSError, match="no weights"):
        mllog.wrap(Broken(), captured.log).predict(MATRIX)
    events = captured.predictions()
    assert [(event["event"]["outcome"], event["error"]["type"]) for event in events] == [("failure", "OSError")] * N


GAUSSIAN = GaussianProcessRegressor(RBF(), optimizer=None).fit(MATRIX, MATRIX[:, 0])


@pytest.mark.parametrize("rows", [2, 3, N])
@pytest.mark.parametrize(
    "ask",
    [
        lambda model, matrix: model.predict(matrix, return_std=True),
        lambda model, matrix: model.predict(return_std=True, X=matrix),
        lambda model, matrix: model.predict(matrix, True),
    ],
    ids=["named", "named first", "by position"],
)
def test_deviations_beside_the_estimates(captured: Captured, rows: int, ask: Any) -> None:
    """``return_std``: the estimate and its deviation are one row's, however many rows there are."""
    mean, std = GAUSSIAN.predict(MATRIX[:rows], return_std=True)
    answer = ask(mllog.wrap(GAUSSIAN, captured.log), MATRIX[:rows])
    assert all(map(np.array_equal, answer, (mean, std)))
    events = [event["ml"] for event in captured.predictions()]
    assert [list(ml["inputs"]["number"].values()) for ml in events] == MATRIX[:rows].tolist()
    outputs = [ml["outputs"] for ml in events]
    assert [(one["value"], one["other"]["std"]) for one in outputs] == list(zip(mean, std, strict=True))
    assert captured.log.status().rejected == 0


def test_variances_of_covariances(captured: Captured) -> None:
    """``return_cov``: of the matrix of all rows each event has its own row's."""
    _, cov = GAUSSIAN.predict(MATRIX[:3], return_cov=True)
    mllog.wrap(GAUSSIAN, captured.log).predict(MATRIX[:3], return_cov=True)
    outputs = [event["ml"]["outputs"] for event in captured.predictions()]
    assert [one["other"]["variance"] for one in outputs] == cov.diagonal().tolist()


class Fixed:
    """An estimator with the answers that it is made of."""

    def __init__(self, answer: Any, shares: Any = None) -> None:
        self.answer, self.shares = answer, shares

    def predict(self, matrix: Any) -> Any:
        return self.answer

    def predict_proba(self, matrix: Any) -> Any:
        return self.shares


class Classifier(Fixed):
    """One that knows its classes, of which both are the answer."""

    def __init__(self, classes: Any) -> None:
        super().__init__(classes, np.array([[0.1, 0.9], [0.8, 0.2]]))
        self.classes_ = classes


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (["late", "ok"], [{"label": "late"}, {"label": "ok"}]),
        (np.array(["late", "ok"], dtype=object), [{"label": "late"}, {"label": "ok"}]),
        ((True, False), [{"label": "true"}, {"label": "false"}]),
        ([1.5, None], [{"value": 1.5}, None]),
        (np.array([1, -1]), [{"label": "1"}, {"label": "-1"}]),
        ([["late", "x"], ["ok", "y"]], [{"other": {"labels": ["late", "x"]}}, {"other": {"labels": ["ok", "y"]}}]),
        ([np.array([0.5, 2.5]), np.array([1.0])], [{"other": {"values": [0.5, 2.5]}}, {"other": {"values": [1.0]}}]),
        ([{"label": "late", "score": 0.9}, {"label": "ok"}], [{"label": "late", "score": 0.9}, {"label": "ok"}]),
    ],
    ids=["list", "objects", "flags", "null", "whole", "several", "arrays", "mappings"],
)
def test_answers_without_classes(captured: Captured, answer: Any, expected: Any) -> None:
    """What is no number is a label, whatever it stands in."""
    mllog.wrap(Fixed(answer), captured.log).predict([[1], [2]])
    assert [event["ml"].get("outputs") for event in captured.predictions()] == expected


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        ([0.0, 1.0], ["0", "1"]),
        ([False, True], ["false", "true"]),
        (np.array([0.5, 1.0]), ["0.5", "1"]),
        ([b"a", b"b"], ["YQ==", "Yg=="]),
        (np.array([b"a", b"b"]), ["YQ==", "Yg=="]),
        ([dt.date(2026, 1, 1), dt.date(2026, 1, 2)], ["2026-01-01", "2026-01-02"]),
        (np.array(["2026-01-01", "2026-01-02"], "datetime64[ns]"), ["2026-01-01T00:00:00", "2026-01-02T00:00:00"]),
        (["a" * 300, "b"], None),
    ],
    ids=["floats", "flags", "numpy", "bytes", "numpy bytes", "dates", "numpy dates", "long"],
)
def test_classes_have_one_name(captured: Captured, classes: Any, names: list[str] | None) -> None:
    """A class of any type is called the same as a label and among the scores."""
    wrapped = mllog.wrap(Classifier(classes), captured.log)
    wrapped.predict([[1], [2]])
    wrapped.predict_proba([[1], [2]])
    outputs = [event["ml"]["outputs"] for event in captured.predictions()]
    assert outputs[2]["label"] == outputs[1]["label"]
    if names is not None:
        assert [one["label"] for one in outputs] == [*names, *reversed(names)]
        assert [list(one["scores"]) for one in outputs[2:]] == [names, names]


def test_one_mapping_is_a_row(captured: Captured) -> None:
    """Names with single values, which an estimator of somebody's takes; a mapping that it answers is the output."""
    mllog.wrap(Fixed({"label": "late"}), captured.log).predict({"a": 1.0, "b": "late"})
    (event,) = captured.predictions()
    assert event["ml"]["inputs"] == {"number": {"a": 1.0}, "keyword": {"b": "late"}}
    assert event["ml"]["outputs"] == {"label": "late"}


def test_a_name_that_two_columns_have(captured: Captured) -> None:
    """The last is logged, and the name is marked, for few rows and for many."""
    frame = pd.DataFrame(MATRIX[:, :2], columns=["a", "a"])
    wrapped = mllog.wrap(Fixed(np.zeros(N)), captured.log)
    wrapped.predict(frame)
    wrapped.__wrapped__.answer = [0.5]
    wrapped.predict(frame[:1])
    events = captured.predictions()
    assert len(events) == N + 1
    assert {tuple(event["ml"]["replaced"]) for event in events} == {("a",)}
    assert [event["ml"]["inputs"]["number"]["a"] for event in events] == [*MATRIX[:, 1], MATRIX[0, 1]]
