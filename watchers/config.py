"""How the watchers run: lengths, lateness, memory. Measured defaults, named in one place."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of a run.

    Attributes:
        lengths: (hours of a window, hours between two of them). Thin streams are judged by the longer ones.
        history: How far back windows teach what is usual.
        lateness: How long after an hour's end it is judged.
        notify: Apprise URLs that hear of incidents.
    """

    lengths: tuple[tuple[int, int], ...] = ((1, 1), (4, 2), (24, 6))
    history: dt.timedelta = dt.timedelta(days=28)
    lateness: dt.timedelta = dt.timedelta(minutes=10)
    notify: tuple[str, ...] = ()
