"""A card's ruler laid from training data: kinds, edges, categories, vocabularies; and the training data counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from mllog.counting import count_columns
from mllog.errors import CardError
from mllog.frames import columns, to_times, typed_value
from mllog.ruler import (
    COUNTED_CATEGORIES,
    KNOWN_LIMIT,
    LABEL,
    LATENCY,
    LATENCY_EDGES,
    SCORE,
    SCORE_EDGES,
    VALUE,
    VOCABULARY_LIMIT,
    Feature,
    Kind,
    Ruler,
    SparseCounts,
    Task,
    category_key,
    missing_kind,
    tokenize,
)
from mllog.values import strict

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
        values = [typed_value(value) for value in getattr(predictions, "tolist", lambda: list(predictions))()]
    if len(values) != n:
        raise CardError(f"predictions has {len(values)} values for {n} rows")
    for row, value in enumerate(values):
        if not isinstance(value, int | float):
            raise CardError(f"predictions, row {row}: {value!r} is no number; give numbers, scores or values")
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
    if low > 0:
        # Decades beyond either end tell a factor of 1,000 from one of 60.
        edges |= {high * 10**k for k in (1, 2, 3, 4)} | {low / 10**k for k in (1, 2, 3)}
    outside = frozenset(s for s in sentinels if not low <= float(s) <= high)
    finite = tuple(sorted(edge for edge in edges if math.isfinite(edge)))
    return Feature(name, "number", edges=finite, low=low, high=high, sentinels=outside)
