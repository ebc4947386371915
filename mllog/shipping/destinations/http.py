"""HTTP for destinations: urllib3 does connections, TLS and timeouts; this says what a failure means.

``MLLOG_TIMEOUT`` is how many seconds an answer is waited for: 30, and not below 15, since Logstash keeps a request
waiting for 10 before it says 429. Other variables are those of :mod:`mllog.shipping.destinations.tls` and
:mod:`mllog.shipping.destinations.credentials`. Proxies and redirects aren't followed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import gzip
import os
import ssl
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from mllog import __version__
from mllog.errors import SettingError
from mllog.shipping.destinations.base import UnavailableError
from mllog.shipping.destinations.credentials import Credentials, credentials
from mllog.shipping.destinations.tls import certificate_problem, tls_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.places import Place

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
LEAST_ANSWER_SECONDS: Final = 15.0
ANSWER_BYTES: Final = 32 * 2**20
GZIP_BYTES: Final = 1024
"""Shorter bodies are sent as they are."""

_DETAIL: Final = 500


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read whole."""

    status: int
    data: bytes
    headers: Mapping[str, str]

    @property
    def retry_after(self) -> float | None:
        """Seconds that it asks to be left alone (RFC 9110, section 10.2.3: seconds or a date)."""
        value = self.headers.get("Retry-After", "").strip()
        if value.isdecimal():
            return float(value)
        moment = _moment(value)
        return None if moment is None else max(moment - time.time(), 0.0)

    @property
    def date(self) -> float | None:
        """The other side's clock, seconds since 1970, where it told."""
        return _moment(self.headers.get("Date", ""))


