"""Did anything about a distribution change? All shares of a feature in one test.

A change that is spread over several categories or bins shows in each a little; their sum of squares shows it all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special

from watchers.statistics.contrast import CONFIDENCE, Contrasted
from watchers.statistics.envelope import envelope
from watchers.statistics.rows import Array, Index

LEAST: Final = 1e-12

EXPECTED: Final = 5.0
"""A share with fewer expected events takes no part (Cochran 1954, Biometrics 10:417)."""


@dataclass(frozen=True, slots=True)
class Omnibus:
    """A test of each group of shares, arrays of shape (groups,).

    Attributes:
        q: ``sum_k (1 - p_k) t_k^2``: Pearson's chi-squared (1900), with each share's natural variance in its ``t``.
        p_value: Upper tail.
        extreme: Greatest ``q`` of history's windows, each judged without itself.
        kappa: By how much ``q`` must exceed ``extreme``.
        w: Cohen's effect size ``sqrt(sum_k r_k^2 / p_k)`` (1988, Statistical Power Analysis, ch. 7).
        low: Lower end of a one-sided 95 % bound on ``w``.
        most: In each group the contrast that moved most, by ``(1 - p) t^2``.
    """

    q: Array
    p_value: Array
    extreme: Array
    kappa: Array
    w: Array
    low: Array
    most: Index

    @property
    def beyond(self) -> npt.NDArray[np.bool_]:
        """Whether the window lies outside of the envelope of history."""
        result: npt.NDArray[np.bool_] = self.q > self.kappa * self.extreme
        return result


def omnibus(c: Contrasted, groups: Index, count: int) -> Omnibus:
    """Test groups of shares which add up to at most 1.

    By chance alone ``q`` has a chi-squared distribution. Natural variance makes shares move together, so history's
    windows say what its mean and variance are where these are greater (Patnaik 1949, Biometrika 36:202), and
    Satterthwaite's degrees of freedom how well the variance is known: ``q / mean`` is compared with F. What goes
    beyond chance is known from history's windows alone, what doesn't is known.

    Args:
        c: Shares of the window beside history.
        groups: The group that each share belongs to, shape (contrasts,).
        count: How many groups there are.
    """
    p = np.clip(c.expected, LEAST, 1.0)
    # Of a multinomial the mean of t^2 is 1, so the weights add up to the degrees of freedom.
    weight = np.where(c.expected * c.n >= EXPECTED, 1 - p, 0.0)
    part = weight * c.t**2
    member = np.zeros((len(groups), count))
    member[np.arange(len(groups)), groups] = 1.0
    q = part @ member
    past = (weight * c.past**2) @ member
    told = past > 0
    many = np.maximum(told.sum(axis=0), 1)
    freedom = np.maximum(weight @ member, 1.0)
    usual = past.sum(axis=0) / many
    mean = np.maximum(usual, freedom)
    spread = (told * (past - usual) ** 2).sum(axis=0) / np.maximum(many - 1, 1)
    # By how much larger the unit of q is than by chance.
    scale = np.sqrt(np.maximum(np.maximum((usual / freedom) ** 2, spread / (2 * freedom)), 1.0))
    spread = np.maximum(spread, 2 * freedom)
    shape = np.clip(2 * mean**2 / spread, 1.0, freedom)
    known = 1 / np.maximum(((1 / np.maximum(c.nu, 1.0)) * part) @ member / np.maximum(q, LEAST), 1e-6)
    learnt = np.maximum(many - 1, 1) * (scale / np.maximum(scale - 1, 1e-6)) ** 2
    known = np.minimum(known, learnt)
    p_value = np.where(q > 0, special.fdtrc(shape, known, q / mean), 1.0)
    limit = mean * special.fdtri(shape, known, CONFIDENCE)
    w = np.sqrt((np.where(weight > 0, c.r**2 / p, 0.0)) @ member)
    most = np.array([np.argmax(np.where(groups == g, part, -1.0)) for g in range(count)], dtype=np.intp)
    low = w * np.sqrt(np.clip(1 - limit / np.maximum(q, LEAST), 0.0, 1.0))
    # In squares, as q is: a quarter more of t is half more of q.
    kappa = (c.kappa**2)[most] if count else np.zeros(0)
    return Omnibus(q, p_value, envelope(past), kappa, w, low, most)
