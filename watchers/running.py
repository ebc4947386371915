"""One model's share of a run: late events first, then the hours that are due, then whom to tell."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mllog.card import ModelCard
from watchers import late, outbox, skew
from watchers.checks import all_checks
from watchers.config import Config
from watchers.finding import SEVERITIES, Finding, Window
from watchers.history import History
from watchers.incidents import Engine, IncidentEvent, fold
from watchers.judge import judge
from watchers.keeper import Keeper
from watchers.means import Means
from watchers.profile import WindowProfile
from watchers.stores.base import DocumentQuery
from watchers.times import shifted
from watchers.view import View

HOUR: Final = dt.timedelta(hours=1)
DAY: Final = dt.timedelta(hours=24)
IMMEDIATE: Final = frozenset(check.name for check in all_checks() if check.immediate)
DOCUMENTS: Final = 5
RECENT: Final = 48
"""Hours by which the causes of incidents are ranked."""

OLDEST: Final = dt.timedelta(days=400)
"""How far before the newest event a first run begins: as long as windows are kept."""

BY_PEOPLE: Final = frozenset({"acknowledged", "snoozed"})
"""Changes of incidents that no run makes."""

@dataclass(slots=True)
class _Slice:
    """What was judged since the state was written last."""

    profiles: list[WindowProfile] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    events: list[IncidentEvent] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


class ModelRun:
    """One model's share of a run.

    The state is the truth: it is written in one step, by the run that read the state before it, with everything that
    follows from it (``pending``): findings and changes of incidents, which are copied to where they are read right
    afterwards, and messages, which wait in it until they are told. A run that dies in between leaves the copying to
    the next one; a run that was overtaken while it was paused can write nothing.
    """

    def __init__(self, means: Means, card: ModelCard, others: Sequence[ModelCard], keeper: Keeper) -> None:
        self.means, self.card, self.others, self.keeper = means, card, others, keeper
        self.store, self.config, self.report = means.store, means.config, means.report
        self.state = self.store.state(card.model)
        self._note_judged()  # what comes may fail, and then it is how far the model is behind
        self.written = True
        self._settle()
        self._restore(self._log(), self.state.get("engine"))
        self.slice = _Slice()
        self.quiet = 0
        self.unknown: set[str] = set()

    def run(self) -> None:
        """Judge what is due."""
        model = self.card.model
        span = self.store.span(model)
        if span is None:
            return
        self.report.ends[model] = last_due(span, self.config)
        self.end = min(floor(shifted(self.means.now, -self.config.lateness)), self.report.ends[model])
        first = max(floor(span[0]), shifted(floor(min(span[1], self.means.now)), -OLDEST))
        if floor(span[0]) < first and "judged" not in self.state:
            self.report.problems.append(
                f"model {model!r}: events from {span[0].isoformat()} on are more than {OLDEST.days} days older "
                "than the newest and were left out; did a clock jump back?"
            )
        judged = dt.datetime.fromisoformat(self.state["judged"]) if self.state else None
        start = max(judged, first) if judged else first
        # Before anything is counted for good: what comes in between is late, and never overlooked.
        self.counts = self.store.counts(model, late.reach(judged or start, self.config.reopen), max(start, self.end))
        if judged is None:
            self.state["snapshots"] = [[start.isoformat(), late.pack(self.engine.state())]]
        else:
            self._reopen(judged)
        if start < self.end:
            self._catch_up(start)
        if not self.means.stop():
            self._tell()
        if not self.written:
            self._write({})

    def _catch_up(self, start: dt.datetime) -> None:
        """Judge hours that nobody judged, each day written as it is done."""
        total = int((self.end - start) / HOUR)
        self._remember(start)
        for done, profile in enumerate(self.store.profiles(self.card.model, self.card.ruler, start, self.end), 1):
            moment = self._judge(profile)
            self.report.hours[self.card.model] = done
            if self.means.progress is not None:
                self.means.progress(self.card.model, done, total)
            stopped = self.means.stop()
            if stopped or done == total or moment.timestamp() % DAY.total_seconds() == 0:
                self._commit(moment)
            if stopped:
                break

    def _reopen(self, judged: dt.datetime) -> None:
        """Judge the hours within the bound again that events came to since."""
        found = late.find(self.state, self.counts, self.config.reopen)
        model = self.card.model
        if found.beyond:
            self.report.problems.append(
                f"model {model!r}: {found.beyond} events came too late to be judged: for hours that had been judged "
                f"and lie more than {self.config.reopen} back"
            )
        if not self.state.get("counts") or (found.beyond and found.snapshot is None):
            self.state["counts"] = late.counted(self.counts, judged, self.config.reopen)
            self.written = False
        if found.snapshot is None:
            return
        since, held = found.snapshot
        log = self._log()
        known = [event for event in log if event.kind in BY_PEOPLE or event.at <= since]
        self._restore(known, held)
        self._remember(since)
        self.state["snapshots"] = [s for s in self.state["snapshots"] if dt.datetime.fromisoformat(s[0]) <= since]
        before = {f["id"] for f in self.store.findings(model) if since < _end_of(f) <= judged}
        for profile in self.store.profiles(model, self.card.ruler, since, judged):
            self._judge(profile)
        again = self.slice
        again.events = late.corrections(log, [*known, *again.events], self.engine.incidents, judged)
        # What was found before was reported then.
        again.findings = [f for f, d in zip(again.findings, again.documents, strict=True) if d["id"] not in before]
        gone = sorted(before - {document["id"] for document in again.documents})
        self._commit(judged, withdrawn=gone)
        self.report.reopened[model] = list(found.hours)
        self._restore(self._log(), self.state["engine"])

    def _restore(self, events: Iterable[IncidentEvent], state: Any) -> None:
        self.engine = Engine.restore(self.card.model, events, state, immediate=IMMEDIATE)

    def _log(self) -> list[IncidentEvent]:
        """All events of the model's incidents."""
        events = [IncidentEvent.from_dict(event) for event in self.store.incident_events(self.card.model)]
        ids = {incident.id for incident in fold(events).values() if incident.model == self.card.model}
        return [event for event in events if event.incident in ids]

    def _remember(self, start: dt.datetime) -> None:
        """The history that windows from ``start`` on are compared with."""
        longest = max(length for length, _ in self.config.lengths)
        back = shifted(start, -(self.config.history + longest * HOUR))
        stored = self.store.stored_profiles(self.card.model, self.card.ruler, back, start)
        self.history = History(self.card, _gapless(stored, self.card, start))
        self.quiet = next((k for k, held in enumerate(reversed(self.history.profiles)) if held.n), len(self.history))

    def _judge(self, profile: WindowProfile) -> dt.datetime:
        """Judge an hour, which the slice takes up; its end."""
        self.keeper.check()
        moment = profile.window.end
        assert moment is not None
        if not profile.complete and profile.reason not in self.unknown:
            self.unknown.add(profile.reason)
            self.report.fail(
                f"model {self.card.model!r}: hours from {profile.window.start} on can't be counted and are unknown: "
                f"{profile.reason}"
            )
        if self._awake(profile):
            self.history.append(profile)
            self.slice.profiles.append(profile)
            self.slice.documents += self._judge_hour()
        if late.wanted(moment, self.end, self.config.reopen):
            self.state["snapshots"] = [
                *self.state.get("snapshots", ()),
                [moment.isoformat(), late.pack(self.engine.state())],
            ]
        return moment

    def _commit(self, judged: dt.datetime, withdrawn: Sequence[str] = ()) -> None:
        """Write what was judged until a moment; from then on it is so, whatever becomes of this run."""
        done, self.slice = self.slice, _Slice()
        self.keeper.check()
        self.store.write_profiles(done.profiles, self.card.ruler)
        self.state |= {
            "judged": judged.isoformat(),
            "ruler": self.card.ruler.hash,
            "engine": self.engine.state(),
            "snapshots": late.kept(self.state.get("snapshots", ()), judged, self.config.reopen),
            "counts": late.counted(self.counts, judged, self.config.reopen),
            "outbox": [*self.state.get("outbox", ()), *outbox.entries(done.events, self.config, self.means.now)],
        }
        pending = {
            "withdrawn": list(withdrawn),
            "findings": done.documents,
            "events": [event.to_dict() for event in done.events],
        }
        self._write({name: content for name, content in pending.items() if content})
        self._note_judged()
        self.report.findings += done.findings
        self.report.events += done.events
        self._settle()

    def _note_judged(self) -> None:
        if self.state.get("judged"):
            self.report.judged[self.card.model] = dt.datetime.fromisoformat(self.state["judged"])

    def _write(self, pending: dict[str, Any]) -> None:
        self.keeper.check()
        number = self.state.get("number", 0)
        self.state |= {"number": number + 1, "pending": pending}
        self.store.write_state(self.card.model, self.state, after=number)
        self.written = True

    def _settle(self) -> None:
        """Copy what follows from the state to where it is read; to do it twice changes nothing."""
        pending = self.state.get("pending")
        if not pending:
            return
        if "withdrawn" in pending:
            self.store.withdraw_findings(self.card.model, pending["withdrawn"])
        if "findings" in pending:
            self.store.write_findings(self.card.model, pending["findings"])
        if "events" in pending:
            self.store.write_incident_events(pending["events"])
        self.state["pending"] = {}
        self.written = False

    def _tell(self) -> None:
        """Bring the messages that wait."""
        waiting = self.state.get("outbox")
        if not waiting:
            return
        log = self._log()
        rest, problems = outbox.tell(
            waiting,
            {event.id: event for event in log},
            fold(log),
            store=self.store,
            config=self.config,
            keeper=self.keeper,
            notifier=self.means.notifier,
            now=self.means.now,
            place=self.means.place,
        )
        self.report.problems += problems
        self.written &= rest == waiting
        self.state["outbox"] = rest

    def _awake(self, profile: WindowProfile) -> bool:
        """Whether anything is known of the stream: before its first event, and after a month of silence, nothing is.

        One event of a clock that was wrong by a year must not make a year of empty hours the history.
        """
        self.quiet = 0 if profile.n else self.quiet + 1
        if len(self.history) and self.quiet * HOUR > self.config.history:
            self.history = History(self.card)
        return bool(profile.n or len(self.history))

    def _judge_hour(self) -> list[dict[str, Any]]:
        """Judge every window that ends with the newest hour, after midnight (UTC) a week too; findings as documents."""
        last = len(self.history)
        newest = self.history.profiles[-1].window.end
        assert newest is not None
        documents = []
        for length, every in self.config.lengths:
            if int(newest.timestamp() // 3600) % every or last < length:
                continue
            first = last - length
            past = max(0, first - int(self.config.history / HOUR))
            view = View(
                self.card,
                self.history,
                past=(past, first),
                now=(first, last),
                length=length,
                spans=self.engine.quarantine(),
                others=self.others,
                watched=self.engine.watched(),
            )
            findings = judge(view)
            # The engine must hear of quiet windows too, or nothing would ever be over.
            if view.n:
                findings.append(view.finding("no_data", feature=None, n=view.n, message="events came", severity="info"))
            documents += self._take(findings, Window(view.profile.window.start, newest), length)
        if newest.timestamp() % DAY.total_seconds() == 0:
            week = self.history.profiles[-skew.HOURS :]
            findings = skew.training_skew(self.card, week, self.engine.quarantine())
            documents += self._take(findings, Window(week[0].window.start, newest), skew.HOURS)
        return documents

    def _take(self, findings: Sequence[Finding], window: Window, length: int) -> list[dict[str, Any]]:
        """What the findings on a window do to incidents; the alerts as documents."""
        documents = []
        for finding in findings:
            if finding.state == "alert" and SEVERITIES.index(finding.severity) >= 1:
                finding.documents = self._documents(finding)
        self.slice.events += self.engine.update(findings, window, length, profiles=self.history.profiles[-RECENT:])
        for finding in findings:
            if finding.state == "alert":
                self.slice.findings.append(finding)
                documents.append({"id": _finding_id(finding, length), "length": length, **finding.to_dict()})
        return documents

    def _documents(self, finding: Finding) -> list[str]:
        asked = finding.evidence.get("query")
        if not asked:
            return []
        query = DocumentQuery(
            asked["kind"], asked.get("feature"), tuple(asked.get("values", ())), asked.get("side", "high")
        )
        assert finding.window.end is not None
        # Of a week the last day: whatever a run is asked to judge, it has a day of events before it.
        day = shifted(finding.window.end, -DAY)
        start = max(t for t in (finding.window.start, finding.onset, day) if t is not None)
        window = Window(start, finding.window.end)
        return self.store.documents(self.card.model, window, query, finding.segment, DOCUMENTS)


def last_due(span: tuple[dt.datetime, dt.datetime], config: Config) -> dt.datetime:
    """The end of the last hour that may ever be judged, of a model with events over a span.

    A stream that ended long ago has no history any more, and nothing can be said of its silence. Nor may a clock that
    is years ahead call hours judged whose events are still to come.
    """
    longest = max(length for length, _ in config.lengths)
    return shifted(floor(span[1]), HOUR + config.history + longest * HOUR)


def _gapless(profiles: Sequence[WindowProfile], card: ModelCard, end: dt.datetime) -> list[WindowProfile]:
    """Stored hours with empty ones in the gaps, so that windows are runs of hours."""
    filled: list[WindowProfile] = []
    held = {profile.window.start: profile for profile in profiles}
    if not held:
        return filled
    hour = min(start for start in held if start is not None)
    while hour < end:
        filled.append(held.get(hour) or WindowProfile(card.model, card.ruler.hash, Window(hour, hour + HOUR)))
        hour += HOUR
    return filled


def _finding_id(finding: Finding, length: int) -> str:
    window = finding.window
    parts = (finding.model, finding.check, finding.feature, str(window.start), str(window.end), str(length))
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _end_of(finding: dict[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(finding["window"]["end"])


def floor(time: dt.datetime) -> dt.datetime:
    """The hour that a moment is in."""
    return time.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
