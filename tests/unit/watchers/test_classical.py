"""Classical statistics by name: equal to scipy, exact at any size, and never NaN."""

from __future__ import annotations

import math
import warnings
from decimal import Decimal, localcontext
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from watchers.statistics import MEASURES, Measure, measure
from watchers.statistics.classical import statistic_named

UNORDERED = sorted(name for name, statistic in MEASURES.items() if not statistic.ordered)
ORDERED = sorted(name for name, statistic in MEASURES.items() if statistic.ordered)
SEVERAL = sorted(name for name, statistic in MEASURES.items() if statistic.several)
TESTS = ["anova", "chi_squared", "g", "kruskal_wallis", "ks", "t"]
UP_TO_ONE = ["hellinger", "jensen_shannon", "ks", "total_variation"]


@st.composite
def tables(draw, samples=2, most=30, cells=8):
    """Counts of samples over the same cells, each sample with an event, and where the cells lie."""
    width = draw(st.integers(1, cells))
    count = st.integers(0, most) | st.just(0)
    vectors = [draw(st.lists(count, min_size=width, max_size=width).filter(any)) for _ in range(samples)]
    gaps = draw(st.lists(st.floats(0.5, 2), min_size=width, max_size=width))
    return vectors, (draw(st.floats(-5, 5)) + np.cumsum(gaps)).tolist()


def said(found: Measure) -> Measure:
    """What holds of every answer: a finite value or a reason, p values that are probabilities."""
    assert (found.value is None) == (found.reason is not None)
    assert found.value is None or math.isfinite(found.value)
    for p in (found.p_value, found.missing_p_value, found.p_overall):
        assert p is None or 0 <= p <= 1
    assert found.missing is None or -1 <= found.missing <= 1
    if found.value is None:
        assert found.reason
        assert (found.p_value, found.df) == (None, None)
    else:
        assert (found.p_value is not None) == (found.name in TESTS)
        assert found.name == "t" or found.value >= 0
        assert found.name not in UP_TO_ONE or found.value <= 1
    for part in (found.value, found.p_value, found.missing):
        assert part is None or type(part) is float
    return found


def near(value, abs=1e-12):  # noqa: A002 - as pytest calls it
    return pytest.approx(value, rel=1e-9, abs=abs)


def agree(found: Measure, want) -> None:
    """Value and p value are scipy's.

    Where nothing differs scipy's statistic is what rounding left, which may be negative (its p value: NaN), and a p
    value near 1 wavers by the root of it.
    """
    assert found.value == near(want.statistic, 1e-10)
    if want.statistic > 1e-3:
        assert found.p_value == near(want.pvalue, 1e-300)
    else:
        assert found.p_value == pytest.approx(np.nan_to_num(want.pvalue, nan=1.0), abs=1e-4)


