"""Something comes that never came: a name that the card doesn't know, or a feature that was always missing.

Runbook: a new name beside a vanished one is a rename (see ``renamed``); alone it is a field that upstream added, and a
model that doesn't know it ignores it. A feature that comes again after having been missing was mended upstream: the
model now sees what it was trained on, so its answers move.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import percent
from watchers.finding import Effect, Finding, Severity
from watchers.statistics import MIN_EVENTS, at_least
from watchers.view import View

SHARE: Final = 0.05
"""A name in a smaller share of requests is an anecdote."""

NEVER: Final = 0.001
"""A name in so many of history's requests is none that never came."""

MISSING: Final = 0.95
"""A feature that was missing so often in history ..."""

THERE: Final = 0.5
"""... and in no more than this share of the window has come."""


def _names(view: View) -> list[Finding]:
    """Names that the card doesn't know."""
    past, past_n = view.past_names("unexpected"), max(int(view.past_total[0]), 1)
    renamed = {pair.partition(">")[2] for pair in view.names("renamed")}
    return [
        _finding(view, name, count / view.n, past[name] / past_n, "info", "the card doesn't know it")
        for name, count in sorted(view.names("unexpected").items())
        if count >= max(SHARE * view.n, MIN_EVENTS) and past[name] <= NEVER * past_n and name not in renamed
    ]


def _finding(view: View, name: str, share: float, usual: float, severity: Severity, why: str) -> Finding:
    since = view.first_seen("unexpected", name) or view.profile.window.start
    return view.finding(
        "appeared",
        feature=name,
        n=view.n,
        observed=share,
        reference=usual,
        effect=Effect("difference in share", share - usual, share - usual, share - usual),
        severity=severity,
        onset=since,
        message=f"`{name}` has appeared in {percent(share)} of requests ({percent(usual)} expected)"
        f"{view.since(since)}: {why}",
        evidence={"query": {"kind": "any", "feature": name}},
    )


def _run(view: View) -> list[Tests]:
    if view.learning or view.n < MIN_EVENTS:
        return []
    past_n = max(int(view.past_total[0]), 1)
    features = [f.name for f in view.ruler.inputs if view.missing(view.past_total, f.name) >= MISSING * past_n]
    usual = np.array([1 - view.missing(view.past_total, name) / past_n for name in features])
    there = np.array([view.n - view.missing(view.total, name) for name in features], dtype=np.float64)
    p_value = at_least(there, view.n, np.clip(usual, 1e-4, 1.0))

    def make(i: int) -> Finding:
        share = float(there[i] / view.n)
        finding = _finding(view, features[i], share, float(usual[i]), "warning", "it was missing all the time before")
        finding.p_value = float(p_value[i])
        return finding

    passes = there >= THERE * view.n
    return [Tests(features, p_value, passes, there / view.n - usual, make), Tests(facts=_names(view))]


check = FunctionCheck("appeared", _run)
