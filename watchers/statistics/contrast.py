"""Is a window further from what is expected at its hours than windows ever are?

A contrast is a weighted share, ``sum_k a_k x_k / n``: the share of missing values, of one category, the mean normal
score of a number. It is additive, so windows of any length are sums of rows (one row an hour).

Expectation is post-stratified: each row is compared with other rows of its stratum (hour of day, weekday or weekend),
shrunk towards the pooled share (direct standardisation: Fleiss, Levin & Paik, Statistical Methods for Rates and
Proportions, 3rd ed. 2003, ch. 19). To sampling variance the natural variance between windows is added, estimated by
moments from history, separately for each contrast (DerSimonian & Laird 1986, Controlled Clinical Trials 7:177).
The reference distribution is Student's t with Satterthwaite's degrees of freedom (1946, Biometrics Bulletin 2:110).

Windows that follow each other resemble each other where weather or fashion rules: 672 hours of it say no more than a
few dozen independent ones. Their effective number stands in the degrees of freedom and in the error of the expectation
(Bayley & Hammersley 1946, Supplement to the Journal of the Royal Statistical Society 8:184), and what moved between the
two halves of history is allowed to move once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse, special

from watchers.statistics.envelope import envelope, margin, skewed_tail
from watchers.statistics.natural import natural_variance
from watchers.statistics.rows import Array, Index, Rows, strata_totals

PRIOR: Final = 50.0
"""Weight, in events, of the pooled share in the expectation of a stratum."""

MIN_EVENTS: Final = 20
"""A window with fewer is not compared: a longer one will be."""

KNOWN_HOURS: Final = 0.8
"""Share of a window's events that must fall into strata that history has seen."""

THIN: Final = 0.1
"""A window with less than this share of the events that were usual, or are to be judged, is thin."""

CONFIDENCE: Final = 0.95

HALF: Final = 0.5
"""So much of a shift must stay without the hour that shows it most."""

ROUNDING: Final = 1e-9
"""Variances of less than this share of the mean square are none."""

SUSPICIOUS: Final = 2.0
"""Standard errors of sampling under which nothing is looked at closer, where there are very many contrasts."""

COMMON: Final = 5
"""Events a window that make a contrast's variance comparable with others'."""


@dataclass(frozen=True, slots=True)
class Contrasted:
    """What the window says beside its history; arrays of shape (contrasts,).

    Attributes:
        n: Denominator in the window.
        observed: Contrast in the window.
        expected: What history expects at these hours.
        r: ``observed - expected``.
        se: Standard error of ``r``: sampling and natural variance together.
        natural: Natural variance of a window's contrast, in ``se`` already.
        t: ``r / se``.
        nu: Degrees of freedom of ``t``.
        p_value: Two-sided.
        low: Lower end of a one-sided 95 % bound on ``|r|``; negative where the sign is uncertain.
        high: Upper end.
        extreme: Greatest ``|t|`` of history's windows, each judged without itself (see ``WINDOWS_PER_OUTLIER``).
        kappa: By how much ``|t|`` must exceed ``extreme``: more where natural variance rules, and few windows show it.
        windows: Number of history windows that could be compared.
        history_x: Sum over history, for tests of rare events.
        history_n: Its denominator.
        phi: Variance over mean of the history windows' counts, at least 1.
        worst_rate: Greatest contrast of comparable history windows, as for ``extreme``.
        past: ``t`` of history's windows, each judged without itself, shape (history windows, contrasts); 0 where a
            window can't be compared.
        judged: Whether anything can be said at all: events enough, hours that history knows, values in history.
        spread: Whether the shift is in more than one of the window's rows: without the one that shows it most at least
            half of it stays. Of a window of one row nothing is known, and it is True.
    """

    n: Array
    observed: Array
    expected: Array
    r: Array
    se: Array
    natural: Array
    t: Array
    nu: Array
    p_value: Array
    low: Array
    high: Array
    extreme: Array
    kappa: Array
    windows: Array
    history_x: Array
    history_n: Array
    phi: Array
    worst_rate: Array
    past: Array
    judged: npt.NDArray[np.bool_]
    spread: npt.NDArray[np.bool_]

    @property
    def beyond(self) -> npt.NDArray[np.bool_]:
        """Whether the window lies outside of the envelope of history."""
        return np.abs(self.t) > self.kappa * self.extreme


