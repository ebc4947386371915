"""Whose fault a line's failures are, as counted: chance is never a line's, and what never passes is found."""

from __future__ import annotations

import random
from collections import deque
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllog.shipping.blame import CHANCE, GAP, RUN, TRIES, Blame


def sent(blame: Blame, draw: random.Random, chance: float, lines: int, *, poison: int | None = None) -> dict[int, int]:
    """Lines sent alone, in turn, to a server that fails by chance until all are dealt with; who was blamed, how late."""
    todo, more, blamed = deque(range(lines)), count(lines), dict[int, int]()
    while todo:
        line = todo.popleft()
        first = not blame.knows(line)
        if line != poison and draw.random() >= chance:
            if first:
                blame.first(taken=1)
            blame.succeeded()
            blame.forget(line)
        elif (tries := blame.failed(line, blame.first(failed=1) if first else ())) is not None:
            blamed[line] = tries
        else:
            todo.append(line)
        if list(todo) == [poison]:  # the traffic goes on
            todo.append(next(more))
    return blamed


@given(seed=st.integers(0, 2**32), chance=st.floats(0, 0.97))
def test_who_fails_by_chance_is_never_blamed(seed: int, chance: float) -> None:
    """Whatever the rate is, and though a line may fail a hundred times."""
    assert sent(Blame(), random.Random(seed), chance, 60) == {}


@given(seed=st.integers(0, 2**32), chance=st.floats(0, 0.7), place=st.integers(0, 59))
def test_what_never_passes_is_found(seed: int, chance: float, place: int) -> None:
    """As soon as chance doesn't explain it, and not before five failures; nobody else is blamed for it."""
    blamed = sent(Blame(), random.Random(seed), chance, 60, poison=place)
    assert blamed.keys() == {place}
    assert blamed[place] >= TRIES


def test_nothing_is_blamed_without_a_success_of_others() -> None:
    """However often it fails: an outage is everybody's."""
    blame = Blame()
    blame.first(taken=1000)
    blame.succeeded()
    assert all(blame.failed("x", ()) is None for _ in range(500))
    blame.succeeded()
    assert blame.failed("x", ()) is not None
    assert not blame.knows("x")


def test_an_outage_counts_a_bounded_number_of_times() -> None:
    """Neither against a line nor against the server: what fails between two successes is one trouble."""
    blame = Blame()
    assert len(blame.first(failed=10 * RUN)) == RUN
    blame.succeeded()
    assert len(blame.first(failed=1)) == 1
    blame.first(taken=10**6)
    # By a server that never fails four are proof enough; only four of them count here, and five are asked for.
    assert [blame.failed("x", ()) for _ in range(GAP)] == [None] * GAP
    assert blame.failed("x", ()) is None
    blame.succeeded()
    assert blame.failed("x", ()) == GAP + 2


def test_what_was_blamed_is_not_the_servers_chance() -> None:
    """The failures of a line that was set aside say nothing about the next one."""
    blame, tries = Blame(), []
    blame.first(taken=60)
    for line in range(20):
        own = blame.first(failed=1)
        for k in range(1, 1000):
            blame.succeeded()
            if blame.failed(line, own if k == 1 else ()) is not None:
                tries.append(k)
                break
    assert len(tries) == 20
    assert max(tries) == min(tries)


@pytest.mark.parametrize("failed", [0, 10, 100])
def test_the_bound_is_the_rule_of_successions(failed: int) -> None:
    """``((failed + 1) / (failed + taken + 2)) ** n < 1e-6``, with at least five failures."""
    blame, taken = Blame(), 50
    for _ in range(failed):
        blame.first(failed=1)
        blame.succeeded()
    blame.first(taken=taken)
    tries = 0
    while True:
        blame.succeeded()
        tries += 1
        said = blame.failed("x", ())
        chance = (failed + 1) / (failed + taken + 2)
        # The first success lies before the first failure, and shows nothing.
        assert (said is not None) == (tries >= TRIES and chance**tries < CHANCE)
        if said is not None:
            assert said == tries
            return
