"""What can go wrong before the first event, and nothing after it.

::

    MllogError                 everything that mllog raises
    ├── CardError              a card that can't be read, or is another model's
    ├── PlaceError             a place (`events/`, `stdout:`, `logstash+http://…`) that can't be used
    ├── SettingError           an argument or MLLOG_* variable with an impossible value
    └── StoreError             a store refuses what is asked of it, or can't answer
        └── UnreachableError   … or can't be reached at all

All but the last are usage errors, raised while something is being set up. A logger that has been made raises nothing
into model code any more: what goes wrong then is counted (:meth:`mllog.ModelLogger.status`).
"""

from __future__ import annotations


class MllogError(Exception):
    """Base of all errors of this package.

    Attributes:
        field: Name of the argument, key or variable that is wrong, where there is one.
        value: The value it had.
    """

    def __init__(self, message: str, *, field: str | None = None, value: object = None) -> None:
        super().__init__(message)
        self.field = field
        self.value = value


class CardError(MllogError):
    """A card can't be read, or belongs to another model."""


class PlaceError(MllogError):
    """A place isn't written by the grammar, or can't be used for what was asked."""


class SettingError(MllogError):
    """An argument or environment variable has an impossible value."""


class StoreError(MllogError):
    """A store refuses what is asked of it, or can't answer."""


class UnreachableError(StoreError):
    """A store can't be reached."""
