"""Does serving differ from training? The last seven days against the card alone, once a day.

History can't tell: a stream that differs from its first day on is its own history. Nor does training tell by how much
weeks differ from each other; but the days of the week do. A gap counts where it is the same day after day, and larger
than the larger floors of a view without history. What the weather did to two days of seven is none.

Runbook: from the first day on it is a feature that serving computes otherwise than training did, or a training set that
isn't what the model meets; the contrast says which share or number. Later on it is the world: retrain. Where the new
level is right and wanted, a card of the new training ends it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from scipy import special

from mllog.card import ModelCard
from watchers.checks import all_checks
from watchers.finding import Finding, State, Window
from watchers.history import Builder, Contrasts, History, Quarantine
from watchers.judge import judge
from watchers.profile import WindowProfile
from watchers.statistics import MIN_EVENTS, Contrasted
from watchers.statistics.contrast import residuals
from watchers.statistics.rows import Array, Index, strata_totals
from watchers.view import View

NAME: Final = "training_skew"

HOURS: Final = 168
"""Hours of the window: a whole week, so that no weekday is missing."""

DAY: Final = dt.timedelta(hours=24)

CONFIDENCE: Final = 0.99
"""Higher than elsewhere: days of one week's weather are more alike than days are."""

NOTABLE: Final = {"difference in share": 0.10, "shift in sd": 0.50}
"""Effects, by their scale, of which somebody is told; a lesser gap is recorded. They are twice the floors."""


class _Week(View):
    """A week beside training, hour by hour; since when they differ it can't say."""

    @property
    def usually(self) -> str:
        return "in training"

    def onset(self, key: str, build: Builder, column: int, *, segmented: bool = False) -> None:  # noqa: ARG002
        return None


class _Days(_Week):
    """The same, which knows by how much its days differ."""

    def contrast(self, key: str, build: Builder, *, segmented: bool = False) -> tuple[Contrasts, Contrasted]:
        """As any view does, with wider bounds."""
        contrasts, c = super().contrast(key, build, segmented=segmented)
        rows, _, now = self._sides(key, contrasts, segmented=segmented)
        strata = int(max(rows.stratum.max(initial=0), now.stratum.max(initial=0))) + 1
        gaps = residuals(now, strata_totals(rows, strata), leave_out=False, inflation=contrasts.inflation).e
        reach = _reach(gaps, now.n, self._days(self.history.rows_of(*self.now)))
        size = np.abs(c.r)
        return contrasts, replace(c, low=np.minimum(c.low, size - reach), high=np.maximum(c.high, size + reach))

    def _days(self, rows: slice) -> Index:
        """The day (UTC) of each row, numbered from 0."""
        starts = [self.history.profiles[k].window.start for k in self.history.row_profile(rows)]
        dates = [start.astimezone(dt.UTC).date().toordinal() if start else 0 for start in starts]
        return np.unique(dates, return_inverse=True)[1].astype(np.intp)


def _reach(x: Array, n: Array, days: Index) -> Array:
    """How far a share of the week may lie from that of all such weeks, by how much its days differ.

    The variance of a ratio from clusters (Cochran, Sampling Techniques, 3rd ed. 1977, section 6.4), with the days for
    clusters, and Student's t with as many degrees of freedom as there are days, less one.

    Args:
        x: Numerators by row, shape (rows, contrasts).
        n: Denominators, the same shape.
        days: Day of each row, shape (rows,).

    Returns:
        One-sided bound at :data:`CONFIDENCE`, shape (contrasts,); infinite where only one day says anything.
    """
    member = np.equal.outer(np.arange(days.max(initial=0) + 1), days).astype(np.float64)
    by_day, of_day = member @ x, member @ n
    many = (of_day > 0).sum(axis=0)
    whole = np.maximum(of_day.sum(axis=0), 1.0)
    apart = by_day - of_day * (by_day.sum(axis=0) / whole)
    variance = (apart**2).sum(axis=0) * many / np.maximum(many - 1, 1) / whole**2
    reach: Array = special.stdtrit(np.maximum(many - 1, 1), CONFIDENCE) * np.sqrt(variance)
    return np.where(many > 1, reach, np.inf)


