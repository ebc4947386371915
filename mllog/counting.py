"""Rows counted by the ruler: whole columns at once, or one event.

Both give the same counts as the writer's fields do in a store; property tests hold the three together.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mllog.confidence import MARGIN, UNUSABLE
from mllog.repeats import is_plain, repeated_rows
from mllog.ruler import (
    COMPARED,
    LABEL,
    REPEATED,
    UNSEEN_TOKENS_PER_EVENT,
    VIOLATION_KINDS,
    CellKey,
    Feature,
    Measured,
    Pair,
    Ruler,
    category_key,
    missing_kind,
)
from mllog.shapes import LENGTH, MARKS, SCRIPT, WITHHELD, shape_of

NO_TIME: Final = "*"
"""The stratum of rows without a time."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Rows of a frame, counted.

    Attributes:
        cells: (stratum, (segment field, value) or ("", "")) -> counts, shape ``(len(ruler.cells),)``.
        names: as in ``watchers.WindowProfile.names``.
        start: Least time, None without times.
        end: Greatest time.
    """

    cells: dict[tuple[str, tuple[str, str]], Counts]
    names: dict[str, Counter[str]]
    start: dt.datetime | None
    end: dt.datetime | None


def count_columns(
    ruler: Ruler,
    data: Mapping[str, Sequence[Any]],
    *,
    times: Sequence[dt.datetime] | None = None,
    outputs: Mapping[str, Sequence[Any]] | None = None,
    with_segments: bool = True,
) -> FrameCounts:
    """Count whole columns by the ruler.

    Args:
        ruler: How to measure.
        data: Column name -> values, all of one length; a feature that has no column is absent in every row.
        times: Event time of each row.
        outputs: ``@score``, ``@value``, ``@label`` or ``@latency`` -> a value of each row; ``@scores`` -> the scores of
            all classes, as in ``ml.outputs``.
        with_segments: Whether to count each segment's values too.

    Returns:
        Counts equal to those of the same rows measured one by one with :meth:`mllog.ruler.Ruler.measure`.
    """
    n = len(times) if times is not None else max(map(len, (*data.values(), *(outputs or {}).values())), default=0)
    strata = [NO_TIME] * n if times is None else _strata(ruler, times)
    unseen_tokens: list[dict[str, None]] = [{} for _ in range(n)]
    groups = _groups(ruler, data, strata, n, with_segments=with_segments)
    names: dict[str, Counter[str]] = {}
    size = len(ruler.cells)
    outputs = {**(outputs or {}), **_following(ruler, outputs or {}, n), **_shapes(ruler, data)}
    table = np.zeros((len(groups), size), dtype=np.int64)
    rows = list(groups.values())
    table[:, 0] = [len(members) for members in rows]
    paired = {name for pair in ruler.pairs for name in (pair.first, pair.second)}
    bins: dict[str, npt.NDArray[np.intp]] = {}
    for feature in ruler.features:
        source = data if feature.is_input else outputs
        positions = _positions(ruler, feature, source.get(feature.name), n, names, unseen_tokens)
        for where, weights in positions:
            if feature.name in paired:
                bins.setdefault(feature.name, where - ruler.index[feature.name, "bin", "0"])
            for g, members in enumerate(rows):
                at = where[members]
                hit = at >= 0
                table[g] += np.bincount(
                    at[hit], weights=None if weights is None else weights[members][hit], minlength=size
                ).astype(np.int64)
    everybody = [(g, rows[g]) for g, (_, segment) in enumerate(groups) if segment == ("", "")]
    for pair in ruler.pairs:
        both, concordant = _pair_counts(ruler, pair, bins)
        for g, members in everybody:
            table[g, ruler.index[pair.both]] = both[members].sum()
            table[g, ruler.index[pair.concordant]] = concordant[members].sum()
    if ruler.repeated and data:
        repeated = repeated_rows(ruler, data, [0] * n if times is None else [_hour(time) for time in times])
        for g, members in everybody:
            table[g, ruler.index[COMPARED]] = len(members)
            table[g, ruler.index[REPEATED]] = repeated[members].sum()
    tokens = Counter(token for row in unseen_tokens for token in list(row)[:UNSEEN_TOKENS_PER_EVENT])
    if tokens:
        names["token"] = tokens
    absent = [feature for feature in ruler.inputs if feature.name not in data]
    for name, values in data.items() if n else ():
        if name in ruler.by_name:
            continue
        names.setdefault("unexpected", Counter())[name] = n
        for feature in absent:
            fits = sum(feature.accepts(value) for value in values)
            if fits:
                names.setdefault("renamed", Counter())[f"{feature.name}>{name}"] = fits
    return FrameCounts(
        cells={key: table[g] for g, key in enumerate(groups)},
        names=names,
        start=min(times) if times else None,
        end=max(times) if times else None,
    )


def _following(ruler: Ruler, outputs: Mapping[str, Sequence[Any]], n: int) -> dict[str, list[float | None]]:
    """Columns of what follows from outputs."""
    confidence = ruler.confidence
    if confidence.edges is None and not confidence.unusable:
        return {}
    given = {name: outputs[f"@{name}"] for name in ("score", "value", "scores") if f"@{name}" in outputs}
    rows = [{name: values[row] for name, values in given.items()} for row in range(n)] if given else []
    unusable = [0.0 if confidence.is_unusable(row) else None for row in rows]
    return {MARGIN: [confidence.margin(row) for row in rows], UNUSABLE: unusable} if rows else {}


def _shapes(ruler: Ruler, data: Mapping[str, Sequence[Any]]) -> dict[str, list[float | None]]:
    """Columns of what is derived of texts."""
    columns: dict[str, list[float | None]] = {}
    for name in ruler.shapes.keys() & data.keys():
        feature, found = ruler.by_name[name], []
        for value in data[name]:
            there = isinstance(value, str) and value != WITHHELD and missing_kind(feature, value) is None
            found.append(shape_of(value) if there else (None, None, None))
        for prefix, column in zip((LENGTH, SCRIPT, MARKS), zip(*found, strict=True), strict=False):
            columns[prefix + name] = list(column)
    return columns


def _strata(ruler: Ruler, times: Sequence[dt.datetime]) -> list[str]:
    hours: dict[dt.datetime, str] = {}
    result = []
    for time in times:
        hour = _hour(time)
        if hour not in hours:
            hours[hour] = ruler.stratum(hour)
        result.append(hours[hour])
    return result


def _hour(time: dt.datetime) -> dt.datetime:
    return time.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)


def _pair_counts(
    ruler: Ruler, pair: Pair, bins: Mapping[str, npt.NDArray[np.intp]]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Per row whether both of a pair are numbers, and whether they then lie on the same side.

    Args:
        ruler: The pair's.
        pair: Two features of ``bins``.
        bins: Per feature the bin of each row's value; something outside of its bins where it has none.
    """
    first, second = bins[pair.first], bins[pair.second]
    sizes = [len(ruler.by_name[name].edges) for name in (pair.first, pair.second)]
    both = (first >= 0) & (first <= sizes[0]) & (second >= 0) & (second <= sizes[1])
    return both, both & ((first > pair.first_low) == (second > pair.second_low))


