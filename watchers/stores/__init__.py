"""Where events are and results go. A store counts; it never judges."""

from __future__ import annotations

from mllog.errors import PlaceError
from mllog.places import parse, without_password
from watchers.stores.base import DocumentQuery, Rejected, Store
from watchers.stores.files import FilesStore


def open_store(place: str, *, seconds: float | None = None) -> Store:
    """Open the store at a place: a folder (``file:FOLDER``, ``duckdb:FOLDER``) or ``elasticsearch+http(s)://HOST``.

    Args:
        place: Where.
        seconds: What a server has for an answer, without another try; where none are given it has patience.

    Raises:
        mllog.errors.PlaceError: it is no place that events can be read from, the folder isn't there, or what
            Elasticsearch needs isn't installed.
    """
    parsed = parse(place)
    if parsed.kind in {"file", "duckdb"}:
        return FilesStore(parsed.location)
    if parsed.kind == "elasticsearch":
        try:
            # Its client takes a while to import.
            from watchers.stores.elastic import ElasticsearchStore  # noqa: PLC0415
        except ModuleNotFoundError as error:
            shown = without_password(place)
            raise PlaceError(
                f"store {shown!r} needs {error.name}: pip install 'mllog-elastic[elastic]'", field="store", value=shown
            ) from error
        from mllog.elastic.client import connect  # noqa: PLC0415 - the same

        return ElasticsearchStore(
            place, client=None if seconds is None else connect(parsed, seconds=seconds, retries=0)
        )
    raise PlaceError(
        f"store {without_password(place)!r}: events can be read from a folder (file:FOLDER) "
        "or from elasticsearch+http(s)://HOST",
        field="store",
        value=without_password(place),
    )


__all__ = ["DocumentQuery", "FilesStore", "Rejected", "Store", "open_store"]