def training_skew(card: ModelCard, hours: Sequence[WindowProfile], spans: Quarantine = ()) -> list[Finding]:
    """Judge the last days of a model against its training.

    A feature differs where its gap is there with the hours of incidents and without them: neither is a fault of one day
    how serving differs, nor does a gap go on because its end looked like a fault.

    Args:
        card: The model's card.
        hours: Its hours, up to :data:`HOURS` of them, oldest first.
        spans: Hours of incidents, by feature.

    Returns:
        A finding for each feature that differs, whose ``evidence`` names the ``contrast`` and the ``check`` that
        measured it; one of state ``unknown`` for each that seems to, but not day after day, or of which there is no day
        without an incident; and one of state ``ok`` for all others. Nothing at all of less than a day.
    """
    window = Window(hours[0].window.start, hours[-1].window.end)
    counted = [hour for hour in hours if hour.complete and hour.n]
    whole = _book(card, counted)
    if whole is None:
        return []
    seeming = _gaps(_Week, card, whole)
    parts: dict[tuple[int, ...], list[str]] = {}
    for name in seeming:
        calm = tuple(k for k, hour in enumerate(counted) if not _within(hour, name, spans))
        parts.setdefault(calm, []).append(name)
    findings = [_said(card, window, None, "ok")]
    for calm, names in parts.items():
        book = whole if len(calm) == len(counted) else _book(card, [counted[k] for k in calm])
        sure = _gaps(_Days, card, book) if book else {}
        still = seeming if book is None or book is whole else _gaps(_Week, card, book)
        for name in names:
            if name in sure:
                findings.append(_of_week(sure[name], window))
            elif name in still:
                findings.append(_said(card, window, name, "unknown"))
    return findings


def _within(hour: WindowProfile, feature: str, spans: Quarantine) -> bool:
    start = hour.window.start
    return start is not None and any(
        feature in names and begin <= start and (end is None or start < end) for names, begin, end in spans
    )


def _book(card: ModelCard, hours: Sequence[WindowProfile]) -> History | None:
    """Some hours as one window; None where they are too few for one."""
    if sum(hour.n for hour in hours) < MIN_EVENTS:
        return None
    begin, end = hours[0].window.start, hours[-1].window.end
    if begin is None or end is None or end - begin < DAY:  # what differs may be the time of day
        return None
    book = History(card, hours)
    book.segments.clear()  # what training said in each of them no card knows
    return book


def _gaps(kind: type[_Week], card: ModelCard, book: History) -> dict[str, Finding]:
    """By feature the largest gap between a week and training."""
    week = kind(card, book, past=(0, 0), now=(0, len(book)), larger_floors=True)
    found: dict[str, Finding] = {}
    for finding in judge(week, [check for check in all_checks() if check.trained]):
        name = finding.feature
        if name is not None and (name not in found or _size(finding) > _size(found[name])):
            found[name] = finding
    return found


def _size(finding: Finding) -> float:
    """How large an effect is, in notable ones, whatever its scale."""
    return abs(finding.effect.value) / NOTABLE[finding.effect.name] if finding.effect else 0.0


def _of_week(gap: Finding, window: Window) -> Finding:
    """A check's finding on the counts of a week as one of this question."""
    days = round(gap.window.seconds / 86_400)
    gap.evidence = {
        "check": gap.check,
        "contrast": gap.evidence.get("contrast") or gap.evidence.get("category") or gap.check,
        "query": gap.evidence["query"],
    }
    gap.check, gap.window, gap.onset = NAME, window, window.start
    gap.severity = "warning" if _size(gap) >= 1 else "info"
    gap.message = f"serving differs from training: over {days} day{'s' * (days != 1)} {gap.message}"
    return gap


def _said(card: ModelCard, window: Window, feature: str | None, state: State) -> Finding:
    message = "no gap between serving and training" if state == "ok" else "no gap that is there day after day"
    return Finding(NAME, card.model, window, 0, feature, state=state, severity="info", message=message)
