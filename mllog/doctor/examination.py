"""Runs all checks: those of this package, in the order of the way of the data, then those of others."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from mllog.doctor.base import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllog.doctor.base import Check, State, Subject

GROUP: Final = "mllog.doctor"
CHECKS: Final = ("versions", "settings", "folders", "ledger", "cards", "clock", "destinations", "shipping", "refused")

_ORDER: Final[tuple[State, ...]] = ("problem", "warning", "unknown", "ok")


def examine(subject: Subject) -> list[Diagnosis]:
    """Every diagnosis of every check; a check that fails is ``unknown``, and stops no other."""
    return [diagnosis for check in checks() for diagnosis in _run(check, subject)]


def checks() -> Iterator[Check | Diagnosis]:
    """All checks; for one that can't be loaded, a diagnosis that says so."""
    for name in CHECKS:
        yield importlib.import_module(f"mllog.doctor.checks.{name}").check
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            yield point.load()
        except Exception as error:  # noqa: BLE001 - another package's
            yield Diagnosis(
                point.name,
                "unknown",
                f"the check can't be loaded: {type(error).__name__}: {error}",
                f"reinstall the package that brings it ({point.value})",
            )


def worst(diagnoses: Sequence[Diagnosis]) -> State:
    """The state that counts for the whole."""
    return next((state for state in _ORDER if any(d.state == state for d in diagnoses)), "ok")


def _run(check: Check | Diagnosis, subject: Subject) -> list[Diagnosis]:
    if isinstance(check, Diagnosis):
        return [check]
    try:
        return list(check.run(subject))
    except Exception as error:  # noqa: BLE001 - what can't be looked at is told, and the rest is looked at
        return [
            Diagnosis(
                check.name,
                "unknown",
                f"it can't be looked at: {type(error).__name__}: {error}",
                "mend what the message says, and look again",
            )
        ]