@dataclass(frozen=True, slots=True)
class Residuals:
    """Rows less what the other windows' rows of their stratum expect; sums of these give windows of any length."""

    e: Array
    variance: Array


def comparable(n: Array, past_n: Array) -> npt.NDArray[np.bool_]:
    """Which windows of history say something of what one of ``n`` events does naturally: not those much thinner.

    Where all are thin (ten times the usual traffic), they are what there is.

    Args:
        n: Events in the window, shape (contrasts,).
        past_n: Events in history's windows, shape (windows, contrasts).
    """
    usual = past_n.sum(axis=0) / max(len(past_n), 1)
    result: npt.NDArray[np.bool_] = past_n >= np.maximum(MIN_EVENTS / 2, THIN * np.minimum(n, usual))
    return result


def residuals(rows: Rows, totals: tuple[Array, Array, Array], *, leave_out: bool, inflation: float = 1.0) -> Residuals:
    """Residual and sampling variance of each row.

    Args:
        rows: The rows to judge.
        totals: What :func:`strata_totals` gave of history.
        leave_out: Whether ``rows`` are part of that history and must be left out of their own expectation.
        inflation: Design effect: by how much sampling variance exceeds that of independent draws.
    """
    tx, tx2, tn = totals
    n_all = tn.sum(axis=0)
    safe = np.maximum(n_all, 1.0)
    indicators = tx2 is tx and rows.x2 is rows.x
    pooled = tx.sum(axis=0) / safe
    pooled2 = pooled if indicators else tx2.sum(axis=0) / safe
    # The tables are large, and made anew below: they may be written into.
    p, weight = tx[rows.stratum], tn[rows.stratum]
    if leave_out:
        p -= rows.x
        weight -= rows.n
    weight += PRIOR
    p += PRIOR * pooled
    p /= weight
    if indicators:
        variance = p.copy()
    else:
        variance = tx2[rows.stratum]
        if leave_out:
            variance -= rows.x2
        variance += PRIOR * pooled2
        variance /= weight
    variance -= p * p
    np.maximum(variance, 0.05 * np.maximum(pooled2 - pooled * pooled, 0.0), out=variance)
    variance *= inflation
    np.divide(rows.n * rows.n, weight, out=weight)
    weight += rows.n
    variance *= weight
    np.multiply(p, rows.n, out=p)
    np.subtract(rows.x, p, out=p)
    return Residuals(p, variance)


