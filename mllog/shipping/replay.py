"""Sends dead letters again, after whatever made the destination refuse them has been mended."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from mllog.shipping import aside, registry
from mllog.shipping.checkpoint import Counts
from mllog.shipping.dead import FOLDER, DeadLetters, entries, line_of, renewed
from mllog.shipping.delivering import deliver
from mllog.shipping.segments import Batch, Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllog.shipping.shipper import Shipper

LETTERS: Final = 500
_DAMAGED: Final = "it was a dead letter, and is none any more: somebody edited it, or the disk is failing"


def replay(shipper: Shipper) -> dict[str, Any]:
    """Send all dead letters of a shipper's destination again.

    A letter leaves its file once it is delivered, or is refused again, then with the new reason. Killed in the middle,
    the file is replayed from its beginning; ids keep that harmless. A letter that has been damaged leaves its file for
    ``_corrupt``.

    Returns:
        ``replayed``, ``delivered``, ``dead`` (refused again), ``corrupt`` (damaged) and ``problem``, why not all could
        be sent.

    Raises:
        OSError: Where somebody else is replaying, or the spool can't be read or written.
    """
    destination = shipper.destination
    letters = DeadLetters(shipper.folder, destination.key)
    registry.register(shipper.folder, destination)
    result: dict[str, Any] = {"replayed": 0, "delivered": 0, "dead": 0, "corrupt": 0, "problem": None}
    right = letters.busy()
    if right is None:
        raise OSError(f"somebody else is replaying the dead letters of {destination.name}")
    try:
        for path in letters.take():
            counts = Counts()
            letters.begin(path)
            for held, lines, damaged in _batches(path):
                for raw in damaged:
                    aside.keep_bytes(shipper.folder, raw, f"{FOLDER}-{destination.key}", path.stem, _DAMAGED)
                    # Half a line at the end was never counted as a letter.
                    counts.corrupt += raw.endswith(b"\n")
                result["corrupt"] += len(damaged)
                if not lines:
                    continue
                at = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
                batch = Batch(path.stem, 0, 0, 0, lines, ingested=at, doubtful=True)
                refused = deliver(batch, destination, shipper.pace, counts)
                letters.add(path, [renewed(held[k], refusal, at) for k, refusal in sorted(refused.items())])
                counts.delivered += len(lines) - len(refused)
                result["replayed"] += len(lines)
                result["dead"] += len(refused)
            registry.fold(shipper.folder, destination.key, path.name, counts)
            letters.put_back(path)
            registry.folded(shipper.folder, destination.key, path.name)
            result["delivered"] += counts.delivered
    except OSError as error:
        result["problem"] = str(error)
    finally:
        right.release()
        destination.close()
    return result


def _batches(path: Path) -> Iterator[tuple[list[dict[str, Any]], list[Line], list[bytes]]]:
    """Letters with their events, some at a time, and the lines between them that are no letters any more."""
    held: list[dict[str, Any]] = []
    lines: list[Line] = []
    damaged: list[bytes] = []
    for letter, raw in entries(path):
        line = None if letter is None else line_of(letter)
        if letter is None or line is None:
            damaged.append(raw)
        else:
            held.append(letter)
            lines.append(line)
        if len(lines) + len(damaged) >= LETTERS:
            yield held, lines, damaged
            held, lines, damaged = [], [], []
    if lines or damaged:
        yield held, lines, damaged
