"""The ruler: one value measured once, the same way everywhere.

A ruler knows a model's features: kind, bin edges, categories, vocabulary. It turns a typed value into a bin, a
category, a kind of *missing*, a violation or token counts. The writer thread of the logger uses it for each event,
:mod:`mllog.counting` for whole columns; both give the same counts (a property test holds them together), so counts made
from events and counts made from training data can be subtracted.

Only the standard library is needed here, since the ruler runs inside of the model's process.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, TypeGuard, get_args
from zoneinfo import ZoneInfo

from mllog.bloom import Bloom
from mllog.confidence import MARGIN, UNUSABLE, Confidence
from mllog.shapes import LENGTH, MARKS, SCRIPT, Shape
from mllog.tokenizers import tokenizer_of

Kind = Literal["number", "category", "boolean", "text", "other"]

MISSING_KINDS: Final = ("absent", "null", "nan", "infinite", "empty", "sentinel")
"""The ways of not being there, kept apart because each has a cause of its own."""

VIOLATION_KINDS: Final = ("range", "category", "type")
"""Outside the training range, not among the training values, of another type than in training."""

SCORE: Final = "@score"
VALUE: Final = "@value"
LABEL: Final = "@label"
LATENCY: Final = "@latency"

SCORE_EDGES: Final = tuple(k / 20 for k in range(1, 20))
"""20 bins over [0, 1]."""

LATENCY_EDGES: Final = tuple(1e-4 * 10 ** (k / 8) for k in range(49))
"""Seconds; eight bins a decade from 0.1 ms to 100 s, and one open bin at either end."""

COUNTED_CATEGORIES: Final = 50
KNOWN_LIMIT: Final = 10_000
VOCABULARY_LIMIT: Final = 50_000
"""So many values or tokens are listed; more are known by a filter (:mod:`mllog.bloom`)."""
FILTER_LIMIT: Final = 1_000_000
"""So many a filter knows; more tokens are left out, and more values make a category ``open``."""
UNSEEN_TOKENS_PER_EVENT: Final = 16
UNEXPECTED_PER_EVENT: Final = 32

CellKey = tuple[str, str, str]
"""A position in a vector of counts: (feature, what, which), e.g. ``("carrier", "category", "UA")``."""


def category_key(value: object) -> str:
    """A category as the string it is counted under: ``True`` -> ``"true"``, ``5`` and ``5.0`` -> ``"5"``.

    pandas turns integer columns with gaps into floats; they must meet the integers that the service sends. Lone
    surrogates become ``?``, as they do on the wire.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


Task = Literal["classification", "regression"]

SparseCounts = dict[str, dict[CellKey, int]]
"""Stratum -> cell -> count; cells with a count of 0 are left out."""


