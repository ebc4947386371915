"""What the doctor says of a folder's destinations: whether the counts add up, and what to do about what waits."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import pytest
from support import spools

from mllog.delivery.locks import Lock
from mllog.doctor.base import Subject
from mllog.doctor.checks.shipping import check
from mllog.shipping import Shipper, open_destination, ownership, registry

if TYPE_CHECKING:
    from pathlib import Path

    from mllog.doctor.base import Diagnosis


def examined(folder: Path) -> list[Diagnosis]:
    return list(check.run(Subject((folder,), (), {}, time.time())))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def nowhere() -> str:
    """A place at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return f"logstash+http://127.0.0.1:{held.getsockname()[1]}"


def ship(folder: Path, place: str, **options: bool) -> Shipper:
    shipper = Shipper(folder, open_destination(place), give_up=0.0, **options)
    shipper.run()
    return shipper


def test_counts_that_do_not_add_up_are_a_problem(folder: Path, tmp_path: Path) -> None:
    """Lines that were passed and that nothing accounts for: how many, of whom, and how to have them sent."""
    spools.spool(folder, "a", spools.lines("a", 30), segment_bytes=2000)
    spools.spool(folder, "b", spools.lines("b", 5))
    place = f"file:{tmp_path / 'to'}"
    key = ship(folder, place).destination.key
    assert [found.state for found in examined(folder)] == ["ok"]
    path = folder / "a" / f"{key}.checkpoint"
    held = json.loads(path.read_bytes())
    del held["checksum"]
    held["counts"]["delivered"] = 12
    path.write_bytes(json.dumps(held).encode())
    _, found = examined(folder)
    assert found.state == "problem"
    assert "18 lines that" in found.message
    assert found.figures["skipped"] == {"a": 18}
    assert str(path) in str(found.remedy)
    path.write_bytes(b"")
    ship(folder, place)
    assert [found.state for found in examined(folder)] == ["ok"]


def test_the_remedy_for_a_place_that_was_a_mistake(folder: Path, nowhere: str) -> None:
    """Nobody ships there by himself, so it isn't said; how to go on is, and how to be rid of it."""
    spools.spool(folder, "a", spools.lines("a", 5))
    key = ship(folder, nowhere).destination.key
    (found,) = examined(folder)
    assert (found.state, "nobody is shipping" in found.message) == ("problem", True)
    assert f"then mllog ship {folder} --to {nowhere};" in str(found.remedy)
    assert f"mllog ship {folder} --to {nowhere} --forget" in str(found.remedy)
    assert "by itself" not in str(found.remedy)
    lock = Lock(folder / "a" / f"{key}.lock")
    assert lock.acquire()
    assert "by itself" in str(examined(folder)[0].remedy)
    lock.release()
    # In a spool of that place its logger does it.
    ownership.claim(folder.parent / "new", nowhere)
    (folder.parent / "new" / "_spool.json").rename(folder / "_spool.json")
    assert "a logger of this spool sends what waits" in str(examined(folder)[0].remedy)


def test_what_is_kept_for_nobody_is_no_finding(folder: Path, tmp_path: Path, nowhere: str) -> None:
    """A copy may be behind, and miss segments; so may who is on the list of a spool that belongs to another."""
    spools.spool(folder, "a", spools.lines("a", 50), segment_bytes=2000)
    ship(folder, nowhere, copy=True)
    (found,) = examined(folder)
    assert (found.state, found.remedy) == ("ok", None)
    assert "50 not; nothing is kept for it" in found.message
    ship(folder, f"file:{tmp_path / 'to'}", delete=True)
    spools.spool(folder, "b", spools.lines("b", 5))
    ship(folder, f"file:{tmp_path / 'to'}")
    assert [found.state for found in examined(folder)] == ["ok", "ok"]
    registry.register(folder, open_destination(nowhere))
    assert "problem" in [found.state for found in examined(folder)]
    ownership.claim(tmp_path / "new", f"file:{tmp_path / 'to'}")
    (tmp_path / "new" / "_spool.json").rename(folder / "_spool.json")
    assert [found.state for found in examined(folder) if nowhere in found.message] == ["ok"]
