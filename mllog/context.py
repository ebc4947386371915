"""The request that is being served: what a middleware knows of it, put on every event logged meanwhile.

A context variable (https://docs.python.org/3/library/contextvars.html), so threads and asyncio tasks each have
their own, and tasks inherit that of the request which began them. A thread that somebody starts by hand inherits
nothing: give it ``contextvars.copy_context().run``.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from mllog import values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllog.events import Record
    from mllog.facts import FactLogger

_log: Final = logging.getLogger("mllog")

OWN: Final = frozenset(
    {"@timestamp", "data_stream", "ecs", "error", "event", "host", "labels", "message", "ml", "process", "service"}
)
"""Top-level fields that the logger writes itself."""


class Bound:
    """What is bound at one moment.

    Args:
        fields: Top-level ECS fields as nested mappings of typed values; never changed once given.
        user: Who asks.
        outer: What was bound before; its fields are kept where these don't replace them.
    """

    __slots__ = ("_fields", "_outer", "_user")

    def __init__(self, fields: Mapping[str, Any], user: str | None = None, outer: Bound | None = None) -> None:
        self._fields = fields
        self._user = user
        self._outer = outer

    def fields(self) -> Mapping[str, Any]:
        """The fields as they are known now."""
        return {**self._outer.fields(), **self._fields} if self._outer is not None else self._fields

    def user(self) -> str | None:
        """Who asks, where that is known."""
        return self._user if self._user is not None or self._outer is None else self._outer.user()

    def attach(self, record: Record) -> None:
        """Put on a new ``record`` what is known now; what the caller says is put over it."""
        record.context = self.fields()
        record.user = self.user()

    def fail(self, error: BaseException) -> None:
        """Hear of an exception that a framework answers itself; whoever serves the request remembers it."""
        if self._outer is not None:
            self._outer.fail(error)

    def predicted(self, log: FactLogger, key: str | None, *, failed: bool) -> None:
        """Hear of a prediction that was logged here; a middleware of the same logger needn't log the request then.

        Args:
            log: Who logged it.
            key: The caller's id of it, else the event's; ``None`` where there are many.
            failed: Whether it is told as a failure.
        """
        if self._outer is not None:
            self._outer.predicted(log, key, failed=failed)

    def serving(self, request: object) -> Bound | None:
        """Who serves a request, where that is bound around here; ``None`` where nobody does."""
        return self._outer.serving(request) if self._outer is not None else None


current: Final[ContextVar[Bound | None]] = ContextVar("mllog_context", default=None)


@contextmanager
def bind(*, user: str | None = None, **fields: Any) -> Iterator[None]:
    """Put ``fields`` on every event that is logged in this block, by this thread or task.

    Args:
        user: Who asks, for events that don't say so themselves; what is written of it is the policy's business.
        **fields: Top-level ECS fields as nested mappings, e.g. ``trace={"id": "4bf9…"}``; they are added to those
            of an outer block. Those that the logger writes itself (``event``, ``ml``, …) are left out with a warning.
    """
    refused = OWN.intersection(fields)
    if refused:
        _log.warning("mllog: %s can't be bound: the logger writes it itself", ", ".join(sorted(refused)))
    given = {name: values.typed(value) for name, value in fields.items() if name not in refused}
    token = current.set(Bound(given, None if user is None else values.name_of(user), current.get()))
    try:
        yield
    finally:
        current.reset(token)


def known() -> Mapping[str, Any]:
    """The fields that are bound now, for log lines that aren't events."""
    bound = current.get()
    return {} if bound is None else bound.fields()
