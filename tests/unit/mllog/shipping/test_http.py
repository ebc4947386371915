from __future__ import annotations

import datetime as dt
import email.utils
import time

import pytest

from mllog.places import parse
from mllog.shipping.destinations import open_destination
from mllog.shipping.destinations.base import canonical, key
from mllog.shipping.destinations.http import Response


def response(**headers: str) -> Response:
    return Response(429, b"", {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("0", 0.0), ("", None), ("soon", None), ("-3", None), ("1e3", None)]
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    """A number of seconds counts, nonsense doesn't."""
    assert response(Retry_After=value).retry_after == seconds


def test_retry_after_as_a_date() -> None:
    """A date is as good, and one that has passed means at once."""
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)
    wish = response(Retry_After=email.utils.format_datetime(later, usegmt=True)).retry_after
    assert wish is not None
    assert 50 < wish <= 60
    assert response(Retry_After="Wed, 21 Oct 2015 07:28:00 GMT").retry_after == 0.0


def test_the_servers_clock() -> None:
    """Told to the second, where it is told."""
    now = int(time.time())
    assert response(Date=email.utils.formatdate(now, usegmt=True)).date == now
    assert response().date is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("logstash+http://Host:8080/", "logstash+http://ann:secret@host:8080"),
        ("elasticsearch+https://host", "elasticsearch+https://host:443/"),
        ("logstash+http://host", "logstash+http://HOST:80"),
        ("logstash+http://[::1]:8080", "logstash+http://u@[::1]:8080"),
        ("events/", "file:events"),
    ],
)
def test_one_place_by_two_names(one: str, other: str) -> None:
    """Spelling, user and default port make no other destination."""
    assert canonical(parse(one)) == canonical(parse(other))
    assert key(parse(one)) == key(parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("logstash+http://host:8080", "logstash+https://host:8080"),
        ("logstash+http://host:8080", "elasticsearch+http://host:8080"),
        ("logstash+http://host:8080", "logstash+http://host:8081"),
        ("logstash+http://host:8080/a", "logstash+http://host:8080/b"),
        ("events/a", "events/b"),
    ],
)
def test_two_places(one: str, other: str) -> None:
    """Whatever may be another server makes another destination."""
    assert key(parse(one)) != key(parse(other))


def test_keys_are_names_of_files() -> None:
    """Kind, host and a hash; nothing in them needs quoting."""
    assert key(parse("logstash+http://[::1]:8080")).startswith("logstash-__1-")
    assert key(parse("stdout:")).startswith("stdout-")
    assert "/" not in key(parse("file:/a/b c/ü"))


def test_a_destination_never_shows_its_password() -> None:
    """Not in its name, its key, or what it says of itself."""
    found = open_destination("elasticsearch+https://ann:s3cret@host:9200")
    assert "s3cret" not in f"{found.name} {found.key} {found!r} {vars(found)}"
