"""Ships a whole spool: every process's folder that nobody else is shipping, in turns."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.delivery.locks import WRITER_LOCK, is_locked
from mllog.errors import PlaceError
from mllog.files import NOT_ALLOWED
from mllog.shipping import clearing, ends, holders, ownership, registry
from mllog.shipping.cards import Cards
from mllog.shipping.courier import Courier
from mllog.shipping.couriers import Couriers
from mllog.shipping.destinations.base import UnavailableError
from mllog.shipping.limits import Limits
from mllog.shipping.pace import Pace
from mllog.shipping.registration import Registration
from mllog.shipping.segments import processes
from mllog.shipping.status import inspect_one

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mllog.shipping.checkpoint import Counts
    from mllog.shipping.destinations.base import Destination
    from mllog.shipping.status import ShipStatus

TURN: Final = 8
"""Batches of one process before it is another's turn."""
POLL_SECONDS: Final = 0.5
TOGETHER: Final = 32
"""Folders that are cleared away together, since that is noted once for all of them."""
OTHERS_SECONDS: Final = 5.0
"""How often a process looks for folders of others that have ended."""
_NAMED: Final = 3


class Shipper:
    """Brings what is in a spool to a destination.

    Args:
        folder: The spool: ``<folder>/<process>/00000001.ndjson``.
        destination: From :func:`mllog.shipping.open_destination`.
        delete: Delete segments that every registered destination has passed.
        copy: Keep no segments until this destination has them, whoever else does.
        stop: Ends everything after the batch that is being sent.
        give_up: Seconds without success after which :meth:`run` ends; ``None``: never.
        told: Called with the first failure of an outage, and with ``None`` at its end.
        own: Ship this process, and of the others those that have ended; everybody where it is ``None``.
        limits: Bounds of a batch.
        dead_bytes: Bound of the dead letters.
        breathe: Called every few lines, for threads beside a model.

    Attributes:
        problem: What went wrong in the last round; ``None`` where nothing did.
        deleted: Segments that were deleted.

    Raises:
        PlaceError: Where the destination is the spool itself, or one stands in the other; where segments would be kept
            for it in a spool that a logger ships to another; or where ``delete`` would leave no copy at all.
    """

    def __init__(
        self,
        folder: str | Path,
        destination: Destination,
        *,
        delete: bool = False,
        copy: bool = False,
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
        holds = destination.holds and not copy
        self._registration = Registration(self.folder, destination, holds=holds, renewed=own is not None)
        if delete and not holds and not registry.holders(self.folder):
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
        self.deleted = 0
        self._give_up = give_up
        self._delete = delete
        self._limits = limits or Limits()
        self._dead_bytes = dead_bytes
        self._breathe = breathe
        self._couriers = Couriers(self._courier)
        self._cards = Cards(self.folder, destination)
        self._done: dict[str, tuple[object, ...]] = {}
        self._forgotten = False
        # To be cleared, and where nothing moves any more to be released: what was to be seen of it then.
        self._due: dict[str, tuple[object, ...] | None] = {}
        self._busy: set[str] = set()
        self._others_at = 0.0

    @property
    def counts(self) -> Counts:
        """What became of events in this object's hands."""
        return self._couriers.counts

    @property
    def unkept(self) -> OSError | None:
        """Why it can't be noted how far this destination has got; then it will be sent again what it has."""
        return self._registration.problem or self._couriers.unsaved

    @property
    def warnings(self) -> list[str]:
        """What was found to be wrong with the spool's own files, in words, each once."""
        return list(dict.fromkeys(self._registration.warnings))

    @property
    def forgotten(self) -> bool:
        """Whether somebody took the destination off the spool's list while this shipped to it."""
        return self._forgotten

    @property
    def reason(self) -> str | None:
        """Why not everything was delivered or noted, in words; ``None`` where nothing went wrong here."""
        if self.problem is not None:
            return f"{self.problem}{_remedy(self.problem, self.folder)}"
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
            if self._registration.is_lost():
                self._end()
                return False
            self._registration.take()
            self._cards.round()
            try:
                for process in self._mine():
                    if self.stop.is_set() and self.pace.failing:
                        break
                    moved |= self._turn_or_trouble(process)
                    if len(self._due) >= TOGETHER:
                        self._clear()
            finally:
                self._clear()
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

    def take_over(self, other: Shipper) -> None:
        """Go on from one that has ended: what it counted is counted here too."""
        self._couriers.count(other.counts)
        self.pace.take_over(other.pace)
        self.deleted += other.deleted
        self._registration.warnings += other.warnings

    def status(self) -> ShipStatus:
        """How far this destination has got with the whole spool, whoever ships it."""
        return inspect_one(self.folder, self.destination.key, self.destination.name)

    def is_idle(self, process: str) -> bool:
        """Whether one process's events have all been dealt with."""
        courier = self._couriers.get(process)
        return process not in processes(self.folder) or (courier is not None and courier.is_done())

    def close(self) -> None:
        """Note how far it got, and let others go on."""
        self._couriers.close_all()
        self.destination.close()

    def _follow(self, told: Callable[[], object]) -> None:
        while not (self.stop.is_set() or self._forgotten):
            moved = self.round()
            told()
            # Attempts that failed have waited already.
            if not moved and not isinstance(self.problem, UnavailableError):
                self.stop.wait(POLL_SECONDS)
        # A list that can't be read forgets nobody.
        with contextlib.suppress(OSError):
            if not self._forgotten and self._registration.is_lost():
                self._end()

    def _once(self, told: Callable[[], object]) -> None:
        """Ship what is there now: a writer that goes on and on must not keep us."""
        to = ends.ends(self.folder)
        left, since, rounds_after = self._unreached(to), time.monotonic(), 0
        while not (self.stop.is_set() or self._forgotten):
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

    def _end(self) -> None:
        """Let go of everything, without writing anything down."""
        self._forgotten = True
        self._couriers.leave_all()
        self.problem = OSError(
            f"{self.destination.name} is no longer on the list of {self.folder}: it was forgotten (--forget) while "
            "this shipped to it, so this ends"
        )

    def _who(self, process: str) -> str:
        lock = self.folder / process / f"{self.destination.key}.lock"
        return f"{process} is being shipped there by {holders.holder(lock)}"

    def _mine(self) -> list[str]:
        if self.own is None:
            return processes(self.folder)
        mine = [self.own] if (self.folder / self.own).is_dir() else []
        self._let_go()
        if time.monotonic() < self._others_at:
            return mine
        self._others_at = time.monotonic() + OTHERS_SECONDS
        everybody = processes(self.folder)
        return mine + [
            name for name in everybody if name != self.own and not is_locked(self.folder / name / WRITER_LOCK)
        ]

    def _let_go(self) -> None:
        """Close what was taken of a process that had only begun, and has its writer's lock now: it ships by itself."""
        for process in list(self._couriers.checkpoints):
            courier = self._couriers.get(process)
            if courier is not None and process != self.own and is_locked(self.folder / process / WRITER_LOCK):
                self._couriers.close(courier)

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
        try:
            courier = self._couriers.open(process)
        except FileNotFoundError:
            return False  # cleared away
        if courier is None:
            self._busy.add(process)
            return False
        self._busy.discard(process)
        moved = False
        for _ in range(TURN):
            if self.stop.is_set() and self.pace.failing:
                break
            if not courier.step():
                break
            moved = True
            if self.stop.is_set() and self.own is None:
                break
        ended = not moved and courier.is_done()
        if self._delete:
            self._due[process] = seen if ended else None
        elif ended:
            self._couriers.close(courier)
            self._done[process] = seen
        return moved

    def _unreached(self, to: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """Of these ends the ones that this destination hasn't got to, and where it is."""
        return ends.unreached(self.folder, self.destination, to, self._couriers.checkpoints)

    def _courier(self, process: str) -> Courier:
        return Courier(
            self.folder,
            process,
            self.destination,
            self.pace,
            limits=self._limits,
            dead_bytes=self._dead_bytes,
            breathe=self._breathe,
        )

    def _clear(self) -> None:
        """Delete what is due to be deleted; of a process that has ended and is shipped nothing is kept open."""
        due, self._due = self._due, {}
        couriers = [courier for process in due if (courier := self._couriers.get(process)) is not None]
        if couriers:
            deleted, problem = clearing.clear_all(self.folder, couriers, alone=self._registration.holds)
            self.deleted += deleted
            self.problem = problem or self.problem
        for courier in couriers:
            seen = due[courier.process]
            if seen is not None or not courier.is_open:
                self._couriers.close(courier)
            if seen is not None:
                self._done[courier.process] = seen


def _remedy(problem: OSError, folder: Path) -> str:
    """What to do where this user may not write to a spool."""
    if problem.errno not in NOT_ALLOWED:
        return ""
    return f"; a shipper notes there how far it has got: ship as a user that may write to {folder}"
