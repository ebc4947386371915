"""A Kibana, over its public HTTP API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.filepost import encode_multipart_formdata

from kibana_objects import answers
from mllog import __version__
from mllog.errors import SettingError, UnreachableError
from mllog.places import Place, without_password
from mllog.shipping.destinations.credentials import Credentials, credentials
from mllog.shipping.destinations.tls import certificate_problem, tls_context

SECONDS: Final = 60.0
OLDEST: Final = (8, 19)
_SPACE: Final = re.compile(r"[a-z0-9_-]+")
_DETAIL: Final = 500
_PIECE: Final = 200
_UNKNOWN: Final = 401
_FORBIDDEN: Final = 403

Key = tuple[str, str]
"""Type and id of a saved object."""


class RefusedError(UnreachableError):
    """Kibana answered, and not as it should.

    Attributes:
        status: The answer's.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Kibana:
    """One space of one Kibana.

    Credentials and certificates are those of every ``mllog`` command: ``MLLOG_API_KEY``, ``MLLOG_USERNAME`` and
    ``MLLOG_PASSWORD``, ``MLLOG_CA_CERTS``.

    Args:
        url: ``http(s)://HOST:PORT``, with the server's base path where it has one.
        space: A space's id; the default one where it is empty.

    Raises:
        SettingError: One of them is none, or a certificate can't be read.
    """

    def __init__(self, url: str, space: str = "") -> None:
        parts = urlsplit(url)
        shown = without_password(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise SettingError(f"--kibana {shown!r} is no URL: write http(s)://HOST:5601", field="kibana", value=shown)
        if space and not _SPACE.fullmatch(space):
            raise SettingError(f"--space {space!r} is no space's id: a-z 0-9 _ -", field="space", value=space)
        user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
        location = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self.name = location
        self.base = f"{location}/s/{space}" if space else location
        self._root = location
        self.place = Place("elasticsearch", location, user, password)
        self._credentials: Credentials = credentials(self.place)
        context = tls_context() if parts.scheme == "https" else None
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False, timeout=SECONDS)

    def version(self) -> tuple[int, int]:
        """Major and minor version.

        Raises:
            UnreachableError: It can't be reached, doesn't accept the credentials, or isn't Kibana.
        """
        status, answer = self._request("GET", f"{self._root}/api/status")
        if status == _FORBIDDEN:  # later requests may be for want of a right, which Kibana names
            raise self._denied(status, answer)
        fits = status == 200 and not answers.misfit(answer, answers.STATUS)
        found = re.match(r"(\d{1,9})\.(\d{1,9})\.", answer["version"]["number"]) if fits else None
        if not found:
            raise RefusedError(f"{self.name} isn't a Kibana that is ready ({status}: {self._told(answer)})", status)
        return int(found[1]), int(found[2])

    def refuse_old(self) -> None:
        """Look whether it is new enough for these objects.

        Raises:
            SettingError: It isn't.
            UnreachableError: It can't be reached, or isn't Kibana.
        """
        version = self.version()
        if version < OLDEST:
            have, need = (".".join(map(str, each)) for each in (version, OLDEST))
            raise SettingError(f"{self.name} is Kibana {have}; these objects need {need}", field="kibana", value=have)

    def import_objects(self, name: str, content: bytes) -> dict[str, Any]:
        """``POST /api/saved_objects/_import?overwrite=true``: what it answered, ``success`` or not.

        Raises:
            UnreachableError: It can't be reached, or refuses the file as a whole.
        """
        body, kind = encode_multipart_formdata({"file": (name, content, "application/ndjson")})
        path = "/api/saved_objects/_import"
        status, answer = self._request("POST", f"{self.base}{path}?overwrite=true", body, content_type=kind)
        if status != 200:
            raise RefusedError(f"{self.name} refuses {name} ({status}): {self._told(answer)}", status)
        self._check(answer, answers.IMPORTED, f"POST {path} of {name}", status)
        found: dict[str, Any] = answer
        return found

    def export_objects(self, wanted: Iterable[Key]) -> dict[Key, dict[str, Any]]:
        """``POST /api/saved_objects/_export``: those that are there, by type and id.

        An export with one that isn't there is refused as a whole, and names all that aren't: it is asked again without.

        Args:
            wanted: Their types and ids.

        Raises:
            UnreachableError: It can't be reached, or refuses.
        """
        path = "/api/saved_objects/_export"
        left = list(wanted)
        while left:
            objects = [{"type": kind, "id": identity} for kind, identity in left]
            asked = {"objects": objects, "includeReferencesDeep": False, "excludeExportDetails": True}
            status, data = self._send("POST", f"{self.base}{path}", json.dumps(asked).encode())
            if status == 200:
                # Not by splitlines of a text, which takes characters for ends of lines that JSON may hold.
                found = [_read(line) for line in data.splitlines() if line]
                self._check(found, answers.EXPORTED, f"POST {path}", status)
                searches = [one for one in found if one["type"] == "search"]
                self._check(searches, answers.SEARCHES, f"POST {path}", status)
                return {(one["type"], one["id"]): one for one in found}
            answer = _read(data)
            gone = _gone(answer) & set(left)
            if not gone:
                raise RefusedError(f"{self.name} answered {status} to POST {path}: {self._told(answer)}", status)
            left = [key for key in left if key not in gone]
        return {}

    def rule(self, identity: str) -> dict[str, Any]:
        """``GET /api/alerting/rule/<id>``.

        Raises:
            UnreachableError: It can't be reached, or there is none.
        """
        found: dict[str, Any] = self._ask("GET", f"/api/alerting/rule/{quote(identity, safe='')}", answers.RULE)
        return found

    def enable(self, identity: str) -> None:
        """``POST /api/alerting/rule/<id>/_enable``; it makes the rule's key and its task.

        Raises:
            UnreachableError: It can't be reached, or refuses.
        """
        self._ask("POST", f"/api/alerting/rule/{quote(identity, safe='')}/_enable")

    def connectors(self) -> dict[str, dict[str, Any]]:
        """``GET /api/actions/connectors``: by id, preconfigured ones included.

        Raises:
            UnreachableError: It can't be reached, or refuses.
        """
        answer = self._ask("GET", "/api/actions/connectors", answers.CONNECTORS)
        return {one["id"]: one for one in answer}

    def _ask(self, method: str, path: str, shape: answers.Shape | None = None) -> Any:
        """An answer of a shape; of any where none is given."""
        status, answer = self._request(method, f"{self.base}{path}")
        if status not in {200, 204}:
            raise RefusedError(f"{self.name} answered {status} to {method} {path}: {self._told(answer)}", status)
        if shape is not None:
            self._check(answer, shape, f"{method} {path}", status)
        return answer

    def _check(self, answer: Any, shape: answers.Shape, asked: str, status: int) -> None:
        """Look whether an answer is one of Kibana's.

        Raises:
            RefusedError: It isn't.
        """
        wrong = answers.misfit(answer, shape)
        if wrong:
            piece = self._credentials.scrub(json.dumps(answer, ensure_ascii=False))[:_PIECE]
            raise RefusedError(
                f"{self.name}: the answer to {asked} isn't Kibana's ({wrong}), look for a proxy in between: {piece}",
                status,
            )

    def _denied(self, status: int, answer: Any) -> RefusedError:
        """That the credentials aren't accepted, and what gives them."""
        variables = "MLLOG_API_KEY, or MLLOG_USERNAME and MLLOG_PASSWORD"
        if self._credentials.header is None:
            what = f"wants credentials: set {variables}"
        elif self.place.user is not None:
            what = f"doesn't accept the user and password of --kibana: without them there, {variables} count"
        else:
            what = f"doesn't accept the credentials: look at {variables}"
        return RefusedError(f"{self.name} {what} ({status}: {self._told(answer)})", status)

    def _request(
        self, method: str, url: str, body: bytes | None = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        status, data = self._send(method, url, body, content_type)
        return status, _read(data)

    def _send(
        self, method: str, url: str, body: bytes | None = None, content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        headers = {"kbn-xsrf": "mllog", "User-Agent": f"mllog/{__version__}", "Accept": "application/json"}
        if self._credentials.header is not None:
            headers["Authorization"] = self._credentials.header
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            answer = self._pool.request(method, url, body=body, headers=headers, redirect=False)
        except HTTPError as error:
            told = certificate_problem(error)
            why = f"its certificate is refused ({told}); MLLOG_CA_CERTS names those to trust" if told else str(error)
            raise UnreachableError(f"{self.name}: {self._credentials.scrub(why)[:_DETAIL]}") from None
        if answer.status == _UNKNOWN:
            raise self._denied(answer.status, _read(answer.data))
        return answer.status, answer.data

    def _told(self, answer: Any) -> str:
        """The message of an answer that is an error."""
        text = answer.get("message", answer) if isinstance(answer, dict) else answer
        return self._credentials.scrub(str(text))[:_DETAIL]


def _read(data: bytes) -> Any:
    """An answer's JSON; its text where it is none, None where it is empty."""
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


def _gone(answer: Any) -> set[Key]:
    """Which objects an export was refused for because they aren't there."""
    if answers.misfit(answer, answers.NOT_EXPORTED):
        return set()
    objects = answer["attributes"]["objects"]
    return {(one["type"], one["id"]) for one in objects if one.get("error", {}).get("statusCode") == 404}
