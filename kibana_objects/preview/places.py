"""Who answers, by a place."""

from __future__ import annotations

from kibana_objects.preview.asking import Source
from mllog.errors import PlaceError
from mllog.places import parse, without_password


def open_source(place: str) -> Source:
    """Who answers for a place: a folder (``file:FOLDER``) or ``elasticsearch+http(s)://HOST:PORT``.

    Raises:
        PlaceError: It is no place of documents, the folder isn't there, or what it takes isn't installed.
        StoreError: It can't be reached.
    """
    parsed = parse(place)
    shown = without_password(place)
    try:
        if parsed.kind in {"file", "duckdb"}:
            from kibana_objects.preview.folder import Folder  # noqa: PLC0415 - of other extras

            return Folder(parsed.location)
        if parsed.kind == "elasticsearch":
            from kibana_objects.preview.cluster import Elasticsearch  # noqa: PLC0415 - the same

            return Elasticsearch(place)
    except ModuleNotFoundError as error:
        raise PlaceError(
            f"store {shown!r} needs {error.name}: pip install 'mllog-elastic[kibana,watchers]'",
            field="store",
            value=shown,
        ) from error
    raise PlaceError(
        f"store {shown!r}: documents are in a folder (file:FOLDER) or in elasticsearch+http(s)://HOST:PORT",
        field="store",
        value=shown,
    )
