from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mllog.ruler import Feature
from watchers.checks.unit_change import EXPLAINED, best_scale
from watchers.statistics import Rows, at_least, concentrated, contrast, omnibus, q_values, rare_events, rate_low
from watchers.statistics.contrast import (
    CONFIDENCE,
    KNOWN_HOURS,
    MIN_EVENTS,
    PRIOR,
    ROUNDING,
    SUSPICIOUS,
    Contrasted,
    suspects,
)
from watchers.statistics.envelope import WINDOWS_PER_OUTLIER, margin
from watchers.statistics.natural import MOST_FREEDOM, STEADIEST, moderated, natural_variance
from watchers.statistics.onset import onset, onset_of_shift


def one(x: list[float], x2: list[float], n: list[float], stratum: list[int]) -> Rows:
    """Rows of a single contrast."""
    column = [np.array(part, dtype=np.float64).reshape(-1, 1) for part in (x, x2, n)]
    return Rows(column[0], column[1], column[2], np.array(stratum, dtype=np.intp))


def slow_natural(windows: list[tuple[float, float, float] | None], sampling: float) -> tuple[float, float]:
    """Natural variance and effective number of windows as their documentation says them: windows are (r, v, weight)."""
    there = [w for w in windows if w]
    many, total = len(there), max(sum(w for *_, w in there), 1e-12)
    chance = sum(w * v for _, v, w in there) / total
    found = max(sum(w * r * r for r, _, w in there) / total - chance, 0.0)
    pairs = [(one[0], two[0]) for one, two in itertools.pairwise(windows) if one and two]
    together = sum(a * b for a, b in pairs) / max(len(pairs), 1)
    rho = 0.0
    if together > 2 * (found + chance) / math.sqrt(max(len(pairs), 1)):
        rho = min(max((together / max(found, together) * many + 1) / max(many - 3, 1), 0), STEADIEST)
    independent = max(many * (1 - rho) / (1 + rho), 1)
    half = len(windows) // 2
    means = [
        sum(w[0] * w[2] for w in part if w) / max(sum(w[2] for w in part if w), 1e-12)
        for part in (windows[:half], windows[half:])
    ]
    trend = max((means[1] - means[0]) ** 2 - 16 * (found + chance) / independent, 0) if many >= 4 else 0.0
    tau2 = max(found * (1 + 1 / independent) + 0.75 * trend, 0.5 * sampling * math.sqrt(2 / max(many, 2)))
    return tau2, max(many * (1 - rho**2) / (1 + rho**2), 1)


