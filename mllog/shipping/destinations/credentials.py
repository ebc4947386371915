"""What a request proves its right with, and how that stays out of sight.

From the place (``user:password@``), else from the environment: ``MLLOG_API_KEY`` (Elasticsearch only; ``id:key`` or its
base64 form), ``MLLOG_BEARER_TOKEN``, ``MLLOG_USERNAME`` with ``MLLOG_PASSWORD``. The first that is set counts. A place
with a user and no password takes ``MLLOG_PASSWORD``.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from unicodedata import category

from mllog.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.places import Place

HIDDEN = "***"
UNSENDABLE: Final = frozenset({"Cc", "Cs"})
"""What basic authentication can't say: control characters, and surrogates, which stand for bytes that aren't UTF-8."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Value of the ``Authorization`` header, where there is one; it never shows.

    Attributes:
        kind: ``ApiKey``, ``Bearer``, ``Basic`` or empty.
        header: What is sent.
        secrets: Texts that must appear nowhere.
    """

    kind: str = ""
    header: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def scrub(self, text: str) -> str:
        """``text`` without secrets, whoever may have put them there."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text


def credentials(place: Place, environment: Mapping[str, str] | None = None) -> Credentials:
    """The credentials for a place.

    Args:
        place: Where it is sent.
        environment: Variables; those of this process where none are given.

    Raises:
        SettingError: Where a variable can't be what it should be; its value isn't named.
    """
    found = os.environ if environment is None else environment
    if place.user is not None:
        if place.password is not None:
            return _basic(place.user, place.password, "place", "place")
        return _basic(place.user, found.get("MLLOG_PASSWORD", ""), "place", "MLLOG_PASSWORD")
    held = api_key(found) if place.kind == "elasticsearch" else None
    return held or bearer_token(found) or user_and_password(found) or Credentials()


def api_key(environment: Mapping[str, str]) -> Credentials | None:
    """What ``MLLOG_API_KEY`` says: ``id:key``, or what Elasticsearch calls ``encoded``, the base64 of that.

    Raises:
        SettingError: Where it is neither.
    """
    key = _variable(environment, "MLLOG_API_KEY")
    if key is None:
        return None
    if ":" in key:
        encoded = base64.b64encode(key.encode()).decode()
        return Credentials("ApiKey", f"ApiKey {encoded}", (encoded, key, key.partition(":")[2]))
    try:
        pair = base64.b64decode(key, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    if ":" not in pair:
        raise SettingError(
            "MLLOG_API_KEY is neither id:key nor the base64 of it: copy `encoded` from where it was made",
            field="MLLOG_API_KEY",
        )
    return Credentials("ApiKey", f"ApiKey {key}", (key, pair, pair.partition(":")[2]))


def bearer_token(environment: Mapping[str, str]) -> Credentials | None:
    """What ``MLLOG_BEARER_TOKEN`` says.

    Raises:
        SettingError: Where no header can hold it.
    """
    token = _variable(environment, "MLLOG_BEARER_TOKEN")
    return None if token is None else Credentials("Bearer", f"Bearer {token}", (token,))


def user_and_password(environment: Mapping[str, str]) -> Credentials | None:
    """What ``MLLOG_USERNAME`` and ``MLLOG_PASSWORD`` say.

    Raises:
        SettingError: Where basic authentication has no way to say them.
    """
    user = environment.get("MLLOG_USERNAME", "").strip()
    if not user:
        return None
    return _basic(user, environment.get("MLLOG_PASSWORD", ""), "MLLOG_USERNAME", "MLLOG_PASSWORD")


def _variable(environment: Mapping[str, str], name: str) -> str | None:
    value = environment.get(name, "").strip()
    if not value.isascii() or not value.isprintable():
        raise SettingError(f"{name} holds characters that no header can hold: write it again", field=name)
    return value or None


def _basic(user: str, password: str, user_field: str, password_field: str) -> Credentials:
    """Basic authentication (RFC 7617): any letters, since what is sent is the base64 of their UTF-8.

    Args:
        user: The user.
        password: The password.
        user_field: What named the user.
        password_field: What said the password.

    Raises:
        SettingError: Where one of them has a control character or isn't UTF-8, or the user has a colon.
    """
    for name, text in ((user_field, user), (password_field, password)):
        if any(category(letter) in UNSENDABLE for letter in text):
            raise SettingError(
                f"{name} holds a control character, such as a line feed, or what isn't UTF-8: write it again",
                field=name,
            )
    if ":" in user:
        raise SettingError(
            f"{user_field}: a user name can't hold a colon (RFC 7617); choose another user", field=user_field
        )
    pair = f"{user}:{password}".encode()
    encoded = base64.b64encode(pair).decode()
    return Credentials("Basic", f"Basic {encoded}", tuple(text for text in (encoded, password) if text))
