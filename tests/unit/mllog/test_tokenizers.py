"""Tokenizers by name: one card, one way to cut a text, wherever it is measured."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllog import CardError, ModelCard, ModelLogger
from mllog.counting import tally
from mllog.delivery.encoder import Constants, Encoder
from mllog.delivery.snapshot import hold
from mllog.delivery.tokens import TokenCounter
from mllog.events import Record
from mllog.ruler import Ruler
from mllog.testing import capture_events
from mllog.tokenizers import characters, tokenizer_of, whitespace, words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAME = {"t": ["abcd late 12", "日本語版 late"] * 50, "n": [1.0, 2.0] * 50}
THEIRS = "house_tokens:pairs"


def pairs(text: str) -> list[str]:
    """Pairs of words, which reach over blanks."""
    if text == "break":
        raise RuntimeError(text)
    parts = text.split()
    return [f"{a} {b}" for a, b in pairwise(parts)]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of somebody's own tokenizers."""
    module = ModuleType("house_tokens")
    monkeypatch.setattr(pairs, "__module__", "house_tokens")
    module.__dict__.update(pairs=pairs, number=5, text=lambda text: text, broken=lambda _: 1 / 0)
    monkeypatch.setitem(sys.modules, "house_tokens", module)
    tokenizer_of.cache_clear()
    yield module
    tokenizer_of.cache_clear()


def make(**options: Any) -> ModelCard:
    return ModelCard.from_frame(FRAME, "m", "1", text=["t"], **options)


def test_the_built_in_ones() -> None:
    """Words, three characters at a time within words, and what stands between white space."""
    assert words("It's 12 o'clock") == ["it's", "0", "o'clock"]
    assert characters("日本語版 ab Cdef") == ["日本語", "本語版", "ab", "cde", "def"]
    assert whitespace("A-1  b\n") == ["A-1", "b"]


@pytest.mark.parametrize(("asked", "name", "vocabulary"), [
    ("words", None, {"abcd", "late", "0", "日本語版"}), (words, None, {"abcd", "late", "0", "日本語版"}),
    ("characters", "characters", {"abc", "bcd", "lat", "ate", "0", "日本語", "本語版"}),
    (whitespace, "whitespace", {"abcd", "late", "12", "日本語版"}), (THEIRS, THEIRS, {"abcd late", "late 12", "日本語版 late"}),
])  # fmt: skip
def test_a_card_says_how_its_texts_are_cut(house: ModuleType, tmp_path: Path, asked: Any, name: str, vocabulary: set[str]) -> None:
    """By name, in its hash where it isn't the default, and again where the card is loaded."""
    card = make(tokenizers={"t": asked})
    feature = card.ruler.by_name["t"]
    assert (feature.tokenizer, feature.vocabulary) == (name, vocabulary)
    assert (card.ruler.hash == make().ruler.hash) == (name is None)
    card.save(tmp_path / "card.json")
    again = ModelCard.load(tmp_path / "card.json")
    assert again.ruler == card.ruler
    assert ModelCard.from_frame(FRAME, "m", "2", text=["t"], previous=again).ruler.hash == card.ruler.hash
    del house


@pytest.mark.parametrize(("asked", "why"), [
    (lambda text: [text], "lambda"), ("nobody:here", "can't be imported"), ("word", "is no 'package.module:function'"),
    ("house_tokens:number", "can't be called"), ("house_tokens:text", "no list of strings"), ("house_tokens:broken", "raises ZeroDivisionError"),
    (5, "is no 'package"), ("house_tokens:nothing", "can't be imported"),
])  # fmt: skip
def test_what_nobody_could_use_is_refused(house: ModuleType, asked: Any, why: str) -> None:
    """The message has the argument, the value and the remedy."""
    with pytest.raises(CardError, match=r"tokenizers\['t'\]") as caught:
        make(tokenizers={"t": asked})
    assert why in str(caught.value)
    assert "make it importable wherever events are measured" in str(caught.value)
    with pytest.raises(CardError, match="raises RuntimeError at a text of 5 characters"):
        ModelCard.from_frame({"t": ["late gate", "break"]}, "m", "1", text=["t"], tokenizers={"t": THEIRS})
    with pytest.raises(CardError, match="'n', which is no text"):
        make(tokenizers={"n": "words"})
    with pytest.raises(CardError, match="the policy redacts that text"):
        make(tokenizers={"t": "characters"}, policy={"features": {"t": "redact"}})
    del house


def test_a_logger_that_cannot_import_it_says_so(house: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, naming card, field, value and remedy; who only reads the card needs no tokenizer."""
    make(tokenizers={"t": house.pairs}).save(tmp_path / "card.json")
    monkeypatch.delitem(sys.modules, "house_tokens")
    tokenizer_of.cache_clear()
    card = ModelCard.load(tmp_path / "card.json")
    with pytest.raises(CardError, match=r"the card of 'm' '1': field 'tokenizer' of 't'.*'house_tokens:pairs'.*make it importable"):
        ModelLogger("m", version="1", card=card, sink=str(tmp_path))
    broken = card.to_dict() | {"ruler_hash": None}
    broken["ruler"]["features"][0]["tokenizer"] = 5
    with pytest.raises(CardError, match="tokenizer of feature 't' is 5"):
        ModelCard.from_dict(json.loads(json.dumps(broken)))


TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["abcd late 12", "日本語 ab", "late\u2003gate", "break", "", "ABCD, abc-d!"]))


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXTS, min_size=1, max_size=4))
@pytest.mark.parametrize("tokenizer", [None, "characters", "whitespace", f"{__name__}:pairs"])
def test_every_road_cuts_alike(tokenizer: str | None, texts: list[str]) -> None:
    """The ruler, the counter of words, events alone and batches say the same; a tokenizer that breaks loses no event."""
    base = make(tokenizers={"t": tokenizer or "words"}).ruler.by_name["t"]
    ruler = Ruler((base,))
    counter = TokenCounter(base.vocabulary, base.tokenizer)
    encoder = Encoder(Constants("m", "1"), ruler=ruler)
    card = ModelCard("m", "1", ruler)
    for text in [*texts, *texts]:
        measured = ruler.measure({"t": text})
        found = base.tokenize(text)
        total, unseen = counter.count(text)
        assert (total, list(unseen)) == (len(found), [token for token in found if token not in base.vocabulary])
        record = Record("prediction", "predict", 10**18, "id", 1)
        hold({"t": text}, (), record)
        ml = orjson.loads(encoder.line(record))["ml"]
        assert ml.get("text", {}) == {name: {"tokens": n, "unseen": new} for name, (n, new) in measured.texts.items()}
        assert tally(ruler, {"t": text}, {})[ruler.index["t", "tokens", ""]] == (total if measured.texts else 0)
    with capture_events("m", card=card) as captured:
        captured.log.batch({"t": texts})
        for event, text in zip(captured.events("prediction"), texts, strict=True):
            want = ruler.measure({"t": text}).texts
            assert event["ml"].get("text", {}) == {name: {"tokens": n, "unseen": new} for name, (n, new) in want.items()}
