"""Wrapped estimators."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.ensemble import IsolationForest, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

import mllog
from mllog.integrations.sklearn import LOGGED, Wrapped
from mllog.testing import Captured, assert_valid, capture_events

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["a", "b", "c"])
TWO = np.where(FRAME["a"] > 0, "yes", "no")
THREE = np.where(FRAME["a"] > 0.5, "high", np.where(FRAME["a"] < -0.5, "low", "middle"))
PAIR = np.column_stack([TWO, THREE])


def outputs(captured: Captured) -> list[dict[str, Any]]:
    events = captured.predictions()
    assert_valid(events)
    return [event["ml"]["outputs"] for event in events]


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "two classes": lambda: LogisticRegression().fit(FRAME, TWO),
    "three classes": lambda: RandomForestClassifier(20, max_depth=1, random_state=0).fit(FRAME, THREE),
    "margins": lambda: SVC().fit(FRAME, TWO),
    "margins of three": lambda: SVC().fit(FRAME, THREE),
    "margins one against one": lambda: SVC(decision_function_shape="ovo").fit(
        np.arange(8.0).reshape(-1, 1), list("aabbccdd")
    ),
    "regression": lambda: LinearRegression().fit(FRAME, FRAME["a"]),
    "two values": lambda: RandomForestRegressor(5, random_state=0).fit(FRAME, FRAME[["a", "b"]]),
    "two labels": lambda: RandomForestClassifier(20, max_depth=1, random_state=0).fit(FRAME, PAIR),
    "outliers": lambda: IsolationForest(n_estimators=5, random_state=0).fit(FRAME),
    "pipeline": lambda: make_pipeline(StandardScaler(copy=False), LogisticRegression()).fit(FRAME, TWO),
    "search": lambda: GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(FRAME, TWO),
}


def equal(first: Any, second: Any) -> bool:
    if isinstance(first, list):
        return len(first) == len(second) and all(map(equal, first, second))
    return type(first) is type(second) and bool(np.array_equal(first, second))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_answers_are_the_estimators_own(captured: Captured, name: str) -> None:
    """Each method is there if it is the estimator's, answers what that answers, and logs an event a row."""
    model = ESTIMATORS[name]()
    wrapped = mllog.wrap(model, captured.log)
    frame = FRAME[:5] if getattr(model, "n_features_in_", 3) == 3 else np.arange(5.0).reshape(-1, 1)
    asked = 0
    for method in LOGGED:
        assert hasattr(wrapped, method) == hasattr(model, method)
        if hasattr(model, method):
            assert equal(getattr(wrapped, method)(frame.copy()), getattr(model, method)(frame.copy()))
            asked += 1
    events = captured.predictions()
    assert_valid(events)
    assert len(events) == 5 * asked
    assert all(event["ml"]["outputs"] and event["event"]["duration"] >= 0 for event in events)
    assert captured.log.status().rejected == 0
    assert repr(wrapped) == repr(model)
    assert dir(wrapped) == dir(model)


def test_outputs_of_classifiers(captured: Captured) -> None:
    """Label, score of the positive (else of the best) class, all scores; a margin is no score."""
    model = LogisticRegression().fit(FRAME, TWO)
    wrapped = mllog.wrap(model, captured.log)
    row = FRAME[:1]
    for method in LOGGED:
        getattr(wrapped, method)(row)
    label = model.predict(row)[0]
    no, yes = model.predict_proba(row)[0]
    predicted, scored, logged, decided = outputs(captured)
    assert predicted == {"label": label}
    assert scored == {"label": label, "score": yes, "scores": {"no": no, "yes": yes}}
    assert logged["score"] == pytest.approx(yes)
    assert decided == {"label": label, "other": {"decision": model.decision_function(row)[0]}}


