"""What somebody, or a failing disk, does to the files of a spool: nothing is skipped, nothing vanishes, all is said."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import spools
from support.receivers import logstash

import mllog
from mllog.errors import PlaceError
from mllog.shipping import Shipper, accounts, inspect, open_destination, registry, segments
from mllog.shipping.checkpoint import Checkpoint
from mllog.shipping.courier import Limits
from mllog.shipping.destinations.copies import Copy
from mllog.shipping.ownership import is_within
from mllog.shipping.segments import Segments, processes
from mllog.shipping.shipper import TURN

if TYPE_CHECKING:
    from collections.abc import Callable


def ship(folder: Path, to: Path, **options: Any) -> Shipper:
    """Ship what is there to another folder."""
    shipper = Shipper(folder, open_destination(f"file:{to}"), give_up=0.0, **options)
    shipper.run()
    return shipper


def checkpoint_of(folder: Path, shipper: Shipper) -> Path:
    return folder / "a" / f"{shipper.destination.key}.checkpoint"


def older(path: Path, **change: Any) -> bytes:
    """A checkpoint as a version wrote it that knew no checksums, with other values."""
    held = {**json.loads(path.read_bytes()), **change}
    for name in ("checksum", "settled", "doubt"):
        del held[name]
    path.write_bytes(json.dumps(held).encode())
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "to"


def test_no_spelling_makes_the_spool_a_destination(tmp_path: Path, folder: Path) -> None:
    """Links, dots, folders within and folders around: shipping there would go round and round."""
    spools.spool(folder, "a", spools.lines("a", 5))
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "up").symlink_to(tmp_path)
    for spelt in (f"{tmp_path}/link", f"{tmp_path}/nowhere/../spool", f"{folder}/in/it", f"{tmp_path}/up", "/"):
        with pytest.raises(PlaceError, match="beside the spool"):
            ship(folder, Path(spelt))
    with pytest.raises(PlaceError, match="the spool itself"):
        ship(tmp_path / "link", folder)
    assert not is_within(tmp_path / "spool-2", folder)
    assert ship(folder, tmp_path / "spool-2").counts.delivered == 5
    assert spools.read(folder) == spools.lines("a", 5)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:40]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"version": 1', b'"version": 9')),
    ],
    ids=["deleted", "cut", "empty", "another version"],
)
def test_a_second_folder_has_nothing_twice_without_a_checkpoint(
    folder: Path, to: Path, spoil: Callable[[Path], object]
) -> None:
    """The files there are looked at, from their beginning, in several segments and batches; new lines still come."""
    events = spools.lines("a", 5000)
    writer = spools.spool(folder, "a", events, segment_bytes=300_000, closed=False)
    first = ship(folder, to)
    writer.write(spools.line("late"))
    writer.close()
    spoil(checkpoint_of(folder, first))
    again = ship(folder, to)
    assert spools.read(to) == [*events, spools.line("late")]
    assert (again.counts.delivered, again.counts.duplicates) == (5001, 5000)


def test_an_old_checkpoint_writes_nothing_twice(folder: Path, to: Path) -> None:
    """After a loss of power a checkpoint may be older than the copy by many batches."""
    events = spools.lines("a", 300)
    spools.spool(folder, "a", events)
    path = checkpoint_of(folder, ship(folder, to))
    for done in (0, 17, 150):
        older(path, segment=1, offset=len(b"".join(events[:done])), intent=None)
        assert ship(folder, to).counts.duplicates == 300 - done
        assert spools.read(to) == events


def test_a_copy_with_a_hole_is_filled(tmp_path: Path) -> None:
    """Whatever order lines stand in, those that are there are known, and half a line is none."""
    path = tmp_path / "copy"
    events = spools.lines("a", 9)
    path.write_bytes(events[7] + events[1] + events[2] + b'{"half')
    copy = Copy(path)
    assert copy.missing(events[:3]) == [events[0]]
    assert copy.missing(events[3:]) == [*events[3:7], events[8]]
    assert copy.missing(events[1:3]) == []
    assert path.read_bytes() == events[7] + events[1] + events[2]


def test_a_batch_that_comes_again_is_known(folder: Path, to: Path) -> None:
    """Where no checkpoint can be kept, one run may send it twice by itself, and doesn't say that it may be there."""
    events = spools.lines("a", 5)
    spools.spool(folder, "a", events)
    destination = open_destination(f"file:{to}")
    batch = Segments(folder / "a").read(1, 0, max_bytes=10**6, max_lines=10, finished=True)
    assert batch is not None
    assert not batch.doubtful
    assert [destination.send(batch).duplicates for _ in range(3)] == [0, 5, 5]
    destination.close()
    assert spools.read(to) == events


