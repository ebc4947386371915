"""A feature is gone: missing in (nearly) every request, while it used to be there.

Runbook: see which deployment of the caller precedes the onset. If another input appeared at the same time, the finding
``renamed`` says so.
"""

from __future__ import annotations

import numpy as np

from mllog.ruler import MISSING_KINDS, Feature
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import percent
from watchers.finding import Effect, Finding
from watchers.history import Contrasts
from watchers.statistics import at_least, rate_low
from watchers.view import View

GONE = 0.95
USUALLY = 0.5
MIN_EVENTS = 10
ONE_SOURCE = 0.9
"""A window of which one segment value makes up more than this, though it usually doesn't, can't speak of all."""

PAUSES = 3
"""A feature that was gone so many times, for as long as now, does that by nature: it pages when it is gone ..."""
LONGEST = 2
"""... for longer than that, and for more than so many hours in any case."""


def _everybody(view: View) -> bool:
    """Whether the window speaks of everybody: by night one airport may be all there is, and its fault only its own."""
    if view.n < MIN_EVENTS:
        return False
    for segment in view.history.segments:
        if view.events_in(segment, view.now) > ONE_SOURCE * view.n:
            return view.events_in(segment, view.past) > ONE_SOURCE * int(view.history.total(*view.past)[0])
    return True


def _usual_pause(view: View, feature: Feature) -> bool:
    """Whether the feature was gone for as long several times: a sensor that is silent for an hour now and then.

    Hours of incidents count too, since what is kept out of history would be unheard of each time.
    """
    pauses, run = [], 0
    for k in range(view.past[0], view.now[1]):
        counts = view.history.total(k, k + 1)
        if counts[0] < MIN_EVENTS:
            continue
        if view.missing(counts, feature.name) >= GONE * counts[0]:
            run += 1
        elif run:
            pauses.append(run)
            run = 0
    return run <= LONGEST and len(pauses) >= PAUSES and run <= sorted(pauses)[-PAUSES]


def _run(view: View) -> list[Tests]:
    features = view.ruler.inputs
    n, past_n = view.n, max(int(view.past_total[0]), 1)
    gone = np.array([view.missing(view.total, f.name) for f in features], dtype=np.float64)
    usual = np.array([view.missing(view.past_total, f.name) / past_n for f in features])
    judged = np.full(len(features), n >= MIN_EVENTS)
    for i in np.flatnonzero(gone >= max(GONE * n, 1)).tolist():
        # What is usual is said by hours outside of incidents; where a feature is gone for a month, by training.
        taught = view.taught_total(features[i].name)
        taught = taught if taught[0] else view.training
        judged[i] &= bool(taught[0])
        usual[i] = view.missing(taught, features[i].name) / max(int(taught[0]), 1)
    # Under its usual rate, how probable is it that so many are missing? No history of variance is needed.
    p_value = at_least(gone, max(n, 1), np.clip(usual, 0.01, 1.0)) if n else np.ones(len(features))
    share = gone / max(n, 1)
    passes = np.full(len(features), _everybody(view)) & (share >= GONE) & (usual <= USUALLY) & (p_value < 1e-6)
    pauses = [bool(hit) and _usual_pause(view, feature) for hit, feature in zip(passes, features, strict=True)]
    index = view.ruler.index

    def build() -> Contrasts:
        from watchers.checks._rates import indicators  # noqa: PLC0415

        names = [f.name for f in features]
        tops = [[index[name, "missing", kind] for kind in MISSING_KINDS] for name in names]
        return indicators(names, tops, [[0] for _ in names])

    def make(i: int) -> Finding:
        name = features[i].name
        kinds = {kind: view.at(view.total, (name, "missing", kind)) for kind in MISSING_KINDS}
        kind = max(kinds, key=lambda k: kinds[k])
        since = view.onset("missing", build, i) if passes[i] and not view.learning else view.profile.window.start
        return view.finding(
            "vanished",
            feature=name,
            n=n,
            observed=float(share[i]),
            reference=float(usual[i]),
            p_value=float(p_value[i]),
            effect=Effect(
                "difference in share",
                float(share[i] - usual[i]),
                float(rate_low(gone, np.full_like(gone, n))[i] - usual[i]),
                1 - float(usual[i]),
            ),
            severity="info" if pauses[i] else "critical",
            onset=since,
            evidence={"query": {"kind": "missing", "feature": name}},
            message=f"`{name}` has vanished: {kind} in {percent(share[i])} of requests "
            f"({percent(usual[i])} expected){view.since(since)}"
            + (", as it does for an hour now and then" if pauses[i] else ""),
        )

    names, p_values = [f.name for f in features], np.asarray(p_value, dtype=np.float64)
    return [Tests(names, p_values, passes, share - usual, make, judged=judged)]


check = FunctionCheck("vanished", _run, immediate=True)
