"""Predictions come from an environment that was never seen: a package, python or platform changed.

Runbook: the finding lists the difference. If scores or latency moved with it, pin the old version and compare.
"""

from __future__ import annotations

from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import percent
from watchers.finding import Finding
from watchers.view import View

LISTED = 5


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What changed, e.g. ``["scikit-learn 1.4.0 -> 1.5.0", "+ onnx 1.16", "- joblib 1.3"]``."""
    changed = [
        f"{name} {before[name]} -> {after[name]}"
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    ]
    added = [f"+ {name} {after[name]}" for name in sorted(after.keys() - before.keys())]
    removed = [f"- {name} {before[name]}" for name in sorted(before.keys() - after.keys())]
    return changed + added + removed


def _run(view: View) -> list[Tests]:
    seen = view.names("environment")
    before = view.history.profiles[view.past[0] : view.past[1]]
    if not seen or any(
        seen.keys() <= profile.names.get("environment", {}).keys() for profile in reversed(before[-24:])
    ):
        return []
    known = view.past_names("environment")
    new = {fingerprint: count for fingerprint, count in seen.items() if fingerprint not in known}
    if not known or not new:
        return []
    return [
        Tests(
            facts=[
                _finding(view, fingerprint, count, known.most_common(1)[0][0])
                for fingerprint, count in sorted(new.items())
            ]
        )
    ]


def _finding(view: View, fingerprint: str, count: int, usual: str) -> Finding:
    profiles = view.history.profiles
    manifests = {f: m for p in profiles[view.past[0] : view.now[1]] for f, m in p.manifests.items()}
    before, after = manifests.get(usual), manifests.get(fingerprint)
    changes = difference(before, after) if before and after else []
    known_both = bool(before and after)
    unlisted = "its packages are the same, not the rest" if known_both else "its manifest is not in the store"
    start = next(
        (p.window.start for p in profiles[slice(*view.now)] if fingerprint in p.names.get("environment", {})),
        None,
    )
    listed = "; ".join(changes[:LISTED]) + (f" and {len(changes) - LISTED} more" if len(changes) > LISTED else "")
    return view.finding(
        "dependency_change",
        feature=None,
        n=view.n,
        observed=count / max(view.n, 1),
        reference=0.0,
        severity="warning",
        onset=start,
        message=f"{percent(count / max(view.n, 1))} of predictions come from an environment never seen before "
        f"({listed or f'fingerprint {fingerprint}, {unlisted}'}){view.since(start)}",
        evidence={
            "changes": changes,
            "fingerprint": fingerprint,
            "query": {"kind": "environment", "feature": None, "values": [fingerprint]},
        },
    )


check = FunctionCheck("dependency_change", _run, immediate=True)
