"""Which of an incident's findings speaks for it: the one that says most about the cause."""

from __future__ import annotations

import math
from typing import Final

from watchers.finding import SEVERITIES, Finding, Severity

SPECIFICITY: Final = {
    check: rank
    for rank, checks in enumerate(
        (
            ("renamed",),
            ("vanished",),
            ("wrong_model",),
            ("unit_change",),
            ("dependency_change",),
            ("no_data",),
            ("missing",),
            ("unseen_category",),
            ("text_shape",),
            ("unseen_tokens",),
            ("latency",),
            ("category_shift",),
            ("range", "type", "type_change"),
            ("numeric_drift",),
            ("failures",),
            ("unanswered",),
            ("numeric_stability",),
            ("output_drift", "confidence"),
            ("training_skew",),
        )
    )
    for check in checks
}
"""How much a check says of the cause; 0 says most. Checks that aren't listed come last."""

SEGMENT_HANDICAP: Final = 1.5
"""A segment speaks for a feature only where its effect is that much larger than over all events: a fault that
hits everybody is as large in each segment, and chance makes one of them the largest."""

_PHRASES: Final = {
    "renamed": "renamed",
    "vanished": "no longer has a value",
    "wrong_model": "another model answers",
    "unit_change": "unit changed",
    "dependency_change": "dependencies changed",
    "no_data": "no predictions arrive",
    "missing": "missing more often",
    "unseen_category": "values never seen in training",
    "text_shape": "texts look different",
    "unseen_tokens": "words never seen in training",
    "latency": "slower",
    "category_shift": "shares of its values shifted",
    "range": "outside of the training range",
    "type": "of another type",
    "type_change": "of another type",
    "numeric_drift": "distribution moved",
    "output_drift": "distribution moved",
    "confidence": "as sure of its answers as it never is",
    "numeric_stability": "NaN or infinite",
    "training_skew": "serving differs from training",
    "failures": "calls fail",
    "unanswered": "no answers",
    "correlation": "no longer goes with others as it did",
    "repeated": "requests repeat each other",
}


def order(check: str, feature: str | None, severity: Severity) -> tuple[int, bool, int]:
    """Sorts the finding that should lead first: specific checks, inputs before outputs, severe ones."""
    output = feature is not None and feature.startswith("@")
    return SPECIFICITY.get(check, len(SPECIFICITY)), output, -SEVERITIES.index(severity)


def strength(finding: Finding) -> float:
    """Size of a finding's effect, handicapped where it speaks of a segment."""
    size = abs(finding.effect.value) if finding.effect and math.isfinite(finding.effect.value) else 0.0
    # A segment that holds nearly all of the excess wasn't picked by chance.
    return size / SEGMENT_HANDICAP if finding.segment and not finding.evidence.get("concentrated") else size


def title(check: str, feature: str | None, segment: dict[str, str] | None, features: int) -> str:
    """What broke, in one line.

    Args:
        check: Leading check.
        feature: Leading feature.
        segment: Its segment.
        features: How many features the incident names.
    """
    phrase = _PHRASES.get(check, check.replace("_", " "))
    line = f"{feature}: {phrase}" if feature else phrase[:1].upper() + phrase[1:]
    if segment:
        line += " where " + ", ".join(f"{field} = {value}" for field, value in segment.items())
    others = features - (feature is not None)
    if others > 0:
        line += f" (and {others} more feature{'s' if others > 1 else ''})"
    return line
