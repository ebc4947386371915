"""One prediction's inputs into typed maps, measured on the way: a plan that is made once and followed by the writer.

A plan says for each input what an ordinary value of it looks like, and what to write then. Whatever is not ordinary
(a NaN, a number outside of the training range, a text for a number) goes one by one through
:meth:`mllog.delivery.routing.Router.place` and :meth:`mllog.ruler.Ruler.measure_value`, which say the same of ordinary
values: a property test holds plans and ruler together.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Protocol

from mllog import values
from mllog.delivery.ordinary import EXACT, cells_of, ordinary_of
from mllog.delivery.routing import MISSING
from mllog.delivery.tokens import TokenCounter
from mllog.events import TYPED, settled
from mllog.fields import KEYWORD_LENGTH
from mllog.ruler import LATENCY, SCORE, UNSEEN_TOKENS_PER_EVENT, VALUE, Measured, category_key

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from mllog.delivery.routing import Router
    from mllog.events import Record
    from mllog.ruler import Ruler

REMEMBERED: Final = 4_096
"""So many different lists of names are remembered; services have one, or a few."""

_MAPS: Final = frozenset({"number", "keyword", "boolean", "text", "other"})


class Plan(Protocol):
    """Fills in what one prediction's inputs add to ``ml``."""

    def fill(self, inputs: dict[str, Any], record: Record, outputs: Mapping[str, Any], ml: dict[str, Any]) -> None:
        """Add ``ml.inputs``, and what is missing, and what the ruler says.

        Args:
            inputs: Of the record's snapshot; they are used up.
            record: Where it is marked what was cut or replaced.
            outputs: ``ml.outputs``.
            ml: What is filled.
        """