@settings(max_examples=150, deadline=None)
@given(tables())
def test_two_samples_are_what_scipy_says_of_the_values(table):
    """KS, t, Wasserstein and Jensen-Shannon equal scipy's on the data with each value at its cell's position."""
    (a, b), x = table
    first, second = np.repeat(x, a), np.repeat(x, b)
    if len(first) + len(second) > 2:
        want = stats.ks_2samp(first, second, method="asymp")
        found = measure("ks", a, b, positions=x)
        assert (found.value, found.p_value) == (near(want.statistic), near(want.pvalue, 1e-300))
    assert measure("wasserstein", a, b, positions=x).value == near(stats.wasserstein_distance(x, x, a, b))
    assert measure("wasserstein", a, b, positions=x).value == near(stats.wasserstein_distance(first, second))
    divergence = np.nan_to_num(distance.jensenshannon(a, b, base=2)) ** 2
    assert measure("jensen_shannon", a, b).value ** 2 == near(divergence, 1e-15)
    if min(len(first), len(second)) > 1 and (len(set(first)) > 1 or len(set(second)) > 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # scipy's, about a sample that doesn't vary
            want = stats.ttest_ind(first, second, equal_var=False)
        found = measure("t", a, b, positions=x)
        assert (found.value, found.df) == (near(want.statistic), near(want.df))
        assert found.p_value == near(want.pvalue, 1e-300)


@settings(max_examples=120, deadline=None)
@given(st.integers(2, 4).flatmap(tables))
def test_several_samples_are_what_scipy_says_of_the_values(table):
    """Chi-squared, G, analysis of variance and Kruskal-Wallis equal scipy's for two and more samples."""
    vectors, x = table
    values = [np.repeat(x, counts) for counts in vectors]
    held = np.array(vectors)[:, np.any(vectors, axis=0)]
    for name, power in (("chi_squared", None), ("g", "log-likelihood")):
        want = stats.chi2_contingency(held, correction=False, lambda_=power)
        found = measure(name, *vectors)
        agree(found, want)
        assert found.df == want.dof
    if held.shape[1] > 1:
        want = stats.kruskal(*values)
        found = measure("kruskal_wallis", *vectors, positions=x)
        agree(found, want)
        assert found.df == len(vectors) - 1
    if any(len(set(sample)) > 1 for sample in values):
        want = stats.f_oneway(*values)
        found = measure("anova", *vectors, positions=x)
        agree(found, want)
        assert found.df == (len(vectors) - 1, sum(map(len, values)) - len(vectors))


def exact(name: str, a: list[int], b: list[int], x: list[int]) -> Decimal:
    """The definition of each statistic, in eighty digits."""
    n, m = Decimal(sum(a)), Decimal(sum(b))
    p, q = [k / n for k in a], [k / m for k in b]
    r = [(k + j) / (n + m) for k, j in zip(a, b, strict=True)]
    means = [sum(share * place for share, place in zip(side, x, strict=True)) for side in (p, q)]
    squares = [sum(k * (place - mean) ** 2 for k, place in zip(side, x, strict=True))
               for side, mean in zip((a, b), means, strict=True)]  # fmt: skip

    def kl(first, second):
        return sum(u * (u / v).ln() for u, v in zip(first, second, strict=True) if u)

    if name == "psi":
        u, v = ([(k or Decimal("0.5")) / size for k in side] for side, size in ((a, n), (b, m)))
        return sum((second - first) * (second / first).ln() for first, second in zip(u, v, strict=True))
    if name == "jensen_shannon":
        half = [(u + v) / 2 for u, v in zip(p, q, strict=True)]
        return ((kl(p, half) + kl(q, half)) / 2 / Decimal(2).ln()).sqrt()
    if name == "hellinger":
        return (sum((u.sqrt() - v.sqrt()) ** 2 for u, v in zip(p, q, strict=True)) / 2).sqrt()
    if name == "total_variation":
        return sum(abs(u - v) for u, v in zip(p, q, strict=True)) / 2
    if name == "chi_squared":
        return sum(size * (u - w) ** 2 / w for side, size in ((p, n), (q, m)) for u, w in zip(side, r, strict=True))
    if name == "g":
        return 2 * (n * kl(p, r) + m * kl(q, r))
    rise = [abs(u - v) for u, v in zip(accumulate(p), accumulate(q), strict=True)]
    if name in {"ks", "wasserstein"}:
        moved = sum(height * (right - left) for height, (left, right) in zip(rise, pairwise(x), strict=False))
        return max(rise) if name == "ks" else moved
    if name == "t":
        return (means[0] - means[1]) / (squares[0] / (n - 1) / n + squares[1] / (m - 1) / m).sqrt()
    if name == "anova":
        mean = (n * means[0] + m * means[1]) / (n + m)
        between = n * (means[0] - mean) ** 2 + m * (means[1] - mean) ** 2
        return between / (sum(squares) / (n + m - 2))
    together = [k + j for k, j in zip(a, b, strict=True)]
    total, below, ranks = n + m, 0, []
    for count in together:
        ranks.append(below + Decimal(count + 1) / 2)
        below += count
    sums = [sum(k * rank for k, rank in zip(side, ranks, strict=True)) for side in (a, b)]
    h = 12 / (total * (total + 1)) * (sums[0] ** 2 / n + sums[1] ** 2 / m) - 3 * (total + 1)
    return h / (1 - sum(Decimal(k) ** 3 - k for k in together) / (total**3 - total))


near_a_thousand_million = st.integers(10**9 - 1000, 10**9 + 1000)


@pytest.mark.parametrize("name", sorted(MEASURES))
@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(near_a_thousand_million, near_a_thousand_million), min_size=2, max_size=100),
    st.sampled_from([0, 10**6]),
)
@example([(10**9, 10**9)] * 99 + [(10**9, 10**9 + 1)], 0)
@example([(10**9, 1)] * 50 + [(1, 10**9)] * 50, 0)
@example([(10**9, 10**9), (0, 1), (1, 0)], 0)
def test_no_digit_is_lost_in_large_counts(name, pairs, offset):
    """A thousand million events in each of 100 cells: differences of single events come out to 1e-9."""
    a, b = map(list, zip(*pairs, strict=True))
    x = [offset + 3 * k for k in range(len(pairs))]
    with localcontext() as context:
        context.prec = 80
        want = float(exact(name, a, b, x))
    found = said(measure(name, a, b, positions=x))
    assert found.value == pytest.approx(want, rel=1e-9, abs=1e-30 if a != b else 1e-15)


