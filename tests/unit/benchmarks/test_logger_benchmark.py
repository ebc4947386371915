"""The benchmark itself, run small: what it counts is right, whatever the times are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.logger import fidelity, summary, table
from benchmarks.logger.contenders import CONTENDERS, FLOOR

ROOT = Path(__file__).parents[3]
EVENTS, PACED = 40, 10
PHASES = 3
"""Phases of ``EVENTS`` events each, beside the paced one."""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.logger", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One small run through all contenders, with its page beside it."""
    folder = tmp_path_factory.mktemp("benchmark")
    done = run(
        "--rounds", 1, "--events", EVENTS, "--paced", PACED, "--json", folder / "a.json", "--markdown", folder / "a.md"
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads((folder / "a.json").read_text())
    result["page"], result["shown"] = (folder / "a.md").read_text(), done.stdout
    return result


def test_every_contender_has_a_row(document: dict[str, Any]) -> None:
    """All were measured, each with every column, and each stands in the terminal and on the page."""
    rows = document["contenders"]
    assert list(rows) == list(CONTENDERS)
    for name, row in rows.items():
        assert "error" not in row
        assert row["events"] == PHASES * EVENTS + PACED
        for heading in table.GROUPS:
            assert f"## {heading}" in document["page"]
        assert f"| {name} | " in document["page"]
        assert name in document["shown"]


def test_mllog_loses_nothing_and_distorts_nothing(document: dict[str, Any]) -> None:
    """By every road each event comes out once, as strict JSON, and every odd value is right."""
    ours = {name: row for name, row in document["contenders"].items() if name.startswith("mllog")}
    assert len(ours) == 7
    for row in ours.values():
        assert (row["lost"], row["doubled"], row["invalid"], row["wrong"]) == (0, 0, 0, [])
        assert row["fidelity"] == row["fidelity_of"] == len(fidelity.cases())


def test_the_fidelity_of_others_is_judged_too(document: dict[str, Any]) -> None:
    """The judge can say no: the floor writes NaN as null, the standard library's JSON a bare NaN."""
    rows = document["contenders"]
    assert "NaN is no null" in rows[FLOOR]["wrong"]
    assert rows["python-json-logger, json"]["invalid"] > 0
    assert "later change isn't logged" in rows["python-json-logger, queue"]["wrong"]
    assert "null is kept" in rows["ecs-logging"]["wrong"]


def test_every_target_is_judged(document: dict[str, Any]) -> None:
    """Each target of the issue has a measured value and a verdict that follows from it."""
    targets = document["targets"]
    assert {target["what"] for target in targets} >= {
        "call p50 / floor, burst",
        "call p50 / floor, paced",
        "CPU tax / floor, burst",
        "CPU tax / floor, paced",
        "p99 / own p50, 4 threads",
        "delivered / python-json-logger with json",
        "events lost",
        "odd values right",
        "ms to import, without numpy",
    }
    for target in targets:
        within = target["value"] >= target["limit"] if target["at_least"] else target["value"] <= target["limit"]
        assert target["met"] <= within
    assert not document["imports"]["import mllog"]["numpy"]


def test_a_lost_event_is_found() -> None:
    """Sums over rounds hide no loss, and a contender that failed in one round has no figures."""
    measured = {
        "lost": 1, "doubled": 0, "events": 9, "fidelity": 3, "fidelity_of": 3, "wrong": [], "delivered_per_s": 5.0,
        "threads_p99_us": 4.0, "threads_p50_us": 2.0,
    }  # fmt: skip
    rounds: summary.Rounds = [
        {"mllog": measured, "loguru": measured},
        {"mllog": {**measured, "lost": 0}, "loguru": {"error": "x"}},
    ]
    rows = summary.summarise(rounds)
    assert (rows["mllog"]["lost"], rows["mllog"]["tail"]) == (1, 2.0)
    assert rows["loguru"] == {"error": "x"}
    (loss,) = [target for target in summary.targets(rows, {}) if target["what"] == "events lost"]
    assert not loss["met"]


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--contender", "nobody"]], ids=str)
def test_wrong_arguments(arguments: list[str]) -> None:
    """What can't be run is refused as a usage error."""
    assert run(*arguments).returncode == 2


def test_the_help_has_an_example() -> None:
    """Somebody who has never seen it can run it."""
    assert "python -m benchmarks.logger --json" in run("--help").stdout


def test_a_strict_reader() -> None:
    """The parser that judges takes no bare NaN and no lone surrogate."""
    for line in (b'{"x": NaN}', b'{"x": "\\ud800"}'):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(line)
