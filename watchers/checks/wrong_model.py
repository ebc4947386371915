"""Another model answers on this stream: its scores look more like another card's than like its own.

Runbook: compare the artefact that is deployed with the registry; the finding names the model that it looks like.
"""

from __future__ import annotations

import numpy as np

from mllog.card import ModelCard
from mllog.ruler import SCORE, SCORE_EDGES
from watchers.check import FunctionCheck, Tests
from watchers.finding import Effect, Finding
from watchers.history import Contrasts
from watchers.view import View

FLOOR = 0.05
"""Nats of log likelihood a request."""

SUSPECTS = 3
"""So many other models are tested: those that the window looks like most. A fleet's size must not change a verdict."""


def _shares(card: ModelCard) -> np.ndarray | None:
    """Shares of training's scores by bin; None where training had none."""
    feature = card.ruler.by_name.get(SCORE)
    if feature is None:
        return None
    counts = np.array([card.totals[SCORE, "bin", str(k)] for k in range(len(feature.edges) + 1)], dtype=np.float64)
    # Half a count in each bin keeps a score that training never gave from being impossible.
    return (counts + 0.5) / (counts.sum() + 0.5 * len(counts)) if counts.sum() else None


def _suspects(view: View, cells: tuple[int, ...]) -> list[tuple[str, np.ndarray]]:
    """Names and log likelihood ratios by bin of the models that the window's scores look like most, by name."""
    own = _shares(view.card)
    if own is None:
        return []
    shares = {f"{card.model} {card.version}": _shares(card) for card in view.others}
    ratios = {name: np.log(found / own) for name, found in shares.items() if found is not None}
    scores = view.total[list(cells)]
    alike = sorted(ratios, key=lambda name: (-float(scores @ ratios[name]), name))
    return [(name, ratios[name]) for name in sorted(alike[:SUSPECTS])]


def _run(view: View) -> list[Tests]:
    if view.learning or SCORE not in view.ruler.by_name:
        return []
    cells = tuple(view.ruler.index[SCORE, "bin", str(k)] for k in range(len(SCORE_EDGES) + 1))
    suspects = _suspects(view, cells)
    if not suspects:
        return []

    def build() -> Contrasts:
        names = tuple(name for name, _ in suspects)
        weights = tuple(
            tuple((cell, float(a)) for cell, a in zip(cells, ratios, strict=True)) for _, ratios in suspects
        )
        return Contrasts((SCORE,) * len(names), names, weights, (cells,) * len(names), card_only=False)

    key = "wrong_model:" + ",".join(name for name, _ in suspects)
    contrasts, c = view.contrast(key, build)
    # Unlike history's windows, and more like the other model than like this one, by a lot.
    passes = c.beyond & (c.r > 0) & (c.observed - (c.high - c.r) > FLOOR) & (c.observed * c.n > np.log(1e4))

    def make(i: int) -> Finding:
        since = view.onset(key, build, i)
        odds = float(c.observed[i] * c.n[i])
        return view.finding(
            "wrong_model",
            feature=SCORE,
            n=int(c.n[i]),
            observed=float(c.observed[i]),
            reference=float(c.expected[i]),
            p_value=float(c.p_value[i]),
            severity="critical",
            onset=since,
            effect=Effect(
                "log likelihood ratio a request",
                float(c.observed[i]),
                float(c.low[i] + c.expected[i]),
                float(c.high[i] + c.expected[i]),
            ),
            message=f"the scores look like those of {contrasts.labels[i]}, "
            f"not of {view.card.model} {view.card.version} (log likelihood ratio {odds:.0f}){view.since(since)}",
            evidence={"looks_like": contrasts.labels[i], "query": {"kind": "any", "feature": None}},
        )

    return [Tests(contrasts.features, np.where(c.r > 0, c.p_value, 1.0), passes, c.observed, make)]


check = FunctionCheck("wrong_model", _run, immediate=True)
