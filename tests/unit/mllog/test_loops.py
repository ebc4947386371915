"""The loops over values say the same compiled and in Python, and neither can be brought down."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import hostile

from mllog.delivery.loops import plain
from mllog.delivery.ordinary import cells_of, ordinary_of
from mllog.delivery.snapshot import snapshot
from mllog.delivery.tokens import TokenCounter
from mllog.ruler import Feature
from mllog.shapes import Shape, shape_of

if TYPE_CHECKING:
    from types import ModuleType

FOUND = importlib.util.find_spec("mllog.delivery.loops.compiled") is not None
compiled: ModuleType = importlib.import_module("mllog.delivery.loops.compiled") if FOUND else plain

NAMES = st.one_of(
    st.sampled_from(["a", "b", "c", 'q"uote', "back\\slash", "tab\t", "ünder", "日本", "\ud800", ""]),
    st.text(max_size=8),
)
TEXTS = st.one_of(
    st.sampled_from(
        [
            "late gate",
            "Late",
            "UA",
            "",
            " ",
            "\u2003",
            "x" * 256,
            "x" * 257,
            "\ud800",
            "a\x1cb",
            '"\\/\n\x00\x7f',
            "Σ ΑΣ",
            "日本 語",
            "😀",
        ]
    ),
    st.text(max_size=30),
    st.text(alphabet="late gro\t\n\x1c\xa0", max_size=30),
)
NUMBERS = st.one_of(
    st.floats(),
    st.integers(-3, 3),
    st.sampled_from(
        [0.0, -0.0, 1.5, 5e-324, sys.float_info.max, 2**53, 2**53 + 1, -(2**53), -(2**53) - 1, 2**63, 10**400]
    ),
)
VALUES = st.one_of(NUMBERS, TEXTS, st.none(), st.booleans(), st.just([1.0]), st.just({"k": 1}), st.just(b"bytes"))
SCALARS = st.dictionaries(NAMES, st.one_of(NUMBERS, TEXTS, st.none(), st.booleans()), max_size=8)


def test_compiled_where_there_is_a_compiler() -> None:
    """What can be compiled here was: the other tests of this file mean something."""
    headers = Path(sysconfig.get_path("include"), "Python.h").exists()
    assert FOUND == bool(shutil.which("cc") and headers), "install the project anew: pip install -e ."


def test_pure_python_can_be_chosen() -> None:
    """MLLOG_PURE_PYTHON=1 has Python's loops used, whatever is there."""
    shown = subprocess.run(
        [sys.executable, "-c", "from mllog.delivery import loops; print(loops.COMPILED, loops.Layout.__module__)"],
        env=os.environ | {"MLLOG_PURE_PYTHON": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.split() == ["False", "mllog.delivery.loops.plain"]


@settings(deadline=None, max_examples=300)
@given(inputs=st.dictionaries(NAMES, VALUES, max_size=8))
@example({})
def test_what_is_plain(inputs: dict[str, Any]) -> None:
    """What passes in Python passes compiled; a text with a bracket, or 2**53, may cost Python's a second look."""
    size, other = compiled.size_of_scalars(inputs), plain.size_of_scalars(inputs)
    if size is None:
        assert other is None
        return
    assert size >= plain.VALUE_SIZE * len(inputs)
    if other is None:
        parts = [part for item in inputs.items() for part in item]
        assert any(set(part) & {"[", "{"} if isinstance(part, str) else part in (2**53, -(2**53)) for part in parts)


@pytest.mark.parametrize("kind", range(len(hostile.HOSTILE)))
def test_hostile_values_are_not_plain(kind: int) -> None:
    """A value of foreign code is told by its type alone: none of its methods is called."""
    for inputs in ({"a": hostile.HOSTILE[kind]()}, {"a": 1, "b": hostile.HOSTILE[kind]()}):
        assert compiled.size_of_scalars(inputs) is None


@pytest.mark.parametrize(
    "value",
    [
        np.float64(0.1),
        np.float32(0.1),
        np.float16(2),
        np.float64("nan"),
        np.int8(-3),
        np.uint64(7),
        np.bool_(True),
        np.bool_(False),
    ],
)
def test_scalars_of_numpy(value: Any) -> None:
    """They become the values that they become one by one; an integer beyond 53 bits is left to that."""
    inputs = {"a": value, "b": "x"}
    if FOUND:
        assert compiled.size_of_scalars(inputs) is not None
        assert repr(inputs) == repr({"a": snapshot({"a": value, "b": [1]}).values["a"], "b": "x"})
    assert compiled.size_of_scalars({"a": np.int64(2**60)}) is None
    assert compiled.size_of_scalars({"a": np.datetime64("2026-11-24")}) is None
    assert compiled.size_of_scalars({"a": np.zeros(1)}) is None


def test_keys_that_are_no_strings() -> None:
    """Names of any other type are somebody else's work, subclasses of str included."""

    class Text(str):
        __slots__ = ()

    for key in (1, None, (1, 2), b"a", Text("a")):
        assert compiled.size_of_scalars({key: 1}) is None
        assert compiled.Memory(8).get({key: 1}) is None


@settings(deadline=None, max_examples=300)
@given(inputs=st.dictionaries(NAMES, VALUES, max_size=8))
def test_sorting(inputs: dict[str, Any]) -> None:
    """Both sort by type in the same way."""
    assert unordered(compiled.sort(dict(inputs), plain=False)) == unordered(plain.sort(dict(inputs), plain=False))


FEATURES = {
    "n": Feature("n", "number", edges=(0.0, 1.0, 2.0), low=-5.0, high=5.0, sentinels=frozenset({"-1"})),
    "m": Feature("m", "number"),
    "k": Feature("k", "category", known=frozenset({"UA", "AA", "日本", 'q"'})),
    "o": Feature("o", "category", open=True),
    "f": Feature("f", "boolean", known=frozenset({"true", "false"})),
    "t": Feature("t", "text", vocabulary=frozenset({"late", "gate", "語"}), sentinels=frozenset({"none"})),
    "u": Feature("u", "text", vocabulary=frozenset({"late"})),
    "x": Feature("x", "other"),
}


def layout_of(module: ModuleType, names: tuple[str, ...]) -> Any:
    """A layout of these names, with words of the same module."""
    counters = {name: TokenCounter(FEATURES[name].vocabulary) for name in ("t", "u")}
    for counter in counters.values():
        counter.familiar = module.Words()
    known = [FEATURES[name] for name in names if name in FEATURES]
    return module.Layout(
        names,
        numbers=[(f.name, *cells_of(f)) for f in known if f.kind == "number"],
        strings=[(f.name, ordinary_of(f)) for f in known if f.kind == "category"],
        flags=[(f.name, ordinary_of(f)) for f in known if f.kind == "boolean"],
        texts=[
            (name, FEATURES[name].sentinels, counters[name], Shape.of(name) if name == "t" else None)
            for name in ("u", "t")
            if name in names
        ],
        absent=[name for name in FEATURES if name not in names],
        unexpected=[name for name in names if name not in FEATURES],
    )


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from([*FEATURES, "new"]),
        st.one_of(VALUES, st.sampled_from(["UA", "AA", "日本", 'q"', "none", -1, 1.0])),
        max_size=9,
    )
)
def test_measuring(inputs: dict[str, Any]) -> None:
    """Both find the same ordinary values, bins, words and odd ones."""
    one, other = layout_of(compiled, tuple(inputs)), layout_of(plain, tuple(inputs))
    for _ in range(2):  # a second time the words are familiar
        taken, wanted = one.measure(dict(inputs)), plain.Taken(*other.measure(dict(inputs)))
        assert unordered(taken) == unordered(wanted)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.one_of(st.text(max_size=6), st.text(alphabet="ab", min_size=1, max_size=9)), max_size=600),
    st.lists(TEXTS, max_size=5),
)
@example([f"word{k}" for k in range(5_000)], ["word17 word4999 word5000"])
def test_words(known: list[str], texts: list[str]) -> None:
    """Words are found and missed alike, however many there are, and forgotten alike."""
    one, other = compiled.Words(), plain.Words()
    for words in (one, other):
        for word in known:
            words.add(word)
    assert len(one) == len(other)
    for text in [*texts, " ".join(known), "\x1f".join(known[:50])]:
        assert as_lists(one.count(text)) == as_lists(other.count(text))
    for word in known[:20]:
        assert word in one
    one.clear()
    assert len(one) == 0
    assert as_lists(one.count("ab cd")) == (0, ["ab", "cd"])


