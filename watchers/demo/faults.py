"""What goes wrong upstream in the demonstration, when, and the stream that comes of it."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from watchers.demo import _draws, remarks
from watchers.demo._calendar import Shape, arrange
from watchers.demo.model import LATE, ON_TIME, Models, score

RIGHT: Final = "right"
WRONG: Final = "wrong"

RENAMES: Final = {
    "scheduled_minutes": "sched_minutes",
    "seats": "seat_count",
    "plane_year": "year_built",
}
"""What upstream may call a feature one day, by its name in training."""

_NULLED: Final = ("visibility", "distance", "scheduled_minutes")
_ORIGINS: Final = ("EWR", "JFK", "LGA")
_CASED: Final = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E")
_METRIC: Final = ("UA", "B6", "EV", "DL")
_KILOMETRES: Final = 1.609344
_MOVED_FROM: Final = "Turbo-fan"
_MOVED_TO: Final = "Turbo-jet"
_MOVED_SHARE: Final = 0.20
_MEDIAN_LATENCY: Final = 0.020
_LATENCY_SIGMA: Final = 0.35


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault.

    Attributes:
        name: One of the ten.
        kind: What it does to the stream, in the words of a check.
        feature: The feature that it hits, ``@score`` or ``@latency`` for outputs, None for the whole model.
        segment: Field and value of the only rows hit; None if all are.
        start: The first moment hit, UTC.
        end: The first moment not hit any more, UTC.
        value: What is special about it: a feature's new name, the carrier whose code changes, the unit or
            category that is sent instead.
    """

    name: str
    kind: str
    feature: str | None
    segment: dict[str, str] | None
    start: dt.datetime
    end: dt.datetime
    value: str = ""


_SHAPES: Final = {
    "null-for-origin": Shape(),
    "rename": Shape(),
    "case": Shape(),
    "unit": Shape(),
    "vocabulary": Shape(),
    "wrong-model": Shape(hours=(12,), starts=(7, 8, 9)),
    "dependency": Shape(),
    "latency": Shape(),
    "no-data": Shape(hours=(2,), starts=(9, 10, 11, 12, 13, 14, 15), minutes=(0, 10, 20, 30, 40, 50), weekdays=True),
    "category-share": Shape(),
}


def plan(seed: int = 0) -> list[Fault]:
    """Plan the ten faults: which feature, which segment, when.

    Args:
        seed: Another seed gives another order, other days, other features and segments where sensible.

    Returns:
        The faults in order of time, 5 February to 13 April, half a day or more away from days on which storms
        cancelled 5 % of the flights, with at least a day and a half of calm between them.
    """
    generator = np.random.default_rng([2013, seed])

    def pick(choices: Sequence[str]) -> str:
        return choices[int(generator.integers(len(choices)))]

    renamed, cased = pick(list(RENAMES)), pick(_CASED)
    metric = pick([carrier for carrier in _METRIC if carrier != cased])
    nature: dict[str, tuple[str, str | None, dict[str, str] | None, str]] = {
        "null-for-origin": ("missing", pick(_NULLED), {"origin": pick(_ORIGINS)}, ""),
        "rename": ("renamed", renamed, None, RENAMES[renamed]),
        "case": ("unseen-category", "carrier", None, cased),
        "unit": ("unit", "distance", {"carrier": metric}, "km"),
        "vocabulary": ("unseen-tokens", "remarks", None, ""),
        "wrong-model": ("wrong-model", "@score", None, ""),
        "dependency": ("dependency", None, None, ""),
        "latency": ("latency", "@latency", None, ""),
        "no-data": ("no-data", None, None, ""),
        "category-share": ("category-shift", "engine", None, _MOVED_TO),
    }
    names = [list(_SHAPES)[place] for place in generator.permutation(len(_SHAPES))]
    faults = []
    for name, (start, end) in zip(names, arrange([_SHAPES[n] for n in names], generator), strict=True):
        kind, feature, segment, value = nature[name]
        faults.append(Fault(name, kind, feature, segment, start, end, value))
    return faults


