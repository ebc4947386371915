"""The page on classical statistics runs, and names every one of them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from watchers.statistics import MEASURES

PAGE = (Path(__file__).parents[2] / "docs/reference/statistics.md").read_text(encoding="utf-8")


def test_the_page_runs(capsys):
    """Its snippets give values, and see what was planted."""
    rng = np.random.default_rng(1)
    frames = {
        name: pd.DataFrame({"distance": rng.normal(mean, 200, n), "carrier": rng.choice(["UA", "B6"], n, p=p)})
        for name, mean, n, p in (("train", 1000, 4000, [0.5, 0.5]), ("served", 1100, 500, [0.8, 0.2]))
    }
    frames["served"].loc[:49, "distance"] = np.nan
    names = dict(frames)
    for text in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(text, "statistics.md", "exec"), names)
    assert names["found"].p_value < 1e-9
    assert names["found"].missing == 0.1
    said = capsys.readouterr().out
    assert "Measure(name='psi', value=0." in said
    assert str(sorted(MEASURES)) in said


def test_the_page_names_every_statistic():
    """One row of the table and one entry of the list for each, with its function in scipy and where missing ones go."""
    rows = dict(re.findall(r"^\| `(\w+)`(.*)$", PAGE, re.MULTILINE))
    assert list(rows) == list(MEASURES) == re.findall(r"^- \*\*`(\w+)`\*\*", PAGE, re.MULTILINE)
    for name, statistic in MEASURES.items():
        assert (statistic.scipy or "none") in rows[name]
        assert rows[name].endswith("| beside |" if statistic.ordered else "| a cell |")
        assert ("(several)" in rows[name]) == statistic.several
