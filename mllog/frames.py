"""Frames measured by the ruler: pandas, polars and pyarrow through narwhals, column by column.

Here a card's ruler is laid from training data, and whole columns are measured as the writer measures single events.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import narwhals as nw
import numpy as np
import numpy.typing as npt

from mllog.errors import CardError
from mllog.ruler import (
    COUNTED_CATEGORIES,
    KNOWN_LIMIT,
    LABEL,
    LATENCY,
    LATENCY_EDGES,
    SCORE,
    SCORE_EDGES,
    UNSEEN_TOKENS_PER_EVENT,
    VALUE,
    VIOLATION_KINDS,
    VOCABULARY_LIMIT,
    CellKey,
    Feature,
    Kind,
    Ruler,
    SparseCounts,
    Task,
    category_key,
    missing_kind,
    tokenize,
)
from mllog.values import INT64, TEXT_LIMIT, cut, float_of, name_of, strict, typed

_QUANTILES: Final = (*(k / 16 for k in range(1, 16)), 0.002, 0.005, 0.01, 0.02, 0.98, 0.99, 0.995, 0.998)
_CLASSES: Final = 50
_STRING_SENTINELS: Final = (
    "N/A",
    "n/a",
    "NA",
    "NULL",
    "null",
    "None",
    "none",
    "nan",
    "NaN",
    "?",
    "-",
    "unknown",
    "UNKNOWN",
)
_NUMBER_SENTINELS: Final = ("-999", "-9999", "-99999")

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


def columns(frame: Any) -> dict[str, list[Any]]:
    """A frame's columns as lists of typed values, as the logger would write them; times stay what they are.

    Args:
        frame: pandas, polars or pyarrow frame, or a mapping of names to sequences.

    Raises:
        CardError: it is no frame, its columns differ in length, or two have the same name.
    """
    if isinstance(frame, Mapping):
        named = list(frame.items())
    else:
        try:
            native = nw.from_native(frame, eager_only=True)
        except TypeError as error:
            raise CardError(
                f"a frame was expected (pandas, polars, pyarrow, or a dict of columns), not {type(frame).__name__}"
            ) from error
        except nw.exceptions.DuplicateError as error:
            raise CardError(f"two columns of the frame have the same name ({error}); rename one") from error
        named = [(series.name, series.to_list()) for series in native.iter_columns()]
    data: dict[str, list[Any]] = {}
    for given, values in named:
        name = name_of(given)
        if name in data:
            raise CardError(f"two columns of the frame are called {name!r}; rename one")
        data[name] = [_python(value) for value in values]
    lengths = {len(values) for values in data.values()}
    if len(lengths) > 1:
        raise CardError(f"the columns of a frame have one length, not {sorted(lengths)}")
    return data


def _python(value: Any) -> Any:
    """A frame's value as the logger types it: numpy's and pandas' scalars as Python's; NA and NaT as None."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= TEXT_LIMIT else cut(value)
    if kind is int:
        return value if value in INT64 else float_of(value)
    if value is None or kind is float or kind is bool:
        return value
    if kind.__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(value, dt.date | dt.time):
        return value
    if kind.__name__ == "datetime64":
        return value.astype("datetime64[us]").item()
    if hasattr(kind, "as_py"):
        return _python(value.as_py())
    return typed(value)


