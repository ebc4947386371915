"""The request that is being served: what a middleware knows of it, put on every event logged meanwhile.

A context variable (https://docs.python.org/3/library/contextvars.html), so threads and asyncio tasks each have
their own, and tasks inherit that of the request which began them.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

current: Final[ContextVar[Mapping[str, Any] | None]] = ContextVar("mllog_context", default=None)
"""Top-level ECS fields (``trace``, ``span``, ``transaction``, ``http``, ``url``), typed; never changed once set."""


@contextmanager
def bind(**fields: Any) -> Iterator[None]:
    """Put ``fields`` on every event that is logged in this block, by this thread or task.

    Args:
        **fields: Top-level ECS fields as nested mappings of typed values, e.g. ``trace={"id": "4bf9…"}``; they
            are added to those of an outer block.
    """
    outer = current.get()
    token = current.set({**outer, **fields} if outer else fields)
    try:
        yield
    finally:
        current.reset(token)
