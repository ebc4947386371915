"""Shipping: how far behind each destination of a folder is, whether somebody ships, and whether the counts add up."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from mllog.doctor.base import Diagnosis
from mllog.doctor.words import bytes_of, counted, some, span_of
from mllog.shipping import accounts, registry
from mllog.shipping.checkpoint import ENDING
from mllog.shipping.ownership import owner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllog.doctor.base import State, Subject
    from mllog.shipping import ShipStatus

WARNING_SECONDS: Final = 60.0
PROBLEM_SECONDS: Final = 3600.0


class Shipping:
    """The check."""

    name = "shipping"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:
        """A line for each folder and destination."""
        for folder in subject.existing():
            statuses = subject.statuses(folder)
            if not statuses:
                yield Diagnosis(
                    self.name,
                    "ok",
                    f"{folder} was never shipped: its events stay there"
                    if owner(folder) is None
                    else f"nothing has been shipped from {folder} to {owner(folder)} yet",
                    figures={"folder": str(folder)},
                )
            for status in statuses:
                yield self._status(folder, status)
                yield from self._holes(folder, status)
            yield from self._damaged(folder)
            yield from self._skipped(folder)

    def _skipped(self, folder: Path) -> Iterator[Diagnosis]:
        for entry in registry.entries(folder):
            lines = accounts.skipped(folder, entry)
            if lines:
                first = folder / next(iter(lines)) / f"{entry.key}{ENDING}"
                yield Diagnosis(
                    self.name,
                    "problem",
                    f"{folder}: {counted(sum(lines.values()), 'line')} that {entry.name} has passed are neither "
                    f"delivered nor refused nor corrupt, of {some(list(lines))}: they were skipped",
                    f"a checkpoint was changed. Empty it ({first}) and ship again: then all in that folder is sent, "
                    "after it was asked for where that can be done",
                    {"folder": str(folder), "destination": entry.name, "skipped": lines},
                )

    def _holes(self, folder: Path, status: ShipStatus) -> Iterator[Diagnosis]:
        if status.missing_segments and status.holds:
            verb = "was" if status.missing_segments == 1 else "were"
            yield Diagnosis(
                self.name,
                "problem",
                f"{folder}: {counted(status.missing_segments, 'segment')} {verb} deleted before "
                f"{status.destination} had everything in them",
                "find out who deletes in this folder; mllog deletes nothing that a registered place still needs",
                {"folder": str(folder), "destination": status.destination, "segments": status.missing_segments},
            )

    def _damaged(self, folder: Path) -> Iterator[Diagnosis]:
        for entry in registry.entries(folder):
            if entry.unreadable is not None:
                yield Diagnosis(
                    self.name,
                    "problem",
                    f"{folder / registry.FOLDER / entry.key}.json can't be read: {entry.unreadable}; segments are kept "
                    f"for {entry.name}",
                    "look for a failing disk, or for who edits these files; shipping there once more mends it, "
                    "mllog ship --forget takes it off the list",
                    {"folder": str(folder), "destination": entry.name},
                )

    def _status(self, folder: Path, status: ShipStatus) -> Diagnosis:
        figures = {
            "folder": str(folder),
            "destination": status.destination,
            "delivered": status.delivered,
            "duplicates": status.duplicates,
            "pending_lines": status.pending_lines,
            "pending_bytes": status.pending_bytes,
            "lag": status.lag,
            "running": status.running,
            "failing": status.failing,
            "holds": status.holds,
        }
        text = f"{folder} to {status.destination}: {counted(status.delivered, 'event')} delivered"
        if not status.pending_lines:
            return Diagnosis(self.name, "ok", f"{text}, none waits", figures=figures)
        if not status.holds:
            text += f", {status.pending_lines} not; nothing is kept for it"
            return Diagnosis(self.name, "ok", text, figures=figures)
        lag = status.lag or 0.0
        text += (
            f", {status.pending_lines} wait ({bytes_of(status.pending_bytes)}), the oldest for {span_of(lag)}; "
            f"{'somebody is' if status.running else 'nobody is'} shipping"
        )
        if status.failing and status.last_error:
            text += f"; last failure {_clock(status.last_error_at)}: {status.last_error}"
        return Diagnosis(self.name, _graded(lag, status), text, self._remedy(folder, status), figures)

    def _remedy(self, folder: Path, status: ShipStatus) -> str:
        command = f"mllog ship {folder} --to {status.destination}"
        own = owner(folder) == status.destination
        if status.failing and status.running:
            return "mend what the failure says; what waits is sent by itself then"
        if status.failing and own:
            return f"mend what the failure says; a logger of this spool sends what waits when it runs, or {command}"
        if status.failing:
            return (
                f"mend what the failure says, then {command}; if that place needs nothing more, or was a mistake, "
                f"{command} --forget: until then --delete keeps everything for it"
            )
        if status.running:
            return "it is catching up; look again, and if it falls behind, look at the destination's load"
        if own:
            return "a logger of this spool ships it when it runs; mllog ship does it without one"
        return f"{command} --follow"


def _graded(lag: float, status: ShipStatus) -> State:
    if lag < WARNING_SECONDS and not status.failing:
        return "ok"
    return "problem" if lag >= PROBLEM_SECONDS or status.failing else "warning"


def _clock(moment: float | None) -> str:
    return "" if moment is None else dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


check = Shipping()
