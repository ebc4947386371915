"""What is derived of texts: length, script, emoji, wrong encodings."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllog import ModelCard
from mllog.ruler import Feature, Ruler
from mllog.shapes import (
    _SCRIPT_OF,
    BLOCKS,
    CLEAN,
    EMOJI,
    FAULTY,
    LENGTH_EDGES,
    MARK_EDGES,
    REMEMBERED,
    SCRIPT_EDGES,
    SCRIPTS,
    Shape,
    marks_of,
    script_of,
    shape_of,
)

TEXTS = {
    "Latin": ["late", "née à Besançon", "đường", "ﬁn", "ＡＢ", "x Ω"],
    "Cyrillic": ["Привет, мир", "ok Привет", "Ѐ"],
    "Greek": ["Ελληνικά", "ἀρχή"],
    "Arabic": ["مرحبا", "ﻢ"],
    "Hebrew": ["שלום"],
    "Indic": ["हिन्दी", "বাংলা", "தமிழ்"],
    "Han": ["日本", "漢々", "𠀀", "日本a"],
    "Kana": ["カタカナ", "ひらがな", "ｶﾅ"],
    "Hangul": ["한국어", "ᄀ"],
    "Thai": ["ไทย"],
    "other": ["Հայ", "ქართული", "አማርኛ"],
    "none": ["", "123 !?", "😀", "\ud800", "★ 12"],
}


@pytest.mark.parametrize(("script", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts])
def test_the_script_is_that_of_most_letters(script: str, text: str) -> None:
    """Of equals the first one counts; without a letter there is none."""
    assert SCRIPTS[script_of(text)] == script


def test_blocks_are_those_of_unicode() -> None:
    """Letters of which the name begins with a script are in it, and no block stands in another's place."""
    starts = [start for start, _ in BLOCKS]
    assert starts == sorted(set(starts))
    named = {"LATIN": 1, "CYRILLIC": 2, "GREEK": 3, "ARABIC": 4, "HEBREW": 5, "DEVANAGARI": 6, "TAMIL": 6, "CJK": 7,
             "HIRAGANA": 8, "KATAKANA": 8, "HANGUL": 9, "THAI": 10}  # fmt: skip
    strange = []
    for code in range(0x30000):
        first = unicodedata.name(chr(code), "").partition(" ")[0]
        if first in named and chr(code).isalpha() and script_of(chr(code)) != named[first]:
            strange.append(code)
    # Phonetic, mathematical and historical extensions beyond the blocks of living texts.
    assert len(strange) < 400
    assert not [hex(code) for code in strange if code < 0x1C80]


SENTENCES = ["née à Besançon", "Größe – gut…", "It’s “fine” – €5", "Привет, мир", "日本語", "Ελληνικά", "مرحبا", "naïve 😀", "smörgåsbord"]


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_a_wrong_encoding_is_seen(text: str, encoding: str) -> None:
    """UTF-8 read as something else is faulty, what was read rightly isn't; neither is it when cut in the middle."""
    assert marks_of(text) == (EMOJI if "😀" in text else CLEAN)
    try:
        wrong = text.encode().decode(encoding)
    except UnicodeDecodeError:
        wrong = text.encode().decode("latin-1")
    assert marks_of(wrong) == FAULTY
    assert marks_of(wrong + "Ã") == FAULTY
    assert marks_of(f"{wrong} \ufffd") == FAULTY


@pytest.mark.parametrize(
    "text",
    ["Spaß“", "„JÄ“ – Spaß…", "NÃO É «MANHû", "«\xa0Voilà\xa0»", "déjà\xa0» ou «\xa0à\xa0»", "CAFÉ»", "5 × 3–4", "½ ± 2 °C", "Ærø Å–B og æøå", "★ ✓ ☎", "ñandú ¿qué?"],
)
def test_what_is_in_order_is_left_alone(text: str) -> None:
    """Accents, quotes and signs that stand beside each other are no wrong encoding, and signs are no emoji."""
    assert marks_of(text) == CLEAN


@pytest.mark.parametrize("text", ["ok 😀", "a ❤️", "⭐", "🇫🇷", "⏰"])
def test_emoji(text: str) -> None:
    """Pictures by themselves, and by a selector."""
    assert marks_of(text) == EMOJI


@given(st.text())
def test_a_shape_is_total(text: str) -> None:
    """Any text has one bin of each kind."""
    length, script, marks = shape_of(text)
    assert length == len(text)
    bins = Shape.of("a:b").bins(text)
    assert (script <= len(SCRIPT_EDGES), marks <= len(MARK_EDGES), len(bins)) == (True, True, 3 * (text != "…"))


def test_characters_are_forgotten() -> None:
    """A stream of all there are doesn't fill the memory."""
    for code in range(0, sys.maxunicode, 25):
        script_of(chr(code))
    assert len(_SCRIPT_OF) <= REMEMBERED


def test_a_card_has_the_shapes_of_its_texts() -> None:
    """Training is counted, blanks and other types aside; a card without them measures none."""
    frame = {"t": ["late gate"] * 60 + ["поезд опоздал"] * 40 + ["", None, 5.0], "n": [1.0] * 103}
    card = ModelCard.from_frame(frame, "m", "1", text=["t"])
    trained = {key[0]: {} for key in card.training["*"]}
    for (name, _, bin_), count in card.training["*"].items():
        trained[name][bin_] = count
    assert trained["@script:t"] == {"1": 60, "2": 40}
    assert trained["@marks:t"] == {"0": 100}
    assert trained["@length:t"] == {"6": 60, "7": 40}
    assert LENGTH_EDGES[5:8] == (8.0, 12.0, 16.0)
    bare = Ruler(tuple(f for f in card.ruler.features if not f.name.startswith("@length")))
    assert bare.shapes == {}
    assert Ruler((Feature("t", "text"),)).measure({"t": "late"}).bins == []