def slow(past: list[tuple[float, float, float, int]], windows: list[int], now: list[tuple[float, float, float, int]],
         inflation: float = 1.0, *, natural: bool = True) -> dict[str, float]:  # fmt: skip
    """The comparison of one contrast as its documentation says it: rows are (x, x2, n, stratum), in plain Python."""
    every_n = sum(n for _, _, n, _ in past)
    pooled = sum(x for x, *_ in past) / max(every_n, 1)
    pooled2 = sum(x2 for _, x2, *_ in past) / max(every_n, 1)

    def residual(row: tuple[float, float, float, int], own: int | None) -> tuple[float, float]:
        others = [other for k, other in enumerate(past) if other[3] == row[3] and k != own]
        weight = sum(o[2] for o in others) + PRIOR
        p = (sum(o[0] for o in others) + PRIOR * pooled) / weight
        second = (sum(o[1] for o in others) + PRIOR * pooled2) / weight
        variance = max(second - p * p, 0.05 * max(pooled2 - pooled**2, 0))
        return row[0] - row[2] * p, inflation * variance * (row[2] + row[2] ** 2 / weight)

    n = sum(row[2] for row in now)
    parts = [residual(row, None) for row in now]
    r, v = sum(e for e, _ in parts) / max(n, 1), sum(w for _, w in parts) / max(n, 1) ** 2
    sums: dict[int, list[float]] = {k: [0.0] * 4 for k in range(max(windows, default=-1) + 1)}
    for k, (row, window) in enumerate(zip(past, windows, strict=True)):
        if window >= 0:
            e, w = residual(row, k)
            sums[window] = [a + b for a, b in zip(sums[window], (e, w, row[2], row[0]), strict=True)]
    usable = [s for s in sums.values() if s[2] >= max(MIN_EVENTS / 2, 0.1 * n)]
    many = len(usable)
    tau2, effective = 0.0, float(many)
    if natural:
        order = [sums[k] if sums[k][2] >= max(MIN_EVENTS / 2, 0.1 * n) else None for k in sorted(sums)]
        tau2, effective = slow_natural([s and (s[0] / s[2], s[1] / s[2] ** 2, min(s[2], n)) for s in order], v)
    variance = v + tau2
    known = sum(row[2] for row in now if sum(o[2] for o in past if o[3] == row[3]) > 0) >= KNOWN_HOURS * n
    judged = n >= MIN_EVENTS and known and every_n > 0 and variance * n > ROUNDING * pooled2
    se = math.sqrt(max(variance, 1e-300))
    nu = min(max(variance**2 / max(tau2**2 / max(effective - 1, 1), 1e-300), 1), 1e6)
    t = r / se if judged else 0.0
    reach = float(stats.t.ppf(CONFIDENCE, nu)) * se
    sizes = sorted(abs(s[0] / s[2]) / math.sqrt(max(s[1] / s[2] ** 2 + tau2, 1e-300)) for s in usable)
    sizes = [0.0] * (len(sums) - many) + sizes
    return {
        "n": n, "observed": sum(row[0] for row in now) / max(n, 1), "r": r, "se": se, "t": t, "windows": many,
        "p_value": 2 * float(stats.t.sf(abs(t), nu)) if judged else 1.0, "low": abs(r) - reach if judged else -1.0, "high": abs(r) + reach,
        "extreme": sizes[-1 - len(sums) // WINDOWS_PER_OUTLIER] if sizes else 0.0, "kappa": 1.25 + 0.5 * tau2 / max(variance, 1e-300),
        "history_x": sum(row[0] for row in past), "history_n": every_n,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seed", "hours", "length", "natural", "inflation"),
    [(1, 48, 1, True, 1.0), (2, 96, 4, True, 1.0), (3, 60, 1, False, 1.0), (4, 30, 24, True, 2.0), (5, 600, 1, True, 1.0), (6, 3, 1, True, 1.0)],
)  # fmt: skip
def test_contrast_is_what_it_says(seed: int, hours: int, length: int, natural: bool, inflation: float) -> None:
    """The vectorised comparison equals one written row by row in plain Python, thin and empty rows included."""
    rng = np.random.default_rng(seed)
    columns, table = 3, []
    for row in range(hours + length):
        base = [0, 5, 40, 400][rng.integers(4)] if row % 5 == 0 else 200
        n = rng.poisson(base, columns)
        weights = np.array([0.5, 1.0, 2.0])
        counts = rng.multinomial(n, [0.1, 0.2, 0.1, 0.6])[:, :3] if base else np.zeros((columns, 3))
        table.append((counts @ weights, counts @ weights**2, n.astype(float), row % 6))
    x, x2, n, stratum = (np.array(part) for part in zip(*table, strict=True))
    windows = np.arange(hours) // length - (1 if length > 1 else 0)
    past = Rows(x[:hours], x2[:hours], n[:hours], stratum[:hours].astype(np.intp))
    now = Rows(x[hours:], x2[hours:], n[hours:], stratum[hours:].astype(np.intp))
    fast = contrast(past, windows.astype(np.intp), now, natural=natural, inflation=inflation)
    for column in range(columns):
        rows = [(x[k, column], x2[k, column], n[k, column], int(stratum[k])) for k in range(hours + length)]
        want = slow(rows[:hours], windows.tolist(), rows[hours:], inflation, natural=natural)
        for name, value in want.items():
            assert getattr(fast, name)[column] == pytest.approx(value, rel=1e-7, abs=1e-12), name


@pytest.mark.parametrize("n", [200, 500, 2_000])
def test_skewed_weights_alarm_as_often_as_they_say(n: int) -> None:
    """Of a number that is nearly always zero, p values under 0.001 are about one in a thousand, not several."""
    rng = np.random.default_rng(7)
    shares, weights = np.array([0.985, 0.01, 0.004, 0.001]), np.array([-0.2, 2.0, 3.0, 4.0])
    weights = weights - shares @ weights
    weights = weights / math.sqrt(shares @ weights**2)
    skewness = np.full(20_000, shares @ weights**3)
    stratum = np.zeros(1, dtype=np.intp)

    def rows(size: float, counts: npt.NDArray[np.float64]) -> Rows:
        x, x2 = (counts @ part for part in (weights, weights**2))
        return Rows(x[None, :], x2[None, :], np.full((1, len(x)), size), stratum)

    past = rows(1e9, np.tile(1e9 * shares, (20_000, 1)))
    now = rows(n, rng.multinomial(n, shares, 20_000).astype(np.float64))
    windows = np.full(1, -1)
    told = contrast(past, windows, now, natural=False, skewness=skewness).p_value
    plain = contrast(past, windows, now, natural=False, skewness=np.zeros(20_000)).p_value
    assert (told < 1e-3).mean() <= 2.5e-3
    assert (plain < 1e-3).mean() > 1.5 * (told < 1e-3).mean()
    assert (told >= plain - 1e-15).all()
    assert (told < 0.1).mean() > 0.03


@settings(deadline=None, max_examples=100)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(1, 1e4), st.floats(1, 1e4))
def test_the_margin_grows_with_nature_and_falls_with_windows(one: float, two: float, few: float, many: float) -> None:
    """Where chance rules a quarter more than history's greatest is enough; where nature does, more, up to four times."""
    few, many, one, two = min(few, many), max(few, many), min(one, two), max(one, two)
    at = lambda share, windows: float(margin(np.array([share]), np.array([windows]))[0])  # noqa: E731
    assert at(0.0, few) == at(0.0, many) == 1.25
    assert 1.25 <= at(one, few) <= at(two, few) + 1e-12 <= 4 + 2e-12
    assert at(two, few) >= at(two, many) - 1e-12
    assert at(1.0, 1e4) == 1.75


