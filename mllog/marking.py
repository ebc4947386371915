"""Values and names of the caller's, typed; what could not be kept as it was is marked on the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mllog import values

if TYPE_CHECKING:
    from mllog.events import Record


def typed(record: Record, mark: str, value: Any) -> Any:
    """``value`` typed, with a mark where it was cut or replaced."""
    if type(value) is str and len(value) <= values.TEXT_LIMIT:
        return value
    walk = values.Walk()
    found = walk.typed(value)
    if walk.truncated:
        record.mark_truncated(mark)
    if walk.replaced:
        record.mark_replaced(mark)
    return found


def named(record: Record, mark: str, value: Any) -> str:
    """A usable name; a number is one as text, what had to be changed beyond that is marked."""
    if values.is_usable(value):
        return str(value)
    given = typed(record, mark, value)
    name = values.name_of(value if type(value) is str else given)
    if len(name) == values.NAME_LIMIT:
        record.mark_truncated(mark)
    elif type(given) is str and name != given:
        record.mark_replaced(mark)
    return name
