"""The benchmark of batches measures what it says."""

from __future__ import annotations

import pytest

from benchmarks.batch.child import measure
from benchmarks.batch.ways import BATCH, WAYS


@pytest.mark.parametrize("library", WAYS)
def test_every_way_logs_every_row(library: str) -> None:
    """Each way to log a frame is measured, and none of them loses a row."""
    result = measure(library, None, rows=50, turn=1)
    assert set(result) == {BATCH, *WAYS[library]}
    for found in result.values():
        assert found["lost"] == 0
        assert found["bytes_per_event"] > 500
        assert min(found["caller_us"], found["cpu_us"], found["rows_per_s"]) > 0
