"""What is no event is kept aside: ``<spool>/_corrupt/<process>/<segment>-<offset>.corrupt``, the reason beside it.

A sealed segment that isn't what its checksum says is kept whole, as ``<segment>.corrupt``. Names follow from what is
kept, so doing it twice changes nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from mllog.delivery.spool import replace

if TYPE_CHECKING:
    from mllog.shipping.segments import Corrupt, Segments

FOLDER: Final = "_corrupt"
PIECES: Final = 100
"""With more corrupt parts than that a segment is kept whole, once."""

_BLOCK: Final = 2**20


def keep_part(spool: Path, segments: Segments, number: int, part: Corrupt) -> None:
    """Keep a corrupt part of a segment.

    Raises:
        OSError: Where the disk refuses.
    """
    folder = spool / FOLDER / segments.folder.name
    target = folder / f"{number:08d}-{part.offset}.corrupt"
    if target.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in folder.glob(f"{number:08d}-*.corrupt")) >= PIECES:
        keep_segment(spool, segments, number, f"more than {PIECES} of its parts are no events")
        return
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    with segments.path(number).open("rb") as source, temporary.open("wb") as copy:
        source.seek(part.offset)
        left = part.length
        while left and (block := source.read(min(left, _BLOCK))):
            copy.write(block)
            left -= len(block)
    _say(target, number, part.reason, offset=part.offset, length=part.length, lines=part.lines)
    temporary.replace(target)


def keep_segment(spool: Path, segments: Segments, number: int, reason: str) -> None:
    """Keep a whole segment; where the file system can, it costs no room until the segment is deleted.

    Raises:
        OSError: Where the disk refuses.
    """
    source = segments.path(number)
    folder = spool / FOLDER / segments.folder.name
    target = folder / f"{number:08d}.corrupt"
    if target.exists() or not source.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    _say(target, number, reason, offset=0, length=source.stat().st_size)
    try:
        target.hardlink_to(source)
    except FileExistsError:
        return
    except OSError:
        temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        shutil.copyfile(source, temporary)
        temporary.replace(target)


def _say(target: Path, number: int, reason: str, **details: int) -> None:
    content = {"reason": reason, "segment": number, **details}
    replace(target.with_suffix(".reason.json"), orjson.dumps(content, option=orjson.OPT_INDENT_2), sync=False)
