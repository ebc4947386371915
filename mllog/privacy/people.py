"""Who asked, by which id, and in which request: what the policy lets be written of people.

A request's id is the id of its prediction, or what that is made of, so both go by the word for ``ids``; the path of a
request may hold either, and becomes the route's pattern where ids are protected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mllog.fields import EVENT
from mllog.privacy.hashing import PREDICTION_ID, USER
from mllog.privacy.rewriting import named
from mllog.values import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.events import Record
    from mllog.privacy.cleaning import Cleaner
    from mllog.privacy.echo import Echo
    from mllog.privacy.hashing import Hasher
    from mllog.privacy.policy import Policy

_OURS: Final = frozenset(part for field in EVENT for part in field.name.split("."))
"""Names in the table of fields: whatever people's values are, a field stays what it is called."""


class People:
    """Carries out the words for ``user`` and ``ids``.

    Args:
        policy: The policy.
        hasher: Where it hashes something.
    """

    def __init__(self, policy: Policy, hasher: Hasher | None) -> None:
        self._policy = policy
        self._hasher = hasher

    def collect(self, record: Record, echo: Echo) -> None:
        """Have protected users and ids looked for in the rest of the event."""
        for name, value in self._protected(record):
            echo.add(name, value)

    def write(self, record: Record, cleaner: Cleaner) -> None:
        """Leave of users, ids and requests what may be written."""
        protected = {value: name for name, value in self._protected(record)}
        user = self._user_of(record)
        if record.context is not None:
            context = {
                name: part for name, part in record.context.items() if name != "user" or self._policy.user == "keep"
            }
            record.context = self._request(_cleaned(context, cleaner), record.context, protected, cleaner) or None
        if self._policy.user == "keep":
            record.user = None if record.user is None else cleaner.text(record.user)
        else:
            if user is not None and self._policy.user == "hash" and self._hasher is not None:
                record.context = {**(record.context or {}), "user": {"hash": self._hasher.hash(USER, user)}}
            record.user = None
        label = (record.body or {}).get("label")
        if isinstance(label, dict) and self._policy.user != "keep" and "annotator" in label:
            annotator = label.pop("annotator")
            if self._policy.user == "hash" and self._hasher is not None:
                label["annotator"] = self._hasher.hash(USER, annotator)
        if record.prediction_id is not None:
            given = record.prediction_id
            record.prediction_id = self._id(given, cleaner)
            if self._policy.ids == "keep" and record.prediction_id != given:
                record.replaced = [*(record.replaced or ()), "@prediction_id"]

    def _protected(self, record: Record) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if self._policy.ids != "keep":
            ids = (record.prediction_id, _request_id(record.context))
            found += [("prediction_id", given) for given in ids if given]
        if self._policy.user != "keep" and (user := self._user_of(record)):
            found.append(("user", user))
        return found

    @staticmethod
    def _user_of(record: Record) -> str | None:
        """Who asked: what the caller says, else what stands in the context."""
        bound = (record.context or {}).get("user")
        given = bound.get("id") if isinstance(bound, dict) else None
        return record.user if record.user is not None or given is None else name_of(given)

    def _id(self, given: str, cleaner: Cleaner) -> str | None:
        """An id by the policy's word; a kept one that holds what is protected is hashed, or dropped without a salt."""
        if self._policy.ids == "keep" and cleaner.text(given) == given:
            return given
        if self._policy.ids == "drop" or self._hasher is None:
            return None
        return self._hasher.hash(PREDICTION_ID, given)

    def _request(
        self, told: dict[str, Any], given: Mapping[str, Any], protected: Mapping[str, str], cleaner: Cleaner
    ) -> dict[str, Any]:
        """A context that was cleaned, with the request's id and path as the policy has them."""
        http, url = told.get("http"), told.get("url")
        request_id = _request_id(given)
        if request_id is not None:
            identified = self._id(request_id, cleaner)
            request = {name: value for name, value in told["http"]["request"].items() if name != "id"}
            if identified is not None:
                request = {"id": identified, **request}
            http = {name: value for name, value in told["http"].items() if name != "request"}
            told["http"] = http = {"request": request, **http} if request else http
        if isinstance(url, dict) and isinstance(url.get("path"), str):
            route = http.get("route") if isinstance(http, dict) and self._policy.ids != "keep" else None
            if not isinstance(route, str):
                # An id of any length, where it is a whole segment.
                segments = url["path"].split("/")
                route = "/".join(f"<{protected[one]}>" if one in protected else one for one in segments)
            told["url"] = {**url, "path": route}
        return told


def _request_id(context: Mapping[str, Any] | None) -> str | None:
    http = (context or {}).get("http")
    request = http.get("request") if isinstance(http, dict) else None
    found = request.get("id") if isinstance(request, dict) else None
    return found if isinstance(found, str) else None


def _cleaned(part: Any, cleaner: Cleaner) -> Any:
    if not isinstance(part, dict):
        return cleaner.value(part)
    return named(
        (name if name in _OURS else cleaner.text(name), _cleaned(item, cleaner)) for name, item in part.items()
    )
