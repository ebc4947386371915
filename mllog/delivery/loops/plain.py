"""The loops in Python: each does for a whole event in a few calls what would be dear value by value.

Beside them stand what the compiled ones need to be quick: the fields of a record, which they read without asking
Python, and the press, which here leaves every event to the encoder.
"""

from __future__ import annotations

import gc
import math
import zlib
from bisect import bisect_right
from collections.abc import Callable
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, NamedTuple, TypeVar

import orjson

from mllog import values
from mllog.fields import KEYWORD_LENGTH
from mllog.ruler import UNSEEN_TOKENS_PER_EVENT, category_key

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from mllog.confidence import Confidence
    from mllog.delivery.tokens import TokenCounter
    from mllog.events import Kind, Outcome, Record
    from mllog.shapes import Shape

T = TypeVar("T")

TimeText = Callable[[int], str]
OutputsOf = Callable[[Any], tuple[dict[str, Any], dict[str, Any] | None, list[str]]]
Beside = Callable[["Record"], dict[str, Any]]

EXACT: Final = 2**53
"""Integers up to here are the same as floats; larger ones are never ordinary."""

VALUE_SIZE: Final = 32
"""Bytes that a value is taken to need, beside its name and its text."""
RECORD_SIZE: Final = 512
"""Bytes that a record is taken to need, inputs aside: the bound is about memory, not about JSON."""
OUTPUT_SIZE: Final = 256

USUAL_OUTPUTS: Final = frozenset({"label", "score", "value"})

_PLAIN: Final = (
    orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_STRICT_INTEGER
)
"""With these orjson takes nothing but the types of JSON themselves, enumerations and UUIDs; integers up to 53 bits."""

crc32: Final = zlib.crc32
_dumps: Final = orjson.dumps
_is_tracked: Final = gc.is_tracked
_CONTAINERS: Final = frozenset({dict, list, tuple})


_NUMPY: Final = frozenset(
    {"float16", "float32", "float64", "bool", "bool_"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


def is_numpy(kind: type) -> bool:
    """Whether ``item()`` of a numpy scalar of this type is the value which :func:`mllog.values.typed` gives."""
    return kind.__module__ == "numpy" and kind.__name__ in _NUMPY


class Sorted(NamedTuple):
    """Inputs by their own types.

    Attributes:
        numbers: Finite floats and integers of up to 53 bits.
        texts: Strings that are fit for a keyword.
        flags: Booleans.
        missing: Names by kind of what is missing.
        odd: All others.
    """

    numbers: dict[str, float]
    texts: dict[str, str]
    flags: dict[str, bool]
    missing: dict[str, list[str]]
    odd: dict[str, Any]


class Taken(NamedTuple):
    """Inputs by the card's types, as far as they are ordinary.

    Attributes:
        numbers: Those of ``number``.
        strings: Those of ``category``.
        flags: Those of ``boolean``.
        texts: Those of ``text``.
        counts: For each of ``texts`` the number of its tokens, and of those that aren't in the vocabulary.
        unseen: Tokens that aren't in the vocabulary, a sequence for each text that has some.
        bins: The bin of each of ``numbers``, and those of the shapes of ``texts``.
        odd: Everything else, in the order of the inputs.
    """

    numbers: dict[str, float]
    strings: dict[str, str]
    flags: dict[str, bool]
    texts: dict[str, str]
    counts: dict[str, dict[str, int]]
    unseen: list[Sequence[str]]
    bins: list[str]
    odd: list[tuple[str, Any]]


Frame = tuple[bytes, bytes, bytes]
"""What stands around what varies of an event: up to the sequence's number, behind it, and behind ``ml``."""


class Fields:
    """What a record holds; :class:`mllog.events.Record` says what each of it is."""

    __slots__ = (
        "action",
        "body",
        "context",
        "duration",
        "error",
        "held",
        "id",
        "kind",
        "labels",
        "message",
        "number",
        "outcome",
        "output",
        "plain",
        "prediction_id",
        "replaced",
        "sample",
        "size",
        "time",
        "trace_id",
        "truncated",
        "user",
        "weight",
    )  # fmt: skip

    def __init__(self, kind: Kind, action: str, time: int, id: str, number: int) -> None:  # noqa: A002 - a field's name
        self.kind: Kind = kind
        self.action = action
        self.time = time
        self.id = id
        self.number = number
        self.size = RECORD_SIZE
        self.outcome: Outcome = "success"
        self.duration: int | None = None
        self.prediction_id: str | None = None
        self.trace_id: str | None = None
        self.error: dict[str, str] | None = None
        self.labels: dict[str, Any] | None = None
        self.body: dict[str, Any] | None = None
        self.message: str | None = None
        self.held: dict[str, Any] | None = None
        self.plain = False
        self.output: Any = None
        self.truncated: list[str] | None = None
        self.replaced: list[str] | None = None
        self.user: str | None = None
        self.context: Mapping[str, Any] | None = None
        self.sample: Literal["head", "tail"] | None = None
        self.weight = 1.0

    def hold_scalars(self, inputs: dict[Any, Any]) -> bool:
        """Keep a copy of inputs, if they are all scalars; whether they are."""
        copy = inputs.copy()
        size = size_of_scalars(copy)
        if size is None:
            return False
        self.held, self.plain = copy, True
        self.size = RECORD_SIZE + size
        return True

    def hold_usual(self, output: dict[Any, Any]) -> bool:
        """Keep a copy of an output, if it has usual names and nothing but scalars; whether it is such a one."""
        copy = output.copy()
        for name, value in copy.items():
            kind = type(value)
            if (
                type(name) is not str
                or (name not in USUAL_OUTPUTS and not values.is_usable(name))
                or (kind is not float and (kind is not str or len(value) > values.NAME_LIMIT) and kind is not bool)
            ):
                return False
        self.output = copy
        self.size += OUTPUT_SIZE
        return True


class Words:
    """Strings by which the words of texts are counted."""

    def __init__(self) -> None:
        self._all: set[str] = set()

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, word: str) -> bool:
        return word in self._all

    def add(self, word: str) -> None:
        """Know ``word`` from now on."""
        self._all.add(word)

    def clear(self) -> None:
        """Forget all."""
        self._all.clear()

    def count(self, text: str) -> tuple[int, Sequence[str]]:
        """How many of the parts of ``text`` between white space are known, and those that aren't."""
        parts = text.split()
        if self._all.issuperset(parts):
            return len(parts), ()
        new = [part for part in parts if part not in self._all]
        return len(parts) - len(new), new


class Names:
    """A list of names under which inputs come.

    Args:
        names: All of them; each may be the name of a field.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names


class Memory(Generic[T]):
    """Remembers something for lists of names; one that is full begins anew, so that nobody can make it grow.

    Args:
        limit: So many different lists; services have one, or a few.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[tuple[str, ...], T] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, inputs: dict[str, Any]) -> T | None:
        """What is remembered for the names of ``inputs``, in their order."""
        return self._known.get(tuple(inputs))

    def put(self, names: tuple[str, ...], value: T) -> None:
        """Remember ``value`` for ``names``."""
        if len(self._known) >= self._limit:
            self._known.clear()
        self._known[names] = value