def contrast(
    history: Rows,
    windows: Index,
    current: Rows,
    *,
    inflation: float = 1.0,
    natural: bool = True,
    skewness: Array | None = None,
) -> Contrasted:
    """Compare the sum of ``current`` rows with windows of ``history``.

    Args:
        history: Rows of the past.
        windows: The window that each row belongs to, shape (rows,), numbered from 0; -1 leaves a row out of the
            windows (it still helps the expectation).
        current: Rows of the window to judge.
        inflation: Design effect of the sampling (2 for words of one document).
        natural: Whether history's windows are like the current one, so that natural variance can be learnt.
        skewness: Of one event's weight, shape (contrasts,); by default they are indicators, whose share says it.

    Returns:
        The comparison; contrasts without data in the window or in history have ``p_value`` 1 and ``t`` 0.
    """
    size = int(max(history.stratum.max(initial=0), current.stratum.max(initial=0))) + 1
    totals = strata_totals(history, size)
    past = residuals(history, totals, leave_out=True, inflation=inflation)
    now = residuals(current, totals, leave_out=False, inflation=inflation)
    n = current.n.sum(axis=0)
    safe_n = np.maximum(n, 1.0)
    r = now.e.sum(axis=0) / safe_n
    v = now.variance.sum(axis=0) / safe_n**2
    observed = current.x.sum(axis=0) / safe_n
    history_x, history_n = totals[0].sum(axis=0), totals[2].sum(axis=0)
    nature = _nature(history, windows, past, n, v, natural=natural)
    tau2 = nature.variance
    variance = v + tau2
    se = np.sqrt(np.maximum(variance, 1e-300))
    # Hours that history doesn't know can't be expected anything of.
    known = (current.n * (totals[2][current.stratum] > 0)).sum(axis=0) >= KNOWN_HOURS * n
    # What never varied, but for rounding, has no scale to be judged on.
    square = totals[1].sum(axis=0) / np.maximum(history_n, 1)
    # Without a window to learn from, natural variance would be taken for none.
    judged = (n >= MIN_EVENTS) & known & (history_n > 0) & (nature.usable.any(axis=0) | (not natural))
    varied = judged & (variance * n > ROUNDING * square)
    t = np.where(varied, r / se, 0.0)
    nu = np.clip(variance**2 / np.maximum(tau2**2 / np.maximum(nature.effective - 1, 1), 1e-300), 1.0, 1e6)
    reach = special.stdtrit(nu, CONFIDENCE) * se
    if skewness is None:
        share = np.clip(history_x / np.maximum(history_n, 1), 1e-12, 1 - 1e-12)
        skewness = (1 - 2 * share) / np.sqrt(share * (1 - share))
    tail = skewed_tail(t, skewness / np.sqrt(safe_n) * (v / np.maximum(variance, 1e-300)) ** 1.5)
    past_t = np.where(nature.usable, nature.r / np.sqrt(np.maximum(nature.sampling + tau2, 1e-300)), 0.0)
    return Contrasted(
        n=n,
        observed=observed,
        expected=observed - r,
        r=r,
        se=se,
        natural=tau2,
        t=t,
        nu=nu,
        p_value=np.where(varied, np.minimum(2 * np.maximum(special.stdtr(nu, -np.abs(t)), tail), 1.0), 1.0),
        low=np.where(varied, np.abs(r) - reach, -1.0),
        high=np.abs(r) + reach,
        extreme=envelope(np.abs(past_t)),
        kappa=margin(tau2 / np.maximum(variance, 1e-300), nature.effective),
        windows=nature.usable.sum(axis=0).astype(np.float64),
        history_x=history_x,
        history_n=history_n,
        phi=_overdispersion(nature.x, nature.usable),
        worst_rate=envelope(nature.rate),
        past=past_t,
        judged=judged,
        spread=_spread(now.e, current.n, r),
    )


@dataclass(frozen=True, slots=True)
class _Nature:
    """History's windows, arrays of shape (windows, contrasts), and what they say of windows by nature, (contrasts,).

    Attributes:
        usable: Whether a window can be compared with the judged one; 0 stands for it elsewhere where it can't.
        r: Contrast less what the other windows expect of it.
        sampling: Its sampling variance.
        x: Weighted counts.
        rate: Contrast.
        variance: Natural variance.
        effective: Number of independent windows behind it.
    """

    usable: npt.NDArray[np.bool_]
    r: Array
    sampling: Array
    x: Array
    rate: Array
    variance: Array
    effective: Array


def _nature(history: Rows, windows: Index, past: Residuals, n: Array, v: Array, *, natural: bool) -> _Nature:
    """What history's windows show of a window of ``n`` events with sampling variance ``v``."""
    summed = _by_window(windows)
    e_h, var_h, n_h, x_h = (summed(part) for part in (past.e, past.variance, history.n, history.x))
    x2_h = x_h if history.x2 is history.x else summed(history.x2)
    usable = comparable(n, n_h)
    many = usable.sum(axis=0).astype(np.float64)
    inverse = usable / np.maximum(n_h, 1.0)
    r, sampling = e_h * inverse, var_h * inverse * inverse
    variance, effective = np.zeros_like(v), many
    if natural:
        common = (x2_h * usable).sum(axis=0) >= COMMON * many
        variance, effective = natural_variance(r, sampling, np.minimum(n_h, n) * usable, usable, v, common)
    return _Nature(usable, r, sampling, x_h * usable, x_h * inverse, variance, effective)


