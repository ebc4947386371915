"""Destinations: each server answers, trusts us and is trusted; no event is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllog.doctor.base import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.doctor.base import Reached, Subject
    from mllog.places import Place


class Destinations:
    """The check."""

    name = "destinations"

    def run(self, subject: Subject) -> Iterator[Diagnosis]:
        """A line for each place."""
        if not subject.places:
            yield Diagnosis(
                self.name, "ok", "no server is named (--sink, --elasticsearch, MLLOG_SINK), so none was asked"
            )
        for place in subject.places:
            yield from self._place(place, subject.reached(place))

    def _place(self, place: Place, server: Reached) -> Iterator[Diagnosis]:
        figures = {"destination": server.name, "acknowledges": server.acknowledges}
        if not server.reachable:
            yield Diagnosis(self.name, "problem", server.message, _remedy(server.message), figures)
            return
        yield Diagnosis(self.name, "ok", server.message, figures=figures)
        if not server.acknowledges:
            yield Diagnosis(
                self.name,
                "warning",
                f"{server.name} acknowledges nothing: what was written to it may be lost on the way",
                "use logstash+http(s), which acknowledges",
                figures,
            )
        if _in_the_clear(place):
            yield Diagnosis(
                self.name,
                "warning",
                f"credentials go to {server.name} without encryption",
                "use https, or a network that nobody else can listen to",
                figures,
            )


def _remedy(message: str) -> str:
    for words, remedy in (
        ("can't be used", "mend what the message says"),
        (
            "certificate is refused",
            "name its authority in MLLOG_CA_CERTS, and the host as the certificate names it",
        ),
        ("answered 401", "set MLLOG_API_KEY, or MLLOG_USERNAME and MLLOG_PASSWORD; an API key may have expired"),
        ("answered 403", "give the role the right to create documents in logs-mllog.*"),
        ("answered 404", "look at the path of the URL: is this the server itself, or a proxy before it?"),
        (
            "didn't answer in time",
            "it took the connection and said nothing: is it overloaded, or something else there?",
        ),
        ("no TLS", "is this port plain http? Then write http instead of https, else look at its certificate"),
    ):
        if words in message:
            return remedy
    return "is it running, is the host and port right, and does a firewall let this machine through?"


def _in_the_clear(place: Place) -> bool:
    from mllog.shipping.destinations.credentials import credentials  # noqa: PLC0415 - needed here alone

    return place.location.startswith(("http:", "tcp:")) and not _is_local(place) and bool(credentials(place).kind)


def _is_local(place: Place) -> bool:
    from urllib.parse import urlsplit  # noqa: PLC0415 - needed here alone

    return urlsplit(place.location).hostname in {"localhost", "127.0.0.1", "::1"}


check = Destinations()
