"""Calls of the model fail more often than they do at these hours.

Runbook: open the failures and read ``error.type`` and ``error.message``: one type of error has one cause. With a
segment it is one source's requests; with a finding about an input of the same onset it is what that input says now;
with neither it is what was deployed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.finding import Finding, Severity
from watchers.history import Contrasts
from watchers.view import View

FLOOR: Final = 0.002
NOTABLE: Final = 0.01
"""A smaller increase is recorded, and pages nobody."""

CRITICAL: Final = 0.25


def _severity(finding: Finding) -> Severity:
    more = (finding.observed or 0.0) - (finding.reference or 0.0)
    return "critical" if more >= CRITICAL else "warning" if more >= NOTABLE else "info"


def _sentence(_: View, finding: Finding, where: str) -> str:
    return f"{percent(finding.observed)} of calls fail ({percent(finding.reference)} expected){where}"


def failing(view: View) -> Rate:
    """The rate of failures."""
    failed = view.ruler.index["", "failure", ""]

    def build() -> Contrasts:
        return replace(indicators(["@failures"], [[failed]], [[0]]), trained=False)

    return Rate(
        "failures",
        build,
        floor=FLOOR,
        sentence=_sentence,
        query="failure",
        severity=_severity,
        segmented=True,
        whole=True,
    )


def _run(view: View) -> list[Tests]:
    return failing(view).tests(view)


check = FunctionCheck("failures", _run)