def test_a_checkpoint_that_can_not_be_kept_is_said(folder: Path, to: Path) -> None:
    """All is delivered, once in a second folder, and the reason why it will be sent again is named each time."""
    events = spools.lines("a", 500)
    spools.spool(folder, "a", events)
    key = open_destination(f"file:{to}").key
    # A folder by that name: nothing can be renamed over it.
    (folder / "a" / f"{key}.checkpoint" / "x").mkdir(parents=True)
    for _ in range(2):
        shipper = ship(folder, to)
        assert shipper.counts.delivered == 500
        assert shipper.problem is None
        assert shipper.unkept is not None
        assert "can't be noted" in str(shipper.reason)
        assert spools.read(to) == events


def test_a_list_of_destinations_that_can_not_be_written_is_said(folder: Path, to: Path) -> None:
    """Somebody who deletes would not know of us."""
    spools.spool(folder, "a", spools.lines("a", 5))
    (folder / "_destinations").write_text("")
    shipper = ship(folder, to)
    assert (shipper.counts.delivered, "can't be noted" in str(shipper.reason)) == (5, True)


@pytest.mark.parametrize(
    "change",
    [
        {"offset": 10**9},
        {"segment": 99, "offset": 0},
        {"offset": 999},
        {"intent": {"start": 0, "end": 10**15, "ingested": "2026-11-23T10:00:00Z"}},
        {"intent": {"start": 0, "end": 999, "ingested": "2026-11-23T10:00:00Z"}},
        {"intent": {"start": 1, "end": 1, "ingested": "2026-11-23T10:00:00Z"}},
        {"intent": {"start": 0, "end": 10, "ingested": "soon"}},
        {"intent": {"start": 0, "end": 10, "ingested": 5}},
        {"last_error_at": "x"},
        {"last_success": "abc"},
        {"last_error": 5},
        {"counts": {"delivered": True}},
        {"counts": {"eaten": 5}},
        {"counts": None},
        {"known": [[1, 10**15]]},
        {"known": "all"},
        {"segment": -1},
        {"offset": 1.5},
    ],
    ids=str,
)
def test_a_checkpoint_that_can_not_be_right_is_not_believed(folder: Path, to: Path, change: dict[str, Any]) -> None:
    """Everything is sent, from the start; what was wrong is said, counted and kept."""
    spools.spool(folder, "a", spools.lines("a", 1000), segment_bytes=100_000)
    first = ship(folder, to)
    path = checkpoint_of(folder, first)
    spoilt = older(path, **{"segment": 1, "offset": 0, "counts": {}, **change})
    (status,) = inspect(folder)
    assert (status.pending_lines, status.last_error_at) == (1000, None)
    for copy in to.rglob("*.*"):
        copy.unlink()
    again = ship(folder, to)
    assert again.reason is None
    assert (again.counts.delivered, again.counts.restarts) == (1000, 1)
    assert spools.read(to) == spools.lines("a", 1000)
    (status,) = inspect(folder)
    assert (status.delivered, status.pending_lines, status.restarts) == (1000, 0, 1)
    (kept,) = (folder / "_corrupt" / "a").glob("*.checkpoint-*.corrupt")
    assert kept.read_bytes() == spoilt
    assert "checkpoint" in json.loads(kept.with_suffix(".reason.json").read_text())["reason"]
    assert ship(folder, to).counts.restarts == 0


