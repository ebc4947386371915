"""Sampling: which predictions are kept where not all can be, and how many each of them stands for."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mllog.errors import SettingError

if TYPE_CHECKING:
    from mllog.events import Record


@dataclass(frozen=True, slots=True)
class Sampling:
    """What to keep.

    Attributes:
        rate: Share of the predictions that is kept by a draw, in (0, 1].
    """

    rate: float = 1.0


def resolve(given: float | str | Sampling) -> Sampling:
    """A sampling from what users write.

    Raises:
        SettingError: Where the rate isn't in (0, 1].
    """
    if isinstance(given, Sampling):
        return given
    try:
        rate = float(given)
    except (TypeError, ValueError):
        rate = -1.0
    if not 0 < rate <= 1:
        raise SettingError(
            f"sampling {given!r}: write the share to keep, above 0 and at most 1", field="sampling", value=given
        )
    return Sampling(rate)


class Sampler:
    """Decides on one prediction at a time.

    Args:
        sampling: What to keep.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling

    def keep(self, record: Record) -> bool:
        """Whether ``record`` is kept; marks it with its sample and weight."""
        if random.random() >= self._sampling.rate:  # noqa: S311 - no secret
            return False
        record.sample, record.weight = "head", 1 / self._sampling.rate
        return True
