"""Cards go where the events go: who counts there must know by which card they were measured."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from mllog.shipping.destinations.base import UnavailableError

if TYPE_CHECKING:
    from mllog.shipping.destinations.base import Destination

FOLDER: Final = "_cards"
PATIENCE: Final = 60.0
"""Seconds until a card that wasn't taken is offered again; no event waits for it."""

_log: Final = logging.getLogger("mllog")


@runtime_checkable
class TakesCards(Protocol):
    """A destination that has a place for cards."""

    def take_card(self, path: Path) -> None:
        """Keep a card; one of the same ruler that was saved later stays.

        Raises:
            UnavailableError: Where it isn't kept.
            OSError: Where the file can't be read.
        """


class Cards:
    """Brings the cards that loggers leave in a spool to one destination, each once.

    Args:
        spool: Folder of all processes.
        destination: Who gets the events.
    """

    def __init__(self, spool: Path, destination: Destination) -> None:
        self._folder = spool / FOLDER
        self._destination = destination if isinstance(destination, TakesCards) else None
        self._done: set[tuple[str, int, int]] = set()
        self._next = 0.0
        self._warned = False

    def round(self) -> None:
        """Offer those that are new; whatever goes wrong is logged once and tried again later."""
        if self._destination is None or time.monotonic() < self._next:
            return
        try:
            for path in sorted(self._folder.glob("*.json")):
                status = path.stat()
                key = path.name, status.st_mtime_ns, status.st_size
                if key not in self._done:
                    self._destination.take_card(path)
                    self._done.add(key)
        except (OSError, UnavailableError) as problem:
            self._next = time.monotonic() + PATIENCE
            if not self._warned:
                self._warned = True
                _log.warning(
                    "mllog: a card isn't shipped yet, and stays in %s; no event waits for it: %s",
                    self._folder,
                    problem,
                )