def test_a_position_at_the_end_is_right(folder: Path, to: Path) -> None:
    """Behind the last segment, at the end of an open one, and where all segments are gone."""
    writer = spools.spool(folder, "a", spools.lines("a", 5), closed=False)
    shipper = ship(folder, to)
    path = checkpoint_of(folder, shipper)
    name = shipper.destination.name
    assert not Checkpoint.load(path, name).lost
    writer.close()
    ship(folder, to)
    assert (Checkpoint.load(path, name).segment, Checkpoint.load(path, name).lost) == (2, False)
    for segment in (folder / "a").glob("0*"):
        segment.unlink()
    assert not Checkpoint.load(path, name).lost


@pytest.mark.parametrize("content", [b"", b"garbage", b"{}", b'{"holds": false}', None], ids=str)
def test_a_destination_whose_file_is_damaged_keeps_its_hold(
    folder: Path, to: Path, tmp_path: Path, content: bytes | None
) -> None:
    """Nothing is deleted that it may need, it is said whose file it is, and shipping there once more mends it."""
    events = spools.lines("a", 20)
    spools.spool(folder, "a", events, segment_bytes=1000)
    other = tmp_path / "other"
    other.write_text("")  # it can't be reached: its folder is a file
    first = ship(folder, other)
    path = folder / "_destinations" / f"{first.destination.key}.json"
    held = json.loads(path.read_bytes())
    damaged = json.dumps({**held, "holds": "no"}).encode() if content is None else content
    path.write_bytes(damaged)
    shipper = ship(folder, to, delete=True)
    assert spools.read(folder) == events
    assert shipper.counts.delivered == 20
    (warning,) = shipper.warnings
    assert str(path) in warning
    assert first.destination.name in warning
    assert path.read_bytes() == damaged
    assert {status.destination: status.pending_lines for status in inspect(folder)} == {
        shipper.destination.name: 0,
        first.destination.name: 20,
    }
    other.unlink()
    mended = ship(folder, other, delete=True)
    assert "written anew" in mended.warnings[0]
    assert spools.read(other) == events
    assert processes(folder) == []
    assert [entry.unreadable for entry in registry.entries(folder)] == [None, None]
    (kept,) = (folder / "_corrupt" / "_destinations").glob("*.corrupt")
    assert kept.read_bytes() == damaged


def test_a_damaged_destination_that_left_no_checkpoint_is_forgotten_by_hand(folder: Path, to: Path) -> None:
    """Its name is nowhere any more: its key is said instead, and everything is kept until it is forgotten."""
    spools.spool(folder, "a", spools.lines("a", 5))
    (folder / "_destinations").mkdir()
    (folder / "_destinations" / "gone-1.json").write_bytes(b"\0" * 20)
    assert "gone-1" in ship(folder, to, delete=True).warnings[0]
    assert len(spools.read(folder)) == 5
    assert registry.forget(folder, "gone-1")
    assert ship(folder, to, delete=True).warnings == []
    assert processes(folder) == []


def test_a_copy_that_can_not_be_sealed_is_not_tried_again_at_once(folder: Path, to: Path) -> None:
    """A disk that is full for the checksum alone ends a run, or makes one that follows wait, like any other failure."""
    spools.spool(folder, "a", spools.lines("a", 20), segment_bytes=2000)
    (to / "a" / "00000001.ndjson.sha256" / "x").mkdir(parents=True)  # nothing can be renamed over it
    shipper = Shipper(folder, open_destination(f"file:{to}"), give_up=0.0)
    calls = 0
    passed = shipper.destination.passed

    def counted(process: str, segment: int) -> None:
        nonlocal calls
        calls += 1
        assert calls < 10
        passed(process, segment)

    shipper.destination.passed = counted  # type: ignore[method-assign]
    shipper.run()
    assert shipper.reason is not None
    assert inspect(folder)[0].last_error == shipper.reason