def _groups(
    ruler: Ruler, data: Mapping[str, Sequence[Any]], strata: Sequence[str], n: int, *, with_segments: bool
) -> dict[tuple[str, tuple[str, str]], npt.NDArray[np.intp]]:
    members: dict[tuple[str, tuple[str, str]], list[int]] = {}
    for row in range(n):
        members.setdefault((strata[row], ("", "")), []).append(row)
    for name in ruler.segments if with_segments else ():
        feature = ruler.by_name[name]
        listed = frozenset(feature.categories)
        for row, value in enumerate(data.get(name, ())):
            key = segment_value(feature, value)
            if key in listed:
                members.setdefault((strata[row], (name, key)), []).append(row)
    return {key: np.asarray(rows, dtype=np.intp) for key, rows in sorted(members.items())}


def _positions(
    ruler: Ruler,
    feature: Feature,
    values: Sequence[Any] | None,
    n: int,
    names: dict[str, Counter[str]],
    unseen_tokens: Sequence[dict[str, None]],
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.float64] | None]]:
    """Per row the position of a count to raise (-1: none), and by how much (None: 1)."""
    index, name = ruler.index, feature.name
    if values is None:
        if feature.is_input:
            yield np.full(n, index[name, "missing", "absent"], dtype=np.intp), None
        return
    single = replace(ruler, features=(feature,), segments=())
    unseen_category = index.get((name, "violation", "category"), -2)
    first = np.full(n, -1, dtype=np.intp)
    second = np.full(n, -1, dtype=np.intp)
    tokens = np.zeros(n)
    unseen = np.zeros(n)
    cache: dict[Any, tuple[int, int, int, int]] = {}
    for row in _place_numbers(feature, index, values, first, second):
        value = values[row]
        comparable = value is None or isinstance(value, str | int | float)
        key = (type(value), value) if comparable and feature.kind != "text" else None
        held = cache.get(key) if key is not None else None
        if held is None:
            held = position_of(single, feature, index, value, unseen_tokens[row])
            if key is not None:
                cache[key] = held
        first[row], second[row], tokens[row], unseen[row] = held
        if first[row] == unseen_category:
            names.setdefault(f"unseen:{name}", Counter())[feature.key(value)] += 1
    yield first, None
    yield second, None
    if feature.kind == "text":
        yield np.full(n, index[name, "tokens", ""], dtype=np.intp), tokens
        yield np.full(n, index[name, "unseen_tokens", ""], dtype=np.intp), unseen