def suspects(history: Rows, current: Rows, *, inflation: float = 1.0) -> npt.NDArray[np.bool_]:
    """Which contrasts lie so far from what is expected that natural variance is worth learning, shape (contrasts,).

    Natural variance only makes ``t`` smaller, so that what sampling variance alone explains can't alarm.
    """
    size = int(max(history.stratum.max(initial=0), current.stratum.max(initial=0))) + 1
    now = residuals(current, strata_totals(history, size), leave_out=False, inflation=inflation)
    result: npt.NDArray[np.bool_] = now.e.sum(axis=0) ** 2 > SUSPICIOUS**2 * now.variance.sum(axis=0)
    return result


def _spread(e: Array, n: Array, r: Array) -> npt.NDArray[np.bool_]:
    """Whether half of a shift stays without the row that shows it most."""
    if len(e) < 2:
        return np.ones(len(r), dtype=bool)
    towards = e * np.sign(r)
    most = np.argmax(np.where(n > 0, towards, -np.inf), axis=0)
    columns = np.arange(len(r))
    rest = towards.sum(axis=0) - towards[most, columns]
    others = n.sum(axis=0) - n[most, columns]
    result: npt.NDArray[np.bool_] = (others <= 0) | (rest >= HALF * np.abs(r) * others)
    return result


def _overdispersion(counts: Array, usable: npt.NDArray[np.bool_]) -> Array:
    """Variance over mean of the windows' counts, at least 1."""
    many = usable.sum(axis=0)
    mean = counts.sum(axis=0) / np.maximum(many, 1)
    spread = (usable * (counts - mean) ** 2).sum(axis=0) / np.maximum(many - 1, 1)
    result: Array = np.maximum(spread / np.maximum(mean, 1e-12), 1.0)
    return result


def spread_out(part: Contrasted, columns: Index, width: int, n: Array) -> Contrasted:
    """``part`` in its places among ``width`` contrasts; the others were not judged: ``p_value`` 1, ``low`` -1.

    Args:
        part: Comparison of the chosen contrasts.
        columns: Their places.
        width: All contrasts.
        n: Denominators of all of them in the window.
    """
    if len(columns) == width:
        return part
    blank = {"p_value": 1.0, "low": -1.0, "nu": 1.0, "kappa": 1.25, "phi": 1.0, "extreme": np.inf, "worst_rate": np.inf}
    values = {}
    for name in Contrasted.__dataclass_fields__:
        value: Array = getattr(part, name)
        whole = np.full((*value.shape[:-1], width), blank.get(name, 0.0))
        whole[..., columns] = value
        values[name] = whole
    values["n"] = n
    for name in ("judged", "spread"):
        values[name] = values[name] > 0
    return Contrasted(**values)


def _by_window(windows: Index) -> Callable[[Array], Array]:
    """Sums of rows by window; windows are numbered in the order of the rows, so each is mostly one run.

    Args:
        windows: Of each row, as for :func:`contrast`.

    Returns:
        A function of a table of shape (rows, contrasts), which gives one of shape (windows, contrasts).
    """
    member = windows >= 0
    count = int(windows.max(initial=-1)) + 1
    if count == 0:
        return lambda part: np.zeros((0, part.shape[1]))
    chosen: slice | npt.NDArray[np.bool_] = member
    first = int(np.argmax(member))
    if member[first:].all():
        chosen = slice(first, None)
    inside = windows[chosen]
    if len(inside) == count and np.array_equal(inside, np.arange(count)):
        return lambda part: part[chosen]
    starts = np.flatnonzero(np.diff(inside, prepend=-1))
    if len(starts) == count:
        return lambda part: np.add.reduceat(part[chosen], starts, axis=0)
    rows = len(inside)
    table = sparse.csr_array((np.ones(rows), (inside, np.arange(rows))), shape=(count, rows))
    return lambda part: np.asarray(table @ part[chosen])
