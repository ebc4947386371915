"""The shape of a text: how long it is, in which script, and whether it shows emoji or a wrong encoding.

Known from code points alone: no data files, and no model of any language.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice
from typing import Final

LENGTH: Final = "@length:"
SCRIPT: Final = "@script:"
MARKS: Final = "@marks:"
"""Before the name of a text: the features that are derived of it."""

LENGTH_EDGES: Final = tuple(sorted((*(2.0**k for k in range(14)), *(3.0 * 2**k for k in range(12)))))
"""Characters; two bins an octave, up to 8,192, where texts are cut."""

SCRIPTS: Final = (
    "none", "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Indic", "Han", "Kana", "Hangul", "Thai", "other"
)  # fmt: skip
"""By bin; a text is in the script of most of its letters."""
SCRIPT_EDGES: Final = tuple(float(k) for k in range(1, len(SCRIPTS)))

CLEAN, EMOJI, FAULTY = range(3)
MARK_EDGES: Final = (1.0, 2.0)
"""Of clean texts, those with emoji, and those that show a wrong encoding."""

LETTERS: Final = 256
"""So many letters tell the script."""

REMEMBERED: Final = 20_000
"""Characters of which the script is kept in memory."""

WITHHELD: Final = "…"
"""Stands for a text that was there but not kept, of whose shape nothing is known."""

BLOCKS: Final = (
    (0x0000, 1), (0x0370, 3), (0x0400, 2), (0x0530, 11), (0x0590, 5), (0x0600, 4), (0x0700, 11), (0x0750, 4),
    (0x0780, 11), (0x0870, 4), (0x0900, 6), (0x0E00, 10), (0x0E80, 11), (0x1100, 9), (0x1200, 11), (0x1C80, 2),
    (0x1C90, 11), (0x1E00, 1), (0x1F00, 3), (0x2000, 11), (0x2C60, 1), (0x2C80, 11), (0x2DE0, 2), (0x2E00, 11),
    (0x3005, 7), (0x3008, 11), (0x3040, 8), (0x3100, 11), (0x3130, 9), (0x3190, 11), (0x31F0, 8), (0x3200, 11),
    (0x3400, 7), (0xA000, 11), (0xA640, 2), (0xA6A0, 11), (0xA720, 1), (0xA800, 11), (0xA8E0, 6), (0xA900, 11),
    (0xA960, 9), (0xA980, 11), (0xAC00, 9), (0xD800, 11), (0xF900, 7), (0xFB00, 1), (0xFB13, 11), (0xFB1D, 5),
    (0xFB50, 4), (0xFE00, 11), (0xFE70, 4), (0xFF00, 1), (0xFF66, 8), (0xFFA0, 9), (0xFFE0, 11), (0x1B000, 8),
    (0x1B170, 11), (0x20000, 7), (0x40000, 11),
)  # fmt: skip
"""First code point and script (by its bin) of what reaches to the next one; blocks of the Unicode Standard."""
_STARTS: Final = [start for start, _ in BLOCKS]

_LETTER: Final = re.compile(r"[A-Za-z]")
_BEYOND_LATIN: Final = re.compile("[^\x00-\u024f]")

_EMOJI: Final = re.compile(
    "[\ufe0f\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab"
    "\u26bd\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c\u274e"
    "\u2753-\u2755\u2757\u2795-\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55\U0001f000-\U0001faff]"
)
"""What is shown as a picture by itself, or by the selector behind it (Unicode Technical Standard 51)."""

# Bytes 80 to BF as cp1252 shows them, and as Latin-1 does.
_TAIL: Final = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_MOJIBAKE: Final = re.compile(f"Â[\xa0-\xbf]|[ÃÄÅÎÏÐÑ×ØÙ][{_TAIL}]|[à-ï][{_TAIL}]{{2}}|ð[{_TAIL}]{{3}}")
_HIGH: Final = re.compile(f"[\xc0-\xff{_TAIL}]")


def shape_of(text: str) -> tuple[int, int, int]:
    """Characters of a text, its script and its marks, as the derived features have them."""
    return len(text), script_of(text), CLEAN if text.isascii() else marks_of(text)


def script_of(text: str) -> int:
    """The script of most of the first letters of a text, the first one of equals; 0 where it has no letter."""
    if _BEYOND_LATIN.search(text) is None and _LETTER.search(text):
        return 1
    found = list(islice(filter(None, map(_SCRIPT_OF.__getitem__, text)), LETTERS))
    return min(set(found), key=lambda script: (-found.count(script), script), default=0)


class _ScriptOf(dict[str, int]):
    """Scripts of characters by themselves; 0 where one is no letter."""

    def __missing__(self, char: str) -> int:
        if len(self) >= REMEMBERED:
            self.clear()
        found = BLOCKS[bisect_right(_STARTS, ord(char)) - 1][1] if char.isalpha() else 0
        self[char] = found
        return found


_SCRIPT_OF: Final = _ScriptOf()


def marks_of(text: str) -> int:
    """Whether a text shows a wrong encoding, else whether it has emoji.

    It is taken for UTF-8 that was read as Latin-1 or cp1252 where more sequences look like such a character's bytes
    (``Ã©`` for ``é``, ``â€™`` for an apostrophe, ``Ð¿`` for a Cyrillic letter) than there are other characters of
    cp1252 beyond ASCII, so that a lone ``Ã»`` in a text with other accents is left alone.
    """
    if "\ufffd" in text:
        return FAULTY
    rest, sequences = _MOJIBAKE.subn("", text)
    if sequences and sequences > len(_HIGH.findall(rest)):
        return FAULTY
    return EMOJI if _EMOJI.search(text) else CLEAN


def is_shape(name: str) -> bool:
    """Whether a feature of this name is derived of a text."""
    return name.startswith((LENGTH, SCRIPT, MARKS))


@dataclass(frozen=True, slots=True)
class Shape:
    """Bins of what is derived of one text.

    Attributes:
        lengths: What each bin is called in ``ml.bins``.
        scripts: The same of scripts.
        marks: The same of marks.
    """

    lengths: tuple[str, ...]
    scripts: tuple[str, ...]
    marks: tuple[str, ...]

    @classmethod
    def of(cls, name: str) -> Shape:
        """Those of the text ``name``."""
        return cls(
            tuple(f"{LENGTH}{name}:{k}" for k in range(len(LENGTH_EDGES) + 1)),
            tuple(f"{SCRIPT}{name}:{k}" for k in range(len(SCRIPTS))),
            tuple(f"{MARKS}{name}:{k}" for k in range(len(MARK_EDGES) + 1)),
        )

    def bins(self, text: str) -> list[str]:
        """What stands in ``ml.bins`` of a text that is there."""
        if text == WITHHELD:
            return []
        length, script, marks = shape_of(text)
        return [self.lengths[bisect_right(LENGTH_EDGES, length)], self.scripts[script], self.marks[marks]]