counts = st.sampled_from([0, 0, 0, 1, 2, 5, 200, 10**9, 2**40]) | st.integers(0, 40)


@st.composite
def degenerate(draw):
    """Empty, constant, disjoint, single, tiny and huge samples, with and without missing values."""
    width = draw(st.integers(0, 5))
    vectors = [draw(st.lists(counts, min_size=width, max_size=width)) for _ in range(2)]
    missing = draw(st.none() | st.tuples(counts, counts))
    finite = st.floats(allow_nan=False, allow_infinity=False)
    positions = draw(st.none() | st.lists(finite, min_size=width, max_size=width).map(sorted))
    return vectors, missing, positions


@pytest.mark.parametrize("name", sorted(MEASURES))
@settings(max_examples=150, deadline=None)
@given(degenerate())
@example(([[], []], None, None))
@example(([[0], [0]], (0, 0), None))
@example(([[1], [1]], None, None))
@example(([[5, 0], [0, 5]], None, None))
@example(([[1, 0], [0, 1]], (0, 7), None))
@example(([[7, 0], [7, 0]], (3, 0), [1e308, 1.7e308]))
@example(([[7, 1], [7, 9]], None, [-1.7e308, 1.7e308]))
@example(([[7, 1, 0], [0, 7, 9]], None, [0.0, 5e-324, 1.7e308]))
@example(([[0, 0], [3, 4]], (9, 0), None))
def test_there_is_always_a_value_or_a_reason(name, table):
    """No counts whatever give NaN, an infinity, a warning or an error."""
    (a, b), missing, x = table
    found = said(measure(name, a, b, positions=x, missing=missing))
    if found.value is None:
        back = said(measure(name, b, a, positions=x, missing=missing and missing[::-1]))
        assert back.value is None


@pytest.mark.parametrize("name", SEVERAL)
@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(counts, min_size=3, max_size=3), min_size=2, max_size=6), st.data())
def test_there_is_always_a_value_or_a_reason_of_many_samples(name, vectors, data):
    """The same for more than two."""
    size = len(vectors)
    said(measure(name, *vectors, missing=data.draw(st.none() | st.lists(counts, min_size=size, max_size=size))))


@pytest.mark.parametrize("name", sorted(MEASURES))
@settings(max_examples=30, deadline=None)
@given(tables(), st.sampled_from([1, 3, 10**7]))
def test_alike_is_nought(name, table, times):
    """A sample beside a multiple of itself: 0 and a p value of 1, or a reason, however it is rounded."""
    (a, _), x = table
    found = said(measure(name, a, [times * count for count in a], positions=x, missing=(2, 2 * times)))
    assert found.value in (0, None)
    assert found.p_value in (1, None)
    assert found.missing in (0, None)
    if name in UNORDERED or name in {"ks", "wasserstein"}:
        assert found.value == 0