class PlanWithoutCard:
    """Types speak for themselves.

    Args:
        router: Says where what isn't ordinary goes.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._known: dict[tuple[str, ...], bool] = {}

    def fill(self, inputs: dict[str, Any], record: Record, outputs: Mapping[str, Any], ml: dict[str, Any]) -> None:
        """Add ``ml.inputs`` and ``ml.missing``."""
        del outputs  # measured where there is a card
        numbers: dict[str, float] = {}
        texts: dict[str, str] = {}
        flags: dict[str, bool] = {}
        nulls: dict[str, None] = {}
        odd: dict[str, Any] = {}
        if not (record.plain and tuple(inputs) in self._known):
            inputs, odd = self._look(inputs, record)
        maps: dict[type, dict[str, Any]]
        maps = {float: numbers, str: texts, int: numbers, bool: flags, NoneType: nulls}
        try:
            for name, value in inputs.items():
                maps[type(value)][name] = value
        except KeyError:  # an enumeration, say
            inputs, odd = self._look(inputs, record)
            for name, value in inputs.items():
                maps[type(value)][name] = value
        found: dict[str, dict[str, Any]] = {}
        missing: dict[str, list[str]] = {}
        if not math.isfinite(sum(numbers.values())):
            for name in [name for name, number in numbers.items() if not math.isfinite(number)]:
                kind = "nan" if math.isnan(numbers.pop(name)) else "infinite"
                missing.setdefault(kind, []).append(name)
        if texts and (not all(map(str.strip, texts.values())) or max(map(len, texts.values())) > KEYWORD_LENGTH):
            odd |= {n: text for n, text in texts.items() if len(text) > KEYWORD_LENGTH or not text.strip()}
        if numbers:
            found["number"] = numbers
        if texts:
            found["keyword"] = texts
        if flags:
            found["boolean"] = flags
        if odd:
            self._place(odd, found, missing, record)
        if nulls:
            missing["null"] = list(nulls)
        ml["inputs"] = found
        if missing:
            ml["missing"] = missing

    def _look(self, inputs: dict[str, Any], record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
        """Inputs that may be ordinary, and all others."""
        plain, before = record.plain, inputs
        inputs = settled(inputs, record)
        surplus = {name for name in inputs if self._router.kind_of(name) is None}
        if plain and not surplus and inputs is before:
            remember(self._known, tuple(inputs), True)
            return inputs, {}
        odd = {n: value for n, value in inputs.items() if n in surplus or not _is_scalar(value)}
        return {name: value for name, value in inputs.items() if name not in odd}, odd

    def _place(
        self, odd: Mapping[str, Any], found: dict[str, Any], missing: dict[str, list[str]], record: Record
    ) -> None:
        for name, given in odd.items():
            if name in found.get("keyword", ()):
                del found["keyword"][name]
            target, value = self._router.place(name, given, self._router.kind_of(name), record)
            if target in MISSING:
                missing.setdefault(target, []).append(name)
            else:
                found.setdefault(target, {})[name] = value
        if not found.get("keyword", True):
            del found["keyword"]


class PlanOfCard:
    """The card says what belongs where, and what is ordinary.

    Args:
        router: Says where what isn't ordinary goes.
        ruler: The card's.
        keep_texts: Whether the policy lets texts pass.
    """

    def __init__(self, router: Router, ruler: Ruler, *, keep_texts: bool) -> None:
        self._router = router
        self._ruler = ruler
        self._keep_texts = keep_texts
        self._inputs = {feature.name: feature for feature in ruler.inputs}
        self._cells = {f.name: cells_of(f) for f in ruler.inputs if f.kind == "number"}
        self._ordinary = {f.name: ordinary_of(f) for f in ruler.inputs if f.kind in {"category", "boolean"}}
        self._counters = {f.name: TokenCounter(f.vocabulary) for f in ruler.inputs if f.kind == "text"}
        edges = ruler.output_edges
        self._outputs = [(n.removeprefix("@"), edges[n], _bins(n, edges[n])) for n in (SCORE, VALUE) if n in edges]
        self._latency = (edges[LATENCY], _bins(LATENCY, edges[LATENCY])) if LATENCY in edges else None
        self._layouts: dict[tuple[str, ...], Layout] = {}

    def fill(self, inputs: dict[str, Any], record: Record, outputs: Mapping[str, Any], ml: dict[str, Any]) -> None:
        """Add everything that the card has to say."""
        layout = self._layouts.get(tuple(inputs))
        if layout is None:
            inputs = settled(inputs, record)
            layout = self._lay(tuple(inputs))
        found = Measured([], {}, {}, {}, [])
        odd: list[tuple[str, Any]] = []
        # Everything else is taken out one by one: what is left of the inputs is the map of numbers.
        maps: dict[str, dict[str, Any]] = {
            "number": inputs,
            "keyword": _take(layout.strings, inputs, str, odd),
            "boolean": _take(layout.flags, inputs, bool, odd),
        }
        if layout.texts:
            self._read(layout.texts, inputs, maps, odd, ml, found)
        if layout.opaque:
            odd += [(name, inputs.pop(name)) for name in layout.opaque]
        if layout.unexpected:
            self._set_aside(layout, inputs, maps, found, record)
        _bin(layout.numbers, inputs, found.bins, odd)
        if odd:
            self._place(odd, maps, found, record)
            for name, (total, unseen) in found.texts.items():  # of enumerations' members that stand for texts
                ml.setdefault("text", {})[name] = {"tokens": total, "unseen": unseen}
        if layout.absent:
            found.missing["absent"] = layout.absent
        self._bin_outputs(record, outputs, found.bins)
        ml["inputs"] = {target: values for target, values in maps.items() if values}
        if found.missing:
            ml["missing"] = found.missing
        if found.violations:
            ml["violations"] = found.violations
        if found.unseen_tokens:
            ml["unseen_tokens"] = found.unseen_tokens
        if found.bins:
            ml["bins"] = found.bins

    def _lay(self, names: tuple[str, ...]) -> Layout:
        if names in self._layouts:  # under other names than they were sent
            return self._layouts[names]
        known = [self._inputs[name] for name in names if name in self._inputs]
        layout = Layout(
            numbers=[(f.name, *self._cells[f.name]) for f in known if f.kind == "number"],
            strings=[(f.name, self._ordinary[f.name]) for f in known if f.kind == "category"],
            flags=[(f.name, self._ordinary[f.name]) for f in known if f.kind == "boolean"],
            # In the card's order, in which tokens are named.
            texts=[(name, self._inputs[name].sentinels, c) for name, c in self._counters.items() if name in names],
            opaque=[f.name for f in known if f.kind == "other"],
            absent=[name for name in self._inputs if name not in names],
            unexpected=[name for name in names if name not in self._inputs],
        )
        remember(self._layouts, names, layout)
        return layout

    def _read(
        self,
        steps: list[tuple[str, frozenset[str], TokenCounter]],
        inputs: dict[str, Any],
        maps: dict[str, dict[str, Any]],
        odd: list[tuple[str, Any]],
        ml: dict[str, Any],
        found: Measured,
    ) -> None:
        """Texts: their words are counted."""
        texts: dict[str, str] = {}
        counts: dict[str, dict[str, int]] = {}
        for name, sentinels, counter in steps:
            text = inputs.pop(name)
            if type(text) is not str or (sentinels and category_key(text) in sentinels):
                odd.append((name, text))
                continue
            total, unseen = counter.count(text)
            if not total and not text.strip():
                odd.append((name, text))
                continue
            counts[name] = {"tokens": total, "unseen": len(unseen)}
            texts[name] = text
            if unseen:
                _add_tokens(found.unseen_tokens, unseen)
        if counts:
            ml["text"] = counts
            if self._keep_texts:
                maps["text"] = texts

    def _bin_outputs(self, record: Record, outputs: Mapping[str, Any], bins: list[str]) -> None:
        for name, edges, cells in self._outputs:
            number = outputs.get(name)
            if number is not None:
                bins.append(cells[bisect_right(edges, number)])
        if record.duration is not None and self._latency is not None:
            edges, cells = self._latency
            bins.append(cells[bisect_right(edges, record.duration / 1e9)])

    def _set_aside(
        self, layout: Layout, inputs: dict[str, Any], maps: dict[str, dict[str, Any]], found: Measured, record: Record
    ) -> None:
        """What the card doesn't know."""
        given = {name: typed(inputs.pop(name)) for name in layout.unexpected}
        self._ruler.measure_unexpected(given, [self._inputs[name] for name in layout.absent], found)
        maps["other"] = {name: self._router.place(name, value, None, record)[1] for name, value in given.items()}

    def _place(
        self, odd: list[tuple[str, Any]], maps: dict[str, dict[str, Any]], found: Measured, record: Record
    ) -> None:
        """What isn't ordinary, one by one."""
        missing = found.missing
        for name, raw in odd:
            feature = self._inputs[name]
            if feature.kind != "other" and (raw is None or (type(raw) is float and raw != raw)):  # noqa: PLR0124 - NaN
                missing.setdefault("null" if raw is None else "nan", []).append(name)
                continue
            given = typed(raw)
            target, value = self._router.place(name, given, feature.kind, record)
            # What is written as another number is measured as that, a text as what it was.
            rewritten = isinstance(given, float | int) and target not in {"keyword", "other"}
            self._ruler.measure_value(feature, value if rewritten else given, found)
            if target in _MAPS:
                # A sentinel stands for missing: where it stayed it would be counted as a value.
                maps.setdefault("other" if name in missing.get("sentinel", ()) else target, {})[name] = value


