"""A feature went and another came whose values fit it: renamed upstream.

Runbook: map the new name to the old one at the caller, or retrain with the new name; until then the model guesses.
"""

from __future__ import annotations

from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import percent
from watchers.finding import Effect, Finding
from watchers.view import View

SHARE = 0.5
"""The pair must be in at least this share of the window's requests ..."""

NEW = 0.05
"""... and in at most this share of history's."""


def _run(view: View) -> list[Tests]:
    if not view.n or not view.names("renamed"):
        return []
    past, past_n = view.past_names("renamed"), max(int(view.past_total[0]), 1)
    best: dict[str, tuple[int, str]] = {}
    for pair, count in view.names("renamed").items():
        old, _, new = pair.partition(">")
        if old in view.ruler.by_name and count >= SHARE * view.n and past[pair] <= NEW * past_n:
            best[old] = max(best.get(old, (0, "")), (count, new))
    return (
        [Tests(facts=[_finding(view, old, new, count) for old, (count, new) in sorted(best.items())])] if best else []
    )


def _finding(view: View, old: str, new: str, count: int) -> Finding:
    share = count / view.n
    start = next(
        (
            p.window.start
            for p in view.history.profiles[slice(*view.now)]
            if f"{old}>{new}" in p.names.get("renamed", {})
        ),
        None,
    )
    return view.finding(
        "renamed",
        feature=old,
        n=view.n,
        observed=share,
        reference=0.0,
        severity="critical",
        onset=start,
        effect=Effect("difference in share", share, share, share),
        message=f"`{old}` looks renamed to `{new}`: {percent(share)} of requests lack the one and carry the other, "
        f"with values that fit{view.since(start)}",
        evidence={"renamed_to": new, "query": {"kind": "missing", "feature": old}},
    )


check = FunctionCheck("renamed", _run, immediate=True)
