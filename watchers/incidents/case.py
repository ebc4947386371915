"""A case: an incident at work, with what is needed to decide on joining, leading and recovery."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from watchers.finding import SEVERITIES, Finding, Severity
from watchers.incidents.incident import LASTING
from watchers.incidents.ranking import order, strength, title

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watchers.incidents.incident import Incident
    from watchers.incidents.verdicts import JudgedWindow, Key

AT_ONCE: Final = frozenset({"no_data"})
"""Checks that are over with the first window that says so."""

CLEAR_WINDOWS: Final = 3
"""So many quiet windows in a row end an incident."""

SHORT_CLEAR_WINDOWS: Final = 6
"""So many of the shortest length end it whatever the longer ones say: they keep the fault's hours in them."""

MEMORY: Final = dt.timedelta(days=28)
"""What lasts for so long teaches what is usual: history reaches no further back."""

NEAR: Final = dt.timedelta(hours=2)
REPLACES: Final = 1.25
"""A finding takes the lead from an equal one only where it is that much larger, lest the lead flutter."""

_DOCUMENTS: Final = 10


@dataclass(slots=True)
class Voice:
    """The strongest that one check said of one feature."""

    check: str
    feature: str | None
    severity: Severity = "info"
    strength: float = -1.0
    effect: str | None = None
    p: float = 1.0
    segment: dict[str, str] | None = None
    message: str = ""
    documents: list[str] = field(default_factory=list)
    causes: list[dict[str, Any]] = field(default_factory=list)
    worst: float | None = None
    worst_at: str = ""

    def hear(self, finding: Finding, at: dt.datetime) -> None:
        """Take a finding in."""
        self.severity = max(self.severity, finding.severity, key=SEVERITIES.index)
        size = strength(finding)
        if self.strength < 0 or size > REPLACES * self.strength:
            self.strength = size
            self.effect = finding.effect.name if finding.effect else None
            self.p = 1.0 if finding.p_value is None else finding.p_value
            self.segment = dict(finding.segment) if finding.segment else None
            self.message = finding.message
            self.documents = list(finding.documents[:_DOCUMENTS])
            self.causes = list(finding.evidence.get("causes", ()))
        elif not self.documents:
            self.documents = list(finding.documents[:_DOCUMENTS])
        if finding.effect and (self.worst is None or abs(finding.effect.value) > abs(self.worst)):
            self.worst, self.worst_at = finding.effect.value, at.isoformat()

    @property
    def rank(self) -> tuple[int, bool, int, float, float, str]:
        """Sorts the leading one first."""
        return *order(self.check, self.feature, self.severity), -self.strength, self.p, self.feature or ""

    def leads_over(self, other: Voice) -> bool:
        """Whether it takes the lead from ``other``, which holds it."""
        mine, held = self.rank[:3], other.rank[:3]
        if mine != held:
            return mine < held
        return self.effect == other.effect and self.strength > REPLACES * other.strength > 0


