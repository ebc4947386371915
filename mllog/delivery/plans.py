"""One prediction's inputs into typed maps, measured on the way: a plan that is made once and followed by the writer.

A plan says for each input what an ordinary value of it looks like, and what to write then. Whatever is not ordinary
(a NaN, a number outside of the training range, a text for a number) goes one by one through
:meth:`mllog.delivery.routing.Router.place` and :meth:`mllog.ruler.Ruler.measure_value`, which say the same of ordinary
values: a property test holds plans and ruler together.

Events of which all is ordinary are written by a press (:class:`mllog.delivery.loops.plain.Press`), where the loops are
compiled; it knows the names that a plan has seen.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, Protocol

from mllog import values
from mllog.confidence import Confidence
from mllog.delivery.fingerprints import in_order, kinds_in_order
from mllog.delivery.loops import Layout, Memory, Names, Press, sort
from mllog.delivery.loops.plain import named_tokens
from mllog.delivery.ordinary import cells_of, ordinary_of
from mllog.delivery.routing import MISSING
from mllog.delivery.tokens import TokenCounter
from mllog.events import TYPED, settled
from mllog.ruler import LATENCY, SCORE, VALUE, Measured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mllog.delivery.loops.plain import Beside, OutputsOf, TimeText
    from mllog.delivery.routing import Router
    from mllog.events import Record
    from mllog.ruler import Ruler

REMEMBERED: Final = 4_096
"""So many different lists of names are remembered; services have one, or a few."""

_MAPS: Final = frozenset({"number", "keyword", "boolean", "text", "other"})


class Plan(Protocol):
    """Fills in what one prediction's inputs add to ``ml``."""

    def fill(
        self,
        inputs: dict[str, Any],
        record: Record,
        outputs: Mapping[str, Any],
        ml: dict[str, Any],
        replaced: Sequence[str] = (),
    ) -> None:
        """Add ``ml.inputs``, and what is missing, and what the ruler says.

        Args:
            inputs: Of the record's snapshot; they are used up.
            record: Where it is marked what was cut or replaced.
            outputs: ``ml.outputs``.
            ml: What is filled.
            replaced: Marks of what could not be written of the outputs.
        """

    def press(self, time_text: TimeText, outputs_of: OutputsOf, beside: Beside) -> Press:
        """What writes events at once that have nothing to fill in one by one, when it has seen their names here."""


