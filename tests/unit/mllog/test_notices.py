"""Warnings that are said once."""

from __future__ import annotations

import pytest

from mllog import notices


def test_a_notice_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The same one is not repeated; of different ones there is an end."""
    monkeypatch.setattr(notices, "_said", set())
    for _ in range(3):
        notices.once("give a list")
    assert [record.getMessage() for record in caplog.records] == ["mllog: give a list"]
    for number in range(1_000):
        notices.once(f"number {number}")
    assert len(caplog.records) == 256
