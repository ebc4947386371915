from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllog.shipping.checkpoint import Checkpoint, Counts, Intent

if TYPE_CHECKING:
    from pathlib import Path

NAME = "logstash+http://host:8080"


def full(path: Path) -> Checkpoint:
    return Checkpoint(
        path, NAME, 3, 17, Counts(delivered=5, dead=1), Intent(17, 40, "2026-11-23T10:00:00Z"), 1.5, "it broke", 2.5
    )


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    """Position, counts, the batch on its way and the last trouble are all kept."""
    path = tmp_path / "key.checkpoint"
    full(path).save()
    found = Checkpoint.load(path, NAME)
    expected = full(path)
    for name in ("segment", "offset", "counts", "intent", "last_success", "last_error", "last_error_at", "lost"):
        assert getattr(found, name) == getattr(expected, name), name
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.checkpoint"]


def test_another_destinations_checkpoint_does_not_count(tmp_path: Path) -> None:
    """What one place has says nothing of another."""
    path = tmp_path / "key.checkpoint"
    full(path).save()
    found = Checkpoint.load(path, "file:/elsewhere")
    assert (found.segment, found.offset, found.counts) == (0, 0, Counts())


@pytest.mark.parametrize("spoil", ["version", "segment", "offset", "counts", "intent"])
def test_a_checkpoint_that_makes_no_sense_is_none(tmp_path: Path, spoil: str) -> None:
    """Everything is sent again, and known to be lost, so that a store is asked first what it has."""
    path = tmp_path / "key.checkpoint"
    full(path).save()
    held: dict[str, Any] = orjson.loads(path.read_bytes())
    held[spoil] = "nonsense"
    path.write_bytes(orjson.dumps(held))
    found = Checkpoint.load(path, NAME)
    assert (found.segment, found.offset, found.lost) == (0, 0, True)


@given(content=st.binary(max_size=200))
def test_any_file_is_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """A checkpoint that a power cut spoilt never stops anybody."""
    path = tmp_path_factory.mktemp("c") / "key.checkpoint"
    path.write_bytes(content)
    assert Checkpoint.load(path, NAME).offset == 0


def test_none_is_fresh_and_not_lost(tmp_path: Path) -> None:
    """Where nobody ever shipped, nothing has arrived."""
    assert not Checkpoint.load(tmp_path / "no.checkpoint", NAME).lost


def test_what_was_seen_and_is_gone(tmp_path: Path) -> None:
    """Segments with something in them count, those behind the position; what was shipped to its end doesn't."""
    for number in (1, 2, 3):
        (tmp_path / f"{number:08d}.ndjson").write_bytes(b"{}\n" if number < 3 else b"")
    checkpoint = Checkpoint(tmp_path / "key.checkpoint", NAME, 1)
    assert checkpoint.see([1, 2, 3]) == 0
    checkpoint.save()
    checkpoint = Checkpoint.load(checkpoint.path, NAME)
    assert checkpoint.known == [1, 2]
    assert checkpoint.see([1]) == 1
    checkpoint.offset = 3
    assert checkpoint.see([]) == 0
    assert checkpoint.see([5, 6, 9]) == 0
    checkpoint.segment, checkpoint.offset = 6, 0
    assert checkpoint.see([7]) == 2
