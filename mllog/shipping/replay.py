"""Sends dead letters again, after whatever made the destination refuse them has been mended."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from mllog.shipping import registry
from mllog.shipping.checkpoint import Counts
from mllog.shipping.dead import DeadLetters, line_of, read, renewed
from mllog.shipping.delivering import deliver
from mllog.shipping.segments import Batch, Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllog.shipping.shipper import Shipper

LETTERS: Final = 500


def replay(shipper: Shipper) -> dict[str, Any]:
    """Send all dead letters of a shipper's destination again.

    A letter leaves its file once it is delivered, or is refused again, then with the new reason. Killed in the middle,
    the file is replayed from its beginning; ids keep that harmless.

    Returns:
        ``replayed``, ``delivered``, ``dead`` (refused again) and ``problem``, why not all could be sent.

    Raises:
        OSError: Where somebody else is replaying, or the spool can't be read or written.
    """
    destination = shipper.destination
    letters = DeadLetters(shipper.folder, destination.key)
    registry.register(shipper.folder, destination)
    result: dict[str, Any] = {"replayed": 0, "delivered": 0, "dead": 0, "problem": None}
    right = letters.busy()
    if right is None:
        raise OSError(f"somebody else is replaying the dead letters of {destination.name}")
    try:
        for path in letters.take():
            counts = Counts()
            letters.begin(path)
            for held, lines in _batches(path):
                if not lines:
                    letters.add(path, held)
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


def _batches(path: Path) -> Iterator[tuple[list[dict[str, Any]], list[Line]]]:
    """Letters with their events, some at a time; those that hold no event come alone."""
    held: list[dict[str, Any]] = []
    lines: list[Line] = []
    for found in read(path):
        line = line_of(found)
        if line is None:
            yield [found], []
            continue
        held.append(found)
        lines.append(line)
        if len(lines) >= LETTERS:
            yield held, lines
            held, lines = [], []
    if lines:
        yield held, lines
