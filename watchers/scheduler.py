"""Runs for ever: one every so often, through failures of the store, until it is told to stop."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from mllog.card import ModelCard
from mllog.errors import MllogError
from watchers import pulse
from watchers.config import Config
from watchers.means import RunReport
from watchers.notify import Notifier
from watchers.schedule import run
from watchers.stores.base import Leases, Store

NAP: Final = 0.2
"""Seconds after which a scheduler that waits looks whether it shall stop."""

LOOK: Final = 0.5
"""After this share of a lease a scheduler that waits looks at the leases, and where somebody else is at a model it runs
again: one that is killed is missed after one and a half leases at the most, and not only after the next interval."""

_LOG: Final = logging.getLogger(__name__)


def utc_now() -> dt.datetime:
    """The wall clock."""
    return dt.datetime.now(dt.UTC)


class Scheduler:
    """One of any number of schedulers of a store.

    Args:
        open_store: Opens the store; asked before each run, so that it sees what came since.
        every: How often to look.
        done: Told of each run.
        failed: Told why a run wasn't possible; the next one is tried after the same time.
        cards: Says the cards for each run, as for :func:`watchers.schedule.run`: a folder of them may have changed.
        config: Settings.
        notifier: Who brings messages (default: Apprise).
        place: The store as commands in messages name it.
        clock: As of when it is judged.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        *,
        every: dt.timedelta,
        done: Callable[[Store, RunReport], None],
        failed: Callable[[str], None],
        cards: Callable[[], Sequence[ModelCard]] = tuple,
        config: Config | None = None,
        notifier: Notifier | None = None,
        place: str = "PLACE",
        clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self._open, self._every, self._done, self._failed = open_store, every, done, failed
        self._cards, self._config, self._notifier = cards, config or Config(), notifier
        self._place, self._clock = place, clock
        self._stopped = False
        self._leases: Leases | None = None
        self._models: list[str] = []

    def stop(self) -> None:
        """Come to an end: the hour that is being judged is finished and kept, leases are given back.

        To be called from a signal handler or another thread.
        """
        # A plain name: a threading.Event may be locked by the very thread that a signal interrupts.
        self._stopped = True

    def run(self) -> None:
        """Run until :meth:`stop`."""
        while not self._stopped:
            began = time.monotonic()
            held = self._once()
            look = LOOK * self._config.lease.total_seconds()
            # From beginning to beginning; a run that took longer is followed by the next one nearly at once.
            until = max(began + self._every.total_seconds(), time.monotonic() + min(NAP, self._every.total_seconds()))
            if held:
                self._sleep(min(until, time.monotonic() + look))
            else:
                while not self._stopped and time.monotonic() < until and not self._is_missed():
                    self._sleep(min(until, time.monotonic() + look))

    def _sleep(self, until: float) -> None:
        while not self._stopped and (rest := until - time.monotonic()) > 0:
            time.sleep(min(rest, NAP))

    def _is_missed(self) -> bool:
        """Whether somebody who is at a model shows no life any more."""
        try:
            return self._leases is not None and self._leases.lapsed(self._models)
        except Exception as error:  # noqa: BLE001 - the store's own; the next run will say it
            _LOG.debug("the leases can't be looked at: %s", error)
            return False

    def _once(self) -> bool:
        """One run; whether somebody else is at a model."""
        try:
            store = self._open()
            # They remember for how long a holder has shown no life, so they must outlive a run.
            self._leases = self._leases or store.leases()
            self._models = store.models()
            report = pulse.watched(
                store,
                lambda: run(
                    store,
                    self._clock(),
                    cards=self._cards(),
                    config=self._config,
                    notifier=self._notifier,
                    place=self._place,
                    leases=self._leases,
                    patience=dt.timedelta(0),
                    stop=lambda: self._stopped,
                ),
                clock=self._clock,
                interval=self._every,
                config=self._config,
            )
        except (MllogError, OSError) as error:
            self._failed(str(error))
            return False
        except Exception as error:  # noqa: BLE001 - a scheduler that ends watches nothing; the next run tries again
            self._failed(f"{type(error).__name__}: {error}")
            return False
        self._done(store, report)
        return bool(report.held)
