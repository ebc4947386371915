"""Where the logger itself cuts a text nothing of a protected value stays, nor a hash by which it could be tried out."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mllog import context
from mllog.card import ModelCard
from mllog.integrations.streams import CHARACTER_LIMIT
from mllog.privacy import protect_frame
from mllog.privacy.scrubbing import Scrubber
from mllog.testing import capture_events
from mllog.values import NAME_LIMIT, TEXT_LIMIT, cut, name_of, text_hash

if TYPE_CHECKING:
    from collections.abc import Callable

SALT = "a secret of enough bytes"
N = 120
ROWS: dict[str, list[Any]] = {
    "customer": [f"C-{k % 40:05}" for k in range(N)],
    "income": [1000.25 * (1 + k % 50) for k in range(N)],
    "diary": ["slept well", "slept badly"] * 60,
    "purpose": ["car loan", "house"] * 60,
    "branch": ["Bonn", "Oslo", "Rome", "Bern"] * 30,
    "extra": [{"a": k} for k in range(N)],
    "y": ["good", "bad"] * 60,
}
ROW = {name: values[0] for name, values in ROWS.items() if name != "y"}
POLICY: dict[str, Any] = {
    "texts": "keep",
    "unexpected": "keep",
    "user": "keep",
    "features": {"customer": "hash", "income": "redact", "diary": "redact"},
}


def make(**policy: Any) -> ModelCard:
    """A card whose policy has these words besides."""
    return ModelCard.from_frame(
        ROWS, "m", "1", target="y", text=["purpose", "diary"], policy={**POLICY, **policy}, salt=SALT
    )


CARDS = {"plain": make(), "patterns": make(patterns=["email", "card_number", "iban"])}


class Shown:
    """An object of somebody's, of which only its repr is known."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def arguments(**options: Any) -> Callable[[Any, dict[str, Any]], None]:
    return lambda log, row: log.prediction(row, **options)


def changed(**inputs: Any) -> Callable[[Any, dict[str, Any]], None]:
    return lambda log, row: log.prediction({**row, **inputs}, 0.5)


def in_context(**fields: Any) -> Callable[[Any, dict[str, Any]], None]:
    def log_it(log: Any, row: dict[str, Any]) -> None:
        with context.bind(**fields):
            log.prediction(row, 0.5)

    return log_it


def raised(text: str) -> Callable[[Any, dict[str, Any]], None]:
    def log_it(log: Any, row: dict[str, Any]) -> None:
        with contextlib.suppress(ValueError), log.request(row):
            raise ValueError(text)

    return log_it


def streamed(*pieces: Any) -> Callable[[Any, dict[str, Any]], None]:
    def log_it(log: Any, row: dict[str, Any]) -> None:
        @log.monitor
        def answer(features: dict[str, Any]) -> Any:
            del features
            yield from pieces

        list(answer(row))

    return log_it


def batch(text: str) -> Callable[[Any, dict[str, Any]], None]:
    def log_it(log: Any, row: dict[str, Any]) -> None:
        frame = {name: [value] for name, value in row.items()} | {"purpose": [text], "new": [text]}
        log.batch(frame, [{"label": text, "why": [text]}])

    return log_it


NAME_END = NAME_LIMIT - 17
REPR_END = NAME_LIMIT - 19

