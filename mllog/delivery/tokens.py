"""Counting the words of one text at a time: what :func:`mllog.ruler.tokenize` says, at the price of a look-up a word.

A token never reaches over white space, so a text's tokens are those of its parts between white space. Most parts are
one token of the vocabulary, and the same ones come again and again: they are remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mllog.delivery.loops import Words
from mllog.ruler import tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REMEMBERED: Final = 20_000
"""Parts that are kept in memory."""

LENGTH: Final = 40
"""Longer parts are not kept."""


class TokenCounter:
    """Counts the tokens of texts by a vocabulary.

    Args:
        vocabulary: The tokens of training.

    Attributes:
        familiar: Parts that are one token of the vocabulary.
    """

    def __init__(self, vocabulary: frozenset[str]) -> None:
        self._vocabulary = vocabulary
        self.familiar = Words()

    def count(self, text: str) -> tuple[int, Sequence[str]]:
        """How many tokens ``text`` has, and those that aren't in the vocabulary, in order and with repetitions."""
        total, new = self.familiar.count(text)
        return self.finish(total, new) if new else (total, ())

    def count_all(self, texts: Sequence[str]) -> tuple[list[int], dict[int, Sequence[str]]]:
        """How many tokens each of ``texts`` has, and by position those of a text that aren't in the vocabulary."""
        counts: list[int] = []
        strange: dict[int, Sequence[str]] = {}
        for total, new in map(self.familiar.count, texts):
            if new:
                total, unseen = self.finish(total, new)  # noqa: PLW2901 - the same, finished
                if unseen:
                    strange[len(counts)] = unseen
            counts.append(total)
        return counts, strange

    def finish(self, total: int, new: Iterable[str]) -> tuple[int, Sequence[str]]:
        """Where ``total`` parts are familiar and those of ``new`` aren't: the same as of :meth:`count`."""
        familiar, vocabulary = self.familiar, self._vocabulary
        unseen: list[str] = []
        for part in new:
            tokens = tokenize(part)
            total += len(tokens)
            strange = [token for token in tokens if token not in vocabulary]
            if strange:
                unseen += strange
            elif len(tokens) == 1 and len(part) <= LENGTH:
                if len(familiar) >= REMEMBERED:
                    familiar.clear()
                familiar.add(part)
        return total, unseen
