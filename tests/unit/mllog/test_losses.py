"""What a process says of its losses: every one is in an event that was taken, or still to be said; never in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllog.delivery.lastword import LastWord
from mllog.delivery.ledger import Ledger
from mllog.delivery.losses import Losses
from mllog.delivery.queue import Queue
from mllog.delivery.sinks import MemorySink
from mllog.events import Record
from mllog.logger import ModelLogger

if TYPE_CHECKING:
    from pathlib import Path


def made() -> tuple[Ledger, Queue, Losses]:
    ledger = Ledger()
    queue = Queue(10**6, "drop_new", ledger.drop)
    return ledger, queue, Losses(ledger, queue, lambda: Record("metric", "ledger", 0, "id", 0))


@given(st.lists(st.one_of(st.integers(1, 50), st.sampled_from(["make", "take", "half", "lose", "other"])), max_size=60))
def test_each_drop_is_said_once(steps: list[int | str]) -> None:
    """Whatever is dropped, made, taken in part, or lost with the rest."""
    ledger, _, losses = made()
    lines: list[int] = []  # how many dropped ones each line tells that wasn't taken yet
    count = taken = told = 0

    def take(number: int) -> None:
        nonlocal taken, told
        told += sum(lines[:number])
        del lines[:number]
        taken += number
        losses.taken(taken)

    for step in steps:
        if isinstance(step, int):
            ledger.drop(step)
        elif step == "other":
            count += 1
            lines.append(0)
        elif step == "make":
            record = losses.next(count + 1)
            if record is not None:
                count += 1
                body = record.body
                assert isinstance(body, dict)
                lines.append(int(body["metric"]["value"]))
        elif step == "take":
            take(len(lines))
        elif step == "half":
            take(len(lines) // 2)
        else:
            ledger.drop(len(lines))
            taken += len(lines)
            lines.clear()
            losses.take_back()
        assert told + losses.unsaid == ledger.dropped
    while (record := losses.next(count + 1)) is not None:
        count += 1
        assert isinstance(record.body, dict)
        lines.append(int(record.body["metric"]["value"]))
    take(len(lines))
    assert (told, losses.unsaid) == (ledger.dropped, 0)


def test_a_count_that_was_lost_is_said_again() -> None:
    """An event that says so may be among what a sink refuses: what it said comes with the next one that is taken."""

    class Refusing(MemorySink):
        refused = 2

        def write(self, lines: bytes) -> None:
            if self.refused:
                self.refused -= 1
                raise OSError("not now")
            super().write(lines)

    sink = Refusing()
    log = ModelLogger("model", version="1", sink=sink, flush_interval=3600, resources=0)
    log._engine._ledger.drop(7)
    log._engine._queue.accepted += 7
    assert not log.flush()  # the announcement, and the event that says 7, are made
    assert not log.close(timeout=0)
    (event,) = map(orjson.loads, sink.lines)
    status = log.status()
    assert event["ml"]["metric"] == {"name": "mllog.dropped", "value": 9.0, "unit": "events"}
    assert (status.accepted, status.written, status.dropped) == (10, 1, 9)
    assert event["ml"]["sequence"]["number"] == 10


@given(st.booleans(), st.lists(st.integers(0, 2**63), min_size=5, max_size=5))
def test_a_word_needs_no_more_room_than_none(closed: bool, counts: list[int]) -> None:
    """Any counts, always as many bytes: what is overwritten fits."""
    word = LastWord(closed, *counts)
    assert len(word.content()) == len(LastWord().content())
    assert word.numbered == sum(counts[:4])


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0" * 256, b"{}", b"[]", b"1", b"process 5 on host\n", b'{"closed":true,"written":-1}',
        b'{"closed":true,"written":1.5}', b'{"closed":true,"more":1}', b'{"closed":true,"written":true}',
        LastWord(True, 5).content()[:40],
    ],
)  # fmt: skip
def test_what_is_no_word(tmp_path: Path, content: bytes) -> None:
    """Other versions' files, and what a disk made of them, say nothing."""
    (tmp_path / "writer.lock").write_bytes(content)
    assert LastWord.read(tmp_path / "writer.lock") is None
    assert LastWord.read(tmp_path / "absent") is None
    (tmp_path / "writer.lock").write_bytes(LastWord(True, 5, 4, 3, 2, 1).content())
    assert LastWord.read(tmp_path / "writer.lock") == LastWord(True, 5, 4, 3, 2, 1)