def apply(faults: Sequence[Fault], frame: pd.DataFrame, models: Models | None = None, seed: int = 0) -> pd.DataFrame:
    """Send flights through the faulty upstream and the model that serves.

    Args:
        faults: From `plan`, or any others; none for a stream in which nothing is wrong.
        frame: Flights from `flights.load`; left as it is.
        models: What scores the inputs as they arrive. Without models there are no scores.
        seed: Of latencies, and of the rows hit where a fault hits only some.

    Returns:
        The flights that reach the service, in the frame's order, with the inputs that arrive (a renamed
        feature in a column of its new name) and the columns ``renamed`` (the old name of a feature that came
        under its new one, else an empty string), ``latency_seconds``, ``model`` (right or wrong),
        ``environment`` (0, or 1 while a package differs), ``score`` and ``label``.
    """
    stream = frame.copy()
    key = _draws.keys(frame["flight_id"].tolist(), seed)
    stream["renamed"] = ""
    stream["latency_seconds"] = _MEDIAN_LATENCY * np.exp(_LATENCY_SIGMA * _draws.normal(key, "latency"))
    stream["model"] = RIGHT
    stream["environment"] = 0
    arrives = np.ones(len(frame), dtype=bool)
    for fault in faults:
        hit = hits(fault, frame)
        if fault.name == "no-data":
            arrives &= ~hit
        else:
            _EFFECTS[fault.name](stream, hit, fault, key)
    stream = stream[arrives].reset_index(drop=True)
    stream["score"] = np.nan
    stream["label"] = None
    if models is not None:
        wrong = (stream["model"] == WRONG).to_numpy()
        scores = score(models.right, stream)
        scores[wrong] = score(models.wrong, stream[wrong])
        stream["score"] = scores
        stream["label"] = np.where(scores >= models.right.threshold, LATE, ON_TIME)
    return stream


def hits(fault: Fault, frame: pd.DataFrame) -> NDArray[np.bool_]:
    """The rows of flights as they were loaded that lie in a fault's time and segment."""
    hit = ((frame["time"] >= fault.start) & (frame["time"] < fault.end)).to_numpy()
    for name, value in (fault.segment or {}).items():
        hit = hit & (frame[name] == value).to_numpy()
    return np.array(hit, dtype=bool)


def _null(stream: pd.DataFrame, hit: NDArray[np.bool_], fault: Fault, _: NDArray[np.uint64]) -> None:
    stream.loc[hit, str(fault.feature)] = np.nan


def _rename(stream: pd.DataFrame, hit: NDArray[np.bool_], fault: Fault, _: NDArray[np.uint64]) -> None:
    old = str(fault.feature)
    stream[fault.value] = stream[old].where(hit)
    stream[old] = stream[old].mask(hit)
    stream.loc[hit, "renamed"] = old


def _case(stream: pd.DataFrame, hit: NDArray[np.bool_], fault: Fault, _: NDArray[np.uint64]) -> None:
    of_carrier = (stream["carrier"] == fault.value).to_numpy()
    stream.loc[hit & of_carrier, "carrier"] = fault.value.lower()


def _unit(stream: pd.DataFrame, hit: NDArray[np.bool_], _: Fault, __: NDArray[np.uint64]) -> None:
    stream["distance"] = stream["distance"].where(~hit, (stream["distance"] * _KILOMETRES).round(1))


def _vocabulary(stream: pd.DataFrame, hit: NDArray[np.bool_], _: Fault, __: NDArray[np.uint64]) -> None:
    stream.loc[hit, "remarks"] = list(remarks.restyle(stream.loc[hit, "remarks"]))


def _wrong_model(stream: pd.DataFrame, hit: NDArray[np.bool_], _: Fault, __: NDArray[np.uint64]) -> None:
    stream.loc[hit, "model"] = WRONG


def _dependency(stream: pd.DataFrame, hit: NDArray[np.bool_], _: Fault, __: NDArray[np.uint64]) -> None:
    stream.loc[hit, "environment"] = 1


def _latency(stream: pd.DataFrame, hit: NDArray[np.bool_], _: Fault, __: NDArray[np.uint64]) -> None:
    stream.loc[hit, "latency_seconds"] *= 2


def _share(stream: pd.DataFrame, hit: NDArray[np.bool_], fault: Fault, key: NDArray[np.uint64]) -> None:
    """Move so many of the one category that its share of all rows falls by 20 points."""
    of_category = hit & (stream["engine"] == _MOVED_FROM).to_numpy()
    chance = _MOVED_SHARE * hit.sum() / max(of_category.sum(), 1)
    stream.loc[of_category & (_draws.uniform(key, fault.name) < chance), "engine"] = fault.value


_EFFECTS: Final[dict[str, Callable[[pd.DataFrame, NDArray[np.bool_], Fault, NDArray[np.uint64]], None]]] = {
    "null-for-origin": _null,
    "rename": _rename,
    "case": _case,
    "unit": _unit,
    "vocabulary": _vocabulary,
    "wrong-model": _wrong_model,
    "dependency": _dependency,
    "latency": _latency,
    "category-share": _share,
}
