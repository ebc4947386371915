"""Protected values are found in every spelling that ordinary code gives them, whatever they were before they were typed."""

from __future__ import annotations

import datetime as dt
import html
import json
import traceback
import uuid
from decimal import Decimal
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlencode

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mllog import values
from mllog.card import ModelCard
from mllog.privacy.echo import Echo
from mllog.privacy.numerals import digits_of
from mllog.testing import capture_events

if TYPE_CHECKING:
    from collections.abc import Callable

SALT = "a secret of enough bytes"


class Tier(Enum):
    """One that says nothing by its value."""

    GOLD = 1
    SILVER = "a silver one"


class Grade(IntEnum):
    """One that is a number."""

    HIGH = 12345


def echo_of(value: Any) -> Echo:
    """One that looks for a value as events have it."""
    echo = Echo()
    echo.add("x", values.typed(value))
    return echo


SPELLINGS: dict[str, Callable[[str], str]] = {
    "str": str,
    "repr": repr,
    "ascii": ascii,
    "repr of repr": lambda text: repr(repr(text)),
    "repr among quotes": lambda text: repr(f"'{text}\" and more"),
    "bytes": lambda text: repr(text.encode()),
    "JSON": json.dumps,
    "JSON as it is": lambda text: json.dumps(text, ensure_ascii=False),
    "orjson": lambda text: orjson.dumps(text).decode(),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"a": text})),
    "repr of JSON": lambda text: repr(json.dumps([text])),
    "JSON of a repr": lambda text: json.dumps(repr(text)),
    "quote": quote,
    "quote of all": lambda text: quote(text, safe=""),
    "quote as browsers do": lambda text: quote(text, safe="~()*!'"),
    "quote_plus": quote_plus,
    "urlencode": lambda text: urlencode({"a": text, "b": 1}),
    "URL in JSON": lambda text: json.dumps(f"/x?a={quote(text)}"),
    "f-string": lambda text: f"no {text}, no {[text]}, no { {'a': text} }",
    "HTML": html.escape,
    "CSV": lambda text: '"' + text.replace('"', '""') + '"',
    "SQL": lambda text: "'" + text.replace("'", "''") + "'",
    "upper case": str.upper,
}
LETTERS = "abcXYZ0189 .-_'\"\\/&=+%<>\n\tßéüñЖ漢😀\x07"
TEXTS = st.text(LETTERS, max_size=40).map(lambda text: f"Zqx{text}Q")


@given(TEXTS, st.sampled_from(sorted(SPELLINGS)), st.sampled_from(["", "an error: ", "{'a': "]))
@example('a "Müller" zqx', "orjson", "")
@example("a 'Müller' \"zqx\"", "repr of repr", "")
@example("Zqx\n漢Q", "bytes", "{'a': ")
@example("Zqx\\u00fcQ", "JSON", "")
@example('Zqx\'""Q', "SQL", "")
def test_texts(secret: str, how: str, before: str) -> None:
    """Python, JSON, URLs, HTML, CSV and SQL write a text each in their way, and one within the other."""
    if how == "upper case" and secret.upper().lower() != secret.lower():
        return  # ß
    text = f"{before}{SPELLINGS[how](secret)} and so on"
    found = echo_of(secret).text(text)
    assert "<x>" in found
    assert found.startswith(before)
    assert len(secret.encode()) > 60 or found.endswith(" and so on")
    for part in ("Zqx", "zqx", "ZQX"):
        assert part not in found


@pytest.mark.parametrize("secret", ["first line\nsecond line", "first\n  second\n\n third", "x" * 70 + "\nthe end"])
def test_lines(secret: str) -> None:
    """A text of several lines is found where each of them is moved in, as in groups of exceptions."""
    group = ExceptionGroup("several", [ValueError(f"bad {secret}!"), KeyError(secret)])
    text = "".join(traceback.format_exception(group))
    found = echo_of(secret).text(text)
    assert not [line for line in secret.split("\n") if line.strip() and line.strip() in found]
    assert "bad <x>" in found


