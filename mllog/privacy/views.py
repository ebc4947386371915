r"""Texts read as they were meant: a value that Python, JSON or a URL wrote in its own way stands in a view of the text.

A view knows where each of its characters comes from, so what is found in it can be taken out of the text itself, and
nobody has to guess how a value was escaped: quotes depend on what else stands between them, JSON comes with ``\u00fc``
and without, and URLs leave one character or another as it is.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

_DEPTH: Final = 2
"""The repr of a text that holds a repr, a URL in JSON."""

_HEX: Final = "[0-9A-Fa-f]"
_ESCAPE: Final = re.compile(
    rf"\\(?:u([dD][89abAB]{_HEX}{{2}})\\u([dD][c-fC-F]{_HEX}{{2}})|u({_HEX}{{4}})|U({_HEX}{{8}})|x({_HEX}{{2}})|([^uUx]))",
    re.DOTALL,
)
_CONTROLS: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PERCENT: Final = re.compile(rf"(?:%{_HEX}{{2}})+")
_PERCENT_OR_PLUS: Final = re.compile(rf"(?:%{_HEX}{{2}})+|\+")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]\w{1,7});", re.ASCII)
_DOUBLED: Final = re.compile("''")
_DOUBLED_WIDE: Final = re.compile('""')
_MARGIN: Final = re.compile(r"(?<=\n)[ \t|>]+")
_BEGUN: Final = re.compile(
    rf"[\ud800-\udbff]?(?:\\(?:u{_HEX}{{0,3}}|U{_HEX}{{0,7}}|x{_HEX}?)?|%{_HEX}?)?\Z"  # half of a pair, or of an escape
)
_BEGUN_LENGTH: Final = 16
_UNICODE: Final = 0x110000


class View:
    """A text as it is read.

    Args:
        text: What is read.
        places: Where in it what it was read from goes on otherwise than by the next character; increasing.
        origins: Where in that those places are.
        parent: What it was read from, where that is a view itself.
    """

    __slots__ = ("_origins", "_parent", "_places", "text")

    def __init__(
        self, text: str, places: Sequence[int] = (0,), origins: Sequence[int] = (0,), parent: View | None = None
    ) -> None:
        self.text = text
        self._places = places
        self._origins = origins
        self._parent = parent

    def origin(self, place: int) -> int:
        """Where in the text itself a place of the view is."""
        at = bisect_right(self._places, place) - 1
        found = self._origins[at] + place - self._places[at]
        return found if self._parent is None else self._parent.origin(found)

    @property
    def read(self) -> int:
        """Where the view ends, without an escape that has only begun."""
        begun = _BEGUN.search(self.text, max(len(self.text) - _BEGUN_LENGTH, 0))
        return len(self.text) if begun is None else begun.start()


Reader: TypeAlias = Callable[[View], "View | None"]
Unit: TypeAlias = tuple[str, int]
"""What is read of an escape, and where that begins."""


def views(text: str, readers: Sequence[Reader]) -> Iterator[View]:
    """The text as it is, and each other way to read it."""
    found = {text: View(text)}
    known = set(found)
    yield found[text]
    for _ in range(_DEPTH):
        read = [new for view in found.values() for reader in readers if (new := reader(view)) is not None]
        found = {view.text: view for view in read if view.text not in known}
        known |= found.keys()
        yield from found.values()


def is_written_otherwise(text: str) -> bool:
    """Whether there is another way to read a text, lines that begin further in aside; there is none of most."""
    return "\\" in text or "%" in text or "+" in text or "&" in text or "''" in text or '""' in text


def unescaped(view: View) -> View | None:
    r"""A view without backslashes: ``\'``, ``\n``, ``\xfc``, ``\u00fc``."""
    return _read(view, _ESCAPE, _escape) if "\\" in view.text else None


def unquoted(view: View) -> View | None:
    """A view without the percent signs of URLs."""
    return _read(view, _PERCENT, _percent) if "%" in view.text else None


def unquoted_form(view: View) -> View | None:
    """The same of forms, which write a space as a plus sign; ``None`` where there is none."""
    return _read(view, _PERCENT_OR_PLUS, _percent) if "+" in view.text else None


def unmarked(view: View) -> View | None:
    """A view without the entities of HTML: ``&quot;``, ``&#x27;``."""
    return _read(view, _ENTITY, _entity) if "&" in view.text else None


def undoubled(view: View) -> View | None:
    """A view in which apostrophes stand once, which SQL doubles in a text between such."""
    return _read(view, _DOUBLED, lambda match: [("'", match.start())]) if "''" in view.text else None


def undoubled_wide(view: View) -> View | None:
    """The same of the quotes of CSV."""
    return _read(view, _DOUBLED_WIDE, lambda match: [('"', match.start())]) if '""' in view.text else None


def outdented(view: View) -> View | None:
    """A view without what stands before each line of a quotation, or of an exception in a group of them."""
    return _read(view, _MARGIN, lambda _: ()) if "\n" in view.text else None


def without_margins(text: str) -> str:
    """What :func:`outdented` reads of a text."""
    return _MARGIN.sub("", text)


def _read(view: View, pattern: re.Pattern[str], units_of: Callable[[re.Match[str]], Iterable[Unit]]) -> View | None:
    text, parts = view.text, []
    places, origins = [0], [0]
    last = length = 0
    for match in pattern.finditer(text):
        parts.append(text[last : match.start()])
        length += match.start() - last
        for unit, start in units_of(match):
            parts.append(unit)
            places.append(length)
            origins.append(start)
            length += len(unit)
        last = match.end()
        places.append(length)
        origins.append(last)
    return View("".join((*parts, text[last:])), places, origins, view) if last else None


def _escape(match: re.Match[str]) -> list[Unit]:
    high, low, *codes, other = match.groups()
    if high is not None:
        letter = chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    elif other is not None:
        letter = _CONTROLS.get(other, other)
    else:
        code = int(next(filter(None, codes)), 16)
        letter = chr(code) if code < _UNICODE else "\ufffd"
    return [(letter, match.start())]


def _entity(match: re.Match[str]) -> list[Unit]:
    return [(html.unescape(match.group()), match.start())]


def _percent(match: re.Match[str]) -> Iterator[Unit]:
    """Characters of UTF-8, or one for each byte where it is none."""
    at = match.start()
    if match.group() == "+":
        yield " ", at
        return
    content = bytes.fromhex(match.group().replace("%", ""))
    try:
        letters, coding = content.decode(), "utf-8"
    except ValueError:
        letters, coding = content.decode("latin-1"), "latin-1"
    for letter in letters:
        yield letter, at
        at += 3 * len(letter.encode(coding))
