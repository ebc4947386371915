"""Who is compared: one class a library, in the preset that its documentation recommends, each in a module of its own.

A contender's module is imported in its child process only, and peers' processes have environments of their own: so
this package imports nothing but the standard library.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import pandas as pd

WINDOW: Final = "@window"


@dataclass
class Given:
    """What a contender may learn from.

    Attributes:
        numbers: Names of numeric features.
        categories: Names of categories.
        texts: Names of free texts.
        segments: Names of segment fields.
        time: Name of the time column, None where rows have no time.
        zone: Time zone.
        training: Rows older than the reference.
        reference: Rows of the reference; the column ``@window`` numbers its windows.
        rows: Of a usual window.
    """

    numbers: list[str]
    categories: list[str]
    texts: list[str]
    segments: list[str]
    time: str | None
    zone: str
    training: pd.DataFrame
    reference: pd.DataFrame
    rows: int

    @property
    def tabular(self) -> list[str]:
        """Features that aren't texts."""
        return [*self.numbers, *self.categories]


@dataclass
class Verdict:
    """What a contender says of one window.

    Attributes:
        alerts: The features that it calls broken, the worst first: feature, segment's value or None, which test,
            severity.
        scores: Feature -> how far it is; more is further. What its threshold, were it another, would be laid on.
        pages: Features of each incident that it opens with this window, where it knows incidents.
        cpu: CPU seconds by part of the work.
    """

    alerts: list[tuple[str | None, str | None, str, str]] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    pages: list[list[str]] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)


class Contender(Protocol):
    """One way to tell whether a window is unusual."""

    def prepare(self, given: Given) -> None:
        """Learn what is usual."""

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        """Judge windows that follow each other, each by itself unless it has a memory."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender's row of the tables.

    Attributes:
        module: Where its class is, in this package.
        make: Name of the class.
        note: What a reader should know of it.
        peer: The environment that it needs (a file in ``peers/``); None: the project's own.
        delays_only: It is given the runs of ten windows, and the clean ones as one run.
        options: What the class is told.
        environment: Variables of its process.
    """

    module: str
    make: str
    note: str
    peer: str | None = None
    delays_only: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


CONTENDERS: Final[dict[str, Entry]] = {
    "mllog": Entry(
        "ours", "Compare", "`watchers.compare(card, profile, history=...)`: one window, every alert of any severity"
    ),
    "mllog, two frames": Entry(
        "ours",
        "Frames",
        "`watchers.compare(reference, current)`: the card and its history are made of the reference with each call, so "
        "it is given few windows",
    ),
    "mllog run": Entry(
        "runs",
        "Run",
        "what `watchers run` does: windows of 1, 4 and 24, persistence, incidents; a window plays an hour",
        delays_only=True,
    ),
    "nannyml": Entry(
        "nannymls",
        "Nannyml",
        "UnivariateDriftCalculator, MissingValuesCalculator, UnseenValuesCalculator with their defaults (mean ± 3 sd "
        "of the reference's windows)",
        peer="nannyml",
        environment={"NML_DISABLE_USAGE_LOGGING": "1"},
    ),
    "evidently": Entry(
        "evidentlys",
        "Evidently",
        "DataDriftPreset with its defaults; slow, so given few windows",
        peer="evidently",
        environment={"DO_NOT_TRACK": "1"},
    ),
    "alibi-detect": Entry(
        "alibis", "Alibi", "TabularDrift, p 0.05, Bonferroni; missing numbers as the median", peer="alibi-detect"
    ),
    "scipy": Entry(
        "scipys", "Tests", "Kolmogorov-Smirnov or chi-squared, and Fisher's test of nulls; p 0.05 by Bonferroni"
    ),
    "psi": Entry("psi", "Psi", "population stability index > 0.2 on ten quantile bins or categories, null one of them"),
}


def make(name: str) -> Contender:
    """Set a contender up.

    Raises:
        ImportError: its library isn't installed in this environment.
    """
    entry = CONTENDERS[name]
    module = importlib.import_module(f"{__name__}.{entry.module}")
    contender: Contender = getattr(module, entry.make)(**entry.options)
    return contender