OBJECTS = [
    dt.date(1971, 3, 19),
    dt.datetime(1971, 3, 19, 0, 0),  # noqa: DTZ001 - as people make them
    dt.datetime(1971, 3, 19, 8, 9, 10, 500, tzinfo=dt.UTC),
    dt.datetime(1971, 3, 19, 8, 9, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    dt.time(8, 9),
    dt.time(8, 9, 10, 5),
    dt.timedelta(seconds=7380),
    dt.timedelta(days=1, seconds=3661, microseconds=500000),
    Decimal("54321.77"),
    Decimal("54321.7700"),
    Decimal("54321.123456789012345678"),
    uuid.UUID("96cf4155-1f11-40d0-8fbf-fb5117d76430"),
    Tier.GOLD,
    Tier.SILVER,
    Grade.HIGH,
    b"zqx-4711",
    "M\u00fcller zqx".encode(),
    bytearray(b"zqx-4711"),
    np.float32(0.8),
    np.float32(0.81253713),
    np.float32(12345.678),
    np.float32(123456789),
    np.float16(0.8125),
    np.float64(54321.77),
    np.int64(40000077),
    np.uint8(5),
    np.str_("zqx 4711"),
    np.datetime64("1971-03-19"),
    np.datetime64("1971-03-19T08:09:10.123456789"),
    pd.Timestamp("1971-03-19 08:09"),
    pd.Timestamp("1971-03-19 08:09:10.5", tz="Europe/Berlin"),
    pd.Timedelta("15:05:21.77"),
    54321.77,
    -54321.77,
    0.1 + 0.2,
    1e22,
    2**70,
    123456789012,
]


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: f"{type(value).__name__} {value}")
def test_objects(value: Any) -> None:
    """What was typed is found as its class writes it: str, repr, in containers, and in text once more."""
    typed = values.typed(value)
    if isinstance(typed, int | float) and digits_of(typed) < 4 and not isinstance(value, Enum):
        return  # too short to be looked for
    if value == np.float32(0.8):
        return  # so is what it is written as
    echo = echo_of(value)
    spellings = [str(value), repr(value), f"{value}", f"{[value]}", f"{ {'a': value} }", repr(repr(value))]
    if isinstance(value, dt.date | dt.time):
        spellings += [value.isoformat(), orjson.dumps([value], default=str).decode()]
    if isinstance(value, uuid.UUID):
        spellings += [value.hex, value.urn]
    if isinstance(value, bytes):
        spellings += [value.decode(), repr(memoryview(value).tobytes())]
    for text in spellings:
        found = echo.text(f"got {text}!")
        assert "<x>" in found, text
        # Nothing of it is left but its class, and what is no part of the value.
        rest = found
        for known in ("np.float32", "np.float16", "np.float64", "np.int64", "np.datetime64", "datetime.timezone.utc"):
            rest = rest.replace(known, "")
        rest = rest.split(", tzinfo=")[0].split(", tz=")[0]
        assert not [digit for digit in "0123456789" if digit in rest], found
        assert "zqx" not in found
        assert "ller" not in found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.timedelta(days=1, seconds=3661, microseconds=500000), "P1DT1H1M1.5S"),
        (dt.timedelta(hours=2, minutes=3), "PT2H3M"),
        (54321.77, "5.432177e4"),
        (54321.77, "54_321.77"),
        (54321.77, "54 321,77"),
        (54321.77, "054321.770"),
        (54321.123, "54,321.12"),
        (54321.123, "54321.12"),
        (12345.678912, str(np.float32(12345.678912))),
        (12345.678912, repr(float(np.float32(12345.678912)))),
        (0.8125, ".8125"),
        ("73950", "73,950"),
        (73950.0, "73950"),
        (73950, "73950.00"),
        (123456789012, "1.23456789012e11"),
        (-40000077, "(40,000,077)"),
    ],
)
def test_numbers(value: Any, text: str) -> None:
    """Numbers are read where they stand, and compared by value."""
    assert echo_of(value).text(f"about {text}.") == f"about {'(<x>)' if text[0] == '(' else '<x>'}."