MARKED = st.text(alphabet="aé ÃÂâ€™©ðŸ˜\xa0«»“ßПриветאבग日本カ한ไ😀❤\ufe0f☎\ufffd…", max_size=300)


@settings(deadline=None, max_examples=400)
@given(st.one_of(TEXTS, MARKED, st.text(), MARKED.map(lambda text: text.encode().decode("latin-1"))))
@example("1,2!")
@example("é" * 300 + "П" * 400)
def test_shapes(text: str) -> None:
    """Length, script and marks are the same, whoever looks."""
    assert compiled.shape_of(text) == shape_of(text)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "ab", "ü", "日本"]), unique=True), max_size=12), st.integers(1, 4))
def test_memory(lists: list[list[str]], limit: int) -> None:
    """What was remembered for a list of names is found for that list alone, until there were too many lists."""
    one, other = compiled.Memory(limit), plain.Memory(limit)
    for k, names in enumerate(lists):
        assert one.get(dict.fromkeys(names)) == other.get(dict.fromkeys(names))
        one.put(tuple(names), k)
        other.put(tuple(names), k)
        assert one.get(dict.fromkeys("".join(list(name)) for name in names)) == k  # equal, not the same objects
        assert len(one) <= limit


def test_inputs_of_another_layout() -> None:
    """Nothing is read beyond what there is."""
    if FOUND:
        with pytest.raises(ValueError, match="1 inputs for 2 names"):
            layout_of(compiled, ("n", "m")).measure({"n": 1.0})


