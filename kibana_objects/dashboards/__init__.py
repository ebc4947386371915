"""The dashboards, one file each: a module that is put here is a dashboard of the set."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from kibana_objects.model import Dashboard


@cache
def all_dashboards() -> tuple[Dashboard, ...]:
    """Every dashboard, in the order of their links."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    found: list[Dashboard] = [importlib.import_module(f"{__name__}.{name}").dashboard for name in names]
    return tuple(sorted(found, key=lambda dashboard: dashboard.place))