@pytest.mark.parametrize("name", sorted(MEASURES))
@settings(max_examples=30, deadline=None)
@given(tables(most=10**9), st.data())
def test_symmetry(name, table, data):
    """Exchanged samples give the same (t: with the other sign); so do cells in another order where none is needed."""
    (a, b), x = table
    found = said(measure(name, a, b, positions=x, missing=(3, 4)))
    back = said(measure(name, b, a, positions=x, missing=(4, 3)))
    if found.value is None:
        assert back.value is None
        return
    assert back.value == near(-found.value if name == "t" else found.value)
    assert back.p_value == (None if found.p_value is None else pytest.approx(found.p_value, rel=1e-7))
    assert back.missing == (None if found.missing is None else -found.missing)
    # Samples in reverse lie as far apart.
    turned = measure(name, a[::-1], b[::-1], positions=[-place for place in x[::-1]], missing=(3, 4))
    assert turned.value == near(-found.value if name == "t" else found.value)
    if name in UNORDERED:
        order = data.draw(st.permutations(range(len(a))))
        assert measure(name, [a[k] for k in order], [b[k] for k in order], missing=(3, 4)).value == near(found.value)
    elif name in {"ks", "kruskal_wallis"}:
        assert measure(name, a, b, missing=(3, 4)) == found
    else:
        factor = 1000.0 if name == "wasserstein" else 1.0
        moved = measure(name, a, b, positions=[1000 * place for place in x], missing=(3, 4))
        assert moved.value == pytest.approx(factor * found.value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", sorted(MEASURES))
@settings(max_examples=30, deadline=None)
@given(tables(), st.integers(0, 50), st.integers(0, 50))
def test_missing_is_a_category_of_its_own(name, table, lost, gone):
    """It is one more cell; beside statistics that need an order it is reported with its own test."""
    (a, b), x = table
    found = said(measure(name, a, b, positions=x, missing=(lost, gone)))
    plain = said(measure(name, a, b, positions=x))
    if name in UNORDERED:
        assert found == measure(name, [lost, *a], [gone, *b])
        assert found.missing is None
        return
    assert (found.value, found.p_value, found.df, found.reason) == (plain.value, plain.p_value, plain.df, plain.reason)
    assert (plain.missing, plain.missing_p_value, plain.p_overall) == (None, None, plain.p_value)
    assert found.missing == near(gone / (sum(b) + gone) - lost / (sum(a) + lost))
    if not lost and not gone:
        assert found.missing_p_value is None
        assert found.p_overall == found.p_value
        return
    want = measure("chi_squared", [lost, sum(a)], [gone, sum(b)])
    assert found.missing_p_value == want.p_value
    if found.p_value is not None:
        assert found.p_overall == near(1 - (1 - min(found.p_value, want.p_value)) ** 2)
    elif found.reason is None:
        assert found.p_overall is None
    else:
        assert found.p_overall == want.p_value


def test_a_feature_that_went_missing_is_seen_by_all():
    """The same values, half of them gone: every statistic has something to say, those of the order beside."""
    before, after = [500, 500, 500], [250, 250, 250]
    for name in MEASURES:
        found = said(measure(name, before, after, missing=(0, 750)))
        if name in UNORDERED:
            assert found.value is not None
            assert found.value > 0.1
            assert found.p_value is None or found.p_value < 1e-9
        else:
            assert found.value == near(0)
            assert found.missing == 0.5
            assert found.missing_p_value is not None
            assert found.missing_p_value < 1e-9
            assert (name == "wasserstein") == (found.p_overall is None)
    nothing = said(measure("ks", before, [0, 0, 0], missing=(0, 1500)))
    assert nothing.reason == "all of the current sample is missing"
    assert nothing.missing == 1
    assert nothing.p_overall is not None
    assert nothing.p_overall < 1e-9


def test_both_p_values_together_hold_the_level():
    """Where neither values nor missing ones changed, `p_overall` is at most 0.05 in about five of a hundred cases."""
    rng = np.random.default_rng(5)
    cells = rng.multinomial(1000, [0.2, 0.2, 0.2, 0.2, 0.2 - 0.1, 0.1], size=(2000, 2))
    hits = 0
    for first, second in cells:
        found = measure("anova", first[:-1], second[:-1], missing=(first[-1], second[-1]))
        assert found.p_overall is not None
        hits += found.p_overall <= 0.05
    assert 70 <= hits <= 130


@pytest.mark.parametrize("name", UP_TO_ONE)
def test_disjoint_is_one(name):
    """Samples that share no cell are as far apart as can be."""
    assert measure(name, [3, 10**9, 0, 0], [0, 0, 1, 7]).value == pytest.approx(1, abs=1e-15)


def test_reasons_say_what_is_the_matter():
    """Words for each way of having no value."""
    assert measure("psi", [0, 0], [1, 2]).reason == "the reference has no events"
    assert measure("t", [1, 2], [0, 1]).reason == "the current sample has one value, and so no variance"
    assert measure("anova", [1, 0], [0, 1]).reason == "each sample has one value, and so no variance"
    assert measure("kruskal_wallis", [5], [5], [5]).reason == "all values are the same, in all samples"
    for name in ("t", "anova"):
        assert measure(name, [5, 0], [9, 0]).reason == "all values are the same, in all samples"
        assert measure(name, [5, 0], [0, 9]).reason == "no sample varies by itself, and they differ from each other"
    far = measure("wasserstein", [5, 0], [0, 5], positions=[-1.7e308, 1.7e308])
    assert far.reason == "the distance is beyond the largest float"
    assert measure("anova", [1, 1], [0, 0], [2, 2]).reason == "the current sample has no events"
    assert measure("anova", [1, 1], [1, 1], [0, 0], missing=(0, 0, 9)).reason == "all of sample 3 is missing"


def test_the_distribution_of_ks_has_no_gap():
    """Where scipy's distribution for n events overflows, its limit takes over without a step, and far tails are 0."""
    for z in (0.3, 0.7, 1.0, 2.0, 5.0):
        around = []
        for n in (2**31 - 2, 2**31):
            # Two samples of 2n events behave as one of n.
            moved = round(z / math.sqrt(n) * 2 * n)
            around.append(said(measure("ks", [n, n], [n - moved, n + moved])))
        below, above = (found.p_value / stats.kstwobign.sf(math.sqrt(n) * found.value)
                        for n, found in zip((2**31 - 2, 2**31), around, strict=True))  # fmt: skip
        assert below == pytest.approx(above, rel=1e-6)
        assert below == pytest.approx(1, rel=1e-3)
    assert measure("ks", [2**40, 0], [0, 2**40]).p_value == 0


def test_psi_of_an_empty_cell_is_finite_and_grows_with_the_evidence():
    """A cell that filled weighs more the more events say so, and where no cell is empty the formula is the usual one."""
    assert measure("psi", [50, 50], [80, 20]).value == near(0.3 * math.log(1.6) - 0.3 * math.log(0.4))
    sizes = [measure("psi", [n, 0], [n, n]).value for n in (10, 1000, 10**9)]
    assert sizes == sorted(sizes)
    assert measure("psi", [10, 0], [9, 1]).value == near(0.1 * (math.log(2) - math.log(0.9)) - 0.05 * math.log(2))


def test_names():
    """Every statistic answers under its own name, and to scipy's."""
    assert list(MEASURES) == ["ks", "chi_squared", "g", "psi", "jensen_shannon", "wasserstein", "hellinger",
                              "total_variation", "t", "anova", "kruskal_wallis"]  # fmt: skip
    for name, statistic in MEASURES.items():
        assert measure(name, [3, 4, 5], [5, 4, 3]).name == name == statistic.name
        if statistic.scipy:
            places = (stats, distance)
            assert any(hasattr(place, statistic.scipy) for place in places)
            assert statistic_named(statistic.scipy) is statistic
    for name in ("", "ks2", "KS"):
        with pytest.raises(ValueError, match=f"unknown statistic {name!r}; known are anova, chi_squared"):
            measure(name, [1], [1])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 2], [1, 2, 3]), {}, "the same cells, not 2 and 3"),
        (([1, -2], [1, 2]), {}, "the reference must be whole numbers from 0 to 2\\*\\*53, not -2.0"),
        (([1, 2], [1, 0.5]), {}, "the current sample must be whole numbers from 0 to 2\\*\\*53, not 0.5"),
        (([1, 2], [1, math.nan]), {}, "not nan"),
        (([1, math.inf], [1, 2]), {}, "not inf"),
        (([1, 10**400], [1, 2]), {}, "the reference must be whole numbers"),
        (([2**53, 2], [1, 2]), {}, "the reference has more than"),
        ((["a", 2], [1, 2]), {}, "the reference must be whole numbers"),
        (([[1, 2]], [1, 2]), {}, "one vector, not of shape"),
        (([1, 2], [1, 2], [1, 2]), {}, "ks compares two samples, not 3"),
        (([1, 2], [1, 2]), {"positions": [1.0]}, "one number a cell"),
        (([1, 2], [1, 2]), {"positions": [2.0, 1.0]}, "ascending"),
        (([1, 2], [1, 2]), {"positions": [2.0, math.nan]}, "finite"),
        (([1, 2], [1, 2]), {"missing": (1,)}, "one number a sample"),
        (([1, 2], [1, 2]), {"missing": (1, -1)}, "missing values must be whole numbers"),
    ],
)
def test_what_are_no_counts_is_said(arguments, options, message):
    """Arguments that make no sense are named, with their value."""
    with pytest.raises(ValueError, match=message):
        measure("ks", *arguments, **options)


@given(st.lists(st.integers(0, 9), min_size=4, max_size=4), st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_counts_of_any_type(a, b):
    """Lists, floats and small integers of numpy give the same, and nobody's vector is changed."""
    assume(any(a))
    held = np.array(a, dtype=np.uint8), np.array(b, dtype=np.float32)
    for name in MEASURES:
        assert measure(name, a, b) == measure(name, *held)
    assert (held[0].tolist(), held[1].tolist()) == (a, b)
