from __future__ import annotations

import threading

import pytest

from mllog.shipping.destinations.base import UnavailableError
from mllog.shipping.pace import Pace


class Waits(threading.Event):
    """Notes how long it was to be waited for, and doesn't."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()


def test_waits_double_with_jitter_up_to_a_bound() -> None:
    """Each wait lies between half and all of first * 2**n, and never above the longest."""
    waits = Waits()
    pace = Pace(waits, first=1.0, longest=10.0)
    for _ in range(8):
        assert pace.failed(UnavailableError("x"))
    for n, wait in enumerate(waits.waits):
        bound = min(2.0**n, 10.0)
        assert bound / 2 <= wait <= bound
    assert len(set(waits.waits)) > 1


def test_no_two_come_back_at_the_same_time() -> None:
    """Of waits that would be equal hardly two are, and they spread over the upper half of what they may be."""
    waits = Waits()
    pace = Pace(waits, first=8.0, longest=8.0)
    for _ in range(200):
        pace.failed(UnavailableError("x"))
    assert len(set(waits.waits)) > 190
    assert min(waits.waits) < 5.0
    assert max(waits.waits) > 7.0


def test_an_outage_is_over_when_nobody_is_in_trouble() -> None:
    """Two processes, of which one is taken and the other not: told once at the beginning and once at the end."""
    told: list[str | None] = []
    pace = Pace(Waits(), told=lambda problem: told.append(problem and str(problem)))
    for _ in range(3):
        pace.failed(UnavailableError("x"), "a")
        pace.succeeded("b")
    assert told == ["x"]
    pace.succeeded("a", over=False)
    assert told == ["x"]
    pace.succeeded("a")
    assert told == ["x", None]


def test_patience_that_has_ended_is_said() -> None:
    """And comes back with a success."""
    pace = Pace(Waits(), give_up=0.0)
    assert not pace.spent
    pace.failed(UnavailableError("x"))
    assert pace.spent
    pace.succeeded()
    assert not pace.spent


def test_success_begins_anew() -> None:
    """After something was taken the next failure waits as the first did."""
    waits = Waits()
    pace = Pace(waits, first=1.0)
    for _ in range(4):
        pace.failed(UnavailableError("x"))
    assert pace.failing
    pace.succeeded()
    assert not pace.failing
    pace.failed(UnavailableError("x"))
    assert waits.waits[-1] <= 1.0


@pytest.mark.parametrize(("wish", "least", "most"), [(7.0, 7.0, 7.0), (0.0, 0.5, 1.0), (1e9, 300.0, 300.0)])
def test_retry_after_is_honoured_within_reason(wish: float, least: float, most: float) -> None:
    """What the destination asks for is waited, unless it asks for for ever."""
    waits = Waits()
    Pace(waits, first=1.0).failed(UnavailableError("x", retry_after=wish))
    assert least <= waits.waits[0] <= most


def test_stopping_ends_it() -> None:
    """Nobody waits once the end has been asked for, and nothing is tried again."""
    waits = Waits()
    waits.set()
    assert not Pace(waits).failed(UnavailableError("x"))
    assert waits.waits == []


def test_patience_ends() -> None:
    """Without success for long enough, or where only a human can help, it is given up."""
    waits = Waits()
    assert not Pace(waits, give_up=0.0).failed(UnavailableError("x"))
    assert not Pace(waits, give_up=100.0).failed(UnavailableError("x", hopeless=True))
    assert Pace(waits, give_up=100.0).failed(UnavailableError("x"))
    assert Pace(waits).failed(UnavailableError("x", hopeless=True))