@dataclass(slots=True)
class Case:
    """An incident at work.

    Attributes:
        id: Incident's id.
        model: Model's name.
        opened: When.
        length: Hours of the window that opened it.
        keys: What raised it.
        quiet: Length -> quiet windows in a row.
        voices: What was said, by (check, feature).
        leading: Key into ``voices``.
        onsets: Feature -> length -> earliest onset.
        versions: Model versions seen.
        findings: Alerts counted.
        recovered: When it was declared over.
        last_seen: When a longer window last showed its tail after that.
        causes: Ranked causes.
        told: What the last event told; the next one must differ.
    """

    id: str
    model: str
    opened: dt.datetime
    length: int
    keys: set[Key] = field(default_factory=set)
    quiet: dict[int, int] = field(default_factory=dict)
    voices: dict[tuple[str, str | None], Voice] = field(default_factory=dict)
    leading: tuple[str, str | None] = ("", None)
    onsets: dict[str | None, dict[int, dt.datetime]] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    findings: int = 0
    recovered: dt.datetime | None = None
    last_seen: dt.datetime | None = None
    causes: list[dict[str, Any]] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)

    @property
    def onset(self) -> dt.datetime:
        """Earliest onset of the leading feature, by the shortest windows that saw it.

        Where that is later than the incident itself, the feature joined it, and the first feature's onset stands.
        """
        onsets = self.onsets.get(self.leading[1]) or next(iter(self.onsets.values()))
        leading = onsets[min(onsets)]
        return leading if leading <= self.opened else min(o for by in self.onsets.values() for o in by.values())

    @property
    def lasting(self) -> bool:
        """Whether it is about training against serving."""
        return self.leading[0] in LASTING

    def names(self, check: str, feature: str | None) -> bool:
        """Whether it already names the feature (for checks of the whole model: the check)."""
        return any(f == feature if feature is not None else (c, f) == (check, None) for c, f in self.voices)

    def near(self, onset: dt.datetime, length: int) -> bool:
        """Whether an onset seen through a window of ``length`` hours may be the same one."""
        return abs(self.onset - onset) <= max(NEAR, dt.timedelta(hours=max(length, self.length)))

    def join(self, key: Key, findings: list[Finding], onset: dt.datetime, at: dt.datetime) -> None:
        """Take in what a key says in one window."""
        length, check, feature, _ = key
        self.keys.add(key)
        self.quiet[length] = 0
        voice = self.voices.setdefault((check, feature), Voice(check, feature))
        for finding in findings:
            voice.hear(finding, at)
            self.findings += 1
            if finding.version is not None and finding.version not in self.versions:
                self.versions.append(finding.version)
        onsets = self.onsets.setdefault(feature, {})
        onsets[length] = min(onset, onsets.get(length, onset))
        if self.leading not in self.voices or (
            self.voices[self.leading] is not voice and voice.leads_over(self.voices[self.leading])
        ):
            self.leading = (check, feature)

    def note(self, judged: JudgedWindow) -> None:
        """Count the quiet windows."""
        verdicts = {key: judged.verdict(key) for key in self.keys if key[0] == judged.length}
        # Where the leading one can't be judged (its segment sleeps, its hours are unknown) nothing is quiet.
        leading = [verdict for key, verdict in verdicts.items() if key[1:3] == self.leading] or [*verdicts.values()]
        if any(verdicts.values()):
            self.quiet[judged.length] = 0
        elif False in leading and None not in leading:
            self.quiet[judged.length] = self.quiet.get(judged.length, 0) + 1

    def is_over(self) -> bool:
        """Whether what raised it has been quiet for long enough."""
        needed = {key[0] for key in self.keys if key[1] not in AT_ONCE}
        if not needed:
            return self.quiet[min(key[0] for key in self.keys)] >= 1
        shortest = self.quiet[min(needed)]
        return shortest >= SHORT_CLEAR_WINDOWS or all(self.quiet[length] >= CLEAR_WINDOWS for length in needed)

    def news(self) -> list[Any]:
        """What a reader would care about; nothing is sent while it stays the same."""
        leading = self.voices[self.leading]
        return [
            max((voice.severity for voice in self.voices.values()), key=SEVERITIES.index),
            leading.check,
            leading.feature,
            leading.segment,
            sorted({feature for _, feature in self.voices if feature is not None}),
            sorted({check for check, _ in self.voices}),
        ]

    def _closing(self) -> str:
        """What to say first of an incident that ended because its level had lasted for as long as history reaches."""
        if self.recovered is None or self.recovered - self.onset < MEMORY:
            return ""
        return f"lasted for {(self.recovered - self.onset).days} days and counts as usual from now on: "

    def snapshot(self) -> dict[str, Any]:
        """The incident as an event's data."""
        leading = self.voices[self.leading]
        voices = [
            leading,
            *sorted((v for v in self.voices.values() if v is not leading), key=lambda v: v.rank),
        ]
        features = list(dict.fromkeys(voice.feature for voice in voices if voice.feature is not None))
        documents = list(dict.fromkeys(document for voice in voices for document in voice.documents))
        return {
            "model": self.model,
            "versions": list(self.versions),
            "severity": self.news()[0],
            "opened": self.opened.isoformat(),
            "recovered": self.recovered.isoformat() if self.recovered else None,
            "onset": self.onset.isoformat(),
            "title": title(leading.check, leading.feature, leading.segment, len(features)),
            "message": self._closing() + leading.message,
            "feature": leading.feature,
            "features": features,
            "checks": list(dict.fromkeys(voice.check for voice in voices)),
            "segment": dict(leading.segment) if leading.segment else None,
            "causes": [dict(cause) for cause in self.causes],
            "findings": self.findings,
            "worst": None if leading.worst is None else {"value": leading.worst, "at": leading.worst_at},
            "documents": documents[:_DOCUMENTS],
            "keys": [list(key) for key in sorted(self.keys, key=str)],
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "id": self.id,
            "model": self.model,
            "opened": self.opened.isoformat(),
            "length": self.length,
            "keys": [list(key) for key in sorted(self.keys, key=str)],
            "quiet": sorted(self.quiet.items()),
            "voices": [asdict(voice) for voice in self.voices.values()],
            "leading": list(self.leading),
            "onsets": [
                [feature, length, onset.isoformat()]
                for feature, by in self.onsets.items()
                for length, onset in by.items()
            ],
            "versions": self.versions,
            "findings": self.findings,
            "recovered": self.recovered.isoformat() if self.recovered else None,
            "last_seen": self.last_seen.isoformat() if self.last_seen else None,
            "causes": self.causes,
            "told": self.told,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Case:
        """Read what :meth:`to_dict` wrote."""
        case = cls(data["id"], data["model"], dt.datetime.fromisoformat(data["opened"]), data["length"])
        case.keys = {(k[0], k[1], k[2], k[3]) for k in data["keys"]}
        case.quiet = dict(data["quiet"])
        case.voices = {(voice["check"], voice["feature"]): Voice(**voice) for voice in data["voices"]}
        case.leading = (data["leading"][0], data["leading"][1])
        for feature, length, onset in data["onsets"]:
            case.onsets.setdefault(feature, {})[length] = dt.datetime.fromisoformat(onset)
        case.versions = list(data["versions"])
        case.findings = data["findings"]
        case.recovered = dt.datetime.fromisoformat(data["recovered"]) if data["recovered"] else None
        case.last_seen = dt.datetime.fromisoformat(data["last_seen"]) if data["last_seen"] else None
        case.causes = list(data["causes"])
        case.told = list(data["told"])
        return case

    @classmethod
    def from_incident(cls, incident: Incident, keys: list[Key]) -> Case:
        """What can be known of a case whose memory was lost: the incident as last told."""
        named: list[str | None] = [*incident.features] or [None]
        keys = keys or [(1, check, feature, None) for check in incident.checks for feature in named]
        lengths = sorted({key[0] for key in keys})
        case = cls(incident.id, incident.model, incident.opened, lengths[0], set(keys), dict.fromkeys(lengths, 0))
        for _, check, feature, _ in sorted(keys, key=str):
            case.voices.setdefault((check, feature), Voice(check, feature, incident.severity))
            case.onsets.setdefault(feature, {})[lengths[0]] = incident.onset
        case.leading = min(case.voices, key=lambda pair: case.voices[pair].rank)
        leading = case.voices[case.leading]
        leading.segment, leading.message, leading.documents = (
            incident.segment,
            incident.message,
            incident.documents,
        )
        leading.strength = 0.0
        if incident.worst:
            leading.worst, leading.worst_at = incident.worst["value"], incident.worst["at"]
        case.versions, case.findings, case.causes = (
            list(incident.versions),
            incident.findings,
            list(incident.causes),
        )
        case.recovered = incident.recovered
        case.told = case.news()
        return case
