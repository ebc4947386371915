"""Hourly counts of 40 features, drawn from a process with season, natural variation and 200 to 2,000 rows an hour.

Counts are drawn, not rows: given the hour's level, a feature's bins or categories are multinomial, which is what rows
that are independent within the hour give. Between hours the level varies, in one of four ways:

- ``normal``: location, spread and log odds move by independent normal effects.
- ``t5``: by Student's t with 5 degrees of freedom, scaled to the same variance.
- ``overdispersed``: levels stay and the shares are Dirichlet (Mosimann 1962, Biometrika 49:65) with intra-hour
  correlation 0.004: at 1,000 rows a count has five times the multinomial's variance.
- ``slow``: normal effects that last: AR(1) with 0.9 an hour. Two windows of three are then no independent witnesses;
  no target is set for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from mllog import ModelCard
from watchers import Window, WindowProfile

Array = npt.NDArray[np.float64]

NOISES: Final = ("normal", "t5", "overdispersed", "slow")
START: Final = dt.datetime(2013, 1, 7, tzinfo=dt.UTC)
"""A Monday."""

TRAINING_ROWS: Final = 20_000
NUMBERS: Final = tuple(f"number_{k:02d}" for k in range(20))
CATEGORIES: Final = tuple(f"category_{k:02d}" for k in range(18))
TEXT: Final = "text"
SEGMENT: Final = "region"
REGIONS: Final = {"north": 0.5, "east": 0.3, "south": 0.15, "west": 0.05}
FEATURES: Final = len(NUMBERS) + len(CATEGORIES) + 2

LOCATION_SD: Final = 0.08
"""Natural sd of a number's location from hour to hour, in sd of the number."""

SPREAD_SD: Final = 0.03
ODDS_SD: Final = 0.10
MISSING_SD: Final = 0.25
TOKENS_SD: Final = 0.20
CORRELATION: Final = 0.004
LASTING: Final = 0.9
SEASON: Final = 0.3
NULLS: Final = 0.01
UNSEEN: Final = 0.005
WORDS: Final = 12
_VOCABULARY: Final = tuple(f"word{a}{b}" for a in "abcdefghij" for b in "abcdefghij")


@dataclass(frozen=True)
class _Process:
    """What is fixed for a seed: the season's phase of each feature, the categories' usual log odds."""

    phase: Array
    weekend: Array
    odds: list[Array]

    def season(self, at: dt.datetime) -> Array:
        """Shift of each feature at an hour: a day's wave, and another level at weekends."""
        angle = 2 * np.pi * at.hour / 24
        result: Array = SEASON * np.cos(angle + self.phase) + SEASON * self.weekend * (at.weekday() >= 5)
        return result


def _process(rng: np.random.Generator) -> _Process:
    count = len(NUMBERS) + len(CATEGORIES)
    odds = [np.sort(rng.normal(0, 1, 3 + k % 8))[::-1] for k in range(len(CATEGORIES))]
    return _Process(rng.uniform(0, 2 * np.pi, count), rng.normal(0, 1, count), odds)


def rows_at(at: dt.datetime, rng: np.random.Generator) -> int:
    """Between 200 rows by night and 2,000 at noon, fewer at weekends, and 10 % of chance in it."""
    level = 0.5 - 0.5 * np.cos(2 * np.pi * (at.hour - 2) / 24)
    usual = 250 + 1_550 * level * (0.6 if at.weekday() >= 5 else 1.0)
    return int(np.clip(usual * np.exp(rng.normal(0, 0.1)), 200, 2_000))


