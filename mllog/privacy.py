"""Privacy: what of an event may be written, by the card's policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.events import Record


class Guard:
    """Stands between a record and its line.

    Args:
        policy: The card's.
        salt: Secret by which values are hashed.
    """

    def __init__(self, policy: Mapping[str, Any], salt: bytes | None) -> None:
        self._policy = policy
        self._salt = salt

    def prepare(self, record: Record) -> None:
        """Change what must not even be measured as it is."""

    def conceal(self, maps: dict[str, dict[str, Any]]) -> None:
        """Take out of ``ml.inputs`` what was measured and must not be written."""