def test_what_is_not_looked_at_closer_could_not_alarm() -> None:
    """Natural variance only makes ``t`` smaller: whatever exceeds the bound with it is a suspect without it."""
    rng = np.random.default_rng(8)
    share = rng.uniform(0.05, 0.5, 400)
    drawn = np.clip(share + rng.normal(0, 0.02, (30, 400)), 0.01, 0.9)
    x = rng.binomial(300, drawn).astype(np.float64)
    x[-1, ::20] += 60
    rows = Rows(x, x, np.full(x.shape, 300.0), np.arange(30) % 4)
    past, now = (Rows(rows.x[k], rows.x2[k], rows.n[k], rows.stratum[k]) for k in (slice(29), slice(29, 30)))
    found, kept = contrast(past, np.arange(29), now), suspects(past, now)
    assert kept[np.abs(found.t) > SUSPICIOUS].all()
    assert kept[::20].all()
    assert 0 < kept.mean() < 0.8


@pytest.mark.parametrize(("part", "explained"), [(1.0, True), (0.3, False)])
def test_a_unit_explains_all_that_moved(part: float, explained: bool) -> None:
    """Everything in kilometres is a factor; a third of it and the rest elsewhere is a mixture that no factor explains."""
    rng = np.random.default_rng(9)
    edges = tuple(np.linspace(100, 3_000, 24).tolist())
    feature = Feature("distance", "number", edges=edges, low=0.0, high=3_000.0)
    values = rng.lognormal(6.5, 0.4, 20_000)
    moved = np.where(rng.random(20_000) < part, values * 1.609344, rng.choice([200.0, 2_700.0], 20_000))
    usual, now = (np.bincount(np.searchsorted(edges, v, side="right"), minlength=25).astype(float) for v in (values, moved))
    factor, gain, share = best_scale(feature, usual, now)
    assert gain > 15
    assert (share > EXPLAINED) == explained
    assert not explained or factor == pytest.approx(1.609344, rel=0.1)


def shares_of(past: npt.NDArray[np.float64], now: npt.NDArray[np.float64], *, natural: bool) -> Contrasted:
    """Each category's share, of windows that are rows of counts."""

    def rows(counts: npt.NDArray[np.float64]) -> Rows:
        n = np.repeat(counts.sum(axis=1, keepdims=True), counts.shape[1], axis=1)
        return Rows(counts, counts, n, np.zeros(len(counts), dtype=np.intp))

    return contrast(rows(past), np.arange(len(past)), rows(now[None, :]), natural=natural)


