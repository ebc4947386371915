"""Events that come to hours that were judged already: which hours, from where on to judge again, what that changes.

The engine of incidents is sequential, so a window can't be judged anew by itself: the engine is taken back to a
snapshot of itself from before the hour and goes through the hours since then once more. What the incidents' events said
stays said; where the second judgement ends elsewhere, one event more says so.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from watchers.incidents import Incident, IncidentEvent, acknowledged, fold
from watchers.times import shifted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HOUR: Final = dt.timedelta(hours=1)
SEEN: Final = dt.timedelta(days=7)
"""How far beyond the bound events that came too late are still noticed and counted."""

FINE: Final = 4
COARSE: Final = 6
"""A snapshot of each of the last :data:`FINE` hours, before that every :data:`COARSE` hours: most events that are late
are so by minutes, and re-open an hour or two."""

BY: Final = "watchers (late events)"

Snapshot = list[str]
"""[moment, engine's state as compressed JSON]."""


@dataclass(frozen=True, slots=True)
class Late:
    """What came late.

    Attributes:
        hours: Judged hours that have more events now, of those within the bound.
        snapshot: From where on to judge again; None where nothing is.
        beyond: How many events came too late to be judged.
    """

    hours: tuple[dt.datetime, ...] = ()
    snapshot: tuple[dt.datetime, dict[str, Any]] | None = None
    beyond: int = 0


def find(state: Mapping[str, Any], counts: Mapping[dt.datetime, int], bound: dt.timedelta) -> Late:
    """Compare the hours' counts with those that were seen as they were judged.

    Args:
        state: Of the model: ``judged``, ``counts``, ``snapshots``.
        counts: As they are now.
        bound: How far back hours are judged again.
    """
    seen = state.get("counts")
    if not seen:  # written by a version that didn't count
        return Late()
    judged = dt.datetime.fromisoformat(state["judged"])
    first = dt.datetime.fromisoformat(seen["from"])
    snapshots = [(dt.datetime.fromisoformat(moment), text) for moment, text in state.get("snapshots", ())]
    oldest = min((moment for moment, _ in snapshots), default=judged)
    grown: list[dt.datetime] = []
    beyond = 0
    for hour, count in sorted(counts.items()):
        place = int((hour - first) / HOUR)
        if place < 0 or hour >= judged:
            continue
        before = seen["n"][place]
        if count <= before:
            continue
        if hour >= max(oldest, shifted(judged, -bound)):
            grown.append(hour)
        else:
            beyond += count - before
    if not grown:
        return Late(beyond=beyond)
    moment, text = max((s for s in snapshots if s[0] <= grown[0]), key=lambda s: s[0])
    return Late(tuple(grown), (moment, unpack(text)), beyond)


def reach(judged: dt.datetime, bound: dt.timedelta) -> dt.datetime:
    """The first hour whose count is kept."""
    return shifted(judged, -(bound + SEEN))


def counted(counts: Mapping[dt.datetime, int], judged: dt.datetime, bound: dt.timedelta) -> dict[str, Any]:
    """The counts that a state keeps.

    Args:
        counts: As they were before the hours were counted for good.
        judged: The end of the newest hour.
        bound: As for :func:`find`.
    """
    start = reach(judged, bound)
    n = [counts.get(start + k * HOUR, 0) for k in range(int((judged - start) / HOUR))]
    return {"from": start.isoformat(), "n": n}


def pack(engine: Mapping[str, Any]) -> str:
    """An engine's state, small."""
    return base64.b64encode(zlib.compress(json.dumps(engine).encode("utf-8", "surrogatepass"), 6)).decode("ascii")


def unpack(text: str) -> dict[str, Any]:
    """What :func:`pack` was given."""
    held: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)).decode("utf-8", "surrogatepass"))
    return held


def wanted(moment: dt.datetime, end: dt.datetime, bound: dt.timedelta) -> bool:
    """Whether to take a snapshot after the hour that ends at ``moment``, in a run that goes on until ``end``."""
    hour = int(moment.timestamp()) // 3600
    if end - moment > bound + COARSE * HOUR:
        return hour % 24 == 0
    return hour % COARSE == 0 or end - moment <= FINE * HOUR


def kept(snapshots: Iterable[Snapshot], judged: dt.datetime, bound: dt.timedelta) -> list[Snapshot]:
    """The snapshots that a state still needs: those wanted within the bound, and the newest one before it."""
    ordered = sorted((dt.datetime.fromisoformat(s[0]), s) for s in snapshots)
    ordered = [(moment, s) for moment, s in ordered if moment <= judged]
    oldest = shifted(judged, -bound)
    old = [s for moment, s in ordered if moment <= oldest]
    first = ordered[0][0] if ordered else judged
    return [
        *old[-1:],
        *(s for moment, s in ordered if moment > oldest and (moment == first or wanted(moment, judged, bound))),
    ]


def corrections(
    log: Sequence[IncidentEvent],
    again: Sequence[IncidentEvent],
    incidents: Mapping[str, Incident],
    at: dt.datetime,
) -> list[IncidentEvent]:
    """What to add to the log after hours were judged again.

    Args:
        log: All events of the model's incidents, those of the hours' first judgement too.
        again: Those that the engine knew at its snapshot, then those of the second judgement.
        incidents: Incidents as the second judgement left them.
        at: The end of the hours.

    Returns:
        Events of incidents that are new, as they are; for each incident that the log leaves otherwise than the second
        judgement one event that makes them equal. One that should never have been is closed, with a note, and what
        it covered counts as usual. Whoever was told that an incident is open isn't told so again.
    """
    held = fold(log)
    last = {event.incident: event for event in again if "keys" in event.data}
    before = {event.incident: event for event in log if "keys" in event.data}
    known = {event.id for event in log}
    result = [event for event in again if event.incident not in held and event.id not in known]
    for name, was in held.items():
        now = incidents.get(name)
        if now is None or name not in last:
            if was.active and name in before:
                result += _closed(was, before[name].data, at)
            continue
        kind: Any = None
        data = dict(last[name].data)
        if now.active != was.active:
            kind = "reopened" if now.active else "recovered"
        elif now.active and _told(now) != _told(was):
            kind = "updated"
            if now.severity != was.severity:
                data["was"] = was.severity
        if kind is not None:
            result.append(IncidentEvent.make(name, at, kind, len(was.events), data))
    return result


def _closed(incident: Incident, data: Mapping[str, Any], at: dt.datetime) -> list[IncidentEvent]:
    taken = acknowledged(incident, BY, at, as_normal=True)
    message = f"late events: judged again with events that came late, there is nothing; before: {incident.message}"
    closing = {**data, "recovered": at.isoformat(), "message": message}
    return [taken, IncidentEvent.make(incident.id, at, "recovered", len(incident.events) + 1, closing)]


def _told(incident: Incident) -> tuple[Any, ...]:
    """What a reader would care about."""
    return (
        incident.severity, incident.title, incident.onset, incident.segment, sorted(incident.features),
        sorted(incident.checks),
    )  # fmt: skip
