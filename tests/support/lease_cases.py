"""What leases have to hold, whatever keeps their records: each case takes records that nobody wrote to."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from watchers.stores._leases import RELIED_ON, RecordLeases, is_gone, this_process
from watchers.stores.base import Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchers.stores._leases import Records


class Hand:
    """A clock that is set by hand."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def one_holder_at_a_time(records: Records) -> None:
    """Who comes second waits until the first one gives it back; another name is another lease."""
    first, second = RecordLeases(records, holder="a"), RecordLeases(records, holder="b")
    lease = first.acquire("shop", 30)
    assert lease is not None
    assert (lease.name, lease.holder, lease.seconds) == ("shop", "a", 30)
    assert second.acquire("shop", 30) is None
    assert second.acquire("Other Shop", 30) is not None
    first.release(lease)
    assert second.acquire("shop", 30) is not None
    assert first.acquire("shop", 30) is None


def only_the_challengers_own_clock_says_that_a_lease_has_lapsed(records: Records) -> None:
    """A holder's clock may be years off: what counts is for how long its record stays as it is."""
    mine, yours = Hand(5000.0), Hand(-77.0)
    first, second = RecordLeases(records, holder="a", clock=mine), RecordLeases(records, holder="b", clock=yours)
    for taken in (dt.datetime(1999, 1, 1, tzinfo=dt.UTC), dt.datetime(2077, 1, 1, tzinfo=dt.UTC)):
        held = records.read("shop")
        lease = Lease("shop", "a", 10.0, taken)
        version = records.write(lease, held.version if held else None)
        assert version is not None
        assert second.acquire("shop", 10) is None
        yours.now += 9.9
        assert second.acquire("shop", 10) is None
        assert first.renew(replace(lease, version=version)) is not None
        yours.now += 9.9
        assert second.acquire("shop", 10) is None, "a renewal begins the watch anew"
        yours.now += 9.9
        assert second.acquire("shop", 10) is None
    yours.now += 0.2
    assert second.acquire("shop", 10) is not None


def whoever_waits_sees_that_a_holder_shows_no_life(records: Records) -> None:
    """Looking begins the watch as asking does, of every name, and takes nothing."""
    clock = Hand()
    first, second = RecordLeases(records, holder="a", clock=clock), RecordLeases(records, holder="b", clock=clock)
    assert not second.lapsed(["shop", "till"])
    kept, lost = first.acquire("shop", 10), first.acquire("till", 10)
    assert kept is not None
    assert lost is not None
    assert not second.lapsed(["shop", "till"])
    clock.now += 6
    assert first.renew(kept) is not None
    assert not second.lapsed(["shop", "till"])
    clock.now += 6
    assert not second.lapsed(["shop"])
    assert second.lapsed(["shop", "till"])
    assert first.renew(lost) is not None
    assert not second.lapsed(["till"])


def who_lost_a_lease_can_neither_renew_nor_release_it(records: Records) -> None:
    """A holder that was paused finds out; it takes nothing from its successor."""
    clock = Hand()
    first, second = RecordLeases(records, holder="a", clock=clock), RecordLeases(records, holder="b", clock=clock)
    lease = first.acquire("shop", 10)
    assert lease is not None
    assert second.acquire("shop", 10) is None
    clock.now += 10
    assert second.acquire("shop", 10) is not None
    assert first.renew(lease) is None
    first.release(lease)
    held = records.read("shop")
    assert held is not None
    assert held.holder == "b"


def a_record_that_was_deleted_meanwhile_is_another_one(records: Records) -> None:
    """Released and taken by somebody else it isn't what it was."""
    first, second = RecordLeases(records, holder="a"), RecordLeases(records, holder="b")
    lease = first.acquire("shop", 30)
    assert lease is not None
    first.release(lease)
    assert second.acquire("shop", 30) is not None
    assert first.renew(lease) is None
    assert records.write(lease, None) is None


def a_holder_trusts_its_lease_for_less_than_others_wait(records: Records) -> None:
    """From before its record was sent, and a tenth shorter."""
    clock = Hand(100.0)
    leases = RecordLeases(records, holder="a", clock=clock)
    lease = leases.acquire("shop", 10)
    assert lease is not None
    assert lease.deadline == 100 + 10 * RELIED_ON < 110
    clock.now = 105.0
    lease = leases.renew(lease)
    assert lease is not None
    assert lease.deadline == 105 + 10 * RELIED_ON


def of_many_at_once_one_gets_it(records: Records) -> None:
    """Twelve threads at the same moment, over a free lease and over a lapsed one."""
    clock = Hand()
    crowd = [RecordLeases(records, holder=f"h{k}", clock=clock) for k in range(12)]
    for _ in range(3):
        got: list[Lease | None] = []
        ready = threading.Barrier(len(crowd))

        def ask(leases: RecordLeases, ready: threading.Barrier = ready, got: list[Lease | None] = got) -> None:
            ready.wait()
            got.append(leases.acquire("shop", 10))

        threads = [threading.Thread(target=ask, args=(leases,)) for leases in crowd]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [lease for lease in got if lease is not None]
        held = records.read("shop")
        assert held is not None
        assert held.holder == winner.holder
        for leases in crowd:  # all see it, and that it stays as it is
            if leases.holder != winner.holder:
                assert leases.acquire("shop", 10) is None
        crowd = [leases for leases in crowd if leases.holder != winner.holder]
        clock.now += 10


def a_process_of_this_machine_that_is_gone_holds_nothing(records: Records) -> None:
    """After kill -9 nobody waits; of other machines, and of processes that live, nothing is assumed."""
    code = "import sys, time; from watchers.stores._leases import this_process; print(this_process(), flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        leases = RecordLeases(records, holder="b")
        assert RecordLeases(records, holder=name).acquire("shop", 1000) is not None
        assert not is_gone(name)
        assert leases.acquire("shop", 1000) is None
        process.kill()
        while not is_gone(name):  # it isn't reaped yet
            time.sleep(0.01)
        assert leases.acquire("shop", 1000) is not None
    host, machine, pid, started, draw = this_process().split("/")
    assert int(pid) == os.getpid()
    assert not is_gone(this_process())
    assert is_gone("/".join((host, machine, pid, str(int(started) + 1), draw))), "the number was given to another"
    assert not is_gone(f"{host}/elsewhere/999999999/1/{draw}")
    assert not is_gone("somebody")


def the_patient_wait_for_the_dead_and_not_for_the_living(records: Records) -> None:
    """Whoever asks once takes over from a holder that shows no life, and gives up at the first sign of it."""
    first, second = RecordLeases(records, holder="a"), RecordLeases(records, holder="b")
    lease = first.acquire("shop", 0.5)
    assert lease is not None
    started = time.monotonic()
    renewal = threading.Timer(0.2, first.renew, (lease,))
    renewal.start()
    assert second.acquire("shop", 0.5, patience=30) is None
    renewal.join()
    assert time.monotonic() - started < 15
    assert second.acquire("shop", 0.5, patience=30) is not None


CASES: list[Callable[[Records], None]] = [
    one_holder_at_a_time,
    only_the_challengers_own_clock_says_that_a_lease_has_lapsed,
    whoever_waits_sees_that_a_holder_shows_no_life,
    who_lost_a_lease_can_neither_renew_nor_release_it,
    a_record_that_was_deleted_meanwhile_is_another_one,
    a_holder_trusts_its_lease_for_less_than_others_wait,
    of_many_at_once_one_gets_it,
    a_process_of_this_machine_that_is_gone_holds_nothing,
    the_patient_wait_for_the_dead_and_not_for_the_living,
]
