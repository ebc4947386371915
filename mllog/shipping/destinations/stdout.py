"""Standard output: the lines as they are. Nobody can say that they were read, so no segment is kept for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mllog.shipping.destinations.base import CHECK_SECONDS, Answer, Check, UnavailableError, canonical, key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.places import Place
    from mllog.shipping.destinations.base import Refusal
    from mllog.shipping.segments import Batch


class StdoutDestination:
    """Standard output of this process."""

    acknowledges = False
    holds = False

    def __init__(self, place: Place) -> None:
        self.name = canonical(place)
        self.key = key(place)

    def send(self, batch: Batch) -> Answer:
        """Write and flush.

        Raises:
            UnavailableError: Where nobody reads it any more.
        """
        try:
            sys.stdout.buffer.write(b"".join(line.data for line in batch.lines))
            sys.stdout.buffer.flush()
        except OSError as error:
            raise UnavailableError(f"standard output: {error}", hopeless=True) from None
        return Answer()

    def bury(self, batch: Batch, refused: Mapping[int, Refusal]) -> None:
        """Nothing is ever refused."""

    def passed(self, process: str, segment: int) -> None:
        """Nothing to do."""

    def check(self, timeout: float = CHECK_SECONDS) -> Check:  # noqa: ARG002 - the protocol's
        """It is there."""
        return Check(True, "standard output")

    def hurry(self, seconds: float, *, altogether: bool = False) -> None:
        """It never keeps anybody waiting."""

    def renew(self) -> None:
        """It is the same."""

    def close(self) -> None:
        """It isn't ours to close."""
