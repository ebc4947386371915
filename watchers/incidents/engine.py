"""The engine: verdicts of one window after the other in, changes of incidents out.

It has no clock, no store and no randomness: the same windows give the same events, with the same ids.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from mllog.ruler import LABEL, SCORE, VALUE
from watchers.incidents import causes
from watchers.incidents.case import MEMORY, Case
from watchers.incidents.incident import LASTING, EventKind, Incident, IncidentEvent, acknowledged, fold, snoozed
from watchers.incidents.ranking import order, strength
from watchers.incidents.verdicts import JudgedWindow, Key, Verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from watchers.finding import Finding, Window
    from watchers.profile import WindowProfile

IMMEDIATE: Final = frozenset({"vanished", "renamed", "swapped", "no_data", "dependency_change", "wrong_model"})
"""Checks that speak of facts: one window is enough."""

REOPENS: Final = dt.timedelta(hours=24)
"""Within that time of its recovery, or the length of the window, the same feature reopens an incident instead of
opening another."""

SAME_FAULT: Final = dt.timedelta(hours=24)
"""Within that time of its onset another check's finding about the same feature is the same fault."""

CLEAN: Final = frozenset({"dependency_change", "no_data"}) | LASTING
"""An incident of these alone doesn't taint the history of its features."""

RECURS: Final = 3
"""What came and went by itself so many times within :data:`watchers.incidents.case.MEMORY` ..."""

PASSING: Final = dt.timedelta(days=3)
"""... and lasted no longer than this is how a feature is (rain, a sensor that sleeps), and teaches what is normal."""

WHOLE: Final = {"repeated": ("@repeated",), "failures": ("@failures", SCORE, VALUE, LABEL)}
"""Checks that name no feature, and what an incident of theirs taints: calls that fail have no answers."""


