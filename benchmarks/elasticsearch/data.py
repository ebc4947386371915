"""A day of a model: rows of 40 features, a card of its training data, and the events that the logger makes of them."""

from __future__ import annotations

import datetime as dt
import gc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from mllog.card import ModelCard
from mllog.environment import Manifest
from mllog.logger import ModelLogger

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

MODEL: Final = "credit"
NAMESPACE: Final = "bench"
START: Final = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
DAY: Final = dt.timedelta(days=1)
NUMBERS: Final = tuple(f"number_{k:02d}" for k in range(30))
CARDINALITIES: Final = (2, 3, 5, 8, 12, 20, 30, 50)
CATEGORIES: Final = tuple(f"category_{k}" for k in range(len(CARDINALITIES)))
TEXTS: Final = ("text_0", "text_1")
SEGMENT: Final = CATEGORIES[-1]
"""Of 50 values: as many as a card keeps of a category."""

WORDS: Final = 2_000
LENGTH: Final = 25
"""Words of a text."""

TRAINING: Final = 20_000
CHUNK: Final = 10_000


@dataclass(frozen=True)
class Shape:
    """Which features rows have.

    Attributes:
        numbers: How many numbers.
        categories: How many categories.
        texts: How many texts.
    """

    numbers: int = len(NUMBERS)
    categories: int = len(CATEGORIES)
    texts: int = len(TEXTS)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return (*NUMBERS[: self.numbers], *CATEGORIES[: self.categories], *TEXTS[: self.texts])


WHOLE: Final = Shape()
SMALL: Final = Shape(4, 2, 0)
"""For what doesn't depend on how many features there are."""


def frame(seed: int, n: int, shape: Shape = WHOLE, *, serving: bool = True) -> pd.DataFrame:
    """Rows: numbers of several kinds, some of them missing, categories and texts.

    Args:
        seed: Of the random numbers.
        n: Rows.
        shape: Which features.
        serving: Whether a few values and words come that training never had.
    """
    draw = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    common = draw.normal(size=n)
    for k, name in enumerate(NUMBERS[: shape.numbers]):
        values = _number(draw, k, common)
        if k % 5 == 0:
            values[draw.random(n) < 0.01] = np.nan
        columns[name] = values
    for name, size in zip(CATEGORIES[: shape.categories], CARDINALITIES, strict=False):
        shares = 1 / np.arange(1, size + 1) ** 0.7
        kept = np.array([f"{name[-1]}-{k:02d}" for k in range(size)], dtype=object)
        values = kept[draw.choice(size, n, p=shares / shares.sum())]
        if serving:
            values[draw.random(n) < 0.001] = "new"
        columns[name] = values
    for name in TEXTS[: shape.texts]:
        columns[name] = _texts(draw, n, serving=serving)
    return pd.DataFrame(columns)


def _number(draw: np.random.Generator, k: int, common: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Measured, money, counted: as much of an index as the digits that they have."""
    own = 0.3 * common + draw.normal(size=len(common))
    kinds = (lambda: 10 * own + k, lambda: np.round(np.exp(4 + own), 2), lambda: np.floor(np.exp(1 + own / 2)))
    values: npt.NDArray[np.float64] = kinds[k % 3]()
    return values


def _texts(draw: np.random.Generator, n: int, *, serving: bool) -> list[str]:
    """Sentences whose words are as frequent as words are (Zipf)."""
    spelt = np.random.default_rng(4)
    letters = np.array(list("aaabcdeeeefghiiiklmnnoooprrsssttuvwy"))
    words = np.array(["".join(spelt.choice(letters, size)) for size in spelt.integers(2, 10, WORDS)], dtype=object)
    shares = 1 / np.arange(1, WORDS + 1)
    chosen = words[draw.choice(WORDS, (n, LENGTH), p=shares / shares.sum())]
    if serving:
        chosen[draw.random(chosen.shape) < 0.0005] = "neologism"
    return [" ".join(row) for row in chosen]


def card(model: str = MODEL, shape: Shape = WHOLE, *, segments: tuple[str, ...] = ()) -> ModelCard:
    """The card of a model, from training data of its own."""
    training = frame(1, TRAINING, shape, serving=False)
    training["@score"] = np.random.default_rng(2).random(TRAINING)
    training["@label"] = np.where(training["@score"] > 0.5, "yes", "no")
    texts = list(TEXTS[: shape.texts])
    return ModelCard.from_frame(training, model, "1", text=texts, segments=list(segments))


def rows(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Inputs of requests; what is missing is null."""
    for begin in range(0, len(table), CHUNK):
        part = table.iloc[begin : begin + CHUNK].astype(object)
        yield from part.where(part.notna(), None).to_dict("records")


def log(folder: Path, table: pd.DataFrame, made: ModelCard, *, span: dt.timedelta = DAY, start: dt.datetime = START,
        namespace: str = NAMESPACE) -> None:  # fmt: skip
    """Log rows as predictions, event times spread over ``span``."""
    scores = np.random.default_rng(3).random(len(table)).tolist()
    first, step = int(start.timestamp() * 1e9), int(span.total_seconds() * 1e9) / len(table)
    clock = [first]
    manifest = Manifest(python="3", packages={"numpy": "2.4.6", "pandas": "3.0.0", "scikit-learn": "1.8.0"})
    with ModelLogger(
        made.model, version="1", card=made, sink=str(folder), namespace=namespace, clock=lambda: clock[0],
        environment=manifest, overflow="block", resources=0,
    ) as logger:  # fmt: skip
        for k, (row, score) in enumerate(zip(rows(table), scores, strict=True)):
            clock[0] = first + int(k * step)
            logger.prediction(row, {"label": "yes" if score > 0.5 else "no", "score": score})
    gc.collect()


def times(n: int, *, span: dt.timedelta = DAY, start: dt.datetime = START) -> pd.DatetimeIndex:
    """The event times that :func:`log` gives to ``n`` rows."""
    step = int(span.total_seconds() * 1e9) / n
    return pd.to_datetime(int(start.timestamp() * 1e9) + (np.arange(n) * step).astype(np.int64), utc=True)


def lines(folder: Path) -> Iterator[bytes]:
    """The predictions of a spool, a line each."""
    for path in sorted(folder.glob("[!_]*/*.ndjson")):
        with path.open("rb") as file:
            # What tells of the deployment goes elsewhere.
            yield from (line for line in file if b'"mllog.prediction.' in line[:400])