@dataclass(frozen=True, slots=True)
class Layout:
    """What the card says of one list of names.

    Attributes:
        numbers: Name; numbers that increase; what is between them (one more than there are): the bin to write, None
            where numbers aren't ordinary.
        strings: Name of a category, and its ordinary strings.
        flags: Name of a boolean, and its ordinary values.
        texts: Name, sentinels, and who counts the words.
        opaque: Names of which only the absence is watched.
        absent: Features that aren't in the list.
        unexpected: Names that the card doesn't know.
    """

    numbers: list[tuple[str, tuple[float, ...], tuple[str | None, ...]]]
    strings: list[tuple[str, Container[Any]]]
    flags: list[tuple[str, Container[Any]]]
    texts: list[tuple[str, frozenset[str], TokenCounter]]
    opaque: list[str]
    absent: list[str]
    unexpected: list[str]


def _bin(
    steps: list[tuple[str, tuple[float, ...], tuple[str | None, ...]]],
    inputs: dict[str, Any],
    bins: list[str],
    odd: list[tuple[str, Any]],
) -> None:
    """Add the bins of ordinary numbers to ``bins``; all else is moved to ``odd``."""
    for name, points, cells in steps:
        value = inputs[name]
        kind = type(value)
        if kind is float or (kind is int and -EXACT <= value <= EXACT):
            cell = cells[bisect_right(points, value)]
            if cell is not None:
                bins.append(cell)
                continue
        del inputs[name]
        odd.append((name, value))


def _take(
    steps: list[tuple[str, Container[Any]]], inputs: dict[str, Any], kind: type, odd: list[tuple[str, Any]]
) -> dict[str, Any]:
    """Take the ordinary values of one type out of the inputs; all else is moved to ``odd``."""
    found: dict[str, Any] = {}
    for name, ordinary in steps:
        value = inputs.pop(name)
        if type(value) is kind and value in ordinary:
            found[name] = value
        else:
            odd.append((name, value))
    return found


def _bins(name: str, edges: tuple[float, ...]) -> tuple[str, ...]:
    return tuple(f"{name}:{k}" for k in range(len(edges) + 1))


def _add_tokens(named: list[str], unseen: Iterable[str]) -> None:
    for token in dict.fromkeys(unseen):
        if len(named) >= UNSEEN_TOKENS_PER_EVENT:
            break
        if token not in named:
            named.append(token)


def typed(value: Any) -> Any:
    """``value``, where a snapshot holds an enumeration or a UUID as the value that it stands for."""
    return value if type(value) in TYPED else values.typed(value)


def _is_scalar(value: Any) -> bool:
    kind = type(value)
    return kind in values.SCALARS and (kind is not int or -EXACT <= value <= EXACT)


def remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep ``value``; a memory that is full begins anew, so that nobody can make it grow."""
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
