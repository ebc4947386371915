"""One way to run checks: every check on one window, one multiplicity, one verdict a feature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from watchers.check import Check, Tests
from watchers.checks import all_checks
from watchers.finding import SEVERITIES, Finding, State
from watchers.statistics import MIN_EVENTS
from watchers.statistics import q_values as q_values_of
from watchers.view import LEARNING_WINDOWS, View

Q_VALUES: Final = {"all": 0.008, "segment": 0.002}
"""Share of false alerts that is allowed among a window's alerts (Benjamini & Hochberg 1995), by family: also the share
of windows in which anything alarms by chance."""

ABSENT: Final = frozenset({"missing", "vanished"})
"""Checks that can judge what isn't there."""

_STATES: Final[tuple[State, ...]] = ("alert", "ok", "learning", "unknown")
"""What says more comes first."""


def judge(view: View, checks: Sequence[Check] | None = None, *, every: bool = False) -> list[Finding]:
    """Judge one window of one model.

    The tests of all events are one family, those within segments another: verdicts don't depend on how many windows
    or models a run happens to judge.

    Args:
        view: The window beside its history.
        checks: Which (default: all).
        every: Also return what is in order: one finding a check and feature, with its state.

    Returns:
        Alerts, at most one a check and feature, the worst first; with ``every`` the others behind them. What could not
        be judged is never silent: a window with hardly an event gives a finding of state ``unknown``, and so does each
        check and feature that ``view.watched`` names.
    """
    checks = all_checks() if checks is None else checks
    if not view.profile.complete:
        return [_unknown(view, f"the store could not count this window: {view.profile.reason}")]
    answers = [(check, tests) for check in checks for tests in check(view)]
    if not view.n:
        facts = [finding for _, tests in answers for finding in tests.facts]
        return [_alert(f) for f in facts] or [_unknown(view, "no events in this window")]
    findings: dict[tuple[str, str | None], Finding] = {}
    for family in Q_VALUES:
        members = [(check, tests) for check, tests in answers if tests.family == family]
        _judge_family(view, members, findings, Q_VALUES[family], every=every)
    for check, tests in answers:
        for finding in tests.facts:
            findings[check.name, finding.feature] = _alert(finding)
    if view.n < MIN_EVENTS:
        few = f"only {view.n} event{'s' if view.n > 1 else ''}: checks that compare need {MIN_EVENTS}"
        findings["few_events", None] = _unknown(view, few, "few_events")
    elif every and view.learning:
        findings["history", None] = _unknown(view, _too_little(view), "history")
        findings["history", None].state = "learning"
    return sorted([*findings.values(), *_unheard(view, findings)], key=_rank)


def _unheard(view: View, findings: Mapping[tuple[str, str | None], Finding]) -> Iterator[Finding]:
    """What is watched and of which this window can't say anything: a feature without values, a segment that sleeps."""
    for check, feature, segment in sorted(view.watched, key=str):
        held = findings.get((check, feature))
        if held is not None and (held.state != "ok" or not segment):
            continue
        known = feature is not None and feature in view.ruler.by_name and check not in ABSENT
        n = view.values(feature) if known and feature else view.n
        if segment is not None:
            n = min(n, view.events_in(segment, view.now))
        if n < MIN_EVENTS <= view.n:
            why = f"not judged: {n} values, {MIN_EVENTS} are needed"
            unheard = view.finding(check, feature=feature, segment=segment, n=n, message=why, severity="info")
            unheard.state = "unknown"
            yield unheard


def _judge_family(
    view: View,
    members: Sequence[tuple[Check, Tests]],
    findings: dict[tuple[str, str | None], Finding],
    allowed: float,
    *,
    every: bool,
) -> None:
    p_values = np.concatenate([tests.p_values for _, tests in members] or [np.zeros(0)])
    if not p_values.size:
        return
    q_values = q_values_of(p_values)
    offset = 0
    for check, tests in members:
        q = q_values[offset : offset + len(tests.p_values)]
        offset += len(tests.p_values)
        alert = tests.passes & (q <= allowed)
        judged = alert | (True if tests.judged is None else tests.judged)
        told = alert
        if every:
            told = judged if tests.family == "segment" else np.ones_like(alert)
        elif view.watched and tests.family == "all" and not judged.all():
            told = alert | np.array([(check.name, name, None) in view.watched for name in tests.features])
        chosen = np.flatnonzero(told).tolist()
        rank = {i: (bool(alert[i]), bool(judged[i]), float(tests.size[i])) for i in chosen}
        best: dict[str | None, int] = {}
        for i in chosen:
            name = tests.features[i]
            if name not in best or rank[i] > rank[best[name]]:
                best[name] = i
        for name, i in best.items():
            held = findings.get((check.name, name))
            # What all events show already needs no second finding from its segments, nor from another test.
            if tests.finding is None or (held and _STATES.index(held.state) <= 2 - rank[i][0] - rank[i][1]):
                continue
            finding = tests.finding(i)
            finding.q_value = float(q[i])
            finding.state = "alert" if alert[i] else "learning" if view.learning else "ok"
            if not judged[i]:
                finding.state, finding.severity = "learning" if view.learning else "unknown", "info"
                finding.message = f"not judged: {_why_not(finding, view)}"
            elif not alert[i]:
                # Checks have words for what is wrong.
                finding.severity, finding.message = "info", "as usual"
            findings[check.name, name] = finding


def _why_not(finding: Finding, view: View) -> str:
    if finding.n < MIN_EVENTS:
        return f"{finding.n} values, {MIN_EVENTS} are needed"
    return _too_little(view) if view.learning else "history knows nothing of these hours, or of this feature"


def _too_little(view: View) -> str:
    return f"{view.taught} windows of history with events enough, {LEARNING_WINDOWS} are needed"


def _alert(finding: Finding) -> Finding:
    finding.state = "alert"
    return finding


def _unknown(view: View, reason: str, check: str = "no_data") -> Finding:
    finding = view.finding(check, feature=None, n=view.n, message=reason, severity="info")
    finding.state = "unknown"
    return finding


def _rank(finding: Finding) -> tuple[bool, int, float, str]:
    return (
        finding.state != "alert",
        -SEVERITIES.index(finding.severity),
        finding.p_value if finding.p_value is not None else 0.0,
        f"{finding.check} {finding.feature}",
    )
