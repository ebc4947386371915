"""How much is sent at once, so that memory stays bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BATCH_BYTES: Final = 4 * 2**20
BATCH_LINES: Final = 2000
COMPANY: Final = 8
"""So many lines at a time are added to what fails, since alone it says little about whose fault that is."""
COMPANY_LINES: Final = 128
"""So many of them in all."""
MOST_LINES: Final = BATCH_LINES + COMPANY_LINES
"""No shipper sends more at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a batch; one line may be longer."""

    bytes: int = BATCH_BYTES
    lines: int = BATCH_LINES
