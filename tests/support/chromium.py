"""The browser that this machine has."""

from __future__ import annotations

import shutil

import pytest


def executable() -> str:
    """Where Chromium is; a test that needs it fails where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("this test needs Chromium: apt-get install chromium")
    return found
