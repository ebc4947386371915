"""Personal data found in free text by its form, and replaced by a mark such as ``<email>``.

=============== ==============================================================================================
``email``       ``local@domain.tld`` (the dot-atom form of RFC 5322, letters of any script)
``card_number`` 13 to 19 digits that begin with 2 to 6 and pass Luhn's check (ISO/IEC 7812-1), alone or in groups
``iban``        by country, length and check digits (ISO 13616)
``ip``          IPv4 and IPv6 addresses
``phone``       numbers that begin with ``+``; those without it where ``regions`` says from where they may be
=============== ==============================================================================================

Luhn and IBAN are python-stdnum's, phone numbers are phonenumbers'; both come with ``mllog-elastic[privacy]`` and are
imported when a policy asks for them. A pattern finds forms, not meanings: a name or a street passes.
"""

from __future__ import annotations

import importlib
import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from mllog.errors import SettingError
from mllog.privacy.cuts import ELLIPSIS, pieces
from mllog.privacy.views import unquoted, views

PATTERNS: Final = ("email", "iban", "card_number", "ip", "phone")
"""In the order in which they are looked for: what is found by one is out of the next one's way."""

_NEEDS: Final = {
    "iban": ("stdnum.iban", "python-stdnum"),
    "card_number": ("stdnum.luhn", "python-stdnum"),
    "phone": ("phonenumbers", "phonenumbers"),
}
# Starting only where a run begins keeps the time linear in the text's length.
# What URLs put around an address may stand in one, too; it is taken for a part of it only where nothing else is left.
_EMAIL: Final = re.compile(r"(?:(?<![\w.!#$%'*+^`{|}~-])[\w.!#$%'*+^`{|}~-]+|[/=?&]+)@[\w-]+(?:\.[\w-]+)+")
_DIGIT_GROUPS: Final = re.compile(r"(?<![\d+])\d+(?:[ .\-\u00a0\u2009\u202f]\d+)*(?!\d)")
_IBAN_START: Final = re.compile(r"(?<![^\W_])[A-Za-z]{2}\d\d(?=[ \-\u00a0]?[A-Za-z0-9])")
_IBAN_SHORTEST: Final = 15
_IBAN_LONGEST: Final = 34
_IPV4: Final = re.compile(r"(?<!\d)(?<!\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\d)(?!\.\d)")
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*:[0-9A-Fa-f]{0,4}(?:(?:\.\d{1,3}){3})?(?![\w:])")
_SUSPECT: Final = re.compile(r"[@\d]|::")
_LONGEST: Final = 320
_PHONE_TRIES: Final = 1_000

Finder = Callable[[str], Iterator[tuple[int, int]]]
"""From a text to the spans of what was found, in order."""


class Scrubber:
    """Replaces what patterns find.

    Args:
        patterns: Kinds of :data:`PATTERNS`.
        regions: Where phone numbers without a country code may be from.

    Raises:
        SettingError: Where a pattern's library isn't installed, or a region isn't known to it.
    """

    def __init__(self, patterns: Sequence[str], regions: Sequence[str] = ()) -> None:
        self._finders: list[tuple[str, Finder]] = [
            (f"<{kind}>", _finder(kind, regions)) for kind in PATTERNS if kind in patterns
        ]

    @property
    def marks(self) -> tuple[str, ...]:
        """What may be written instead of what is found."""
        return tuple(mark for mark, _ in self._finders)

    def text(self, text: str) -> str:
        """``text`` with marks instead of what is found in it; a text that was cut also loses its cut end."""
        cut, rest = pieces(text)
        return ELLIPSIS.join((*(self.piece(piece, was_cut=True) for piece in cut), self.piece(rest)))

    def piece(self, text: str, *, was_cut: bool = False) -> str:
        """The same of a text that isn't cut within.

        Args:
            text: The text, without a mark of a cut.
            was_cut: Whether its end is where it was cut.
        """
        if was_cut:
            text = _without_cut_end(text)
        if _SUSPECT.search(text) is None:
            return text
        for mark, find in self._finders:
            text = _replaced(text, _spans(text, find), mark)
        return text

    def number(self, value: float) -> float | str:
        """A number, or a mark where it is one only by its type: a card number sent as an integer."""
        if isinstance(value, bool) or not 1e11 <= abs(value) < 1e20 or value != int(value):
            return value
        digits = str(int(value))
        found = self.text(digits)
        return found if found != digits else value


def _without_cut_end(text: str) -> str:
    """Where a text was cut, half of something may stand, which no pattern knows."""
    words = text[-_LONGEST:].split(" ")[:-1]
    while words and any(letter.isdigit() for letter in words[-1]):
        words.pop()
    return f"{text[:-_LONGEST]}{' '.join(words)}"


def without_hash(text: str) -> str:
    """A text that was cut, without the hash of all of it."""
    cut, rest = pieces(text)
    return ELLIPSIS.join((*cut, rest))


