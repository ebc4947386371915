"""One card for each incident: what is known of it, in the order in which one asks."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from watchers.parts import find
from watchers.report import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from watchers.finding import Finding
    from watchers.incidents.incident import Incident
    from watchers.report.focus import Focus

FINDINGS_SHOWN: Final = 8
DOCUMENTS_SHOWN: Final = 5
FEATURES_SHOWN: Final = 4


@dataclass
class Row:
    """What one check said of one feature over an incident, in one line."""

    check: str
    feature: str
    segment: str
    windows: int
    first: str
    last: str
    reference: str
    observed: str
    effect: str
    p: str


@dataclass
class Card:
    """What the template needs of one incident."""

    incident: Incident
    facts: list[tuple[str, str]]
    causes: list[tuple[str, str, str]]
    focus: Focus | None
    rows: list[Row] = field(default_factory=list)
    hidden: int = 0
    columns: list[str] = field(default_factory=list)
    documents: list[list[tuple[str, str]]] = field(default_factory=list)


def card(
    incident: Incident,
    findings: Sequence[Finding],
    documents: Mapping[str, Mapping[str, Any]],
    picture: Focus | None,
    zone: ZoneInfo,
) -> Card:
    """The card of one incident.

    Args:
        incident: The incident.
        findings: All findings of the report.
        documents: Events by id.
        picture: Its picture.
        zone: Time zone in which times are written.
    """
    groups: dict[tuple[str, str | None, str], list[Finding]] = {}
    for finding in findings:
        if _belongs(finding, incident):
            groups.setdefault((finding.check, finding.feature, _segment(finding.segment)), []).append(finding)
    rank = {feature: k for k, feature in enumerate(incident.features)}
    checks = {check: k for k, check in enumerate(incident.checks)}
    ordered = sorted(groups.items(), key=lambda g: (rank.get(g[0][1] or "", -1), checks.get(g[0][0], 99), -len(g[1])))
    rows = [_row(key, group, zone) for key, group in ordered]
    columns, table = _documents(incident, documents, zone)
    causes = [(str(c["kind"]), str(c["value"]), words.share(c.get("share"))) for c in incident.causes]
    facts = _facts(incident, ordered, zone)
    shown = rows[:FINDINGS_SHOWN]
    return Card(incident, facts, causes, picture, shown, len(rows) - len(shown), columns, table)


def _belongs(finding: Finding, incident: Incident) -> bool:
    if finding.state != "alert" or finding.check not in incident.checks:
        return False
    if finding.feature is not None and finding.feature not in incident.features:
        return False
    start, end = finding.window.start, finding.window.end
    over = incident.recovered or dt.datetime.max.replace(tzinfo=dt.UTC)
    return start is not None and end is not None and end > incident.onset and start < over


def _facts(
    incident: Incident, groups: Sequence[tuple[Any, Sequence[Finding]]], zone: ZoneInfo
) -> list[tuple[str, str]]:
    facts = [("Onset", words.moment(incident.onset, zone)), ("Opened", words.moment(incident.opened, zone))]
    if incident.recovered:
        length = words.span(incident.recovered - incident.onset)
        facts.append(("Recovered", f"{words.moment(incident.recovered, zone)}, after {length}"))
    else:
        facts.append(("Recovered", "not yet"))
    facts.append(("Segment", _segment(incident.segment) or "everybody"))
    leading = [
        f for key, group in groups for f in group if key[:2] == (incident.checks[0], _first(incident)) and f.effect
    ]
    if leading:
        facts.append(("Largest effect", _effect(max(leading, key=lambda f: abs(f.effect.value) if f.effect else 0))))
    if incident.versions:
        facts.append(("Versions", ", ".join(incident.versions)))
    if len(incident.features) > 1:
        more = f" and {len(incident.features) - 8} more" if len(incident.features) > 8 else ""
        facts.append(("Features", ", ".join(incident.features[:8]) + more))
    if incident.acknowledged_by:
        facts.append(("Taken by", incident.acknowledged_by + (" as the new normal" if incident.as_normal else "")))
    return facts


def _first(incident: Incident) -> str | None:
    return incident.features[0] if incident.features else None


def _row(key: tuple[str, str | None, str], group: Sequence[Finding], zone: ZoneInfo) -> Row:
    worst = max(group, key=lambda finding: abs(finding.effect.value) if finding.effect else 0.0)
    times = [finding.window.end for finding in group if finding.window.end]
    p = worst.q_value if worst.q_value is not None else worst.p_value
    return Row(
        check=key[0].replace("_", " "),
        feature=key[1] or "whole model",
        segment=key[2] or "all",
        windows=len(group),
        first=words.moment(min(times, default=None), zone),
        last=words.moment(max(times, default=None), zone),
        reference=words.number(worst.reference),
        observed=words.number(worst.observed),
        effect=_effect(worst),
        p="–" if p is None else "< 1e-9" if p < 1e-9 else f"{p:.1g}",
    )


def _effect(finding: Finding) -> str:
    effect = finding.effect
    if effect is None:
        return "–"
    interval = f"{words.number(effect.low)} to {words.number(effect.high)}"
    return f"{effect.name} {words.number(effect.value)} ({interval})"


def _segment(segment: Mapping[str, str] | None) -> str:
    return ", ".join(f"{name} = {value}" for name, value in segment.items()) if segment else ""


def _documents(
    incident: Incident, documents: Mapping[str, Mapping[str, Any]], zone: ZoneInfo
) -> tuple[list[str], list[list[tuple[str, str]]]]:
    found = [(name, documents[name]) for name in incident.documents if name in documents][:DOCUMENTS_SHOWN]
    features = [feature for feature in incident.features if not feature.startswith("@")][:FEATURES_SHOWN]
    fields = [name for name in incident.segment or () if name not in features]
    features += fields
    if not found:
        return [], []
    table = []
    for name, event in found:
        cells = [_cell(event, feature) for feature in features]
        table.append([(_time(event, zone), ""), (words.clip(name, 14), "id"), *cells, (_output(event), "")])
    return ["time", "event", *features, "output"], table


def _cell(event: Mapping[str, Any], feature: str) -> tuple[str, str]:
    missing = find(event, "ml.missing")
    if isinstance(missing, dict):
        for kind, names in missing.items():
            if isinstance(names, list) and feature in names:
                return kind, "gone"
    for kind in ("number", "keyword", "boolean", "text", "other"):
        values = find(event, f"ml.inputs.{kind}")
        if isinstance(values, dict) and feature in values:
            value = values[feature]
            return ("null", "gone") if value is None else (words.clip(str(value), 60), "")
    return "absent", "gone"


def _output(event: Mapping[str, Any]) -> str:
    label, score, value = (find(event, f"ml.outputs.{key}") for key in ("label", "score", "value"))
    parts = [] if label is None else [words.clip(str(label), 30)]
    parts += [words.number(float(v)) for v in (score, value) if isinstance(v, int | float)]
    return " · ".join(parts) or "–"


def _time(event: Mapping[str, Any], zone: ZoneInfo) -> str:
    try:
        return words.moment(dt.datetime.fromisoformat(str(event.get("@timestamp"))), zone)
    except (ValueError, TypeError):
        return words.clip(str(event.get("@timestamp", "–")), 24)
