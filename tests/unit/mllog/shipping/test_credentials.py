from __future__ import annotations

import base64

import pytest

from mllog.errors import SettingError
from mllog.places import parse
from mllog.shipping.destinations.credentials import Credentials, credentials

ES = "elasticsearch+https://host:9200"
LOGSTASH = "logstash+https://host:8080"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


KEY = base64.b64encode(b"id:s3cret").decode()


@pytest.mark.parametrize(
    ("place", "environment", "header"),
    [
        (ES, {}, None),
        ("elasticsearch+https://ann:p%40ss@host", {"MLLOG_API_KEY": "id:s3cret"}, basic("ann", "p@ss")),
        ("elasticsearch+https://ann@host", {"MLLOG_PASSWORD": "pass"}, basic("ann", "pass")),
        (ES, {"MLLOG_API_KEY": "id:s3cret", "MLLOG_USERNAME": "ann"}, f"ApiKey {KEY}"),
        (ES, {"MLLOG_API_KEY": KEY}, f"ApiKey {KEY}"),
        (LOGSTASH, {"MLLOG_API_KEY": KEY}, None),
        (LOGSTASH, {"MLLOG_BEARER_TOKEN": "abc", "MLLOG_USERNAME": "ann"}, "Bearer abc"),
        (LOGSTASH, {"MLLOG_USERNAME": "ann", "MLLOG_PASSWORD": "pä:ss"}, basic("ann", "pä:ss")),
        (LOGSTASH, {"MLLOG_USERNAME": "usér", "MLLOG_PASSWORD": "密"}, basic("usér", "密")),
        ("logstash+https://us%C3%A9r:p%20s@host", {}, basic("usér", "p s")),
    ],
)
def test_the_first_that_is_set_counts(place: str, environment: dict[str, str], header: str | None) -> None:
    """The place, then an API key (for Elasticsearch alone), then a token, then user and password."""
    assert credentials(parse(place), environment).header == header


@pytest.mark.parametrize(
    "environment",
    [
        {"MLLOG_API_KEY": "s3cret"},
        {"MLLOG_API_KEY": "s3cret\r\nX: y"},
        {"MLLOG_BEARER_TOKEN": "s3crät"},
        {"MLLOG_USERNAME": "ann:s3cret"},
        {"MLLOG_USERNAME": "a\tnn", "MLLOG_PASSWORD": "s3cret"},
        {"MLLOG_PASSWORD": "s3cret\n", "MLLOG_USERNAME": "ann"},
        {"MLLOG_PASSWORD": "s3cret\udcff", "MLLOG_USERNAME": "ann"},
    ],
)
def test_impossible_ones_are_refused_without_being_shown(environment: dict[str, str]) -> None:
    """The variable is named, its value never."""
    with pytest.raises(SettingError) as caught:
        credentials(parse(ES), environment)
    assert next(iter(environment)) in str(caught.value)
    assert caught.value.field == next(iter(environment))
    assert "s3cr" not in f"{caught.value}{caught.value.value!r}"


@pytest.mark.parametrize(
    "environment", [{"MLLOG_API_KEY": "id:s3cret"}, {"MLLOG_API_KEY": KEY}, {"MLLOG_BEARER_TOKEN": "s3cret"}]
)
def test_secrets_never_show(environment: dict[str, str]) -> None:
    """Neither as text, nor where somebody else's message repeats them."""
    held = credentials(parse(ES), environment)
    assert isinstance(held, Credentials)
    assert "s3cret" not in repr(held)
    assert KEY not in repr(held)
    said = held.scrub(f"no right for {held.header} ({environment}, s3cret)")
    assert "s3cret" not in said
    assert KEY not in said
