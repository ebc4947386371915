"""Log-based monitoring of machine-learning models: every prediction is one searchable event.

Importing this package loads nothing but this file; each public name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mllog.card import ModelCard
    from mllog.errors import CardError, MllogError, PlaceError, SettingError
    from mllog.integrations.sklearn import wrap
    from mllog.integrations.structlog import configure_structlog
    from mllog.logger import ModelLogger
    from mllog.sampling import Sampling

__version__: Final = "0.1.0"

__all__ = [
    "CardError",
    "MllogError",
    "ModelCard",
    "ModelLogger",
    "PlaceError",
    "Sampling",
    "SettingError",
    "__version__",
    "configure_structlog",
    "wrap",
]

_HOME: Final = {
    "CardError": "mllog.errors",
    "MllogError": "mllog.errors",
    "ModelCard": "mllog.card",
    "ModelLogger": "mllog.logger",
    "PlaceError": "mllog.errors",
    "Sampling": "mllog.sampling",
    "SettingError": "mllog.errors",
    "configure_structlog": "mllog.integrations.structlog",
    "wrap": "mllog.integrations.sklearn",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
