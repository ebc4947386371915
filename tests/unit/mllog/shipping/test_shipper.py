from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import spools

from mllog.delivery.locks import Lock
from mllog.errors import PlaceError
from mllog.shipping import Shipper, ShipStatus, inspect, open_destination, registry
from mllog.shipping.courier import Limits
from mllog.shipping.segments import processes

if TYPE_CHECKING:
    from collections.abc import Iterator


def ship(folder: Path, to: Path, **options: object) -> Shipper:
    """Ship what is there to another folder."""
    shipper = Shipper(folder, open_destination(f"file:{to}"), give_up=0.0, **options)  # type: ignore[arg-type]
    shipper.run()
    return shipper


def status(folder: Path) -> ShipStatus:
    (found,) = inspect(folder)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "to"


def test_everything_arrives_byte_for_byte(folder: Path, to: Path) -> None:
    """The second folder holds the same lines in segments of the same names, sealed as they were."""
    events = [spools.lines(name, 40) for name in ("a", "b")]
    for name, lines in zip("ab", events, strict=True):
        spools.spool(folder, name, lines, segment_bytes=2000)
    (folder / "_cards").mkdir()
    shipper = ship(folder, to, limits=Limits(bytes=500, lines=3))
    assert shipper.problem is None
    assert spools.read(to) == spools.read(folder) == events[0] + events[1]
    assert sorted(path.relative_to(to) for path in to.rglob("*.sha256")) == sorted(
        path.relative_to(folder) for path in folder.rglob("*.sha256")
    )
    for path in to.rglob("*.sha256"):
        data = path.with_suffix("").read_bytes()
        assert path.read_text() == f"{hashlib.sha256(data).hexdigest()}  {path.stem}\n"
    found = status(folder)
    assert (found.delivered, found.pending_lines, found.pending_bytes, found.running) == (80, 0, 0, False)


def test_shipping_twice_changes_nothing(folder: Path, to: Path) -> None:
    """A checkpoint says that all has been shipped; what is written later is all that comes."""
    writer = spools.spool(folder, "a", spools.lines("a", 5), closed=False)
    assert ship(folder, to).counts.delivered == 5
    assert ship(folder, to).counts.delivered == 0
    writer.write(spools.line("late"))
    assert ship(folder, to).counts.delivered == 1
    assert len(spools.read(to)) == 6
    writer.close()


def test_each_destination_has_its_own_checkpoint(folder: Path, to: Path, tmp_path: Path) -> None:
    """What one has is still news to another."""
    spools.spool(folder, "a", spools.lines("a", 5))
    assert ship(folder, to).counts.delivered == 5
    assert ship(folder, tmp_path / "other").counts.delivered == 5
    assert [found.delivered for found in inspect(folder)] == [5, 5]


def test_corrupt_lines_are_counted_and_kept_aside(folder: Path, to: Path) -> None:
    """Good lines around a bad one arrive; the bad ones are kept with the reason beside them."""
    good = spools.lines("a", 4)
    process = folder / "a"
    process.mkdir(parents=True)
    content = good[0] + b"nonsense\n" + b"nonsense\n" + good[1] + b'{"no":"id"}\n' + good[2] + good[3] + b'{"half'
    (process / "00000001.ndjson").write_bytes(content)
    os.utime(process / "00000001.ndjson", (1, 1))
    shipper = ship(folder, to)
    assert spools.read(to) == good
    assert (shipper.counts.delivered, shipper.counts.corrupt) == (4, 4)
    kept = {path.name: path.read_bytes() for path in (folder / "_corrupt" / "a").glob("*.corrupt")}
    assert sorted(kept.values()) == sorted([b"nonsense\nnonsense\n", b'{"no":"id"}\n', b'{"half'])
    for name, data in kept.items():
        reason = json.loads((folder / "_corrupt" / "a" / name).with_suffix(".reason.json").read_text())
        assert content[reason["offset"] :][: reason["length"]] == data
        assert reason["reason"]
    found = status(folder)
    assert (found.delivered, found.corrupt, found.pending_lines) == (4, 4, 0)
    assert ship(folder, to).counts.corrupt == 0


def test_a_changed_segment_is_told_by_its_checksum(folder: Path, to: Path) -> None:
    """None of its lines arrives, they and it are counted, and it is kept whole."""
    spools.spool(folder, "a", spools.lines("a", 4))
    path = folder / "a" / "00000001.ndjson"
    changed = path.read_bytes().replace(b"success", b"failure", 1)
    path.write_bytes(changed)
    shipper = ship(folder, to)
    assert (shipper.counts.delivered, shipper.counts.corrupt, shipper.counts.corrupt_segments) == (0, 4, 1)
    assert spools.read(to) == []
    assert (folder / "_corrupt" / "a" / "00000001.corrupt").read_bytes() == changed
    assert "checksum" in (folder / "_corrupt" / "a" / "00000001.reason.json").read_text()


