"""Messages that wait in the state until it is noted that they were brought.

They are written in one step with the changes that they tell of, so that a run that is killed owes them and doesn't
forget them. Each is sent while its sender is sure to be the only one, and noted right afterwards. Between those two a
kill makes a copy, by which its receiver knows it (:attr:`watchers.notify.message.Message.key`): no sender can do better
than that without the receiver's help.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from watchers.notify import AppriseNotifier, compose, may_be_told, wants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from watchers.config import Config
    from watchers.incidents import Incident, IncidentEvent
    from watchers.keeper import Keeper
    from watchers.notify import Notifier
    from watchers.stores.base import Store

Entry = dict[str, str]
"""``event``, ``route`` (its key) and ``since``, when it was put in."""


def entries(events: Iterable[IncidentEvent], config: Config, now: dt.datetime) -> list[Entry]:
    """What some changes make the outbox hold."""
    return [
        {"event": event.id, "route": route.key, "since": now.isoformat()}
        for event in events
        if may_be_told(event)
        for route in config.notify
    ]


def tell(
    waiting: Sequence[Entry],
    events: Mapping[str, IncidentEvent],
    incidents: Mapping[str, Incident],
    *,
    store: Store,
    config: Config,
    keeper: Keeper,
    notifier: Notifier | None,
    now: dt.datetime,
    place: str,
) -> tuple[list[Entry], list[str]]:
    """Bring what waits, in order.

    Args:
        waiting: The outbox.
        events: Changes by id.
        incidents: Incidents by id, after all changes.
        store: Where it is noted.
        config: Routes, and for how long to try.
        keeper: Asked before each message.
        notifier: Who brings them (default: Apprise).
        now: The moment of the run.
        place: The store as commands in messages name it.

    Returns:
        What waits still, and what went wrong.

    Raises:
        LostLeaseError: somebody else may be telling by now.
    """
    routes = {route.key: route for route in config.notify}
    carrier = notifier or AppriseNotifier()
    told = store.told([_id(entry) for entry in waiting])
    rest: list[Entry] = []
    problems: list[str] = []
    for entry in waiting:
        event = events.get(entry["event"])
        incident = incidents.get(event.incident) if event else None
        if _id(entry) in told or event is None or incident is None:
            continue
        route = routes.get(entry["route"])
        late = now - dt.datetime.fromisoformat(entry["since"]) > config.retry
        if late:
            name = route.name if route else "a receiver that isn't configured here"
            problems.append(f"incident {incident.id}: notification by {name} given up after {config.retry}")
        elif route is None:
            rest.append(entry)  # another scheduler may know its receiver
        elif wants(route, event, incident):
            message = compose(event, incident, store=place)
            keeper.confirm()
            reason = carrier.send(route, message)
            if reason is None:
                store.write_told(_note(entry, event, route.name, keeper.holder))
            else:
                rest.append(entry)
                problems.append(f"incident {incident.id}: notification by {route.name} failed: {reason}")
    return rest, problems


def _id(entry: Entry) -> str:
    return f"{entry['event']}-{entry['route']}"


def _note(entry: Entry, event: IncidentEvent, route: str, by: str) -> dict[str, Any]:
    moment = dt.datetime.now(dt.UTC).isoformat()
    return {
        "id": _id(entry),
        "@timestamp": moment,
        "event": event.id,
        "incident": event.incident,
        "route": route,
        "by": by,
    }
