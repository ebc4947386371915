"""A text looks different: its length, its script, its emoji or its encoding.

Runbook: a wrong encoding (é that comes as Ã©, or as �) is a reader upstream that was told another one than the writer:
the vocabulary of the model doesn't know such words. Texts that became shorter were cut; another script or emoji is a
new client or country, which the model hardly saw in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from mllog.shapes import EMOJI, FAULTY, LENGTH, LENGTH_EDGES, MARKS, SCRIPT, SCRIPTS
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.checks._said import named
from watchers.checks._scores import ordered_contrasts
from watchers.checks._shift import Shift
from watchers.finding import Effect, Finding, Severity
from watchers.history import Builder, Contrasts
from watchers.view import View

LONGER: Final = 0.1
LARGER: Final = 0.25
SHARE: Final = 0.05
FAULTS: Final = 0.005
NOTABLE: Final = 0.01
"""Encoding faults in fewer texts are recorded, and page nobody."""

_EMOJI: Final = "emoji"


def _usual_length(view: View, name: str, counts: np.ndarray) -> str:
    """About how many characters half of the texts have at least."""
    cells = counts[named(view.ruler, view.ruler.by_name[LENGTH + name])]
    middle = int(np.searchsorted(np.cumsum(cells), cells.sum() / 2))
    low, high = (LENGTH_EDGES[min(max(k, 0), len(LENGTH_EDGES) - 1)] for k in (middle - 1, middle))
    return f"{(low + high) / 2:.2g}"


def _describe_length(view: View, finding: Finding, where: str) -> str:
    assert finding.effect is not None
    assert finding.feature is not None
    size = finding.effect.value
    finding.severity = "warning" if abs(size) >= LARGER else "info"
    now, usual = (_usual_length(view, finding.feature, counts) for counts in (view.total, view.past_total))
    about = "" if now == usual else f": half of them have about {now} characters or more, usually {usual}"
    how = "shorter" if size < 0 else "longer"
    return f"`{finding.feature}`: texts are {how} by {abs(size):.2g} sd than {view.usually}{where}{about}"


def _describe_share(finding: Finding, label: str, where: str) -> str:
    finding.severity = "warning" if abs((finding.observed or 0) - (finding.reference or 0)) >= 2 * SHARE else "info"
    prefix, bin_ = (MARKS, EMOJI) if label == _EMOJI else (SCRIPT, SCRIPTS.index(label))
    finding.evidence["query"] = _query(f"{prefix}{finding.feature}:{bin_}")
    special = {_EMOJI: "have emoji", SCRIPTS[0]: "have no letter", SCRIPTS[-1]: "are in another script"}
    how = special.get(label, f"are in {label} letters")
    observed, expected = percent(finding.observed), percent(finding.reference)
    return f"`{finding.feature}`: {observed} of texts {how} ({expected} expected){where}"


def _severity(finding: Finding) -> Severity:
    return "warning" if (finding.observed or 0) - (finding.reference or 0) >= NOTABLE else "info"


def _sentence(_: View, finding: Finding, where: str) -> str:
    finding.evidence["query"] = _query(f"{MARKS}{finding.feature}:{FAULTY}")
    return (
        f"`{finding.feature}`: {percent(finding.observed)} of texts show encoding faults (é read as Ã©, or as �)"
        f"{where}; usual {percent(finding.reference)}"
    )


def _query(*bins: str) -> dict[str, object]:
    return {"kind": "bin", "values": list(bins)}


def _run(view: View) -> list[Tests]:
    ruler = view.ruler
    texts = list(ruler.shapes)
    if not texts:
        return []

    def cells(prefix: str, name: str) -> list[int]:
        return named(ruler, ruler.by_name[prefix + name])

    def lengths() -> Contrasts:
        found = ordered_contrasts(view, [ruler.by_name[LENGTH + name] for name in texts], spread=False)
        # What is derived of a text is said of the text.
        return replace(found, features=tuple(name.removeprefix(LENGTH) for name in found.features))

    def shares(parts: Sequence[tuple[str, str, int, list[int]]]) -> Contrasts:
        names, labels, ones, whole = zip(*parts, strict=True)
        return Contrasts(names, labels, tuple(((one, 1.0),) for one in ones), tuple(map(tuple, whole)))

    def scripts() -> Contrasts:
        return shares([(t, s, cells(SCRIPT, t)[k], cells(SCRIPT, t)) for t in texts for k, s in enumerate(SCRIPTS)])

    def emoji() -> Contrasts:
        return shares([(t, _EMOJI, cells(MARKS, t)[EMOJI], cells(MARKS, t)) for t in texts])

    def moved(key: str, build: Builder, sign: int) -> list[Tests]:
        return Shift(
            "text_shape",
            key,
            build,
            floor=SHARE,
            larger=SHARE,
            describe=_describe_share,
            shares=True,
            sign=sign,
            effect=lambda r, low, high: Effect("difference in share", r, low, high),
        ).tests(view)

    def faults() -> Contrasts:
        return indicators(texts, [[cells(MARKS, t)[FAULTY]] for t in texts], [cells(MARKS, t) for t in texts])

    # What says most of the cause stands first, and speaks for the text.
    return [
        *Rate("text_shape", faults, floor=FAULTS, sentence=_sentence, query="bin", severity=_severity).tests(view),
        # A script that became rarer made room for another one, which says more.
        *moved("text_shape:script", scripts, 1),
        *moved("text_shape:emoji", emoji, 0),
        *Shift(
            "text_shape",
            "text_shape:length",
            lengths,
            floor=LONGER,
            larger=LARGER,
            describe=lambda finding, _, where: _describe_length(view, finding, where),
            effect=lambda r, low, high: Effect("shift in sd", r, low, high),
        ).tests(view),
    ]


check = FunctionCheck("text_shape", _run)
