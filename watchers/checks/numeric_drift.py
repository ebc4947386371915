"""A number moved: its location, its spread or the shape of its distribution is elsewhere than at these hours.

Runbook: a jump at one moment is a pipeline (see ``unit_change``); a slope over weeks is the world, and a retrain.
"""

from __future__ import annotations

from mllog.ruler import Feature
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import percent
from watchers.checks._scores import ordered_contrasts
from watchers.checks._shift import Shift
from watchers.finding import Effect, Finding
from watchers.history import Contrasts
from watchers.view import View, inputs_of

FLOOR = 0.05
LARGER = 0.25
SEGMENT = 0.4
BIN = 0.01
SHAPED = 100
"""Of more windows than this each is an hour or a few: too thin for a shape, and a day of them isn't."""


def _run(view: View) -> list[Tests]:
    features = inputs_of(view.ruler, "number")

    def build() -> Contrasts:
        return ordered_contrasts(view, features)

    def describe(finding: Finding, label: str, where: str) -> str:
        effect = finding.effect
        assert effect is not None
        finding.evidence["contrast"] = label
        finding.evidence["query"]["kind"] = "number"
        finding.evidence["query"]["side"] = "high" if effect.value > 0 else "low"
        finding.severity = "warning" if abs(effect.value) >= 0.1 else "info"
        verb = {"location": ("higher", "lower"), "spread": ("more spread out", "less spread out")}[label][
            effect.value < 0
        ]
        return f"`{finding.feature}` is {verb} by {abs(effect.value):.2g} sd than {view.usually}{where}"

    def bins() -> Contrasts:
        names, labels, weights, base = [], [], [], []
        for feature in features:
            cells = tuple(view.ruler.index[feature.name, "bin", str(k)] for k in range(len(feature.edges) + 1))
            for k, cell in enumerate(cells):
                names.append(feature.name)
                labels.append(_bounds(feature, k))
                weights.append(((cell, 1.0),))
                base.append(cells)
        return Contrasts(tuple(names), tuple(labels), tuple(weights), tuple(base))

    def describe_shape(finding: Finding, label: str, where: str) -> str:
        finding.evidence["contrast"] = "shape"
        finding.evidence["query"]["kind"] = "number"
        finding.severity = "warning" if finding.evidence["together"]["low"] >= 0.1 else "info"
        return (
            f"`{finding.feature}` is distributed differently: {percent(finding.observed)} are {label} "
            f"({percent(finding.reference)} expected){where}"
        )

    moved = Shift(
        "numeric_drift",
        "numeric_drift",
        build,
        floor=FLOOR,
        larger=LARGER,
        segment_floor=SEGMENT,
        describe=describe,
        effect=lambda r, low, high: Effect("shift in sd", r, low, high),
    )
    shaped = Shift(
        "numeric_drift",
        "numeric_shape",
        bins,
        floor=BIN,
        larger=0.05,
        each=False,
        together=True,
        describe=describe_shape,
        effect=lambda r, low, high: Effect("difference in share", r, low, high),
    )
    return moved.tests(view) + (shaped.tests(view) if view.windows <= SHAPED else [])


def _bounds(feature: Feature, k: int) -> str:
    """The values of a bin in words."""
    edges = feature.edges
    if not edges:
        return "numbers"
    if k == 0:
        return f"below {edges[0]:.4g}"
    if k == len(edges):
        return f"{edges[-1]:.4g} or more"
    return f"from {edges[k - 1]:.4g} to {edges[k]:.4g}"


check = FunctionCheck("numeric_drift", _run, trained=True)