@pytest.mark.parametrize("shares", [[0.5, 0.3, 0.2], [0.4, 0.2, 0.2, 0.1, 0.05, 0.05]])
def test_omnibus_is_pearsons(shares: list[float]) -> None:
    """Without natural variance and with a long history ``q`` is scipy's chi-squared, ``w`` Cohen's, p the same."""
    rng = np.random.default_rng(5)
    past = 1e6 * np.tile(shares, (20, 1))
    for moved in (0.0, 0.03):
        now = rng.multinomial(2_000, np.array(shares) + np.array([moved, -moved, *[0.0] * (len(shares) - 2)])) * 1.0
        found = omnibus(shares_of(past, now, natural=False), np.zeros(len(shares), dtype=np.intp), 1)
        want = stats.chisquare(now, 2_000 * np.array(shares))
        assert found.q[0] == pytest.approx(want.statistic, rel=2e-3)
        assert found.p_value[0] == pytest.approx(want.pvalue, rel=0.05)
        assert found.w[0] == pytest.approx(math.sqrt(want.statistic / 2_000), rel=2e-3)
        assert 0 <= found.low[0] <= found.w[0]


def test_omnibus_alarms_as_often_as_it_says() -> None:
    """Of clean windows, with natural variance or without, next to none lies beyond; of moved ones nearly all do."""
    rng = np.random.default_rng(6)
    shares, groups = np.array([0.3, 0.3, 0.2, 0.1, 0.1]), np.zeros(5, dtype=np.intp)
    for concentration in (1e9, 3_000.0):
        clean, moved = 0, 0
        for _ in range(100):
            drawn = rng.dirichlet(concentration * shares, 29)
            past = np.array([rng.multinomial(2_000, p) for p in drawn], dtype=np.float64)
            broken = past[-1] + np.array([-300.0, 300.0, 0, 0, 0])
            for counts in (past[-1], broken):
                found = omnibus(shares_of(past[:-1], counts, natural=True), groups, 1)
                alarm = bool(found.beyond[0] and found.p_value[0] < 1e-3 and found.low[0] > 0.05)
                clean, moved = clean + (alarm and counts is not broken), moved + (alarm and counts is broken)
        assert clean <= 1
        assert moved > 95


def test_omnibus_of_nothing() -> None:
    """No group, a single category, empty windows: no alarm and no warning."""
    none = omnibus(shares_of(np.zeros((3, 0)), np.zeros(0), natural=True), np.zeros(0, dtype=np.intp), 0)
    assert none.q.shape == none.p_value.shape == none.most.shape == (0,)
    for past, now in ((np.zeros((9, 2)), np.zeros(2)), (np.full((9, 1), 50.0), np.full(1, 60.0))):
        groups = np.zeros(past.shape[1], dtype=np.intp)
        assert omnibus(shares_of(past, now, natural=True), groups, 1).p_value.tolist() == [1.0]


def test_windows_that_resemble_their_neighbours_count_as_few() -> None:
    """Of an autoregressive series with rho 0.9 a window says a tenth of what an independent one says."""
    rng = np.random.default_rng(3)
    series = np.zeros((600, 200))
    for k in range(1, 600):
        series[k] = 0.9 * series[k - 1] + rng.normal(size=200)
    alone = rng.normal(size=(600, 200))
    ones, common = np.ones(series.shape), np.zeros(200, dtype=bool)
    for r, low, high in ((series, 30, 110), (alone, 570, 600)):
        _, effective = natural_variance(r, 0.01 * ones, ones, ones > 0, 0.01 * ones[0], common)
        assert low < np.median(effective) <= high


def test_what_moved_once_may_move_again() -> None:
    """A step in the middle of history, or a slope, makes more of the next shift natural than its spread alone says."""
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(28, 50))
    noise -= noise.mean(axis=0)
    slope = 6 * (np.linspace(-0.5, 0.5, 28))[:, None]
    ones, common = np.ones(noise.shape), np.zeros(50, dtype=bool)
    still, _ = natural_variance(noise, 0.01 * ones, ones, ones > 0, 0.01 * ones[0], common)
    moving, _ = natural_variance(noise + slope, 0.01 * ones, ones, ones > 0, 0.01 * ones[0], common)
    assert np.median(still) == pytest.approx(1, abs=0.2)
    spread = np.median((noise + slope).var(axis=0))
    assert np.median(moving) > 1.3 * spread


