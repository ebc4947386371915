"""A text's vocabulary moved: a larger share of its words was not in training.

Runbook: the finding lists the new words. A new language, another template, broken encoding and a new product name look
alike in the rate and different in the words.
"""

from __future__ import annotations

from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.finding import Finding, Severity
from watchers.history import Contrasts
from watchers.view import View, inputs_of

FLOOR = 0.003
DESIGN_EFFECT = 2.0
"""Words of one text come together, so a text says less than as many independent words."""


def _severity(finding: Finding) -> Severity:
    return "warning" if (finding.observed or 0) - (finding.reference or 0) >= 0.02 else "info"


def _sentence(view: View, finding: Finding, where: str) -> str:
    top = ", ".join(repr(token) for token, _ in view.names("token").most_common(5))
    return (
        f"{percent(finding.observed)} of the words of `{finding.feature}` were not in training "
        f"({percent(finding.reference)} expected){where}: {top}"
    )


def _run(view: View) -> list[Tests]:
    index = view.ruler.index

    def build() -> Contrasts:
        names = [feature.name for feature in inputs_of(view.ruler, "text")]
        return indicators(
            names,
            [[index[name, "unseen_tokens", ""]] for name in names],
            [[index[name, "tokens", ""]] for name in names],
            inflation=DESIGN_EFFECT,
        )

    return Rate("unseen_tokens", build, floor=FLOOR, sentence=_sentence, query="tokens", severity=_severity).tests(view)


check = FunctionCheck("unseen_tokens", _run, trained=True)
