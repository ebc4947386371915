"""The ledger: each process numbered its events, so what isn't here was delivered, dropped and counted, or is missing.

Per process: numbered = here + delivered and cleared away + dropped + rejected + missing. What a process had accepted
and not written when it was killed has numbers that nobody knows: at most what came within its flush interval.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from mllog.doctor.base import RECENT, Diagnosis
from mllog.doctor.reading import LOSSES
from mllog.doctor.words import counted, some
from mllog.shipping.ownership import owner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllog.doctor.base import State, Subject
    from mllog.doctor.reading import ProcessReading

_LISTED: Final = 20


class Ledger:
    """The check."""

    name = "ledger"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:
        """Whether the numbers of each process add up."""
        for folder in subject.existing():
            readings = [reading for reading in subject.readings(folder) if reading.events or reading.corrupt]
            if not readings:
                yield Diagnosis(self.name, "ok", f"{folder}: no events are here", figures={"folder": str(folder)})
                continue
            yield self._sums(subject, folder, readings)
            yield from self._doubled(folder, readings)
            yield from self._lost(subject, folder, readings)
            yield from self._broken(folder, readings)
            yield from self._killed(subject, folder, readings)

    def _sums(self, subject: Subject, folder: Path, readings: list[ProcessReading]) -> Diagnosis:
        gone = {reading.name: n for reading in readings if (n := missing(reading))}
        elsewhere = [r for r in readings if r.name in gone and not r.predictions]
        lacking = [r for r in readings if r.name in gone and r.predictions]
        figures: dict[str, Any] = {
            "folder": str(folder),
            "processes": len(readings),
            "here": sum(r.events for r in readings),
            "cleared": sum(r.removed for r in readings),
            **{name.removeprefix("mllog."): sum(r.losses[name] for r in readings) for name in LOSSES},
            "corrupt": sum(r.corrupt.total() for r in readings),
            "missing": {r.name: {"events": gone[r.name], "ranges": r.numbers.holes()} for r in lacking[:_LISTED]},
        }
        text = f"{folder}: here are {counted(figures['here'], 'event')} of {counted(len(readings), 'process')}"
        if figures["cleared"]:
            text += f"; {figures['cleared']} were delivered and cleared away"
        if figures["sampled_out"]:
            text += f"; {figures['sampled_out']} were left out by sampling"
        if elsewhere:
            text += f"; {some([r.name for r in elsewhere])} gave events to another handler, they are numbered there"
        begun = {r.name: r.numbers.first for r in readings if beginning(r)}
        figures["begin_at"] = dict(list(begun.items())[:_LISTED])
        if not lacking and begun:
            return self._cut(subject, folder, [r for r in readings if r.name in begun], text, figures)
        if not lacking:
            return Diagnosis(self.name, "ok", f"{text}; none is missing", figures=figures)
        events, processes = sum(gone[r.name] for r in lacking), counted(len(lacking), "process")
        return Diagnosis(
            self.name,
            "problem",
            f"{text}; {events} are missing without a trace, of {processes}: "
            + some([f"{r.name} ({_ranges(r)})" for r in lacking]),
            "were segments deleted or edited by hand, or is this one of several sinks? If not, please report it",
            figures,
        )

    def _cut(
        self, subject: Subject, folder: Path, cut: list[ProcessReading], text: str, figures: dict[str, Any]
    ) -> Diagnosis:
        """First segments are gone, and no shipper says that it had them."""
        text += "; of what is here none is missing, but what was before can't be judged: the numbers of "
        text += some([f"{r.name} begin at {r.numbers.first}" for r in cut])
        last = max(r.written or 0.0 for r in cut)
        recent = subject.now - last < RECENT and not subject.statuses(folder) and owner(folder) is None
        return Diagnosis(
            self.name,
            "warning" if recent else "ok",
            text,
            "right, if somebody archives old segments; nobody ships this folder, so mllog deleted none of it",
            figures,
        )

    def _doubled(self, folder: Path, readings: list[ProcessReading]) -> Iterator[Diagnosis]:
        doubled = {r.name: r.numbers.repeated for r in readings if r.numbers.repeated}
        if doubled:
            yield Diagnosis(
                self.name,
                "problem",
                f"{folder}: {sum(doubled.values())} numbers are there twice, of {some(list(doubled))}",
                "was a folder copied into itself, or merged? Keep one copy of each segment",
                {"folder": str(folder), "repeated": doubled},
            )

    def _lost(self, subject: Subject, folder: Path, readings: list[ProcessReading]) -> Iterator[Diagnosis]:
        for name, words, remedy in (
            (
                "mllog.dropped",
                "dropped, since the queue or the spool was full or the sink failed",
                "raise max_bytes (MLLOG_MAX_BYTES) for bursts; a full spool or disk stands under folders",
            ),
            (
                "mllog.rejected",
                "that could not be made, a bug in mllog",
                "please report it, with the last_error of ModelLogger.status()",
            ),
        ):
            losers = [reading for reading in readings if reading.losses[name]]
            if not losers:
                continue
            last = max(reading.lost_at or 0.0 for reading in losers)
            state: State = "warning" if subject.now - last < RECENT else "ok"
            yield Diagnosis(
                self.name,
                state,
                f"{folder}: {counted(sum(r.losses[name] for r in losers), 'event')} {words}; said by "
                f"{some([r.name for r in losers])}, last at {_clock(last)}",
                remedy,
                {"folder": str(folder), "processes": {r.name: r.losses[name] for r in losers[:_LISTED]}},
            )

    def _broken(self, folder: Path, readings: list[ProcessReading]) -> Iterator[Diagnosis]:
        broken = [f"{r.name}/{name}" for r in readings for name in r.broken]
        reasons: dict[str, int] = {}
        for reading in readings:
            for reason, lines in reading.corrupt.items():
                reasons[reason] = reasons.get(reason, 0) + lines
        if broken or reasons:
            commonest = sorted(reasons.items(), key=lambda item: -item[1])
            words = [f"{counted(lines, 'line')} ({reason})" for reason, lines in commonest]
            if broken:
                words.append(f"{counted(len(broken), 'sealed segment')} not what the checksum says ({some(broken)})")
            yield Diagnosis(
                self.name,
                "warning",
                f"{folder}: what can't be read as events: {'; '.join(words[:4])}",
                "look for a failing disk, or for who edits these files; shippers pass over it and keep it in _corrupt",
                {"folder": str(folder), "lines": reasons, "segments": broken[:_LISTED]},
            )

    def _killed(self, subject: Subject, folder: Path, readings: list[ProcessReading]) -> Iterator[Diagnosis]:
        killed = [reading for reading in readings if not reading.closed and not reading.writing]
        if not killed:
            return
        last = max(reading.written or 0.0 for reading in killed)
        yield Diagnosis(
            self.name,
            "warning" if subject.now - last < RECENT else "ok",
            f"{folder}: {counted(len(killed), 'process')} ended without closing ({some([r.name for r in killed])}), "
            f"last at {_clock(last)}; what was accepted in the last flush interval (0.05 s by default) can't be known",
            "find out who kills the service (kill -9, out of memory); with durable='each' nothing is unknown",
            {"folder": str(folder), "processes": [reading.name for reading in killed[:_LISTED]]},
        )


def missing(reading: ProcessReading) -> int:
    """Numbers of a process that nothing accounts for.

    Where its first segments are gone (delivered and cleared away, or archived), what was dropped then was said in
    events that are gone, too: only the numbers behind the first event that is still here can be judged.
    """
    numbers = reading.numbers
    before = numbers.first - 1 if reading.whole else 0
    holes = numbers.last - numbers.first + 1 - numbers.count
    said = reading.losses["mllog.dropped"] + reading.losses["mllog.rejected"]
    return max(before + holes - said - reading.corrupt.total(), 0)


def beginning(reading: ProcessReading) -> int:
    """Numbers before the first event that is here, where segments are gone and no shipper accounts for them."""
    return 0 if reading.whole else max(reading.numbers.first - 1 - reading.removed, 0)


def _ranges(reading: ProcessReading) -> str:
    holes = [(1, reading.numbers.first - 1)] if reading.numbers.first > 1 and reading.whole else []
    return "numbers " + some([f"{a}-{b}" if b > a else str(a) for a, b in [*holes, *reading.numbers.holes()]])


def _clock(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


check = Ledger()
