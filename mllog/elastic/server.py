"""REST calls of a setup, and what a server lacks: not every distribution has lifecycles, and none has all of them."""

from __future__ import annotations

import time
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

import elasticsearch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from elasticsearch import Elasticsearch

_JSON: Final = {"accept": "application/json", "content-type": "application/json"}
_URL_BYTES: Final = 2_500
"""Of names in one request; ``http.max_initial_line_length`` is 4 KiB."""

STARTING_SECONDS: Final = 60.0
"""So long the index of users and roles may take that the first request for it makes: until then it is 503."""

_NAP: Final = 0.5
_LACKING: Final = (
    "no handler found for uri",
    "Invalid index name [_",  # GET of an API that isn't there is taken for an index
    "failed to find action",
    "Security must be explicitly enabled",
)


class LackingError(Exception):
    """The server doesn't have this call."""


class Server:
    """The calls.

    Args:
        client: Of :func:`mllog.elastic.client.connect`.
    """

    def __init__(self, client: Elasticsearch) -> None:
        self._client = client

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The parsed answer; ``None`` for 404.

        Raises:
            LackingError: The server doesn't have this call.
            elasticsearch.ApiError: It refuses.
            elasticsearch.TransportError: It can't be reached.
        """
        headers = _JSON if body is not None else {"accept": _JSON["accept"]}
        deadline = time.monotonic() + STARTING_SECONDS
        while True:
            try:
                return self._client.perform_request(method, path, headers=headers, body=body).body
            except elasticsearch.NotFoundError:
                return None
            except elasticsearch.ApiError as error:
                if lacks(error.meta.status, str(error.body)):
                    raise LackingError(path) from error
                starting = error.meta.status == 503 and path.startswith("/_security")
                if not starting or time.monotonic() >= deadline:
                    raise
            time.sleep(_NAP)


def lacks(status: int, text: str) -> bool:
    """Whether an answer says that the server doesn't have a call."""
    # 410: a serverless project, which says so.
    return status in {405, 410} or any(said in text for said in _LACKING)


def quoted(*names: str) -> str:
    """Names as a part of a path."""
    return ",".join(urllib.parse.quote(name, safe="*.@") for name in names)


def chunks(names: Iterable[str]) -> Iterator[list[str]]:
    """Names in lists that fit into a request."""
    chunk: list[str] = []
    size = 0
    for name in names:
        length = len(quoted(name)) + 1
        if chunk and size + length > _URL_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(name)
        size += length
    if chunk:
        yield chunk
