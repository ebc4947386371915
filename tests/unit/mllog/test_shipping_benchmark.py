"""The benchmark of shipping compares the same events, and says what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from benchmarks.shipping import __main__ as benchmark
from benchmarks.shipping import page
from benchmarks.shipping.child import WAYS, actions

if TYPE_CHECKING:
    import pathlib


def test_every_way_gets_the_same_events(tmp_path: pathlib.Path) -> None:
    """Only predictions, all of them, under one id each, into a data stream that is new every time."""
    size, events = benchmark._spool(tmp_path / "spool", 30)
    assert (events, size > 30 * 500) == (30, True)
    streams = [benchmark._renew(tmp_path / "spool") for _ in range(2)]
    assert len(set(streams)) == 2
    for _, loads in WAYS.values():
        found = list(actions(tmp_path / "spool", loads))
        assert {action["_index"] for action in found} == {streams[1]}
        assert len({action["_id"] for action in found}) == 30
        assert [action["_source"] for action in found] == [
            orjson.loads(line)
            for path in (tmp_path / "spool").glob("[!_]*/*.ndjson")
            for line in path.read_bytes().splitlines()
        ]


def test_ratios_are_within_a_round() -> None:
    """A machine that is half as fast in one round makes no difference to them."""
    rounds = [
        {way: {"seconds": slow * seconds, "cpu": slow * seconds / 2} for way, seconds in zip(benchmark.WAYS, (1, 4, 2), strict=True)}
        for slow in (1.0, 2.0, 1.0)
    ]  # fmt: skip
    rows = benchmark._table(rounds, 1000)
    assert [(row["way"], row["ratio"], row["cpu_ratio"]) for row in rows] == [
        (benchmark.MLLOG, 4.0, 0.25),
        (benchmark.BASE, 1.0, 1.0),
        (benchmark.WAYS[2], 2.0, 0.5),
    ]
    shown = page.table({"table": rows})
    assert "| mllog ship | 1,000 | 4.00 | 500 | 0.25 |" in shown
