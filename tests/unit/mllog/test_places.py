from __future__ import annotations

import pytest

from mllog.errors import PlaceError, SettingError
from mllog.places import Place, checked_namespace, parse


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
        ("logstash+https://u@host/x", Place("logstash", "https://host/x", "u")),
        ("logstash+http://[::1]:8080", Place("logstash", "http://[::1]:8080")),
        ("logstash+tcp://host:5000", Place("logstash", "tcp://host:5000")),
        ("elasticsearch+http://host:9200", Place("elasticsearch", "http://host:9200")),
        ("ELASTICSEARCH+HTTPS://host", Place("elasticsearch", "https://host")),
    ],
)
def test_places_are_read(text: str, place: Place) -> None:
    """Each form of the grammar gives one kind and its location, and can be written again."""
    assert parse(text) == place
    assert parse(str(place)) == place


def test_a_password_is_decoded_and_never_shown() -> None:
    """The destination gets what was meant; neither text nor repr have it, and it makes no other place."""
    place = parse("elasticsearch+https://ann%40x:p%3Aa%2Fs%40s@host:9200")
    assert (place.location, place.user, place.password) == ("https://host:9200", "ann@x", "p:a/s@s")
    assert str(place) == "elasticsearch+https://ann%40x@host:9200"
    assert "p:a" not in repr(place)
    assert parse(str(place)) == place


@pytest.mark.parametrize(
    "text",
    [
        "logstash+http://ann:s3cret@",
        "elasticsearch+tcp://ann:s3cret@host",
        "logstash+https://ann:s3c/r3t@host",
        "http://ann:s3cret@host",
        "logstash+https://ann:s3cret@host:port",
        "logstash+tcp://ann:s3cret@host",
        "logstash+https://ann:s3cret@host/?x=1",
        "logstash+https://host/x?token=s3cret",
        "logstash+https://host/x?a=1&token=s3cret",
        "logstash+https://host#s3cret",
        "logstash+http://ann:1/s3cret@host:1",
        "elasticsearch+http://ann:1/s3c?ret@host:1",
        "https://host/x?s3cret",
    ],
)
def test_no_error_shows_a_password(text: str) -> None:
    """What can't be read is named without what stands before the @, encoded or not."""
    with pytest.raises(PlaceError) as caught:
        parse(text)
    assert "s3c" not in f"{caught.value} {caught.value!r} {caught.value.value}"
    assert "host" in str(caught.value) or "missing" in str(caught.value)


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


@pytest.mark.parametrize("namespace", ["default", "prod_1", "eu.west", "ß", "é" * 50, "..a"])
def test_namespaces_are_as_elasticsearch_takes_them(namespace: str) -> None:
    """Lower case, up to 100 bytes."""
    assert checked_namespace(namespace) == namespace


@pytest.mark.parametrize("namespace", ["", ".", "..", "A", "a-b", "a b", "a*", "a,b", "a/b", "a:b", "x" * 101, "é" * 51, "\ud800"])
def test_other_namespaces_are_refused(namespace: str) -> None:
    """With the rule; a name that is too long in bytes would make a dead letter of each event."""
    with pytest.raises(SettingError, match=r"lower-case letters.*at most 100 bytes.*isn't '.' or '..'") as caught:
        checked_namespace(namespace)
    assert (caught.value.field, caught.value.value) == ("namespace", namespace)
