"""Dead letters that somebody, or a failing disk, damaged: none vanishes, and none stops the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import spools

from mllog.shipping import Shipper, inspect, open_destination
from mllog.shipping.dead import DeadLetters, entries, line_of
from mllog.shipping.destinations.base import Refusal
from mllog.shipping.replay import replay
from mllog.shipping.segments import Batch, Line, parse

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "to"


def letters_of(folder: Path, key: str, count: int) -> Path:
    lines: list[Line] = []
    offset = 0
    for raw in spools.lines("a", count):
        line = parse(raw, offset)
        assert isinstance(line, Line)
        lines.append(line)
        offset += len(raw)
    batch = Batch("a", 1, 0, offset, lines, ingested="2026-11-23T10:00:00Z")
    letters = DeadLetters(folder, key)
    letters.keep(batch, dict.fromkeys(range(count), Refusal("no", 400)))
    return letters.folder / "a.ndjson"


def test_a_damaged_dead_letter_does_not_vanish(folder: Path, to: Path) -> None:
    """It is counted and kept, the others are delivered, and doing it again changes nothing."""
    shipper = Shipper(folder, open_destination(f"file:{to}"), give_up=0.0)
    path = letters_of(folder, shipper.destination.key, 10)
    raw = path.read_bytes().splitlines(keepends=True)
    raw[3] = raw[3][:50] + b"\0\0" + raw[3][60:]
    raw[5] = json.dumps({**json.loads(raw[5]), "original": '{"event":{"id":"cut'}).encode() + b"\n"
    path.write_bytes(b"".join(raw) + b'{"half')
    assert [letter is None for letter, _ in entries(path)].count(True) == 2
    result = replay(shipper)
    assert result == {"replayed": 8, "delivered": 8, "dead": 0, "corrupt": 3, "problem": None}
    kept = (folder / "_corrupt" / f"_dead-{shipper.destination.key}").glob("*.corrupt")
    assert sorted(part.read_bytes() for part in kept) == sorted([raw[3], raw[5], b'{"half'])
    (status,) = inspect(folder)
    # Half a line was no letter yet: the batch that it belongs to is sent again.
    assert (status.delivered, status.corrupt, status.dead) == (8, 2, 0)
    assert replay(Shipper(folder, open_destination(f"file:{to}"))) == dict.fromkeys(result, 0) | {"problem": None}


@pytest.mark.parametrize("change", [{"offset": "abc"}, {"offset": [1]}, {"segment": {}}, {"offset": None}], ids=str)
def test_a_letter_with_odd_numbers_is_sent_all_the_same(folder: Path, to: Path, change: dict[str, Any]) -> None:
    """They say where it stood, and nobody needs that to send it; nor do they stop new letters."""
    shipper = Shipper(folder, open_destination(f"file:{to}"), give_up=0.0)
    path = letters_of(folder, shipper.destination.key, 3)
    raw = path.read_bytes().splitlines(keepends=True)
    raw[1] = json.dumps({**json.loads(raw[1]), **change}).encode() + b"\n"
    path.write_bytes(b"".join(raw))
    line = parse(spools.line("new"), 9000)
    assert isinstance(line, Line)
    batch = Batch("a", 1, 9000, 9999, [line], ingested="2026-11-23T10:00:00Z", doubtful=True)
    assert DeadLetters(folder, shipper.destination.key).keep(batch, {0: Refusal("no")}) == 0
    assert replay(shipper)["delivered"] == 4


def test_a_letter_is_one_line() -> None:
    """More of them would be several events to whoever gets it."""
    line = spools.line("a").decode()
    assert line_of({"original": line}) is not None
    assert line_of({"original": line[:-1]}) is None
    assert line_of({"original": line.replace(",", ",\n", 1)}) is None
