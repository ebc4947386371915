"""Clocks: this machine's against the servers', and those of processes against the disk they write to."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from mllog.doctor.base import Diagnosis
from mllog.doctor.words import some, span_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllog.doctor.base import Reached, State, Subject

WARNING_SECONDS: Final = 30.0
PROBLEM_SECONDS: Final = 300.0
"""Watchers wait ten minutes for late events: half of that is used up."""


class Clock:
    """The check."""

    name = "clock"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:
        """A line for each server that says its time, and one for each folder."""
        for place in subject.places:
            yield from self._server(subject.reached(place))
        for folder in subject.existing():
            yield from self._folder(subject, folder)

    def _server(self, server: Reached) -> Iterator[Diagnosis]:
        figures = {"destination": server.name, "skew": None if server.skew is None else round(server.skew, 1)}
        if server.skew is None:
            if server.reachable:
                message = f"{server.name} doesn't say what time it has: not compared"
                yield Diagnosis(self.name, "ok", message, figures=figures)
            return
        if abs(server.skew) < WARNING_SECONDS:
            yield Diagnosis(self.name, "ok", f"this clock and that of {server.name} agree", figures=figures)
            return
        way = "behind" if server.skew > 0 else "ahead of"
        yield Diagnosis(
            self.name,
            _graded(server.skew),
            f"the clock here is {span_of(abs(server.skew))} {way} that of {server.name}",
            "synchronise the clocks (NTP): events fall into the wrong window, and late ones are judged without",
            figures,
        )

    def _folder(self, subject: Subject, folder: Path) -> Iterator[Diagnosis]:
        readings = [reading for reading in subject.readings(folder) if reading.last is not None]
        future = {
            r.name: (r.last or 0.0) - subject.now for r in readings if (r.last or 0.0) - subject.now > WARNING_SECONDS
        }
        ahead = {r.name: r.ahead for r in readings if r.ahead > WARNING_SECONDS and r.name not in future}
        disk = max([(r.written or 0.0) - subject.now for r in readings] + [0.0])
        if future:
            most = max(future.values())
            yield Diagnosis(
                self.name,
                _graded(most),
                f"{folder}: events of {some(list(future))} lie up to {span_of(most)} in the future",
                "synchronise the clock of the machine that wrote them; or look at what is given as time= and clock= "
                "(local time taken for UTC?)",
                {"folder": str(folder), "ahead": {name: round(x, 1) for name, x in future.items()}},
            )
        if ahead:
            most = max(ahead.values())
            yield Diagnosis(
                self.name,
                _graded(most),
                f"{folder}: events of {some(list(ahead))} were up to {span_of(most)} ahead of the disk's clock",
                "synchronise the clocks of the service and of the file server",
                {"folder": str(folder), "ahead": {name: round(x, 1) for name, x in ahead.items()}},
            )
        if disk > WARNING_SECONDS:
            yield Diagnosis(
                self.name,
                _graded(disk),
                f"files in {folder} were changed {span_of(disk)} in the future, by the clock here",
                "synchronise the clocks of this machine and of the file server",
                {"folder": str(folder), "ahead": round(disk, 1)},
            )
        if readings and not (future or ahead or disk > WARNING_SECONDS):
            latest = max(reading.last or 0.0 for reading in readings)
            text = dt.datetime.fromtimestamp(latest, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            yield Diagnosis(
                self.name,
                "ok",
                f"{folder}: no event lies in the future; the latest happened at {text}",
                figures={"folder": str(folder), "latest": latest},
            )


def _graded(seconds: float) -> State:
    return "problem" if abs(seconds) >= PROBLEM_SECONDS else "warning"


check = Clock()
