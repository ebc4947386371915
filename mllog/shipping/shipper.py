"""Ships a whole spool: every process's folder that nobody else is shipping, in turns."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.delivery.locks import WRITER_LOCK, is_locked
from mllog.errors import PlaceError
from mllog.shipping import clearing, registry
from mllog.shipping.checkpoint import ENDING, Checkpoint, Counts
from mllog.shipping.courier import Courier, Limits
from mllog.shipping.destinations.base import UnavailableError
from mllog.shipping.pace import Pace
from mllog.shipping.segments import Segments, processes
from mllog.shipping.status import ShipStatus, inspect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mllog.shipping.destinations.base import Destination

TURN: Final = 8
"""Batches of one process before it is another's turn."""
POLL_SECONDS: Final = 0.5
OTHERS_SECONDS: Final = 5.0
"""How often a process looks for folders of others that have ended."""


class Shipper:
    """Brings what is in a spool to a destination.

    Args:
        folder: The spool: ``<folder>/<process>/00000001.ndjson``.
        destination: From :func:`mllog.shipping.open_destination`.
        delete: Delete segments that every registered destination has passed.
        stop: Ends everything after the batch that is being sent.
        give_up: Seconds without success after which :meth:`run` ends; ``None``: never.
        told: Called with the first failure of an outage, and with ``None`` at its end.
        own: Ship this process, and of the others those that have ended; everybody where it is ``None``.
        limits: Bounds of a batch.
        dead_bytes: Bound of the dead letters.
        breathe: Called every few lines, for threads beside a model.

    Raises:
        PlaceError: Where the destination is the spool itself.
    """

    def __init__(
        self,
        folder: str | Path,
        destination: Destination,
        *,
        delete: bool = False,
        stop: threading.Event | None = None,
        give_up: float | None = None,
        told: Callable[[UnavailableError | None], object] = lambda _: None,
        own: str | None = None,
        limits: Limits | None = None,
        dead_bytes: int | None = None,
        breathe: Callable[[], object] | None = None,
    ) -> None:
        self.folder = Path(folder).absolute()
        if destination.name == f"file:{self.folder.as_posix()}":
            raise PlaceError(
                f"place {destination.name!r} is the spool itself: name another folder",
                field="place",
                value=destination.name,
            )
        self.destination = destination
        self.own = own
        self.stop = stop or threading.Event()
        self.pace = Pace(self.stop, give_up=give_up, told=told)
        self.problem: OSError | None = None
        self._give_up = give_up
        self._delete = delete
        self._limits = limits or Limits()
        self._dead_bytes = dead_bytes
        self._breathe = breathe
        self._counts = Counts()
        self._couriers: dict[str, Courier] = {}
        self._done: dict[str, tuple[object, ...]] = {}
        self._registered = False
        self._others_at = 0.0

    @property
    def counts(self) -> Counts:
        """What became of events in this object's hands."""
        total = Counts()
        total.add(self._counts)
        for courier in self._couriers.values():
            total.add(courier.counts)
        return total

    def round(self) -> bool:
        """Let each process have its turn; whether anything was done.

        What goes wrong is kept in :attr:`problem`; ``None`` after a round in which nothing did.
        """
        self.problem = None
        moved = False
        try:
            self._register()
            for process in self._mine():
                if self.stop.is_set() and self.pace.failing:
                    break
                moved |= self._turn_or_trouble(process)
        except OSError as error:
            self.problem = error
        return moved

    def run(self, *, follow: bool = False, progress: Callable[[], object] | None = None) -> None:
        """Ship until all is delivered, or patience ends, or for ever.

        Args:
            follow: Wait for more, until :attr:`stop`.
            progress: Called after each round.
        """
        told = progress or (lambda: None)
        if follow:
            self._follow(told)
        else:
            self._once(told)
        self.close()

    def status(self) -> ShipStatus:
        """How far this destination has got with the whole spool, whoever ships it."""
        name = self.destination.name
        found = [status for status in inspect(self.folder) if status.destination == name]
        return found[0] if found else ShipStatus(str(self.folder), name)

    def is_idle(self, process: str) -> bool:
        """Whether one process's events have all been dealt with."""
        courier = self._couriers.get(process)
        return process not in processes(self.folder) or (courier is not None and courier.is_done())

    def close(self) -> None:
        """Note how far it got, and let others go on."""
        for courier in self._couriers.values():
            self._counts.add(courier.counts)
            courier.close()
        self._couriers.clear()
        self.destination.close()

    def _follow(self, told: Callable[[], object]) -> None:
        while not self.stop.is_set():
            moved = self.round()
            told()
            # Attempts that failed have waited already.
            if not moved and not isinstance(self.problem, UnavailableError):
                self.stop.wait(POLL_SECONDS)

    def _once(self, told: Callable[[], object]) -> None:
        """Ship what is there now: a writer that goes on and on must not keep us."""
        ends = self._ends()
        left, since, rounds_after = self._unreached(ends), time.monotonic(), 0
        while not self.stop.is_set():
            moved = self.round()
            told()
            now = self._unreached({process: ends[process] for process in left})
            if now != left:
                left, since = now, time.monotonic()
            if not left:
                # What is at its end may still have to be held against its checksum and cleared away.
                if not moved or rounds_after:
                    break
                rounds_after += 1
            elif isinstance(self.problem, UnavailableError):
                if self._give_up is not None:
                    break  # its attempts took all the patience there was
            elif not moved:
                # Somebody else ships what is left, or the spool itself can't be read or written.
                if self._give_up is not None and time.monotonic() - since >= self._give_up:
                    break
                self.stop.wait(POLL_SECONDS)

    def _register(self) -> None:
        if self._registered or not self.folder.is_dir():
            return
        # A full disk must not stop what would make room on it.
        with contextlib.suppress(OSError):
            registry.register(self.folder, self.destination)
            clearing.finish_retiring(self.folder, registry.entries(self.folder))
            self._registered = True

    def _mine(self) -> list[str]:
        if self.own is None:
            return processes(self.folder)
        mine = [self.own] if (self.folder / self.own).is_dir() else []
        if time.monotonic() < self._others_at:
            return mine
        self._others_at = time.monotonic() + OTHERS_SECONDS
        everybody = processes(self.folder)
        return mine + [
            name for name in everybody if name != self.own and not is_locked(self.folder / name / WRITER_LOCK)
        ]

    def _turn_or_trouble(self, process: str) -> bool:
        try:
            return self._turn(process)
        except UnavailableError:
            raise
        except OSError as error:
            # One folder's trouble is not another's.
            self.problem = error
            return False

    def _turn(self, process: str) -> bool:
        seen = _look(self.folder / process)
        if self._done.get(process) == seen:
            return False
        courier = self._couriers.get(process)
        if courier is None:
            courier = Courier(
                self.folder,
                process,
                self.destination,
                self.pace,
                limits=self._limits,
                dead_bytes=self._dead_bytes,
                breathe=self._breathe,
            )
            try:
                if not courier.open():
                    return False
            except FileNotFoundError:
                return False  # cleared away
            self._couriers[process] = courier
        moved = False
        for _ in range(TURN):
            if self.stop.is_set() and self.pace.failing:
                break
            if not courier.step():
                break
            moved = True
            if self.stop.is_set() and self.own is None:
                break
        if self._delete:
            self._clear(courier)
        if not moved and courier.is_done():
            self._release(courier, seen)
        return moved

    def _ends(self) -> dict[str, tuple[int, int]]:
        """Where each process's segments end now: number of the last one, and its size."""
        ends = {}
        for process in processes(self.folder):
            segments = Segments(self.folder / process)
            with contextlib.suppress(OSError, IndexError):
                last = segments.numbers()[-1]
                ends[process] = last, segments.path(last).stat().st_size
        return ends

    def _unreached(self, ends: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """Of those ends the ones that this destination hasn't got to, and where it is."""
        left = {}
        for process, (last, size) in ends.items():
            courier = self._couriers.get(process)
            segments = Segments(self.folder / process)
            checkpoint = (
                courier.checkpoint
                if courier
                else Checkpoint.load(self.folder / process / f"{self.destination.key}{ENDING}", self.destination.name)
            )
            at = checkpoint.segment, checkpoint.offset
            if at < (last, size) and segments.numbers() and not segments.is_half_line(at, last):
                left[process] = at
        return left

    def _clear(self, courier: Courier) -> None:
        entries = registry.entries(self.folder)
        if clearing.clear(self.folder, courier, entries) or not courier.segments.numbers():
            clearing.retire(self.folder, courier, entries)

    def _release(self, courier: Courier, seen: tuple[object, ...]) -> None:
        """Of a process that has ended and is shipped nothing is kept open, and it isn't looked at in vain."""
        courier.close()
        self._counts.add(courier.counts)
        del self._couriers[courier.process]
        self._done[courier.process] = seen


def _look(folder: Path) -> tuple[object, ...]:
    """What would be different if there were more to ship."""
    segments = Segments(folder)
    numbers = segments.numbers()
    if not numbers:
        return ()
    try:
        return (numbers[-1], segments.path(numbers[-1]).stat().st_size, segments.is_sealed(numbers[-1]))
    except OSError:
        return (numbers[-1],)
