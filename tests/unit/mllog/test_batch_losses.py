"""What becomes of a batch: bounds, losses, processes and threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mllog
from mllog.card import ModelCard
from mllog.integrations.batch import SLICE_ROWS, SLICE_SHARE
from mllog.testing import Captured, capture_events

if TYPE_CHECKING:
    from pathlib import Path

N = 2 * SLICE_ROWS + 500
MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table, "mapping": dict}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def columns(n: int = N) -> dict[str, list[Any]]:
    return {"number": [k / 8 for k in range(n)], "integer": list(range(n)), "text": [f"text {k}" for k in range(n)]}


def entries(captured: Captured) -> list[Any]:
    """What waits in the queue."""
    return [entry for entry in captured.log._engine._queue._records if entry.rows > 1]


def lines_of(folder: Path) -> list[bytes]:
    return [line for path in sorted(folder.glob("*/*.ndjson")) for line in path.read_bytes().splitlines()]


@makers
def test_a_large_frame_is_held_in_slices(make: Any) -> None:
    """No entry of the queue has more than its rows, nor more than its share of the bound."""
    with capture_events(flush_interval=3600, max_bytes=100_000, overflow="drop_new") as captured:
        captured.log.batch(make(columns()))
        waiting = entries(captured)
        assert all(entry.rows <= SLICE_ROWS and entry.size <= 100_000 / SLICE_SHARE for entry in waiting)
        assert captured.log.status().queue_bytes <= 100_000
        assert sum(entry.rows for entry in waiting) < N  # else the bound was not reached


@pytest.mark.parametrize("overflow", ["drop_new", "drop_old"])
def test_every_dropped_row_is_counted(overflow: str) -> None:
    """Rows beyond the bound are dropped by the rule, counted one by one, and their numbers are missing."""
    with capture_events(flush_interval=3600, max_bytes=100_000, overflow=overflow) as captured:
        ids = captured.log.batch(pl.DataFrame(columns()))
        captured.log.prediction({"last": 1})
        queued = captured.log.status().queued
        events = captured.events()
        status = captured.log.status()
    predictions = [
        event for event in events if event["event"]["action"] == "predict" and "last" not in str(event["ml"]["inputs"])
    ]
    (loss,) = [event for event in events if event["event"]["action"] == "ledger"]
    assert len(ids) == N
    assert status.dropped > 0
    assert status.accepted == status.written + status.dropped
    assert queued == status.written - 1  # but for the event of losses
    assert loss["ml"]["metric"]["value"] == status.dropped
    kept = [event["ml"]["inputs"]["number"]["integer"] for event in predictions]
    assert kept == sorted(set(kept))
    assert (kept[0] == 0) if overflow == "drop_new" else (kept == list(range(N - len(kept), N)))
    numbers = {event["ml"]["sequence"]["number"] for event in events}
    assert len(numbers) == status.accepted - status.dropped


def test_block_waits_for_room() -> None:
    """With ``overflow="block"`` a batch that is larger than the queue loses nothing while the writer keeps up."""
    with capture_events(max_bytes=200_000, overflow="block", flush_interval=0.001) as captured:
        captured.log.batch(pl.DataFrame(columns(20_000)))
        assert len(captured.events("prediction")) == 20_000
        assert captured.log.status().dropped == 0


def test_durable_batches_are_on_disk_at_once(tmp_path: Path) -> None:
    """``durable="each"``: every row is in its file before the call returns."""
    with mllog.ModelLogger("model", version="1", sink=tmp_path, durable="each", max_bytes=100_000, resources=0) as log:
        ids = log.batch(pl.DataFrame(columns()))
        lines = lines_of(tmp_path)
    assert [orjson.loads(line)["event"]["id"] for line in lines[1:]] == ids


def test_batches_after_close_are_written(tmp_path: Path) -> None:
    """As for single events: late, and not lost."""
    log = mllog.ModelLogger("model", version="1", sink=tmp_path, resources=0)
    log.close()
    ids = log.batch(pl.DataFrame(columns(10)))
    assert [orjson.loads(line)["event"]["id"] for line in lines_of(tmp_path)][-10:] == ids


def test_sampled_batches() -> None:
    """With a draw each row is decided on by itself; those that are left out are counted, and have an id all the same."""
    with capture_events(sampling=mllog.Sampling(0.5, always=(), seed=1)) as captured:
        ids = captured.log.batch(pl.DataFrame(columns(200)))
        events = captured.events("prediction")
        status = captured.log.status()
    assert len(set(ids)) == 200
    assert 0 < len(events) < 200
    assert status.sampled_out == 200 - len(events)
    assert {event["ml"]["weight"] for event in events} == {2.0}


def test_a_policy_holds_for_batches() -> None:
    """What the card's policy keeps back of a single event it keeps back of a row."""
    frame = {
        "distance": [50.0, -999.0],
        "carrier": ["UA", "secret"],
        "remarks": ["late", "private"],
        "extra": ["x", "y"],
        "id": ["p", "q"],
    }
    train = pd.DataFrame({name: [values[0]] * 30 for name, values in frame.items() if name not in {"extra", "id"}})
    policy = {"features": {"carrier": "drop"}, "ids": "drop"}
    card = ModelCard.from_frame(train, model="model", version="1", text=["remarks"], policy=policy)
    with capture_events(card=card) as whole, capture_events(card=card) as single:
        whole.log.batch(pl.DataFrame(frame), id="id")
        for *values, key in zip(*frame.values(), strict=True):
            single.log.prediction(dict(zip(frame, values, strict=False)), id=key)
        told, expected = whole.events("prediction"), single.events("prediction")
        assert b"private" not in b"".join(whole.lines)
        assert b"secret" not in b"".join(whole.lines)
    for event in (*told, *expected):
        del event["event"]["id"], event["@timestamp"], event["ml"]["sequence"]
    assert told == expected


