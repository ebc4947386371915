"""The self-contained HTML report."""

from __future__ import annotations

from watchers.report.build import ReportData, build

__all__ = ["ReportData", "build"]