def _place_numbers(
    feature: Feature,
    index: Mapping[CellKey, int],
    values: Sequence[Any],
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
) -> Iterable[int]:
    """Place all plain numbers of a column at once, as :func:`position_of` places each.

    Args:
        feature: The column's.
        index: Positions of the ruler's cells.
        values: Typed.
        first: Position of each row's cell, to be filled.
        second: Position of a second one, to be filled.

    Returns:
        The rows that are left.
    """
    if feature.kind != "number":
        return range(len(values))
    rows = np.flatnonzero([is_plain(value) for value in values])
    numbers = np.array([values[row] for row in rows.tolist()], dtype=np.float64)
    if feature.sentinels:
        # Whatever is a sentinel's number is left: only its spelling says whether it is one.
        plain = ~np.isin(numbers, [number for key in feature.sentinels if (number := _number_of(key)) is not None])
        rows, numbers = rows[plain], numbers[plain]
    first[rows] = index[feature.name, "bin", "0"] + np.searchsorted(feature.edges, numbers, side="right")
    if feature.is_input and feature.low is not None and feature.high is not None:
        outside = (numbers < feature.low) | (numbers > feature.high)
        second[rows[outside]] = index[feature.name, "violation", "range"]
    left = np.ones(len(values), dtype=np.bool_)
    left[rows] = False
    return np.flatnonzero(left).tolist()


def _number_of(key: str) -> float | None:
    try:
        return float(key)
    except ValueError:
        return None


def position_of(
    single: Ruler, feature: Feature, index: Mapping[CellKey, int], value: Any, unseen_tokens: dict[str, None]
) -> tuple[int, int, int, int]:
    """Measure one value.

    Args:
        single: A ruler of this feature alone.
        feature: The feature.
        index: Positions of the whole ruler's cells.
        value: Typed.
        unseen_tokens: Where a text's unseen tokens are noted.

    Returns:
        Position of its cell, of a second one (-1: none), tokens, unseen tokens.
    """
    name = feature.name
    if not feature.is_input:
        return _position_of_output(feature, index, value), -1, 0, 0
    measured = single.measure({name: value})
    for kind in measured.missing:
        return index[name, "missing", kind], -1, 0, 0
    if "type" in measured.violations:
        return index[name, "violation", "type"], -1, 0, 0
    second = -1
    for kind in ("range", "category"):
        if kind in measured.violations:
            second = index[name, "violation", kind]
    if feature.kind == "number":
        return index[name, "bin", measured.bins[0].rpartition(":")[2]], second, 0, 0
    if feature.kind == "text":
        total, unseen = measured.texts[name]
        unseen_tokens.update(dict.fromkeys(measured.unseen_tokens))
        return index[name, "texts", ""], -1, total, unseen
    if feature.kind == "other":
        return index[name, "present", ""], -1, 0, 0
    if second >= 0:
        return second, -1, 0, 0
    return cell_of_category(feature, index, feature.key(value)), -1, 0, 0


def _position_of_output(feature: Feature, index: Mapping[CellKey, int], value: Any) -> int:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return -1
    if feature.kind == "category":
        return cell_of_category(feature, index, category_key(value))
    if not isinstance(value, int | float):
        return -1
    return index[feature.name, "bin", str(bisect_right(feature.edges, float(value)))]


def segment_value(feature: Feature, value: object) -> str | None:
    """The segment value that an event with ``value`` belongs to; None where it is missing or of a wrong type."""
    if not isinstance(value, str | int | float) or missing_kind(feature, value) is not None:
        return None
    return feature.key(value)


def cell_of_category(feature: Feature, index: Mapping[CellKey, int], key: str) -> int:
    """Position of a category's count: its own, that of ``other``, or that of the unseen."""
    own = index.get((feature.name, "category", key))
    if own is not None:
        return own
    if feature.open or key in feature.known:
        return index[feature.name, "other", ""]
    return index[feature.name, "violation", "category"]


