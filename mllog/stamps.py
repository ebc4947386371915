"""What an event is stamped with: its id, and times as numbers and as text."""

from __future__ import annotations

import datetime as dt
import math
import secrets
from itertools import count, islice
from typing import Any, Final

from mllog import values

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z
_LIFE_SECONDS: Final = 3e9


class EventIds:
    """UUIDs of version 7 (RFC 9562) for one process: time-ordered, unique, without entropy for each.

    48 bits hold the millisecond of the caller's clock, which never goes back here; 42 bits a counter that
    starts anywhere in its lower half and never starts again; 32 bits a random number of the process.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start afresh; a forked child must, or it would repeat its parent's ids."""
        self._next = count(secrets.randbits(41)).__next__
        self._process = f"{secrets.randbits(32):08x}"
        self._until = 0
        self._tick = "00000000-0000-7"
        self._head = (-1, "")

    def new(self, time: int) -> str:
        """The next id at ``time`` (nanoseconds since 1970)."""
        number = self._next()
        if time >= self._until:
            self._advance(time)
        block, head = self._head
        if number >> 8 != block:
            head = self._begin(number >> 8)
        return f"{head}{_HEX[number & 0xFF]}{self._process}"

    def many(self, time: int, count: int) -> list[str]:
        """The next ids at ``time``, in their order: those of as many calls of :meth:`new`."""
        if time >= self._until:
            self._advance(time)
        made: list[str] = []
        block, head = self._head
        for number in islice(iter(self._next, None), count):
            if number >> 8 != block:
                block = number >> 8
                head = self._begin(block)
            made.append(f"{head}{_HEX[number & 0xFF]}{self._process}")
        return made

    def _advance(self, time: int) -> None:
        """Begin another millisecond."""
        millisecond = min(time // 1_000_000, 2**48 - 1)
        self._tick = f"{millisecond >> 16:08x}-{millisecond & 0xFFFF:04x}-7"
        self._until = (time // 1_000_000 + 1) * 1_000_000
        self._head = (-1, "")

    def _begin(self, block: int) -> str:
        """All but the last 8 bits of the counter and the process, for the ids that have them in common."""
        head = f"{self._tick}{(block >> 22) & 0xFFF:03x}-{0x8000 | (block >> 8) & 0x3FFF:04x}-{block & 0xFF:02x}"
        # One assignment of both: another thread sees a head with its own block, never with another's.
        self._head = (block, head)
        return head


_HEX: Final = tuple(f"{number:02x}" for number in range(256))


class Timestamps:
    """Nanoseconds as ``2026-11-23T20:06:01.123456Z``; the part that changes once a second is kept."""

    def __init__(self) -> None:
        self._cached: tuple[int, str] = (-(10**9), "")

    def text(self, time: int) -> str:
        """``@timestamp`` of a moment; times outside of the years 1970 to 9999 are put at that end."""
        begun, prefix = self._cached
        rest = time - begun
        if not 0 <= rest < 1_000_000_000 or not prefix:
            second, rest = divmod(time, 1_000_000_000)
            if not 0 <= second <= _LAST_SECOND:
                second, rest = min(max(second, 0), _LAST_SECOND), 0
            prefix = (_EPOCH + dt.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.")
            self._cached = (second * 1_000_000_000, prefix)
        return f"{prefix}{rest // 1_000:06d}Z"


def moment(time: Any) -> int:
    """Nanoseconds since 1970 of a time as people write it.

    Args:
        time: ``int`` nanoseconds (as :func:`time.time_ns` gives them), ``float`` seconds, a ``datetime`` or a
            ``date`` (UTC where it has no zone), ISO 8601 text, or numpy's or pandas' equivalents.

    Raises:
        ValueError: Where it is none of these.
    """
    value = time
    if type(value) is not int and not isinstance(value, str | float | dt.date):
        value = values.typed(value)
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if isinstance(value, dt.date):
        if not isinstance(value, dt.datetime):
            value = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
        if value != value:  # noqa: PLR0124 - NaT, which pandas calls a datetime
            raise ValueError(f"{values.text_of(time)[:100]} is not a time")
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return (aware - _EPOCH) // dt.timedelta(microseconds=1) * 1_000
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{values.text_of(time)[:100]} is not a time")
    return value if isinstance(value, int) else round(value * 1e9)


def nanoseconds(seconds: Any) -> int | None:
    """A duration in seconds as nanoseconds, ``None`` where it is no number or longer than a life."""
    number = values.typed(seconds)
    if not isinstance(number, int | float) or not abs(number) < _LIFE_SECONDS:
        return None
    return round(number * 1e9)
