"""The scheduled job: every closed hour that nobody judged yet, in order, once."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mllog.card import ModelCard
from mllog.errors import CardError
from mllog.ruler import LABEL, SCORE, VALUE
from watchers import skew
from watchers.checks import all_checks
from watchers.config import Config
from watchers.finding import SEVERITIES, Finding, Window
from watchers.history import History
from watchers.incidents import Engine, Incident, IncidentEvent, fold
from watchers.judge import judge
from watchers.notify import Notifier, notify
from watchers.profile import WindowProfile
from watchers.stores.base import DocumentQuery, Store
from watchers.view import View

HOUR: Final = dt.timedelta(hours=1)
DAY: Final = dt.timedelta(hours=24)
IMMEDIATE: Final = frozenset(check.name for check in all_checks() if check.immediate)
DOCUMENTS: Final = 5
RECENT: Final = 48
"""Hours by which the causes of incidents are ranked."""

OLDEST: Final = dt.timedelta(days=400)
"""How far before the newest event a first run begins: as long as windows are kept."""

BOOTSTRAP_HOURS: Final = 24
BOOTSTRAP_ROWS: Final = 20_000
BY_PEOPLE: Final = frozenset({"acknowledged", "snoozed"})
"""Changes of incidents that no run makes."""

Progress = Callable[[str, int, int], None]
"""Told of (model, hours judged, hours to judge)."""


@dataclass(slots=True)
class RunReport:
    """What a run did.

    Attributes:
        findings: Alerts of this run, in time order.
        events: Changes of incidents.
        hours: Hours judged, by model.
        rejected: Lines that are no events, in the whole store.
        problems: What could not be done (a model without a card, a notification that failed).
    """

    findings: list[Finding] = field(default_factory=list)
    events: list[IncidentEvent] = field(default_factory=list)
    hours: dict[str, int] = field(default_factory=dict)
    rejected: int = 0
    problems: list[str] = field(default_factory=list)


def run(
    store: Store,
    now: dt.datetime,
    *,
    cards: Sequence[ModelCard] = (),
    config: Config | None = None,
    notifier: Notifier | None = None,
    progress: Progress | None = None,
    place: str = "PLACE",
) -> RunReport:
    """Judge all closed, unjudged hours of every model in a store.

    Args:
        store: Events and results.
        now: The moment as of which to judge; hours that ended ``config.lateness`` before are closed.
        cards: Cards, in addition to those that the store holds; also of models that aren't on this store, by which a
            wrong model is recognised.
        config: Settings.
        notifier: Who brings messages to ``config.notify`` (default: Apprise).
        progress: Told how far the run is.
        place: The store as commands in messages name it.

    Returns:
        What was found. A second run as of the same moment finds nothing and changes nothing.
    """
    config = config or Config()
    report = RunReport(rejected=store.rejected_count())
    known = [*store.cards(), *cards]
    for model in store.models():
        try:
            card = _card_of(model, known, store)
        except CardError as error:
            report.problems.append(f"model {model!r}: {error}")
            continue
        others = [other for other in _newest(known) if other.model != model]
        _ModelRun(store, card, others, config, report).run(now, progress)
    if config.notify and report.events:
        _notify(store, report, config, notifier, place)
    return report


def _newest(cards: Sequence[ModelCard]) -> list[ModelCard]:
    return list({card.model: card for card in cards}.values())


def _card_of(model: str, known: Sequence[ModelCard], store: Store) -> ModelCard:
    for card in reversed(known):
        if card.model == model:
            return card
    span = store.span(model)
    assert span is not None, "a model of the store has predictions"
    start = span[0]
    end = start + BOOTSTRAP_HOURS * HOUR
    if span[1] < end:
        raise CardError(
            f"no card, and no {BOOTSTRAP_HOURS} hours of events yet to make one from; give one with --card FILE"
        )
    card = _card_of_events(model, store.sample(model, start, end, BOOTSTRAP_ROWS))
    store.save_card(card)
    return card


def _card_of_events(model: str, events: Sequence[Mapping[str, Any]]) -> ModelCard:
    """A card from what a model saw in its first hours, where nobody made one from training data."""
    rows = [event["ml"].get("inputs") or {} for event in events]
    names = sorted(
        {name for row in rows for kind in ("number", "keyword", "boolean", "text") for name in row.get(kind) or {}}
    )
    flat = [
        {name: value for kind in row.values() if isinstance(kind, dict) for name, value in kind.items()} for row in rows
    ]
    texts = sorted({name for row in rows for name in row.get("text") or {}})
    frame = {name: [row.get(name) for row in flat] for name in names}
    frame["@time"] = [event["@timestamp"] for event in events]
    for name in (SCORE, VALUE, LABEL):
        said = [(event["ml"].get("outputs") or {}).get(name[1:]) for event in events]
        # A number is a score or a value where every request has it; a class may be missing.
        if said and (
            any(value is not None for value in said)
            if name == LABEL
            else all(isinstance(value, int | float) for value in said)
        ):
            frame[name] = said
    return ModelCard.from_frame(
        frame,
        model,
        "observed",
        text=texts,
        time="@time",
    )


class _ModelRun:
    """One model's share of a run."""

    def __init__(
        self, store: Store, card: ModelCard, others: Sequence[ModelCard], config: Config, report: RunReport
    ) -> None:
        self.store, self.card, self.others, self.config, self.report = store, card, others, config, report
        self.state = store.state(card.model)
        events = [IncidentEvent.from_dict(e) for e in store.incident_events()]
        ids = _ids_of(card.model, events)
        own = [event for event in events if event.incident in ids]
        # A run that died between its events and its state is done again, so what it said is yet to be said.
        judged = dt.datetime.fromisoformat(self.state["judged"]) if self.state else None
        known = [event for event in own if event.kind in BY_PEOPLE or (judged is not None and event.at <= judged)]
        self.engine = Engine.restore(card.model, known, self.state.get("engine"), immediate=IMMEDIATE)
        self.quiet = 0

    def run(self, now: dt.datetime, progress: Progress | None) -> None:
        """Judge what is due."""
        model, store = self.card.model, self.store
        span = store.span(model)
        if span is None:
            return
        longest = max(length for length, _ in self.config.lengths)
        # A stream that ended long ago has no history any more, and nothing can be said of its silence. Nor may a clock
        # that is years ahead call hours judged whose events are still to come.
        silent = _floor(span[1]) + HOUR + self.config.history + longest * HOUR
        end = min(_floor(now - self.config.lateness), silent)
        first = max(_floor(span[0]), _floor(min(span[1], now)) - OLDEST)
        if _floor(span[0]) < first and "judged" not in self.state:
            self.report.problems.append(
                f"model {model!r}: events from {span[0].isoformat()} on are more than {OLDEST.days} days older "
                "than the newest and were left out; did a clock jump back?"
            )
        start = max(dt.datetime.fromisoformat(self.state["judged"]), first) if "judged" in self.state else first
        if start >= end:
            return
        back = start - self.config.history - longest * HOUR
        self.history = History(
            self.card,
            _gapless(store.stored_profiles(model, self.card.ruler, back, start), self.card, start),
        )
        fresh: list[WindowProfile] = []
        documents: list[dict[str, Any]] = []
        total = int((end - start) / HOUR)
        for done, profile in enumerate(store.profiles(model, self.card.ruler, start, end), 1):
            if self._awake(profile):
                self.history.append(profile)
                fresh.append(profile)
                documents += self._judge_hour()
            if progress is not None:
                progress(model, done, total)
        store.write_profiles(fresh, self.card.ruler)
        store.write_findings(model, documents)
        store.write_incident_events([event.to_dict() for event in self.report.events])
        # The state last: a run that dies before it is done again, to the same ids.
        store.write_state(
            model, {"judged": end.isoformat(), "ruler": self.card.ruler.hash, "engine": self.engine.state()}
        )
        self.report.hours[model] = total

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
        self.report.events += self.engine.update(findings, window, length, profiles=self.history.profiles[-RECENT:])
        for finding in findings:
            if finding.state == "alert":
                self.report.findings.append(finding)
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
        start = max(t for t in (finding.window.start, finding.onset, finding.window.end - DAY) if t is not None)
        window = Window(start, finding.window.end)
        return self.store.documents(self.card.model, window, query, finding.segment, DOCUMENTS)


def _ids_of(model: str, events: Sequence[IncidentEvent]) -> set[str]:
    return {incident.id for incident in fold(events).values() if incident.model == model}


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


def _floor(time: dt.datetime) -> dt.datetime:
    return time.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)


def incidents_of(store: Store) -> dict[str, Incident]:
    """All incidents of a store by id: the fold of its events."""
    return fold(IncidentEvent.from_dict(event) for event in store.incident_events())


def _notify(store: Store, report: RunReport, config: Config, notifier: Notifier | None, place: str) -> None:
    """Tell of what opened, reopened or recovered; what doesn't arrive is a problem of the run, not its end."""
    failures = notify(report.events, incidents_of(store), config.notify, notifier=notifier, store=place)
    report.problems += [f"incident {f.incident}: notification by {f.route} failed: {f.reason}" for f in failures]
