"""Pure functions on counts: numbers in, numbers out; no profile, no store, no clock."""

from watchers.statistics._table import Measure
from watchers.statistics.classical import MEASURES, measure
from watchers.statistics.concentration import concentrated
from watchers.statistics.contrast import MIN_EVENTS, Contrasted, comparable, contrast, spread_out
from watchers.statistics.discoveries import q_values
from watchers.statistics.omnibus import omnibus
from watchers.statistics.onset import onset
from watchers.statistics.rare import at_least, rare_events, rate_low
from watchers.statistics.rows import Rows, take

__all__ = [
    "MEASURES",
    "MIN_EVENTS",
    "Contrasted",
    "Measure",
    "Rows",
    "at_least",
    "comparable",
    "concentrated",
    "contrast",
    "measure",
    "omnibus",
    "onset",
    "q_values",
    "rare_events",
    "rate_low",
    "spread_out",
    "take",
]
