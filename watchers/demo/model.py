"""The model that serves, and another one that serves by mistake.

Both are ordinary scikit-learn pipelines (one-hot categories, imputed and scaled numbers, logistic regression)
over the same inputs; one was trained for arrivals more than 15 minutes late, the other for more than an hour.
The remarks and the tail number are logged but not used: scores that read the dispatcher's mind would be as
restless as the delays themselves.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from watchers.demo.flights import CATEGORIES, NUMBERS

INPUTS: Final = (*CATEGORIES, *NUMBERS)
LATE: Final = "late"
ON_TIME: Final = "on time"

_REGULARISATION: Final = 0.1  # distance and scheduled time say nearly the same: keep their weights small
_HOUR: Final = 60
_RARELY: Final = 20  # categories with fewer flights share one column
_UNKNOWN: Final = "(unknown)"


@dataclass(frozen=True, slots=True)
class DelayModel:
    """A fitted pipeline and what its service makes of a score.

    Attributes:
        name: What the model was trained for.
        pipeline: The fitted scikit-learn pipeline.
        threshold: The share of late flights in training, from which on a flight is called late.
    """

    name: str
    pipeline: Any
    threshold: float


@dataclass(frozen=True, slots=True)
class Models:
    """The two models of the demonstration.

    Attributes:
        right: Predicts arrivals more than 15 minutes late.
        wrong: Predicts arrivals more than an hour late.
    """

    right: DelayModel
    wrong: DelayModel


def train(frame: pd.DataFrame) -> Models:
    """Train both models on flights that arrived.

    Args:
        frame: Training flights from `flights.load`; those without a label are left out.

    Returns:
        The models.
    """
    arrived = frame[frame["late"].notna()]
    late = arrived["late"].to_numpy(dtype=bool)
    very_late = arrived["arr_delay"].to_numpy() > _HOUR
    return Models(
        right=DelayModel("late by 15 minutes", _fitted(arrived, late), float(late.mean())),
        wrong=DelayModel("late by an hour", _fitted(arrived, very_late), float(very_late.mean())),
    )


def score(model: DelayModel, frame: pd.DataFrame) -> NDArray[np.float64]:
    """Score flights, whatever upstream did to their features.

    Args:
        model: The model that serves.
        frame: One row a flight. Features may be null, unseen, or not there at all.

    Returns:
        The probability of a late arrival for each row.
    """
    if frame.empty:
        return np.empty(0)
    scores: NDArray[np.float64] = model.pipeline.predict_proba(_inputs(frame))[:, 1]
    return scores


def _fitted(frame: pd.DataFrame, target: NDArray[np.bool_]) -> Any:
    pipeline: Pipeline = make_pipeline(
        ColumnTransformer(
            [
                ("category", OneHotEncoder(handle_unknown="ignore", min_frequency=_RARELY), list(CATEGORIES)),
                ("number", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), list(NUMBERS)),
            ]
        ),
        LogisticRegression(C=_REGULARISATION, max_iter=1000),
    )
    return pipeline.fit(_inputs(frame), target)


def _inputs(frame: pd.DataFrame) -> pd.DataFrame:
    """Bring the model's inputs into the types that it was trained on."""
    whole = frame.reindex(columns=list(INPUTS))
    for name in CATEGORIES:
        whole[name] = whole[name].astype(object).where(whole[name].notna(), _UNKNOWN)
    for name in NUMBERS:
        whole[name] = whole[name].astype(np.float64)
    return whole