@pytest.mark.parametrize("module", [compiled, plain])
def test_a_record_holds_the_same_fields(module: ModuleType) -> None:
    """Whichever loops a record is made with, it has the same fields with the same values."""
    fields, wanted = (m.Fields("prediction", "predict", 7, "id", 0) for m in (module, plain))
    assert {name: getattr(fields, name) for name in plain.Fields.__slots__} == {
        name: getattr(wanted, name) for name in plain.Fields.__slots__
    }
    with pytest.raises(AttributeError):
        fields.other = 1


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(
        st.one_of(st.sampled_from(["label", "score", "value", "", " ", "x" * 300, 1, None]), NAMES),
        st.one_of(VALUES, st.text(min_size=255, max_size=258)),
        max_size=4,
    )
)
def test_usual_outputs(output: dict[Any, Any]) -> None:
    """Both keep a copy of the same outputs, and leave the others alone."""
    one, other = (m.Fields("prediction", "predict", 7, "id", 0) for m in (compiled, plain))
    assert one.hold_usual(output) == other.hold_usual(output)
    assert repr(one.output) == repr(other.output)
    assert one.output is not output
    assert one.size == other.size


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_scalars_are_held(inputs: dict[str, Any]) -> None:
    """A record holds a copy of scalars and knows their size, and else holds nothing."""
    fields = compiled.Fields("prediction", "predict", 7, "id", 0)
    size = compiled.size_of_scalars(dict(inputs))
    assert fields.hold_scalars(inputs) == (size is not None)
    assert fields.size == plain.RECORD_SIZE + (size or 0)
    assert repr(fields.held) == (repr(inputs) if size is not None else "None")
    assert fields.held is not inputs


def as_lists(counted: tuple[int, Any]) -> tuple[int, list[str]]:
    """A count of words, whatever sequence the new ones are in."""
    return counted[0], list(counted[1])


def unordered(parts: Any) -> str:
    """Parts of a result, without orders that mean nothing, and as plain lists and dicts."""
    return repr([_plain(part) for part in parts])


def _plain(part: Any) -> Any:
    if isinstance(part, dict):
        return sorted(part.items(), key=lambda item: item[0])
    return [item if isinstance(item, str) else list(item) for item in part]
