"""Who a spool is shipped to: ``<spool>/_destinations/<destination>.json``, one file for each that was ever begun.

It holds the destination's name, whether segments are kept until it has them, and the sum of what became of events whose
folders have been cleared away. :func:`forget` takes a destination off the list; a file that can't be read doesn't:
segments are kept for whoever it was, until it ships again or is forgotten. In a logger's own spool they are kept for
the logger's destination alone, whoever else is on the list: it drops events where its spool is full.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.delivery.locks import Lock, is_locked
from mllog.files import replace, sync_folder
from mllog.shipping import aside, ownership
from mllog.shipping.checkpoint import ENDING, Counts, counts_of
from mllog.shipping.held import moment_of
from mllog.shipping.segments import processes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

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
        unreadable: Why its file can't be read; ``None`` where it can.
    """

    key: str
    name: str
    holds: bool = True
    tally: Counts = field(default_factory=Counts)
    folded: list[str] = field(default_factory=list)
    last_success: float | None = None
    unreadable: str | None = None


def register(spool: Path, destination: Destination, *, holds: bool | None = None) -> str | None:
    """Remember a destination, once, so that a loss of power doesn't forget it.

    Args:
        spool: The spool's folder.
        destination: Who.
        holds: Whether segments are kept until it has them; the destination's own wish where none is given.

    Returns:
        Why its file couldn't be read and was made anew; what it had counted is lost then. ``None`` where it could.

    Raises:
        OSError: Where the disk refuses.
    """
    path = spool / FOLDER / f"{destination.key}.json"
    holds = destination.holds if holds is None else holds
    known = _load(path)
    if known is not None and known.unreadable is None and (known.name, known.holds) == (destination.name, holds):
        return None
    with _changed(spool, destination.key) as entry:
        entry.name, entry.holds = destination.name, holds
    sync_folder(path.parent)
    sync_folder(spool)
    return None if known is None else known.unreadable


def entries(spool: Path) -> list[Entry]:
    """All destinations that a spool was ever shipped to, those whose files can't be read included."""
    found = (_load(path) for path in sorted((spool / FOLDER).glob("*.json")))
    return [entry for entry in found if entry is not None]


def holders(spool: Path) -> list[Entry]:
    """Those for whom segments are kept."""
    owner = ownership.owner(spool)
    if owner is None:
        return [entry for entry in entries(spool) if entry.holds]
    return [entry for entry in entries(spool) if entry.name == owner]


def is_known(spool: Path, key: str) -> bool:
    """Whether a destination is on the list."""
    return (spool / FOLDER / f"{key}.json").exists()


def busy(spool: Path, key: str) -> Path | None:
    """The lock of somebody who ships there just now; ``None`` where nobody does."""
    locks = (spool / process / f"{key}.lock" for process in processes(spool))
    return next((lock for lock in locks if is_locked(lock)), None)


def forget(spool: Path, key: str) -> bool:
    """Take a destination off the list, with its checkpoints; its dead letters stay. Whether it was there."""
    known = is_known(spool, key)
    (spool / FOLDER / f"{key}.json").unlink(missing_ok=True)
    for process in processes(spool):
        path = spool / process / f"{key}{ENDING}"
        known = known or path.exists()
        path.unlink(missing_ok=True)
    return known


def fold(spool: Path, key: str, what: Mapping[str, tuple[Counts, float | None]]) -> None:
    """Add counts to a tally, once, however often that is said before :func:`folded`.

    Args:
        spool: The spool's folder.
        key: The destination's.
        what: By the name of what is then cleared away: what it counted, and when it last counted something delivered,
            seconds since 1970.

    Raises:
        OSError: Where the disk refuses.
    """
    if not what:
        return
    with _changed(spool, key) as entry:
        for name, (counts, last_success) in what.items():
            if name in entry.folded:
                continue
            entry.tally.add(counts)
            entry.folded.append(name)
            if last_success is not None:
                entry.last_success = max(entry.last_success or 0.0, last_success)


def folded(spool: Path, key: str, what: Collection[str]) -> None:
    """What was added to a tally has been cleared away.

    Raises:
        OSError: Where the disk refuses.
    """
    known = _load(spool / FOLDER / f"{key}.json")
    if known is None or not set(what).intersection(known.folded):
        return
    with _changed(spool, key) as entry:
        entry.folded = [name for name in entry.folded if name not in what]


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
        if entry.unreadable is not None:
            aside.keep_file(spool, path, FOLDER, entry.unreadable)
        yield entry
        content = asdict(entry)
        del content["unreadable"]
        content["written"] = dt.datetime.now(dt.UTC).isoformat()
        replace(path, orjson.dumps(content, option=orjson.OPT_INDENT_2))
    finally:
        lock.release()


def _load(path: Path) -> Entry | None:
    """An entry; ``None`` where there is none."""
    try:
        return _entry(path.stem, orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        why = error.strerror or str(error)
    except (ValueError, KeyError, TypeError, AttributeError):
        why = "it is no entry of a destination"
    return Entry(path.stem, _name_of(path.parent.parent, path.stem) or path.stem, unreadable=why)


def _entry(key: str, held: Any) -> Entry:
    name, holds, what = held["name"], held["holds"], held["folded"]
    if not (isinstance(name, str) and isinstance(holds, bool) and isinstance(what, list)):
        raise TypeError(held)
    if not all(isinstance(one, str) for one in what):
        raise TypeError(what)
    return Entry(key, name, holds, counts_of(held["tally"]), what, moment_of(held["last_success"]))


def _name_of(spool: Path, key: str) -> str | None:
    """The name of a destination, as its checkpoints say it."""
    for process in processes(spool):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            name = orjson.loads((spool / process / f"{key}{ENDING}").read_bytes())["destination"]
            if isinstance(name, str):
                return name
    return None
