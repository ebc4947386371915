"""Progress of long work: a bar on a terminal, a line a step elsewhere, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self


class Steps:
    """Told of (what is done, steps done, steps to do); draws on standard error.

    Args:
        quiet: Draw nothing.
        lines: Where there is no terminal, write a line for each new step.
    """

    def __init__(self, *, quiet: bool, lines: bool = False) -> None:
        from rich.console import Console  # noqa: PLC0415 - it takes a while, and scripts don't look at it
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        self._console = Console(stderr=True)
        live = self._console.is_terminal and not quiet
        self._lines = lines and not live and not quiet
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not live,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of ``what`` are done."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
            if self._lines:
                self._console.print(f"{what} ...", highlight=False)
        self._progress.update(self._tasks[what], completed=done)
