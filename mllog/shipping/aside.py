"""What is no event is kept aside: ``<spool>/_corrupt/<process>/<segment>-<offset>.corrupt``, the reason beside it.

A sealed segment that isn't what its checksum says is kept whole, as ``<segment>.corrupt``; so are a shipper's own files
that can't be right, and dead letters that can't be read. Names follow from what is kept, so doing it twice changes
nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from mllog.files import replace, sync_folder

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
        copy.flush()
        os.fsync(copy.fileno())
    _say(target, number, part.reason, offset=part.offset, length=part.length, lines=part.lines)
    temporary.replace(target)
    sync_folder(folder)


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
        with temporary.open("rb") as copy:
            os.fsync(copy.fileno())
        temporary.replace(target)
    sync_folder(folder)


def keep_file(spool: Path, path: Path, folder: str, reason: str) -> None:
    """Keep a copy of a file of ours that can't be right, before it is written anew.

    Args:
        spool: The spool's folder.
        path: The file.
        folder: Name of the folder below ``_corrupt``.
        reason: What is wrong with it.

    Raises:
        OSError: Where it can't be read, or the disk refuses.
    """
    keep_bytes(spool, path.read_bytes(), folder, path.name, reason)


def keep_bytes(spool: Path, content: bytes, folder: str, name: str, reason: str) -> None:
    """Keep something that can't be right, under its name and a digest of it.

    Raises:
        OSError: Where the disk refuses.
    """
    target = spool / FOLDER / folder / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.corrupt"
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    details = {"reason": reason, "name": name, "length": len(content)}
    replace(target.with_suffix(".reason.json"), orjson.dumps(details, option=orjson.OPT_INDENT_2), sync=False)
    replace(target, content)
    sync_folder(target.parent)


def _say(target: Path, number: int, reason: str, **details: int) -> None:
    content = {"reason": reason, "segment": number, **details}
    replace(target.with_suffix(".reason.json"), orjson.dumps(content, option=orjson.OPT_INDENT_2), sync=False)
