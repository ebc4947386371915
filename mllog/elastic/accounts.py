"""Users of a server: those that ``mllog setup --user`` names, each with the role of its own name.

A password comes from a variable and is never shown. It goes out by the shipper's HTTP client: Elastic's own writes
bodies into its log where somebody asked that for everything.
https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-security-put-user
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unicodedata import category

import orjson

from mllog.elastic.comparing import difference
from mllog.elastic.report import Item
from mllog.elastic.roles import BY_NAME, variable
from mllog.elastic.server import lacks, quoted
from mllog.elastic.templates import meta
from mllog.errors import SettingError, StoreError
from mllog.shipping.destinations.base import UnavailableError
from mllog.shipping.destinations.credentials import HIDDEN, UNSENDABLE
from mllog.shipping.destinations.http import Client

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mllog.places import Place
    from mllog.shipping.destinations.http import Response

RESERVED: Final = ("kibana_system", "logstash_system", "beats_system", "apm_system", "remote_monitoring_user")
"""Users that every server has, for Elastic's own programs; they have no password until somebody gives them one."""

SHORTEST: Final = 6
"""Characters of a password: Elasticsearch takes none that is shorter."""

_KEPT: Final = frozenset({"full_name", "email", "metadata"})
_FORBIDDEN: Final = (
    "this user may not manage users (privilege manage_security); run mllog setup --user as one who may, such as elastic"
)
_OPEN: Final = "security is off there (xpack.security.enabled), so it has no users"
_DISABLED: Final = "somebody disabled it: PUT /_security/user/{}/_enable if it is to work again"


def passwords(users: Iterable[str], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The password of each user.

    Args:
        users: Names.
        environment: Variables; those of this process where none are given.

    Raises:
        SettingError: There is no role of a name, or no password for it that can be one.
    """
    found = os.environ if environment is None else environment
    result = {}
    for user in users:
        if user not in BY_NAME and user not in RESERVED:
            known = ", ".join((*BY_NAME, *RESERVED))
            raise SettingError(f"--user {user!r}: there is no role of that name; write one of {known}", field="user")
        name = variable(user)
        password = found.get(name, "")
        if len(password) < SHORTEST:
            what = "is too short" if password else "isn't set"
            raise SettingError(
                f"{name} {what}: it holds the password of --user {user}, {SHORTEST} characters or more", field=name
            )
        if any(category(letter) in UNSENDABLE for letter in password):
            what = "a control character, such as a line feed, or what isn't UTF-8"
            raise SettingError(f"{name} holds {what}: write it again", field=name)
        result[user] = password
    return result


def accounts(place: Place, wanted: Mapping[str, str], *, change: bool) -> Iterator[Item]:
    """Let users be there who can log in by their passwords; one that can already is left as it is.

    Args:
        place: The server.
        wanted: Name -> password.
        change: Whether to do it, or only to say what would be done.

    Raises:
        StoreError: The server can't be reached or refuses.
    """
    client = Client(place)
    try:
        for user, password in wanted.items():
            yield _Account(place, client, user, password).item(change=change)
    except UnavailableError as error:
        text = str(error)
        for password in wanted.values():
            text = text.replace(password, HIDDEN)
        raise StoreError(text, field="place", value=str(place)) from None
    finally:
        client.close()


class _Account:
    def __init__(self, place: Place, client: Client, user: str, password: str) -> None:
        self._place, self._client = place, client
        self._user, self._password = user, password
        self._path = f"/_security/user/{quoted(user)}"

    def item(self, *, change: bool) -> Item:
        answer = self._client.request("GET", self._path)
        if lacks(answer.status, answer.data.decode("utf-8", "replace")):
            return self._said("left", _OPEN)
        if answer.status == 403:
            return self._said("left", _FORBIDDEN)
        if answer.status not in {200, 404}:
            raise self._client.refused(answer)
        there: dict[str, Any] | None = orjson.loads(answer.data).get(self._user) if answer.status == 200 else None
        if there is not None and not there.get("enabled", True):
            return self._said("left", _DISABLED.format(self._user))
        roles = there["roles"] if there is not None else []
        wanted = roles if self._user in RESERVED else [self._user]
        diff = difference({"roles": roles}, {"roles": wanted}) if there is not None else ""
        logs_in = there is not None and self._logs_in()
        if logs_in and not diff:
            return self._said("same")
        detail = "" if logs_in or there is None else f"its password isn't that of {variable(self._user)}"
        if not change:
            return self._said("missing" if there is None else "different", detail, diff)
        refusal = self._put(there, wanted, {} if logs_in else {"password": self._password})
        if refusal is not None:
            return self._said("left", refusal, diff)
        return self._said("created" if there is None else "changed", detail.replace("isn't", "is now"), diff)

    def _put(self, there: dict[str, Any] | None, roles: list[str], password: dict[str, str]) -> str | None:
        """Give it its role, and a password where it needs one; why that can't be, where it can't."""
        if self._user in RESERVED:
            answer = self._send("POST", f"{self._path}/_password", password)
        else:
            # What isn't said would be lost.
            kept = {name: value for name, value in (there or {}).items() if name in _KEPT and value}
            answer = self._send("PUT", self._path, {"metadata": meta(), **kept, **password, "roles": roles})
        return _FORBIDDEN if answer.status == 403 else None

    def _send(self, method: str, path: str, body: dict[str, Any]) -> Response:
        answer = self._client.request(method, path, orjson.dumps(body))
        if answer.status not in {200, 403}:
            raise self._client.refused(answer, hint=f" (user {self._user})")
        return answer

    def _logs_in(self) -> bool:
        client = Client(replace(self._place, user=self._user, password=self._password))
        try:
            answer = client.request("GET", "/_security/_authenticate")
        finally:
            client.close()
        if answer.status not in {200, 401}:
            raise client.refused(answer)
        return answer.status == 200

    def _said(self, state: Any, detail: str = "", diff: str = "") -> Item:
        return Item("user", self._user, state, detail, diff)
