"""The model answers differently: scores or predicted classes moved.

Runbook: with an input finding of the same onset, that is the cause. Without one, look at versions and artefacts: see
``wrong_model`` and ``dependency_change``.
"""

from __future__ import annotations

from mllog.ruler import LABEL, SCORE, VALUE
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import percent
from watchers.checks._scores import ordered_contrasts
from watchers.checks._shift import Shift
from watchers.finding import Effect, Finding
from watchers.history import Contrasts
from watchers.view import View


def _run(view: View) -> list[Tests]:
    numbers = [f for f in view.ruler.features if f.name in {SCORE, VALUE}]
    labels = view.ruler.by_name.get(LABEL)
    index = view.ruler.index

    def scores() -> Contrasts:
        return ordered_contrasts(view, numbers)

    def classes() -> Contrasts:
        values = labels.categories if labels else ()
        cells = tuple(index[LABEL, "category", value] for value in values)
        base = (*cells, index[LABEL, "other", ""], index[LABEL, "violation", "category"]) if labels else ()
        return Contrasts((LABEL,) * len(values), values, tuple(((cell, 1.0),) for cell in cells), (base,) * len(values))

    def describe_score(finding: Finding, label: str, where: str) -> str:
        assert finding.effect is not None
        size = finding.effect.value
        finding.severity = "warning" if abs(size) >= 0.25 else "info"
        verb = {"location": ("higher", "lower"), "spread": ("more spread out", "less spread out")}[label][size < 0]
        return f"the model's scores are {verb} by {abs(size):.2g} sd than {view.usually}{where}"

    def describe_class(finding: Finding, label: str, where: str) -> str:
        finding.severity = "warning" if abs((finding.observed or 0) - (finding.reference or 0)) >= 0.1 else "info"
        observed, expected = percent(finding.observed), percent(finding.reference)
        return f"class {label!r} is predicted in {observed} of requests ({expected} expected){where}"

    return Shift(
        "output_drift",
        "output_drift",
        scores,
        floor=0.1,
        larger=0.25,
        describe=describe_score,
        effect=lambda r, low, high: Effect("shift in sd", r, low, high),
    ).tests(view) + Shift(
        "output_drift",
        "output_drift:class",
        classes,
        floor=0.02,
        larger=0.05,
        describe=describe_class,
        effect=lambda r, low, high: Effect("difference in share", r, low, high),
    ).tests(view)


check = FunctionCheck("output_drift", _run, trained=True)
