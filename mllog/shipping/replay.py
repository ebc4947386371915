"""Sends dead letters again, after whatever made the destination refuse them has been mended."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from mllog.shipping import aside, registry
from mllog.shipping.checkpoint import Counts
from mllog.shipping.dead import FOLDER, DeadLetters, entries, line_of, renewed
from mllog.shipping.delivering import Delivery
from mllog.shipping.destinations.base import UnavailableError
from mllog.shipping.segments import Batch, Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllog.shipping.shipper import Shipper

LETTERS: Final = 500
_DAMAGED: Final = "it was a dead letter, and is none any more: somebody edited it, or the disk is failing"


def replay(shipper: Shipper) -> dict[str, Any]:
    """Send all dead letters of a shipper's destination again.

    A letter leaves its file once it is delivered; one that is refused again stays with the new reason, and one that the
    destination neither takes nor refuses stays as it is, and keeps no others; so does what is left when the shipper is
    stopped. Killed in the middle, the file is replayed from its beginning; ids keep that harmless. A damaged letter
    leaves its file for ``_corrupt``.

    Returns:
        ``replayed``, ``delivered``, ``dead`` (refused again), ``corrupt`` (damaged) and ``problem``, why not all could
        be sent.

    Raises:
        OSError: Where somebody else is replaying, or the spool can't be read or written.
    """
    destination = shipper.destination
    letters = DeadLetters(shipper.folder, destination.key)
    result: dict[str, Any] = {"replayed": 0, "delivered": 0, "dead": 0, "corrupt": 0, "problem": None}
    if not letters.count():
        return result
    if not registry.is_known(shipper.folder, destination.key):
        # It gets no more than its letters: no segment has to be kept for it.
        registry.register(shipper.folder, destination, holds=False)
    right = letters.busy()
    if right is None:
        raise OSError(f"somebody else is replaying the dead letters of {destination.name}")
    try:
        while True:
            before = result["replayed"]
            stays = [_one(shipper, letters, path, result) for path in letters.take()]
            # Patience is for a destination that takes nothing; a letter that it can't stand is left after one turn.
            if not any(stays) or result["replayed"] > before or before or not _is_patient(shipper):
                break
        if not any(stays):
            result["problem"] = None
    except OSError as error:
        result["problem"] = str(error)
    finally:
        right.release()
        destination.close()
    return result


def _one(shipper: Shipper, letters: DeadLetters, path: Path, result: dict[str, Any]) -> bool:
    """Replay one file, each letter with a verdict of its own; whether some stay as they were.

    Raises:
        UnavailableError: Where nothing of it was taken, and patience has ended.
        OSError: Where the spool can't be read or written.
    """
    counts = Counts()
    ended: UnavailableError | None = None
    stays = False
    letters.begin(path)
    for held, lines, damaged in _batches(path):
        if ended is None and shipper.stop.is_set():
            ended = UnavailableError("stopped before all were sent", doubtful=False)
            result["problem"] = str(ended)
        for raw in damaged:
            aside.keep_bytes(shipper.folder, raw, f"{FOLDER}-{shipper.destination.key}", path.stem, _DAMAGED)
            # Half a line at the end was never counted as a letter.
            counts.corrupt += raw.endswith(b"\n")
        result["corrupt"] += len(damaged)
        if not lines:
            continue
        at = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        delivery = Delivery(
            Batch(path.stem, 0, 0, 0, lines, ingested=at, doubtful=True), shipper.destination, shipper.pace
        )
        while ended is None and delivery.left:
            try:
                delivery.run()
            except UnavailableError as problem:
                result["problem"] = str(problem)
                if not _is_patient(shipper):
                    ended = problem
                elif problem.suspect or delivery.is_telling:
                    break
        left = set(delivery.left)
        again = {k: renewed(held[k], refusal, at) for k, refusal in delivery.refused.items()}
        letters.add(path, [again.get(k, held[k]) for k in range(len(lines)) if k in left or k in again])
        counts.add(delivery.counts)
        counts.delivered += len(lines) - len(left) - len(again)
        result["replayed"] += len(lines) - len(left)
        result["dead"] += len(again)
        stays |= bool(left)
    registry.fold(shipper.folder, shipper.destination.key, {path.name: (counts, None)})
    letters.put_back(path)
    registry.folded(shipper.folder, shipper.destination.key, [path.name])
    result["delivered"] += counts.delivered
    if ended is not None:
        raise ended
    return stays


def _is_patient(shipper: Shipper) -> bool:
    return not (shipper.pace.spent or shipper.stop.is_set())


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