class Layout:
    """What the card says of one list of names.

    Args:
        names: All of them.
        numbers: Name; numbers that increase; what is between them (one more than there are): the bin to write, None
            where numbers aren't ordinary.
        strings: Name of a category, and its ordinary strings.
        flags: Name of a boolean, and its ordinary values.
        texts: Name, sentinels, who counts the words, and the bins of the text's shape where the card has it; in the
            order in which tokens are named.
        absent: Features that aren't in the list.
        unexpected: Names that the card doesn't know.

    Attributes:
        names: As given.
        absent: As given.
        unexpected: As given.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        *,
        numbers: list[tuple[str, tuple[float, ...], tuple[str | None, ...]]],
        strings: list[tuple[str, Container[Any]]],
        flags: list[tuple[str, Container[Any]]],
        texts: list[tuple[str, frozenset[str], TokenCounter, Shape | None]],
        absent: list[str],
        unexpected: list[str],
    ) -> None:
        self.names = names
        self.absent = absent
        self.unexpected = unexpected
        self._positions = {name: k for k, name in enumerate(names)}
        self._numbers, self._strings, self._flags, self._texts = numbers, strings, flags, texts
        told = {step[0] for steps in (numbers, strings, flags, texts) for step in steps}
        self._rest = [name for name in names if name not in told]

    def measure(self, inputs: dict[str, Any]) -> Taken:
        """Take what is ordinary out of inputs of this layout's names; they are used up."""
        odd: list[tuple[str, Any]] = []
        # Everything else is taken out one by one: what is left of the inputs is the map of numbers.
        strings = _take(self._strings, inputs, str, odd)
        flags = _take(self._flags, inputs, bool, odd)
        texts: dict[str, str] = {}
        counts: dict[str, dict[str, int]] = {}
        unseen: list[Sequence[str]] = []
        shapes: list[str] = []
        for name, sentinels, counter, shape in self._texts:
            text = inputs.pop(name)
            if type(text) is str and not (sentinels and category_key(text) in sentinels):
                total, strange = counter.count(text)
                if total or text.strip():
                    texts[name] = text
                    counts[name] = {"tokens": total, "unseen": len(strange)}
                    if shape is not None:
                        shapes += shape.bins(text)
                    if strange:
                        unseen.append(strange)
                    continue
            odd.append((name, text))
        odd += [(name, inputs.pop(name)) for name in self._rest]
        bins: list[str] = []
        for name, points, cells in self._numbers:
            value = inputs[name]
            kind = type(value)
            if kind is float or (kind is int and -EXACT <= value <= EXACT):
                cell = cells[bisect_right(points, value)]
                if cell is not None:
                    bins.append(cell)
                    continue
            del inputs[name]
            odd.append((name, value))
        if len(odd) > 1:
            odd.sort(key=lambda item: self._positions[item[0]])
        return Taken(inputs, strings, flags, texts, counts, unseen, bins + shapes, odd)


