"""Times as commands take them, and times near the ends of the calendar."""

from __future__ import annotations

import datetime as dt


def moment_of(text: str) -> dt.datetime:
    """A time in ISO 8601; without a zone it is UTC.

    Raises:
        ValueError: it is none.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write ISO 8601, such as 2026-11-23T14:00+00:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def shifted(moment: dt.datetime, by: dt.timedelta) -> dt.datetime:
    """A moment so much later, or earlier; what lies off the calendar is its first or last whole hour (UTC).

    Events say of themselves when they were: one of the year 1 or 9999 must not end what is reckoned from it.
    """
    try:
        return moment + by
    except OverflowError:
        before = by < dt.timedelta(0)
        return (
            dt.datetime(dt.MINYEAR, 1, 1, tzinfo=dt.UTC)
            if before
            else dt.datetime(dt.MAXYEAR, 12, 31, 23, tzinfo=dt.UTC)
        )
