"""How the watchers run: lengths, lateness, memory. Measured defaults, named in one place."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from watchers.notify import Route


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of a run.

    Attributes:
        lengths: (hours of a window, hours between two of them). Thin streams are judged by the longer ones.
        history: How far back windows teach what is usual.
        lateness: How long after an hour's end it is judged.
        reopen: How far before the newest judged hour events may still come and be judged; what comes later is counted
            and said, and not judged.
        lease: For how long a run that shows no life keeps others from its model.
        retry: For how long a message that didn't arrive is tried again.
        notify: Receivers that hear of incidents; ``watchers.notify.routes`` reads them.
    """

    lengths: tuple[tuple[int, int], ...] = ((1, 1), (4, 2), (24, 6))
    history: dt.timedelta = dt.timedelta(days=28)
    lateness: dt.timedelta = dt.timedelta(minutes=10)
    reopen: dt.timedelta = dt.timedelta(hours=24)
    lease: dt.timedelta = dt.timedelta(seconds=30)
    retry: dt.timedelta = dt.timedelta(hours=24)
    notify: tuple[Route, ...] = ()
