"""What may have arrived without a word of it is asked for, and what can't have isn't for long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import spools

from mllog.shipping import Shipper, doubt, open_destination
from mllog.shipping.checkpoint import Checkpoint
from mllog.shipping.doubt import Doubt
from mllog.shipping.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.shipping.segments import Batch

MOST = 6
LINES = 40


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """So few lines at once that forty are many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doubt, "MOST_LINES", MOST)
        yield


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    """Everything before ``position`` was dealt with, and parts of one batch; the checkpoint is at ``start``."""
    position = draw(st.integers(0, LINES))
    refused = draw(st.sets(st.integers(0, LINES - 1)))
    end = draw(st.integers(position, min(position + MOST, LINES)))
    part = draw(st.sets(st.integers(position, max(position, end - 1))))
    there = {k for k in range(position) if k not in refused} | {k for k in part if k < end and k not in refused}
    return {
        "there": there,
        "refused": refused,
        "start": draw(st.integers(0, position)),
        "sizes": draw(st.lists(st.integers(1, MOST), min_size=LINES, max_size=LINES)),
    }


@given(history=histories())
@example(history={"there": {MOST - 1}, "refused": set(), "start": 0, "sizes": [MOST - 1] + [1] * LINES})
def test_nothing_that_is_there_is_sent_without_asking(history: dict[str, Any]) -> None:
    """Whatever was refused, whichever part of the last batch arrived, and however lines come in batches now."""
    careful = Doubt(Checkpoint(Path("nowhere"), "place", 1, settled=False), (1, LINES))
    at = history["start"]
    asked = 0
    for size in history["sizes"]:
        lines = range(at, min(at + size, LINES))
        found = history["there"].intersection(lines)
        if careful.covers(1, at):
            asked += len(lines)
            taken = len(set(lines) - history["refused"])
            careful.answered(taken, asked=True, found=len(found))
        else:
            assert not found
            careful.answered(len(lines), asked=False, found=0)
        at += len(lines)
    last = max(history["there"], default=-1)
    # What can't be there is asked for no longer than need be: refused lines say nothing.
    if not history["refused"]:
        assert asked <= max(last + 1 - history["start"], 0) + 3 * MOST


def test_where_it_can_not_be_asked_all_is_in_doubt(tmp_path: Path) -> None:
    """Up to what was there at the beginning."""
    careful = Doubt(Checkpoint(tmp_path / "x.checkpoint", "place", 1, settled=False), (2, 50))
    for at in range(0, 500, 10):
        assert careful.covers(1, at)
        careful.answered(10, asked=False, found=0)
    assert careful.covers(2, 49)
    assert not careful.covers(2, 50)
    assert not careful.covers(2, 60)


def test_a_lost_checkpoint_leaves_all_in_doubt(tmp_path: Path) -> None:
    """A store deletes what is old, so that the first isn't there says nothing of the others; the next one knows too."""
    checkpoint = Checkpoint(tmp_path / "x.checkpoint", "place", lost=True)
    careful = Doubt(checkpoint, (2, 50))
    for at in range(0, 500, 10):
        assert careful.covers(1, at)
        careful.answered(10, asked=True, found=0)
    checkpoint.save()
    following = Doubt(Checkpoint.load(checkpoint.path, "place"), (9, 9))
    assert following.covers(2, 40)
    assert not following.covers(2, 50)


def test_a_settled_one_leaves_none(tmp_path: Path) -> None:
    """Nor one that was never written."""
    assert not Doubt(Checkpoint(tmp_path / "x.checkpoint", "place", 1, settled=True), (2, 50)).covers(1, 0)
    assert not Doubt(Checkpoint.load(tmp_path / "x.checkpoint", "place"), (2, 50)).covers(1, 0)


class Asked:
    """A second folder that notes which lines were said to be in doubt."""

    def __init__(self, spool: Path, to: Path, **options: Any) -> None:
        self.shipper = Shipper(spool, open_destination(f"file:{to}"), give_up=0.0, **options)
        self.doubtful: list[bool] = []
        self.states: list[bytes] = []
        self.path = spool / "a" / f"{self.shipper.destination.key}.checkpoint"
        send = self.shipper.destination.send

        def noted(batch: Batch) -> Any:
            self.doubtful += [batch.doubtful] * len(batch.lines)
            self.states.append(self.path.read_bytes())
            return send(batch)

        self.shipper.destination.send = noted  # type: ignore[method-assign]


def test_an_older_checkpoint_leaves_all_that_was_sent_in_doubt(tmp_path: Path) -> None:
    """As a loss of power leaves it: that of the first batch, when all had been sent; and again, if it is stopped."""
    spool, to = tmp_path / "spool", tmp_path / "to"
    events = spools.lines("a", 60)
    writer = spools.spool(spool, "a", events, segment_bytes=3000, closed=False)
    first = Asked(spool, to, limits=Limits(lines=4))
    first.shipper.run()
    assert not any(first.doubtful)
    assert json.loads(first.path.read_bytes())["settled"] is True
    assert not any(json.loads(state)["settled"] for state in first.states)
    first.path.write_bytes(first.states[0])
    stopped = Asked(spool, to, limits=Limits(lines=4))
    send = stopped.shipper.destination.send

    def stop(batch: Batch) -> Any:
        if len(stopped.doubtful) > 10:
            stopped.shipper.stop.set()
        return send(batch)

    stopped.shipper.destination.send = stop  # type: ignore[method-assign]
    stopped.shipper.run()
    for event in spools.lines("b", 30):
        writer.write(event)
    following = Asked(spool, to, limits=Limits(lines=4))
    following.shipper.run()
    assert len(stopped.doubtful) + len(following.doubtful) == 90
    assert all(stopped.doubtful)
    # Those that came later are asked for until it is clear that they can't be there.
    left = 60 - len(stopped.doubtful)
    assert all(following.doubtful[:left])
    assert following.doubtful[left + 3 * MOST :] == [False] * (30 - 3 * MOST)
    assert spools.read(to) == [*events, *spools.lines("b", 30)]
    assert json.loads(following.path.read_bytes())["settled"] is True
    writer.close()
