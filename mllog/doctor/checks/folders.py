"""Folders: there, readable and writable, below their bound, and on a disk that has room."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.doctor.base import DAY, Diagnosis
from mllog.doctor.bounds import fullness
from mllog.doctor.words import bytes_of, counted, span_of
from mllog.shipping.ownership import owner
from mllog.shipping.segments import numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.doctor.base import Subject

FREE_BYTES: Final = 2**30
FREE_SHARE: Final = 0.05
DAYS_LEFT: Final = 7.0
_LEAST_SPAN: Final = 3600.0


class Folders:
    """The check."""

    name = "folders"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:
        """A line for each thing that is wrong with a folder, or one that it is fine."""
        for folder in subject.folders:
            if not folder.is_dir():
                yield Diagnosis(
                    self.name,
                    "warning",
                    f"{folder} isn't there: nothing has been logged to it"
                    if not folder.exists()
                    else f"{folder} isn't a folder",
                    "run the service, or name the folder that its loggers write to (mllog doctor FOLDER)",
                    {"folder": str(folder)},
                )
                continue
            if numbers(folder):
                yield Diagnosis(
                    self.name,
                    "warning",
                    f"{folder} is the folder of one process, not what loggers write to",
                    f"name the folder that it stands in: mllog doctor {folder.absolute().parent}",
                    {"folder": str(folder)},
                )
                continue
            wrong = [*self._permissions(folder), *self._bound(subject, folder), *self._room(subject, folder)]
            yield from wrong
            if not wrong:
                readings = subject.readings(folder)
                size, free = sum(r.bytes for r in readings), shutil.disk_usage(folder).free
                segments = sum(r.segments for r in readings)
                yield Diagnosis(
                    self.name,
                    "ok",
                    f"{folder} holds {bytes_of(size)} in {counted(segments, 'segment')} of "
                    f"{counted(len(readings), 'process')}, "
                    f"{bytes_of(free)} are free",
                    figures={"folder": str(folder), "bytes": size, "free": free, "segments": segments},
                )

    def _permissions(self, folder: Path) -> Iterator[Diagnosis]:
        # What was there a moment ago may have been shipped and deleted since.
        unreadable = [str(path) for path in _within(folder) if not os.access(path, os.R_OK) and path.exists()]
        if unreadable:
            yield Diagnosis(
                self.name,
                "problem",
                f"{counted(len(unreadable), 'file')} in {folder} can't be read by this user, e.g. {unreadable[0]}",
                "run the doctor, and what ships or watches, as a user of the service's group",
                {"folder": str(folder), "unreadable": len(unreadable)},
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            yield Diagnosis(
                self.name,
                "warning",
                f"{folder} can't be written to by this user",
                "right, if only the service writes there; a shipper needs to write its checkpoint beside the segments",
                {"folder": str(folder)},
            )

    def _bound(self, subject: Subject, folder: Path) -> Iterator[Diagnosis]:
        found = fullness(folder)
        if found is None or not found.is_high:
            return
        waiting = sum(status.pending_lines for status in subject.statuses(folder))
        yield Diagnosis(
            self.name,
            "problem" if found.is_full else "warning",
            f"the spool {folder} has {bytes_of(found.size)} of the {bytes_of(found.bound)} it may have, "
            f"{counted(waiting, 'event')} still to be shipped"
            + (
                "; what finds no room waits in memory (kill -9 takes it, with durable='each' too), and is dropped and "
                "counted when that is full"
                if found.is_full
                else ""
            ),
            "make its destination reachable (see destinations), or raise spool_bytes (MLLOG_SPOOL_BYTES)",
            {"folder": str(folder), "bytes": found.size, "bound": found.bound, "waiting": waiting},
        )

    def _room(self, subject: Subject, folder: Path) -> Iterator[Diagnosis]:
        disk = shutil.disk_usage(folder)
        figures = {"folder": str(folder), "free": disk.free, "total": disk.total}
        if disk.free < min(FREE_BYTES, FREE_SHARE * disk.total):
            yield Diagnosis(
                self.name,
                "problem",
                f"only {bytes_of(disk.free)} are free on the disk of {folder}",
                "make room: events that can't be written wait in memory, and are dropped and counted when that is full",
                figures,
            )
            return
        readings = [r for r in subject.readings(folder) if r.began is not None and r.written is not None]
        if not readings or owner(folder) is not None:
            return
        span = max(r.written or 0.0 for r in readings) - min(r.began or 0.0 for r in readings)
        if span < _LEAST_SPAN:
            return
        a_day = sum(r.bytes for r in readings) / span * DAY
        left = disk.free / max(a_day, 1.0)
        if left < DAYS_LEFT:
            yield Diagnosis(
                self.name,
                "warning",
                f"{folder} grows by {bytes_of(a_day)} a day; its disk is full in {span_of(left * DAY)}",
                "delete or archive old segments, or ship them (mllog ship FOLDER --to PLACE --delete)",
                {**figures, "bytes_a_day": round(a_day)},
            )


def _within(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(root, name)


check = Folders()