class Client:
    """Requests to one host.

    Args:
        place: Its URL, and perhaps a user and a password.
        connections: How many may be open at once.

    Raises:
        SettingError: Where a certificate can't be read or a variable is impossible.
    """

    def __init__(self, place: Place, *, connections: int = 1) -> None:
        parts = urlsplit(place.location)
        self.answer_seconds = _answer_seconds()
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._base = parts.path.rstrip("/")
        self._credentials: Credentials = credentials(place)
        self._name = f"{parts.hostname}:{self._port}"
        # Files are read now: a wrong one is to be known before the first event.
        self._tls = tls_context() if parts.scheme == "https" else None
        self._connections = connections
        self._inherited = False
        self._pool: urllib3.HTTPConnectionPool | None = self._new_pool()

    @property
    def encrypted(self) -> bool:
        """Whether nobody on the way can read along."""
        return self._tls is not None

    @property
    def authorization(self) -> str:
        """Kind of the credentials that are sent; empty where there are none."""
        return self._credentials.kind

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = "application/json",
        seconds: float | None = None,
    ) -> Response:
        """Send a request and read the answer, whatever its status.

        Args:
            method: ``GET``, ``POST``, …
            path: Behind the place's own path, with its query.
            body: Sent gzipped (the same bytes for the same body) where that is worth it.
            content_type: Of the body.
            seconds: To wait for an answer; :attr:`answer_seconds` where none are given.

        Raises:
            UnavailableError: Where there is no answer; ``doubtful`` where the request may have arrived.
        """
        wait = seconds or self.answer_seconds
        headers = {"User-Agent": f"mllog/{__version__}", "Accept": "application/json"}
        if self._credentials.header is not None:
            headers["Authorization"] = self._credentials.header
        if body is not None:
            headers["Content-Type"] = content_type
            if len(body) >= GZIP_BYTES:
                headers["Content-Encoding"] = "gzip"
                body = gzip.compress(body, compresslevel=1, mtime=0)
        try:
            if self._pool is None:
                self._pool = self._new_pool()
            answer = self._pool.urlopen(
                method,
                f"{self._base}{path}",
                body,
                headers,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, wait), read=wait),
            )
            data = answer.read(ANSWER_BYTES, decode_content=True)
            if len(data) < ANSWER_BYTES:
                answer.release_conn()
            else:
                answer.close()
        except (HTTPError, OSError, ValueError) as error:
            raise self._unavailable(error) from None
        return Response(answer.status, data, answer.headers)

    def scrub(self, text: str) -> str:
        """``text``, shortened and without secrets."""
        return self._credentials.scrub(text)[:_DETAIL]

    def refused(self, answer: Response, *, hint: str = "") -> UnavailableError:
        """What an answer means that took nothing and isn't about the events."""
        detail = self.scrub(answer.data.decode("utf-8", "replace").strip())
        words = {
            401: "the user, password or key is wrong or missing",
            403: "the user or key has no right to write there",
            404: "nothing answers at this path",
        }.get(answer.status, "it can't take events now" if answer.status >= 429 else "unexpected")
        reason = f"{self._name} answered {answer.status}: {words}{hint}" + (f" ({detail})" if detail else "")
        return UnavailableError(
            reason,
            doubtful=answer.status >= 500,
            retry_after=answer.retry_after,
            hopeless=answer.status < 500 and answer.status not in {408, 425, 429},
        )

    def renew(self) -> None:
        """Forget what is a parent process's: connections (they have been closed here), locks within OpenSSL."""
        self._pool, self._inherited = None, True

    def close(self) -> None:
        """Close its connections; the next request opens another."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _new_pool(self) -> urllib3.HTTPConnectionPool:
        options: dict[str, Any] = {"maxsize": self._connections, "block": True, "retries": False}
        if self._tls is None:
            pool = urllib3.HTTPConnectionPool(self._host, self._port, **options)
            pool.ConnectionCls = _HttpConnection
            return pool
        if self._inherited:
            with contextlib.suppress(SettingError):  # a file that has gone since: the parent's context has to do
                self._tls = tls_context()
            self._inherited = False
        secure = urllib3.HTTPSConnectionPool(self._host, self._port, ssl_context=self._tls, **options)
        secure.ConnectionCls = _HttpsConnection
        return secure

    def _unavailable(self, error: Exception) -> UnavailableError:
        text = self.scrub(str(error) or type(error).__name__)
        certificate = certificate_problem(error)
        if certificate is not None:
            return UnavailableError(
                f"{self._name}: its certificate is refused ({self.scrub(certificate)}); MLLOG_CA_CERTS names "
                "certificates to trust, and the host must be one that the certificate names",
                doubtful=False,
                hopeless=True,
            )
        if isinstance(error, NewConnectionError | ConnectTimeoutError | NameResolutionError):
            return UnavailableError(f"{self._name} can't be reached: {text}", doubtful=False)
        if isinstance(error, SSLError | ssl.SSLError):
            return UnavailableError(f"{self._name}: no TLS with it: {text}", hopeless=True)
        if isinstance(error, ReadTimeoutError):
            return UnavailableError(f"{self._name} took a request and didn't answer in time")
        return UnavailableError(f"{self._name}: the connection broke: {text}")


def _moment(text: str) -> float | None:
    """A date of HTTP, seconds since 1970."""
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _answer_seconds() -> float:
    value = os.environ.get("MLLOG_TIMEOUT")
    if not value:
        return ANSWER_SECONDS
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not LEAST_ANSWER_SECONDS <= seconds <= 3600:
        raise SettingError(
            f"MLLOG_TIMEOUT {value!r}: write seconds from {LEAST_ANSWER_SECONDS:g} to 3600",
            field="MLLOG_TIMEOUT",
            value=value,
        )
    return seconds


_open: Final[weakref.WeakSet[HTTPConnection]] = weakref.WeakSet()


class _HttpConnection(HTTPConnection):
    """Known to this module once it is connected, so that a forked child can close its copy."""

    def connect(self) -> None:
        super().connect()
        _open.add(self)


class _HttpsConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _open.add(self)


def _after_fork() -> None:
    # Closed as files: a TLS farewell on a socket that is the parent's would end the parent's connection.
    for connection in list(_open):
        sock = connection.sock
        if sock is not None:
            try:
                os.close(sock.detach())
            except OSError:
                continue
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
