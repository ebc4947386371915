"""Pure functions on counts: numbers in, numbers out; no profile, no store, no clock."""

from watchers.statistics.contrast import Contrasted, Rows, contrast
from watchers.statistics.onset import onset
from watchers.statistics.rare import rare_events, rate_low

__all__ = ["Contrasted", "Rows", "contrast", "onset", "rare_events", "rate_low"]
