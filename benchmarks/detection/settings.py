"""How much is measured: everything, as much as fits into an hour, or as much as fits into minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / "build" / "detection"
"""Environments of peers and joined tables; git ignores it."""

SEED: Final = 20130101

REFERENCE_WINDOWS: Final = {200: 96, 2_000: 28, 20_000: 12, 200_000: 8}
"""How many windows of reference stand behind a resampled window, by its rows."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes of one run.

    Attributes:
        clean: Resampled clean windows, by rows.
        repeats: Windows with each fault, by rows.
        sequences: Runs of ten windows of 200 rows with each fault, from which the delay is read.
        blocks: Blocks of consecutive windows: each has its own training, reference and windows to judge; by rows.
        block_windows: At most so many windows of a block are judged, by rows.
        day_rows: Rows of a window that is resampled from one real day.
        day_blocks: Blocks of such days.
        event_weeks: Fortnights of flights whose days are judged; None is all.
        months: Length of the simulated year.
        seeds: Simulated years of each kind of noise.
        noises: Kinds of noise.
        one_feature: Put each kind of fault into one feature only, where the data has two for it.
        most: Slow contenders: at most so many windows of a task, and so many tasks of a kind.
        others: Whether the other data sets are judged too.
        store_rows: Events that are logged to time a profile from a store.
        speed_rows: Rows of the window by which everybody's CPU is compared.
    """

    clean: dict[int, int] = field(default_factory=lambda: {200: 300, 2_000: 200, 20_000: 40, 200_000: 3})
    repeats: dict[int, int] = field(default_factory=lambda: {200: 24, 2_000: 40})
    sequences: int = 20
    blocks: dict[int, int] = field(default_factory=lambda: {200: 8, 2_000: 10, 20_000: 1})
    block_windows: dict[int, int] = field(default_factory=lambda: {200: 40, 2_000: 12, 20_000: 8})
    day_rows: tuple[int, ...] = (2_000, 20_000)
    day_blocks: int = 4
    event_weeks: tuple[int, ...] | None = None
    months: int = 12
    seeds: int = 2
    noises: tuple[str, ...] = ("normal", "t5", "overdispersed", "slow")
    one_feature: bool = False
    most: dict[str, tuple[int, int]] = field(
        default_factory=lambda: {"evidently": (40, 1), "mllog, two frames": (40, 1)}
    )
    others: bool = True
    store_rows: int = 200_000
    speed_rows: int = 200_000


FULL: Final = Settings()
HOUR: Final = Settings(
    clean={200: 100, 2_000: 80, 20_000: 8, 200_000: 2},
    repeats={200: 6, 2_000: 16},
    sequences=6,
    blocks={200: 3, 2_000: 6, 20_000: 1},
    block_windows={200: 20, 2_000: 8, 20_000: 6},
    day_rows=(2_000,),
    day_blocks=3,
    months=4,
    seeds=1,
    one_feature=True,
    most={"evidently": (5, 1), "nannyml": (150, 1), "alibi-detect": (90, 1), "mllog, two frames": (6, 1)},
)
QUICK: Final = Settings(
    clean={200: 16, 2_000: 12},
    repeats={200: 2, 2_000: 3},
    sequences=1,
    blocks={200: 1, 2_000: 2},
    block_windows={200: 12, 2_000: 6},
    day_rows=(2_000,),
    day_blocks=1,
    event_weeks=(2, 11),
    months=2,
    store_rows=20_000,
    seeds=1,
    noises=("normal", "t5"),
    one_feature=True,
    most={"evidently": (2, 1), "nannyml": (48, 1), "alibi-detect": (36, 1), "mllog, two frames": (4, 1)},
)
