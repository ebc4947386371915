"""Who a spool is shipped to: ``<spool>/_destinations/<destination>.json``, one file for each that was ever begun.

It holds the destination's name, whether segments are kept until it has them, and the sum of what became of events whose
folders have been cleared away. :func:`forget` takes a destination off the list.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.delivery.locks import Lock
from mllog.delivery.spool import replace
from mllog.shipping.checkpoint import ENDING, Counts
from mllog.shipping.segments import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.shipping.destinations.base import Destination

FOLDER: Final = "_destinations"
_LOCK_SECONDS: Final = 10.0


@dataclass(slots=True)
class Entry:
    """What a spool's folder remembers of one destination.

    Attributes:
        key: Its name in file names.
        name: The place, without user and password.
        holds: Whether segments are kept until it has them.
        tally: What became of events whose folders are gone, and of dead letters that were sent again.
        folded: What is in the tally already and still has to be cleared away.
        last_success: When something was acknowledged by then, seconds since 1970.
    """

    key: str
    name: str
    holds: bool = True
    tally: Counts = field(default_factory=Counts)
    folded: list[str] = field(default_factory=list)
    last_success: float | None = None


def register(spool: Path, destination: Destination) -> None:
    """Remember a destination, once.

    Raises:
        OSError: Where the disk refuses.
    """
    if (spool / FOLDER / f"{destination.key}.json").exists():
        return
    with _changed(spool, destination.key) as entry:
        entry.name, entry.holds = destination.name, destination.holds


def entries(spool: Path) -> list[Entry]:
    """All destinations that a spool was ever shipped to."""
    found = (_load(path) for path in sorted((spool / FOLDER).glob("*.json")))
    return [entry for entry in found if entry is not None]


def forget(spool: Path, key: str) -> bool:
    """Take a destination off the list, with its checkpoints; its dead letters stay. Whether it was there."""
    path = spool / FOLDER / f"{key}.json"
    known = path.exists()
    path.unlink(missing_ok=True)
    for process in processes(spool):
        (spool / process / f"{key}{ENDING}").unlink(missing_ok=True)
    return known


def fold(spool: Path, key: str, what: str, counts: Counts, last_success: float | None = None) -> None:
    """Add ``counts`` to a tally, once, however often it is said before :func:`folded`.

    Args:
        spool: The spool's folder.
        key: The destination's.
        what: Name of what is counted there, which is then cleared away.
        counts: What it counted.
        last_success: When it last counted something delivered, seconds since 1970.

    Raises:
        OSError: Where the disk refuses.
    """
    with _changed(spool, key) as entry:
        if what not in entry.folded:
            entry.tally.add(counts)
            entry.folded.append(what)
            if last_success is not None:
                entry.last_success = max(entry.last_success or 0.0, last_success)


def folded(spool: Path, key: str, what: str) -> None:
    """What was added to a tally has been cleared away.

    Raises:
        OSError: Where the disk refuses.
    """
    with _changed(spool, key) as entry:
        if what in entry.folded:
            entry.folded.remove(what)


@contextlib.contextmanager
def _changed(spool: Path, key: str) -> Iterator[Entry]:
    folder = spool / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    lock = Lock(folder / f"{key}.lock")
    if not lock.acquire(timeout=_LOCK_SECONDS):
        raise OSError(f"{lock.path} has been locked for {_LOCK_SECONDS:g} s")
    try:
        path = folder / f"{key}.json"
        entry = _load(path) or Entry(key, "")
        yield entry
        content = asdict(entry)
        content["written"] = dt.datetime.now(dt.UTC).isoformat()
        replace(path, orjson.dumps(content, option=orjson.OPT_INDENT_2))
    finally:
        lock.release()


def _load(path: Path) -> Entry | None:
    try:
        held: Any = orjson.loads(path.read_bytes())
        return Entry(
            path.stem,
            str(held["name"]),
            held["holds"] is True,
            Counts(**held["tally"]),
            list(held["folded"]),
            held["last_success"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
