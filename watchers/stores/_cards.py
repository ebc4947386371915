"""Cards of a store that can't be read: each is named, and stops none but its own model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllog.errors import CardError
from mllog.events import dataset

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.card import ModelCard


class BrokenCards:
    """What was wrong with cards when a store was last asked for them."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._newest: dict[str, str] = {}

    def clear(self) -> None:
        """All of them are read anew, oldest first."""
        self.problems.clear()
        self._newest.clear()

    def read(self, name: str, source: str, load: Callable[[], ModelCard]) -> ModelCard | None:
        """Read a card.

        Args:
            name: How it is called: that of a card of ours begins with its model's (:attr:`mllog.ModelCard.file_name`).
            source: Itself, for messages.
            load: Reads it.

        Returns:
            The card; None where that is noted as a problem.
        """
        whose = name.rpartition("-")[0]
        try:
            card = load()
        except Exception as error:  # noqa: BLE001 - whatever somebody put there, other models are judged
            said = str(error) if isinstance(error, CardError) else f"{source}: {type(error).__name__}: {error}"
            problem = f"{said}; or delete it, where it is none of mllog's"
            self.problems.append(problem)
            self._newest[whose] = problem
            return None
        self._newest.pop(whose, None)
        return card

    def of(self, model: str) -> str | None:
        """Why the newest card of a model can't be read; None where it can, or there is none."""
        return self._newest.get(dataset("prediction", model).removeprefix("mllog.prediction."))
