"""One way to run checks: every check on one window, one multiplicity, one verdict a feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import stats

from watchers.checks import all_checks
from watchers.finding import SEVERITIES, Finding
from watchers.view import Check, Tests, View

Q_VALUES: Final = {"all": 0.008, "segment": 0.002}
"""Share of false alerts that is allowed among a window's alerts (Benjamini & Hochberg 1995), by family: also the share
of windows in which anything alarms by chance."""


def judge(view: View, checks: Sequence[Check] | None = None, *, every: bool = False) -> list[Finding]:
    """Judge one window of one model.

    The tests of all events are one family, those within segments another: verdicts don't depend on how many windows
    or models a run happens to judge.

    Args:
        view: The window beside its history.
        checks: Which (default: all).
        every: Also return what is in order: one finding a check and feature, with its state.

    Returns:
        Alerts, at most one a check and feature, the worst first; with ``every`` the others behind them.
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
        _judge_family(members, findings, Q_VALUES[family], every=every, learning=view.learning)
    for check, tests in answers:
        for finding in tests.facts:
            findings[check.name, finding.feature] = _alert(finding)
    return sorted(findings.values(), key=_rank)


def _judge_family(
    members: Sequence[tuple[Check, Tests]],
    findings: dict[tuple[str, str | None], Finding],
    allowed: float,
    *,
    every: bool,
    learning: bool,
) -> None:
    p_values = np.concatenate([tests.p_values for _, tests in members] or [np.zeros(0)])
    if not p_values.size:
        return
    q_values = stats.false_discovery_control(p_values, method="bh")
    offset = 0
    for check, tests in members:
        q = q_values[offset : offset + len(tests.p_values)]
        offset += len(tests.p_values)
        alert = tests.passes & (q <= allowed)
        best: dict[str | None, int] = {}
        for i in range(len(q)) if every else np.flatnonzero(alert).tolist():
            name = tests.features[i]
            held = best.get(name)
            if held is None or (alert[i], tests.size[i]) > (alert[held], tests.size[held]):
                best[name] = i
        for name, i in best.items():
            key = (check.name, name)
            # What all events show already needs no second finding from its segments.
            if tests.finding is None or (key in findings and (findings[key].state == "alert" or not alert[i])):
                continue
            finding = tests.finding(i)
            finding.q_value = float(q[i])
            finding.state = "alert" if alert[i] else "learning" if learning else "ok"
            findings[key] = finding


def _alert(finding: Finding) -> Finding:
    finding.state = "alert"
    return finding


def _unknown(view: View, reason: str) -> Finding:
    finding = view.finding("no_data", feature=None, n=view.n, message=reason, severity="info")
    finding.state = "unknown"
    return finding


def _rank(finding: Finding) -> tuple[bool, int, float, str]:
    return (
        finding.state != "alert",
        -SEVERITIES.index(finding.severity),
        finding.p_value if finding.p_value is not None else 0.0,
        f"{finding.check} {finding.feature}",
    )
