"""What every benchmark says beside its figures."""

from __future__ import annotations

import importlib.metadata
import sys


def version(distribution: str) -> str:
    """Which version of a distribution is installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def say(text: str) -> None:
    """Progress, where it disturbs no figures."""
    print(text, file=sys.stderr, flush=True)
