"""KQL is read as Kibana reads it, and asks for what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kibana_objects.kql import And, Match, Not, Or, Range, fields, parse, to_query
from mllog.errors import SettingError

TYPES = {"kind": "keyword", "n": "long", "at": "date", "message": "text", "ok": "boolean", "labels": "flattened"}


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("", None),
        ("a : b", Match("a", "b")),
        ('a : "b c"', Match("a", "b c")),
        ('a : "say \\"so\\""', Match("a", 'say "so"')),
        ("a : *", Match("a", "*", pattern=True)),
        ("a : b*", Match("a", "b*", pattern=True)),
        ('a : "b*"', Match("a", "b*")),
        (r"a : b\*", Match("a", "b*")),
        ("a >= 3", Range("a", "gte", "3")),
        ("a<0.5", Range("a", "lt", "0.5")),
        ("a : b or a : c and not a : d", Or((Match("a", "b"), And((Match("a", "c"), Not(Match("a", "d"))))))),
        ("(a : b or a : c) and a : d", And((Or((Match("a", "b"), Match("a", "c"))), Match("a", "d")))),
        ("a : (b or c)", Or((Match("a", "b"), Match("a", "c")))),
        ("a : (b and not c)", And((Match("a", "b"), Not(Match("a", "c"))))),
        ("not a : b", Not(Match("a", "b"))),
        ("NOT a : b AND c : d", And((Not(Match("a", "b")), Match("c", "d")))),
        ("order : notable", Match("order", "notable")),
        ('"a b" : c', Match("a b", "c")),
        ('ml.inputs.number."dew point" : 3', None),
    ],
)
def test_reading(text, node):
    """Brackets first, then not, and, or; names that begin with such a word are names."""
    if text.startswith("ml.inputs"):
        with pytest.raises(SettingError):
            parse(text)
    else:
        assert parse(text) == node


@pytest.mark.parametrize(
    "text", ["a", "a and", "a : b or", "a : (b", "a : b)", "a b : c", "a : b c", ": b", "a :", "a : b and or c : d", "a > ", "{a : b}"]
)
def test_what_is_none(text):
    """It is named, with the place."""
    with pytest.raises(SettingError, match="can't be read at its") as caught:
        parse(text)
    assert caught.value.value == text


names = st.sampled_from(list("abcdefg"))
texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=10)
nodes = st.recursive(
    st.builds(Match, names, texts) | st.builds(Range, names, st.sampled_from(["gt", "gte", "lt", "lte"]), texts),
    lambda inner: st.builds(Not, inner)
    | st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
    | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
    max_leaves=8,
)


def spelt(node):
    """A node as KQL."""

    def quoted(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    match node:
        case Match(field, value):
            return f"{field} : {quoted(value)}"
        case Range(field, operator, value):
            return f"{field} {({'gt': '>', 'gte': '>=', 'lt': '<', 'lte': '<='})[operator]} {quoted(value)}"
        case Not(part):
            return f"not ({spelt(part)})"
        case And(parts) | Or(parts):
            word = " and " if isinstance(node, And) else " or "
            return word.join(f"({spelt(part)})" for part in parts)


@given(nodes)
def test_whatever_is_written_is_read(node):
    """Any value, however odd, in any nesting."""
    assert parse(spelt(node)) == node


def test_asking():
    """Keywords by terms and patterns, texts by phrases, existence, ranges, and, or, not."""
    text = 'kind : feature and (n >= 3 or not message : "it broke") and ok : true and kind : a* and at : *'
    assert to_query(parse(text), TYPES) == {
        "bool": {
            "filter": [
                {"term": {"kind": "feature"}},
                {
                    "bool": {
                        "should": [
                            {"range": {"n": {"gte": "3"}}},
                            {"bool": {"must_not": [{"match_phrase": {"message": "it broke"}}]}},
                        ],
                        "minimum_should_match": 1,
                    }
                },
                {"term": {"ok": "true"}},
                {"wildcard": {"kind": {"value": "a*"}}},
                {"exists": {"field": "at"}},
            ]
        }
    }
    assert to_query(None, TYPES) == {"match_all": {}}
    assert list(fields(parse(text))) == ["kind", "n", "message", "ok", "kind", "at"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("nix : 1", "isn't in the data view"), ("message > 3", "has no order"), ("ok >= 1", "has no order"),
     ("n : 1*", "only keywords have patterns"), ("message : a*", "only keywords have patterns")],
)  # fmt: skip
def test_what_cannot_be_asked(text, said):
    """Fields that aren't there, and questions that a type doesn't answer."""
    with pytest.raises(SettingError, match=said):
        to_query(parse(text), TYPES)
