"""The flights are all there, once each, at their true times."""

import datetime as dt

import pandas as pd
import pytest

from watchers.demo import _calendar, flights


def at(frame, flight_id):
    (row,) = frame[frame["flight_id"] == flight_id].to_dict("records")
    return row


def test_counts(frame):
    """94 thousand flights, 67 thousand of which left after the training month."""
    served = flights.serving(frame)
    assert len(frame) == 93_994
    assert len(flights.training(frame)) == 24_286
    assert len(served) == 69_708
    assert (~served["cancelled"]).sum() == 67_119


def test_each_flight_once_in_order(frame):
    """No flight is there twice, and time never goes back."""
    assert frame["flight_id"].is_unique
    assert frame["time"].is_monotonic_increasing
    days = flights.local_days(frame)
    assert days.min() == dt.date(2013, 1, 1)
    assert days.max() == dt.date(2013, 4, 14)


def test_event_time_agrees_with_the_hour_of_the_source(frame):
    """`time_hour` in the source is UTC; every event lies in it, before and after the change of clocks."""
    raw = flights.read("flights").query("month <= 4")
    day = pd.to_datetime(raw[["year", "month", "day"]]).dt.strftime("%Y%m%d")
    raw["flight_id"] = day + "-" + raw["carrier"] + raw["flight"].astype(str) + "-" + raw["origin"]
    both = frame.merge(raw[["flight_id", "time_hour"]], on="flight_id", validate="one_to_one")
    assert len(both) == len(frame)
    assert (both["time"].dt.floor("h") == pd.to_datetime(both["time_hour"])).all()


@pytest.mark.parametrize(("day", "utc_hour"), [("20130309", 20), ("20130310", 19), ("20130311", 19)])
def test_clocks_change_on_10_march(frame, day, utc_hour):
    """Three in the afternoon is another hour in UTC from 10 March on."""
    local = frame["time"].dt.tz_convert(flights.NEW_YORK)
    afternoon = frame[(local.dt.strftime("%Y%m%d") == day) & (local.dt.hour == 15)]
    assert len(afternoon) > 40
    assert set(afternoon["time"].dt.hour) == {utc_hour}


def test_scheduled_minutes_through_the_night_of_the_change(frame):
    """21:00 in New York to 00:32 in Los Angeles is the same flight on 9, 10 and 11 March."""
    assert at(frame, "20130310-DL2363-JFK")["scheduled_minutes"] == 392


def test_scheduled_minutes_are_sane(frame):
    """Block time is the flight at 480 knots or so, and at most an hour and a half on the ground."""
    ground = frame["scheduled_minutes"] - frame["distance"] / 8.0
    assert frame["scheduled_minutes"].between(50, 720).all()
    assert ground.between(0, 145).all()


def test_missing_stays_missing(frame):
    """Strings that are missing are None and not the text "nan"."""
    for name in (*flights.CATEGORIES, *flights.IDENTIFIERS, *flights.TEXTS):
        kinds = {type(value) for value in frame[name]}
        assert kinds <= {str, type(None)}
        assert not {"nan", "NaN", "None", ""} & set(frame[name])
    assert frame["tailnum"].isna().sum() == 920
    assert frame["engine"].isna().mean() == pytest.approx(0.164, abs=0.001)


def test_labels(frame):
    """Late means more than 15 minutes; what never arrived has no label, at no time."""
    arrived = frame["arr_delay"].notna()
    assert (frame["late"].notna() == arrived).all()
    assert (frame["label_time"].notna() == arrived).all()
    assert (frame.loc[arrived, "late"] == (frame.loc[arrived, "arr_delay"] > 15)).all()
    assert frame.loc[frame["cancelled"], "late"].isna().all()
    assert (frame.loc[arrived, "label_time"] > frame.loc[arrived, "time"]).all()


def test_no_feature_with_a_season(frame):
    """What rises every spring is no input."""
    assert not {"temp", "dewp", "humid", "pressure"} & set(frame.columns)
    assert set(flights.FEATURES) <= set(frame.columns)


def test_duplicates_in_other_tables_duplicate_no_flight():
    """Two rows of weather for an hour, or of a plane, leave one row a flight."""
    some = flights.read("flights").query("month == 3 and day == 10")
    weather, planes = flights.read("weather"), flights.read("planes")
    once = flights.join(some, weather, planes, flights.read("airports"))
    doubled = pd.concat([weather, weather.assign(visib=0.0)]), pd.concat([planes, planes])
    twice = flights.join(some, *doubled, flights.read("airports"))
    assert len(some) == len(once)
    pd.testing.assert_frame_equal(once, twice)


def test_loading_again_differs_in_carried_weather_only(frame):
    """A silent station's last observation serves for an hour if asked; all else is the same in every load."""
    again = flights.load(carry_hours=1)
    others = [name for name in frame.columns if name not in {"visibility", "remarks"}]
    pd.testing.assert_frame_equal(again[others], frame[others])
    assert again["visibility"].notna().all()
    known = frame["visibility"].notna()
    assert 0 < (~known).sum() < 200
    pd.testing.assert_series_equal(again.loc[known, "visibility"], frame.loc[known, "visibility"])


def test_storm_days_are_those_of_the_calendar(frame):
    """The days that the plan avoids are computed from the flights."""
    storms = flights.storm_days(frame)
    assert (
        tuple(day for day in sorted(storms) if _calendar.FIRST <= day <= _calendar.LAST) == _calendar.STORMS
    )


def test_unknown_table():
    """A table that is not there is named."""
    with pytest.raises(flights.DemoDataError, match="airlanes") as caught:
        flights.read("airlanes")
    assert caught.value.table == "airlanes"
