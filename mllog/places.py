"""The one grammar for places, used wherever events are written to or read from.

=================================  ==============================================
``events/`` or ``file:events/``    a folder (``duckdb:events/`` is the same folder)
``stdout:``                        standard output
``logstash+http(s)://host:port``   Logstash's http input, which acknowledges
``logstash+tcp://host:port``       Logstash's tcp input, which doesn't
``elasticsearch+http(s)://host``   Elasticsearch itself
=================================  ==============================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from mllog.errors import PlaceError

PlaceKind = Literal["file", "stdout", "logstash", "elasticsearch"]

GRAMMAR: Final = "FOLDER, file:FOLDER, stdout:, logstash+http(s)://HOST, logstash+tcp://HOST or elasticsearch+http(s)://HOST"

# One letter before a colon is a drive of Windows, so a scheme has at least two.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
_REMOTE: Final = re.compile(r"(logstash|elasticsearch)\+(https?|tcp)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where events are.

    Attributes:
        kind: ``file``, ``stdout``, ``logstash`` or ``elasticsearch``.
        location: The folder, or the URL without its prefix (``https://host:9200``); empty for ``stdout``.
    """

    kind: PlaceKind
    location: str

    def __str__(self) -> str:
        if self.kind in {"file", "stdout"}:
            return f"{self.kind}:{self.location}"
        return f"{self.kind}+{self.location}"


def parse(text: str) -> Place:
    """Read a place.

    Args:
        text: A place by the grammar above.

    Returns:
        What it names; nothing is opened or looked at.

    Raises:
        PlaceError: Where it isn't a place; the message says what is.
    """
    if not isinstance(text, str) or not text.strip():
        raise _error(text, "it is empty")
    match = _SCHEME.fullmatch(text)
    if match is None:
        return Place("file", text)
    scheme, rest = match[1].lower(), match[2]
    if scheme in {"file", "duckdb"}:
        folder = rest[2:] if rest.startswith("///") else rest
        if not folder:
            raise _error(text, "the folder is missing")
        return Place("file", folder)
    if scheme == "stdout":
        if rest:
            raise _error(text, "nothing may follow stdout:")
        return Place("stdout", "")
    remote = _REMOTE.fullmatch(scheme)
    if remote is None or (remote[1] == "elasticsearch" and remote[2] == "tcp"):
        raise _error(
            text, f"{scheme!r} isn't known (a folder with a colon in its name is written file:FOLDER)"
        )
    host = rest.removeprefix("//").split("/", 1)[0].rsplit("@", 1)[-1]
    if not rest.startswith("//") or not host:
        raise _error(text, "the host is missing")
    return Place("logstash" if remote[1] == "logstash" else "elasticsearch", f"{remote[2]}:{rest}")


def _error(text: object, reason: str) -> PlaceError:
    return PlaceError(f"place {text!r}: {reason}; write {GRAMMAR}", field="place", value=text)
