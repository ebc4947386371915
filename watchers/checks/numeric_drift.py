"""A number moved: its location or spread is elsewhere than at these hours.

Runbook: a jump at one moment is a pipeline (see ``unit_change``); a slope over weeks is the world, and a retrain.
"""

from __future__ import annotations

from watchers.checks._scores import ordered_contrasts
from watchers.checks._shift import Shift
from watchers.finding import Effect, Finding
from watchers.history import Contrasts
from watchers.view import FunctionCheck, Tests, View, inputs_of

FLOOR = 0.05
LARGER = 0.25
SEGMENT = 0.4


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

    return Shift(
        "numeric_drift",
        "numeric_drift",
        build,
        floor=FLOOR,
        larger=LARGER,
        segment_floor=SEGMENT,
        describe=describe,
        effect=lambda r, low, high: Effect("shift in sd", r, low, high),
    ).tests(view)


check = FunctionCheck("numeric_drift", _run)
