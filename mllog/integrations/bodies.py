"""Bodies of HTTP messages while they pass by."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

_JSON: Final = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.ASCII | re.IGNORECASE)


def is_json(content_type: str | None) -> bool:
    """Whether a media type is JSON's, or one built on it (RFC 6839)."""
    return content_type is not None and _JSON.fullmatch(content_type.strip()) is not None


class TooLongError(ValueError):
    """A body is longer than what is held."""


class Body:
    """Bytes that pass by, held up to a bound."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._chunks: list[bytes] = []

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return sum(map(len, self._chunks))

    def add(self, chunk: bytes) -> None:
        """One more piece."""
        self.size += len(chunk)
        if self.size <= self._limit:
            self._chunks.append(bytes(chunk))
        else:
            self._chunks.clear()

    def json(self) -> Any:
        """What it says.

        Raises:
            TooLongError: Where it is.
            ValueError: Where it is no JSON.
        """
        if self.size > self._limit:
            raise TooLongError(f"over {self._limit} bytes")
        data = b"".join(self._chunks)
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return json.loads(data)  # NaN and Infinity, which Python's own encoder writes