def test_a_segment_that_was_cut_short_is_told_too(folder: Path, to: Path) -> None:
    """Half a line at the end of a sealed segment never arrives as an event, nor what is before it."""
    events = spools.lines("a", 4)
    spools.spool(folder, "a", events)
    path = folder / "a" / "00000001.ndjson"
    path.write_bytes(path.read_bytes()[:-5])
    shipper = ship(folder, to)
    assert spools.read(to) == []
    assert (shipper.counts.delivered, shipper.counts.corrupt, shipper.counts.corrupt_segments) == (0, 4, 1)


def test_many_corrupt_parts_are_kept_as_one(folder: Path, to: Path) -> None:
    """A segment of rubbish doesn't become thousands of files."""
    process = folder / "a"
    process.mkdir(parents=True)
    (process / "00000001.ndjson").write_bytes(b"".join(spools.line(f"a-{k}") + b"x\n" for k in range(300)))
    shipper = ship(folder, to)
    assert (shipper.counts.delivered, shipper.counts.corrupt) == (300, 300)
    assert len(list((folder / "_corrupt" / "a").glob("00000001-*.corrupt"))) == 100
    assert (folder / "_corrupt" / "a" / "00000001.corrupt").exists()


def test_one_shipper_at_a_time(folder: Path, to: Path) -> None:
    """Whoever holds the lock ships; others leave the folder alone and say what is left."""
    spools.spool(folder, "a", spools.lines("a", 4))
    destination = open_destination(f"file:{to}")
    lock = Lock(folder / "a" / f"{destination.key}.lock")
    assert lock.acquire()
    shipper = ship(folder, to)
    assert shipper.counts.delivered == 0
    assert (shipper.status().pending_lines, shipper.status().running) == (4, True)
    lock.release()
    assert ship(folder, to).counts.delivered == 4


def test_delete_waits_for_every_destination(folder: Path, to: Path, tmp_path: Path) -> None:
    """A segment goes when all have it; the folder of a process that has ended goes with its last one, counted."""
    spools.spool(folder, "a", spools.lines("a", 20), segment_bytes=1000)
    other = tmp_path / "other"
    registry.register(folder, open_destination(f"file:{other}"))
    ship(folder, to, delete=True)
    assert len(spools.read(folder)) == 20
    ship(folder, other, delete=True)
    assert processes(folder) == []
    assert spools.read(to) == spools.read(other)
    assert [found.delivered for found in inspect(folder)] == [20, 20]
    assert all(entry.folded == [] for entry in registry.entries(folder))


def test_a_destination_that_is_forgotten_holds_nothing_back(folder: Path, to: Path, tmp_path: Path) -> None:
    """Segments aren't kept for somebody who will never come again."""
    spools.spool(folder, "a", spools.lines("a", 5))
    gone = open_destination(f"file:{tmp_path / 'gone'}")
    registry.register(folder, gone)
    assert registry.forget(folder, gone.key)
    assert not registry.forget(folder, gone.key)
    ship(folder, to, delete=True)
    assert processes(folder) == []


