"""A policy ready for use: what becomes of one value, for events and for training data alike."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from mllog.privacy.cleaning import Cleaner
from mllog.privacy.hashing import hasher_of, salt_of
from mllog.privacy.scrubbing import Scrubber, without_hash
from mllog.ruler import Feature, category_key, missing_kind
from mllog.tokenizers import words
from mllog.values import INT64, float_of

if TYPE_CHECKING:
    import datetime as dt

    from mllog.privacy.hashing import Hasher
    from mllog.privacy.policy import Policy
    from mllog.ruler import Kind

PRESENT: Final = True
"""Stands for a dropped value that was there."""

_ANY: Final = Feature("", "other")
_WITHHELD: Final = "withheld"


@dataclass(frozen=True, slots=True)
class Protection:
    """A policy with the means to carry it out.

    Attributes:
        policy: The policy.
        hasher: Where it hashes something.
        scrubber: Where it has patterns.
    """

    policy: Policy
    hasher: Hasher | None = None
    scrubber: Scrubber | None = None

    @classmethod
    def of(cls, policy: Policy, salt: str | bytes | None) -> Protection:
        """The protection by a policy.

        Args:
            policy: The policy.
            salt: The secret of its hashes; ``None``: that of ``MLLOG_SALT``.

        Raises:
            SettingError: Where the salt is missing, too short or another one, or a pattern's library isn't there.
        """
        hasher = hasher_of(policy, salt_of(salt) if policy.hashes else None)
        return cls(policy, hasher, Scrubber(policy.patterns, policy.regions) if policy.patterns else None)

    @property
    def marks(self) -> tuple[str, ...]:
        """What may be written instead of what the patterns find."""
        return () if self.scrubber is None else self.scrubber.marks

    def hashed(self, name: str, value: Any) -> Any:
        """The hash of a value by which it is counted; what is no single value becomes an empty list."""
        if is_missing(value):
            return value
        if not isinstance(value, str | int | float):
            if not hasattr(value, "isoformat"):
                return []
            moment: dt.date = value
            value = moment.isoformat()
        if type(value) is int and value not in INT64:
            value = float_of(value)
        assert self.hasher is not None
        return self.hasher.hash(name, category_key(value))

    def scrubbed(self, value: Any) -> Any:
        """A typed value with marks instead of what the patterns find in its strings and keys."""
        return value if self.scrubber is None else Cleaner(None, self.scrubber).value(value)

    def feature(self, name: str, kind: Kind | None, value: Any) -> Any:
        """What is measured instead of a feature's value; :class:`mllog.privacy.Guard` sees to what is written."""
        word = self.policy.word(name, kind)
        if word == "drop":
            return value if is_missing(value) else PRESENT
        if word == "hash":
            return self.hashed(name, value)
        if isinstance(value, str):
            if word == "redact":
                value = without_hash(value)
            return Cleaner(None, self.scrubber).text(value)
        return value if kind == "number" else self.scrubbed(value)


def is_missing(value: Any) -> bool:
    """Whether a value says of somebody only that nothing is known."""
    return missing_kind(_ANY, value) is not None


def is_text(value: Any) -> TypeGuard[str]:
    """Whether a value is a text that holds something."""
    return isinstance(value, str) and not is_missing(value)


def mask_of(vocabulary: Container[str]) -> Callable[[str], str]:
    """A function from a text to one that measures the same and holds no word that the vocabulary doesn't."""
    stand_in = _WITHHELD
    while stand_in in vocabulary:
        stand_in += "x"

    def masked(text: str) -> str:
        # A text without any word is still there, which an empty one isn't.
        return " ".join(token if token in vocabulary else stand_in for token in words(text)) or "…"

    return masked
