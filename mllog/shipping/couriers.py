"""The couriers of one shipper: opened when their folder's turn comes, closed when it is over, and what they counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mllog.shipping.checkpoint import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.shipping.checkpoint import Checkpoint
    from mllog.shipping.courier import Courier

MOST_OPEN: Final = 256
"""Folders that are kept open; each of them takes an open file."""


class Couriers:
    """One for each process's folder that is open.

    Args:
        make: Makes one for a process.
    """

    def __init__(self, make: Callable[[str], Courier]) -> None:
        self._make = make
        self._open: dict[str, Courier] = {}
        self._counts = Counts()
        self._unsaved: OSError | None = None

    @property
    def counts(self) -> Counts:
        """What became of events in their hands."""
        total = Counts()
        total.add(self._counts)
        for courier in self._open.values():
            total.add(courier.counts)
        return total

    @property
    def unsaved(self) -> OSError | None:
        """Why one of their checkpoints, as it is or was at last, isn't in its file."""
        return self._unsaved or next((c.unsaved for c in self._open.values() if c.unsaved is not None), None)

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """How far they have got, by process."""
        return {process: courier.checkpoint for process, courier in self._open.items()}

    def count(self, counts: Counts) -> None:
        """Count what others before these counted too."""
        self._counts.add(counts)

    def get(self, process: str) -> Courier | None:
        """The one for a process, if it is open."""
        return self._open.get(process)

    def open(self, process: str) -> Courier | None:
        """The one for a process; ``None`` where another shipper has its folder.

        Raises:
            OSError: Where the folder is gone or has no locks.
        """
        courier = self._open.get(process)
        if courier is None:
            courier = self._make(process)
            if not courier.open():
                return None
            # Nothing of their state is lost but how often a batch has failed.
            while len(self._open) >= MOST_OPEN:
                self.close(next(iter(self._open.values())))
            self._open[process] = courier
        return courier

    def close(self, courier: Courier) -> None:
        """Note how far one has got, unless its folder is gone, and let others go on."""
        courier.close()
        self._counts.add(courier.counts)
        self._unsaved = self._unsaved or courier.unsaved
        self._open.pop(courier.process, None)

    def close_all(self) -> None:
        """The same for all of them."""
        for courier in list(self._open.values()):
            self.close(courier)

    def leave_all(self) -> None:
        """Let others go on, and note nothing."""
        for courier in self._open.values():
            courier.leave()
        self.close_all()
