"""How a protected value may be written: what is looked for in the texts of its event, and what goes with it.

Escapes need no spelling of their own (:mod:`mllog.privacy.views`), nor do numbers (:mod:`mllog.privacy.numerals`). What
was typed on its way into the event (dates, enumerations, bytes) is also looked for as it was before.
"""

from __future__ import annotations

import base64
import contextlib
import re
from typing import TYPE_CHECKING, Final, TypeAlias

from mllog import values
from mllog.privacy.views import without_margins

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD: Final = 64
"""Of a longer value its beginning is looked for, and everything behind it goes too: it may have been cut."""

Ending: TypeAlias = re.Pattern[str]
"""What goes with a spelling, from its end on; where it doesn't match, the value isn't there."""

Spelling: TypeAlias = tuple[str, Ending | None]
"""How a value is written, and the ending where it has one of its own."""

ANYWHERE: Final = re.compile("")
NO_DIGIT: Final = re.compile(r"(?!\d)")
REST: Final = re.compile(r"(?s:.*)")
_CLOCK: Final = re.compile(r"(?:[t ]\d\d?(?::[\d:.]*(?:z|[+-]\d[\d:]*)?|\Z))?")
_ARGUMENTS: Final = re.compile(r"(?!\d)(?:, ?\d+)*")

_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?=[T ]|\Z)", re.ASCII)
_TIME: Final = re.compile(r"(\d\d):(\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_UUID_LENGTH: Final = 36
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{6,}={0,2}", re.ASCII)
_BASE64_HEAD: Final = 4 * HEAD // 2


def lowered(text: str) -> str:
    """A text in lower case, letter by letter: each stays where it was."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)
    return lower.replace("ς", "σ")


def texts_of(value: str | float) -> Iterator[Spelling]:
    """Spellings of a value as a text, and their endings where they have their own."""
    for kind in values.enumerations():
        with contextlib.suppress(Exception):  # what can't be hashed is no member
            member = kind._value2member_map_[value]
            yield f"<{kind.__name__}.{member.name}: {member.value!r}>", None
            yield f"{kind.__name__}.{member.name}", None
    if not isinstance(value, str):
        return
    date = _DATE.match(value) if value[:1].isdecimal() else None
    if date is not None:
        yield date.group(), _CLOCK
        yield ", ".join(str(int(part)) for part in date.groups()), _ARGUMENTS
        yield value.replace("T", " ", 1), None
    time = _TIME.fullmatch(value) if value[:1].isdecimal() else None
    if time is not None:
        yield f"time({int(time[1])}, {int(time[2])}", _ARGUMENTS
    yield value, None
    if not value.isascii():  # bytes that nobody has decoded
        for cased in dict.fromkeys((value, value.lower(), value.upper())):
            yield cased.encode("utf-8", "surrogatepass").decode("latin-1"), None
    if "\n" in value:
        yield without_margins(value), None
    if len(value) == _UUID_LENGTH and _UUID.fullmatch(value) is not None:
        yield value.replace("-", ""), None
    yield from ((spelling, None) for spelling in bytes_of(value))


def bytes_of(value: str) -> Iterator[str]:
    """What a value says that may be bytes, which events have in base64."""
    if len(value) % 4 or _BASE64.fullmatch(value) is None:
        return
    content = base64.b64decode(value[:_BASE64_HEAD])
    yield content.decode("latin-1")
    with contextlib.suppress(ValueError):
        yield content.decode()
