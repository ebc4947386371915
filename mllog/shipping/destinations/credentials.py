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
from typing import TYPE_CHECKING

from mllog.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.places import Place

HIDDEN = "***"


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
        return _basic(place.user, place.password if place.password is not None else found.get("MLLOG_PASSWORD", ""))
    if place.kind == "elasticsearch" and (key := _variable(found, "MLLOG_API_KEY")):
        return _api_key(key)
    if token := _variable(found, "MLLOG_BEARER_TOKEN"):
        return Credentials("Bearer", f"Bearer {token}", (token,))
    if user := _variable(found, "MLLOG_USERNAME"):
        return _basic(user, found.get("MLLOG_PASSWORD", ""))
    return Credentials()


def _variable(environment: Mapping[str, str], name: str) -> str | None:
    value = environment.get(name, "").strip()
    if not value.isascii() or not value.isprintable():
        raise SettingError(f"{name} holds characters that no header can hold: write it again", field=name)
    return value or None


def _basic(user: str, password: str) -> Credentials:
    if ":" in user:
        raise SettingError("a user name can't hold a colon (RFC 7617): choose another user", field="username")
    pair = f"{user}:{password}".encode()
    encoded = base64.b64encode(pair).decode()
    return Credentials("Basic", f"Basic {encoded}", tuple(text for text in (encoded, password) if text))


def _api_key(key: str) -> Credentials:
    """``id:key``, or what Elasticsearch calls ``encoded``: the base64 of that."""
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
