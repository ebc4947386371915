"""Ships a whole spool: every process's folder that nobody else is shipping, in turns."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.delivery.locks import WRITER_LOCK, is_locked
from mllog.errors import PlaceError
from mllog.shipping import clearing, ends, holders, ownership, registry
from mllog.shipping.checkpoint import Counts
from mllog.shipping.courier import Courier, Limits
from mllog.shipping.destinations.base import UnavailableError
from mllog.shipping.pace import Pace
from mllog.shipping.segments import processes
from mllog.shipping.status import inspect_one

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mllog.shipping.destinations.base import Destination
    from mllog.shipping.status import ShipStatus

TURN: Final = 8
"""Batches of one process before it is another's turn."""
POLL_SECONDS: Final = 0.5
OTHERS_SECONDS: Final = 5.0
"""How often a process looks for folders of others that have ended."""
_NAMED: Final = 3


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

    Attributes:
        problem: What went wrong in the last round; ``None`` where nothing did.
        warnings: What was found to be wrong with the spool's own files, in words.

    Raises:
        PlaceError: Where the destination is the spool itself, or one stands in the other; or where ``delete`` would
            leave no copy at all.
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
        if destination.name.startswith("file:"):
            ownership.check_apart(self.folder, Path(destination.name.removeprefix("file:")))
        if delete and not destination.holds and not self._is_held():
            raise PlaceError(
                f"{destination.name} acknowledges nothing, and {self.folder} was shipped to no other place: deleting "
                "what was written there would leave no copy; leave --delete out, or ship to another place first",
                field="delete",
                value=destination.name,
            )
        self.destination = destination
        self.own = own
        self.stop = stop or threading.Event()
        self.pace = Pace(self.stop, give_up=give_up, told=told)
        self.problem: OSError | None = None
        self.warnings: list[str] = []
        self._give_up = give_up
        self._delete = delete
        self._limits = limits or Limits()
        self._dead_bytes = dead_bytes
        self._breathe = breathe
        self._counts = Counts()
        self._couriers: dict[str, Courier] = {}
        self._done: dict[str, tuple[object, ...]] = {}
        self._registered = False
        self._unregistered: OSError | None = None
        self._unsaved: OSError | None = None
        self._busy: set[str] = set()
        self._others_at = 0.0

    @property
    def counts(self) -> Counts:
        """What became of events in this object's hands."""
        total = Counts()
        total.add(self._counts)
        for courier in self._couriers.values():
            total.add(courier.counts)
        return total

    @property
    def unkept(self) -> OSError | None:
        """Why it can't be noted how far this destination has got; then it will be sent again what it has."""
        unsaved = (courier.unsaved for courier in self._couriers.values() if courier.unsaved is not None)
        return self._unregistered or self._unsaved or next(unsaved, None)

    @property
    def reason(self) -> str | None:
        """Why not everything was delivered or noted, in words; ``None`` where nothing went wrong here."""
        if self.problem is not None:
            return str(self.problem)
        if self.unkept is not None:
            return f"how far it has got can't be noted in {self.folder}, so all may be sent again: {self.unkept}"
        if missing := self.counts.missing_segments:
            return f"segments in {self.folder} were deleted before they had been delivered: {missing}"
        return None

    @property
    def others(self) -> str | None:
        """Who ships what this object may not, in words; ``None`` where nobody else does."""
        return "; ".join(self._who(process) for process in sorted(self._busy)[:_NAMED]) or None

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
        return inspect_one(self.folder, self.destination.key, self.destination.name)

    def is_idle(self, process: str) -> bool:
        """Whether one process's events have all been dealt with."""
        courier = self._couriers.get(process)
        return process not in processes(self.folder) or (courier is not None and courier.is_done())

    def close(self) -> None:
        """Note how far it got, and let others go on."""
        for courier in self._couriers.values():
            courier.close()
            self._counts.add(courier.counts)
            self._unsaved = self._unsaved or courier.unsaved
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
        to = ends.ends(self.folder)
        left, since, rounds_after = self._unreached(to), time.monotonic(), 0
        while not self.stop.is_set():
            moved = self.round()
            told()
            now = self._unreached({process: to[process] for process in left})
            if now != left:
                left, since = now, time.monotonic()
            if not left:
                # What is at its end may still have to be held against its checksum and cleared away.
                if not moved or rounds_after:
                    break
                rounds_after += 1
            elif isinstance(self.problem, UnavailableError):
                if self.pace.spent:
                    break
            elif not moved:
                # Somebody else ships what is left, or the spool itself can't be read or written.
                if self._give_up is not None and time.monotonic() - since >= self._give_up:
                    break
                self.stop.wait(POLL_SECONDS)

    def _register(self) -> None:
        if self._registered or not self.folder.is_dir():
            return
        # A full disk must not stop what would make room on it.
        try:
            why = registry.register(self.folder, self.destination)
            entries = registry.entries(self.folder)
            clearing.finish_retiring(self.folder, entries)
        except OSError as error:
            self._unregistered = error
            return
        self._registered, self._unregistered = True, None
        path = self.folder / registry.FOLDER
        if why is not None:
            self.warnings.append(
                f"{path / self.destination.key}.json was damaged and is written anew: {why}; what it had counted of "
                "folders that are gone is lost"
            )
        self.warnings += [
            f"{path / entry.key}.json is damaged: {entry.unreadable}; segments are kept for {entry.name} until it is "
            "shipped to again, or forgotten (--forget)"
            for entry in entries
            if entry.unreadable is not None
        ]

    def _is_held(self) -> bool:
        """Whether segments are kept for anybody."""
        return any(entry.holds for entry in registry.entries(self.folder))

    def _who(self, process: str) -> str:
        lock = self.folder / process / f"{self.destination.key}.lock"
        return f"{process} is being shipped there by {holders.holder(lock)}"

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
        except OSError as error:
            if isinstance(error, UnavailableError) and self.pace.spent:
                raise
            # One folder's trouble is not another's: it may be one event that the destination can't stand.
            self.problem = error
            return False

    def _turn(self, process: str) -> bool:
        seen = ends.look(self.folder / process)
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
                    self._busy.add(process)
                    return False
                self._busy.discard(process)
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

    def _unreached(self, to: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """Of these ends the ones that this destination hasn't got to, and where it is."""
        positions = {process: courier.checkpoint for process, courier in self._couriers.items()}
        return ends.unreached(self.folder, self.destination, to, positions)

    def _clear(self, courier: Courier) -> None:
        entries = registry.entries(self.folder)
        if not self.destination.holds and not any(entry.holds for entry in entries):
            return
        if clearing.clear(self.folder, courier, entries) or not courier.segments.numbers():
            clearing.retire(self.folder, courier, entries)

    def _release(self, courier: Courier, seen: tuple[object, ...]) -> None:
        """Of a process that has ended and is shipped nothing is kept open, and it isn't looked at in vain."""
        courier.close()
        self._counts.add(courier.counts)
        self._unsaved = self._unsaved or courier.unsaved
        del self._couriers[courier.process]
        self._done[courier.process] = seen
