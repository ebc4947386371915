"""The table of conformance: which test of the suite held on which store."""

from __future__ import annotations

import pathlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_STORE = re.compile(r"files|elasticsearch [\d.]+")


class Conformance:
    """A plugin of pytest that counts the passed cases of each test of ``tests/conformance`` by store.

    Args:
        target: File that the table is written into, in markdown.
    """

    def __init__(self, target: str) -> None:
        self._target = pathlib.Path(target)
        self._told: dict[str, str] = {}
        self._held: dict[tuple[str, str], dict[str, int]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """What each test says of itself."""
        for item in items:
            told = getattr(getattr(item, "function", None), "__doc__", None) or ""
            self._told[item.nodeid.partition("[")[0]] = " ".join(told.partition("\n\n")[0].split())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a case, where a store was in it."""
        test, _, case = report.nodeid.partition("[")
        store = _STORE.search(case)
        if "conformance/" not in test or store is None or (report.when != "call" and report.passed):
            return
        counts = self._held.setdefault((test, store[0]), {"passed": 0, "failed": 0, "skipped": 0})
        counts[report.outcome] += 1

    def pytest_sessionfinish(self) -> None:
        """Write the table."""
        stores = sorted({store for _, store in self._held}, key=lambda store: (store != "files", store))
        lines = [f"| what holds | {' | '.join(stores)} |", f"|---|{'---|' * len(stores)}"]
        for test in dict.fromkeys(test for test, _ in self._held):
            cells = [_cell(self._held.get((test, store), {})) for store in stores]
            lines.append(f"| {self._told[test]} | {' | '.join(cells)} |")
        self._target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cell(counts: dict[str, int]) -> str:
    """``12``, or what else there is: ``11, 1 skipped``."""
    others = [f"{counts[kind]} {kind}" for kind in ("failed", "skipped") if counts.get(kind)]
    return ", ".join([str(counts.get("passed", 0)), *others])
