"""A category that training never had, or more of such than usual; of the model's answers, a class that is new.

Runbook: the finding lists the new values. One new value beside a vanished old one is a renamed code; many are a new
source, another encoding, or an identifier that slipped into the column. A class that the card doesn't know is the
answer of another model, or of one trained anew.
"""

from __future__ import annotations

import datetime as dt

from mllog.ruler import LABEL
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.finding import Finding, Severity
from watchers.history import Contrasts
from watchers.view import View, inputs_of

FLOOR = 0.001
NOTABLE = 0.02
"""An unseen value in fewer requests is recorded, and pages nobody."""


def _severity(finding: Finding) -> Severity:
    return "warning" if (finding.observed or 0) - (finding.reference or 0) >= NOTABLE else "info"


def _sentence(view: View, finding: Finding, where: str) -> str:
    top = view.names(f"unseen:{finding.feature}").most_common(3)
    values = ", ".join(f"{value!r} ({count})" for value, count in top)
    finding.evidence["query"]["values"] = [value for value, _ in top]
    if finding.feature == LABEL:
        finding.evidence["query"]["kind"] = "category"
        return (
            f"the model answers what training never had in {percent(finding.observed)} of requests "
            f"({percent(finding.reference)} expected){where}: {values}"
        )
    return (
        f"`{finding.feature}` has values that training never had in {percent(finding.observed)} of requests "
        f"({percent(finding.reference)} expected){where}: {values}"
    )


def _first_seen(view: View, feature: str) -> dt.datetime | None:
    """When the value that came most often came first: its very first event dates a fault better than a rate does."""
    top = view.names(f"unseen:{feature}").most_common(1)
    return view.first_seen(f"unseen:{feature}", top[0][0]) if top else None


def _run(view: View) -> list[Tests]:
    index = view.ruler.index

    def build() -> Contrasts:
        names = [f.name for f in inputs_of(view.ruler, "category", "boolean") if not f.open]
        names += [f.name for f in view.ruler.features if f.name == LABEL and not f.open]
        return indicators(names, [[index[name, "violation", "category"]] for name in names], [[0] for _ in names])

    return Rate(
        "unseen_category",
        build,
        floor=FLOOR,
        sentence=_sentence,
        query="unseen",
        severity=_severity,
        first_seen=_first_seen,
    ).tests(view)


check = FunctionCheck("unseen_category", _run, trained=True)
