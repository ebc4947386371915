"""Delivery of messages; what fails is handed back, never raised, and never names a URL."""

from __future__ import annotations

import logging
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from watchers.notify.message import TOLD, Message, compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from watchers.incidents.incident import Incident, IncidentEvent
    from watchers.notify.routing import Route

_STATUS: Final = re.compile(r"error=(\d{3})\b")
_LOCK: Final = threading.Lock()


class Notifier(Protocol):
    """Whoever can bring a message to a receiver."""

    def send(self, route: Route, message: Message) -> str | None:
        """Send ``message`` and return None, or why that failed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that did not arrive.

    Attributes:
        event: id of the incident event.
        incident: id of the incident.
        route: Service of the receiver.
        reason: Why, without secrets.
    """

    event: str
    incident: str
    route: str
    reason: str


class AppriseNotifier:
    """Slack, Teams, e-mail, PagerDuty, webhooks and whatever else Apprise knows."""

    def send(self, route: Route, message: Message) -> str | None:
        """Send ``message`` and return None, or why that failed."""
        try:
            import apprise  # noqa: PLC0415 - it takes a while, and most runs have nothing to tell
        except ImportError:
            return "Apprise isn't installed: install mllog-elastic[watchers]"
        with _overheard() as said:
            try:
                target = apprise.Apprise()
                if not target.add(route.url):
                    return f"Apprise can't read the URL of this {route.name} route"
                sent = target.notify(
                    body=message.body, title=message.title, notify_type=message.tone, body_format="text"
                )
            except Exception as error:  # noqa: BLE001 - a plug-in's own; its text may quote the URL
                return f"{type(error).__name__} in Apprise"
        return None if sent else _reason(said)


def notify(
    events: Iterable[IncidentEvent],
    incidents: Mapping[str, Incident],
    routes: Sequence[Route],
    *,
    notifier: Notifier | None = None,
    store: str = "PLACE",
    time_zone: str = "UTC",
) -> list[Failure]:
    """Tell receivers of incidents that opened, reopened or recovered, or that have become as severe as they want.

    Args:
        events: The new ones; each is told once, however often it stands here.
        incidents: Incidents by id, after the events.
        routes: Receivers.
        notifier: Who delivers (default: Apprise).
        store: Place of the events, for the commands in the message.
        time_zone: IANA zone in which times are written.

    Returns:
        What did not arrive.
    """
    carrier = notifier or AppriseNotifier()
    failures = []
    for event in {event.id: event for event in events}.values():
        incident = incidents.get(event.incident)
        for route in routes:
            if incident is not None and wants(route, event, incident):
                reason = carrier.send(route, compose(event, incident, store=store, time_zone=time_zone))
                if reason is not None:
                    failures.append(Failure(event.id, incident.id, route.name, reason))
    return failures


def may_be_told(event: IncidentEvent) -> bool:
    """Whether there is a receiver at all that such a change is told to."""
    return event.kind in TOLD or event.data.get("was") is not None


def wants(route: Route, event: IncidentEvent, incident: Incident) -> bool:
    """Whether a receiver is to be told of a change.

    Args:
        route: The receiver.
        event: The change.
        incident: The incident after all of its changes.
    """
    was = event.data.get("was")
    silent = incident.snoozed_until is not None and event.at < incident.snoozed_until
    if not may_be_told(event) or silent:
        return False
    now = event.data.get("severity", incident.severity)
    return route.takes(incident.model, now) and not (was and route.takes(incident.model, was))


def _reason(said: Sequence[str]) -> str:
    for text in said:
        status = _STATUS.search(text)
        if status:
            return f"the receiver answered HTTP {status[1]}"
    if any("Connection" in text or "Socket" in text for text in said):
        return "the receiver could not be reached"
    return "not delivered"


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """Keep Apprise's own log, which may quote URLs, to ourselves while it works."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, ear = logging.getLogger("apprise"), Ear()
    with _LOCK:
        before = logger.propagate
        logger.addHandler(ear)
        logger.propagate = False
        try:
            yield said
        finally:
            logger.propagate = before
            logger.removeHandler(ear)
