"""The loops over a prediction's values: compiled where that was possible, in Python everywhere else.

Both say the same, which property tests hold them to; only their price differs. ``MLLOG_PURE_PYTHON=1`` chooses
Python's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

PURE: Final = os.environ.get("MLLOG_PURE_PYTHON", "").lower() not in {"", "0", "false", "no"}
"""Whether somebody has chosen those in Python."""

if TYPE_CHECKING or PURE:
    from mllog.delivery.loops.plain import Fields, Layout, Memory, Names, Press, Words, crc32, size_of_scalars, sort
    from mllog.shapes import shape_of
else:
    try:
        from mllog.delivery.loops.compiled import (
            Fields,
            Layout,
            Memory,
            Names,
            Press,
            Words,
            crc32,
            shape_of,
            size_of_scalars,
            sort,
        )
    except ImportError:  # no compiler where it was installed
        from mllog.delivery.loops.plain import Fields, Layout, Memory, Names, Press, Words, crc32, size_of_scalars, sort
        from mllog.shapes import shape_of

COMPILED: Final = Memory.__module__.endswith(".compiled")
"""Which of the two it is."""

__all__ = [
    "COMPILED",
    "PURE",
    "Fields",
    "Layout",
    "Memory",
    "Names",
    "Press",
    "Words",
    "crc32",
    "shape_of",
    "size_of_scalars",
    "sort",
]
