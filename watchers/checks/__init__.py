"""Checks, one file each. Every module here that has a ``check`` is one; nothing else lists them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from watchers.check import Check


@cache
def all_checks() -> tuple[Check, ...]:
    """Every check, by name."""
    modules = (
        importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__) if m.name[0] != "_"
    )
    return tuple(sorted((module.check for module in modules), key=lambda check: check.name))


__all__ = ["all_checks"]