class Year:
    """One model's hours.

    Args:
        noise: One of :data:`NOISES`.
        hours: How many.
        seed: Of everything.
    """

    def __init__(self, noise: str, hours: int, seed: int) -> None:
        self.noise, self.hours = noise, hours
        self.rng = np.random.default_rng([seed, NOISES.index(noise)])
        self.process = _process(self.rng)
        self._lasting = np.zeros(0)
        self.card = self._card()
        index = self.card.ruler.index
        by_name = self.card.ruler.by_name
        self._edges = [np.array(by_name[name].edges) for name in NUMBERS]
        self._bins = [np.array([index[name, "bin", str(k)] for k in range(len(edges) + 1)])
                      for name, edges in zip(NUMBERS, self._edges, strict=True)]  # fmt: skip
        self._ranges = [(by_name[name].low or 0.0, by_name[name].high or 0.0) for name in NUMBERS]
        # The ruler lists categories by frequency; ours are numbered, so each finds its own.
        self._cells = [
            np.array([index[name, "category", f"{name}={k}"] for k in range(len(self.process.odds[c]))])
            for c, name in enumerate(CATEGORIES)
        ]

    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """First and last hour."""
        return START, START + (self.hours - 1) * dt.timedelta(hours=1)

    def __iter__(self) -> Iterator[WindowProfile]:
        """Profiles hour by hour; once only, since the generator goes on."""
        for hour in range(self.hours):
            yield self._hour(START + hour * dt.timedelta(hours=1))

    def _effects(self) -> Array:
        """Standard effects on every level of one hour."""
        size = 3 * len(NUMBERS) + sum(map(len, self.process.odds)) + len(CATEGORIES) + 2
        if self.noise == "overdispersed":
            return np.zeros(size)
        if self.noise == "t5":
            heavy: Array = self.rng.standard_t(5, size) / np.sqrt(5 / 3)
            return heavy
        fresh = self.rng.normal(0, 1, size)
        if self.noise == "slow":
            before = self._lasting if self._lasting.size else self.rng.normal(0, 1, size)
            self._lasting = LASTING * before + np.sqrt(1 - LASTING**2) * fresh
            return self._lasting
        return fresh

    def _levels(self, at: dt.datetime) -> tuple[Array, Array, list[Array], Array, float]:
        """Locations and log spreads of numbers, shares of categories, null rates, rate of unseen tokens."""
        effects = self._effects()
        count = len(NUMBERS)
        season = self.process.season(at)
        location = season[:count] + LOCATION_SD * effects[:count]
        spread = SPREAD_SD * effects[count : 2 * count]
        missing = _odds(NULLS) + MISSING_SD * effects[2 * count : 3 * count]
        used = 3 * count
        shares = []
        for c, odds in enumerate(self.process.odds):
            tilt = season[count + c] * np.linspace(-1, 1, len(odds))
            shares.append(special.softmax(odds + tilt + ODDS_SD * effects[used : used + len(odds)]))
            used += len(odds)
        lost = _odds(NULLS) + MISSING_SD * effects[used : used + len(CATEGORIES)]
        unseen = float(special.expit(_odds(UNSEEN) + TOKENS_SD * effects[-1]))
        return location, spread, shares, special.expit(np.concatenate([missing, lost])), unseen

    def _draw(self, n: npt.NDArray[np.int64], shares: Array) -> npt.NDArray[np.int64]:
        """Counts of cells in each segment, shape (segments, cells)."""
        if self.noise == "overdispersed":
            weight = 1 / CORRELATION - 1
            shares = self.rng.dirichlet(np.maximum(weight * shares, 1e-9))
        return self.rng.multinomial(n, shares / shares.sum())

    def _hour(self, at: dt.datetime) -> WindowProfile:
        index = self.card.ruler.index
        location, spread, shares, missing, unseen = self._levels(at)
        parts = self.rng.multinomial(rows_at(at, self.rng), list(REGIONS.values()))
        table = np.zeros((len(parts), len(self.card.ruler.cells)), dtype=np.int64)
        table[:, 0] = parts
        for k, name in enumerate((*NUMBERS, *CATEGORIES)):
            gone = self._draw(parts, np.array([missing[k], 1 - missing[k]]))[:, 0]
            table[:, index[name, "missing", "null"]] = gone
            there = parts - gone
            if k < len(NUMBERS):
                cells = special.ndtr((np.concatenate([self._edges[k], [np.inf]]) - location[k]) / np.exp(spread[k]))
                drawn = self._draw(there, np.diff(cells, prepend=0.0))
                table[:, self._bins[k]] = drawn
                table[:, index[name, "violation", "range"]] = self._outside(k, drawn)
            else:
                table[:, self._cells[k - len(NUMBERS)]] = self._draw(there, shares[k - len(NUMBERS)])
        for s, region in enumerate(REGIONS):
            table[s, index[SEGMENT, "category", region]] = parts[s]
        table[:, index[TEXT, "texts", ""]] = parts
        table[:, index[TEXT, "tokens", ""]] = words = parts * WORDS
        table[:, index[TEXT, "unseen_tokens", ""]] = self._draw(words, np.array([unseen, 1 - unseen]))[:, 0]
        stratum = self.card.ruler.stratum(at)
        profile = WindowProfile(self.card.model, self.card.ruler.hash, Window(at, at + dt.timedelta(hours=1)))
        profile.add(stratum, ("", ""), table.sum(axis=0))
        for s, region in enumerate(REGIONS):
            profile.add(stratum, (SEGMENT, region), table[s])
        return profile

    def _outside(self, k: int, drawn: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Values out of the training range: those of whole bins, as training's extremes are edges or nearly so."""
        low, high = self._ranges[k]
        edges = self._edges[k]
        below, above = int(np.searchsorted(edges, low, "right")), int(np.searchsorted(edges, high, "left"))
        if below and edges[below - 1] > low:
            below = 0
        outside: npt.NDArray[np.int64] = drawn[:, :below].sum(axis=1) + drawn[:, above + 1 :].sum(axis=1)
        return outside

    def _card(self) -> ModelCard:
        """Training rows of the same process, three weeks before its first hour."""
        rng = self.rng
        at = [START - dt.timedelta(hours=int(h)) for h in rng.integers(1, 21 * 24, TRAINING_ROWS)]
        season = np.array([self.process.season(time) for time in at])
        frame: dict[str, Any] = {"time": at}
        for k, name in enumerate(NUMBERS):
            frame[name] = rng.normal(season[:, k], 1.0)
        for c, name in enumerate(CATEGORIES):
            odds = self.process.odds[c]
            tilt = season[:, [len(NUMBERS) + c]] * np.linspace(-1, 1, len(odds))
            shares = special.softmax(odds + tilt, axis=1).cumsum(axis=1)
            drawn = (rng.random((TRAINING_ROWS, 1)) > shares).sum(axis=1)
            frame[name] = np.array([f"{name}={k}" for k in range(len(odds))], dtype=object)[
                np.minimum(drawn, len(odds) - 1)
            ]
        frame[SEGMENT] = rng.choice(list(REGIONS), TRAINING_ROWS, p=list(REGIONS.values())).astype(object)
        words = rng.choice(_VOCABULARY, (TRAINING_ROWS, WORDS)).astype(object)
        # Words that come once: what training expects to be unseen of the words to come.
        once = rng.random(words.shape) < UNSEEN
        words[once] = [f"once{_letters(k)}" for k in range(int(once.sum()))]
        frame[TEXT] = [" ".join(row) for row in words.tolist()]
        data = pd.DataFrame(frame)
        for name in (*NUMBERS, *CATEGORIES):
            hit = rng.random(TRAINING_ROWS) < NULLS
            data[name] = data[name].mask(hit, None)
        return ModelCard.from_frame(
            data, f"year-{self.noise}", "1", text=[TEXT], segments=[SEGMENT], time="time", time_zone="UTC"
        )


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def _odds(share: float) -> float:
    return float(special.logit(share))