def test_segments_that_are_deleted_before_their_time_are_counted(folder: Path, to: Path) -> None:
    """Between two runs, wholly or in part; numbers that a writer left out are none."""
    spools.spool(folder, "a", spools.lines("a", 100), segment_bytes=1500)
    (folder / "a" / "00000004.ndjson").unlink()  # before anybody came
    to.write_text("")
    assert ship(folder, to).counts.missing_segments == 0
    to.unlink()
    for number in (2, 3, 7):
        (folder / "a" / f"{number:08d}.ndjson").unlink()
    shipper = ship(folder, to)
    assert shipper.counts.missing_segments == 3
    assert "deleted before" in str(shipper.reason)
    assert inspect(folder)[0].missing_segments == 3
    assert ship(folder, to).reason is None


def test_segments_that_were_delivered_and_deleted_are_not_missing(folder: Path, to: Path, tmp_path: Path) -> None:
    """Neither for the one that deletes nor for the others, while a writer goes on and after it died."""
    other = tmp_path / "other"
    registry.register(folder, open_destination(f"file:{other}"))
    writer = spools.spool(folder, "a", spools.lines("a", 30), segment_bytes=1500, closed=False)
    for k in range(20):
        for place in (to, other, to):
            shipper = ship(folder, place, delete=True)
            assert (shipper.counts.missing_segments, shipper.reason) == (0, None)
        for event in spools.lines(f"b{k}", 7):
            writer.write(event)
        if k % 3 == 0:
            writer.seal()
    writer.leave()  # as if it had died
    for place in (to, other, to):
        assert ship(folder, place, delete=True).reason is None
    assert processes(folder) == []
    assert spools.read(to) == spools.read(other)
    assert [(found.delivered, found.missing_segments) for found in inspect(folder)] == [(170, 0), (170, 0)]


def test_an_empty_segment_of_a_writer_that_died_is_not_missing(folder: Path, to: Path, tmp_path: Path) -> None:
    """It held nothing; the one that deletes it and the one that comes later both know."""
    spools.spool(folder, "a", spools.lines("a", 3))
    (folder / "a" / "00000002.ndjson").touch()
    other = tmp_path / "other"
    registry.register(folder, open_destination(f"file:{other}"))
    for place in (to, other, to, other):
        shipper = ship(folder, place, delete=True)
        assert (shipper.counts.missing_segments, shipper.reason) == (0, None)
    assert processes(folder) == []
    assert [found.missing_segments for found in inspect(folder)] == [0, 0]


def test_a_segment_is_held_against_its_checksum_before_it_goes(folder: Path, to: Path) -> None:
    """One that was changed after its lines had been sent, even where a turn ends at its last line."""
    writer = spools.spool(folder, "a", spools.lines("a", TURN), closed=False)
    assert ship(folder, to).counts.delivered == TURN
    writer.close()
    path = folder / "a" / "00000001.ndjson"
    changed = path.read_bytes().replace(b"success", b"failure", 1)
    path.write_bytes(changed)
    shipper = ship(folder, to, delete=True, limits=Limits(lines=1))
    assert (shipper.counts.delivered, shipper.counts.corrupt, shipper.counts.corrupt_segments) == (0, 0, 1)
    assert (folder / "_corrupt" / "a" / "00000001.corrupt").read_bytes() == changed
    assert processes(folder) == []


