"""Leases as small JSON files beside the results; whoever compares and swaps holds a lock file meanwhile."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Final

import orjson

from mllog.events import dataset
from watchers.stores._results import locked, read_object, write_atomically
from watchers.stores.base import Lease

if TYPE_CHECKING:
    from pathlib import Path


_NEEDED: Final = ("holder", "seconds", "taken", "version")


class FileRecords:
    """Records in a folder.

    Args:
        folder: It is made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _file(self, name: str) -> Path:
        return self._folder / f"{dataset('prediction', name)}.json"

    def read(self, name: str) -> Lease | None:
        """The record, or None."""
        held = read_object(self._file(name), "whoever comes next takes the lease", _NEEDED)
        if held is None:
            return None
        taken = dt.datetime.fromisoformat(held["taken"])
        return Lease(name, held["holder"], held["seconds"], taken, held["version"])

    def write(self, lease: Lease, expected: str | None) -> str | None:
        """Write it where nobody else did."""
        path = self._file(lease.name)
        with locked(path.with_suffix(".lock")):
            held = self.read(lease.name)
            if (held.version if held else None) != expected:
                return None
            version = uuid.uuid4().hex
            until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=lease.seconds)
            document = {
                "name": lease.name,
                "holder": lease.holder,
                "seconds": lease.seconds,
                "taken": lease.taken.isoformat(),
                "until": until.isoformat(),  # for people who look
                "version": version,
            }
            write_atomically(path, orjson.dumps(document))
            return version

    def delete(self, name: str, expected: str) -> None:
        """Delete it where nobody else wrote."""
        path = self._file(name)
        with locked(path.with_suffix(".lock")):
            held = self.read(name)
            if held is not None and held.version == expected:
                path.unlink()
