"""Commands that may mount file systems which nobody else sees."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def own_mounts() -> list[str]:
    """What a command begins with that may mount what nobody else sees; skips the test where the kernel lets nobody."""
    unshare = shutil.which("unshare")
    prefix = [unshare or "unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if unshare is None or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("the kernel lets nobody mount here; test_files_that_may_not_grow breaks the same by a limit")
    return prefix