KILLED = """
import os, signal, sys
import polars
import mllog
log = mllog.ModelLogger("model", version="1", sink=sys.argv[1], durable="each", resources=0)
ids = log.batch(polars.DataFrame({"x": [float(k) for k in range(5_000)]}))
os.write(1, "\\n".join(ids).encode())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_no_row_that_was_written(tmp_path: Path) -> None:
    """After ``kill -9`` every row of a durable batch is there once, on a whole line."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, check=False)
    assert done.returncode == -9
    events = [orjson.loads(line) for line in lines_of(tmp_path)]
    ids = [event["event"]["id"] for event in events if event["event"]["action"] == "predict"]
    assert ids == done.stdout.decode().splitlines()
    assert len(ids) == 5_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_children_write_their_own_rows(tmp_path: Path) -> None:
    """What waits in the parent is written by the parent, once; the child numbers its own rows from one."""
    script = """
import os, sys
import polars
import mllog
log = mllog.ModelLogger("model", version="1", sink=sys.argv[1], flush_interval=3600, resources=0)
frame = polars.DataFrame({"x": [float(k) for k in range(3_000)]})
log.batch(frame)
child = os.fork()
log.batch(frame.select(polars.col("x") + 3_000))
log.close()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, str(tmp_path)], check=True)
    told: dict[str, list[float]] = {}
    for line in lines_of(tmp_path):
        event = orjson.loads(line)
        if event["event"]["action"] == "predict":
            told.setdefault(event["ml"]["sequence"]["process"], []).append(event["ml"]["inputs"]["number"]["x"])
    child, parent = sorted(told.values(), key=len)
    assert parent == [float(k) for k in range(6_000)]
    assert child == [float(k) for k in range(3_000, 6_000)]


def test_concurrent_batches_and_events(captured: Captured) -> None:
    """Threads that log at once: every row is there once, and no number is given twice."""

    def batches() -> None:
        for _ in range(3):
            captured.log.batch(pl.DataFrame(columns(700)))

    def events() -> None:
        for k in range(300):
            captured.log.prediction({"x": k})

    threads = [threading.Thread(target=target) for target in (batches, events, batches, events)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = captured.events()
    assert len(told) == 2 * 3 * 700 + 2 * 300 + 1
    assert len({event["event"]["id"] for event in told}) == len(told)
    assert sorted(event["ml"]["sequence"]["number"] for event in told) == list(range(1, len(told) + 1))


def test_rows_that_wait_at_exit_are_written(tmp_path: Path) -> None:
    """A script that logs a batch and ends: every row is on disk."""
    script = """
import sys
import polars
import mllog
log = mllog.ModelLogger("model", version="1", sink=sys.argv[1], flush_interval=3600, resources=0)
log.batch(polars.DataFrame({"x": [float(k) for k in range(3_000)]}))
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert sum(b'"predict"' in line for line in lines_of(tmp_path)) == 3_000