def test_nothing_is_sent_of_a_segment_that_is_not_what_was_written(folder: Path, to: Path) -> None:
    """Not one line of it, be it the first one or what was left when it was sealed; the others are."""
    events = spools.lines("a", 30)
    writer = spools.spool(folder, "a", events[:20], closed=False)
    assert ship(folder, to).counts.delivered == 20
    for event in events[20:]:
        writer.write(event)
    writer.close()
    spools.spool(folder, "b", spools.lines("b", 60), segment_bytes=3000)
    for path in (folder / "a" / "00000001.ndjson", folder / "b" / "00000002.ndjson"):
        path.write_bytes(path.read_bytes().replace(b"success", b"failure"))
    altered = len((folder / "b" / "00000002.ndjson").read_bytes().splitlines())
    shipper = ship(folder, to, limits=Limits(lines=7))
    counts = shipper.counts
    assert (counts.delivered, counts.corrupt, counts.corrupt_segments) == (60 - altered, 10 + altered, 2)
    assert b"failure" not in b"".join(spools.read(to))
    reason = json.loads((folder / "_corrupt" / "a" / "00000001.reason.json").read_text())["reason"]
    assert f"from byte {len(b''.join(events[:20]))} on" in reason
    (status,) = inspect(folder)
    assert (status.delivered + status.corrupt, status.pending_lines) == (90, 0)
    assert accounts.skipped(folder, registry.entries(folder)[0]) == {}
    assert ship(folder, to).counts.corrupt_segments == 0


@pytest.mark.parametrize("content", [b"", b"garbage", b"0" * 64], ids=str)
def test_a_checksum_that_can_not_be_read_is_said(folder: Path, to: Path, content: bytes) -> None:
    """Nobody can say that the segment is right: it is sent, since each line is looked at, counted and kept."""
    events = spools.lines("a", 20)
    spools.spool(folder, "a", events)
    (folder / "a" / "00000001.ndjson.sha256").write_bytes(content)
    shipper = ship(folder, to)
    assert (shipper.counts.delivered, shipper.counts.corrupt_segments) == (20, 1)
    assert spools.read(to) == events
    assert "checksum can't be read" in (folder / "_corrupt" / "a" / "00000001.reason.json").read_text()


