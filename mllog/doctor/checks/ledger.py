"""The ledger: each process numbered its events, so what isn't here was delivered, dropped and counted, or is missing.

Per process: numbered = here + delivered and cleared away + dropped + rejected + missing. A process whose logger was
closed left its last word, so it is known where its numbers end. Of one that was killed nobody knows: it takes with it
what came within its flush interval, and, where the spool had reached its bound or the disk was full, what waited for
room, however old.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from mllog.doctor.base import RECENT, Diagnosis
from mllog.doctor.bounds import fullness
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
            readings = [r for r in subject.readings(folder) if r.events or r.corrupt or gone(r)]
            if not readings:
                yield Diagnosis(self.name, "ok", f"{folder}: no events are here", figures={"folder": str(folder)})
                continue
            yield self._sums(subject, folder, readings)
            yield from self._doubled(folder, readings)
            yield from self._lost(subject, folder, readings)
            yield from self._broken(folder, readings)
            yield from self._killed(subject, folder, readings)

    def _sums(self, subject: Subject, folder: Path, readings: list[ProcessReading]) -> Diagnosis:
        absent = {reading.name: n for reading in readings if (n := missing(reading))}
        # Those without a last word can't say how many they gave away.
        elsewhere = [r for r in readings if (r.word.rendered if r.word else r.name in absent and not r.predictions)]
        lacking = [r for r in readings if r.name in absent and (r.word or r.predictions)]
        figures: dict[str, Any] = {
            "folder": str(folder),
            "processes": len(readings),
            "here": sum(r.events for r in readings),
            "cleared": sum(r.removed for r in readings),
            **{name.removeprefix("mllog."): sum(r.losses[name] for r in readings) for name in LOSSES},
            "corrupt": sum(r.corrupt.total() for r in readings),
            "missing": {r.name: {"events": absent[r.name], "ranges": holes(r)} for r in lacking[:_LISTED]},
        }
        text = f"{folder}: here are {counted(figures['here'], 'event')} of {counted(len(readings), 'process')}"
        if figures["cleared"]:
            text += f"; {figures['cleared']} were delivered and cleared away"
        if figures["sampled_out"]:
            text += f"; {figures['sampled_out']} were left out by sampling"
        if elsewhere:
            text += f"; {some([r.name for r in elsewhere])} gave events to another handler, they are numbered there"
        cut = [r for r in readings if beginning(r) or gone(r)]
        figures["begin_at"] = {r.name: r.numbers.first for r in cut[:_LISTED] if r.segments}
        figures["gone"] = {r.name: gone(r) for r in cut[:_LISTED] if not r.segments}
        if not lacking and cut:
            return self._cut(subject, folder, cut, text, figures)
        if not lacking:
            return Diagnosis(self.name, "ok", f"{text}; none is missing", figures=figures)
        events, processes = sum(absent[r.name] for r in lacking), counted(len(lacking), "process")
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
        """Segments are gone, the first ones or all of a process, and no shipper says that it had them."""
        begun = [f"{r.name} begin at {r.numbers.first}" for r in cut if r.segments]
        emptied = [f"{r.name} ({counted(gone(r), 'event')})" for r in cut if not r.segments]
        if begun:
            text += "; of what is here none is missing, but what was before can't be judged: the numbers of "
            text += some(begun)
        if emptied:
            text += f"; all segments are gone of {some(emptied)}"
        last = max(max(r.written or 0.0, r.closed_at) for r in cut)
        shipped = bool(subject.statuses(folder)) or owner(folder) is not None
        recent = subject.now - last < RECENT and (bool(emptied) or not shipped)
        return Diagnosis(
            self.name,
            "warning" if recent else "ok",
            text,
            "right, if somebody archives old segments; mllog deletes only what a shipper has delivered",
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
        found = fullness(folder)
        yield Diagnosis(
            self.name,
            "warning" if subject.now - last < RECENT else "ok",
            f"{folder}: {counted(len(killed), 'process')} ended without closing ({some([r.name for r in killed])}), "
            f"last at {_clock(last)}; what was accepted in the last flush interval (0.05 s by default) can't be known, "
            "nor what waited in memory since there was no room"
            + (", which may be much: the spool is at its bound" if found is not None and found.is_full else ""),
            "find out who kills the service (kill -9, out of memory); with durable='each' nothing is unknown as long "
            "as there is room",
            {"folder": str(folder), "processes": [reading.name for reading in killed[:_LISTED]]},
        )


def missing(reading: ProcessReading) -> int:
    """Numbers of a process that nothing accounts for.

    They end where its last word says, if it was closed. Where its first segments are gone (delivered and cleared away,
    or archived), what was dropped then was said in events that are gone, too: only the numbers behind the first event
    that is still here can be judged.
    """
    numbers, word = reading.numbers, reading.word
    if not numbers.count and not (reading.whole and reading.segments):
        return 0  # nothing says where what is here begins
    before = numbers.first - 1 if reading.whole else 0
    absent = max(numbers.last, word.numbered if word else 0) - numbers.first + 1 - numbers.count
    said = reading.losses["mllog.dropped"] + reading.losses["mllog.rejected"] + (word.rendered if word else 0)
    return max(before + absent - said - reading.corrupt.total(), 0)


def gone(reading: ProcessReading) -> int:
    """Events of a process that was closed and whose segments are all gone, though no shipper says that it had them."""
    word = reading.word
    return 0 if word is None or reading.segments else max(word.written - reading.removed, 0)


def beginning(reading: ProcessReading) -> int:
    """Numbers before the first event that is here, where segments are gone and no shipper accounts for them."""
    return 0 if reading.whole else max(reading.numbers.first - 1 - reading.removed, 0)


def holes(reading: ProcessReading) -> list[tuple[int, int]]:
    """The first ranges of numbers that aren't here; dropped events had some of them."""
    numbers, word = reading.numbers, reading.word
    found = [(1, numbers.first - 1)] if numbers.first > 1 and reading.whole else []
    found += numbers.holes()
    if word is not None and word.numbered > numbers.last:
        found.append((numbers.last + 1, word.numbered))
    return found


def _ranges(reading: ProcessReading) -> str:
    return "numbers " + some([f"{a}-{b}" if b > a else str(a) for a, b in holes(reading)])


def _clock(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


check = Ledger()
