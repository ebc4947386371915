"""The benchmark without a node: what contenders count is the same, targets are judged as they say, the page says it."""

from __future__ import annotations

import copy
import datetime as dt
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.elasticsearch import data, disk, filling, page, rivals, targets, watching
from mllog.card import ModelCard

ROOT = Path(__file__).parents[3]
ROWS = 500


def cost(wall: float, node: float | None = 0.5) -> dict[str, Any]:
    return {"wall": wall, "cpu": 0.1, "node": node, "requests": 7, "received": 1_000_000}


def parts() -> dict[str, Any]:
    """Figures that meet every target, none by chance."""
    disks = {disk.OURS: 700, disk.PLAIN: 1_000, disk.FLATTENED: 2_800, disk.ROW: 900, disk.OURS + disk.WITHOUT: 390}
    return {
        "events": 1_000_000,
        "shipping": cost(100, 50),
        "profile": {
            "costs": {
                watching.OURS: cost(1),
                watching.DUCKDB: cost(3),
                watching.SCAN: cost(11),
                watching.EACH: cost(9, 4),
                watching.EXPORT: cost(110),
            },
            "features": 40,
            "rules": 148,
            "otherwise": {watching.DUCKDB: [], watching.EXPORT: []},
            "complete": True,
        },
        "segments": {"values": 50, "without": cost(1), "with": cost(1.9)},
        "disk": {name: {"bytes": size, "node_us": 100.0} for name, size in disks.items()},
        "baseline": {"each": 30_000, "rescan": cost(10), "stored": cost(0.05), "equal": True},
        "hourly": {
            "events": 40_000,
            "alerts": 0,
            **cost(1, 0.02),
            "cpu": 0.01,
            "counting": cost(1),
            "indexing": cost(100, 50),
        },
        "wire": [{"events": 100_000, **cost(1)}, {"events": 1_000_000, **cost(9)}],
    }


def document(found: dict[str, Any]) -> dict[str, Any]:
    machine = {"cores": 2, "architecture": "x86_64", "system": "Linux", "python": "3.11.7", "load": [0.5, 1.5]}
    return {
        "commands": ["python -m benchmarks.elasticsearch"],
        "machine": machine,
        "versions": {"duckdb": "2.0.0"},
        "node": "9.5.2",
        "heap": "512m",
        "bytes_per_event": 2_270.0,
        "parts": found,
        "targets": targets.targets(found),
    }


def test_targets_that_are_met() -> None:
    """Each part has its targets, in either direction."""
    found = targets.targets(parts())
    assert len(found) == 14
    assert [target["what"] for target in found if not target["met"]] == []
    text = page.markdown(document(parts()))
    assert "Missed" not in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_a_missed_target_says_why() -> None:
    """In the table and below it."""
    found = parts()
    found["segments"]["with"]["wall"] = 12.3
    (missed,) = (target for target in targets.targets(found) if not target["met"])
    assert missed["value"] == pytest.approx(12.3)
    text = page.markdown(document(found))
    assert f"| {missed['what']} | <= 2 | 12.3 | **no** |" in text
    assert f"- {missed['what']}: {missed['why']}." in text


def test_a_node_whose_cpu_is_not_known() -> None:
    """What can't be measured is neither met nor missed."""
    found = parts()
    found["hourly"]["indexing"]["node"] = None
    for row in found["profile"]["costs"].values():
        row["node"] = None
    unknown = [target for target in targets.targets(found) if target["met"] is None]
    assert len(unknown) == 4
    assert page.markdown(document(found)).count("| not measured |") == 4


def test_some_parts_alone() -> None:
    """A part that wasn't run has no section, and no target."""
    found = parts()
    for name in ("profile", "disk", "wire"):
        del found[name]
    text = page.markdown(document(found))
    assert "## The profile of a day" not in text
    assert "## All values of one segment" in text
    assert len(targets.targets(found)) == 5


def test_contenders_that_count_otherwise_are_named() -> None:
    """A ratio to what does something else is worth nothing."""
    found = copy.deepcopy(parts())
    found["profile"]["otherwise"][watching.DUCKDB] = ["number_03"]
    assert f"{watching.DUCKDB} counts otherwise: number_03" in page.markdown(document(found))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return data.frame(5, ROWS, serving=False)


@pytest.fixture(scope="module")
def card(table: pd.DataFrame) -> ModelCard:
    return ModelCard.from_frame(table, "m", "1", text=list(data.TEXTS))


def test_duckdb_counts_what_cards_count(table: pd.DataFrame, card: ModelCard, tmp_path: Path) -> None:
    """By the same edges."""
    path = tmp_path / "rows.parquet"
    rivals.write_parquet(table, data.times(ROWS), path)
    (training,) = card.training.values()
    theirs = rivals.duckdb_counts(path, card.ruler)
    assert rivals.differing(training, theirs, card.ruler) == []
    assert theirs["text_0", "tokens", ""] == ROWS * data.LENGTH
    theirs["number_00", "bin", "0"] += 1
    assert rivals.differing(training, theirs, card.ruler) == ["number_00"]


def test_a_scan_tests_each_number_and_category(table: pd.DataFrame, card: ModelCard, tmp_path: Path) -> None:
    """And the same rows don't differ."""
    path = tmp_path / "rows.parquet"
    rivals.write_parquet(table, data.times(ROWS), path)
    found = rivals.evidently_like(path, path, card.ruler)
    assert set(found) == {*data.NUMBERS, *data.CATEGORIES}
    assert min(found.values()) == pytest.approx(1.0)


def test_rules_of_each_feature(card: ModelCard) -> None:
    """Four a number, three a category, two a text."""
    assert len(rivals.rules(card.ruler)) == 4 * 30 + 3 * 8 + 2 * 2


def test_rows_are_those_of_the_design(table: pd.DataFrame) -> None:
    """Forty features, and nothing that JSON can't say."""
    (first, *_) = data.rows(table)
    assert len(first) == 40
    assert all(value is None or isinstance(value, str) or math.isfinite(value) for value in first.values())


def test_the_same_events_of_another_day() -> None:
    """Only the date is another."""
    line = b'{"@timestamp":"2026-03-02T01:02:03.000000004Z","x":"2026-03-02"}\n'
    assert list(filling.dated([line], dt.date(2026, 2, 27))) == [line.replace(b"03-02T", b"02-27T")]


def test_the_help_has_an_example() -> None:
    """Somebody who has never seen it can run it."""
    command = [sys.executable, "-m", "benchmarks.elasticsearch", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "python -m benchmarks.elasticsearch --quick" in done.stdout
