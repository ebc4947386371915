"""The benchmark without a node: a fleet's history is what training says, and the page says what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.fleet import child, fleet, page
from watchers.profile import merge


def passed(models: int, wall: float, incident_ms: float) -> dict[str, Any]:
    return {
        "models": models,
        "hours": models,
        "alerts": 0,
        "wall": wall,
        "cpu": 0.3 * wall,
        "node": 0.4 * wall,
        "requests": 17 * models,
        "received": 900_000 * models,
        "peak_mb": 250.0,
        "calls": {
            "profiles": [models, 0.1 * models],
            "incident_events": [models, incident_ms * models / 1e3],
            "models": [1, 0.1],
        },
    }


def document(wall: float, models: int = 500) -> dict[str, Any]:
    return {
        "command": "python -m benchmarks.fleet --models 500 --events 50",
        "machine": {"cores": 2, "architecture": "x86_64", "system": "Linux", "python": "3.11.7", "load": [0.5, 1.5]},
        "versions": {"numpy": "2.4.6"},
        "node": "9.5.2",
        "heap": "1g",
        "features": 10,
        "events": 50,
        "days": 28,
        "passes": [passed(models // 5, wall / 5, 10.0), passed(models, wall, 50.0)],
    }


def test_targets() -> None:
    """Time is judged by the large fleet, memory by both."""
    assert page.targets(document(299.0)).count("| yes |") == 3
    assert "| one pass over 500 models, wall, s | <= 300 | 301 | **no** |" in page.targets(document(301.0))


def test_a_smaller_fleet_is_said_to_be_one() -> None:
    """Its pace says what the whole fleet would take."""
    assert "500 models at the pace of 100, wall, s | <= 300 | 305 | **no** |" in page.targets(document(61.0, 100))


def test_what_grows_with_the_fleet_is_named() -> None:
    """And only that."""
    rows = [line for line in page.markdown(document(200.0)).splitlines() if line.endswith("| yes |")]
    assert [row for row in rows if row.startswith("| `")] == ["| `incident_events` | 1.00 | 10.0 | 50.0 | yes |"]


def test_history_is_what_training_says() -> None:
    """So that a calm new hour is judged calm."""
    like = fleet.template()
    profiles = fleet.hours(like, 50, 1)
    assert len(profiles) == 24 * fleet.DAYS
    assert profiles[-1].window.end == fleet.START
    total = merge(profiles).total()
    assert total[0] == 50 * len(profiles)
    for feature in like.ruler.inputs:
        if feature.kind == "number":
            cells = [like.ruler.index[cell] for cell in feature.cells() if cell[1] in {"bin", "missing"}]
            assert total[cells].sum() == total[0]
    assert np.all(total >= 0)


def test_a_timed_store_counts() -> None:
    """Calls are counted, and answers are the store's."""

    class Two:
        def models(self) -> list[str]:
            return ["a", "b"]

    timed = child.Timed(Two())  # type: ignore[arg-type]
    assert timed.models() == timed.models() == ["a", "b"]
    assert timed.calls == {"models": 2}
    assert timed.seconds["models"] >= 0
    with pytest.raises(AttributeError):
        _ = timed.nothing
