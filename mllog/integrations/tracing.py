"""W3C trace context, level 1 (https://www.w3.org/TR/trace-context/#traceparent-header), strictly read."""

from __future__ import annotations

import re
import secrets
from typing import Final, NamedTuple

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


class TraceParent(NamedTuple):
    """Where a request comes from.

    Attributes:
        trace_id: 32 hex digits.
        parent_id: 16 hex digits: the caller's span.
        flags: 8 bits; the lowest says that the caller may have recorded it.
    """

    trace_id: str
    parent_id: str
    flags: int


def parse_traceparent(header: str | None) -> TraceParent | None:
    """The header's parts; ``None`` where it isn't there or isn't valid, and a new trace is to be begun.

    Lower-case hex only; neither id may be all zeros; version ``ff`` is forbidden; version ``00`` ends with its
    flags, and a higher one may go on after a dash.
    """
    match = _TRACEPARENT.fullmatch(header.strip(" \t")) if header is not None else None
    if match is None:
        return None
    version, trace_id, parent_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more is not None) or not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    return TraceParent(trace_id, parent_id, int(flags, 16))


def new_trace_id() -> str:
    """32 hex digits, not all zeros."""
    return secrets.token_hex(16).replace("0" * 32, "1" * 32)


def new_span_id() -> str:
    """16 hex digits, not all zeros."""
    return secrets.token_hex(8).replace("0" * 16, "1" * 16)
