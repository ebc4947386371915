"""What a setup found and did, thing by thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.elastic.retention import Class

State = Literal[
    "same", "missing", "different", "created", "changed", "rolled over", "left", "skipped", "newer",
]  # fmt: skip

STATES: Final[dict[State, str]] = {
    "same": "is as it should be",
    "missing": "isn't there",
    "different": "is there and isn't as it should be",
    "created": "was missing, and is there now",
    "changed": "was different, and is as it should be now",
    "rolled over": "what is written from now on goes into a new backing index; the old ones stay and are searched too",
    "left": "is not as it should be, and can't be changed as it is",
    "skipped": "the server doesn't have it, or it isn't mllog's, or this user's, to change",
    "newer": "a newer mllog put it there",
}
DIFFERING: Final[frozenset[State]] = frozenset({"missing", "different", "left", "newer"})
DONE: Final[frozenset[State]] = frozenset({"created", "changed", "rolled over"})


@dataclass(frozen=True, slots=True)
class Item:
    """One thing.

    Attributes:
        kind: ``component template``, ``index template``, ``lifecycle policy``, ``data stream``, ``index``, ``role``,
            ``user``, what further steps put elsewhere, or, of what the server lacks, ``feature``.
        name: Its name there.
        state: See :data:`STATES`.
        detail: One sentence more, where there is something to say.
        diff: What is there against what should be, as a unified diff.
    """

    kind: str
    name: str
    state: State
    detail: str = ""
    diff: str = ""


@dataclass(slots=True)
class Report:
    """All of them, in the order in which they were looked at.

    Attributes:
        items: The things.
        keep: Class of retention -> days; empty where Elasticsearch wasn't looked at.
        schema: Of this mllog's templates; None then.
    """

    keep: dict[Class, int]
    schema: int | None = None
    items: list[Item] = field(default_factory=list)

    def of(self, *states: State) -> Iterator[Item]:
        """Items in one of these states."""
        return (item for item in self.items if item.state in states)

    @property
    def differs(self) -> bool:
        """Whether anything isn't as it should be (what is skipped aside)."""
        return any(item.state in DIFFERING for item in self.items)

    @property
    def changed(self) -> bool:
        """Whether anything was changed on the server."""
        return any(item.state in DONE for item in self.items)

    @property
    def newer(self) -> bool:
        """Whether the server belongs to a newer mllog, and was left alone."""
        return any(item.state == "newer" for item in self.items)

    def to_dict(self) -> dict[str, Any]:
        """As one JSON document."""
        return {
            "schema": self.schema,
            "keep_days": dict(self.keep),
            "changed": self.changed,
            "differs": self.differs,
            "items": [
                {"kind": one.kind, "name": one.name, "state": one.state, "detail": one.detail, "diff": one.diff}
                for one in self.items
            ],
        }