class Press:
    """Writes whole lines of predictions whose inputs are all ordinary or missing, and whose names it has seen.

    Most are, and then no dict is made only to be written.

    Args:
        memory: Layouts (or, without a card, :class:`Names`) by the inputs' names.
        time_text: ``@timestamp`` of a moment.
        outputs_of: As :func:`mllog.delivery.outputs.outputs_of`, of an output alone.
        beside: What stands beside ``ml`` of a record that isn't in its frame.
        card: Hash of the card's ruler.
        outputs: Name of a number in ``ml.outputs``, edges of its bins, and what each is called.
        latency: The same of durations in seconds.
        confidence: Measures what follows from outputs.
        compared: Whether events have a fingerprint.
    """

    def __init__(
        self,
        memory: Memory[Any],
        *,
        time_text: TimeText,
        outputs_of: OutputsOf,
        beside: Beside,
        card: str | None,
        outputs: Sequence[tuple[str, tuple[float, ...], tuple[str, ...]]],
        latency: tuple[tuple[float, ...], tuple[str, ...]] | None,
        confidence: Confidence,
        compared: bool,
    ) -> None:
        del memory, time_text, outputs_of, beside, card, outputs, latency, confidence, compared

    def line(self, record: Record, frame: Frame) -> bytes | None:
        """The event of a prediction, line feed included; None where it needs the encoder's whole road."""
        del record, frame
        return None


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


def named_tokens(strange: Sequence[Sequence[str]]) -> list[str]:
    """The first different ones of tokens that aren't in a vocabulary; as many as an event names."""
    named: dict[str, None] = {}
    for tokens in strange:
        for token in tokens:
            if len(named) >= UNSEEN_TOKENS_PER_EVENT:
                return list(named)
            named[token] = None
    return list(named)


def size_of_scalars(inputs: dict[Any, Any]) -> int | None:
    """Bytes that a dict of scalars is taken to need; None where there is anything else, or something long.

    What passes has strings for names, and for values strings, floats, booleans, ``None``, and integers of up to 53
    bits; enumerations and UUIDs may pass. The compiled one turns numpy's scalars into Python's on its way.

    Args:
        inputs: A copy of the caller's.
    """
    # orjson writes containers whole, which may take gigabytes: [[0] * 10_000] * 10_000 is one list and one row. The
    # collector doesn't track a dict of scalars (but from Python 3.14 on), which is known in no time.
    try:
        if _is_tracked(inputs) and not _CONTAINERS.isdisjoint(map(type, inputs.values())):
            return None
        written = _dumps(inputs, None, _PLAIN)
    except Exception:  # noqa: BLE001 - anything but scalars, or a class that refuses to be hashed
        return None
    length = len(written)
    # A bracket may be part of a text; then the values are looked at one by one for nothing.
    if b"[" in written or written.find(b"{", 1) > 0 or length > values.TEXT_LIMIT:
        return None
    return VALUE_SIZE * len(inputs) + length


def sort(inputs: dict[str, Any], *, plain: bool) -> Sorted:
    """Sort inputs by their own types.

    Args:
        inputs: By name.
        plain: Whether :func:`size_of_scalars` let them pass.
    """
    odd: dict[str, Any] = {}
    if not plain:
        odd = {name: value for name, value in inputs.items() if not _is_scalar(value)}
        inputs = {name: value for name, value in inputs.items() if name not in odd} if odd else inputs
    numbers: dict[str, float] = {}
    texts: dict[str, str] = {}
    flags: dict[str, bool] = {}
    nulls: dict[str, None] = {}
    maps: dict[type, dict[str, Any]]
    maps = {float: numbers, str: texts, int: numbers, bool: flags, NoneType: nulls}
    try:
        for name, value in inputs.items():
            maps[type(value)][name] = value
    except KeyError:  # an enumeration, say
        return sort(inputs, plain=False)
    missing: dict[str, list[str]] = {}
    if not math.isfinite(sum(numbers.values())):
        for name in [name for name, number in numbers.items() if not math.isfinite(number)]:
            kind = "nan" if math.isnan(numbers.pop(name)) else "infinite"
            missing.setdefault(kind, []).append(name)
    if texts and (not all(map(str.strip, texts.values())) or max(map(len, texts.values())) > KEYWORD_LENGTH):
        strange = {n: text for n, text in texts.items() if len(text) > KEYWORD_LENGTH or not text.strip()}
        odd |= strange
        for name in strange:
            del texts[name]
    if nulls:
        missing["null"] = list(nulls)
    return Sorted(numbers, texts, flags, missing, odd)


def _is_scalar(value: Any) -> bool:
    kind = type(value)
    return kind in values.SCALARS and (kind is not int or -EXACT <= value <= EXACT)
