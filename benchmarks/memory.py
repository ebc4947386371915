"""The most memory that a process has had."""

from __future__ import annotations

import re
import resource
from pathlib import Path


def peak_mb() -> float:
    """MB of this process at its largest.

    ``ru_maxrss`` lives through an exec (getrusage(2) counts the process and not its program), so that of a child is at
    least what its parent had when it started it; ``VmHWM`` is the program's own (proc(5)).
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