class PlanWithoutCard:
    """Types speak for themselves.

    Args:
        router: Says where what isn't ordinary goes.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self.known: Memory[Names] = Memory(REMEMBERED)

    def fill(
        self,
        inputs: dict[str, Any],
        record: Record,
        outputs: Mapping[str, Any],
        ml: dict[str, Any],
        replaced: Sequence[str] = (),
    ) -> None:
        """Add ``ml.inputs`` and ``ml.missing``."""
        del outputs, replaced  # measured where there is a card
        surplus: dict[str, Any] = {}
        if self.known.get(inputs) is None:
            inputs, surplus = self._look(inputs, record)
        numbers, texts, flags, missing, odd = sort(inputs, plain=record.plain)
        found: dict[str, dict[str, Any]] = {}
        if numbers:
            found["number"] = numbers
        if texts:
            found["keyword"] = texts
        if flags:
            found["boolean"] = flags
        if odd or surplus:
            self._place(odd | surplus, found, missing, record)
        ml["inputs"] = found
        if missing:
            ml["missing"] = missing

    def press(self, time_text: TimeText, outputs_of: OutputsOf, beside: Beside) -> Press:
        """One that knows the names without a card."""
        return Press(
            self.known,
            time_text=time_text,
            outputs_of=outputs_of,
            beside=beside,
            card=None,
            outputs=(),
            latency=None,
            confidence=Confidence(),
            compared=False,
        )

    def _look(self, inputs: dict[str, Any], record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
        """Inputs under names that have fields of their own, and all others."""
        before = inputs
        inputs = settled(inputs, record)
        surplus = {name: value for name, value in inputs.items() if self._router.kind_of(name) is None}
        if surplus:
            return {name: value for name, value in inputs.items() if name not in surplus}, surplus
        if inputs is before:
            self.known.put(tuple(inputs), Names(tuple(inputs)))
        return inputs, {}

    def _place(
        self, odd: Mapping[str, Any], found: dict[str, Any], missing: dict[str, list[str]], record: Record
    ) -> None:
        for name, given in odd.items():
            target, value = self._router.place(name, typed(given), self._router.kind_of(name), record)
            if target in MISSING:
                missing.setdefault(target, []).append(name)
            else:
                found.setdefault(target, {})[name] = value


class PlanOfCard:
    """The card says what belongs where, and what is ordinary.

    Args:
        router: Says where what isn't ordinary goes.
        ruler: The card's.
    """

    def __init__(self, router: Router, ruler: Ruler) -> None:
        self._router = router
        self._ruler = ruler
        self._inputs = {feature.name: feature for feature in ruler.inputs}
        self._cells = {f.name: cells_of(f) for f in ruler.inputs if f.kind == "number"}
        self._ordinary = {f.name: ordinary_of(f) for f in ruler.inputs if f.kind in {"category", "boolean"}}
        self._counters = {f.name: TokenCounter(f.vocabulary, f.tokenizer) for f in ruler.inputs if f.kind == "text"}
        edges = ruler.output_edges
        self._outputs = [(n.removeprefix("@"), edges[n], _bins(n, edges[n])) for n in (SCORE, VALUE) if n in edges]
        self._latency = (edges[LATENCY], _bins(LATENCY, edges[LATENCY])) if LATENCY in edges else None
        self.known: Memory[Layout] = Memory(REMEMBERED)

    def fill(
        self,
        inputs: dict[str, Any],
        record: Record,
        outputs: Mapping[str, Any],
        ml: dict[str, Any],
        replaced: Sequence[str] = (),
    ) -> None:
        """Add everything that the card has to say."""
        layout = self.known.get(inputs)
        if layout is None:
            inputs = settled(inputs, record)
            layout = self._lay(inputs)
        numbers, strings, flags, texts, counts, unseen, bins, odd = layout.measure(inputs)
        # Texts stand in the card's order.
        own = {"number": len(numbers), "keyword": len(strings), "boolean": len(flags)}
        self._bin_outputs(record, outputs, bins)
        bins += self._ruler.confidence.bins(outputs, replaced)
        found = Measured(bins, {}, {}, {}, [])
        maps: dict[str, dict[str, Any]] = {"number": numbers, "keyword": strings, "boolean": flags}
        if counts:
            ml["text"] = counts
            maps["text"] = texts
            found.unseen_tokens += named_tokens(unseen)
        if layout.unexpected:
            odd = self._set_aside(layout, odd, maps, found, record)
        if odd:
            self._place(odd, maps, found, record)
            for name, (total, new) in found.texts.items():  # of enumerations' members that stand for texts
                ml.setdefault("text", {})[name] = {"tokens": total, "unseen": new}
        if layout.absent:
            found.missing["absent"] = layout.absent
        ml["inputs"] = in_order(maps, layout.names, own) if self._ruler.repeated else _filled(maps)
        if found.missing:
            ml["missing"] = kinds_in_order(found.missing) if self._ruler.repeated else found.missing
        if found.violations:
            ml["violations"] = found.violations
        if found.unseen_tokens:
            ml["unseen_tokens"] = found.unseen_tokens
        if found.bins:
            ml["bins"] = found.bins

    def press(self, time_text: TimeText, outputs_of: OutputsOf, beside: Beside) -> Press:
        """One that knows the card's layouts."""
        return Press(
            self.known,
            time_text=time_text,
            outputs_of=outputs_of,
            beside=beside,
            card=self._ruler.hash,
            outputs=self._outputs,
            latency=self._latency,
            confidence=self._ruler.confidence,
            compared=self._ruler.repeated,
        )

    def _lay(self, inputs: dict[str, Any]) -> Layout:
        layout = self.known.get(inputs)  # under other names than they were sent
        if layout is not None:
            return layout
        known = [self._inputs[name] for name in inputs if name in self._inputs]
        layout = Layout(
            tuple(inputs),
            numbers=[(f.name, *self._cells[f.name]) for f in known if f.kind == "number"],
            strings=[(f.name, self._ordinary[f.name]) for f in known if f.kind == "category"],
            flags=[(f.name, self._ordinary[f.name]) for f in known if f.kind == "boolean"],
            # In the card's order, in which tokens are named.
            texts=[
                (name, self._inputs[name].sentinels, counter, self._ruler.shapes.get(name))
                for name, counter in self._counters.items()
                if name in inputs
            ],
            absent=[name for name in self._inputs if name not in inputs],
            unexpected=[name for name in inputs if name not in self._inputs],
        )
        self.known.put(tuple(inputs), layout)
        return layout

    def _bin_outputs(self, record: Record, outputs: Mapping[str, Any], bins: list[str]) -> None:
        for name, edges, cells in self._outputs:
            number = outputs.get(name)
            if number is not None:
                bins.append(cells[bisect_right(edges, number)])
        if record.duration is not None and self._latency is not None:
            edges, cells = self._latency
            bins.append(cells[bisect_right(edges, record.duration / 1e9)])

    def _set_aside(
        self,
        layout: Layout,
        odd: list[tuple[str, Any]],
        maps: dict[str, dict[str, Any]],
        found: Measured,
        record: Record,
    ) -> list[tuple[str, Any]]:
        """Move what the card doesn't know from ``odd`` to where it is kept; the rest of ``odd``."""
        given = {name: typed(value) for name, value in odd if name not in self._inputs}
        self._ruler.measure_unexpected(given, [self._inputs[name] for name in layout.absent], found)
        maps["other"] = {name: self._router.place(name, value, None, record)[1] for name, value in given.items()}
        return [pair for pair in odd if pair[0] in self._inputs]

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


def _filled(maps: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {target: values for target, values in maps.items() if values}


def _bins(name: str, edges: tuple[float, ...]) -> tuple[str, ...]:
    return tuple(f"{name}:{k}" for k in range(len(edges) + 1))


def typed(value: Any) -> Any:
    """``value``, where a snapshot holds an enumeration or a UUID as the value that it stands for."""
    return value if type(value) in TYPED else values.typed(value)