DOORS: dict[str, tuple[int, Callable[[str], Callable[[Any, dict[str, Any]], None]]]] = {
    "message": (TEXT_LIMIT, lambda text: arguments(message=text)),
    "message in an object": (TEXT_LIMIT, lambda text: arguments(message={"a": text, "b": 1})),
    "error": (TEXT_LIMIT, raised),
    "label": (TEXT_LIMIT, lambda text: arguments(labels={"a": text})),
    "labels, deep": (TEXT_LIMIT, lambda text: arguments(labels={"a": [{"b": (text,)}]})),
    "class": (TEXT_LIMIT, lambda text: arguments(output={"label": text})),
    "best classes": (TEXT_LIMIT, lambda text: arguments(output={"top_k": [text, "good"]})),
    "other output": (TEXT_LIMIT, lambda text: arguments(output={"why": text})),
    "outputs": (TEXT_LIMIT, lambda text: arguments(output=[text, 5])),
    "stream": (CHARACTER_LIMIT, lambda text: streamed(text[:100], text[100:])),
    "stream, then a list": (CHARACTER_LIMIT, lambda text: streamed(text[:100], text[100:], {"a": 1})),
    "kept text": (TEXT_LIMIT, lambda text: changed(purpose=text)),
    "kept category": (TEXT_LIMIT, lambda text: changed(branch=text)),
    "kept object": (TEXT_LIMIT, lambda text: changed(extra={"a": [text]})),
    "unexpected": (TEXT_LIMIT, lambda text: changed(new=text)),
    "context": (TEXT_LIMIT, lambda text: in_context(client={"a": text})),
    "batch": (TEXT_LIMIT, batch),
    "repr in labels": (REPR_END, lambda text: arguments(labels={"a": Shown(text)})),
    "repr as output": (REPR_END, lambda text: arguments(output=Shown(text))),
    "repr as input": (REPR_END, lambda text: changed(new=Shown(text))),
    "repr as message": (REPR_END, lambda text: arguments(message=Shown(text))),
    "repr in a message": (REPR_END, lambda text: arguments(message=[Shown(text), 1])),
    "id": (NAME_END, lambda text: arguments(id=text)),
    "trace": (NAME_END, lambda text: arguments(trace_id=text)),
    "user": (NAME_END, lambda text: arguments(user=text)),
    "label's name": (NAME_END, lambda text: arguments(labels={text: 1})),
    "name in a message": (NAME_END, lambda text: arguments(message={text: 1, "b": 2})),
    "unexpected name": (NAME_END, lambda text: changed(**{text: 1})),
    "attribution": (NAME_END, lambda text: arguments(output={"explanation": {text: 0.5}})),
    "path": (NAME_END, lambda text: in_context(url={"path": name_of("/" + text[1:])})),
}

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_ é"
# A digit between them, so that no part of it is the name of a field by chance.
SECRETS = st.lists(st.text(ALPHABET, min_size=2, max_size=2), min_size=3, max_size=27).map(
    lambda parts: f"Zqx{'7'.join(parts)}Q"
)
SPELLINGS: list[Callable[[str], str]] = [str, repr, json.dumps]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    secret=SECRETS,
    door=st.sampled_from(sorted(DOORS)),
    card=st.sampled_from(sorted(CARDS)),
    back=st.integers(0, 90),
    spelled=st.sampled_from(SPELLINGS),
    filler=st.sampled_from(["k", "k "]),
)
@example("zqx-4711-SECRET", "error", "plain", 14, str, "k")
@example("zqx-4711-SECRET", "stream", "patterns", 14, str, "k ")
@example("zqx-4711-SECRET", "repr in labels", "patterns", 14, str, "k ")
@example("ZqxZqxZqxQ", "message", "plain", 6, str, "k")
def test_where_a_text_is_cut(
    secret: str, door: str, card: str, back: int, spelled: Callable[[str], str], filler: str
) -> None:
    """Of a value in which the logger cuts not even the beginning is left, whatever the door, and no hash of the whole."""
    limit, log_by = DOORS[door]
    head = (filler * limit)[: max(limit - back, 0)]
    text = f"{head}{spelled(secret)} and so on{' more' * 50}"
    with capture_events("m", card=CARDS[card], salt=SALT) as captured:
        log_by(text)(captured.log, {**ROW, "customer": secret})
        assert captured.log.status().rejected == 0
        (event,) = captured.predictions()
    for own in ("@timestamp", "event", "process", "host"):
        del event[own]
    written = json.dumps(event, ensure_ascii=False).lower()
    assert not [part for part in windows(secret.lower()) if part in written]
    assert text_hash(text) not in written