@settings(deadline=None, max_examples=60)
@given(st.integers(4, 60), st.integers(4, 600), st.floats(0.2, 50), st.integers(0, 2**32 - 1))
def test_ratios_that_differ_by_chance_become_one(contrasts: int, freedom: int, scale: float, seed: int) -> None:
    """Equal variances are drawn together, to within their common error; the order of the contrasts stays."""
    rng = np.random.default_rng(seed)
    ratio = scale * rng.chisquare(freedom, contrasts) / freedom
    drawn, worth = moderated(ratio, np.full(contrasts, float(freedom)), np.ones(contrasts, dtype=bool))
    assert 0 < worth <= MOST_FREEDOM
    assert np.ptp(drawn) <= np.ptp(ratio) + 1e-12
    assert (np.diff(drawn[np.argsort(ratio)]) >= -1e-12).all()
    reach = 6 * scale * math.sqrt(2 / freedom)
    assert drawn.mean() == pytest.approx(scale, abs=reach)


def test_ratios_that_differ_by_nature_stay() -> None:
    """Weather beside schedules: each keeps its own variance, and borrows next to nothing."""
    ratio = np.array([1.0, 1.1, 30.0, 90.0, 2.0, 400.0, 0.9, 12.0])
    drawn, worth = moderated(ratio, np.full(8, 27.0), np.ones(8, dtype=bool))
    assert worth < 2
    assert drawn == pytest.approx(ratio, rel=0.12)
    few, none = moderated(ratio[:3], np.full(3, 27.0), np.ones(3, dtype=bool))
    assert (few.tolist(), none) == (ratio[:3].tolist(), 0.0)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=6),
    st.integers(0, 3),
)
def test_spread_is_what_it_says(rows: list[tuple[int, int]], strata: int) -> None:
    """A shift is in several rows where, without the one that shows it most, half of its rate stays."""
    past = one([10.0] * 12, [10.0] * 12, [100.0] * 12, [k % (strata + 1) for k in range(12)])
    x, n = [float(min(pair)) for pair in rows], [float(max(pair)) for pair in rows]
    now = one(x, x, n, [k % (strata + 1) for k in range(len(rows))])
    found = contrast(past, np.arange(12), now)
    expected = [base * (x_of - 1e-12) for base, x_of in zip(n, [0.1] * len(n), strict=True)]
    sign = float(np.sign(found.r[0]))
    towards = [sign * (a - b) for a, b in zip(x, expected, strict=True)]
    counted = [k for k, base in enumerate(n) if base > 0]
    if len(rows) < 2 or len(counted) < 2:
        assert found.spread[0]
        return
    most = max(counted, key=lambda k: towards[k])
    rest = sum(towards[k] for k in counted if k != most) / sum(n[k] for k in counted if k != most)
    wanted = 0.5 * abs(float(found.r[0]))
    if abs(rest - wanted) > 1e-6:
        assert bool(found.spread[0]) == (rest > wanted)


def test_windows_without_rows() -> None:
    """A window that has no row leaves the others as they are."""
    rows = [(float(k), float(k), 100.0, 0) for k in (10, 12, 30)]
    past = one([10, 12, 30], [10, 12, 30], [100] * 3, [0] * 3)
    now = one([20], [20], [100], [0])
    found = contrast(past, np.array([0, 0, 2]), now)
    assert found.se[0] == pytest.approx(slow(rows, [0, 0, 2], [(20.0, 20.0, 100.0, 0)])["se"])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n", [0, 1, 30, 10**9])
@pytest.mark.parametrize("past_n", [0, 1, 30, 10**9])
@pytest.mark.parametrize("windows", [0, 1, 2, 40])
def test_degenerate_counts_give_numbers(share: float, n: int, past_n: int, windows: int) -> None:
    """Nothing, one thing, the same thing always, and a thousand million of them: every answer is a number."""
    past = one([round(share * past_n)] * windows, [round(share * past_n)] * windows, [past_n] * windows, [0] * windows)
    for stratum in (0, 1):
        for part in (share, 0.9):
            now = one([round(part * n)], [round(part * n)], [n], [stratum])
            found = contrast(past, np.arange(windows), now)
            for name in Contrasted.__dataclass_fields__:
                assert np.isfinite(getattr(found, name)).all(), name
            assert 0 <= found.p_value[0] <= 1
            if n < MIN_EVENTS or past_n * windows == 0 or stratum == 1:
                assert (found.t[0], found.p_value[0], found.low[0]) == (0, 1, -1)
                assert not found.beyond[0]
            elif part == share:
                assert abs(found.t[0]) < 0.01
            rare = rare_events(found.observed * found.n, found.n, found.history_x, found.history_n, found.phi)
            assert np.isfinite(rare).all()
            assert np.isfinite(rate_low(found.observed * found.n, found.n)).all()


