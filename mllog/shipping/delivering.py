"""Sends one batch until each of its lines is taken or refused: what is too large is split, what failed sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllog.shipping.destinations.base import Refusal, TooLargeError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mllog.shipping.checkpoint import Counts
    from mllog.shipping.destinations.base import Destination
    from mllog.shipping.pace import Pace
    from mllog.shipping.segments import Batch, Line


def deliver(
    batch: Batch,
    destination: Destination,
    pace: Pace,
    counts: Counts,
    *,
    note: Callable[[UnavailableError | None], object] = lambda _: None,
) -> dict[int, Refusal]:
    """Send a batch.

    Args:
        batch: The lines; whether they may have arrived already.
        destination: Who gets them.
        pace: Says when to try again, and when to stop.
        counts: Duplicates are counted here.
        note: Told of each failure before the wait, and with ``None`` that some lines were taken.

    Returns:
        By index, what was refused for good; everything else was taken.

    Raises:
        UnavailableError: Where the pace says to stop; some lines may have been taken.
        OSError: Where the destination is this machine's disk.
    """
    index = {id(line): k for k, line in enumerate(batch.lines)}
    refused: dict[int, Refusal] = {}
    todo: list[tuple[Sequence[Line], bool]] = [(batch.lines, batch.doubtful)]

    def wait(problem: UnavailableError) -> None:
        note(problem)
        if not pace.failed(problem):
            raise problem

    while todo:
        lines, doubtful = todo.pop()
        try:
            answer = destination.send(batch.part(lines, doubtful=doubtful))
        except TooLargeError as problem:
            if len(lines) == 1:
                refused[index[id(lines[0])]] = Refusal(str(problem), problem.status)
            else:
                half = len(lines) // 2
                todo += [(lines[half:], doubtful), (lines[:half], doubtful)]
            continue
        except UnavailableError as problem:
            wait(problem)
            todo.append((lines, doubtful or problem.doubtful))
            continue
        refused |= {index[id(lines[k])]: refusal for k, refusal in answer.refused.items()}
        counts.duplicates += answer.duplicates
        counts.unasked += answer.unasked
        again = [lines[k] for k in answer.retry]
        if len(again) < len(lines):
            pace.succeeded()
            note(None)
        if again:
            wait(UnavailableError(answer.problem or "not everything was taken", retry_after=answer.retry_after))
            todo.append((again, answer.doubtful))
    return refused
