"""Salted hashes: equal values of one feature stay equal, and nobody without the salt can say which they are.

HMAC-SHA-256 (RFC 2104, FIPS 198-1), keyed by the salt and then by the feature's name, so that equal values of two
features don't match. 64 bits of it are kept: among 100,000 values two meet with a probability of 3e-10.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Final

from mllog.errors import SettingError

if TYPE_CHECKING:
    from mllog.privacy.policy import Policy

DIGITS: Final = 16
"""Hexadecimal digits that are kept."""

SALT_BYTES: Final = 16
"""A shorter salt could be found by trying, since a card holds hashes of values that are easily guessed."""

PREDICTION_ID: Final = "@prediction_id"
USER: Final = "@user"

_REMEDY: Final = (
    "set MLLOG_SALT, or salt=, to the secret that the card was made with "
    "(a new one: python -c 'import secrets; print(secrets.token_hex(16))')"
)


class Hasher:
    """Hashes values by one salt, which nothing that it gives away contains.

    Args:
        salt: At least 16 bytes.
    """

    __slots__ = ("_keys", "_salt")

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._keys: dict[str, bytes] = {}

    @property
    def fingerprint(self) -> str:
        """Tells two salts apart; kept in the card."""
        return self.hash("@salt", "")

    def hash(self, name: str, key: str) -> str:
        """Hash of a value as it is counted (:func:`mllog.ruler.category_key`).

        Args:
            name: The feature's, or ``@prediction_id`` or ``@user``.
            key: The value.
        """
        own = self._keys.get(name)
        if own is None:
            own = self._keys[name] = hmac.digest(self._salt, name.encode("utf-8", "surrogatepass"), "sha256")
        return hmac.digest(own, key.encode("utf-8", "surrogatepass"), "sha256").hex()[:DIGITS]

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a salt isn't pickled")


def pseudonym(salt: str | bytes, name: str, value: str) -> str:
    """What a value is written as, for systems that have it raw: to look up a prediction, or to join labels.

    Args:
        salt: The secret.
        name: A feature's name, ``@prediction_id`` or ``@user``.
        value: As it is counted: a string, or a number as :func:`mllog.ruler.category_key` writes it.

    Returns:
        16 hexadecimal digits.

    Raises:
        SettingError: Where the salt is too short.
    """
    return Hasher(_checked(salt)).hash(name, value)


def salt_of(given: str | bytes | None) -> bytes | None:
    """The salt that was given, else that of ``MLLOG_SALT``.

    Raises:
        SettingError: Where it is too short.
    """
    salt = given if given is not None else os.environ.get("MLLOG_SALT") or None
    return None if salt is None else _checked(salt)


def hasher_of(policy: Policy, salt: bytes | None) -> Hasher | None:
    """What a policy's hashes are made with; ``None`` where it has none.

    Raises:
        SettingError: Where the salt is missing, or isn't the one that the card was made with.
    """
    if not policy.hashes:
        return None
    if salt is None:
        raise SettingError(f"the card's policy hashes values, and there is no salt: {_REMEDY}", field="salt")
    hasher = Hasher(salt)
    if policy.salt is not None and not hmac.compare_digest(policy.salt, hasher.fingerprint):
        raise SettingError(
            f"the salt isn't the one that the card was made with (its fingerprint is {hasher.fingerprint}, "
            f"the card's {policy.salt}), so no value would be known again: {_REMEDY}",
            field="salt",
        )
    return hasher


def _checked(salt: str | bytes) -> bytes:
    if not isinstance(salt, str | bytes):
        raise SettingError(f"salt is a {type(salt).__name__}: write a text or bytes", field="salt")
    secret = salt.encode("utf-8", "surrogatepass") if isinstance(salt, str) else salt
    if len(secret) < SALT_BYTES:
        raise SettingError(
            f"salt has {len(secret)} bytes, and one below {SALT_BYTES} can be found by trying: {_REMEDY}", field="salt"
        )
    return secret
