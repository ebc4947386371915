"""A spool that a logger ships by itself belongs to one destination: ``<spool>/_spool.json`` says which.

Its delivered segments are deleted, so it must not be taken for a folder of events, nor the other way round. Nor may a
spool be shipped into itself, however its name is spelt.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

import orjson

from mllog.errors import PlaceError
from mllog.files import replace
from mllog.shipping.segments import numbers, processes

FILE: Final = "_spool.json"


def owner(spool: Path) -> str | None:
    """The destination that a spool belongs to; ``None`` where it is nobody's, or just a folder of events."""
    held = _held(spool).get("destination")
    return None if held is None else str(held)


def bound(spool: Path) -> int | None:
    """The bytes that the logger which last began to write to a spool lets wait in it; ``None`` where nobody said."""
    held = _held(spool).get("spool_bytes")
    return held if type(held) is int and held > 0 else None


def check(spool: Path, destination: str | None) -> None:
    """Look whether a logger may write to a folder.

    Args:
        spool: The folder.
        destination: Where its events are shipped to; ``None``: they stay there.

    Raises:
        PlaceError: Where the folder belongs to another destination, or holds events that are to stay.
    """
    known = owner(spool)
    if known == destination:
        return
    begun = known is None and any(numbers(spool / process) for process in processes(spool))
    if begun:
        # A sibling that began meanwhile said whose the spool is before it wrote its first segment.
        known = owner(spool)
        if known == destination:
            return
    if known is not None:
        purpose = "keep its events there" if destination is None else f"ship to {destination}"
        raise PlaceError(
            f"{spool} is the spool of what goes to {known}, and a logger wants to {purpose}: "
            "give each a folder of its own (spool=...)",
            field="spool",
            value=str(spool),
        )
    if begun:
        raise PlaceError(
            f"{spool} holds events that nobody ships, and what goes to {destination} is deleted when it has "
            "arrived: give the spool a folder of its own (spool=...), and forward this one with mllog ship",
            field="spool",
            value=str(spool),
        )


def check_shipped(spool: Path, destination: str) -> None:
    """Look whether segments may be kept for a destination.

    Raises:
        PlaceError: Where a logger ships this spool to another: it would keep what that one has, until it is full.
    """
    known = owner(spool)
    if known is not None and known != destination:
        raise PlaceError(
            f"{spool} is the spool of a logger that ships it to {known}: what {destination} hasn't got would be kept "
            f"there until the spool is full, and the logger would drop events. To do the logger's work name its place "
            f"(--to {known}); to have a second copy add --copy, for which nothing is kept",
            field="place",
            value=destination,
        )


def is_within(inner: Path, outer: Path) -> bool:
    """Whether a folder is another one, or stands in it, by whatever links and spellings; it may not be there yet."""
    outer = outer.resolve()
    inner = inner.resolve()
    for folder in (inner, *inner.parents):
        if folder == outer:
            return True
        # The same folder may be mounted twice.
        with contextlib.suppress(OSError):
            if folder.samefile(outer):
                return True
    return False


def check_apart(spool: Path, target: Path) -> None:
    """Look whether a spool can be shipped to a folder.

    Raises:
        PlaceError: Where one is the other or stands in it: events would be shipped again and again, and the one's
            folders be taken for the other's processes.
    """
    if is_within(target, spool) and is_within(spool, target):
        what = "is the spool itself"
    elif is_within(target, spool):
        what = f"stands in the spool {spool}"
    elif is_within(spool, target):
        what = f"holds the spool {spool}"
    else:
        return
    raise PlaceError(
        f"place 'file:{target}' {what}: name another folder, beside the spool", field="place", value=f"file:{target}"
    )


def claim(spool: Path, destination: str, spool_bytes: int | None = None) -> None:
    """Remember the destination of a spool, and its bound.

    Raises:
        PlaceError: Where it belongs to another.
        OSError: Where the disk refuses.
    """
    if owner(spool) == destination:
        if spool_bytes not in {None, bound(spool)}:
            # Only told: no room for it must not stop what makes some.
            with contextlib.suppress(OSError):
                note(spool, destination, spool_bytes)
        return
    check(spool, destination)
    spool.mkdir(parents=True, exist_ok=True)
    note(spool, destination, spool_bytes)


def note(spool: Path, destination: str, spool_bytes: int | None) -> None:
    """Write down whose a spool is, whatever it holds.

    Raises:
        OSError: Where the disk refuses.
    """
    content = {"destination": destination, "spool_bytes": spool_bytes}
    replace(spool / FILE, orjson.dumps(content, option=orjson.OPT_INDENT_2))


def _held(spool: Path) -> dict[str, Any]:
    try:
        held: Any = orjson.loads((spool / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}
