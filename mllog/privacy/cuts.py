"""Where the logger itself cut a text: half of something that must not be written may stand there.

What is cut ends in ``… #`` or, a name, in ``#`` and a hash of all of it (:mod:`mllog.values`), and may stand anywhere
then: a message may be the repr of an object whose texts were cut. The hash isn't salted, so whoever knows the rest
could try out what was cut off; under a policy it is never written. A traceback is cut at its front, without a mark.
"""

from __future__ import annotations

import re
from typing import Final

from mllog.values import NAME_LIMIT, TEXT_LIMIT

ELLIPSIS: Final = "…"
"""What is left of the mark."""

_HASH: Final = re.compile(r"#[0-9a-f]{16}(?![0-9a-f])")
_BARE: Final = NAME_LIMIT - 17
"""Where the mark of a name begins."""


def pieces(text: str) -> tuple[list[str], str]:
    """What stands before each cut, without its mark, and what stands behind the last one."""
    cut: list[str] = []
    last = 0
    for match in _HASH.finditer(text) if len(text) >= NAME_LIMIT or "… #" in text else ():
        marked = text.endswith("… ", last, match.start())
        if marked or match.start() - last >= _BARE:
            cut.append(text[last : match.start() - (2 if marked else 0)])
            last = match.end()
    return cut, text[last:]


def was_cut(text: str) -> bool:
    """Whether a text ends where it was cut."""
    cut, rest = pieces(text)
    return bool(cut) and not rest


def lost_its_front(trace: str) -> bool:
    """Whether a traceback may be one that was cut."""
    return len(trace) == TEXT_LIMIT
