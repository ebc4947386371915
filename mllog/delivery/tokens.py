"""Counting the words of one text at a time: what its tokenizer says, at the price of a look-up a word.

Of those tokenizers that are ours a token never reaches over white space, so a text's tokens are those of its parts
between white space. Most parts are one token of the vocabulary, and the same ones come again and again: they are
remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mllog.delivery.loops import Words
from mllog.tokenizers import BUILT_IN, tokenizer_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

REMEMBERED: Final = 20_000
"""Parts that are kept in memory."""

LENGTH: Final = 40
"""Longer parts are not kept."""


class TokenCounter:
    """Counts the tokens of texts by a vocabulary.

    Args:
        vocabulary: The tokens of training.
        tokenizer: How texts are cut, as :func:`mllog.tokenizers.tokenizer_of` knows it.

    Attributes:
        familiar: Parts that are one token of the vocabulary.
        whole: Whether texts can't be cut part by part, since nobody knows how far a token may reach.

    Raises:
        CardError: The tokenizer can't be imported.
    """

    def __init__(self, vocabulary: Container[str], tokenizer: str | None = None) -> None:
        self._vocabulary = vocabulary
        self._tokenize = tokenizer_of(tokenizer)
        self.familiar = Words()
        self.whole = tokenizer is not None and tokenizer not in BUILT_IN

    def count(self, text: str) -> tuple[int, Sequence[str]]:
        """How many tokens ``text`` has, and those that aren't in the vocabulary, in order and with repetitions."""
        if self.whole:
            return self.finish(0, (text,))
        total, new = self.familiar.count(text)
        return self.finish(total, new) if new else (total, ())

    def count_all(self, texts: Sequence[str]) -> tuple[list[int], dict[int, Sequence[str]]]:
        """How many tokens each of ``texts`` has, and by position those of a text that aren't in the vocabulary."""
        counts: list[int] = []
        strange: dict[int, Sequence[str]] = {}
        parts = ((0, (text,)) for text in texts) if self.whole else map(self.familiar.count, texts)
        for total, new in parts:
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
            tokens = self._tokenize(part)
            total += len(tokens)
            strange = [token for token in tokens if token not in vocabulary]
            if strange:
                unseen += strange
            elif len(tokens) == 1 and len(part) <= LENGTH and not self.whole:
                if len(familiar) >= REMEMBERED:
                    familiar.clear()
                familiar.add(part)
        return total, unseen
