"""W3C trace context, by the specification's own rules (https://www.w3.org/TR/trace-context/)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllog.integrations.tracing import new_span_id, new_trace_id, parse_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        (f"00-{TRACE}-{SPAN}-01", 1),
        (f"00-{TRACE}-{SPAN}-00", 0),
        (f"00-{TRACE}-{SPAN}-ff", 255),
        (f" 00-{TRACE}-{SPAN}-01\t", 1),
        (f"cc-{TRACE}-{SPAN}-01", 1),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", 1),
        (f"01-{TRACE}-{SPAN}-02-", 2),
    ],
)
def test_valid(header: str, flags: int) -> None:
    """Version 00, and what of a higher version is known already."""
    assert parse_traceparent(header) == (TRACE, SPAN, flags)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"000-{TRACE}-{SPAN}-01",
        f"0g-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE}-{SPAN}-0A",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"cc-{TRACE}-{SPAN}-0",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"00-{TRACE}-{SPAN}-٠١",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_invalid(header: str | None) -> None:
    """Anything else begins a new trace."""
    assert parse_traceparent(header) is None


@given(st.text())
def test_any_text(header: str) -> None:
    """Whatever a client sends, parsing doesn't raise."""
    assert parse_traceparent(header) is None


def test_new_ids_are_valid() -> None:
    """What is made here can be read here, and no two are the same."""
    made = [(new_trace_id(), new_span_id()) for _ in range(100)]
    for trace, span in made:
        assert parse_traceparent(f"00-{trace}-{span}-01") == (trace, span, 1)
    assert len(set(made)) == 100
