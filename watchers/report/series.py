"""From profiles to curves: counts over time, and what is read from them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mllog.ruler import MISSING_KINDS, Feature, Ruler
from watchers.profile import ALL, Segment, WindowProfile
from watchers.quantiles import quantiles

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Values = npt.NDArray[np.float64]

BAND: Final = (0.05, 0.95)
"""The band leaves out a twentieth of the calm windows on either side."""

_ENOUGH: Final = 6
_FEWEST: Final = 4


@dataclass(frozen=True)
class Counts:
    """Counts by time: row ``k`` holds what was counted from ``starts[k]`` on for ``hours`` hours.

    Attributes:
        ruler: The layout of a row.
        zone: Time zone in which hours of day are meant.
        starts: Beginnings, in order, each once; without gaps.
        hours: Length of a row.
        rows: shape (len(starts), len(ruler.cells)).
    """

    ruler: Ruler
    zone: ZoneInfo
    starts: tuple[dt.datetime, ...]
    hours: int
    rows: Values

    @property
    def n(self) -> Values:
        """Predictions in each row."""
        whole: Values = self.rows[:, 0]
        return whole

    def column(self, feature: str, what: str, which: str = "") -> Values:
        """One cell over time; zeros where the ruler doesn't keep it."""
        position = self.ruler.index.get((feature, what, which))
        return np.zeros(len(self.starts)) if position is None else self.rows[:, position]

    def share(self, counts: Values, of: Values | None = None) -> Values:
        """``counts`` over all predictions (or ``of``), NaN where there are none."""
        whole = self.n if of is None else of
        result: Values = np.divide(counts, whole, out=np.full(len(counts), np.nan), where=whole > 0)
        return result

    def missing(self, feature: str) -> Values:
        """Share of predictions where it's missing, however."""
        return self.share(sum((self.column(feature, "missing", kind) for kind in MISSING_KINDS), np.zeros(len(self.n))))

    def unseen(self, feature: Feature) -> Values:
        """Share of tokens (of a text) or of predictions (of a category) that training never had."""
        if feature.kind == "text":
            tokens = self.column(feature.name, "tokens")
            return self.share(self.column(feature.name, "unseen_tokens"), tokens)
        return self.share(self.column(feature.name, "violation", "category"))

    def quantile(self, feature: Feature, q: float) -> Values:
        """A quantile read from bins, linear within a bin (logarithmic for latencies); NaN without any."""
        columns = [self.column(feature.name, "bin", str(k)) for k in range(len(feature.edges) + 1)]
        return quantiles(feature, np.stack(columns, axis=1), q)

    def between(self, start: dt.datetime, end: dt.datetime) -> Counts:
        """The rows that lie at least in part between two moments."""
        length = dt.timedelta(hours=self.hours)
        kept = [k for k, begin in enumerate(self.starts) if begin < end and begin + length > start]
        return Counts(self.ruler, self.zone, tuple(self.starts[k] for k in kept), self.hours, self.rows[kept])

    def beside(self, other: Counts) -> Counts:
        """The rows of ``other``, whatever their times, and then these."""
        rows = np.concatenate([other.rows, self.rows])
        return Counts(self.ruler, self.zone, (*other.starts, *self.starts), self.hours, rows)

    def times_of_week(self) -> list[tuple[bool, int]]:
        """For each row, whether it's a weekend and its hour of day: rows alike in both are compared."""
        local = [start.astimezone(self.zone) for start in self.starts]
        return [(time.weekday() >= 5, 0 if self.hours >= 24 else time.hour) for time in local]


def gather(
    ruler: Ruler, zone: ZoneInfo, profiles: Sequence[WindowProfile], hours: int, segment: Segment = ALL
) -> Counts:
    """Add hourly profiles up into rows of ``hours`` hours that begin at whole multiples of local time."""
    size = len(ruler.cells)
    held: dict[dt.datetime, Values] = {}
    for profile in profiles:
        if profile.window.start is None or profile.ruler != ruler.hash:
            continue
        row = held.setdefault(_floor(profile.window.start, zone, hours), np.zeros(size))
        if profile.cells:
            row += profile.total(segment)
    if not held:
        return Counts(ruler, zone, (), hours, np.zeros((0, size)))
    starts, last = [min(held)], max(held)
    while starts[-1] < last:
        following = _floor(starts[-1] + dt.timedelta(hours=hours), zone, hours)
        # A day of 25 hours would fall back into the row it came from.
        starts.append(following if following > starts[-1] else starts[-1] + dt.timedelta(hours=hours))
    rows = [held.get(start, np.zeros(size)) for start in starts]
    return Counts(ruler, zone, tuple(starts), hours, np.stack(rows))


def training(ruler: Ruler, zone: ZoneInfo, card: Any) -> Counts | None:
    """The card's training counts as one row; None where it has none."""
    stored = getattr(card, "training", None) or {}
    row = np.zeros(len(ruler.cells))
    for counts in stored.values():
        if isinstance(counts, Mapping):
            for key, count in counts.items():
                if key in ruler.index:
                    row[ruler.index[key]] += count
        else:
            row += np.asarray(counts, dtype=float)
    return Counts(ruler, zone, (dt.datetime(1970, 1, 1, tzinfo=dt.UTC),), 1, row[None, :]) if row[0] > 0 else None


@dataclass(frozen=True)
class Reference:
    """What is usual: for each row a low, a middle and a high value, and in words what they are."""

    low: Values
    middle: Values
    high: Values
    words: str


def reference(counts: Counts, values: Values, calm: npt.NDArray[np.bool_]) -> Reference | None:
    """The band of calm rows at the same time of day and kind of day; of all calm rows where they are few."""
    usable = calm & np.isfinite(values)
    if usable.sum() < _FEWEST:
        return None
    times = counts.times_of_week()
    groups: dict[tuple[bool, int], list[int]] = {}
    for k, time in enumerate(times):
        groups.setdefault(time, []).append(k)
    bounds = np.empty((3, len(values)))
    everything = np.quantile(values[usable], [BAND[0], 0.5, BAND[1]])
    by_time = False
    for rows in groups.values():
        like = [k for k in rows if usable[k]]
        if len(like) >= _ENOUGH:
            bounds[:, rows] = np.quantile(values[like], [BAND[0], 0.5, BAND[1]])[:, None]
            by_time = True
        else:
            bounds[:, rows] = everything[:, None]
    when = "at the same time of day, weekdays and weekends apart" if by_time else "over the whole span"
    words = f"Band: 5th to 95th percentile of this report's windows outside of incidents, {when}"
    return Reference(bounds[0], bounds[1], bounds[2], words)


def constant(value: float, rows: int, words: str) -> Reference:
    """A reference that is one value, whatever the time."""
    values = np.full(rows, value)
    return Reference(values, values, values, words)


def most_changed(counts: Counts, feature: Feature, inside: npt.NDArray[np.bool_]) -> str | None:
    """The category whose share differs most between rows inside and outside of an incident."""
    if not feature.categories or not inside.any() or inside.all():
        return None

    def mean(category: str, rows: npt.NDArray[np.bool_]) -> float:
        return float(counts.column(feature.name, "category", category)[rows].sum() / max(counts.n[rows].sum(), 1))

    return max(feature.categories, key=lambda c: abs(mean(c, inside) - mean(c, ~inside)))


def _floor(time: dt.datetime, zone: ZoneInfo, hours: int) -> dt.datetime:
    local = time.astimezone(zone)
    hour = local.hour - local.hour % min(hours, 24)
    floored = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    return floored.astimezone(dt.UTC)


Curve = Callable[[Counts], Values]
"""What is read from counts and drawn."""
