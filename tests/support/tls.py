"""Situations of TLS between a client and a server, and what a client is to say of each."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    import pathlib

HOST = "localhost"
"""The name that certificates are for; servers listen on 127.0.0.1, which they don't name."""


@dataclass(frozen=True)
class Situation:
    """One of them.

    Attributes:
        text: As the documentation's table says it.
        said: What a client says; empty where it may go on.
        host: That the client was given.
        trusted: What ``MLLOG_CA_CERTS`` names: ``ours``, ``another`` authority, or ``nothing`` (it isn't set).
        expired: Whether the server's certificate was valid yesterday.
        asks: Whether the server asks for a certificate.
        shows: Whether the client has one.
    """

    text: str
    said: str = ""
    host: str = HOST
    trusted: str = "ours"
    expired: bool = False
    asks: bool = False
    shows: bool = False


SITUATIONS = (
    Situation("`MLLOG_CA_CERTS` names the authority"),
    Situation("it names another authority", "unable to get local issuer certificate", trusted="another"),
    Situation("it isn't set: the system's authorities count", "unable to get local issuer certificate", trusted="nothing"),
    Situation("the host isn't one that the certificate names", "certificate is not valid for '127.0.0.1'", host="127.0.0.1"),
    Situation("the certificate has expired", "certificate has expired", expired=True),
    Situation("the server asks for a certificate, and `MLLOG_CLIENT_CERT` names one", asks=True, shows=True),
    Situation("it asks, and none is named", "it asks for a certificate of ours: set MLLOG_CLIENT_CERT", asks=True),
)


def table() -> str:
    """In markdown."""
    lines = ["| situation | what becomes of it |", "|---|---|"]
    lines += [f"| {one.text} | {f'refused: *{one.said}*' if one.said else 'connected'} |" for one in SITUATIONS]
    return "\n".join(lines) + "\n"


class Authorities:
    """Ours and another one, and the files that a client is given.

    Args:
        folder: For the files.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.ours, self.another = trustme.CA(), trustme.CA()
        self._folder = folder
        for name, authority in (("ours", self.ours), ("another", self.another)):
            authority.cert_pem.write_to_path(str(folder / f"{name}.pem"))
        issued = self.ours.issue_cert("client.example")
        issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))

    def server(self, situation: Situation) -> ssl.SSLContext:
        """The server's side."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        now = dt.datetime.now(dt.UTC)
        valid = {"not_before": now - dt.timedelta(days=3), "not_after": now - dt.timedelta(days=1)} if situation.expired else {}
        self.ours.issue_cert(HOST, **valid).configure_cert(context)
        if situation.asks:
            self.ours.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def variables(self, situation: Situation) -> dict[str, str]:
        """The client's side."""
        found = {} if situation.trusted == "nothing" else {"MLLOG_CA_CERTS": str(self._folder / f"{situation.trusted}.pem")}
        return {**found, **({"MLLOG_CLIENT_CERT": str(self._folder / "client.pem")} if situation.shows else {})}
