from __future__ import annotations

import pytest

from mllog.errors import PlaceError
from mllog.places import Place, parse


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("events/", Place("file", "events/")),
        ("/var/events", Place("file", "/var/events")),
        ("C:\\events", Place("file", "C:\\events")),
        ("file:events", Place("file", "events")),
        ("file:a:b", Place("file", "a:b")),
        ("file:///var/events", Place("file", "/var/events")),
        ("duckdb:events", Place("file", "events")),
        ("stdout:", Place("stdout", "")),
        ("logstash+http://host:8080", Place("logstash", "http://host:8080")),
        ("logstash+https://u:p@host/x", Place("logstash", "https://u:p@host/x")),
        ("logstash+tcp://host:5000", Place("logstash", "tcp://host:5000")),
        ("elasticsearch+http://host:9200", Place("elasticsearch", "http://host:9200")),
        ("ELASTICSEARCH+HTTPS://host", Place("elasticsearch", "https://host")),
    ],
)
def test_places_are_read(text: str, place: Place) -> None:
    """Each form of the grammar gives one kind and its location, and can be written again."""
    assert parse(text) == place
    assert parse(str(place)) == place


@pytest.mark.parametrize(
    "text",
    ["", "  ", "file:", "duckdb:", "stdout:x", "http://host", "elasticsearch+tcp://host", "logstash+http:",
    "s3://b", None, 3],
)  # fmt: skip
def test_others_are_refused_with_the_remedy(text: str) -> None:
    """What is no place says so, names itself and shows the grammar."""
    with pytest.raises(PlaceError, match="write FOLDER, file:FOLDER") as caught:
        parse(text)
    assert repr(text) in str(caught.value)
    assert caught.value.field == "place"