def to_times(values: Sequence[Any], name: str) -> list[dt.datetime]:
    """Event times of a column: datetimes (naive ones are UTC), dates, ISO 8601 strings, or epoch seconds.

    Raises:
        CardError: a value is no time; the message names column, row and value.
    """
    times = []
    for row, value in enumerate(values):
        try:
            if isinstance(value, str):
                moment = dt.datetime.fromisoformat(value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                moment = dt.datetime.fromtimestamp(value, dt.UTC)
            elif hasattr(value, "to_pydatetime"):
                moment = value.to_pydatetime(warn=False)
            elif type(value) is dt.date:
                moment = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
            else:
                moment = value
            times.append(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
        except (ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
            raise CardError(
                f"column {name!r}, row {row}: {value!r} is no time; give datetimes, ISO 8601 strings or epoch seconds"
            ) from error
    return times


def card_parts(
    train: Any,
    *,
    target: str | None,
    predictions: Any,
    text: Sequence[str],
    segments: Sequence[str],
    time: str | None,
    previous: Ruler | None,
    time_zone: str | None,
) -> tuple[Ruler, SparseCounts, Task | None]:
    """Ruler, training counts and task for :meth:`mllog.ModelCard.from_frame`, which documents the arguments."""
    data = columns(train)
    n = len(next(iter(data.values()), []))
    if n == 0:
        raise CardError("the training frame has no rows; a card needs data to measure")
    text, segments = ((names,) if isinstance(names, str) else tuple(names) for names in (text, segments))
    if predictions is None:
        predictions = next((name for name in (SCORE, VALUE) if name in data), None)
    scores = _predictions(data, predictions, n)
    others = {name: data.pop(name) for name in (SCORE, VALUE, LABEL, LATENCY) if name in data}
    named = {"target": [target], "time": [time], "text": text, "segments": segments}
    for argument, names in named.items():
        for name in names:
            if name is not None and name not in data:
                raise CardError(
                    f"{argument}={name!r} is no column of the frame; its columns are {sorted(data)}",
                    field=argument,
                    value=name,
                )
    if target is not None and target == time:
        raise CardError(f"target and time are both {time!r}; name two columns", field="time", value=time)
    truth = data.pop(target) if target is not None else None
    times = to_times(data.pop(time), time) if time is not None else None
    for name in data:
        if name.startswith("@") or strict(name) != name:
            raise CardError(
                f"column {name!r} can't be a feature: names that begin with @ are the ruler's own, "
                "and UTF-8 must be able to "
                "hold a name; rename it",
                value=name,
            )
    zone = time_zone or (previous.time_zone if previous else "UTC")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CardError(
            f"time_zone={zone!r} is no IANA time zone, such as 'Europe/Berlin'", field="time_zone", value=zone
        ) from error
    old = previous.by_name if previous else {}
    features = [_lay(name, values, is_text=name in text, old=old.get(name)) for name, values in data.items()]
    kinds = {feature.name: feature.kind for feature in features}
    for name in segments:
        if kinds.get(name) not in {"category", "boolean"}:
            raise CardError(
                f"segments={name!r} is a {kinds.get(name, 'target or time')} column; only a category can be a segment",
                field="segments",
                value=name,
            )
    task = _task(truth, scores)
    features += _outputs(task, truth, scores, old)
    features.append(Feature(LATENCY, "number", edges=LATENCY_EDGES))
    ruler = Ruler(tuple(features), tuple(segments), zone)
    outputs: dict[str, Sequence[Any]] = {name: values for name, values in others.items() if name in {LABEL, LATENCY}}
    if scores is not None:
        outputs[VALUE if task == "regression" else SCORE] = scores
    counted = count_columns(_leave_one_out(ruler, data), data, times=times, outputs=outputs, with_segments=False)
    training = {
        stratum: {ruler.cells[i]: int(counts[i]) for i in np.flatnonzero(counts)}
        for (stratum, _), counts in counted.cells.items()
    }
    return ruler, training, task


def _leave_one_out(ruler: Ruler, data: Mapping[str, Sequence[Any]]) -> Ruler:
    """The ruler as each row of training would meet it, had that row not been in training.

    By construction nothing in training is unseen, yet the next new aircraft will be: the share of values that came
    once is what to expect of unseen ones (Good 1953, Biometrika 40:237).
    """
    features = []
    for feature in ruler.features:
        values = data.get(feature.name, ())
        if feature.kind == "category" and feature.is_input and not feature.open:
            often = Counter(category_key(value) for value in values if missing_kind(feature, value) is None)
            known = frozenset(key for key in feature.known if often[key] > 1)
            features.append(replace(feature, known=known))
        elif feature.kind == "text":
            rows = Counter(token for value in values if isinstance(value, str) for token in set(tokenize(value)))
            features.append(replace(feature, vocabulary=frozenset(t for t in feature.vocabulary if rows[t] > 1)))
        else:
            features.append(feature)
    return replace(ruler, features=tuple(features))


def _predictions(data: dict[str, list[Any]], predictions: Any, n: int) -> list[float] | None:
    if predictions is None:
        return None
    if isinstance(predictions, str):
        if predictions not in data:
            raise CardError(
                f"predictions={predictions!r} is no column of the frame; its columns are {sorted(data)}",
                field="predictions",
                value=predictions,
            )
        values = data.pop(predictions)
    else:
        values = [_python(value) for value in getattr(predictions, "tolist", lambda: list(predictions))()]
    if len(values) != n:
        raise CardError(f"predictions has {len(values)} values for {n} rows")
    if not all(isinstance(value, int | float) for value in values):
        raise CardError("predictions must be numbers: scores in [0, 1] or predicted values")
    return [float(value) for value in values]


def _task(truth: list[Any] | None, scores: list[float] | None) -> Task | None:
    if truth is not None:
        present = [value for value in truth if value is not None and value == value]  # noqa: PLR0124 - NaN
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
            return "classification"
        whole = all(float(value).is_integer() for value in present)
        return "classification" if whole and len(set(present)) <= 20 else "regression"
    if scores is not None:
        return "classification" if all(0 <= score <= 1 for score in scores) else "regression"
    return None


def _outputs(
    task: Task | None, truth: list[Any] | None, scores: list[float] | None, old: Mapping[str, Feature]
) -> list[Feature]:
    features = []
    if task == "regression":
        known = [[v for v in side or () if isinstance(v, int | float) and math.isfinite(v)] for side in (scores, truth)]
        basis = known[0] or known[1]
        if basis:
            features.append(old.get(VALUE) or _number(VALUE, np.asarray(basis, dtype=np.float64), ()))
    else:
        features.append(Feature(SCORE, "number", edges=SCORE_EDGES))
    present = [value for value in truth or () if value is not None and value == value]  # noqa: PLR0124 - NaN
    if task == "classification" and present and all(isinstance(value, str | int | float) for value in present):
        classes = Counter(category_key(value) for value in present)
        kept = old.get(LABEL)
        if kept is not None and classes.keys() <= kept.known:
            features.append(kept)
        elif len(classes) <= _CLASSES:
            names = tuple(name for name, _ in sorted(classes.items(), key=lambda item: (-item[1], item[0])))
            features.append(Feature(LABEL, "category", categories=names, known=frozenset(names)))
    return features


def _lay(name: str, values: Sequence[Any], *, is_text: bool, old: Feature | None) -> Feature:
    """The ruler of one feature, or the ``old`` one where the data still fits it."""
    probe = Feature(name, "other")
    present = [value for value in values if missing_kind(probe, value) is None]
    kind = _kind(present, is_text=is_text)
    if old is not None and (not present or (old.kind == kind and _fits(old, present))):
        return old  # a column without any value contradicts nothing
    if kind == "number":
        return _number(name, np.asarray(present, dtype=np.float64), _NUMBER_SENTINELS)
    if kind == "boolean":
        return Feature(name, "boolean", categories=("false", "true"), known=frozenset(("false", "true")))
    if kind == "category":
        counter = Counter(category_key(value) for value in present)
        ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
        identifier = len(counter) > KNOWN_LIMIT or len(counter) > max(_CLASSES, len(present) / 2)
        known = frozenset() if identifier else frozenset(counter)
        return Feature(
            name, "category", open=identifier, known=known,
            categories=() if identifier else tuple(value for value, _ in ranked[:COUNTED_CATEGORIES]),
            sentinels=frozenset(s for s in _STRING_SENTINELS if s not in counter),
        )  # fmt: skip
    if kind == "text":
        tokens = Counter(token for value in present if isinstance(value, str) for token in tokenize(value))
        return Feature(name, "text", vocabulary=frozenset(token for token, _ in tokens.most_common(VOCABULARY_LIMIT)))
    return probe


def _kind(present: Sequence[Any], *, is_text: bool) -> Kind:
    if not present:
        return "other"
    if is_text and any(isinstance(value, str) for value in present):
        return "text"
    if all(isinstance(value, bool) for value in present):
        return "boolean"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return "number"
    if all(isinstance(value, str | bool | int | float) for value in present):
        return "category"
    return "other"


def _fits(old: Feature, present: Sequence[Any]) -> bool:
    """Whether training data still lies on the old ruler: else a new one must be laid, and learning starts anew."""
    if old.kind == "number":
        x = np.asarray(present, dtype=np.float64)
        return old.low is not None and old.high is not None and bool(((x >= old.low) & (x <= old.high)).mean() >= 0.99)
    if old.kind == "category" and not old.open:
        keys = [category_key(value) for value in present]
        return sum(key in old.known for key in keys) >= 0.99 * len(keys)
    if old.kind == "text":
        tokens = [token for value in present if isinstance(value, str) for token in tokenize(value)]
        return sum(token in old.vocabulary for token in tokens) >= 0.95 * len(tokens)
    return True


def _number(name: str, x: npt.NDArray[np.float64], sentinels: Sequence[str]) -> Feature:
    """Edges at quantiles of training, finer in the tails, and one far cell beyond either end of the range."""
    low, high = float(x.min()) + 0.0, float(x.max()) + 0.0  # no -0.0, whose bin is that of 0.0
    reach = max(high - low, abs(low), abs(high))
    cuts = np.quantile(x, sorted(_QUANTILES), method="inverted_cdf")
    # An edge just above the greatest value keeps "greater than ever" apart from the last ordinary bin.
    edges = {float(cut) for cut in cuts if cut > low} | {math.nextafter(high, math.inf), low}
    edges |= {low - reach, high + reach} if reach > 0 else set()
    outside = frozenset(s for s in sentinels if not low <= float(s) <= high)
    finite = tuple(sorted(edge for edge in edges if math.isfinite(edge)))
    return Feature(name, "number", edges=finite, low=low, high=high, sentinels=outside)


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
        outputs: ``@score``, ``@value``, ``@label`` or ``@latency`` -> a value of each row.
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
    table = np.zeros((len(groups), size), dtype=np.int64)
    rows = list(groups.values())
    table[:, 0] = [len(members) for members in rows]
    for feature in ruler.features:
        source = data if feature.is_input else outputs or {}
        positions = _positions(ruler, feature, source.get(feature.name), n, names, unseen_tokens)
        for where, weights in positions:
            for g, members in enumerate(rows):
                at = where[members]
                hit = at >= 0
                table[g] += np.bincount(
                    at[hit], weights=None if weights is None else weights[members][hit], minlength=size
                ).astype(np.int64)
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


def _strata(ruler: Ruler, times: Sequence[dt.datetime]) -> list[str]:
    hours: dict[dt.datetime, str] = {}
    result = []
    for time in times:
        hour = time.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
        if hour not in hours:
            hours[hour] = ruler.stratum(hour)
        result.append(hours[hour])
    return result


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
    for row, value in enumerate(values):
        key = (type(value), value) if isinstance(value, str | int | float) and feature.kind != "text" else None
        held = cache.get(key) if key is not None else None
        if held is None:
            held = _position(single, feature, index, value, unseen_tokens[row])
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


def _position(
    single: Ruler, feature: Feature, index: Mapping[CellKey, int], value: Any, unseen_tokens: dict[str, None]
) -> tuple[int, int, int, int]:
    """Measure one value: (first cell, second cell, tokens, unseen tokens)."""
    name = feature.name
    if not feature.is_input:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return -1, -1, 0, 0
        if feature.kind == "category":
            return cell_of_category(feature, index, category_key(value)), -1, 0, 0
        if not isinstance(value, int | float):
            return -1, -1, 0, 0
        measured = single.measure({}, **{{SCORE: "score", VALUE: "value", LATENCY: "latency"}[name]: float(value)})
    else:
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
) -> Counts:
    """Counts of one event, shape ``(len(ruler.cells),)``: for events that another ruler measured, or none.

    Args:
        ruler: How to measure.
        inputs: Typed values, as for :meth:`mllog.ruler.Ruler.measure`.
        names: Where unseen values, tokens, unexpected and renamed inputs are counted.
        score: Score in [0, 1].
        value: Predicted value.
        label: Predicted class.
        latency: Seconds.
        failure: Whether the call failed.
    """
    index = ruler.index
    measured = ruler.measure(inputs, score=score, value=value, latency=latency)
    counts = np.zeros(len(ruler.cells), dtype=np.int64)
    counts[0], counts[1] = 1, failure
    for what in measured.bins:
        name, _, bin_ = what.rpartition(":")
        counts[index[name, "bin", bin_]] += 1
    for kind, features in measured.missing.items():
        for name in features:
            counts[index[name, "missing", kind]] += 1
    gone = {name for features in measured.missing.values() for name in features}
    for kind in VIOLATION_KINDS:
        for name in measured.violations.get(kind, ()):
            counts[index[name, "violation", kind]] += 1
    gone.update(measured.violations.get("type", ()))
    for feature in ruler.inputs:
        if feature.name in gone:
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
