"""A lease that is held while work goes on: renewed in the background, and asked about before anything is written."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from watchers.stores._leases import elapsed

if TYPE_CHECKING:
    from typing import Self

    from watchers.stores.base import Lease, Leases

RENEWALS: Final = 3
"""So often within a lease's time it is renewed."""

STUCK: Final = 1800.0
"""Seconds without a sign of the work after which it isn't renewed any more: a run that hangs must not hold a model
for ever. The longest silent step, counting a year of hours, takes minutes."""

_LOG: Final = logging.getLogger(__name__)


class LostLeaseError(Exception):
    """Somebody else may be at it by now: nothing more may be written or sent."""


class Keeper:
    """Holds a lease for as long as a ``with`` block lasts.

    Args:
        leases: Where it is from.
        lease: What was acquired.
    """

    def __init__(self, leases: Leases, lease: Lease) -> None:
        self._leases, self._lease = leases, lease
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._lost = False
        self._touched = elapsed()
        self._thread = threading.Thread(target=self._renew_for_ever, name="watchers-lease", daemon=True)

    @property
    def holder(self) -> str:
        """Who holds it."""
        return self._lease.holder

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(timeout=self._lease.seconds)
        if not self._lost:
            try:
                self._leases.release(self._lease)
            except Exception as error:  # noqa: BLE001 - the store's own; the lease lapses by itself
                _LOG.warning("the lease of %r wasn't released and lapses by itself: %s", self._lease.name, error)

    def check(self) -> None:
        """Say that the work goes on, and be sure that it may.

        Raises:
            LostLeaseError: it may not.
        """
        self._touched = elapsed()
        if self._lost or elapsed() >= self._lease.deadline:
            raise LostLeaseError(self._lease.name)

    def confirm(self) -> None:
        """Be sure by asking the store, right before something that can't be undone.

        Raises:
            LostLeaseError: somebody else took the lease, or may have.
        """
        self.check()
        self._renew()
        self.check()

    def _renew(self) -> None:
        with self._lock:
            if not self._lost:
                renewed = self._leases.renew(self._lease)
                if renewed is None:
                    self._lost = True
                else:
                    self._lease = renewed

    def _renew_for_ever(self) -> None:
        while not self._end.wait(self._lease.seconds / RENEWALS) and not self._lost:
            if elapsed() - self._touched > STUCK:
                return
            try:
                self._renew()
            except Exception as error:  # noqa: BLE001 - the store's own; tried again until the lease has lapsed
                _LOG.warning("the lease of %r wasn't renewed: %s", self._lease.name, error)
