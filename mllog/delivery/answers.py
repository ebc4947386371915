"""Outputs of a batch: fragments of ``ml.outputs`` and ``ml.bins`` for all rows of a slice at once.

Numbers, labels, and frames of label, score and value are treated by the column; every other form row by row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from mllog.confidence import MARGIN
from mllog.delivery.columns import Codes, Column, Convert, Numbers, Values, typed_output
from mllog.delivery.outputs import class_key, outputs_of
from mllog.delivery.strands import Strand, Texts, members_of
from mllog.ruler import SCORE, VALUE, Ruler
from mllog.values import INT64

if TYPE_CHECKING:
    from mllog.delivery.strands import Mask

_NAMED: Final = frozenset({"label", "score", "value"})
_LABELS: Final = frozenset({str, float, int, bool, type(None)})
_NUMBERS: Final = {"score": SCORE, "value": VALUE}


@dataclass(slots=True)
class Answers:
    """What the outputs add to the events of a slice.

    Attributes:
        outputs: Members of ``ml.outputs``.
        whole: ``,"outputs":{…}`` and what else an output gives, by row, where there are no members.
        bins: Members of ``ml.bins``.
        replaced: Marks by row.
        odd: Rows that only the encoder of single events can write.
    """

    outputs: list[Strand] = field(default_factory=list)
    whole: list[bytes] | None = None
    bins: list[Strand] = field(default_factory=list)
    replaced: dict[int, list[str]] = field(default_factory=dict)
    odd: list[int] = field(default_factory=list)


def answers_of(
    given: Column | Mapping[str, Column],
    n: int,
    ruler: Ruler | None,
    *,
    regression: bool | None,
    convert: Convert = typed_output,
) -> Answers:
    """What the outputs add.

    Args:
        given: One output a row, or its parts by name.
        n: Number of rows.
        ruler: The card's, where there is a card.
        regression: What the card says of the model, as :func:`mllog.delivery.outputs.outputs_of` takes it.
        convert: Types an output that was put together of parts.
    """
    if isinstance(given, Mapping):
        parts: dict[str, tuple[Column, Mask | None]] = {name: (column, None) for name, column in given.items()}
    else:
        parts = _bare(given, regression=regression)
    plain = _NAMED.issuperset(parts) and all(
        isinstance(column, Numbers) if name in _NUMBERS else _is_label(column) for name, (column, _) in parts.items()
    )
    if not plain or not parts:
        return _each(given, n, ruler, regression, convert)
    answers = Answers()
    edges = {feature.name: feature.edges for feature in ruler.features} if ruler is not None else {}
    for name, feature in _NUMBERS.items():
        if name not in parts:
            continue
        column, where = parts[name]
        assert isinstance(column, Numbers)
        array = column.array.astype(np.float64)
        finite = np.isfinite(array)
        there = np.ones(n, np.bool_) if column.null is None else ~column.null
        answers.odd += np.flatnonzero(there & ~finite).tolist()
        holes = ~(finite & there) if where is None else ~(finite & there & where)
        kept = holes if holes.any() else None
        answers.outputs.append(_numbers(name, array, kept))
        if feature in edges:
            answers.bins.append(_bins(feature, edges[feature], array, kept))
        if name == "score" and ruler is not None and ruler.confidence.binary and MARGIN in edges:
            probable = ~holes & (array >= 0) & (array <= 1)
            margins = np.abs(2.0 * np.where(probable, array, 0.5) - 1.0)
            answers.bins.append(_bins(MARGIN, edges[MARGIN], margins, None if probable.all() else ~probable))
    if "label" in parts:
        strand, without_class = _labels(parts["label"][0])
        answers.outputs.append(strand)
        answers.odd += without_class
    return answers


def value_of(given: Column | Mapping[str, Column] | None, row: int) -> Any:
    """The typed output of one row."""
    if isinstance(given, Mapping):
        return {name: column.value(row) for name, column in given.items()}
    return None if given is None else given.value(row)


def _bare(column: Column, *, regression: bool | None) -> dict[str, tuple[Column, Mask | None]]:
    """Outputs without names as parts with names, and the rows that each is meant for."""
    if isinstance(column, Numbers):
        share = (column.array >= 0) & (column.array <= 1)
        finite = np.isfinite(column.array.astype(np.float64))
        if column.null is not None or not finite.all():
            return {}
        if regression:
            return {"value": (column, None)}
        if regression is None:
            return {"score": (column, share), "value": (column, None)}
        return {"score": (column, share), "value": (column, ~share)}
    if isinstance(column, Codes):
        return {"label": (column, None)} if all(type(value) in (bool, str) for value in column.values) else {}
    return {"label": (column, None)} if column.kinds <= {str} else {}


def _is_label(column: Column) -> bool:
    if isinstance(column, Numbers):
        return True
    if isinstance(column, Values):
        fits = not column.cut and not column.replaced and column.kinds <= _LABELS
        return fits and _is_writable(column.values)
    return all(type(value) in _LABELS for value in column.values) and _is_writable(column.values)


def _is_writable(labels: Sequence[Any]) -> bool:
    """Whether there are no lone surrogates and no integers of more than 64 bits, which are marked row by row."""
    if any(type(label) is int and label not in INT64 for label in labels):
        return False
    try:
        "".join(label for label in labels if type(label) is str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _numbers(name: str, array: npt.NDArray[np.float64], holes: Mask | None) -> Strand:
    def make(separator: bytes) -> list[bytes]:
        text = orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
        members = members_of(text, b",", b'%b"%b":' % (separator, name.encode()))
        for row in () if holes is None else np.flatnonzero(holes).tolist():
            members[row] = b""
        return members

    return Strand(make, holes)


def _bins(name: str, edges: tuple[float, ...], array: npt.NDArray[np.float64], holes: Mask | None) -> Strand:
    places = np.searchsorted(np.array(edges), array, side="right")
    if holes is not None:
        places[holes] = len(edges) + 1
    texts = [b'"%b:%d"' % (name.encode(), k) for k in range(len(edges) + 1)]
    return Texts([*texts, b""]).strand(places)


def _labels(column: Column) -> tuple[Strand, list[int]]:
    """Members of the labels, and the rows of those that name no class."""
    if isinstance(column, Codes):
        codes, values = column.codes, column.values
    else:
        if isinstance(column, Numbers):
            keys: list[Any] = [column.value(row) for row in range(len(column.array))]
        else:
            keys = column.values
        if not isinstance(column, Values) or not column.kinds <= {str, type(None)}:
            # Equal values need not have equal keys: 1 and True. What names no class is one and the same NaN.
            keys = [key if key is None or type(key) is str else class_key(key) or math.nan for key in keys]
        values = list(dict.fromkeys(keys))
        places = dict(zip(values, range(len(values)), strict=True))
        codes = np.fromiter(map(places.__getitem__, keys), np.intp, len(keys))
    classes = list(map(class_key, values))
    texts = [b"" if key is None else b'"label":' + orjson.dumps(key) for key in classes]
    none = [k for k, value in enumerate(values) if value is not None and classes[k] is None]
    return Texts(texts).strand(codes), np.flatnonzero(np.isin(codes, none)).tolist() if none else []


def _each(
    given: Column | Mapping[str, Column], n: int, ruler: Ruler | None, regression: bool | None, convert: Convert
) -> Answers:
    answers = Answers(whole=[b""] * n)
    assert answers.whole is not None
    outer = Ruler(tuple(f for f in ruler.features if not f.is_input)) if ruler is not None else None
    bins: list[bytes] = [b""] * n
    for row in range(n):
        try:
            output, cut, otherwise = value_of(given, row), False, False
            if isinstance(given, Mapping):
                output, cut, otherwise = convert(output)
            if cut or otherwise:
                answers.odd.append(row)
                continue
            outputs, explanation, replaced = outputs_of(output, regression=regression)
            text = b',"outputs":' + orjson.dumps(outputs) if outputs else b""
            if explanation is not None:
                text += b',"explanation":' + orjson.dumps(explanation)
            if outer is not None:
                found = outer.measure(
                    {},
                    score=outputs.get("score"),
                    value=outputs.get("value"),
                    scores=outputs.get("scores"),
                    replaced=replaced,
                ).bins
                bins[row] = b",".join(map(orjson.dumps, found))
        except Exception:  # noqa: BLE001 - whatever it is, the encoder of single events knows what to do
            answers.odd.append(row)
            continue
        answers.whole[row] = text
        if replaced:
            answers.replaced[row] = replaced
    if any(bins):
        answers.bins.append(Texts(bins).strand(np.arange(n)))
    return answers
