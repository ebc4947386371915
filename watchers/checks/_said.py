"""Where what a feature says is counted: its bins, or its categories and all other values."""

from __future__ import annotations

from mllog.confidence import UNUSABLE
from mllog.ruler import LABEL, Feature, Ruler


def named(ruler: Ruler, feature: Feature) -> list[int]:
    """Positions of the bins of a number, or of the categories that are counted under their own names."""
    if feature.kind == "number":
        keys = [(feature.name, "bin", str(k)) for k in range(len(feature.edges) + 1)]
    else:
        keys = [(feature.name, "category", value) for value in feature.categories]
    return [ruler.index[key] for key in keys]


def said(ruler: Ruler, feature: Feature) -> list[int]:
    """The same and, of a category, those of its other known values and of the unseen ones behind them."""
    others = () if feature.kind == "number" else ((feature.name, "other", ""), (feature.name, "violation", "category"))
    return [*named(ruler, feature), *(ruler.index[key] for key in others)]


def answered(ruler: Ruler, name: str) -> list[int]:
    """Positions of the calls that have an answer, be it none to count with."""
    cells = said(ruler, ruler.by_name[name])
    if name != LABEL and UNUSABLE in ruler.by_name:
        cells.append(ruler.index[UNUSABLE, "bin", "0"])
    return cells
