from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import spools

from mllog.delivery.spool import Spool
from mllog.shipping import segments as module
from mllog.shipping.segments import Batch, Corrupt, Line, Segments, parse, processes

if TYPE_CHECKING:
    from pathlib import Path


def everything(segments: Segments, number: int, *, max_bytes: int, max_lines: int, finished: bool) -> list[Batch]:
    batches: list[Batch] = []
    while True:
        start = batches[-1].end if batches else 0
        batch = segments.read(number, start, max_bytes=max_bytes, max_lines=max_lines, finished=finished)
        if batch is None:
            return batches
        assert batch.end > batch.start == start
        batches.append(batch)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\n", "an empty line"),
        (b"nonsense\n", "not JSON"),
        (b'{"event":{"id":"a"},"x":NaN}\n', "not JSON"),
        (b'{"event":{"id":"\xff"}}\n', "not JSON"),
        (b"[1]\n", "no JSON object"),
        (b'{"event":"a"}\n', "no JSON object"),
        (b'{"event":{"id":1}}\n', "no event.id"),
        (b'{"event":{"id":""}}\n', "no event.id"),
    ],
)
def test_what_is_no_event_says_why(data: bytes, reason: str) -> None:
    """Only a JSON object with a text event.id is an event."""
    found = parse(data, 7)
    assert isinstance(found, Corrupt)
    assert (found.offset, found.length, found.lines) == (7, len(data), 1)
    assert found.reason.startswith(reason)


def test_an_event_tells_where_it_goes() -> None:
    """Dataset and namespace are known where they are texts."""
    found = parse(spools.line("a"), 3)
    assert isinstance(found, Line)
    assert (found.offset, found.id, found.dataset, found.namespace) == (3, "a", "mllog.prediction.m", "default")
    odd = parse(b'{"event":{"id":"a","dataset":1,"ingested":"x"},"data_stream":[]}\n', 0)
    assert isinstance(odd, Line)
    assert (odd.dataset, odd.namespace, odd.stamped) == (None, None, True)


PIECES = st.lists(
    st.one_of(
        st.integers(0, 999).map(lambda k: spools.line(f"id-{k}")),
        st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"") + b"\n"),
    ),
    max_size=12,
)


@given(pieces=PIECES, tail=st.binary(max_size=30), max_bytes=st.integers(1, 400), max_lines=st.integers(1, 5))
def test_batches_tile_any_segment(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], tail: bytes, max_bytes: int, max_lines: int
) -> None:
    """Whatever a file holds, every byte of it is in one event or one corrupt part, in order, and events are whole."""
    folder = tmp_path_factory.mktemp("spool") / "p"
    folder.mkdir()
    tail = tail.replace(b"\n", b"")
    content = b"".join(pieces) + tail
    (folder / "00000001.ndjson").write_bytes(content)
    batches = everything(Segments(folder), 1, max_bytes=max_bytes, max_lines=max_lines, finished=True)
    parts = sorted(
        [(line.offset, len(line.data)) for batch in batches for line in batch.lines]
        + [(part.offset, part.length) for batch in batches for part in batch.corrupt]
    )
    ends = [offset + length for offset, length in parts]
    assert [offset for offset, _ in parts] == [0, *ends][: len(parts)]
    assert (ends[-1] if ends else 0) == len(content)
    good = [raw for raw in pieces if isinstance(parse(raw, 0), Line)]
    assert [line.data for batch in batches for line in batch.lines] == good
    lines = sum(part.lines for batch in batches for part in batch.corrupt)
    assert lines == len(pieces) - len(good) + bool(tail)
    assert all(len(batch.lines) <= max_lines for batch in batches)


def test_the_open_segment_is_read_up_to_its_last_line_feed(tmp_path: Path) -> None:
    """Half a line is left alone while its writer may finish it."""
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "00000001.ndjson").write_bytes(spools.line("a") + b'{"event"')
    segments = Segments(folder)
    (batch,) = everything(segments, 1, max_bytes=10**6, max_lines=10, finished=False)
    assert [line.id for line in batch.lines] == ["a"]
    assert segments.read(1, batch.end, max_bytes=10**6, max_lines=10, finished=False) is None


def test_a_line_may_be_longer_than_a_batch(tmp_path: Path) -> None:
    """The bound is of batches; a long event comes alone."""
    folder = tmp_path / "p"
    folder.mkdir()
    long = spools.line("long", message="x" * 5000)
    (folder / "00000001.ndjson").write_bytes(spools.line("a") + long + spools.line("b"))
    batches = everything(Segments(folder), 1, max_bytes=300, max_lines=10, finished=False)
    assert [[line.id for line in batch.lines] for batch in batches] == [["a"], ["long"], ["b"]]


