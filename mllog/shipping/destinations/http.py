"""HTTP for destinations: urllib3 does connections, TLS and timeouts; this says what a failure means.

``MLLOG_TIMEOUT`` is how many seconds a request and its answer may take as a whole: 30, and not below 15, since Logstash
keeps a request waiting for 10 before it says 429. Other variables are those of :mod:`mllog.shipping.destinations.tls`
and :mod:`mllog.shipping.destinations.credentials`. Proxies and redirects aren't followed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import gzip
import os
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)

from mllog import __version__
from mllog.elastic.blocks import block_remedy
from mllog.errors import SettingError
from mllog.shipping.destinations import connections
from mllog.shipping.destinations.base import UnavailableError
from mllog.shipping.destinations.credentials import Credentials, credentials
from mllog.shipping.destinations.deadlines import Deadlines
from mllog.shipping.destinations.tls import certificate_problem, handshake_problem, tls_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.places import Place

CONNECT_SECONDS: Final = 5.0
"""For each address of the host, and once more for TLS."""
ANSWER_SECONDS: Final = 30.0
LEAST_ANSWER_SECONDS: Final = 15.0
ANSWER_BYTES: Final = 32 * 2**20
"""A longer answer is none: that to a batch of 2,000 events of which each is refused is about 1 MiB."""
GZIP_BYTES: Final = 1024
"""Shorter bodies are sent as they are."""

_DETAIL: Final = 500
_LEAST: Final = 0.001


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
        most: How many connections may be open at once.

    Raises:
        SettingError: Where a certificate can't be read or a variable is impossible.
    """

    def __init__(self, place: Place, *, most: int = 1) -> None:
        parts = urlsplit(place.location)
        self.answer_seconds = answer_seconds()
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._base = parts.path.rstrip("/")
        self._credentials: Credentials = credentials(place)
        self._name = f"{parts.hostname}:{self._port}"
        # Files are read now: a wrong one is to be known before the first event.
        self._tls = tls_context() if parts.scheme == "https" else None
        self._most = most
        self._deadlines = Deadlines()
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
            seconds: For the request and its answer as a whole; :attr:`answer_seconds` where none are given.

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
        with self._deadlines.exchange(wait) as deadline:
            token = connections.exchange.set(deadline)
            try:
                return self._exchange(method, path, body, headers, max(deadline.left, _LEAST))
            except (HTTPError, OSError, ValueError) as error:
                if isinstance(error, UnavailableError):
                    raise
                raise self._unavailable(error, late=deadline.left <= 0) from None
            finally:
                connections.exchange.reset(token)

    def hurry(self, seconds: float, *, altogether: bool = False) -> None:
        """Wait no longer than that for an answer, in what runs now too.

        Args:
            seconds: For each exchange from now on.
            altogether: Whether everything fails after that, for good. Safe in a signal handler.
        """
        self.answer_seconds = min(self.answer_seconds, seconds) if altogether else seconds
        self._deadlines.hurry(seconds, altogether=altogether)

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
        blocked = block_remedy(detail)
        words = f"it is blocked; {blocked}" if blocked else words
        reason = f"{self._name} answered {answer.status}: {words}{hint}" + (f" ({detail})" if detail else "")
        return UnavailableError(
            reason,
            doubtful=answer.status >= 500,
            retry_after=answer.retry_after,
            hopeless=answer.status < 500 and answer.status not in {408, 425, 429},
            # 503 is about the server as a whole; any other error of its own may be one event's doing.
            suspect=answer.status >= 500 and answer.status != 503,
            status=answer.status,
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
        options: dict[str, Any] = {"maxsize": self._most, "block": True, "retries": False}
        if self._tls is None:
            pool = urllib3.HTTPConnectionPool(self._host, self._port, **options)
            pool.ConnectionCls = connections.Plain
            return pool
        if self._inherited:
            with contextlib.suppress(SettingError):  # a file that has gone since: the parent's context has to do
                self._tls = tls_context()
            self._inherited = False
        secure = urllib3.HTTPSConnectionPool(self._host, self._port, ssl_context=self._tls, **options)
        secure.ConnectionCls = connections.Secure
        return secure

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Response:
        if self._pool is None:
            self._pool = self._new_pool()
        answer = self._pool.urlopen(
            method,
            f"{self._base}{path}",
            body,
            headers,
            redirect=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),
        )
        try:
            data = answer.read(ANSWER_BYTES, decode_content=True)
        except BaseException:
            answer.close()
            raise
        if len(data) >= ANSWER_BYTES:
            answer.close()
            raise UnavailableError(f"{self._name} answered with more than {ANSWER_BYTES} bytes", suspect=True)
        answer.release_conn()
        return Response(answer.status, data, answer.headers)

    def _unavailable(self, error: Exception, *, late: bool) -> UnavailableError:
        text = self.scrub(_cause(error))
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
        if late:
            return UnavailableError(f"{self._name} didn't answer in time", suspect=True)
        if isinstance(error, SSLError | ssl.SSLError):
            return UnavailableError(f"{self._name}: no TLS with it: {handshake_problem(error) or text}", hopeless=True)
        return UnavailableError(f"{self._name}: the connection broke: {text}", suspect=True)


def _cause(error: BaseException) -> str:
    """What happened, without the objects of a library in whose hands it did."""
    nested: BaseException | None = error
    while nested is not None:
        error = nested
        nested = next((part for part in error.args if isinstance(part, BaseException)), None) or error.__cause__
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error) or type(error).__name__


def _moment(text: str) -> float | None:
    """A date of HTTP, seconds since 1970."""
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def answer_seconds() -> float:
    """Seconds that an exchange may take: ``MLLOG_TIMEOUT``, else :data:`ANSWER_SECONDS`.

    Raises:
        SettingError: Where it is no number, or one in which Logstash can't say 429.
    """
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
