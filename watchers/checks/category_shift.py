"""A category's share moved: a rare one became common, a common one rare.

Runbook: a share that moved by a round number of points at a full hour is a deployment; one that drifts over days is
the world. Shares are of requests that carry a value, so missing values don't move them.
"""

from __future__ import annotations

from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import percent
from watchers.checks._said import named, said
from watchers.checks._shift import Shift
from watchers.finding import Effect, Finding
from watchers.history import Contrasts
from watchers.view import View, inputs_of

FLOOR = 0.01
COMMON = 0.005
"""Categories that training had less often are counted together: alone they are noise (aircraft, users, sessions)."""


def _run(view: View) -> list[Tests]:
    ruler = view.ruler

    def build() -> Contrasts:
        features, labels, weights, base = [], [], [], []
        for feature in inputs_of(ruler, "category", "boolean"):
            name = feature.name
            cells, whole = named(ruler, feature), tuple(said(ruler, feature))
            trained = view.training[list(whole)].sum()
            for value, cell in zip(feature.categories, cells, strict=True):
                if trained and view.training[cell] < COMMON * trained:
                    continue
                features.append(name)
                labels.append(value)
                weights.append(((cell, 1.0),))
                base.append(whole)
        return Contrasts(tuple(features), tuple(labels), tuple(weights), tuple(base))

    def describe(finding: Finding, label: str, where: str) -> str:
        finding.evidence["category"] = label
        finding.evidence["query"] = {"kind": "category", "feature": finding.feature, "values": [label]}
        finding.severity = "warning" if abs((finding.observed or 0) - (finding.reference or 0)) >= 0.05 else "info"
        return (
            f"`{finding.feature}`={label} makes up {percent(finding.observed)} of requests "
            f"({percent(finding.reference)} expected){where}"
        )

    return Shift(
        "category_shift",
        "category_shift",
        build,
        floor=FLOOR,
        larger=0.05,
        describe=describe,
        shares=True,
        together=True,
        effect=lambda r, low, high: Effect("difference in share", r, low, high),
    ).tests(view)


check = FunctionCheck("category_shift", _run, trained=True)
