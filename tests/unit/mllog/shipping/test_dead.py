from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from support import spools

from mllog.fields import EVENT
from mllog.shipping.dead import DeadLetters, append, line_of, read, renewed
from mllog.shipping.destinations.base import Refusal
from mllog.shipping.destinations.elasticsearch import _tombstone
from mllog.shipping.segments import Batch, Line, parse

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-11-23T10:00:00Z"


def batch(process: str, count: int, *, doubtful: bool = False) -> Batch:
    lines: list[Line] = []
    offset = 0
    for raw in spools.lines(process, count):
        line = parse(raw, offset)
        assert isinstance(line, Line)
        lines.append(line)
        offset += len(raw)
    return Batch(process, 1, 0, offset, lines, ingested=AT, doubtful=doubtful)


def ids(letters: DeadLetters) -> list[str]:
    return sorted(letter["id"] for path in letters.folder.glob("*.ndjson") for letter in read(path))


def test_a_letter_holds_the_event_and_the_reason(tmp_path: Path) -> None:
    """The line comes back byte for byte, and who refused it why is said."""
    letters = DeadLetters(tmp_path, "key")
    assert letters.count() == 0
    sent = batch("p", 3)
    assert letters.keep(sent, {1: Refusal("too wide", 400)}) == 0
    (letter,) = read(letters.folder / "p.ndjson")
    assert (letter["reason"], letter["status"], letter["refused"], letter["id"]) == ("too wide", 400, AT, "p-1")
    found = line_of(letter)
    assert found is not None
    assert found.data == sent.lines[1].data
    assert letters.count() == 1


def test_a_batch_that_was_sent_before_is_not_kept_twice(tmp_path: Path) -> None:
    """A shipper that was killed between keeping and noting keeps nothing again, of this process or one like it."""
    letters = DeadLetters(tmp_path, "key")
    letters.keep(batch("p", 3), {0: Refusal("x"), 2: Refusal("x")})
    letters.keep(batch("p.2", 3), {1: Refusal("x")})
    letters.keep(batch("p", 3, doubtful=True), {0: Refusal("x"), 1: Refusal("x"), 2: Refusal("x")})
    assert ids(letters) == ["p-0", "p-1", "p-2", "p.2-1"]


def test_half_a_letter_is_cut_off(tmp_path: Path) -> None:
    """What a killed process left of a line doesn't spoil the next one."""
    path = tmp_path / "p.ndjson"
    append(path, b'{"id":"a","original":"x"}\n')
    with path.open("ab") as file:
        file.write(b'{"id":"b","orig')
    append(path, b'{"id":"c","original":"x"}\n')
    assert [letter["id"] for letter in read(path)] == ["a", "c"]


def test_a_bound_is_kept(tmp_path: Path) -> None:
    """Beyond it nothing is kept, and the caller is told so."""
    letters = DeadLetters(tmp_path, "key", limit=1000)
    lost = [letters.keep(batch(f"p{k}", 2), dict.fromkeys(range(2), Refusal("x"))) for k in range(5)]
    assert lost[-1] == 2
    assert letters.count() == 10 - sum(lost) >= 1
    assert sum(path.stat().st_size for path in letters.folder.glob("*.ndjson")) <= 1000


def test_a_replay_keeps_what_is_refused_again(tmp_path: Path) -> None:
    """Taken files come again until they are put back; new letters go to a file of their own meanwhile."""
    letters = DeadLetters(tmp_path, "key")
    letters.keep(batch("p", 3), dict.fromkeys(range(3), Refusal("x")))
    (path,) = letters.take()
    letters.keep(batch("q", 1), {0: Refusal("x")})
    letters.keep(batch("p", 4), {3: Refusal("x")})
    assert letters.count() == 5
    # Killed here: the next replay takes the same, and the new ones.
    assert path in list(letters.take())
    letters.begin(path)
    letters.add(path, [renewed(letter, Refusal("y", 400), AT) for letter in read(path) if letter["id"] == "p-1"])
    letters.put_back(path)
    assert letters.count() == 3
    again = {letter["id"]: letter["reason"] for path in letters.take() for letter in read(path)}
    assert again == {"p-1": "y", "q-0": "x", "p-3": "x"}
    for path in letters.take():
        letters.begin(path)
        letters.put_back(path)
    assert letters.count() == 0


def test_names_do_not_grow(tmp_path: Path) -> None:
    """However often it is replayed, a file keeps one number."""
    letters = DeadLetters(tmp_path, "key")
    letters.keep(batch("p", 1), {0: Refusal("x")})
    for _ in range(3):
        (path,) = letters.take()
        letters.begin(path)
        letters.add(path, list(read(path)))
        letters.put_back(path)
        assert [path.name for path in letters.folder.glob("*.ndjson")] == ["p.r1.ndjson"]


def test_one_replay_at_a_time(tmp_path: Path) -> None:
    """Whoever comes second is told."""
    letters = DeadLetters(tmp_path, "key")
    first = letters.busy()
    assert first is not None
    assert letters.busy() is None
    first.release()
    assert letters.busy() is not None


@pytest.mark.parametrize("raw", [b"nonsense\n", b"[]\n", b'{"id":"a"}\n', b'{"original":1}\n'])
def test_what_is_no_letter_is_passed_over(tmp_path: Path, raw: bytes) -> None:
    """A file that somebody edited doesn't stop a replay."""
    path = tmp_path / "p.ndjson"
    path.write_bytes(raw + b'{"original":"no event"}\n')
    (letter,) = read(path)
    assert line_of(letter) is None


def test_what_is_said_of_a_dead_letter_is_in_the_table_of_fields() -> None:
    """So that the index template knows it, and nobody indexes a whole event as a keyword."""
    known = {field.name: field for field in EVENT}
    document = orjson.loads(_tombstone(batch("p", 1).lines[0], Refusal("no", 400), AT).splitlines()[1])

    def names(value: object, path: str) -> set[str]:
        if not isinstance(value, dict):
            return {path}
        return {name for key, item in value.items() for name in names(item, f"{path}.{key}" if path else key)}

    assert names(document, "") - set(known) == set()
    assert not known["event.original"].index


def test_dead_letters_are_no_events_to_who_reads_the_folder(tmp_path: Path) -> None:
    """A folder that is shipped and watched at once has each event once, whatever became of it on its way."""
    from watchers.stores._segments import Segments

    events = [
        spools.line(f"p-{k}", ml={"model": {"name": "m", "version": "1"}, "card": None, "inputs": {"number": {"k": k}}})
        for k in range(3)
    ]
    spools.spool(tmp_path, "p", events)
    DeadLetters(tmp_path, "key").keep(batch("p", 3), {1: Refusal("x")})
    segments = Segments(tmp_path)
    segments.refresh()
    assert list(segments.files) == ["p/00000001.ndjson"]
    assert sum(entry.events for entry in segments.files.values()) == 3
    assert sum(entry.rejected for entry in segments.files.values()) == 0