@dataclass(frozen=True, slots=True)
class Feature:
    """What the ruler knows of one input (or of an output: names that begin with ``@``).

    Attributes:
        name: The input's name as model code sends it.
        kind: ``number``, ``category``, ``boolean``, ``text`` or ``other`` (only its absence is watched).
        edges: number: increasing; bin ``k`` holds ``edges[k-1] <= x < edges[k]``, so there are ``len(edges) + 1``.
        low: number: the least value in training, below which a value is a range violation.
        high: number: the greatest value in training.
        categories: category: the most frequent ones (at most 50), each counted under its own name.
        known: category: all values of training; anything else is *unseen*. Empty with ``open`` set where there
            were too many to know.
        open: category: new values are normal (identifiers), so none is called unseen.
        sentinels: values that stand for *missing*, as keys of :func:`category_key`.
        vocabulary: text: the tokens of training.
        tokenizer: text: how it is cut into tokens (:mod:`mllog.tokenizers`); None: into words.
    """

    name: str
    kind: Kind
    edges: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] = ()
    known: frozenset[str] | Bloom = frozenset()
    open: bool = False
    sentinels: frozenset[str] = frozenset()
    vocabulary: frozenset[str] | Bloom = frozenset()
    tokenizer: str | None = None

    @property
    def far_bins(self) -> list[int]:
        """number: the bins that lie a whole range, or the value's own size, outside of training."""
        if self.low is None or self.high is None:
            return []
        reach = max(self.high - self.low, abs(self.low), abs(self.high))
        below = [k for k, edge in enumerate(self.edges) if edge <= self.low - reach]
        above = [k + 1 for k, edge in enumerate(self.edges) if edge >= self.high + reach]
        return below + above

    @property
    def listed(self) -> frozenset[str]:
        """category: the values that training had for certain; none where a filter knows them."""
        return self.known if isinstance(self.known, frozenset) else frozenset()

    @property
    def is_input(self) -> bool:
        """Whether model code sends it (and not the ruler's own ``@score`` and the like)."""
        return not self.name.startswith("@")

    def cells(self) -> list[CellKey]:
        """Every count that is kept of this feature, in a fixed order."""
        keys: list[CellKey] = []
        if self.is_input:
            keys += [(self.name, "missing", kind) for kind in MISSING_KINDS]
            keys.append((self.name, "violation", "type"))
        if self.kind == "number":
            keys += [(self.name, "bin", str(k)) for k in range(len(self.edges) + 1)]
            if self.is_input:
                keys.append((self.name, "violation", "range"))
        elif self.kind in {"category", "boolean"}:
            keys += [(self.name, "category", value) for value in self.categories]
            keys += [(self.name, "other", ""), (self.name, "violation", "category")]
        elif self.kind == "text":
            keys += [(self.name, "texts", ""), (self.name, "tokens", ""), (self.name, "unseen_tokens", "")]
        elif self.kind == "other":
            keys.append((self.name, "present", ""))
        return keys

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text.

        Raises:
            CardError: the tokenizer can't be imported; see :meth:`mllog.ModelCard.require_tokenizers`.
        """
        return tokenizer_of(self.tokenizer)(text)

    def key(self, value: object) -> str:
        """What ``value`` is counted under: :func:`category_key`, and 0 and 1 are booleans for a boolean."""
        if self.kind == "boolean" and isinstance(value, int | float) and value in (0, 1):
            return "true" if value else "false"
        return category_key(value)

    def accepts(self, value: object) -> bool:
        """Whether ``value`` looks like one of this feature's: the evidence that a missing feature was renamed."""
        if self.kind == "number":
            low, high = self.low, self.high
            return _is_number(value) and low is not None and high is not None and low <= value <= high
        if self.kind in {"category", "boolean"}:
            return isinstance(value, str | int | float) and self.key(value) in self.known
        if self.kind == "text" and isinstance(value, str):
            words = self.tokenize(value)
            return bool(words) and sum(word in self.vocabulary for word in words) >= len(words) / 2
        return False


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Two numbers that went together, or against each other, in training.

    An event in which both are numbers is *concordant* where both lie on the same side of their training medians, as
    near to these as bins allow. The share of concordant events is the quadrant count of Blomqvist (1950, Annals of
    Mathematical Statistics 21:593); ``2 * share - 1`` is his correlation.

    Attributes:
        first: Name of an input.
        second: Name of another.
        first_low: The last bin of the first one's low side; values in bins above it are high.
        second_low: The same of the second.
    """

    first: str
    second: str
    first_low: int
    second_low: int

    @property
    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Its features, each with the last bin of its low side."""
        return (self.first, self.first_low), (self.second, self.second_low)

    @property
    def both(self) -> CellKey:
        """Where events are counted in which both are numbers."""
        return (self.first, "both", self.second)

    @property
    def concordant(self) -> CellKey:
        """Where those of them are counted in which both lie on the same side."""
        return (self.first, "concordant", self.second)


COMPARED: Final[CellKey] = ("", "compared", "")
"""Events whose inputs could be compared with those of the others of their hour."""

