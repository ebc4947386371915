"""How full a logger's own spool is: what waits there, and what may, as the logger said when it began."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mllog.delivery.room import needed_bytes
from mllog.delivery.settings import variable
from mllog.delivery.sinks import SPOOL_BYTES
from mllog.shipping import ownership

if TYPE_CHECKING:
    from pathlib import Path

HIGH_SHARE: Final = 0.8
FULL_SHARE: Final = 0.875
"""Events come in parts of up to an eighth of the bound: one that finds no room waits, and all behind it."""


@dataclass(frozen=True, slots=True)
class Fullness:
    """Bytes that wait in a spool, and its bound."""

    size: int
    bound: int

    @property
    def is_high(self) -> bool:
        """Whether it will soon be full."""
        return self.size >= HIGH_SHARE * self.bound

    @property
    def is_full(self) -> bool:
        """Whether new events may find no room."""
        return self.size >= FULL_SHARE * self.bound


def fullness(folder: Path) -> Fullness | None:
    """How full a folder is; ``None`` where it isn't a logger's own spool, or nobody can say what its bound is."""
    if ownership.owner(folder) is None:
        return None
    try:
        bound = ownership.bound(folder) or int(float(variable("spool_bytes") or SPOOL_BYTES))
    except (ValueError, OverflowError):
        return None  # the settings' check says so
    return Fullness(needed_bytes(folder), bound)
