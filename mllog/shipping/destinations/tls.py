"""Whom to trust, and who one is.

``MLLOG_CA_CERTS``: a file of certificates to trust instead of the system's, or a folder of such files (``*.pem``,
``*.crt``, ``*.cer``, or named by hashes as OpenSSL has it). ``MLLOG_CLIENT_CERT`` and ``MLLOG_CLIENT_KEY``: a
certificate of one's own, for servers that ask for one; ``MLLOG_CLIENT_KEY_PASSWORD`` where its key is encrypted. Nobody
is ever asked for that: a model server would stand still until somebody answers.
"""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDINGS: Final = frozenset({".pem", ".crt", ".cer"})
_HANDSHAKES: Final = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a certificate of ours: set MLLOG_CLIENT_CERT, MLLOG_CLIENT_KEY",
    "WRONG_VERSION_NUMBER": "it speaks no TLS: write http, or the port that does",
}
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.r?[0-9]+")
"""Names under which OpenSSL looks certificates up by itself (``openssl rehash``)."""


def certificate_problem(error: BaseException | None) -> str | None:
    """Why a certificate was refused, where that is what is behind an error."""
    return next((one.verify_message for one in _behind(error) if isinstance(one, ssl.SSLCertVerificationError)), None)


def handshake_problem(error: BaseException | None) -> str | None:
    """What else keeps TLS from being spoken, where OpenSSL's word for it says little."""
    reasons = (one.reason for one in _behind(error) if isinstance(one, ssl.SSLError))
    return next((_HANDSHAKES[reason] for reason in reasons if reason in _HANDSHAKES), None)


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it came of."""
    while error is not None:
        yield error
        nested = next((part for part in error.args if isinstance(part, BaseException)), None)
        error = nested or error.__cause__ or error.__context__


def tls_context() -> ssl.SSLContext:
    """A context by the environment's variables.

    Raises:
        SettingError: Where a file can't be read, or isn't what it should be.
    """
    context = trusting()
    present(context)
    return context


def trusting() -> ssl.SSLContext:
    """A context that trusts what ``MLLOG_CA_CERTS`` names, else what the system does.

    Raises:
        SettingError: Where that holds no certificate, or one that can't be read.
    """
    trusted = os.environ.get("MLLOG_CA_CERTS") or None
    try:
        if trusted is None or not Path(trusted).is_dir():
            return ssl.create_default_context(cafile=trusted)
        context = ssl.create_default_context(capath=trusted)
        if _load_folder(context, Path(trusted)):
            return context
    except OSError as error:
        raise _error(
            "MLLOG_CA_CERTS", trusted, f"{error.strerror or error}; name a PEM file, or a folder of some"
        ) from None
    raise _error("MLLOG_CA_CERTS", trusted, "no certificate is in there; put PEM files there (*.pem, *.crt)")


def present(context: ssl.SSLContext) -> None:
    """Let a context show the certificate of ``MLLOG_CLIENT_CERT``, where one is named.

    Raises:
        SettingError: Where it, or its key, isn't there, isn't one, or is encrypted and nobody said by what.
    """
    certificate, key = os.environ.get("MLLOG_CLIENT_CERT") or None, os.environ.get("MLLOG_CLIENT_KEY") or None
    if certificate is None:
        if key is not None:
            raise SettingError("MLLOG_CLIENT_KEY without MLLOG_CLIENT_CERT: set both", field="MLLOG_CLIENT_CERT")
        return
    holder = ("MLLOG_CLIENT_CERT", certificate) if key is None else ("MLLOG_CLIENT_KEY", key)
    for name, path in (("MLLOG_CLIENT_CERT", certificate), holder):
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            raise _error(name, path, f"{error.strerror or error}; name a PEM file") from None
    asked = False

    def password() -> str:
        nonlocal asked
        asked = True
        given = os.environ.get("MLLOG_CLIENT_KEY_PASSWORD")
        if not given:
            raise _error(*holder, "the key is encrypted; set MLLOG_CLIENT_KEY_PASSWORD, or decrypt it (openssl pkey)")
        return given

    try:
        context.load_cert_chain(certificate, key, password=password)
    except (OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise _error(
                *holder, f"it isn't the key of MLLOG_CLIENT_CERT {certificate!r}; name both of one pair"
            ) from None
        if asked:
            raise _error(*holder, "MLLOG_CLIENT_KEY_PASSWORD doesn't decrypt it; set the one of this key") from None
        if not _holds_certificate(certificate):
            raise _error(
                "MLLOG_CLIENT_CERT", certificate, "no certificate can be read there; name a PEM file"
            ) from None
        raise _error(*holder, "no key can be read there; name the PEM file of the key in MLLOG_CLIENT_KEY") from None


def _load_folder(context: ssl.SSLContext, folder: Path) -> int:
    """Trust the certificates in a folder; how many of its files have some.

    Raises:
        OSError: Where one can't be read.
    """
    entries = sorted(folder.iterdir())
    hashed = {os.path.realpath(path) for path in entries if _HASHED.fullmatch(path.name)}
    found = len(hashed)
    for path in entries:
        if path.suffix.lower() not in _ENDINGS or not path.is_file() or os.path.realpath(path) in hashed:
            continue
        try:
            context.load_verify_locations(cafile=path)
            found += 1
        except ssl.SSLError as error:
            # A key may lie beside its certificate.
            if error.reason != "NO_CERTIFICATE_OR_CRL_FOUND" or b"-----BEGIN " not in path.read_bytes():
                raise OSError(f"{path.name}: {error.strerror or error}") from None
        except OSError as error:
            raise OSError(f"{path.name}: {error.strerror or error}") from None
    return found


def _holds_certificate(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError:
        return False
    return True


def _error(name: str, value: str | None, what: str) -> SettingError:
    return SettingError(f"{name} {value!r}: {what}", field=name, value=value)
