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


def _shares(card: ModelCard) -> np.ndarray | None:
    feature = card.ruler.by_name.get(SCORE)
    if feature is None:
        return None
    counts = np.zeros(len(feature.edges) + 1)
    for cells in card.training.values():
        for k in range(len(counts)):
            counts[k] += cells.get((SCORE, "bin", str(k)), 0)
    # Half a count in each bin keeps a score that training never gave from being impossible.
    return (counts + 0.5) / (counts.sum() + 0.5 * len(counts)) if counts.sum() else None


def _run(view: View) -> list[Tests]:
    candidates = [card for card in view.others if SCORE in card.ruler.by_name and card.training]
    if view.learning or not candidates or SCORE not in view.ruler.by_name:
        return []

    def build() -> Contrasts:
        own = _shares(view.card)
        cells = tuple(view.ruler.index[SCORE, "bin", str(k)] for k in range(len(SCORE_EDGES) + 1))
        names, weights = [], []
        for card in candidates:
            shares = _shares(card)
            if own is not None and shares is not None:
                names.append(f"{card.model} {card.version}")
                weights.append(tuple((cell, float(a)) for cell, a in zip(cells, np.log(shares / own), strict=True)))
        return Contrasts((SCORE,) * len(names), tuple(names), tuple(weights), (cells,) * len(names), card_only=False)

    key = "wrong_model:" + ",".join(sorted(f"{card.model}/{card.version}" for card in candidates))
    contrasts, c = view.contrast(key, build)
    if not len(contrasts):
        return []
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