def test_outputs_of_other_estimators(captured: Captured) -> None:
    """Three classes, margins of each, several outputs, values, outliers."""

    def said(name: str, method: str, **ignored: Any) -> dict[str, Any]:
        model = ESTIMATORS[name]()
        row = FRAME[:1] if model.n_features_in_ == 3 else np.array([[1.0]])
        getattr(mllog.wrap(model, captured.log), method)(row)
        return outputs(captured)[-1]

    three = said("three classes", "predict_proba")
    assert three["score"] == three["scores"][three["label"]] == max(three["scores"].values())
    margins = said("margins of three", "decision_function")
    assert margins["other"]["decision"][margins["label"]] == max(margins["other"]["decision"].values())
    assert len(said("margins one against one", "decision_function")["other"]["decision"]) == 6
    assert said("two values", "predict").keys() == {"other"}
    assert len(said("two values", "predict")["other"]["values"]) == 2
    assert said("two labels", "predict")["other"]["labels"] == list(ESTIMATORS["two labels"]().predict(FRAME[:1])[0])
    both = said("two labels", "predict_proba")
    assert both["other"]["labels"] == said("two labels", "predict")["other"]["labels"]
    assert both["scores"].keys() == {"0", "1"}
    assert both["scores"]["1"].keys() == {"high", "low", "middle"}
    assert said("regression", "predict").keys() <= {"value", "score"}
    assert said("outliers", "predict")["label"] in {"1", "-1"}
    assert "value" in said("outliers", "decision_function")


@pytest.mark.parametrize(
    "make",
    [
        lambda frame: frame,
        lambda frame: pl.DataFrame(frame.to_dict("list")),
        lambda frame: frame.to_numpy(),
        lambda frame: frame.to_numpy().tolist(),
        lambda frame: sparse.csr_matrix(frame.to_numpy()),
        lambda frame: sparse.coo_array(frame.to_numpy()),
    ],
    ids=["pandas", "polars", "numpy", "lists", "sparse matrix", "sparse array"],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_rows_of_each_kind(captured: Captured, make: Any) -> None:
    """Names are the frame's, else those that the estimator was fitted with."""
    model = LogisticRegression().fit(FRAME, TWO)
    given = make(FRAME[:2])
    assert list(mllog.wrap(model, captured.log).predict(given)) == list(model.predict(given))
    rows = [event["ml"]["inputs"]["number"] for event in captured.predictions()]
    assert rows == FRAME[:2].to_dict("records")


def test_names_without_a_frame(card: Any) -> None:
    """The card's where it has as many, else x0, x1, …"""
    matrix = np.zeros((4, 6))
    model = LinearRegression().fit(matrix, range(4))
    narrow = LinearRegression().fit(matrix[:, :2], range(4))
    with capture_events(card=card) as captured:
        mllog.wrap(model, captured.log).predict(matrix[:1])
        mllog.wrap(narrow, captured.log).predict(matrix[:1, :2])
        first, second = captured.predictions()
    assert first["ml"]["inputs"]["number"]["distance"] == 0.0
    assert second["ml"]["inputs"] == {"other": {"x0": 0.0, "x1": 0.0}}


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pl.Series, tuple])
def test_texts(captured: Captured, kind: Any) -> None:
    """A pipeline of texts gets a list of them: one input a row, not one a letter."""
    texts = ["late again", "on time", "late", "time"]
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, ["late", "ok", "late", "ok"])
    mllog.wrap(model, captured.log).predict(kind(texts[:2]))
    assert [event["ml"]["inputs"] for event in captured.predictions()] == [
        {"keyword": {"x0": "late again"}},
        {"keyword": {"x0": "on time"}},
    ]


def test_mappings_keep_what_is_absent(captured: Captured) -> None:
    """Rows for a DictVectorizer: a key that a row doesn't have isn't null there."""
    rows = [{"a": 1.0, "k": "x"}, {"a": 2.0}]
    model = make_pipeline(DictVectorizer(), LinearRegression()).fit(rows, [1.0, 2.0])
    mllog.wrap(model, captured.log).predict(rows)
    first, second = captured.predictions()
    assert first["ml"]["inputs"] == {"number": {"a": 1.0}, "keyword": {"k": "x"}}
    assert second["ml"]["inputs"] == {"number": {"a": 2.0}}
    assert "missing" not in second["ml"]


