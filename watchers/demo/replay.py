"""The stream as the service sees it: one request after the other, and what became of each flight."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from watchers.demo import _draws
from watchers.demo.faults import RENAMES
from watchers.demo.flights import FEATURES

_MINUTE: Final = 60_000_000  # microseconds
_WHOLE: Final = frozenset({"distance", "scheduled_minutes", "seats", "plane_year"})


@dataclass(slots=True)
class Request:
    """One request to the model.

    Attributes:
        time: When it came, UTC; no two requests come at the same time.
        inputs: What upstream sent. A renamed feature stands under its new name only; what is missing is None.
        score: What the model that served made of it.
        label: ``late`` or ``on time``, by that score.
        latency_seconds: How long the answer took.
        prediction_id: The flight's id.
        late: Whether the flight arrived late; None if it never arrived.
        label_time: When that was known, UTC; None if it never was.
        environment: 0, or 1 while a package differs.
        model: ``right``, or ``wrong`` while the wrong model serves.
    """

    time: dt.datetime
    inputs: dict[str, object]
    score: float
    label: str
    latency_seconds: float
    prediction_id: str
    late: bool | None
    label_time: dt.datetime | None
    environment: int
    model: str


def requests(stream: pd.DataFrame, seed: int = 0) -> Iterator[Request]:
    """Hand out a stream in order of time.

    Args:
        stream: From `faults.apply`. A minute must not be split over two calls.
        seed: Of the moments within its minute at which a request comes.

    Yields:
        One request for each row.
    """
    moments = _moments(stream, seed)
    stream = stream.loc[moments.index]
    inputs = zip(*(_values(stream, name) for name in FEATURES), strict=True)
    arrived = stream["late"].notna()
    others = zip(
        _datetimes(moments),
        stream["score"].tolist(),
        stream["label"].tolist(),
        stream["latency_seconds"].tolist(),
        stream["flight_id"].tolist(),
        stream["late"].astype(object).where(arrived, None).tolist(),
        _datetimes(stream["label_time"].where(arrived)),
        stream["environment"].tolist(),
        stream["model"].tolist(),
        strict=True,
    )
    renamed = stream["renamed"].tolist()
    for row, old, (time, score, label, latency, flight, late, known, environment, model) in zip(
        inputs, renamed, others, strict=True
    ):
        yield Request(time, _inputs(row, old), score, label, latency, flight, late, known, environment, model)


def _inputs(row: tuple[object, ...], renamed: str) -> dict[str, object]:
    inputs = dict(zip(FEATURES, row, strict=True))
    if not renamed:
        return inputs
    return {RENAMES[name] if name == renamed else name: value for name, value in inputs.items()}


def _values(stream: pd.DataFrame, name: str) -> list[Any]:
    """A feature's values as Python has them, under whatever name they came; None where missing."""
    column = stream[name]
    if RENAMES.get(name) in stream:
        column = column.where(stream["renamed"] != name, stream[RENAMES[name]])
    values = column.astype(object).where(column.notna(), None).tolist()
    if name in _WHOLE:
        return [int(value) if value is not None and value % 1 == 0 else value for value in values]
    return values


def _moments(stream: pd.DataFrame, seed: int) -> "pd.Series[pd.Timestamp]":
    """A time for each row inside of its minute, all different, in increasing order."""
    key = _draws.keys(stream["flight_id"].tolist(), seed)
    place = pd.DataFrame(
        {
            "time": stream["time"],
            "draw": _draws.uniform(key, "place"),
            "jitter": _draws.uniform(key, "jitter"),
        }
    ).sort_values(["time", "draw"])
    minute = place.groupby("time")["draw"]
    slot = (minute.cumcount() + place["jitter"]) / minute.transform("size")
    moments: pd.Series[pd.Timestamp] = place["time"] + pd.to_timedelta(np.floor(slot * _MINUTE), unit="us")
    return moments


def _datetimes(times: "pd.Series[pd.Timestamp]") -> list[Any]:
    """Times as plain datetimes; None where there is none."""
    plain = pd.DatetimeIndex(times).to_pydatetime()
    return [None if missing else time for time, missing in zip(plain, times.isna(), strict=True)]
