"""The parts of the filters that are Ruby's business, in a real JRuby: letters, patterns, and our one line of Ruby."""

from __future__ import annotations

import json
import pathlib
import random
import re
from typing import Any

import pytest
from support import jruby, pipelines
from support.logstash import ORIGINAL, regexp
from support.logstash_events import to_json

from mllog.events import dataset

OURS = pipelines.read(pipelines.texts())
PATTERNS = sorted({term[2] for plugin in OURS.plugins() for _, condition in plugin.inside for term in condition.terms
                   if len(term) == 3 and term[1] in {"=~", "!~"}})  # fmt: skip
TEXTS = ["", " ", "\n", "a", "a\n", "\na", "0193-a", "x" * 128, "x" * 129, "ü", "٣", "a b", "\u2003", "\u0085", "a:b_c.d-e", "a/b",
         "0" * 64, "f" * 64 + "\n", "mllog.prediction.m", "mllog.prediction.m\nx", "x\nmllog.prediction.m", "mllogXprediction.m",
         "mllog.label." + "m" * 80, "mllog.label." + "m" * 81, "mllog.prediction.", "MLLOG.label.m",
         "Could not index event to Elasticsearch. status: 400, action: []", "x Could not index event to Elasticsearch. status: 400,",
         "Could not index event to Elasticsearch. status: 404, action: [status: 413,]",
         "Could not index event to Elasticsearch.\nstatus: 413,"]  # fmt: skip
REASONS = ['a\nb, response: {"a"=>1}', ", response: one, response: two\n", "no answer", ""]
EVENTS = [
    {"data": {"event": {"id": "ü\n"}, "[a": {"]": 1}, "tags": ["_x"]}, "metadata": {"reason": "r"}},
    {"data": {"message": "not json"}, "metadata": {"reason": "r", "original": "not\tjson"}},
    {"data": {"original": 1, "event": "text"}, "metadata": {}},
]


def names() -> list[str]:
    """Names of all kinds of letters."""
    draw = random.Random(7)
    letters = ["aZ9_.-", " \n\t\x00", "ÄÖÜßẞ", "İıK\u212b", "ΣΟΔς", "Жд", "\ufb01\u0130\u03a3", "\U0001f600\U00010400", "%{[]}$"]
    return ["".join(draw.choice(draw.choice(letters)) for _ in range(draw.randrange(1, 130))) for _ in range(2000)]


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """Everything in one process: it takes some seconds to start."""
    options = {name: OURS.plugin(name).options for name in
               ("mllog_name_letters", "mllog_name_cut", "mllog_name_hash_cut", "mllog_deadletters_reason")}  # fmt: skip
    given = {
        "letters": options["mllog_name_letters"]["gsub"],
        "length": options["mllog_name_cut"]["length_bytes"],
        "hash": options["mllog_name_hash_cut"]["length_bytes"],
        "names": names(),
        "code": ORIGINAL,
        "events": EVENTS,
        "patterns": [[pattern, TEXTS] for pattern in PATTERNS],
        "answer": options["mllog_deadletters_reason"]["gsub"][1],
        "reasons": REASONS,
    }
    return jruby.run(pathlib.Path(__file__).with_name("filters.rb"), given)


def test_names_are_made_as_mllog_makes_them(said: dict[str, Any]) -> None:
    """Lower case, letters, length and hash: the same dataset of 2,000 odd names."""
    assert [f"mllog.label.{name}" for name in said["names"]] == [dataset("label", name) for name in names()]


def test_every_letter_is_the_same_in_both(said: dict[str, Any]) -> None:
    """Of all code points, those that leave anything but `_` are the same, and leave the same."""
    codes = [code for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF and code != ord(".")]
    made = re.sub(r"[^a-z0-9_.]", "_", ".".join(map(chr, codes)).lower()).split(".")
    assert said["odd"] == {str(code): text for code, text in zip(codes, made, strict=True) if text != "_"}


def test_patterns_mean_what_the_model_takes_them_to_mean(said: dict[str, Any]) -> None:
    """Every pattern of a condition, of texts with line feeds and letters of other scripts."""
    assert len(PATTERNS) >= 8
    assert said["matches"] == [[regexp(pattern).search(text) is not None for text in TEXTS] for pattern in PATTERNS]


def test_a_reason_is_what_was_answered(said: dict[str, Any]) -> None:
    """Whatever stands before the last answer is left out, over line feeds."""
    assert said["reasons"] == ['{"a"=>1}', "two\n", "no answer", ""]


def test_the_line_of_ruby(said: dict[str, Any]) -> None:
    """The event is its JSON and nothing else, or the line that was none; its metadata stays."""
    beside = {"@timestamp": "now", "@version": "1"}
    (one, other, third) = said["events"]
    assert json.loads(one[0]["event"].pop("original")) == {**beside, **EVENTS[0]["data"]}
    assert other[0] == {**beside, "event": {"original": "not\tjson"}}
    assert json.loads(third[0]["event"].pop("original")) == {**beside, **EVENTS[2]["data"]}
    assert one[0] == third[0] == {**beside, "event": {}}
    assert [metadata for _, metadata in said["events"]] == [event["metadata"] for event in EVENTS]
    assert to_json(one[1]) == '{"reason":"r"}'