def test_inputs_are_those_that_came_in(captured: Captured) -> None:
    """An estimator that scales its matrix in place changes nothing of the event."""
    matrix = FRAME.to_numpy()
    model = make_pipeline(StandardScaler(copy=False), LinearRegression()).fit(matrix.copy(), matrix[:, 0])
    given = matrix[:1].copy()
    mllog.wrap(model, captured.log).predict(given)
    assert not np.array_equal(given, matrix[:1])
    assert list(captured.predictions()[0]["ml"]["inputs"]["number"].values()) == matrix[0].tolist()


class Popping:
    """An estimator that uses its rows up."""

    def predict(self, rows: list[dict[str, float]]) -> list[float]:
        return [row.pop("a") for row in rows]


def test_mappings_are_those_that_came_in(captured: Captured) -> None:
    """A row that the estimator empties was full when it came."""
    assert mllog.wrap(Popping(), captured.log).predict([{"a": 1.0}]) == [1.0]
    assert captured.predictions()[0]["ml"]["inputs"] == {"number": {"a": 1.0}}


def test_it_is_an_estimator_to_scikit_learn(captured: Captured) -> None:
    """isinstance, tags, fitted or not, parameters, and ``fit`` that gives itself back."""
    wrapped = mllog.wrap(LogisticRegression(C=2.0), captured.log)
    assert isinstance(wrapped, LogisticRegression)
    assert isinstance(wrapped, BaseEstimator)
    assert isinstance(wrapped, Wrapped)
    assert is_classifier(wrapped)
    assert is_regressor(mllog.wrap(LinearRegression(), captured.log))
    with pytest.raises(NotFittedError, match="This LogisticRegression instance"):
        check_is_fitted(wrapped)
    assert wrapped.fit(FRAME, TWO) is wrapped
    check_is_fitted(wrapped)
    check_is_fitted(wrapped, ["coef_"])
    assert wrapped.set_params(C=3.0) is wrapped
    assert wrapped.get_params()["C"] == 3.0
    assert wrapped.coef_ is wrapped.__wrapped__.coef_
    wrapped.note = 5
    assert wrapped.__wrapped__.note == 5
    del wrapped.note
    assert not hasattr(wrapped, "note")
    assert wrapped.score(FRAME, TWO) == wrapped.__wrapped__.score(FRAME, TWO)
    assert captured.predictions() == []


def test_clones_and_copies_are_logged_too(captured: Captured) -> None:
    """A clone is unfitted, a copy is as fitted as the original; both write to the same logger."""
    wrapped = mllog.wrap(LogisticRegression(C=2.0).fit(FRAME, TWO), captured.log)
    cloned = clone(wrapped)
    assert isinstance(cloned, Wrapped)
    assert cloned.C == 2.0
    assert not hasattr(cloned, "coef_")
    for model in (cloned.fit(FRAME, TWO), copy.copy(wrapped), copy.deepcopy(wrapped)):
        assert isinstance(model, Wrapped)
        assert model.__wrapped__ is not wrapped.__wrapped__
        model.predict(FRAME[:1])
    assert len(captured.predictions()) == 3


def test_a_pickle_is_one_of_the_estimator(captured: Captured, tmp_path: Path) -> None:
    """A logger belongs to its process: what is loaded is the estimator alone, and needs no mllog."""
    model = LogisticRegression().fit(FRAME, TWO)
    wrapped = mllog.wrap(model, captured.log)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        loaded = pickle.loads(pickle.dumps(wrapped, protocol))
        assert type(loaded) is LogisticRegression
        assert np.array_equal(loaded.coef_, model.coef_)
    stream = io.BytesIO()
    joblib.dump({"model": make_pipeline(StandardScaler(), wrapped)}, stream)
    stream.seek(0)
    assert type(joblib.load(stream)["model"][-1]) is LogisticRegression
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(wrapped))
    code = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb')); assert 'mllog' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, tmp_path / "model.pkl"], check=True, timeout=120)