class Engine:
    """Incidents of one model.

    Args:
        model: Model's name.
        events: Every event of the model's incidents so far, in the order in which they were written.
        immediate: Checks that need no second window to be believed.
        state: What :meth:`state` returned after the last window; without it what is open is taken up from
            ``events``.
    """

    def __init__(
        self,
        model: str,
        events: Iterable[IncidentEvent] = (),
        *,
        immediate: frozenset[str] = IMMEDIATE,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        history = list(events)
        self._model = model
        self._immediate = immediate
        self._incidents = fold(history)
        self._verdicts = Verdicts(state["verdicts"] if state else ())
        self._judged: dict[int, dt.datetime] = {}
        self._cases: dict[str, Case] = {}
        if state:
            self._judged = {length: dt.datetime.fromisoformat(end) for length, end in state["judged"]}
            self._cases = {case["id"]: Case.from_dict(case) for case in state["cases"]}
        else:
            self._take_up(history)

    @classmethod
    def restore(
        cls,
        model: str,
        events: Iterable[IncidentEvent],
        state: Mapping[str, Any] | None,
        *,
        immediate: frozenset[str] = IMMEDIATE,
    ) -> Engine:
        """An engine that goes on where the one that wrote ``state`` stopped."""
        return cls(model, events, immediate=immediate, state=state)

    @property
    def incidents(self) -> dict[str, Incident]:
        """All incidents by id, as the events so far left them."""
        return dict(self._incidents)

    def state(self) -> dict[str, Any]:
        """The memory that isn't in the events, as JSON types."""
        return {
            "judged": [[length, end.isoformat()] for length, end in sorted(self._judged.items())],
            "verdicts": self._verdicts.to_list(),
            "cases": [case.to_dict() for case in self._cases.values()],
        }

    def update(
        self,
        findings: Sequence[Finding],
        window: Window,
        length_hours: int,
        *,
        profiles: Sequence[WindowProfile] = (),
    ) -> list[IncidentEvent]:
        """Take in the verdicts on one window.

        Args:
            findings: All of them, whatever their state.
            window: The window; windows come in the order of their ends. One judged before changes nothing.
            length_hours: Its length, which says which windows follow each other.
            profiles: Hourly profiles around its end, from which causes are ranked.

        Raises:
            ValueError: the window has no end.
        """
        at = window.end
        if at is None:
            raise ValueError("a window without an end can't be put in order")
        if length_hours in self._judged and at <= self._judged[length_hours]:
            return []
        self._judged[length_hours] = at
        judged = JudgedWindow.of(findings, window, length_hours)
        self._verdicts.note(judged)
        changed: dict[str, EventKind] = {}
        for key in self._believed(judged):
            case, kind = self._place(key, judged, at)
            case.join(key, judged.alerts[key], self._verdicts.onset(key), at)
            if changed.get(case.id, "updated") == "updated":
                changed[case.id] = kind
        for case in self._cases.values():
            if case.recovered is None:
                case.note(judged)
                if case.id not in changed and case.is_over():
                    case.recovered = case.last_seen = at
                    changed[case.id] = "recovered"
        result = [
            self._emit(self._cases[name], at, kind, profiles)
            for name, kind in changed.items()
            if kind != "updated" or self._cases[name].news() != self._cases[name].told
        ]
        self._forget(at)
        return result

    def acknowledge(self, incident: str, by: str, at: dt.datetime, *, as_normal: bool = False) -> IncidentEvent:
        """Somebody takes an incident.

        With ``as_normal`` the new level is right: its windows stay in the history.

        Raises:
            KeyError: there is no such incident.
        """
        return self._record(acknowledged(self._incidents[incident], by, at, as_normal=as_normal))

    def snooze(self, incident: str, by: str, at: dt.datetime, until: dt.datetime) -> IncidentEvent:
        """Somebody silences an incident.

        Raises:
            KeyError: there is no such incident.
        """
        return self._record(snoozed(self._incidents[incident], by, at, until))

    def watched(self) -> frozenset[tuple[str, str | None, tuple[str, str] | None]]:
        """What open incidents are about, by check, feature and segment: where it can't be judged it isn't over.

        What alerted and opened none is not among them: two odd hours with a night between them are no lasting fault.
        """
        voices = [voice for case in self._cases.values() if case.recovered is None for voice in case.voices.values()]
        of_segments = {(v.check, v.feature, next(iter(v.segment.items()))) for v in voices if v.segment}
        return frozenset({(v.check, v.feature, None) for v in voices} | of_segments)

    def quarantine(self) -> list[tuple[frozenset[str], dt.datetime, dt.datetime | None]]:
        """Spans (features, from, to or None) that must stay out of the history of those features.

        What alerted lately is kept out too, until it is believed or forgotten: else a fault's first hours would be
        the history by which its next hours are found usual. What recurs and passes by itself isn't (see
        :data:`RECURS`): were each rain forgotten, the next would be unheard of.
        """
        passing = self._passing()
        spoken_for = {
            feature
            for incident in self._incidents.values()
            if incident.recovered is None and not CLEAN.issuperset(incident.checks)
            for feature in _tainted(incident)
        }
        suspects = [
            (frozenset({feature}), onset, None)
            for feature, onset in self._verdicts.suspected(CLEAN)
            if feature not in spoken_for
        ]
        return suspects + [
            # What lasts longer than history reaches would leave none: from then on its hours teach.
            (names, incident.onset, min(filter(None, (incident.recovered, incident.onset + MEMORY))))
            for incident in self._incidents.values()
            if not incident.as_normal
            and not CLEAN.issuperset(incident.checks)
            and (names := _tainted(incident) - passing.get(incident.id, frozenset()))
        ]

    def _passing(self) -> dict[str, frozenset[str]]:
        """By incident the features whose trouble recurs and passes by itself."""
        onsets: dict[tuple[str, str], list[tuple[dt.datetime, str]]] = {}
        for incident in self._incidents.values():
            over = incident.recovered
            if over is not None and over - incident.onset <= PASSING and not incident.acknowledged_by:
                for name in _tainted(incident):
                    # What broke in another way each time recurs in none.
                    onsets.setdefault((name, incident.checks[0]), []).append((incident.onset, incident.id))
        found: dict[str, set[str]] = {}
        for (name, _), held in onsets.items():
            held.sort()
            for k in range(len(held) - RECURS + 1):
                recurring = held[k : k + RECURS]
                if recurring[-1][0] - recurring[0][0] <= MEMORY:
                    for _, key in recurring:
                        found.setdefault(key, set()).add(name)
        return {key: frozenset(names) for key, names in found.items()}

    def _believed(self, judged: JudgedWindow) -> list[Key]:
        """Alerting keys that last, the one that should lead an incident first."""
        keys = [key for key in judged.alerts if key[1] in self._immediate or self._verdicts.lasting(key)]

        def rank(key: Key) -> tuple[Any, ...]:
            best = max(judged.alerts[key], key=strength)
            return *order(best.check, best.feature, best.severity), -strength(best), str(key)

        return sorted(keys, key=rank)

    def _place(self, key: Key, judged: JudgedWindow, at: dt.datetime) -> tuple[Case, EventKind]:
        """The case that a believed key belongs to, and what that does to it."""
        length, check, feature, _ = key
        onset = self._verdicts.onset(key)
        reopens = max(REOPENS, dt.timedelta(hours=length))
        lane = [case for case in self._cases.values() if case.lasting == (check in LASTING)]
        active = [case for case in lane if case.recovered is None]
        past = sorted((c for c in lane if c.recovered is not None), key=lambda c: c.recovered or at, reverse=True)
        naming = [case for case in active if self._about(case, check, feature, onset, length)]
        if naming:
            return min(naming, key=lambda case: abs(case.onset - onset)), "updated"
        # A week always reaches back into the gap that it is over; three weeks in a row say that it is.
        tails = [] if check in LASTING else past
        for case in tails:  # a longer window still holds the hours of a fault that is over
            if self._about(case, check, feature, onset, length) and _is_tail(case, onset, judged.window):
                case.last_seen = at
                return case, "updated"
        near = [case for case in active if check in LASTING or case.near(onset, length)]
        if near:
            return min(near, key=lambda case: (abs(case.onset - onset), case.opened, case.id)), "updated"
        for case in past:
            if self._about(case, check, feature, onset, length) and at - (case.last_seen or at) < reopens:
                case.recovered = None
                case.keys, case.quiet = set(), {}
                return case, "reopened"
        for case in tails:
            if case.near(onset, length) and _is_tail(case, onset, judged.window):
                return case, "updated"
        case = Case(self._identity(check, feature, onset, at), self._model, at, length)
        self._cases[case.id] = case
        return case, "opened"

    @staticmethod
    def _about(case: Case, check: str, feature: str | None, onset: dt.datetime, length: int) -> bool:
        """Whether a case is about the same thing.

        A feature whose shares shift days after it began to be missing more often was broken twice, and the second
        fault must not hide in the first one's incident: another check joins by its onset, not by the name alone.
        """
        if (check, feature) in case.voices:
            return True
        return case.names(check, feature) and (case.near(onset, length) or abs(case.onset - onset) <= SAME_FAULT)

    def _identity(self, check: str, feature: str | None, onset: dt.datetime, at: dt.datetime) -> str:
        for parts in ((onset,), (onset, at)):
            content = json.dumps(
                [self._model, check, feature, *(part.astimezone(dt.UTC).isoformat() for part in parts)]
            )
            identity = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:12]
            if identity not in self._incidents and identity not in self._cases:
                break
        return identity

    def _emit(self, case: Case, at: dt.datetime, kind: EventKind, profiles: Sequence[WindowProfile]) -> IncidentEvent:
        if kind in {"opened", "updated"} and profiles:
            leading = case.voices[case.leading]
            case.causes = causes.rank(leading.segment, case.onset, profiles, given=leading.causes)
        elif kind == "opened":
            case.causes = list(case.voices[case.leading].causes)
        case.told = case.news()
        held = self._incidents.get(case.id)
        number = len(held.events) if held else 0
        data = case.snapshot()
        if kind == "updated" and held is not None and held.severity != data["severity"]:
            data["was"] = held.severity
        return self._record(IncidentEvent.make(case.id, at, kind, number, data))

    def _record(self, event: IncidentEvent) -> IncidentEvent:
        self._incidents = fold([event], self._incidents)
        return event

    def _forget(self, at: dt.datetime) -> None:
        longest = dt.timedelta(hours=max(self._judged))
        gone = [
            c.id for c in self._cases.values() if c.recovered and at - (c.last_seen or c.recovered) > REOPENS + longest
        ]
        for name in gone:
            del self._cases[name]

    def _take_up(self, history: Sequence[IncidentEvent]) -> None:
        keys: dict[str, list[Key]] = {}
        for event in history:
            if "keys" in event.data:
                keys[event.incident] = [(k[0], k[1], k[2], k[3]) for k in event.data["keys"]]
        for incident in self._incidents.values():
            case = Case.from_incident(incident, keys.get(incident.id, []))
            case.last_seen = incident.recovered
            self._cases[incident.id] = case


def _tainted(incident: Incident) -> frozenset[str]:
    """What an incident keeps from teaching what is normal."""
    return frozenset([*incident.features, *(name for check in incident.checks for name in WHOLE.get(check, ()))])


def _is_tail(case: Case, onset: dt.datetime, window: Window) -> bool:
    """Whether what a window shows of a case that is over began before it was over."""
    over, start, end = case.recovered, window.start, window.end
    if over is None or start is None or end is None or start >= over:
        return False
    return onset <= over or start + (end - start) / 2 <= over
