"""What a destination is: somebody who takes batches of events and says what became of each."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mllog.places import Place
    from mllog.shipping.segments import Batch


CHECK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event will never be taken as it is."""

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a batch; whatever isn't named was taken.

    Attributes:
        refused: By index, what is refused for good.
        retry: Indexes of what should be sent again.
        doubtful: Whether some of that may have arrived all the same.
        duplicates: How many it had already.
        unasked: Whether it could not be asked which it had already.
        retry_after: Seconds that it asks to be left alone, where something is to be sent again.
        problem: Why, in words.
        suspect: Those of ``retry`` that failed while others of their kind were taken: it may be their own fault.
        unclear: Whether, of some of ``retry``, it can't be said whose fault it is before others are seen beside them.
        asked: Whether it was asked which of the lines it had already; ``duplicates`` are all of those then.
    """

    refused: Mapping[int, Refusal] = field(default_factory=dict)
    retry: Sequence[int] = ()
    doubtful: bool = False
    duplicates: int = 0
    unasked: bool = False
    retry_after: float | None = None
    problem: str | None = None
    suspect: Sequence[int] = ()
    unclear: bool = False
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a destination can be reached, without sending it an event.

    Attributes:
        reachable: Whether it answered as it should.
        message: One sentence, without secrets.
        date: The other side's clock, seconds since 1970, where it told (HTTP's ``Date``, to the second).
    """

    reachable: bool
    message: str
    date: float | None = None


class UnavailableError(OSError):
    """Nothing can be said to have been taken; the same lines are to be sent again.

    Attributes:
        doubtful: Whether they may have arrived all the same.
        retry_after: Seconds that the destination asks to be left alone.
        hopeless: Whether it needs a human (wrong password, certificate, path): soon trying again won't help.
        suspect: Whether a single line may be what it can't stand: 500, no answer in time, a connection that broke.
        status: What it answered, where it did.
    """

    def __init__(
        self,
        reason: str,
        *,
        doubtful: bool = True,
        retry_after: float | None = None,
        hopeless: bool = False,
        suspect: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.doubtful = doubtful
        self.retry_after = retry_after
        self.hopeless = hopeless
        self.suspect = suspect
        self.status = status


class TooLargeError(OSError):
    """A batch is longer than the destination takes (HTTP 413), or holds one line that makes it refuse all."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class Destination(Protocol):
    """Takes batches. One thread at a time calls it.

    Attributes:
        name: The place, without user and password.
        key: A name for files that belong to it: ``<kind>-<host>-<8 hex of the place>``.
        acknowledges: Whether what it took is safe; a tcp input never says so.
        holds: Whether segments are kept until it has them.
    """

    name: str
    key: str
    acknowledges: bool
    holds: bool

    def send(self, batch: Batch) -> Answer:
        """Send the lines of a batch.

        Raises:
            UnavailableError: Where none can be said to have been taken.
            TooLargeError: Where fewer may be taken.
        """

    def bury(self, batch: Batch, refused: Mapping[int, Refusal]) -> None:
        """Tell of dead letters, as well as may be: they are kept in the spool's folder anyway."""

    def passed(self, process: str, segment: int) -> None:
        """A segment is finished and delivered.

        Raises:
            UnavailableError: Where that can't be kept; it is said again.
        """

    def check(self, timeout: float = CHECK_SECONDS) -> Check:
        """Look whether it can be reached, within ``timeout`` seconds; sends no event."""

    def hurry(self, seconds: float, *, altogether: bool = False) -> None:
        """Wait no longer than that for an answer from now on, and in what runs now.

        Args:
            seconds: For each exchange.
            altogether: Whether everything fails after that, for good: the caller is about to end. Safe in a signal
                handler.
        """

    def renew(self) -> None:
        """Begin anew in a forked child, without what was the parent's."""

    def close(self) -> None:
        """Let go of connections and files."""


def canonical(place: Place) -> str:
    """The text by which a place is known: without user and password, folders absolute, hosts in lower case."""
    if place.kind == "stdout":
        return "stdout:"
    if place.kind == "file":
        return f"file:{Path(place.location).absolute().as_posix()}"
    parts = urlsplit(place.location)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{place.kind}+{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"


def key(place: Place) -> str:
    """A name for the files that belong to a place: ``<kind>-<host>-<8 hex of the place>``."""
    text = canonical(place)
    folder = place.kind == "file"
    label = Path(text.removeprefix("file:")).name if folder else urlsplit(place.location).hostname or ""
    label = re.sub(r"[^A-Za-z0-9.]", "_", label)[:40]
    return "-".join(part for part in (place.kind, label, hashlib.sha256(text.encode()).hexdigest()[:8]) if part)