def test_a_line_without_bound_is_corrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of nothing but zeros isn't read into memory; what comes after the next line feed is good again."""
    monkeypatch.setattr(module, "LINE_BYTES", 3 * 2**20)
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "00000001.ndjson").write_bytes(bytes(10 * 2**20) + b"\n" + spools.line("a"))
    batches = everything(Segments(folder), 1, max_bytes=2**20, max_lines=10, finished=False)
    assert [(part.offset, part.length) for part in batches[0].corrupt] == [(0, 10 * 2**20 + 1)]
    assert [line.id for line in batches[1].lines] == ["a"]


def test_who_is_a_process(tmp_path: Path) -> None:
    """Folders that begin with an underscore or a dot, and files, are something else."""
    for name in ("a", "_cards", ".cache"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("")
    assert processes(tmp_path) == ["a"]
    assert processes(tmp_path / "nowhere") == []


def test_only_segments_are_numbered(tmp_path: Path) -> None:
    """Checksums, checkpoints, temporary files and names of another form are no segments."""
    folder = tmp_path / "p"
    folder.mkdir()
    for name in ("00000002.ndjson", "00000010.ndjson", "00000002.ndjson.sha256", "000000003.ndjson", "1.ndjson", "x"):
        (folder / name).write_text("")
    (folder / "100000000.ndjson").write_text("")
    assert Segments(folder).numbers() == [2, 10, 100000000]


def test_a_checksum_tells_a_changed_segment(tmp_path: Path) -> None:
    """One that fits is intact, one that doesn't was altered; one that can't be read and none at all are told apart."""
    spools.spool(tmp_path, "p", spools.lines("p", 3))
    segments = Segments(tmp_path / "p")
    assert segments.is_sealed(1)
    assert segments.seal(1) == "intact"
    path = segments.path(1)
    path.write_bytes(path.read_bytes().replace(b'"1"', b'"2"', 1))
    assert segments.seal(1) == "altered"
    path.with_name(f"{path.name}.sha256").write_bytes(b"")
    assert segments.seal(1) == "unreadable"
    path.with_name(f"{path.name}.sha256").unlink()
    assert segments.seal(1) == "open"


@given(pieces=st.lists(st.binary(max_size=9), max_size=9), start=st.integers(0, 40), length=st.integers(0, 40))
def test_lines_are_counted(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], start: int, length: int
) -> None:
    """Between any two positions, half a line at the end included."""
    folder = tmp_path_factory.mktemp("spool") / "p"
    folder.mkdir()
    content = b"\n".join(pieces)
    (folder / "00000001.ndjson").write_bytes(content)
    part = content[start : start + length]
    assert Segments(folder).count(1, start, start + length) == len(part.split(b"\n")) - (part[-1:] in {b"", b"\n"})
    rest = content[start:]
    assert Segments(folder).count(1, start) == len(rest.split(b"\n")) - (rest[-1:] in {b"", b"\n"})


def test_a_writer_that_lives_is_known_by_its_lock(tmp_path: Path) -> None:
    """A writer holds a lock until it closes; a lock that nobody holds says that it died."""
    writer = spools.spool(tmp_path, "p", spools.lines("p", 1), closed=False)
    segments = Segments(tmp_path / "p")
    assert segments.is_written()
    writer.close()
    assert not segments.is_written()


def test_segments_of_somebody_without_locks_are_given_time(tmp_path: Path) -> None:
    """A folder that is being copied has no lock: its last file counts as written to until it is left alone."""
    folder = tmp_path / "p"
    folder.mkdir()
    path = folder / "00000001.ndjson"
    path.write_bytes(b'{"event')
    segments = Segments(folder)
    assert segments.is_written()
    os.utime(path, (1, 1))
    assert not segments.is_written()


def test_lines_are_mllogs_own(tmp_path: Path) -> None:
    """What the spool was given comes out byte for byte."""
    events = spools.lines("p", 50)
    spools.spool(tmp_path, "p", events, segment_bytes=1000)
    segments = Segments(tmp_path / "p")
    found = [
        line.data
        for number in segments.numbers()
        for batch in everything(segments, number, max_bytes=500, max_lines=3, finished=True)
        for line in batch.lines
    ]
    assert found == events
    assert json.loads(found[0])["event"]["id"] == "p-0"


def test_a_spool_that_was_closed_can_be_written_again(tmp_path: Path) -> None:
    """Late events begin a new segment, under the lock again."""
    writer = Spool(tmp_path, "p")
    writer.write(spools.line("a"))
    writer.close()
    writer.write(spools.line("b"))
    assert Segments(tmp_path / "p").is_written()
    writer.close()
    assert Segments(tmp_path / "p").numbers() == [1, 2]
