"""Leases in files and in memory, and what holds them while work goes on."""

from __future__ import annotations

import threading
import time

import pytest
from support.lease_cases import CASES, of_many_at_once_one_gets_it

from watchers import keeper as keeping
from watchers.keeper import Keeper, LostLeaseError
from watchers.stores._lease_files import FileRecords
from watchers.stores._leases import MemoryRecords, RecordLeases


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_leases_in_files(tmp_path, case):
    """Each case of :mod:`support.lease_cases`."""
    case(FileRecords(tmp_path / "leases"))


@pytest.mark.parametrize("case", [case for case in CASES if case is not of_many_at_once_one_gets_it], ids=lambda case: case.__name__)
def test_leases_in_memory(case):
    """The same but for threads, which a store in memory has none of."""
    case(MemoryRecords())


def test_a_lease_is_held_for_as_long_as_work_goes_on(tmp_path):
    """Renewed in the background for many times its length, and given back at the end."""
    records = FileRecords(tmp_path)
    others = RecordLeases(records, holder="b")
    leases = RecordLeases(records, holder="a")
    with Keeper(leases, leases.acquire("shop", 0.6)) as keeper:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            keeper.check()
            assert others.acquire("shop", 0.6) is None
            time.sleep(0.05)
        keeper.confirm()
    assert others.acquire("shop", 0.6) is not None


def test_who_lost_it_is_told_and_leaves_it_alone(tmp_path):
    """Nothing may be written after somebody else took it, and their lease stays."""
    records = FileRecords(tmp_path)
    leases = RecordLeases(records, holder="a")
    keeper = Keeper(leases, leases.acquire("shop", 30))
    with keeper:
        records.delete("shop", records.read("shop").version)
        RecordLeases(records, holder="b").acquire("shop", 30)
        keeper.check()
        with pytest.raises(LostLeaseError):
            keeper.confirm()
        with pytest.raises(LostLeaseError):
            keeper.check()
    assert records.read("shop").holder == "b"


def test_a_store_that_does_not_answer_lets_it_lapse(tmp_path):
    """Without renewals a holder stops by itself before others may begin."""

    class Broken(FileRecords):
        def write(self, lease, expected):
            if expected is not None:
                raise OSError("no route to host")
            return super().write(lease, expected)

        def delete(self, name, expected):
            raise OSError("no route to host")

    leases = RecordLeases(Broken(tmp_path), holder="a")
    with Keeper(leases, leases.acquire("shop", 0.5)) as keeper:
        keeper.check()
        time.sleep(0.5)
        with pytest.raises(LostLeaseError):
            keeper.check()


def test_a_run_that_hangs_loses_it(tmp_path, monkeypatch):
    """Renewed is only while the work shows that it goes on."""
    monkeypatch.setattr(keeping, "STUCK", 0.1)
    records = FileRecords(tmp_path)
    leases = RecordLeases(records, holder="a")
    with Keeper(leases, leases.acquire("shop", 0.5)):
        assert RecordLeases(records, holder="b").acquire("shop", 0.5, patience=30) is not None
    assert threading.active_count() < 20
