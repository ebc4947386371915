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

from mllog import __version__
from mllog.errors import SettingError, UnreachableError
from mllog.places import Place, without_password
from mllog.shipping.destinations.credentials import Credentials, credentials
from mllog.shipping.destinations.tls import certificate_problem, tls_context

SECONDS: Final = 60.0
OLDEST: Final = (8, 19)
_SPACE: Final = re.compile(r"[a-z0-9_-]+")
_DETAIL: Final = 500

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
            UnreachableError: It can't be reached, or isn't Kibana.
        """
        status, answer = self._request("GET", f"{self._root}/api/status")
        number = (answer.get("version") or {}).get("number") if isinstance(answer, dict) else None
        found = re.match(r"(\d+)\.(\d+)\.", str(number))
        if status != 200 or not found:
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
        status, answer = self._request(
            "POST", f"{self.base}/api/saved_objects/_import?overwrite=true", body, content_type=kind
        )
        if status != 200 or not isinstance(answer, dict) or "success" not in answer:
            raise RefusedError(f"{self.name} refuses {name} ({status}): {self._told(answer)}", status)
        return answer

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
                try:
                    found = [json.loads(line) for line in data.decode().splitlines() if line]
                    return {(one["type"], one["id"]): one for one in found}
                except (ValueError, KeyError, TypeError):
                    raise RefusedError(f"{self.name} answered no export to POST {path}", status) from None
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
        return self._ask("GET", f"/api/alerting/rule/{quote(identity, safe='')}")

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
        answer: Any = self._ask("GET", "/api/actions/connectors")
        return {one["id"]: one for one in answer}

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        status, answer = self._request(method, f"{self.base}{path}")
        if status not in {200, 204}:
            raise RefusedError(f"{self.name} answered {status} to {method} {path}: {self._told(answer)}", status)
        return answer if answer is not None else {}

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
        return answer.status, answer.data

    def _told(self, answer: Any) -> str:
        """The message of an answer that is an error."""
        text = answer.get("message", answer) if isinstance(answer, dict) else answer
        return self._credentials.scrub(str(text))[:_DETAIL]


def _read(data: bytes) -> Any:
    """An answer's JSON; its text where it is none, None where it is empty."""
    try:
        return json.loads(data) if data else None
    except ValueError:
        return data.decode("utf-8", "replace")


def _gone(answer: Any) -> set[Key]:
    """Which objects an export was refused for because they aren't there."""
    told = answer.get("attributes") if isinstance(answer, dict) else None
    objects = told.get("objects") if isinstance(told, dict) else None
    return {
        (one["type"], one["id"])
        for one in objects or ()
        if isinstance(one, dict) and (one.get("error") or {}).get("statusCode") == 404
    }
