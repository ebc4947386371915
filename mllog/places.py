"""The one grammar for places, used wherever events are written to or read from.

=================================  ==============================================
``events/`` or ``file:events/``    a folder (``duckdb:events/`` is the same folder)
``stdout:``                        standard output
``logstash+http(s)://host:port``   Logstash's http input, which acknowledges
``logstash+tcp://host:port``       Logstash's tcp input, which doesn't
``elasticsearch+http(s)://host``   Elasticsearch itself
=================================  ==============================================

A URL may hold ``user:password@``, percent-encoded (RFC 3986, section 3.2.1). A place never shows its password: not
as text, not in ``repr``, not in an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote, unquote, urlsplit

from mllog.errors import PlaceError, SettingError

PlaceKind = Literal["file", "stdout", "logstash", "elasticsearch"]

GRAMMAR: Final = (
    "FOLDER, file:FOLDER, stdout:, logstash+http(s)://HOST, logstash+tcp://HOST or elasticsearch+http(s)://HOST"
)

# One letter before a colon is a drive of Windows, so a scheme has at least two.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
_REMOTE: Final = re.compile(r"(logstash|elasticsearch)\+(https?|tcp)", re.IGNORECASE)
# As greedy as can be: a password that nobody percent-encoded may hold "/" and "@".
_USER_INFO: Final = re.compile(r"//.*@", re.DOTALL)
# Nothing of the kind belongs to a place, but somebody may have pasted a link with a token.
_BEHIND: Final = re.compile(r"(//[^?#]*[?#]).*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """Where events are.

    Attributes:
        kind: ``file``, ``stdout``, ``logstash`` or ``elasticsearch``.
        location: The folder, or the URL without its prefix and without user and password (``https://host:9200``);
            empty for ``stdout``.
        user: User of a URL, decoded.
        password: Password of a URL, decoded; two places that differ by it alone are equal.
    """

    kind: PlaceKind
    location: str
    user: str | None = None
    password: str | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        if self.kind in {"file", "stdout"}:
            return f"{self.kind}:{self.location}"
        if self.user is None:
            return f"{self.kind}+{self.location}"
        scheme, _, rest = self.location.partition("://")
        return f"{self.kind}+{scheme}://{quote(self.user, safe='')}@{rest}"


def parse(text: str) -> Place:
    """Read a place.

    Args:
        text: A place by the grammar above.

    Returns:
        What it names; nothing is opened or looked at.

    Raises:
        PlaceError: Where it isn't a place; the message says what is, without the password.
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
        raise _error(text, f"{scheme!r} isn't known (a folder with a colon in its name is written file:FOLDER)")
    return _remote(text, "logstash" if remote[1] == "logstash" else "elasticsearch", f"{remote[2]}:{rest}")


def checked_namespace(namespace: str) -> str:
    """A data stream's namespace as loggers write it and watchers read it: no pattern, which would mix several.

    The bound is Elasticsearch's, in bytes: https://www.elastic.co/docs/reference/ecs/ecs-data_stream.

    Raises:
        SettingError: It has other letters than it may have, is longer than 100 bytes, or is ``.`` or ``..``.
    """
    allowed = all(letter.islower() or letter.isdigit() or letter in "_." for letter in namespace)
    if not allowed or namespace in {"", ".", ".."} or len(namespace.encode()) > 100:
        raise SettingError(
            f"namespace {namespace!r}: a data stream's namespace has lower-case letters, digits, '_' and '.', at most "
            "100 bytes, and isn't '.' or '..'",
            field="namespace",
            value=namespace,
        )
    return namespace


def without_password(text: str) -> str:
    """``text`` with what stands before the last ``@`` of a URL, and its query, hidden, for messages about it."""
    return _BEHIND.sub(r"\1***", _USER_INFO.sub("//***@", text))


def shown(text: str) -> str:
    """A place as it was given, but for its password: for messages.

    Raises:
        PlaceError: Where it isn't a place.
    """
    place = parse(text)
    return text if place.password is None else str(place)


def _remote(text: str, kind: PlaceKind, url: str) -> Place:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _error(text, "its host, port or password can't be read (percent-encode / @ : in a password)") from None
    if not url.partition(":")[2].startswith("//") or not host:
        raise _error(text, "the host is missing")
    if "@" in parts.path:
        raise _error(text, "a / stands before its @ (percent-encode / @ : in a password)")
    if parts.query or parts.fragment:
        raise _error(text, "nothing may follow its path")
    if parts.scheme == "tcp" and (port is None or parts.path.strip("/")):
        raise _error(text, "a tcp place is a host and a port, and nothing more")
    location = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Place(kind, location, user, password)


def _error(text: object, reason: str) -> PlaceError:
    shown = without_password(text) if isinstance(text, str) else text
    return PlaceError(f"place {shown!r}: {reason}; write {GRAMMAR}", field="place", value=shown)
