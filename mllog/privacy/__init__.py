"""Privacy: what of an event may be written, by the policy in the model's card.

The same rules are applied to training data before a card is laid and to every event before it is measured, so
the ruler, the counts and the events all speak of the protected values and never of the raw ones.
"""

from __future__ import annotations

from mllog.privacy.columns import protect_frame
from mllog.privacy.guard import Guard
from mllog.privacy.hashing import Hasher, pseudonym
from mllog.privacy.policy import Policy
from mllog.privacy.scrubbing import PATTERNS, Scrubber

__all__ = ["PATTERNS", "Guard", "Hasher", "Policy", "Scrubber", "protect_frame", "pseudonym"]