@pytest.mark.parametrize(
    "text",
    ["1540000077", "400000770", "1,540,000,077", "40000078", "41 000 077", "0.40000078", "40,000,078", "#40_0000771"],
)
def test_other_numbers(text: str) -> None:
    """A number within a longer one is another, and so is its neighbour."""
    assert echo_of(40000077).text(f"about {text}.") == f"about {text}."


@given(
    st.floats(1e3, 1e12).filter(lambda x: digits_of(x) >= 6) | st.integers(10**4, 2**53),
    st.sampled_from(["{}", "{!r}", "{:,}", "{:_}", "{:.6f}", "{:,.2f}", "{:e}"]),
)
def test_every_number_is_found(number: float, how: str) -> None:
    """Whatever format keeps a number's value, or two decimals of it, is recognised."""
    text = how.format(number)
    if how in {"{:.6f}", "{:e}"} and float(text) != number:
        return  # rounded otherwise
    assert echo_of(number).text(f"about {text} EUR") == "about <x> EUR"


@given(st.floats(width=32, min_value=0.001953125, max_value=2.0**40))
def test_every_small_float_is_found(number: float) -> None:
    """A 32-bit float is a longer double in the event, and is known by what it was written as."""
    single = np.float32(number)
    text = str(single)
    if digits_of(float(text)) < 4 or digits_of(float(single)) < 4:
        return
    echo = echo_of(single)
    assert echo.text(f"about {text}, {single!r}") == "about <x>, np.float32(<x>)"
    assert echo.number(float(text)) == "<x>"


def test_what_an_enumeration_is_called() -> None:
    """Its value says nothing of its name; the logger remembers the classes of those that it was given."""
    frame = {"tier": [1, 2, 3, 4] * 30, "age": [float(k) for k in range(120)]}
    card = ModelCard.from_frame(frame, "m", "1", policy={"features": {"tier": "hash"}}, salt=SALT)
    with capture_events("m", card=card, salt=SALT) as captured:
        captured.log.prediction({"tier": Tier.GOLD, "age": 5.5}, 0.5, message=f"for {Tier.GOLD} or {[Tier.GOLD]}")
        captured.log.batch(
            {"tier": [Tier.GOLD], "age": [5.5]}, outputs=[{"label": "yes", "why": f"since {Tier.GOLD!r}"}]
        )
        first, second = captured.predictions()
    assert first["message"] == "for <tier> or [<tier>]"
    assert second["ml"]["outputs"]["other"] == {"why": "since <tier>"}


@pytest.mark.parametrize(
    "value",
    [dt.date(1971, 3, 19), dt.datetime(1971, 3, 19), pd.Timestamp("1971-03-19"), np.datetime64("1971-03-19")],  # noqa: DTZ001
)
def test_a_dropped_date_in_errors(value: Any) -> None:
    """What ordinary code raises of a row quotes its dates as Python shows them."""
    frame = {
        "born": [f"19{60 + k % 40}-0{1 + k % 9}-1{k % 9}" for k in range(120)],
        "amount": [float(k) for k in range(120)],
    }
    card = ModelCard.from_frame(frame, "m", "1", policy={"features": {"born": "drop"}})
    with capture_events("m", card=card) as captured:

        @captured.log.monitor
        def look_up(features: dict[str, Any]) -> float:
            table: dict[Any, float] = {}
            return table[features["born"]]

        @captured.log.monitor
        def refuse(features: dict[str, Any]) -> float:
            raise ValueError(f"cannot score {features}")

        for function, problem in ((look_up, KeyError), (refuse, ValueError)):
            with pytest.raises(problem):
                function({"born": value, "amount": 1.5})
        events = captured.predictions()
    for event in events:
        assert "<born>" in event["error"]["message"]
        written = json.dumps(event["error"])
        assert not [part for part in ("1971", "3, 19", "03-19") if part in written]
