"""Starts a program whose package may lack what it needs at all: that is said, with the extra that brings it."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from mllog.program import USAGE, fail, needs

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP: Final = "mllog.programs"


def watchers() -> int:
    """Run ``watchers``, which can't be imported without numpy and scipy."""
    return _start("watchers")


def _start(name: str) -> int:
    (point,) = entry_points(group=GROUP, name=name)
    try:
        main: Callable[[], int] = point.load()
    except ModuleNotFoundError as error:
        return fail(
            name,
            needs(error, ",".join(point.extras)),
            USAGE,
            as_json="--json" in sys.argv,
            field="command",
            value=name,
        )
    return main()
