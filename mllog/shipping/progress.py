"""How far a run of ``mllog ship`` is: a changing line where rich is installed and somebody looks, else now and then."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from mllog.shipping.shipper import Shipper

LINE_SECONDS: Final = 10.0


class Progress:
    """Called after each round of a shipper; says on standard error what was delivered.

    Args:
        shipper: Who knows.
        silent: Say nothing.
    """

    def __init__(self, shipper: Shipper, *, silent: bool) -> None:
        self._shipper = shipper
        self._silent = silent
        shipper.pace.told = self.tell
        self._told = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        self._problem: str | None = None
        self._unkept = False

    def __enter__(self) -> Self:
        if not self._silent and sys.stderr.isatty() and importlib.util.find_spec("rich") is not None:
            from rich.console import Console  # noqa: PLC0415 - only for somebody who looks
            from rich.progress import Progress as Bar  # noqa: PLC0415 - the same
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - the same

            self._bar = Bar(
                SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True)
            )
            self._task = self._bar.add_task(self._text(), total=None)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def go_on(self, shipper: Shipper) -> None:
        """Tell of another shipper from now on, which took over from the one before."""
        self._shipper = shipper
        shipper.pace.told = self.tell

    def tell(self, problem: OSError | None) -> None:
        """An outage has begun, or is over."""
        if self._silent:
            return
        self._problem = None if problem is None else str(problem)
        if self._bar is not None:
            self._bar.update(self._task, description=self._text())
        elif problem is not None:
            sys.stderr.write(f"trying again: {problem}\n")
        else:
            sys.stderr.write("delivered again\n")

    def __call__(self) -> None:
        """Say it, where it is time to."""
        if self._silent:
            return
        if self._shipper.unkept is not None and not self._unkept:
            sys.stderr.write(f"{self._shipper.reason}\n")
        self._unkept = self._shipper.unkept is not None
        if self._bar is not None:
            self._bar.update(self._task, description=self._text())
        elif time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            sys.stderr.write(f"{self._text()}\n")

    def _text(self) -> str:
        counts = self._shipper.counts
        text = f"{counts.delivered} events delivered"
        if counts.dead or counts.corrupt:
            text += f", {counts.dead} refused, {counts.corrupt} corrupt"
        return text if self._problem is None else f"{text}; trying again: {self._problem}"
