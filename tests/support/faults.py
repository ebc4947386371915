"""The table of faults: what was accepted, and what became of it, after something real was broken."""

from __future__ import annotations

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Row:
    """One fault, all its repetitions together.

    Attributes:
        fault: What was broken, in words.
        test: Id of the test that broke it.
        repetitions: How often.
        accepted: Events that the logger numbered, or whose call returned where the process didn't live to say.
        delivered: Events that are where they were to go: in the sink's folder, at the server, in the index.
        spooled: Events that wait on disk for a server, each once.
        dropped: Events that the logger counted as dropped.
        tail: Events that a process took with it that was killed before the flush interval was over.
        duplicates: Events that are at the end of the way more than once, by ``event.id``.
    """

    fault: str
    test: str
    repetitions: int = 1
    accepted: int = 0
    delivered: int = 0
    spooled: int = 0
    dropped: int = 0
    tail: int = 0
    duplicates: int = 0

    def check(self) -> None:
        """Everything accepted is somewhere, and nowhere twice."""
        assert self.accepted > 0
        assert self.accepted == self.delivered + self.spooled + self.dropped + self.tail, self
        assert self.duplicates == 0, self


_COLUMNS = ("repetitions", "accepted", "delivered", "spooled", "dropped", "tail", "duplicates")


def write(target: str, rows: list[Row]) -> None:
    """Write ``rows`` to the file ``target``, as a table of markdown."""
    lines = [f"| fault | {' | '.join(_COLUMNS)} |", f"|---|{'---:|' * len(_COLUMNS)}"]
    for row in rows:
        figures = " | ".join(f"{getattr(row, name):,}" for name in _COLUMNS)
        lines.append(f"| {row.fault} | {figures} |")
    pathlib.Path(target).write_text("\n".join(lines) + "\n", encoding="utf-8")
