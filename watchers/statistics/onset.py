"""Since when: the step that best explains a run of residuals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def onset_of_events(x: Array, expected: Array, n: Array) -> int:
    """Index of the first row of the step that best explains events which hardly ever happened.

    Poisson likelihood ratio of *the usual rate, then another constant rate*: where next to none is expected, the first
    few events say more than any normal approximation of them.

    Args:
        x: Events in consecutive rows, shape (rows,); the last row is the newest.
        expected: How many are usual.
        n: How many could have been.
    """
    events, usual, base = (np.cumsum(part[::-1])[::-1] for part in (x, np.maximum(expected, 1e-6 * n), n))
    rate = events / np.maximum(base, 1e-12)
    # Rows k.. at their own rate against rows k.. as usual: sum x log(rate n / usual) - (rate n - usual).
    logs = np.cumsum((x * np.log(np.maximum(n, 1e-12) / np.maximum(expected, 1e-6 * np.maximum(n, 1e-12))))[::-1])[::-1]
    gain = logs + events * np.log(np.maximum(rate, 1e-12)) - (rate * base - usual)
    return int(np.argmax(np.where(n > 0, gain, -1.0)))


def onset(e: Array, variance: Array, n: Array, natural: float) -> int:
    """Index of the first row of the step that maximises the likelihood ratio of *no change, then a constant shift*.

    Args:
        e: Residual sums of consecutive rows, shape (rows,); the last row is the newest.
        variance: Their sampling variances.
        n: Their denominators.
        natural: Natural variance of a row's contrast (per unit of ``n`` squared).

    Returns:
        ``k`` such that rows ``k..`` are shifted (Page 1954, Biometrika 41:100, with the size of the shift estimated).
        Rows without events can't begin a shift.
    """
    # With shift d, e_j ~ N(d n_j, w_j): the log likelihood ratio of rows k.. is (sum e n/w)^2 / (2 sum n^2/w).
    w = np.maximum(variance + natural * n * n, 1e-12)
    score = np.cumsum((e * n / w)[::-1])[::-1]
    information = np.cumsum((n * n / w)[::-1])[::-1]
    gain = np.where(n > 0, score**2 / np.maximum(information, 1e-12), -1.0)
    return int(np.argmax(gain))
