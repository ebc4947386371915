"""A card's ruler laid from training data: kinds, edges, categories, vocabularies; and the training data counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from mllog.bloom import Bloom
from mllog.confidence import MARGIN, MARGIN_EDGES, SCORES, UNUSABLE
from mllog.counting import count_columns
from mllog.edges import number_ruler
from mllog.errors import CardError
from mllog.frames import columns, to_times, typed_value
from mllog.pairing import find_pairs
from mllog.privacy.columns import as_before, protect_columns
from mllog.ruler import (
    COUNTED_CATEGORIES,
    FILTER_LIMIT,
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
)
from mllog.shapes import LENGTH, LENGTH_EDGES, MARK_EDGES, MARKS, SCRIPT, SCRIPT_EDGES
from mllog.tokenizers import Tokenizer, strict_tokenizer_of, tokenizer_name, tokenizer_of
from mllog.values import strict

if TYPE_CHECKING:
    from mllog.card import ModelCard
    from mllog.privacy.protection import Protection

_CLASSES: Final = 50
REDACTED_TOKEN_ROWS: Final = 10
"""A token of a redacted text stands in the card where so many rows of training had it; a name has fewer."""
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
    previous: ModelCard | None,
    time_zone: str | None,
    protection: Protection,
    tokenizers: Mapping[str, str | Tokenizer],
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
    others = {name: data.pop(name) for name in (SCORE, VALUE, LABEL, LATENCY, SCORES) if name in data}
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
    zone = time_zone or (previous.ruler.time_zone if previous else "UTC")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CardError(
            f"time_zone={zone!r} is no IANA time zone, such as 'Europe/Berlin'", field="time_zone", value=zone
        ) from error
    old = previous.ruler.by_name if previous else {}
    truth, answers = (
        None if side is None else [protection.scrubbed(value) for value in side] for side in (truth, others.get(LABEL))
    )
    given = {name: _kind(_present(values), is_text=name in text) for name, values in data.items()}
    protection.policy.check_kinds(given)
    data = protect_columns(protection, data, given)
    fitting = {name: feature for name, feature in old.items() if previous and as_before(protection, previous, feature)}
    cut_by = _tokenizers(tokenizers, text, old, protection)
    features = [
        _lay(name, values, given[name], protection, fitting.get(name), cut_by.get(name))
        for name, values in data.items()
    ]
    kinds = {feature.name: feature.kind for feature in features}
    for name in segments:
        if kinds.get(name) not in {"category", "boolean"}:
            raise CardError(
                f"segments={name!r} is a {kinds.get(name, 'target or time')} column; only a category can be a segment",
                field="segments",
                value=name,
            )
    valued = isinstance(predictions, str) and predictions == VALUE and truth is None
    task = "regression" if valued else _task(truth, scores) or ("classification" if answers else None)
    features += _outputs(task, truth, scores, old, answers or ())
    features += _derived(features, task, protection)
    features.append(Feature(LATENCY, "number", edges=LATENCY_EDGES))
    ruler = _together(Ruler(tuple(features), tuple(segments), zone), data, previous)
    # Of what is kept back nobody can say whether it is equal.
    words = {protection.policy.word(name, kind) for name, kind in given.items()}
    ruler = replace(ruler, repeated=ruler.repeated and words <= {"keep", "hash"})
    outputs: dict[str, Sequence[Any]] = {n: values for n, values in others.items() if n in {LABEL, LATENCY, SCORES}}
    if scores is not None:
        outputs[VALUE if task == "regression" else SCORE] = scores
    # How often training repeats says nothing of an hour: it isn't counted.
    expecting = replace(_leave_one_out(ruler, data, protection), repeated=False)
    counted = count_columns(expecting, data, times=times, outputs=outputs, with_segments=False)
    training = {
        stratum: {ruler.cells[i]: int(counts[i]) for i in np.flatnonzero(counts)}
        for (stratum, _), counts in counted.cells.items()
    }
    return ruler, training, task


def _together(ruler: Ruler, data: Mapping[str, Sequence[Any]], previous: ModelCard | None) -> Ruler:
    """The ruler with what it counts of several features at once; one that is the previous one stays what it is."""
    before = previous.ruler if previous else None
    if before is not None and replace(before, pairs=(), repeated=False).hash == ruler.hash:
        return replace(ruler, pairs=before.pairs, repeated=before.repeated)
    kept = [
        pair
        for pair in (before.pairs if before else ())
        if before and all(ruler.by_name.get(name) == before.by_name[name] for name in (pair.first, pair.second))
    ]
    return replace(ruler, pairs=tuple(find_pairs(ruler.inputs, data, kept)), repeated=True)


def _leave_one_out(ruler: Ruler, data: Mapping[str, Sequence[Any]], protection: Protection) -> Ruler:
    """The ruler as each row of training would meet it, had that row not been in training.

    By construction nothing in training is unseen, yet the next new aircraft will be: the share of values that came
    once is what to expect of unseen ones (Good 1953, Biometrika 40:237).
    """
    features = []
    for feature in ruler.features:
        values = data.get(feature.name, ())
        if feature.kind == "category" and feature.is_input and not feature.open:
            often = Counter(category_key(value) for value in values if missing_kind(feature, value) is None)
            known = frozenset(key for key, count in often.items() if count > 1 and key in feature.known)
            features.append(replace(feature, known=known))
        elif feature.kind == "text":
            texts = (value for value in values if isinstance(value, str))
            rows = Counter(token for text in texts for token in set(feature.tokenize(text)))
            least = 1 if protection.policy.word(feature.name, "text") != "redact" else REDACTED_TOKEN_ROWS
            known = frozenset(token for token, count in rows.items() if count > least and token in feature.vocabulary)
            features.append(replace(feature, vocabulary=known.union(_tokens(protection.marks, feature.tokenizer))))
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
    task: Task | None,
    truth: list[Any] | None,
    scores: list[float] | None,
    old: Mapping[str, Feature],
    answers: Sequence[Any],
) -> list[Feature]:
    features = []
    if task == "regression":
        known = [[v for v in side or () if isinstance(v, int | float) and math.isfinite(v)] for side in (scores, truth)]
        basis = known[0] or known[1]
        if basis:
            features.append(old.get(VALUE) or number_ruler(VALUE, np.asarray(basis, dtype=np.float64), ()))
    else:
        features.append(Feature(SCORE, "number", edges=SCORE_EDGES))
    # A class that training has and the model never answered is known, and so is one that it answers.
    both = (*(truth or ()), *answers)
    present = [value for value in both if value is not None and value == value]  # noqa: PLR0124 - NaN
    if task == "classification" and present and all(isinstance(value, str | int | float) for value in present):
        classes = Counter(category_key(value) for value in present)
        kept = old.get(LABEL)
        if kept is not None and classes.keys() <= kept.listed:
            features.append(kept)
        elif len(classes) <= _CLASSES:
            names = tuple(name for name, _ in sorted(classes.items(), key=lambda item: (-item[1], item[0])))
            features.append(Feature(LABEL, "category", categories=names, known=frozenset(names)))
    return features


def _derived(features: Sequence[Feature], task: Task | None, protection: Protection) -> list[Feature]:
    """What follows from outputs, and the shapes of texts: the same in every card.

    A redacted text has none: what is measured of it has other words, and so another length and script.
    """
    found = [] if task == "regression" else [Feature(MARGIN, "number", edges=MARGIN_EDGES)]
    found.append(Feature(UNUSABLE, "number"))
    for text in (feature.name for feature in features if feature.kind == "text"):
        if protection.policy.word(text, "text") == "redact":
            continue
        shape = {LENGTH: LENGTH_EDGES, SCRIPT: SCRIPT_EDGES, MARKS: MARK_EDGES}
        found += (Feature(prefix + text, "number", edges=edges) for prefix, edges in shape.items())
    return found


def _present(values: Sequence[Any]) -> list[Any]:
    probe = Feature("", "other")
    return [value for value in values if missing_kind(probe, value) is None]


def _lay(
    name: str, values: Sequence[Any], given: Kind, protection: Protection, old: Feature | None, tokenizer: str | None
) -> Feature:
    """The ruler of one feature, or the ``old`` one where the data still fits it.

    Args:
        name: The feature's.
        values: What is measured of it: protected by the policy.
        given: Its kind as it was before that.
        protection: The policy.
        old: Its ruler in the previous card.
        tokenizer: How it is cut, where it is a text.
    """
    word = protection.policy.word(name, given)
    if word == "drop":
        return Feature(name, "other")
    present = _present(values)
    kind = _kind(present, is_text=given == "text" and word != "hash")
    if old is not None and (not present or (old.kind == kind and old.tokenizer == tokenizer and _fits(old, present))):
        return old  # a column without any value contradicts nothing
    if kind == "number":
        return number_ruler(name, np.asarray(present, dtype=np.float64), _NUMBER_SENTINELS, coarse=word == "redact")
    if kind == "boolean":
        return Feature(name, "boolean", categories=("false", "true"), known=frozenset(("false", "true")))
    if kind == "category":
        counter = Counter(category_key(value) for value in present)
        ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
        identifier = len(counter) > FILTER_LIMIT or len(counter) > max(_CLASSES, len(present) / 2)
        known = frozenset() if identifier else _known(counter, KNOWN_LIMIT)
        sentinels: Sequence[str] = _STRING_SENTINELS
        if word == "hash":
            sentinels = [protection.hashed(name, value) for value in (*_STRING_SENTINELS, *_NUMBER_SENTINELS)]
        return Feature(
            name, "category", open=identifier, known=known,
            categories=() if identifier else tuple(value for value, _ in ranked[:COUNTED_CATEGORIES]),
            sentinels=frozenset(s for s in sentinels if s not in counter),
        )  # fmt: skip
    if kind == "text":
        vocabulary = _vocabulary(present, protection, tokenizer, redacted=word == "redact")
        return Feature(name, "text", vocabulary=vocabulary, tokenizer=tokenizer)
    return Feature(name, "other")


def _tokenizers(
    given: Mapping[str, str | Tokenizer], texts: Sequence[str], old: Mapping[str, Feature], protection: Protection
) -> dict[str, str | None]:
    """How texts are cut: as asked for, else as they were."""
    found = {name: old[name].tokenizer for name in texts if name in old}
    for name, tokenizer in given.items():
        if name not in texts:
            raise CardError(
                f"tokenizers names {name!r}, which is no text; name it in text too", field="tokenizers", value=name
            )
        found[name] = tokenizer_name(tokenizer, name)
    for name, known in found.items():
        if known is not None and protection.policy.word(name, "text") == "redact":
            raise CardError(
                f"tokenizers[{name!r}] is {known!r}, and the policy redacts that text: what is redacted is measured by "
                "its words; leave the tokenizer out",
                field="tokenizers",
                value=known,
            )
    return found


def _vocabulary(
    present: Sequence[Any], protection: Protection, tokenizer: str | None, *, redacted: bool
) -> frozenset[str] | Bloom:
    """The tokens of training; of a text that is kept back, only those that say nothing of a single row."""
    tokens: Counter[str] = Counter()
    tokenize = strict_tokenizer_of(tokenizer)
    for value in present:
        if isinstance(value, str):
            found = tokenize(value)
            tokens.update(set(found) if redacted else found)
    least = REDACTED_TOKEN_ROWS if redacted else 1
    # What a filter takes for a token of training by mistake would be a word that must not be told.
    limit = VOCABULARY_LIMIT if redacted else FILTER_LIMIT
    often = [token for token, count in tokens.most_common(limit) if count >= least]
    known = frozenset((*often, *_tokens(protection.marks, tokenizer)))
    return known if redacted else _known(known, VOCABULARY_LIMIT)


def _known(members: Collection[str], limit: int) -> frozenset[str] | Bloom:
    """All of them, listed up to a limit, else by a filter."""
    return frozenset(members) if len(members) <= limit else Bloom.of(members)


def _tokens(texts: Sequence[str], tokenizer: str | None) -> Iterator[str]:
    return (token for text in texts for token in tokenizer_of(tokenizer)(text))


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
        tokens = [token for value in present if isinstance(value, str) for token in old.tokenize(value)]
        return sum(token in old.vocabulary for token in tokens) >= 0.95 * len(tokens)
    return True
