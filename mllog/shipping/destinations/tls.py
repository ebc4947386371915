"""Whom to trust, and who one is.

``MLLOG_CA_CERTS``: a file or folder of certificates to trust instead of the system's. ``MLLOG_CLIENT_CERT`` and
``MLLOG_CLIENT_KEY``: a certificate of one's own, for servers that ask for one.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from mllog.errors import SettingError


def certificate_problem(error: BaseException | None) -> str | None:
    """Why a certificate was refused, where that is what is behind an error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        nested = next((part for part in error.args if isinstance(part, BaseException)), None)
        error = nested or error.__cause__ or error.__context__
    return None


def tls_context() -> ssl.SSLContext:
    """A context by the environment's variables.

    Raises:
        SettingError: Where a file can't be read.
    """
    trusted = os.environ.get("MLLOG_CA_CERTS") or None
    certificate, private = os.environ.get("MLLOG_CLIENT_CERT") or None, os.environ.get("MLLOG_CLIENT_KEY") or None
    if private and not certificate:
        raise SettingError("MLLOG_CLIENT_KEY without MLLOG_CLIENT_CERT: set both", field="MLLOG_CLIENT_CERT")
    name, value = "MLLOG_CA_CERTS", trusted
    try:
        folder = trusted is not None and Path(trusted).is_dir()
        context = ssl.create_default_context(cafile=None if folder else trusted, capath=trusted if folder else None)
        if certificate:
            name, value = "MLLOG_CLIENT_CERT", certificate
            context.load_cert_chain(certificate, private)
    except OSError as error:
        raise SettingError(
            f"{name} {value!r}: {error.strerror or error}; name a PEM file", field=name, value=value
        ) from None
    return context