def test_standard_output_holds_nothing_back(folder: Path, to: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Nobody can say that it was read: it gets the lines, and no segment is kept for it."""
    events = spools.lines("a", 5)
    spools.spool(folder, "a", events)
    Shipper(folder, open_destination("stdout:"), give_up=0.0).run()
    assert capsysbinary.readouterr().out == b"".join(events)
    ship(folder, to, delete=True)
    assert processes(folder) == []


def test_an_open_segment_is_never_deleted(folder: Path, to: Path) -> None:
    """Its writer goes on with it; the sealed ones before it go."""
    writer = spools.spool(folder, "a", spools.lines("a", 20), segment_bytes=1000, closed=False)
    ship(folder, to, delete=True)
    (left,) = (folder / "a").glob("*.ndjson")
    writer.write(spools.line("late"))
    assert left.read_bytes().endswith(spools.line("late"))
    ship(folder, to, delete=True)
    writer.close()
    ship(folder, to, delete=True)
    assert processes(folder) == []
    assert len(spools.read(to)) == 21
    assert status(folder).delivered == 21


def test_a_killed_folding_is_finished_once(folder: Path, to: Path) -> None:
    """Somebody counted a folder and was killed before removing it: it is removed, and counted once."""
    spools.spool(folder, "a", spools.lines("a", 5))
    shipper = ship(folder, to)
    key = shipper.destination.key
    for _ in range(2):
        registry.fold(folder, key, {"a": (shipper.counts, None)})
    assert status(folder).delivered == 5
    for path in (folder / "a").glob("0*"):
        path.unlink()
    ship(folder, to)
    assert processes(folder) == []
    assert (status(folder).delivered, registry.entries(folder)[0].folded) == (5, [])


def test_a_batch_that_was_on_its_way_is_not_written_twice(folder: Path, to: Path) -> None:
    """Killed between writing and noting it, the folder is looked at before the batch is sent again."""
    events = spools.lines("a", 30)
    spools.spool(folder, "a", events)
    shipper = Shipper(folder, open_destination(f"file:{to}"), give_up=0.0, limits=Limits(lines=10))
    checkpoint = folder / "a" / f"{shipper.destination.key}.checkpoint"
    states: list[bytes] = []
    send = shipper.destination.send

    def remembered(batch: object) -> object:
        states.append(checkpoint.read_bytes())
        return send(batch)  # type: ignore[arg-type]

    shipper.destination.send = remembered  # type: ignore[method-assign,assignment]
    shipper.run()
    for done, state in enumerate(states):
        # As if the process had ended when this many batches and half of the next line had been written.
        checkpoint.write_bytes(state)
        half = len(b"".join(events[: 10 * done + 5])) + 20
        copy = to / "a" / "00000001.ndjson"
        copy.write_bytes(b"".join(events)[:half])
        again = ship(folder, to)
        assert spools.read(to) == events
        assert (again.counts.delivered, again.counts.duplicates) == (30 - 10 * done, 5)


def test_a_lost_checkpoint_sends_everything_again(folder: Path, to: Path) -> None:
    """Nothing is skipped where nobody can say how far it had got."""
    events = spools.lines("a", 5)
    spools.spool(folder, "a", events)
    shipper = ship(folder, to)
    (folder / "a" / f"{shipper.destination.key}.checkpoint").write_bytes(b"")
    again = ship(folder, to)
    assert (again.counts.delivered, again.counts.duplicates) == (5, 5)
    assert spools.read(to) == events


def test_the_spool_itself_is_no_destination(folder: Path) -> None:
    """Shipping a folder to itself would never end."""
    folder.mkdir()
    with pytest.raises(PlaceError, match="the spool itself"):
        Shipper(folder, open_destination(f"file:{folder}"))


def test_a_folder_that_can_not_be_written_to_is_said(folder: Path, tmp_path: Path) -> None:
    """The problem is named, nothing counts as delivered, and the next run delivers it."""
    spools.spool(folder, "a", spools.lines("a", 5))
    (tmp_path / "file").write_text("")
    shipper = ship(folder, tmp_path / "file")
    assert "file" in str(shipper.problem)
    found = shipper.status()
    assert (found.delivered, found.pending_lines, found.failing) == (0, 5, True)
    assert "Not a directory" in str(found.last_error) or "File exists" in str(found.last_error)
    (tmp_path / "file").unlink()
    assert ship(folder, tmp_path / "file").counts.delivered == 5


def test_the_lag_is_that_of_the_oldest_event(folder: Path, to: Path) -> None:
    """What waits is counted, and how long the first of it has waited."""
    spools.spool(folder, "a", spools.lines("a", 5))
    registry.register(folder, open_destination(f"file:{to}"))
    moment = 1_795_428_000.0 + 90  # 2026-11-23T10:01:30Z
    (found,) = inspect(folder, now=moment)
    assert (found.pending_lines, found.lag) == (5, 90.0)
    ship(folder, to)
    (found,) = inspect(folder, now=moment)
    assert (found.pending_lines, found.lag) == (0, None)


def test_a_folder_that_is_not_shipped_has_no_status(folder: Path) -> None:
    """Neither one that isn't there."""
    assert inspect(folder) == []
    spools.spool(folder, "a", spools.lines("a", 5))
    assert inspect(folder) == []


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_following_ships_what_is_written_meanwhile(folder: Path, to: Path, stop: threading.Event) -> None:
    """Segments that begin, are sealed and deleted under a running shipper all arrive, once."""
    shipper = Shipper(folder, open_destination(f"file:{to}"), stop=stop, delete=True)
    thread = threading.Thread(target=shipper.run, kwargs={"follow": True})
    thread.start()
    events: list[bytes] = []
    for k in range(6):
        lines = spools.lines(f"p{k}", 50)
        events += lines
        spools.spool(folder, f"p{k}", lines, segment_bytes=1500)
    while shipper.counts.delivered < 300 or processes(folder):
        assert not stop.wait(0.01)
        assert thread.is_alive()
    stop.set()
    thread.join()
    assert sorted(spools.read(to)) == sorted(events)
    assert status(folder).delivered == 300


def test_a_seal_that_cannot_be_written_ends_patience(folder: Path, to: Path) -> None:
    """A destination that takes lines and can't finish a segment isn't asked for ever."""
    spools.spool(folder, "a", spools.lines("a", 5))
    (to / "a" / "00000001.ndjson.sha256" / "in the way").mkdir(parents=True)
    shipper = ship(folder, to)
    assert "sha256" in str(shipper.problem) or str(to) in str(shipper.problem)
    assert len(spools.read(to)) == 5