REPEATED: Final[CellKey] = ("", "repeated", "")
"""Those of them whose inputs are all equal to an earlier one's."""


@dataclass(slots=True)
class Measured:
    """What the ruler says of one event; the fields of ``ml.*`` that a card adds to it."""

    bins: list[str] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    violations: dict[str, list[str]] = field(default_factory=dict)
    texts: dict[str, tuple[int, int]] = field(default_factory=dict)
    unseen_tokens: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Ruler:
    """The measuring part of a card. Two versions of a model that share a ruler share their history.

    Attributes:
        features: Inputs in the card's order (by which values without names are named), then the outputs (``@score``,
            ``@value``, ``@label``, and what follows from them: see :mod:`mllog.confidence`) and the
            shapes of texts (:mod:`mllog.shapes`), ``@latency`` last. Neither
            hash nor layout depends on the order.
        segments: Names of category features by whose values every count is also kept.
        time_zone: IANA name of the zone in which *hour of day* and *weekend* are meant.
        pairs: Numbers whose going together is counted, over all events only; in any order, too.
        repeated: Whether repeated inputs are counted, over all events only.
    """

    features: tuple[Feature, ...]
    segments: tuple[str, ...] = ()
    time_zone: str = "UTC"
    pairs: tuple[Pair, ...] = ()
    repeated: bool = False

    @cached_property
    def hash(self) -> str:
        """16 hex digits that name this ruler: ``ml.card`` on an event."""
        data = self.to_dict()
        data["features"].sort(key=lambda entry: entry["name"])
        data["segments"].sort()
        if self.pairs:
            data["pairs"] = [asdict(pair) for pair in sorted(self.pairs)]
        canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """Features by their names."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def inputs(self) -> tuple[Feature, ...]:
        """The features that model code sends."""
        return tuple(feature for feature in self.features if feature.is_input)

    @cached_property
    def cells(self) -> tuple[CellKey, ...]:
        """The layout of a vector of counts: number of events first, of failures second, then features by name.

        What older rulers don't have stands at the end, and only where the ruler has it.
        """
        keys: list[CellKey] = [("", "n", ""), ("", "failure", "")]
        for feature in sorted(self.features, key=lambda feature: feature.name):
            keys += feature.cells()
        for pair in sorted(self.pairs):
            keys += [pair.both, pair.concordant]
        if self.repeated:
            keys += [COMPARED, REPEATED]
        return tuple(keys)

    @cached_property
    def index(self) -> Mapping[CellKey, int]:
        """Position of each cell in a vector of counts."""
        return {key: position for position, key in enumerate(self.cells)}

    def stratum(self, time: dt.datetime) -> str:
        """``"d07"`` for a weekday between 7 and 8 in the ruler's time zone, ``"e07"`` on a weekend.

        An hour is an hour of UTC, since stores count by those; its name is the local time at which it begins, so that
        in zones which are off by half an hour it has one name as well.

        Args:
            time: An aware moment.
        """
        hour = time.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
        local = hour.astimezone(ZoneInfo(self.time_zone))
        return f"{'e' if local.weekday() >= 5 else 'd'}{local.hour:02d}"

    def measure(
        self,
        inputs: Mapping[str, object],
        *,
        score: float | None = None,
        value: float | None = None,
        latency: float | None = None,
        scores: object = None,
        replaced: Collection[str] = (),
    ) -> Measured:
        """Measure one event.

        Args:
            inputs: Typed values: ``str``, ``bool``, ``int``, ``float`` (NaN and infinities included) or ``None``;
                anything else counts as of the wrong type. It is not changed.
            score: Model's score in [0, 1].
            value: Predicted value of a regression.
            latency: Seconds.
            scores: Scores of the classes, as in ``ml.outputs``.
            replaced: Marks of outputs that could not be written, as in ``ml.replaced``.

        Returns:
            Bins, missing features by kind, violations and token counts. Never raises for any values of these types.
        """
        result = Measured()
        absent: list[Feature] = []
        for feature in self.inputs:
            name = feature.name
            if name not in inputs:
                absent.append(feature)
                result.missing.setdefault("absent", []).append(name)
            else:
                self.measure_value(feature, inputs[name], result)
        if len(inputs) > len(self.inputs) - len(absent):
            self.measure_unexpected(inputs, absent, result)
        for name, number in ((SCORE, score), (VALUE, value), (LATENCY, latency)):
            edges = self.output_edges.get(name)
            if number is not None and edges is not None and math.isfinite(number):
                result.bins.append(f"{name}:{bisect_right(edges, number)}")
        result.bins += self.confidence.bins({"score": score, "value": value, "scores": scores}, replaced)
        return result

    @cached_property
    def confidence(self) -> Confidence:
        """Measures what follows from outputs."""
        label = self.by_name.get(LABEL)
        binary = label is not None and 0 < len(label.known) <= 2
        return Confidence(self.output_edges.get(MARGIN), binary, UNUSABLE in self.by_name)

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Bins of the shapes of texts, by the names of those of which the ruler has them."""
        texts = [feature.name for feature in self.inputs if feature.kind == "text"]
        return {t: Shape.of(t) for t in texts if {LENGTH + t, SCRIPT + t, MARKS + t} <= self.by_name.keys()}

    @cached_property
    def output_edges(self) -> dict[str, tuple[float, ...]]:
        """Edges of what isn't an input, by name."""
        return {f.name: f.edges for f in self.features if not f.is_input and f.kind == "number"}

    def measure_value(self, feature: Feature, value: object, result: Measured) -> None:
        """Add to ``result`` what there is to say of one value that was sent."""
        name = feature.name
        missing = missing_kind(feature, value)
        if missing is not None:
            result.missing.setdefault(missing, []).append(name)
            return
        kind = feature.kind
        if kind == "number":
            if not _is_number(value):
                result.violations.setdefault("type", []).append(name)
                return
            try:
                number = float(value)
            except OverflowError:  # an integer beyond the largest double, which the logger writes as infinity
                result.missing.setdefault("infinite", []).append(name)
                return
            result.bins.append(f"{name}:{bisect_right(feature.edges, number)}")
            if feature.low is not None and feature.high is not None and not feature.low <= number <= feature.high:
                result.violations.setdefault("range", []).append(name)
        elif kind in {"category", "boolean"}:
            if not isinstance(value, str | int | float):
                result.violations.setdefault("type", []).append(name)
            elif not feature.open and feature.key(value) not in feature.known:
                result.violations.setdefault("category", []).append(name)
        elif kind == "text":
            if not isinstance(value, str):
                result.violations.setdefault("type", []).append(name)
                return
            self._measure_text(feature, value, result)

    def _measure_text(self, feature: Feature, text: str, result: Measured) -> None:
        tokens = feature.tokenize(text)
        vocabulary = feature.vocabulary
        unseen = [token for token in tokens if token not in vocabulary]
        result.texts[feature.name] = (len(tokens), len(unseen))
        shape = self.shapes.get(feature.name)
        if shape is not None:
            result.bins += shape.bins(text)
        for token in dict.fromkeys(unseen):
            if len(result.unseen_tokens) >= UNSEEN_TOKENS_PER_EVENT:
                break
            if token not in result.unseen_tokens:
                result.unseen_tokens.append(token)

    def measure_unexpected(self, inputs: Mapping[str, object], absent: Sequence[Feature], result: Measured) -> None:
        """Add to ``result`` the inputs that the ruler doesn't know, and which absent one each of them may be."""
        unexpected = [name for name in inputs if name not in self.by_name][:UNEXPECTED_PER_EVENT]
        if not unexpected:
            return
        result.violations["unexpected"] = unexpected
        # A name that came and a name that went: where the value fits, the pair is evidence of a rename.
        renamed = [
            f"{feature.name}>{name}" for feature in absent for name in unexpected if feature.accepts(inputs[name])
        ]
        if renamed:
            result.violations["renamed"] = renamed[:UNEXPECTED_PER_EVENT]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; what :attr:`hash` is the hash of."""
        features = []
        for feature in self.features:
            # 0.0 == False, so what is left out is told by identity and size.
            entry = {
                k: v
                for k, v in asdict(feature).items()
                if v is not None and v is not False and v not in ((), frozenset())
            }
            for key in ("known", "sentinels", "vocabulary"):
                if key in entry:
                    entry[key] = entry[key].to_dict() if isinstance(entry[key], Bloom) else sorted(entry[key])
            features.append({k: list(v) if isinstance(v, tuple) else v for k, v in entry.items()})
        data: dict[str, Any] = {"features": features, "segments": list(self.segments), "time_zone": self.time_zone}
        if self.pairs:
            data["pairs"] = [asdict(pair) for pair in self.pairs]
        if self.repeated:
            data["repeated"] = True
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ruler:
        """Read what :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: where it isn't a ruler; :meth:`mllog.ModelCard.load` names the file.
        """
        features = []
        for entry in data["features"]:
            values = dict(entry)
            for key in ("edges", "categories"):
                if key in values:
                    values[key] = tuple(values[key])
            for key in ("known", "sentinels", "vocabulary"):
                if key in values:
                    held = values[key]
                    values[key] = Bloom.from_dict(held) if isinstance(held, Mapping) else frozenset(held)
            feature = Feature(**values)
            if feature.kind not in get_args(Kind):
                raise ValueError(
                    f"the kind of feature {feature.name!r} is {feature.kind!r}, not one of {get_args(Kind)}"
                )
            if not isinstance(feature.tokenizer, str | None):
                raise TypeError(f"the tokenizer of feature {feature.name!r} is {feature.tokenizer!r}, no name")
            if not all(map(_is_number, feature.edges)) or list(feature.edges) != sorted(set(feature.edges)):
                raise ValueError(f"the edges of feature {feature.name!r} must be numbers that increase")
            features.append(feature)
        pairs = tuple(Pair(**entry) for entry in data.get("pairs", ()))
        ruler = cls(
            tuple(features),
            tuple(data.get("segments", ())),
            data.get("time_zone", "UTC"),
            pairs,
            data.get("repeated") is True,
        )
        if len(ruler.by_name) < len(features):
            raise ValueError("two features have the same name")
        for name in ruler.segments:
            if name not in ruler.by_name:
                raise ValueError(f"segments names {name!r}, which is no feature")
        ruler._check_pairs()
        return ruler

    def _check_pairs(self) -> None:
        for pair in self.pairs:
            for name, low in ((pair.first, pair.first_low), (pair.second, pair.second_low)):
                feature = self.by_name.get(name)
                if feature is None or feature.kind != "number" or not feature.is_input:
                    raise ValueError(f"a pair names {name!r}, which is no number among the inputs")
                if type(low) is not int or not 0 <= low < len(feature.edges):
                    raise ValueError(f"{low!r} is no bin of {name!r} with bins above it")
        if len({frozenset((pair.first, pair.second)) for pair in self.pairs}) < len(self.pairs):
            raise ValueError("two pairs have the same features")
        if any(pair.first == pair.second for pair in self.pairs):
            raise ValueError("a pair has two features")


def missing_kind(feature: Feature, value: object) -> str | None:
    """How ``value`` is missing (``absent`` aside, which is about the key), or ``None`` where it is there."""
    if value is None:
        return "null"
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        if math.isinf(value):
            return "infinite"
    elif isinstance(value, str) and not value.strip():
        return "empty"
    if feature.sentinels and isinstance(value, str | int | float) and category_key(value) in feature.sentinels:
        return "sentinel"
    return None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
