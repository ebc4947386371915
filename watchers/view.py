"""What a check sees: one window, its history, the card."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mllog.card import ModelCard
from mllog.ruler import MISSING_KINDS, CellKey, Feature, Ruler
from watchers.finding import Effect, Finding, Severity, Window
from watchers.history import STRATA, Builder, Contrasts, History, Quarantine
from watchers.profile import Segment, WindowProfile, merge
from watchers.statistics import (
    MIN_EVENTS,
    Contrasted,
    Rows,
    comparable,
    concentrated,
    contrast,
    onset,
    spread_out,
    take,
)
from watchers.statistics.contrast import KNOWN_HOURS, suspects
from watchers.statistics.rows import Index, changed, joined

Watched = tuple[str, str | None, Segment | None]
"""A check, a feature, and the segment where it is only in one."""

LEARNING_WINDOWS: Final = 8
"""Fewer windows of history than this, and only what needs no variance is judged."""

ONSET_REACH: Final = 96
"""How many rows back an onset is looked for."""

GAP: Final = 12
"""A name that didn't come for so many profiles, and comes again, comes anew."""


@dataclass
class View:
    """One window of a model beside its history.

    Attributes:
        card: The model's card.
        history: All profiles; ``past`` and ``now`` are ranges of it.
        past: First and one past the last profile of the past.
        now: The same of the window.
        length: Profiles in a window of the past (the current one may be shorter, it is compared by rates).
        spans: What must not teach what is normal.
        others: Cards of other models, for telling which model answered.
        watched: What is in trouble, of which the judge is to tell where it can't judge it.
        any_hour: Whether a window at hours that history doesn't know is compared with all hours, and not left alone:
            natural variance is that between hours then.
        larger_floors: Whether natural variance is unknown, so that only large effects count.
    """

    card: ModelCard
    history: History
    past: tuple[int, int]
    now: tuple[int, int]
    length: int = 1
    spans: Quarantine = ()
    others: Sequence[ModelCard] = ()
    watched: Collection[Watched] = ()
    any_hour: bool = False
    larger_floors: bool = False
    _held: dict[tuple[str, bool], Contrasted] = field(default_factory=dict, repr=False)

    @property
    def ruler(self) -> Ruler:
        """The card's ruler."""
        return self.card.ruler

    @cached_property
    def profile(self) -> WindowProfile:
        """The window's own profile."""
        return merge(self.history.profiles[self.now[0] : self.now[1]])

    @cached_property
    def total(self) -> npt.NDArray[np.int64]:
        """Counts of all events of the window, by the ruler's layout."""
        return self.history.total(*self.now)

    @property
    def n(self) -> int:
        """Events in the window."""
        return int(self.total[0])

    @property
    def windows(self) -> int:
        """Windows of history."""
        return (self.past[1] - self.past[0]) // self.length

    @cached_property
    def taught(self) -> int:
        """Windows of history with events enough to be compared with this one."""
        begins = self.past[1] - self.length * np.arange(1, self.windows + 1, dtype=np.intp)
        n = self.history.totals(begins, begins + self.length, [0]).astype(np.float64)
        return int(comparable(np.array([float(self.n)]), n).sum())

    @property
    def learning(self) -> bool:
        """Whether there is too little history for anything that needs a variance."""
        return self.taught < LEARNING_WINDOWS and not self.larger_floors

    def lasting(self, c: Contrasted) -> npt.NDArray[np.bool_]:
        """Whether each contrast shows a state and not one hour.

        Windows of several hours overlap, so that one hour alone would be in two of three.
        """
        return c.spread if self.length > 1 else np.ones(len(c.n), dtype=bool)

    @property
    def _short(self) -> bool:
        """Whether history doesn't reach a week back."""
        first, last = self.past
        if last - first < LEARNING_WINDOWS:
            return True
        begin, end = self.history.profiles[first].window.start, self.history.profiles[last - 1].window.end
        return begin is not None and end is not None and end - begin < dt.timedelta(days=7)

    @cached_property
    def past_total(self) -> npt.NDArray[np.int64]:
        """Counts of all events of history; where there is none, of training."""
        total = self.history.total(*self.past)
        return total if total[0] else self.training

    @property
    def training(self) -> npt.NDArray[np.int64]:
        """Counts of the training data, all strata together."""
        return self.history.training

    def names(self, kind: str) -> Counter[str]:
        """Names counted in the window, see ``WindowProfile.names``."""
        return self.profile.names.get(kind, Counter())

    def past_names(self, kind: str) -> Counter[str]:
        """Names counted in history."""
        total: Counter[str] = Counter()
        for profile in self.history.profiles[self.past[0] : self.past[1]]:
            if kind in profile.names:
                total.update(profile.names[kind])
        return total

    def at(self, counts: npt.NDArray[np.int64], *keys: CellKey) -> int:
        """Sum of the named cells."""
        return int(sum(counts[self.ruler.index[key]] for key in keys))

    def events_in(self, segment: Segment, span: tuple[int, int]) -> int:
        """Events of a segment in a range of profiles."""
        profiles = self.history.profiles[span[0] : span[1]]
        return sum(int(counts[0]) for p in profiles for (_, held), counts in p.cells.items() if held == segment)

    def missing(self, counts: npt.NDArray[np.int64], feature: str) -> int:
        """How often ``feature`` was missing, in any way."""
        return self.at(counts, *((feature, "missing", kind) for kind in MISSING_KINDS))

    def lessons(self, feature: str) -> list[int]:
        """Positions of the profiles of history that may teach what is normal of a feature."""
        first, last = self.past
        taught = np.ones(last - first, dtype=bool)
        for names, inside in self.history.within_profiles(first, last, self.spans):
            if feature in names:
                taught &= ~inside
        return (np.flatnonzero(taught) + first).tolist()

    def taught_total(self, feature: str) -> npt.NDArray[np.int64]:
        """Counts of all events of those profiles."""
        total = np.zeros(len(self.ruler.cells), dtype=np.int64)
        for k in self.lessons(feature):
            total += self.history.total(k, k + 1)
        return total

    def values(self, feature: str) -> int:
        """How many requests of the window say something of a feature (an input; of an output, all do)."""
        return self.n - self.missing(self.total, feature) if self.ruler.by_name[feature].is_input else self.n

    def window_counts(self, feature: str, cells: Sequence[int]) -> npt.NDArray[np.int64]:
        """Counts of some cells in each window of history that may teach what is normal of a feature.

        Returns:
            shape (windows, len(cells)); a window of which any profile must not teach is left out.
        """
        first, last = self.past
        bad = np.ones(last - first, dtype=np.int64)
        bad[np.asarray(self.lessons(feature), dtype=np.intp) - first] = 0
        begins = np.arange(last - self.windows * self.length, last, self.length)
        spoilt = np.concatenate([[0], np.cumsum(bad)])
        begins = begins[spoilt[begins - first + self.length] == spoilt[begins - first]]
        return self.history.totals(begins, begins + self.length, cells)

    @cached_property
    def _past_rows(self) -> tuple[slice, Index, list[tuple[frozenset[str], npt.NDArray[np.bool_]]]]:
        """Rows of history, the window that each belongs to, and what of them must not teach."""
        past = self.history.rows_of(*self.past)
        position = self.history.row_profile(past) - (self.past[1] - self.windows * self.length)
        return (
            past,
            np.where(position >= 0, position // self.length, -1),
            self.history.within(past, self.spans),
        )

    def _sides(
        self, key: str, contrasts: Contrasts, *, segmented: bool, columns: Index | None = None
    ) -> tuple[Rows, Index, Rows]:
        """Rows of history (its windows beside them) and of the window; of some ``columns`` only, where given."""
        past, windows, tainted = self._past_rows
        rows = self.history.rows(key, contrasts, past, segmented=segmented)
        current = self.history.rows(key, contrasts, self.history.rows_of(*self.now), segmented=segmented)
        about = np.arange(rows.n.shape[1]) % len(contrasts)
        if columns is not None:
            rows, current, about = take(rows, columns), take(current, columns), about[columns]
        out = np.zeros(rows.n.shape, dtype=bool)
        for names, inside in tainted:
            hit = np.array([feature in names for feature in contrasts.features], dtype=bool)[about]
            if hit.any():
                out[np.ix_(inside, hit)] = True
        if out.any():
            rows = changed(rows, lambda part: np.where(out, 0.0, part))
        if self._short and not segmented and (contrasts.trained or self.larger_floors):
            # Too little history to know every hour of the week: what training had stands in.
            trained = self.history.trained(key, lambda: self._trained(contrasts))
            if columns is not None:
                trained = take(trained, columns)
            rows = joined(trained, rows)
            windows = np.concatenate([np.full(len(trained.n), -1), windows])
        seen = np.zeros(len(STRATA), dtype=bool)
        seen[rows.stratum] = True
        unknown = ~seen[current.stratum]
        some = self.any_hour and current.n[unknown].sum() > (1 - KNOWN_HOURS) * current.n.sum()
        if some or (self.larger_floors and unknown.any()):
            # One side knows the hours and the other doesn't: compare without them.
            rows, current = (replace(side, stratum=np.zeros_like(side.stratum)) for side in (rows, current))
        return rows, windows, current

    def _trained(self, contrasts: Contrasts) -> Rows:
        """Training counts as rows, one a stratum; they belong to no window."""
        index = self.ruler.index
        table = np.zeros((len(self.card.training), len(self.ruler.cells)), dtype=np.int64)
        for row, counts in enumerate(self.card.training.values()):
            for key, count in counts.items():
                table[row, index[key]] = count
        strata = np.array([STRATA[s] for s in self.card.training], dtype=np.intp)
        return Rows(*contrasts.sums(table[:, contrasts.cells]), strata)

    def contrast(self, key: str, build: Builder, *, segmented: bool = False) -> tuple[Contrasts, Contrasted]:
        """Compare the window with history in contrasts that ``build`` makes of the ruler (kept under ``key``).

        With ``segmented`` there is a column for each segment and contrast: ``column = segment * C + contrast``.
        """
        contrasts = self.history.contrasts(key, build)
        held = self._held.get((key, segmented))
        if held is None:
            n = self.history.rows(key, contrasts, self.history.rows_of(*self.now), segmented=segmented).n.sum(axis=0)
            # A window with few events is left to the longer ones.
            columns = np.flatnonzero(n >= MIN_EVENTS)
            rows, windows, current = self._sides(key, contrasts, segmented=segmented, columns=columns)
            if segmented:
                kept = np.flatnonzero(suspects(rows, current, inflation=contrasts.inflation))
                rows, current, columns = take(rows, kept), take(current, kept), columns[kept]
            skewness = None
            if not contrasts.indicators:
                skewness = np.resize(contrasts.skewness or np.zeros(len(contrasts)), len(n))[columns]
            part = contrast(
                rows,
                windows,
                current,
                inflation=contrasts.inflation,
                natural=not self.larger_floors,
                skewness=skewness,
            )
            held = spread_out(part, columns, len(n), n)
            if not segmented and not n.all():
                # Of what the model never says there is nothing to judge.
                ever = self.history.rows(key, contrasts, self._past_rows[0]).n.sum(axis=0)
                held = replace(held, judged=held.judged | ((n == 0) & (ever == 0)))
            self._held[key, segmented] = held
        return contrasts, held

    def onset(self, key: str, build: Builder, column: int, *, segmented: bool = False) -> dt.datetime | None:
        """Since when the contrast in ``column`` is shifted; None where the data has no time."""
        contrasts = self.history.contrasts(key, build)
        start = self.now[0] - max(ONSET_REACH - (self.now[1] - self.now[0]), 0)
        first = max(start, self.past[0])
        past, recent = self.history.rows_of(*self.past), self.history.rows_of(first, self.now[1])
        one = np.array([column])
        before = take(self.history.rows(key, contrasts, past, segmented=segmented), one)
        lately = take(self.history.rows(key, contrasts, recent, segmented=segmented), one)
        if not len(lately.n) or self.history.profiles[first].window.start is None:
            return self.profile.window.start
        plain = all(weight == 1.0 for _, weight in contrasts.weights[column % len(contrasts)])
        row = onset(before, lately, inflation=contrasts.inflation, plain=plain)
        return self.history.profiles[int(self.history.row_profile(recent)[row])].window.start

    def first_seen(self, kind: str, name: str) -> dt.datetime | None:
        """When a name counted in the window began to come, without a gap of :data:`GAP` profiles; None if it didn't."""
        earliest, gap = None, 0
        for profile in reversed(self.history.profiles[max(self.now[1] - ONSET_REACH, 0) : self.now[1]]):
            if name in profile.names.get(kind, ()):
                earliest, gap = profile.window.start, 0
            elif gap == GAP:
                break
            else:
                gap += 1
        return earliest

    def concentrated(self, key: str, build: Builder, column: int) -> tuple[Segment, int, float, float] | None:
        """The smallest segment that holds nearly all of what is too much in a contrast.

        Returns:
            Segment, its events, observed and expected contrast in it; None where the excess is everywhere.
        """
        contrasts = self.history.contrasts(key, build)
        if not self.history.segments or self.larger_floors:  # without history nothing is known of any segment
            return None
        rows, _, now = self._sides(key, contrasts, segmented=True)
        whole, _, whole_now = self._sides(key, contrasts, segmented=False)
        parts = slice(column, None, len(contrasts))
        n, x = (part.sum(axis=0)[parts] for part in (now.n, now.x))
        expected = rows.x.sum(axis=0)[parts] / np.maximum(rows.n.sum(axis=0)[parts], 1)
        all_x, all_x2, all_n = (float(part[:, column].sum()) for part in (whole_now.x, whole_now.x2, whole_now.n))
        all_expected = float(whole.x[:, column].sum() / max(whole.n[:, column].sum(), 1))
        se = float(self.contrast(key, build)[1].se[column])
        about = contrasts.features[column]
        for s in concentrated(x, n, expected, (all_x, all_x2, all_n, all_expected), se).tolist():
            if self.history.segments[s][0] != about:
                return self.history.segments[s], int(n[s]), float(x[s] / n[s]), float(expected[s])
        return None

    def finding(
        self,
        check: str,
        *,
        feature: str | None,
        n: int,
        message: str,
        observed: float | None = None,
        reference: float | None = None,
        effect: Effect | None = None,
        p_value: float | None = None,
        segment: Segment | None = None,
        severity: Severity = "warning",
        onset: dt.datetime | None = None,
        evidence: dict[str, Any] | None = None,
    ) -> Finding:
        """A finding about this window."""
        versions = self.names("version")
        return Finding(
            check=check,
            feature=feature,
            segment=None if segment is None else {segment[0]: segment[1]},
            model=self.card.model,
            version=next(iter(versions)) if len(versions) == 1 else None,
            window=Window(self.profile.window.start, self.profile.window.end),
            n=n,
            reference=reference,
            observed=observed,
            effect=effect,
            p_value=p_value,
            severity=severity,
            onset=onset or self.profile.window.start,
            message=message,
            evidence=evidence or {},
        )

    @property
    def usually(self) -> str:
        """What the window was compared with, in words."""
        return "usual" if self.profile.window.start is None or self.larger_floors else "at these hours"

    def since(self, moment: dt.datetime | None) -> str:
        """The words "since 2013-02-05 14:00" in the ruler's time zone, a blank before them; empty without a time."""
        if moment is None:
            return ""
        from zoneinfo import ZoneInfo  # noqa: PLC0415

        return f" since {moment.astimezone(ZoneInfo(self.ruler.time_zone)):%Y-%m-%d %H:%M %Z}"


def inputs_of(ruler: Ruler, *kinds: str) -> list[Feature]:
    """The ruler's inputs of some kinds."""
    return [feature for feature in ruler.inputs if feature.kind in kinds]
