from __future__ import annotations

import subprocess
import sys

import pytest

import mllog


def test_public_names_are_pinned() -> None:
    """What is public is a promise, so it changes here on purpose or not at all."""
    assert mllog.__all__ == [
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


@pytest.mark.parametrize("name", mllog.__all__)
def test_public_names_are_there(name: str) -> None:
    """Each public name can be had, though none is loaded by the import."""
    assert getattr(mllog, name) is not None
    assert name in dir(mllog)


def test_unknown_names_are_refused() -> None:
    """A misspelt name is an AttributeError as in any module."""
    with pytest.raises(AttributeError, match="ModelLoger"):
        mllog.ModelLoger  # noqa: B018


@pytest.mark.parametrize("module", ["mllog", "mllog.logger"])
def test_imports_stay_small(module: str) -> None:
    """The drop-in logger brings no heavy package into a model server."""
    heavy = {"numpy", "pandas", "structlog", "pythonjsonlogger", "narwhals", "sklearn", "watchers"}
    code = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_command_of_the_watchers_starts_without_what_few_need() -> None:
    """``scipy.stats`` alone takes longer to load than the rest of a run that has nothing to do."""
    heavy = {"scipy.stats", "scipy.optimize", "pandas", "duckdb", "elasticsearch", "jinja2", "sklearn"}
    code = f"import sys, watchers.cli; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_error_tree() -> None:
    """Every error can be caught as MllogError, and carries what was wrong."""
    for error in (mllog.CardError, mllog.PlaceError, mllog.SettingError):
        assert issubclass(error, mllog.MllogError)
    error = mllog.PlaceError("no", field="sink", value="x:")
    assert (error.field, error.value, str(error)) == ("sink", "x:", "no")
