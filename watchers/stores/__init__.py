"""Where events are and results go. A store counts; it never judges."""

from __future__ import annotations

from mllog.errors import PlaceError
from mllog.places import parse
from watchers.stores.base import DocumentQuery, Rejected, Store
from watchers.stores.files import FilesStore


def open_store(place: str) -> Store:
    """Open the store at a place (a folder, ``file:FOLDER`` or ``duckdb:FOLDER``).

    Raises:
        mllog.errors.PlaceError: it is no place that events can be read from, or the folder isn't there.
    """
    parsed = parse(place)
    if parsed.kind in {"file", "duckdb"}:
        return FilesStore(parsed.location)
    raise PlaceError(f"store {place!r}: events can be read from a folder (file:FOLDER) only, in this release")


__all__ = ["DocumentQuery", "FilesStore", "Rejected", "Store", "open_store"]
