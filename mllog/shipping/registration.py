"""One shipper's place on a spool's list: taken once, and lost where somebody forgets the destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllog.shipping import clearing, ownership, registry

if TYPE_CHECKING:
    from pathlib import Path

    from mllog.shipping.destinations.base import Destination


class Registration:
    """Remembers that it is done.

    Args:
        spool: Folder of all processes; it may not be there yet.
        destination: Who gets the events.
        holds: Whether segments are kept until it has them.
        renewed: Whether it is taken again where it was lost, as by a logger for its own spool.

    Attributes:
        problem: Why it could not be taken; ``None`` where it could.
        warnings: What was found to be wrong with the list, in words.

    Raises:
        PlaceError: Where segments would be kept in a spool that a logger ships to another place.
    """

    def __init__(self, spool: Path, destination: Destination, *, holds: bool, renewed: bool) -> None:
        self.problem: OSError | None = None
        self.warnings: list[str] = []
        self.holds = holds
        self._spool = spool
        self._destination = destination
        self._renewed = renewed
        self._done = False
        self._check()

    def take(self) -> None:
        """Register, where that wasn't done.

        Raises:
            PlaceError: Where a logger has made the spool its own since.
        """
        if self._done or not self._spool.is_dir():
            return
        self._check()
        # A full disk must not stop what would make room on it.
        try:
            why = registry.register(self._spool, self._destination, holds=self.holds)
            entries = registry.entries(self._spool)
            clearing.finish_retiring(self._spool, entries)
        except OSError as error:
            self.problem = error
            return
        self._done, self.problem = True, None
        path = self._spool / registry.FOLDER
        if why is not None:
            self.warnings.append(
                f"{path / self._destination.key}.json was damaged and is written anew: {why}; what it had counted of "
                "folders that are gone is lost"
            )
        self.warnings += [
            f"{path / entry.key}.json is damaged: {entry.unreadable}; segments are kept for {entry.name} until it is "
            "shipped to again, or forgotten (--forget)"
            for entry in entries
            if entry.unreadable is not None
        ]

    def is_lost(self) -> bool:
        """Whether somebody took the destination off the list since."""
        if not self._done or registry.is_known(self._spool, self._destination.key):
            return False
        # Where the whole list is gone, it went with the folder: that begins anew.
        self._done = not self._renewed and (self._spool / registry.FOLDER).is_dir()
        return self._done

    def _check(self) -> None:
        if self.holds:
            ownership.check_shipped(self._spool, self._destination.name)
