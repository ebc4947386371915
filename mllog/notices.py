"""Warnings that are said once a process: each names what was passed, what became of it, and the remedy."""

from __future__ import annotations

import logging
from typing import Final

_LIMIT: Final = 256
"""So many different ones, so that a stream of odd values fills neither memory nor log."""

_log: Final = logging.getLogger("mllog")
_said: Final[set[str]] = set()


def once(message: str) -> None:
    """Say ``message`` in the log ``mllog``, unless this process has said it already."""
    if message in _said or len(_said) >= _LIMIT:
        return
    _said.add(message)
    _log.warning("mllog: %s", message)