def test_in_pipelines_and_searches(captured: Captured) -> None:
    """As the last step, as a pipeline itself, in cross-validation and in a search."""
    wrapped = mllog.wrap(LogisticRegression(), captured.log)
    outer = make_pipeline(StandardScaler(), wrapped).fit(FRAME, TWO)
    assert equal(
        outer.predict(FRAME), make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, TWO).predict(FRAME)
    )
    assert len(captured.predictions()) == 60
    inner = mllog.wrap(make_pipeline(StandardScaler(), LogisticRegression()), captured.log).fit(FRAME, TWO)
    assert len(inner) == 2
    assert type(inner[-1]) is LogisticRegression
    assert list(inner.named_steps) == ["standardscaler", "logisticregression"]
    assert not hasattr(wrapped, "__len__")
    assert equal(cross_val_score(wrapped, FRAME, TWO, cv=2), cross_val_score(LogisticRegression(), FRAME, TWO, cv=2))
    assert len(cross_val_predict(wrapped, FRAME, TWO, cv=2)) == 60
    search = GridSearchCV(wrapped, {"C": [0.1, 1.0]}, cv=2).fit(FRAME, TWO)
    assert isinstance(search.best_estimator_, Wrapped)
    assert (
        search.best_params_ == GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(FRAME, TWO).best_params_
    )
    assert captured.log.status().rejected == 0


def test_an_estimator_that_fails(captured: Captured) -> None:
    """Its exception goes on; what it was asked is logged as failures, marked where it can't be read."""
    wrapped = mllog.wrap(LogisticRegression(), captured.log)
    with pytest.raises(NotFittedError):
        wrapped.predict(FRAME[:4])
    with pytest.raises(NotFittedError):
        wrapped.predict(5)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        wrapped.predict()
    events = captured.predictions()
    assert captured.log.status().rejected == 0
    assert [event["event"]["outcome"] for event in events] == ["failure"] * 5
    assert [event["ml"].get("replaced") for event in events] == [None] * 4 + [["@inputs"]]
    assert events[0]["error"]["type"] == "NotFittedError"


class Strange:
    """An estimator that answers what nobody expects."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @property
    def classes_(self) -> Any:
        raise RuntimeError("no classes")

    def predict(self, rows: Any) -> Any:
        return self.answer

    def predict_proba(self, rows: Any) -> Any:
        return self.answer


@pytest.mark.parametrize("answer", [None, 5, "text", [], [1], [[1, 2], [3]], {"a": 1}, object(), np.zeros((2, 3, 4))])
def test_whatever_it_answers(captured: Captured, answer: Any) -> None:
    """An answer that can't be read is passed on all the same, and its rows are logged without outputs."""
    wrapped = mllog.wrap(Strange(answer), captured.log)
    for rows in (FRAME[:2], 5, None, pa.table({"a": [1]}), [[1, 2], [3]]):
        assert wrapped.predict(rows) is answer
        assert wrapped.predict_proba(rows=rows) is answer
    captured.log.flush()
    status = captured.log.status()
    assert status.accepted == status.written + status.rejected


@pytest.mark.parametrize("thing", [5, LogisticRegression, None])
def test_what_is_no_estimator_is_refused(captured: Captured, thing: Any) -> None:
    """While wrapping, not at the first prediction."""
    with pytest.raises(mllog.SettingError, match="give an object with predict"):
        mllog.wrap(thing, captured.log)


def test_a_half_made_stand_in_does_not_recurse() -> None:
    """Attributes of one whose estimator isn't there yet are simply missing."""
    with pytest.raises(AttributeError):
        Wrapped.__new__(Wrapped).anything  # noqa: B018