def windows(secret: str) -> set[str]:
    """Four letters at its beginning, and every longer part of it that tells of more than half."""
    size = max(6, len(secret) // 2 + 1)
    return {secret[:4], *(secret[k : k + size] for k in range(len(secret) - size + 1))}


@pytest.mark.parametrize("secret", [54321.77, 40000077, "1971-03-19T08:09:10", 1234567.25])
@pytest.mark.parametrize("written", [str, "{:,}".format, repr], ids=["str", "grouped", "repr"])
def test_where_a_number_is_cut(secret: Any, written: Callable[[Any], str]) -> None:
    """Neither are the first digits of a number or a date left."""
    if isinstance(secret, str) and written is not str:
        return
    for back in range(1, 20):
        text = f"{'k' * (TEXT_LIMIT - back - 1)} {written(secret)}, and so on"
        with capture_events("m", card=CARDS["plain"], salt=SALT) as captured:
            place = "customer" if isinstance(secret, str) else "income"
            captured.log.prediction({**ROW, place: secret}, 0.5, message=text)
            (event,) = captured.predictions()
        rest = event["message"].lstrip("k").removesuffix("…").strip()
        assert not [character for character in rest.partition(",")[0] if character.isdigit()]


@pytest.mark.parametrize("secret", ["4111111111111111", "DE89370400440532013000", "jane.doe@example.com"])
@pytest.mark.parametrize(
    "door", ["message", "error", "stream", "label", "repr in labels", "id", "label's name", "name in a message"]
)
def test_where_a_pattern_is_cut(secret: str, door: str) -> None:
    """Half of what a pattern finds isn't left either, in any text that the logger cuts."""
    limit, log_by = DOORS[door]
    for back in range(4, len(secret) + 3, 3):
        text = f"{('k ' * limit)[: limit - back - 1]} {secret} and so on{' more' * 50}"
        with capture_events("m", card=CARDS["patterns"], salt=SALT) as captured:
            log_by(text)(captured.log, ROW)
            (event,) = captured.predictions()
        # What is as good as random may have the four digits by chance (the last of a time, a process' name).
        del event["event"], event["process"], event["host"], event["@timestamp"], event["ml"]["sequence"]
        written = json.dumps(event)
        assert secret[:4] not in written
        assert text_hash(text) not in written


@pytest.mark.parametrize(
    "secret", ["first of it\nsecond of it\nthird of it", "\n".join(f"line {k} of it" for k in range(2000))]
)
def test_tracebacks_that_lost_their_front(secret: str) -> None:
    """A traceback is cut at its front, and may begin in the middle of a value of many lines."""
    for behind in range(TEXT_LIMIT - 90, TEXT_LIMIT, 3):
        with capture_events("m", card=CARDS["plain"], salt=SALT) as captured:
            raised(f"bad {secret}\n{'k' * behind}")(captured.log, {**ROW, "diary": secret})
            (event,) = captured.predictions()
        assert "of it" not in event["error"]["stack_trace"]
        assert "of it" not in event["error"]["message"]


@pytest.mark.parametrize("card", sorted(CARDS))
def test_ids_that_are_cut(card: str) -> None:
    """They end in a hash without a salt, so they are hashed with one, alike in every part of a prediction."""
    given_id = "an order of " * 30
    with capture_events("m", card=CARDS[card], salt=SALT) as captured:
        captured.log.prediction(ROW, 0.5, id=given_id)
        captured.log.prediction({}, 0.5, id=given_id)
        captured.log.label(given_id, "good")
        ids = {event["ml"]["prediction_id"] for event in captured.events() if "prediction_id" in event["ml"]}
    (one,) = ids
    assert len(one) == 16
    assert one != text_hash(given_id)


@pytest.mark.parametrize("card", sorted(CARDS))
@pytest.mark.parametrize("back", [2, 9, 30])
def test_frames_are_cut_alike(card: str, back: int) -> None:
    """A long text of a frame is measured without its cut end and its hash, as that of an event is."""
    secret = "C-00000 of Bonn"
    text = f"{('k ' * TEXT_LIMIT)[: TEXT_LIMIT - back - 1]} {secret} and so on{' more' * 50}"
    row = {**ROW, "customer": secret, "purpose": text}
    with capture_events("m", card=CARDS[card], salt=SALT) as captured:
        captured.log.prediction(row, 0.5)
        (event,) = captured.predictions()
    frame = protect_frame(CARDS[card], {name: [value] for name, value in row.items()} | {"purpose": [cut(text)]}, SALT)
    assert frame["purpose"] == [event["ml"]["inputs"]["text"]["purpose"]]
    assert "C-0" not in frame["purpose"][0]
    for missing in (None, ""):
        (kept,) = protect_frame(CARDS[card], {"customer": [missing], "purpose": [cut("k " * 5000)]}, SALT)["purpose"]
        assert kept.endswith("…")


def test_texts_that_are_not_cut_stay() -> None:
    """What only looks like a cut loses nothing but what could be a hash; short texts nothing at all."""
    with capture_events("m", card=CARDS["plain"], salt=SALT) as captured:
        for message in ("see #4bf92f3577b34da6", "k" * (TEXT_LIMIT - 1) + "Z", "and so … Z", "C-0000"):
            captured.log.prediction(ROW, 0.5, message=message)
        messages = [event["message"] for event in captured.predictions()]
    assert messages == ["see #4bf92f3577b34da6", "k" * (TEXT_LIMIT - 1) + "Z", "and so … Z", "C-0000"]


@pytest.mark.parametrize(
    "text",
    [
        "to john.smith%40corp.example.com now",
        "/x?mail=john%2Esmith%40corp%2Eexample%2Ecom&b=1",
        "/x?u=%2Flogin%3Fmail%3Djohn.smith%2540corp.example.com",
        "card%204111%201111%201111%201111!",
        "from %32001%3Adb8%3A%3A1 and %3A%3A1",
        "call %2B49%20151%2012345678 now",
    ],
)
def test_patterns_in_urls(text: str) -> None:
    """A pattern finds what a URL writes with percent signs, and leaves what stands around it as it was."""
    found = Scrubber(["email", "iban", "card_number", "ip", "phone"]).text(text)
    assert "<" in found
    for part in ("john", "smith", "corp", "4111", "1111", "db8", "12345678"):
        assert part not in found
    for around in ("to ", " now", "/x?", "&b=1", "card%20", "!", "from ", "call "):
        assert (around in found) == (around in text)
