"""Stores under test. To add one: write a :class:`Stand` for it and name it in ``STANDS``."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

import pytest

from watchers.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from watchers.stores.base import Store


class Stand(Protocol):
    """A store and the way by which events get there."""

    def place(self) -> str:
        """A sink for the logger, empty so far."""

    def open(self, place: str) -> Store:
        """The store over what was written to ``place``, all of it visible."""


class FilesStand:
    """The embedded store: the logger writes into its folder."""

    def __init__(self, folder: Path) -> None:
        self._folders = (folder / f"store{k}" for k in itertools.count())

    def place(self) -> str:
        """A new folder."""
        folder = next(self._folders)
        folder.mkdir()
        return str(folder)

    def open(self, place: str) -> Store:
        """The store of that folder."""
        return open_store(place)


STANDS: dict[str, Callable[[Path], Stand]] = {"files": FilesStand}


@pytest.fixture(params=sorted(STANDS))
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Stand:
    """Each store in turn."""
    return STANDS[request.param](tmp_path)
