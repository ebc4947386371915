"""How texts are cut into tokens: known by name, so that a card can say it and all who measure do the same."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from mllog.errors import CardError

Tokenizer = Callable[[str], list[str]]

GRAM: Final = 3
"""Characters of a token of :func:`characters`."""

_WORD: Final = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_DIGITS: Final = re.compile(r"\d+")
_PROBE: Final = "It's 7 o'clock, 日本."
_REMEDY: Final = (
    "make it importable wherever events are measured, or make the card anew with one of 'words', 'characters' "
    "and 'whitespace'"
)


def words(text: str) -> list[str]:
    """Unicode words of ``text`` in lower case, each run of digits written as ``0``.

    Digits are folded because numbers would make every vocabulary grow for ever.
    """
    if text.isascii() and text.isalnum():  # one word, as most parts of a text between white space are
        return [text.lower() if text.isalpha() else _DIGITS.sub("0", text.lower())]
    return [_DIGITS.sub("0", word) for word in _WORD.findall(text.lower())]


def characters(text: str) -> list[str]:
    """Runs of three characters within the words of ``text``: for scripts that put no blanks between words."""
    return [word[k : k + GRAM] for word in words(text) for k in range(max(len(word) - GRAM + 1, 1))]


def whitespace(text: str) -> list[str]:
    """What stands between white space, as it is: for texts that were cut already."""
    return text.split()


BUILT_IN: Final[Mapping[str, Tokenizer]] = {"words": words, "characters": characters, "whitespace": whitespace}


@cache
def tokenizer_of(name: str | None) -> Tokenizer:
    """The tokenizer of a name; None is the default, ``words``.

    One of somebody else's is total here: where it raises, or returns no list of strings, a text has no tokens. (A card
    isn't made with one that does so of training: :func:`strict_tokenizer_of`.)

    Args:
        name: One of :data:`BUILT_IN`, or ``package.module:function``, which is imported.

    Raises:
        CardError: it can't be imported, or doesn't return a list of strings.
    """
    if name is None or name in BUILT_IN:
        return BUILT_IN[name or "words"]
    given = _imported(name)
    try:
        found: Any = given(_PROBE)
    except Exception as error:
        raise _refused(name, f"raises {type(error).__name__}: {error}") from error
    if not _are_tokens(found):
        raise _refused(name, f"returns {found!r}, no list of strings")

    def total(text: str) -> list[str]:
        try:
            tokens = given(text)
        except Exception:  # noqa: BLE001 - anybody's code, on the way of an event that must not be lost
            return []
        return tokens if _are_tokens(tokens) else []

    return total


def strict_tokenizer_of(name: str | None) -> Tokenizer:
    """The same, and where one of somebody else's fails at a text it raises a CardError that says how."""
    if name is None or name in BUILT_IN:
        return tokenizer_of(name)
    given = _imported(name)

    def strict(text: str) -> list[str]:
        try:
            tokens: Any = given(text)
        except Exception as error:
            raise _refused(name, f"raises {type(error).__name__} at a text of {len(text)} characters") from error
        if not _are_tokens(tokens):
            raise _refused(name, "returns no list of strings of one of training's texts")
        return list(tokens)

    return strict


def tokenizer_name(given: str | Tokenizer, text: str) -> str | None:
    """The name by which a card says how a text is cut; None for the default.

    Args:
        given: A name as for :func:`tokenizer_of`, or a function that can be imported.
        text: Name of the text, for the message.

    Raises:
        CardError: nobody else could import it, or it isn't a tokenizer.
    """
    parts = (getattr(given, part, "") for part in ("__module__", "__qualname__"))
    name = given if isinstance(given, str) else ":".join(parts)
    try:
        found = tokenizer_of(name)
        if not isinstance(given, str) and given not in {found, *BUILT_IN.values()} and _imported(name) is not given:
            raise _refused(name, "is another function where it is imported")
    except CardError as error:
        remedy = "" if isinstance(given, str) else "; a lambda or a function within another one must be moved there"
        raise CardError(
            f"tokenizers[{text!r}] is {given!r}: {error}; give a name, or a function of a module{remedy}",
            field="tokenizers",
            value=given,
        ) from error
    built_in = next((known for known, function in BUILT_IN.items() if given in (known, function)), name)
    return None if built_in == "words" else built_in


def _imported(name: str) -> Tokenizer:
    module, _, path = name.partition(":")
    if module == "__main__" or "<" in path or not module or not path:
        raise _refused(name, "is no 'package.module:function'")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise _refused(name, f"can't be imported ({type(error).__name__}: {error})") from error
    if not callable(found):
        raise _refused(name, "can't be called")
    return found  # type: ignore[no-any-return]


def _are_tokens(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(token, str) for token in found)


def _refused(name: str, why: str) -> CardError:
    return CardError(f"tokenizer {name!r} {why}; {_REMEDY}", field="tokenizer", value=name)