def test_a_segment_is_read_once_for_its_checksum(folder: Path, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many batches it takes."""
    spools.spool(folder, "a", spools.lines("a", 60), segment_bytes=4000)
    numbers = Segments(folder / "a").numbers()
    read: list[int] = []
    seal = Segments.seal

    def noted(self: Segments, number: int) -> Any:
        read.append(number)
        return seal(self, number)

    monkeypatch.setattr(Segments, "seal", noted)
    ship(folder, to, limits=Limits(lines=2))
    assert read == numbers
    assert len(numbers) > 2


def test_a_checkpoint_that_was_changed_is_not_believed(folder: Path, to: Path) -> None:
    """Whatever was changed in it, be it to values that could be right: nothing is skipped."""
    spools.spool(folder, "a", spools.lines("a", 40), segment_bytes=4000)
    writer = spools.spool(folder, "b", spools.lines("b", 9), closed=False)
    first = ship(folder, to)
    path = checkpoint_of(folder, first)
    held = json.loads(path.read_bytes())
    line = len(spools.line("a-0"))
    for name, value in {
        "segment": held["segment"] - 1,
        "offset": 5 * line,
        "counts": {**held["counts"], "delivered": 39},
        "settled": False,
        "doubt": [1, 0],
        "known": [[1, 1]],
        "last_error": "no",
        "checksum": "0" * 64,
        "more": 1,
    }.items():
        path.write_bytes(json.dumps({**held, name: value}).encode())
        found = Checkpoint.load(path, first.destination.name)
        assert (found.lost, found.segment) == (True, 0), name
        assert "checksum" in found.why
    path.write_bytes(json.dumps(held).encode())  # other white space is the same
    assert not Checkpoint.load(path, first.destination.name).lost
    assert ship(folder, to).counts.restarts == 0
    writer.close()


def test_an_older_checkpoint_is_read(folder: Path, to: Path) -> None:
    """A version before had no checksum: what it had delivered isn't sent again."""
    events = spools.lines("a", 20)
    writer = spools.spool(folder, "a", events[:12], closed=False)
    older(checkpoint_of(folder, ship(folder, to)))
    for event in events[12:]:
        writer.write(event)
    writer.close()
    again = ship(folder, to)
    assert (again.counts.delivered, again.counts.restarts) == (8, 0)
    assert spools.read(to) == events


def test_what_was_skipped_is_found_by_the_counts(folder: Path, to: Path) -> None:
    """An older checkpoint, changed to where a line begins, skips events: the counts don't account for them."""
    spools.spool(folder, "a", [*spools.lines("a", 50), b"no event\n"], segment_bytes=3000)
    last = Segments(folder / "a").numbers()[-1]
    shipper = Shipper(folder, open_destination(f"file:{to}"), limits=Limits(lines=1))
    while shipper.round():
        (entry,) = registry.entries(folder)
        assert accounts.skipped(folder, entry) == {}
    shipper.close()
    assert (shipper.counts.delivered, shipper.counts.corrupt) == (50, 1)
    path = checkpoint_of(folder, shipper)
    counts = {**json.loads(path.read_bytes())["counts"], "delivered": 13}
    older(path, segment=last + 1, offset=0, counts=counts)
    assert accounts.skipped(folder, entry) == {"a": 37}
    assert ship(folder, to).counts.delivered == 0
    path.write_bytes(b"")  # what the doctor says to do
    assert ship(folder, to).counts.delivered == 50
    assert accounts.skipped(folder, entry) == {}


def test_the_only_copy_is_not_deleted_for_standard_output(folder: Path, to: Path) -> None:
    """Nobody can say that it was read, so somebody else must have it."""
    spools.spool(folder, "a", spools.lines("a", 5))
    with pytest.raises(PlaceError, match="no copy"):
        Shipper(folder, open_destination("stdout:"), delete=True)
    ship(folder, to)
    shipper = Shipper(folder, open_destination("stdout:"), delete=True, give_up=0.0)
    registry.forget(folder, open_destination(f"file:{to}").key)
    shipper.run()
    assert len(spools.read(folder)) == 5


def test_a_folder_that_is_a_link_is_cleared(folder: Path, to: Path, tmp_path: Path) -> None:
    """What is ours goes, and the link; what somebody else keeps there stays."""
    spools.spool(folder, "a", spools.lines("a", 5))
    elsewhere = tmp_path / "elsewhere"
    (folder / "a").rename(elsewhere)
    (folder / "a").symlink_to(elsewhere)
    (elsewhere / "notes.txt").write_text("mine")
    shipper = ship(folder, to, delete=True)
    assert shipper.reason is None
    assert not (folder / "a").is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == ["notes.txt"]
    assert [found.delivered for found in inspect(folder)] == [5]


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is, a few blocks of it are held at once."""
    monkeypatch.setattr(segments, "LINE_BYTES", 2 * 2**20)
    (tmp_path / "p").mkdir()
    with (tmp_path / "p" / "00000001.ndjson").open("wb") as file:
        file.truncate(64 * 2**20)
        file.seek(0, 2)
        file.write(b"\n" + spools.line("a"))
    tracemalloc.start()
    try:
        batch = Segments(tmp_path / "p").read(1, 0, max_bytes=2**20, max_lines=10, finished=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert batch is not None
    assert "more than 2097152 bytes" in batch.corrupt[0].reason
    assert peak < 12 * 2**20


def test_a_logger_with_a_damaged_list_goes_on(tmp_path: Path) -> None:
    """Its thread tells of it and delivers what comes."""
    (tmp_path / "spool" / "_destinations").mkdir(parents=True)
    (tmp_path / "spool" / "_destinations" / "x.json").write_text("{")
    with (
        logstash() as receiver,
        mllog.ModelLogger("m", version="1", sink=receiver.place(), spool=tmp_path / "spool") as log,
    ):
        for k in range(3):
            before = len(receiver.lines)
            log.prediction({"k": k}, {"score": 0.5})
            deadline = time.monotonic() + 20
            # By the thread itself, and not by what is done at the end.
            while len(receiver.lines) == before:
                assert time.monotonic() < deadline
                time.sleep(0.01)