def test_no_rows_at_all() -> None:
    """No window, no history, no contrast: empty answers and no warning."""
    for columns in (0, 2):
        empty = Rows(*(np.zeros((0, columns)) for _ in range(3)), np.zeros(0, dtype=np.intp))
        found = contrast(empty, np.zeros(0, dtype=np.intp), empty)
        assert found.p_value.tolist() == [1.0] * columns


def test_history_of_the_same_rate_is_not_alarming_and_a_jump_is() -> None:
    """A window like its history is inside, one with ten times the share is far outside."""
    rng = np.random.default_rng(7)
    x = rng.binomial(1000, 0.02, 200).astype(float)
    past = one(x.tolist(), x.tolist(), [1000] * 200, [0] * 200)
    usual, jump = (contrast(past, np.arange(200), one([k], [k], [1000], [0])) for k in (22, 200))
    assert usual.p_value[0] > 0.05
    assert not usual.beyond[0]
    assert jump.p_value[0] < 1e-6
    assert jump.beyond[0]
    assert jump.low[0] > 0.15


def direct(x: float, n: float, history_x: float, history_n: float) -> float:
    """P(NB >= x) by summing the probabilities below x."""
    r, p = history_x + 0.5, history_n / (history_n + n)
    below = sum(math.exp(math.lgamma(k + r) - math.lgamma(r) - math.lgamma(k + 1) + r * math.log(p) + k * math.log1p(-p)) for k in range(int(x)))
    return 1 - below


@pytest.mark.parametrize(
    ("x", "n", "history_x", "history_n"),
    [(1, 100, 0, 1000), (3, 1000, 0, 100_000), (5, 200, 10, 4000), (30, 1000, 200, 10_000), (1, 1, 1, 1), (7, 50, 3, 77)],
)  # fmt: skip
def test_rare_events_are_a_negative_binomial(x: float, n: float, history_x: float, history_n: float) -> None:
    """The p value is the upper tail of the gamma-Poisson predictive, summed term by term."""
    found = rare_events(*(np.array([float(part)]) for part in (x, n, history_x, history_n)), np.ones(1))
    assert found[0] == pytest.approx(direct(x, n, history_x, history_n), rel=1e-6, abs=1e-12)


def test_rare_events_need_an_event_and_a_history() -> None:
    """No event, no window or no history is no surprise; overdispersed counts surprise less."""
    zero, some = np.zeros(1), np.array([5.0])
    many = np.array([1000.0])
    for parts in ((zero, many, zero, many), (some, many, zero, zero), (some, zero, zero, many)):
        assert rare_events(*parts, np.ones(1)).tolist() == [1.0]
    phis = [float(rare_events(some, many, some, many * 10, np.array([phi]))[0]) for phi in (1.0, 2.0, 5.0)]
    assert phis == sorted(phis)


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**12), st.floats(1, 1e6))
def test_rare_events_are_probabilities(x: int, n: int, history_x: int, history_n: int, phi: float) -> None:
    """Whatever is counted, the answer is a probability."""
    (p,) = rare_events(*(np.array([float(part)]) for part in (x, n, history_x, history_n, phi)))
    assert 0 <= p <= 1


@pytest.mark.parametrize("rate", [1e-4, 0.01, 0.3, 0.5, 0.9, 0.999, 1.0])
def test_so_many_of_so_many_are_a_binomial(rate: float) -> None:
    """The tail is scipy's, from none of none to all of many, as an array or one by one."""
    n = np.repeat([0, 1, 2, 10, 137, 5000, 10**6], 7)
    x = np.minimum(np.tile([0, 1, 2, 9, 130, 5000, 10**6], 7), n)
    expected = stats.binom.sf(x - 1, n, rate)
    assert at_least(x, n, rate) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert [float(at_least(int(a), int(b), rate)) for a, b in zip(x, n, strict=True)] == pytest.approx(
        expected, rel=1e-9, abs=1e-300
    )


