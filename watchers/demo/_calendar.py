"""When faults happen: one after the other, with calm days before, between and after them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from watchers.demo.flights import NEW_YORK

FIRST: Final = dt.date(2013, 2, 5)
LAST: Final = dt.date(2013, 4, 13)
CLEAN_BETWEEN: Final = dt.timedelta(hours=36)
STORM_DISTANCE: Final = dt.timedelta(hours=12)

STORMS: Final = tuple(
    dt.date(2013, month, day)
    for month, day in (
        (2, 8),
        (2, 9),
        (2, 11),
        (3, 6),
        (3, 7),
        (3, 8),
        (3, 12),
        (3, 25),
        (4, 10),
        (4, 12),
    )
)
"""The days in this span with 5 % of the flights cancelled or more (a test computes them from the data)."""

_ZONE: Final = ZoneInfo(NEW_YORK)
_MOST_DAYS_WAITED: Final = 3
_SATURDAY: Final = 5
_MORNING: Final = (6, 7, 7, 8, 8, 9, 9, 10, 11, 13, 15)

Span = tuple[dt.datetime, dt.datetime]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a fault needs of its time.

    Attributes:
        hours: It lasts so long; more than one choice is drawn from.
        starts: Local hours at which it may start.
        minutes: Minutes past the hour at which it may start.
        weekdays: Whether it keeps to Monday to Friday.
    """

    hours: tuple[int, ...] = (48, 54, 60, 66, 72)
    starts: tuple[int, ...] = _MORNING
    minutes: tuple[int, ...] = (0,)
    weekdays: bool = False


def arrange(shapes: Sequence[Shape], generator: np.random.Generator) -> list[Span]:
    """Find a time for each fault, in the order given.

    Args:
        shapes: What the faults need, first fault first.
        generator: Draws days of waiting, hours and lengths.

    Returns:
        Start and end of each fault in UTC.
    """
    while True:
        spans: list[Span] = []
        day = FIRST
        for shape in shapes:
            day += dt.timedelta(days=int(generator.integers(_MOST_DAYS_WAITED)))
            span = _next(shape, day, spans[-1] if spans else None, generator)
            if span is None:
                break
            spans.append(span)
            day = span[1].astimezone(_ZONE).date()
        else:
            return spans


def clean_hours(start: dt.datetime, end: dt.datetime) -> dt.timedelta:
    """The time between two moments that lies on no storm day."""
    storms = (min(end, stop) - max(start, begin) for begin, stop in map(_whole_day, STORMS))
    return (end - start) - sum((max(part, dt.timedelta()) for part in storms), dt.timedelta())


def _next(shape: Shape, day: dt.date, before: Span | None, generator: np.random.Generator) -> Span | None:
    """The first span from ``day`` on that keeps the rules, or None if there is none."""
    while day <= LAST:
        hour, minute = _pick(shape.starts, generator), _pick(shape.minutes, generator)
        start = dt.datetime.combine(day, dt.time(hour, minute), _ZONE).astimezone(dt.UTC)
        span = start, start + dt.timedelta(hours=_pick(shape.hours, generator))
        if _is_free(span, before) and not (shape.weekdays and day.weekday() >= _SATURDAY):
            return span
        day += dt.timedelta(days=1)
    return None


def _is_free(span: Span, before: Span | None) -> bool:
    start, end = span
    if end > _whole_day(LAST)[1] or (before and clean_hours(before[1], start) < CLEAN_BETWEEN):
        return False
    return all(
        end + STORM_DISTANCE <= begin or start >= stop + STORM_DISTANCE for begin, stop in map(_whole_day, STORMS)
    )


def _whole_day(day: dt.date) -> Span:
    midnights = (dt.datetime.combine(each, dt.time(), _ZONE) for each in (day, day + dt.timedelta(days=1)))
    begin, end = (each.astimezone(dt.UTC) for each in midnights)
    return begin, end


def _pick(choices: Sequence[int], generator: np.random.Generator) -> int:
    return choices[int(generator.integers(len(choices)))]