def _spans(text: str, find: Finder) -> Iterator[tuple[int, int]]:
    """What is found in the text as it is, and as it is read without the percent signs of URLs."""
    if "%" not in text:
        yield from find(text)
        return
    found = [(view, span) for view in views(text, (unquoted,)) for span in find(view.text)]
    reached = 0
    for start, end in sorted((view.origin(start), view.origin(end)) for view, (start, end) in found):
        if end > reached:
            yield max(start, reached), end
            reached = end


def _replaced(text: str, spans: Iterator[tuple[int, int]], mark: str) -> str:
    parts: list[str] = []
    last = 0
    for start, end in spans:
        if start >= last:
            parts += text[last:start], mark
            last = end
    return "".join((*parts, text[last:])) if parts else text


def _finder(kind: str, regions: Sequence[str]) -> Finder:
    if kind == "email":
        return lambda text: (match.span() for match in _EMAIL.finditer(text)) if "@" in text else iter(())
    if kind == "ip":
        return _ip_addresses
    library = _library(kind)
    if kind == "iban":
        return lambda text: _ibans(text, library.is_valid)
    if kind == "card_number":
        return lambda text: _card_numbers(text, library.is_valid)
    for region in regions:
        if region not in library.SUPPORTED_REGIONS:
            raise SettingError(
                f"policy.regions has {region!r}: write ISO 3166 codes of countries, such as 'US'",
                field="policy.regions",
                value=region,
            )
    return lambda text: _phone_numbers(text, library, regions)


def _library(kind: str) -> Any:
    module, distribution = _NEEDS[kind]
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        raise SettingError(
            f"policy.patterns has {kind!r}, which needs {distribution}: pip install 'mllog-elastic[privacy]'",
            field="policy.patterns",
            value=kind,
        ) from problem


def _card_numbers(text: str, is_valid: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    for run in _DIGIT_GROUPS.finditer(text):
        if run.end() - run.start() < 13:
            continue
        groups = [(run.start() + g.start(), run.start() + g.end()) for g in re.finditer(r"\d+", run.group())]
        first = 0
        while first < len(groups):
            last = _card_number(text, groups, first, is_valid)
            if last is not None:
                yield groups[first][0], groups[last][1]
                first = last
            first += 1


def _card_number(text: str, groups: list[tuple[int, int]], first: int, is_valid: Callable[[str], bool]) -> int | None:
    """The last group of the card number that begins with group ``first``; groups of a card have 3 digits or more."""
    digits = ""
    found = None
    for last in range(first, len(groups)):
        start, end = groups[last]
        digits += text[start:end]
        if len(digits) > 19 or not "2" <= digits[0] <= "6":
            break
        if len(digits) >= 13 and is_valid(digits):
            found = last
        if end - start < 3:  # only the last group of a number may be so short
            break
    return found


def _ibans(text: str, is_valid: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    last = 0
    for match in _IBAN_START.finditer(text):
        if match.start() < last:
            continue
        ends: list[int] = []
        at = match.start()
        while at < len(text) and len(ends) < _IBAN_LONGEST:
            if text[at].isascii() and text[at].isalnum():
                ends.append(at + 1)
            elif text[at] not in " -\u00a0":
                break
            at += 1
        letters = "".join(text[end - 1] for end in ends).upper()
        for length in _iban_lengths(letters):
            if is_valid(letters[:length]):
                last = ends[length - 1]
                yield match.start(), last
                break


def _iban_lengths(letters: str) -> list[int]:
    """Lengths at which the check digits are right (ISO 7064, modulus 97), the longest first.

    The library also knows each country's form, but is too slow to be asked of every length.
    """
    front = int("".join(str(int(letter, 36)) for letter in letters[:4]))
    found, rest = [], 0
    for length, letter in enumerate(letters[4:], 5):
        value = int(letter, 36)
        rest = (rest * (100 if value > 9 else 10) + value) % 97
        if length >= _IBAN_SHORTEST and (rest * 10**6 + front) % 97 == 1:
            found.append(length)
    return found[::-1]


def _ip_addresses(text: str) -> Iterator[tuple[int, int]]:
    spans = [
        match.span() for match in _IPV4.finditer(text) if all(int(part) <= 255 for part in match.group().split("."))
    ]
    if ":" in text:
        for match in _IPV6.finditer(text):
            try:
                ipaddress.IPv6Address(match.group())
            except ValueError:
                continue
            if match.group() != "::":
                spans.append(match.span())
    return iter(sorted(spans, key=lambda span: (span[0], -span[1])))


def _phone_numbers(text: str, library: Any, regions: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Possible numbers where a plus says that one begins, valid ones of the named regions elsewhere."""
    if sum(map(str.isdigit, text)) < 6:
        return iter(())
    leniency = library.Leniency
    searches = [(None, leniency.POSSIBLE)] if "+" in text or "\uff0b" in text else []
    spans = [
        (match.start, match.end)
        for region, how in (*searches, *((region, leniency.VALID) for region in regions))
        for match in library.PhoneNumberMatcher(text, region, how, _PHONE_TRIES)
    ]
    return iter(sorted(spans, key=lambda span: (span[0], -span[1])))
