"""Fragments of JSON by the column: members of an object or array, one for each row that has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Mask: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.intp]

_BREAK: Final = b"\0"
"""Never in JSON, whose strings escape it (RFC 8259, section 7)."""


@dataclass(slots=True)
class Strand:
    """One column's members of an object or array of each event.

    Attributes:
        make: The members behind a given separator, one a row; empty where a row has none.
        holes: Where a row has none, shape ``(n,)``; ``None``: nowhere.
    """

    make: Callable[[bytes], list[bytes]]
    holes: Mask | None = None


class Texts:
    """Fragments by number, empty ones for holes."""

    def __init__(self, texts: list[bytes]) -> None:
        self._texts = texts
        self._empty = np.array([not text for text in texts], np.bool_)
        self._has_empty = bool(self._empty.any())
        self._behind: dict[bytes, npt.NDArray[Any]] = {}

    def strand(self, codes: Rows) -> Strand:
        """The members with these numbers."""
        holes = self._empty[codes] if self._has_empty else None

        def make(separator: bytes) -> list[bytes]:
            table = self._behind.get(separator)
            if table is None:
                table = np.array([separator + text if text else b"" for text in self._texts], dtype=object)
                self._behind[separator] = table
            members: list[bytes] = table.take(codes).tolist()
            return members

        return Strand(make, holes if holes is not None and holes.any() else None)


def texts_of(texts: list[bytes]) -> Texts | None:
    """Fragments by number; ``None`` where all are empty."""
    return Texts(texts) if any(texts) else None


def members_of(text: bytes, delimiter: bytes, before: bytes, after: bytes = b"") -> list[bytes]:
    """Parts of ``text``, each between ``before`` and ``after``."""
    return (before + text.replace(delimiter, after + _BREAK + before) + after).split(_BREAK)
