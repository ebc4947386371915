"""Pure functions on counts: numbers in, numbers out; no profile, no store, no clock."""

from watchers.statistics._table import Measure
from watchers.statistics.classical import MEASURES, measure
from watchers.statistics.contrast import MIN_EVENTS, Contrasted, Rows, comparable, contrast, spread_out, take
from watchers.statistics.omnibus import omnibus
from watchers.statistics.onset import onset, onset_of_events
from watchers.statistics.rare import rare_events, rate_low

__all__ = [
    "MEASURES",
    "MIN_EVENTS",
    "Contrasted",
    "Measure",
    "Rows",
    "comparable",
    "contrast",
    "measure",
    "omnibus",
    "onset",
    "onset_of_events",
    "rare_events",
    "rate_low",
    "spread_out",
    "take",
]
