"""Two features have changed places: each says what the other used to say.

Runbook: the columns of a frame, or the arguments of a call, came in another order. See which deployment of the caller
precedes the onset; until it is mended both features are wrong in every request.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from mllog.ruler import Feature
from watchers.check import FunctionCheck, Tests
from watchers.checks._said import said
from watchers.finding import Effect, Finding
from watchers.statistics import MIN_EVENTS
from watchers.view import View, inputs_of

Shares = dict[str, float]
Array = npt.NDArray[np.float64]

NOISE: Final = 0.02
"""Share of the requests that may say anything: nothing is impossible."""

GAIN: Final = 0.25
"""By how many nats a request each feature must look more like the other than like itself ..."""

CERTAIN: Final = 15.0
"""... and by how many all requests together."""

EXPLAINED: Final = 0.7
"""What the other used to say must explain this share of how far the feature is from itself: fog makes two features
look a little more like each other, a swap makes one the other."""

MOST: Final = 8
"""Of so many features that moved the most, each pair is tried: more than two that change places are very rare."""


def shares_elsewhere(source: Feature, counts: Array, target: Feature) -> Array:
    """What the bins of ``target`` would count if it said what ``source`` says; values are spread evenly in their bin.

    Args:
        source: A number.
        counts: By its bins, shape (bins of the source,).
        target: Another number.

    Returns:
        Shares, shape (bins of the target,), that add up to 1.
    """
    edges = np.asarray(source.edges, dtype=np.float64)
    low = min(edges[0] - 1.0, source.low if source.low is not None else edges[0] - 1.0)
    high = max(edges[-1] + 1.0, source.high if source.high is not None else edges[-1] + 1.0)
    below = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    reached = np.interp(np.asarray(target.edges), np.concatenate([[low], edges, [high]]), below)
    shares: Array = np.diff(np.concatenate([[0.0], reached, [1.0]]))
    return shares


def _by_name(feature: Feature, counts: Array, names: Shares) -> Shares:
    """Counts of categories by name; those that training never had by the names that the profile kept."""
    found = dict(zip(feature.categories, counts.tolist(), strict=False)) | names
    found[""] = max(float(counts[-2] + counts[-1]) - sum(names.values()), 0.0)
    return found


def _gain(view: View, feature: Feature, other: Feature) -> float:
    """By how many nats a request of the window looks more like ``other`` than like ``feature`` itself.

    0 where ``other`` explains less than :data:`EXPLAINED` of what there is to explain.
    """
    cells = said(view.ruler, feature)
    now, own = view.total[cells].astype(np.float64), view.past_total[cells].astype(np.float64)
    theirs = view.past_total[said(view.ruler, other)].astype(np.float64)
    if min(now.sum(), own.sum(), theirs.sum()) < MIN_EVENTS:
        return 0.0
    if feature.kind == "number":
        own, theirs = own / own.sum(), shares_elsewhere(other, theirs, feature)
        size = len(own)
    else:
        parts = (
            _by_name(feature, now, dict(view.names(f"unseen:{feature.name}"))),
            _by_name(feature, own, dict(view.past_names(f"unseen:{feature.name}"))),
            _by_name(other, theirs, dict(view.past_names(f"unseen:{other.name}"))),
        )
        keys = sorted({key for part in parts for key in part})
        now, own, theirs = (np.array([part.get(key, 0.0) for key in keys]) for part in parts)
        own, theirs, size = own / own.sum(), theirs / theirs.sum(), len(keys)
    mixed, swapped = ((1 - NOISE) * shares + NOISE / size for shares in (own, theirs))
    observed = (1 - NOISE) * now / now.sum() + NOISE / size
    gain, most = ((now * np.log(shares / mixed)).sum() / now.sum() for shares in (swapped, observed))
    return float(gain) if gain >= EXPLAINED * most else 0.0


def _moved(view: View, feature: Feature) -> float:
    """Total variation distance of what a feature says from what it usually says."""
    cells = said(view.ruler, feature)
    now, usual = view.total[cells], view.past_total[cells]
    if min(now.sum(), usual.sum()) < MIN_EVENTS:
        return 0.0
    return float(np.abs(now / now.sum() - usual / usual.sum()).sum() / 2)


def _run(view: View) -> list[Tests]:
    if view.learning or view.n < MIN_EVENTS:
        return []
    pairs: list[tuple[float, Feature, Feature]] = []
    for kind in ("number", "category"):
        distances = {f.name: _moved(view, f) for f in inputs_of(view.ruler, kind) if f.edges or f.categories}
        moved = sorted((name for name, d in distances.items() if d > GAIN), key=lambda name: -distances[name])[:MOST]
        for one, other in combinations(sorted(moved), 2):
            first, second = view.ruler.by_name[one], view.ruler.by_name[other]
            gain = min(_gain(view, first, second), _gain(view, second, first))
            if gain > GAIN and gain * view.n > CERTAIN:
                pairs.append((gain, first, second))
    facts: list[Finding] = []
    taken: set[str] = set()
    for gain, first, second in sorted(pairs, key=lambda pair: (-pair[0], pair[1].name, pair[2].name)):
        if not taken & {first.name, second.name}:
            taken |= {first.name, second.name}
            facts += [_finding(view, gain, first, second), _finding(view, gain, second, first)]
    return [Tests(facts=facts)] if facts else []


def _finding(view: View, gain: float, feature: Feature, other: Feature) -> Finding:
    start = view.profile.window.start
    return view.finding(
        "swapped",
        feature=feature.name,
        n=view.n,
        observed=gain,
        reference=0.0,
        severity="critical",
        effect=Effect("log likelihood ratio a request", gain, gain, gain),
        message=f"`{feature.name}` and `{other.name}` look swapped: each says what the other used to say"
        f"{view.since(start)}",
        evidence={"swapped_with": other.name, "query": {"kind": "any", "feature": feature.name}},
    )


check = FunctionCheck("swapped", _run, immediate=True)
