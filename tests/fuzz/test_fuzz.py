from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

RUNS = 10_000


@pytest.mark.slow
def test_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    """Over 10,000 odd calls: no exception, no line that isn't strict JSON, no changed input, nothing logged later."""
    fuzzer = Path(__file__).with_name("fuzz_values.py")
    done = subprocess.run(
        [sys.executable, str(fuzzer), f"-runs={RUNS}", "-seed=1", f"-artifact_prefix={tmp_path}/"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    ran = re.search(r"Done (\d+) runs", done.stderr)
    assert ran is not None
    assert int(ran[1]) >= RUNS