def _tally_label(ruler: Ruler, label: str | None, counts: Counts, names: dict[str, Counter[str]]) -> None:
    if label is None or LABEL not in ruler.by_name:
        return
    position = cell_of_category(ruler.by_name[LABEL], ruler.index, label)
    counts[position] += 1
    if position == ruler.index[LABEL, "violation", "category"]:
        names.setdefault(f"unseen:{LABEL}", Counter())[label] += 1


def _tally_pairs(ruler: Ruler, measured: Measured, counts: Counts) -> None:
    if not ruler.pairs:
        return
    bins = {name: int(bin_) for name, _, bin_ in (what.rpartition(":") for what in measured.bins)}
    for pair in ruler.pairs:
        if pair.first in bins and pair.second in bins:
            counts[ruler.index[pair.both]] += 1
            high = bins[pair.first] > pair.first_low, bins[pair.second] > pair.second_low
            counts[ruler.index[pair.concordant]] += high[0] == high[1]


def _take_back(measured: Measured, names: Collection[str]) -> None:
    """Inputs that were there aren't absent, nor were they renamed."""
    if not names:
        return
    absent = measured.missing.get("absent", ())
    measured.missing["absent"] = [name for name in absent if name not in names]
    pairs = measured.violations.get("renamed", ())
    measured.violations["renamed"] = [pair for pair in pairs if not pair.startswith(tuple(f"{n}>" for n in names))]


def tally(
    ruler: Ruler,
    inputs: Mapping[str, Any],
    names: dict[str, Counter[str]],
    *,
    score: float | None = None,
    value: float | None = None,
    label: str | None = None,
    latency: float | None = None,
    failure: bool = False,
    scores: object = None,
    replaced: Collection[str] = (),
    withheld: Collection[str] = (),
) -> Counts:
    """Counts of one event, shape ``(len(ruler.cells),)``: for events that another ruler measured, or none.

    Whether it repeats another isn't its own to say: those counts stay 0.

    Args:
        ruler: How to measure.
        inputs: Typed values, as for :meth:`mllog.ruler.Ruler.measure`.
        names: Where unseen values, tokens, unexpected and renamed inputs are counted.
        score: Score in [0, 1].
        value: Predicted value.
        label: Predicted class.
        latency: Seconds.
        failure: Whether the call failed.
        scores: Scores of the classes, as in ``ml.outputs``.
        replaced: Marks of outputs that could not be written, as in ``ml.replaced``.
        withheld: Inputs that were there and that a policy kept out of the event: they are counted in no way.
    """
    index = ruler.index
    measured = ruler.measure(inputs, score=score, value=value, latency=latency, scores=scores, replaced=replaced)
    _take_back(measured, withheld)
    counts = np.zeros(len(ruler.cells), dtype=np.int64)
    counts[0], counts[1] = 1, failure
    for what in measured.bins:
        name, _, bin_ = what.rpartition(":")
        counts[index[name, "bin", bin_]] += 1
    _tally_pairs(ruler, measured, counts)
    for kind, features in measured.missing.items():
        for name in features:
            counts[index[name, "missing", kind]] += 1
    gone = {name for features in measured.missing.values() for name in features}
    for kind in VIOLATION_KINDS:
        for name in measured.violations.get(kind, ()):
            counts[index[name, "violation", kind]] += 1
    gone.update(measured.violations.get("type", ()))
    for feature in ruler.inputs:
        if feature.name in gone or feature.name not in inputs:
            continue
        if feature.kind in {"category", "boolean"}:
            key = feature.key(inputs[feature.name])
            if feature.name in measured.violations.get("category", ()):
                names.setdefault(f"unseen:{feature.name}", Counter())[key] += 1
            else:
                counts[cell_of_category(feature, index, key)] += 1
        elif feature.kind == "other":
            counts[index[feature.name, "present", ""]] += 1
    for name, (total, unseen) in measured.texts.items():
        counts[index[name, "texts", ""]] += 1
        counts[index[name, "tokens", ""]] += total
        counts[index[name, "unseen_tokens", ""]] += unseen
    _tally_label(ruler, label, counts, names)
    kinds = {kind: measured.violations.get(kind) for kind in ("unexpected", "renamed")}
    for kind, found in {"token": measured.unseen_tokens, **kinds}.items():
        if found:
            names.setdefault(kind, Counter()).update(found)
    return counts