@settings(deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.5, 1.0])), max_size=30))
def test_discoveries_are_benjamini_and_hochbergs(p_values: list[float]) -> None:
    """Each test's least share of false discoveries is scipy's, ties and ends included."""
    given_ = np.array(p_values)
    found = q_values(given_)
    assert given_.tolist() == p_values, "what was given stays"
    assert found == pytest.approx(stats.false_discovery_control(given_) if p_values else given_, rel=1e-12)


@pytest.mark.parametrize("wrong", [math.nan, -1e-9, 1 + 1e-9])
def test_discoveries_among_what_is_no_p_value_are_refused(wrong: float) -> None:
    """A NaN would take every alert of its family with it, and nobody would know."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        q_values(np.array([0.001, wrong]))


def test_rate_low_is_a_lower_bound() -> None:
    """The bound is below the rate, above 0 where anything was seen, and tends to it."""
    n = np.array([10.0, 1000.0, 1e9])
    low = rate_low(0.3 * n, n)
    assert (low < 0.3).all()
    assert np.all(np.diff(low) > 0)
    assert low[2] > 0.2999
    assert rate_low(np.zeros(1), np.array([10.0])).tolist() == [0.0]
    assert np.isfinite(rate_low(np.array([12.0]), np.array([10.0]))).all()


@pytest.mark.parametrize("at", [0, 1, 7, 30, 59])
@pytest.mark.parametrize("sign", [1, -1])
def test_onset_finds_a_planted_step(at: int, sign: int) -> None:
    """A shift that began in a row is found there, up or down, rows without events in between."""
    rng = np.random.default_rng(at)
    n = np.where(rng.random(60) < 0.1, 0.0, 500.0)
    n[at] = 500.0
    e = rng.normal(0, 5, 60) * (n > 0)
    e[at:] += sign * 0.2 * n[at:]
    assert onset_of_shift(e, 25.0 * (n > 0), n, 0.0) == at


def test_rare_events_date_a_step_by_the_first_of_them() -> None:
    """Where hardly any event is usual, two an hour begin it, and not the many of the last hour."""
    first = [0.0] * 40 + [1.0] + [0.0] * 19
    past = one(first, first, [300.0] * 60, [0] * 60)
    events = [0.0] * 20 + [2.0, 2.0, 2.0, 12.0]
    now = one(events, events, [300.0] * 24, [0] * 24)
    assert onset(past, now) == 20
    assert onset(past, now, plain=False) == 23


@pytest.mark.parametrize("sign", [1, -1])
def test_what_scatters_dates_no_shift_by_a_jump_of_its_own(sign: int) -> None:
    """A large hour that jumps as they all do tells nothing of when small ones shifted beyond any of them."""
    n = [200.0, 20_000.0] * 20
    x = [size * (0.5 + sign * jump) for size, jump in zip(n, [0.1, -0.1, -0.1, 0.1] * 10, strict=True)]
    past = one(x, x, n, [0] * 40)
    recent, shifted = x[20:], [200 * (0.5 + 0.4 * sign)] * 4
    now = one(recent + shifted, recent + shifted, n[20:] + [200.0] * 4, [0] * 24)
    assert onset(past, now) == 20


@pytest.mark.parametrize("n", [[0.0], [0.0, 0.0], [100.0, 0.0]])
def test_onset_of_nothing(n: list[float]) -> None:
    """Without a shift or events there is still an answer that is a row."""
    rows = np.zeros(len(n))
    assert 0 <= onset_of_shift(rows, rows, np.array(n), 0.0) < len(n)


@given(st.integers(0, 10_000), st.floats(0.01, 0.2), st.integers(0, 8), st.sampled_from([1, -1]))
@settings(max_examples=60, deadline=None)
def test_a_segment_is_named_where_the_excess_is(seed: int, rate: float, which: int, sign: int) -> None:
    """Nearly all of it in one of nine: that one first, wherever it is clear. Everywhere, or in two: none."""
    rng = np.random.default_rng(seed)
    n = rng.integers(300, 3000, 9).astype(float)
    expected = np.full(9, 0.3)
    se = float(np.sqrt(0.3 * 0.7 / n.sum()))

    def named(rates: npt.NDArray[np.float64]) -> list[int]:
        x = rng.binomial(n.astype(int), rates).astype(float)
        return concentrated(x, n, expected, (x.sum(), x.sum(), n.sum(), 0.3), se).tolist()

    one = expected.copy()
    one[which] += 0.28 * sign
    assert named(one)[:1] in ([which], [])
    if 0.28 * n[which] > max(30, 6 * se * n.sum()):
        assert sum(named(one)[:1] == [which] for _ in range(8)) > 2
    everywhere = sum(named(np.clip(expected + sign * rate, 0, 1)) != [] for _ in range(4))
    assert everywhere <= 1
    two = one.copy()
    two[(which + 1) % 9] += 0.28 * sign
    less, more = sorted([n[which], n[(which + 1) % 9]])
    if less > 0.6 * more and 0.28 * less > 4 * se * n.sum():
        assert named(two) == []


def test_a_planted_segment_is_named() -> None:
    """Of 2,000 events 40 are all of what is too much; of 300 that are 30 % too many, nobody is."""
    n = np.array([40.0, 960.0, 1000.0])
    x = np.array([40.0, 10.0, 9.0])
    assert concentrated(x, n, np.full(3, 0.01), (59.0, 59.0, 2000.0, 0.01), 0.0022).tolist() == [0]
    x = np.array([8.0, 150.0, 160.0])
    assert concentrated(x, n, np.full(3, 0.1), (318.0, 318.0, 2000.0, 0.1), 0.0067).tolist() == []


@pytest.mark.parametrize(
    ("size", "excess", "rest", "named"),
    [
        (1_000, 200, 0, [0]), (1_000, -80, 0, [0]),
        (7_900, 1_000, 0, [0]), (8_100, 1_000, 0, []),
        (1_000, 200, 59, [0]), (1_000, 200, 61, []),
        (20, 18, 0, [0]), (20, 17, 0, []), (20, 9, 0, []),
        (1_000, 100, 32, [0]), (1_000, 100, 35, []), (1_000, 100, 59, []),
        (7_000, 190, 0, [0]), (7_000, 180, 0, []), (7_000, 80, 20, []),
    ],
)  # fmt: skip
def test_a_segment_is_named_only_where_all_is_said(size: int, excess: int, rest: int, named: list[int]) -> None:
    """No segment that is nearly everybody, nor a handful of events, nor one beside which much else is too much."""
    n = np.array([size, 10_000 - size], dtype=np.float64)
    x = 0.1 * n + np.array([excess, rest])
    whole = (float(x.sum()), float(x.sum()), 10_000.0, 0.1)
    assert concentrated(x, n, np.full(2, 0.1), whole, 0.003).tolist() == named


def test_the_densest_segment_is_named_first() -> None:
    """Of segments that hold the same excess the one with the fewest other events leads."""
    x, n = np.array([42.0, 41.0, 43.0]), np.array([60.0, 41.0, 300.0])
    found = concentrated(x, n, np.full(3, 0.01), (59.0, 59.0, 2000.0, 0.01), 0.0022)
    assert found.tolist() == [1, 0, 2]


def test_history_that_scattered_a_little_more_by_chance_costs_no_power() -> None:
    """Half of all calm histories scatter more than the mean; what moved is found beside each, and beside a wild one not."""
    share = np.full(20, 1 / 20)
    moved = share * np.where(np.arange(20) % 2, 1.25, 0.75)

    def p_value(seed: int, wild: float) -> float:
        rng = np.random.default_rng(seed)
        windows = []
        for k in range(29):
            shares = share * np.exp(wild * rng.normal(size=20)) if k < 28 else moved
            windows.append(rng.multinomial(2_000, shares / shares.sum()).astype(float))
        x = np.array(windows)
        n, stratum = np.full(x.shape, 2_000.0), np.zeros(29, dtype=np.intp)
        c = contrast(Rows(x[:28], x[:28], n[:28], stratum[:28]), np.arange(28), Rows(x[28:], x[28:], n[28:], stratum[28:]))
        return float(omnibus(c, np.zeros(20, dtype=np.intp), 1).p_value[0])

    assert max(p_value(seed, 0.0) for seed in range(12)) < 1e-9
    assert min(p_value(seed, 0.3) for seed in range(12)) > 1e-3
