"""What comes out of an estimator as outputs, by scikit-learn's conventions.

https://scikit-learn.org/stable/glossary.html#methods says what each method returns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from mllog import values
from mllog.integrations.matrices import is_array, is_row, plain_list
from mllog.integrations.tables import Frame, UnreadableError, part_of
from mllog.ruler import category_key

_NAMING: Final = "biuSUMm"
"""Kinds of arrays (https://numpy.org/doc/stable/reference/arrays.dtypes.html) whose values name something: clusters and
outliers have no ``classes_``, but whole numbers."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_RETURN: Final = "return_"
"""How arguments begin that ask for a tuple: ``return_std``, ``return_cov``."""


@dataclass(frozen=True, slots=True)
class Scores(Sequence[Any]):
    """Outputs in an array of numbers, each made where it is asked for.

    Attributes:
        array: Shape ``(rows,)`` or ``(rows, classes)``.
        make: Makes the outputs of some rows of it, typed where the numbers are finite.
    """

    array: Any
    make: Callable[[list[Any]], list[Any]]

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            return self.make(self.array[rows].tolist())
        return self.make([self.array[rows].tolist()])[0]


def outputs_of(
    method: str, result: Any, estimator: Any, rows: int | None = None, asked: Mapping[str, Any] = _NOTHING
) -> Frame | Sequence[Any]:
    """One output a row, or a frame of parts of them.

    Args:
        method: ``predict``, ``predict_proba``, ``predict_log_proba`` or ``decision_function``.
        result: What it returned.
        estimator: Knows the classes, where it is a classifier.
        rows: How many went in, where that is known.
        asked: All arguments of the call by name.

    Raises:
        UnreadableError: Where it can't be told which part of the answer is whose.
    """
    if isinstance(result, Mapping):
        if rows == 1:
            return [result]
        raise UnreadableError("one mapping for several rows")
    if isinstance(result, tuple) and result:
        wanted = [name.removeprefix(_RETURN) for name in asked if name.startswith(_RETURN) and asked[name]]
        if wanted or (rows not in (None, len(result)) and hasattr(type(result[0]), "shape")):
            return _with_more(outputs_of(method, result[0], estimator, rows), result[1:], wanted)
    classes = _classes(estimator)
    if classes and (isinstance(classes[0], list | tuple) or hasattr(type(classes[0]), "tolist")):
        # Several outputs, each with classes of its own.
        if method == "predict":
            return [{"labels": answer} for answer in plain_list(result)]
        return _several(method, result, [plain_list(_exact(own)) for own in classes])
    if method == "predict":
        return _predicted(result, classed=bool(classes))
    typed = [values.typed(one) for one in classes]

    def made(answers: list[Any]) -> list[Any]:
        if method == "decision_function":
            return [_decided(answer, typed) for answer in answers]
        if method == "predict_log_proba":
            answers = [[math.exp(x) for x in row] for row in answers]
        return [_scored(row, typed) for row in answers]

    usual = all(not isinstance(one, str) or len(one) <= values.NAME_LIMIT for one in typed)
    if usual and is_array(result) and result.dtype.kind == "f":
        return Scores(result, made)
    return made(plain_list(result))


def _classes(estimator: Any) -> list[Any]:
    try:
        return plain_list(_exact(estimator.classes_))
    except Exception:  # noqa: BLE001 - none, or a property of somebody's, which may raise anything
        return []


def _exact(array: Any) -> Any:
    """``array``, where it holds times in microseconds: finer ones would become integers of no unit."""
    return array.astype("datetime64[us]") if is_array(array) and array.dtype.kind == "M" else array


def _predicted(result: Any, *, classed: bool) -> Frame | list[Any]:
    answers = _exact(result)
    if not is_array(result) or result.ndim != 1:
        answers = [plain_list(answer) if is_row(answer) else answer for answer in plain_list(result)]
    kind = getattr(getattr(result, "dtype", None), "kind", "O")
    plain = answers if isinstance(answers, list) else answers.tolist() if kind == "O" else []
    if any(map(_is_mapping, plain)):
        return plain
    name = "label" if classed or kind in _NAMING or (kind == "O" and any(map(_is_name, plain))) else "value"
    if any(isinstance(answer, list | tuple) for answer in plain):
        return [{f"{name}s" if isinstance(answer, list | tuple) else name: answer} for answer in plain]
    return Frame({name: answers}, len(answers))


def _is_mapping(answer: Any) -> bool:
    try:
        return isinstance(answer, Mapping)
    except Exception:  # noqa: BLE001 - a class may refuse to be hashed, which the abstract class does with it
        return False


def _is_name(answer: Any) -> bool:
    """Whether an answer, or one of several, is a label and no number."""
    if isinstance(answer, list | tuple):
        return any(map(_is_name, answer))
    typed = values.typed(answer)
    return type(typed) in (str, bool)


def _with_more(answers: Frame | Sequence[Any], rest: Sequence[Any], wanted: list[str]) -> Frame | Sequence[Any]:
    """Outputs with what was asked for besides, a value a row; of covariances those of the rows with themselves."""
    rows = answers.rows if isinstance(answers, Frame) else len(answers)
    names = wanted if len(wanted) == len(rest) else [f"answer{k}" for k in range(1, len(rest) + 1)]
    more: dict[str, Any] = {}
    for name, part in zip(names, rest, strict=True):
        if len(part) != rows:
            continue
        if name == "cov" and is_array(part) and part.ndim in {2, 3} and part.shape[:2] == (rows, rows):
            # One variance for each row, or with several targets one for each row and target.
            more["variance"] = part.diagonal(axis1=0, axis2=1).T
        elif is_array(part) and _is_of_all(part, rows):
            more[name] = [_LeftOut(part.shape)] * rows
        else:
            more[name] = part
    if isinstance(answers, Frame):
        return Frame({**answers.columns, **more}, rows)
    columns = [part_of(part, 0, rows) for part in more.values()]
    added = [dict(zip(more, each, strict=True)) for each in zip(*columns, strict=True)] or [{}] * rows
    return [{**answer, **one} for answer, one in zip(answers[:], added, strict=True)]


def _is_of_all(part: Any, rows: int) -> bool:
    """Whether what stands for a row is larger than a row's own share: it would grow with the call, squared."""
    size = math.prod(part.shape[1:])
    return size > values.NODE_LIMIT or (rows in part.shape[1:] and size > values.VECTOR_LIMIT)


class _LeftOut:
    """Stands for what isn't logged; an object that is no value is marked on the event like any other."""

    __slots__ = ("_shape",)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def __repr__(self) -> str:
        return f"<array {self._shape} left out>"


def _scored(row: list[float], classes: list[Any]) -> dict[str, Any]:
    if len(classes) != len(row):
        return {"scores": row}
    best = max(range(len(row)), key=row.__getitem__)
    return {
        "label": classes[best],
        # Two classes: the score is that of the positive one, by scikit-learn's convention the second.
        "score": row[1] if len(row) == 2 else row[best],
        "scores": dict(zip(map(category_key, classes), row, strict=True)),
    }


def _decided(answer: Any, classes: list[Any]) -> dict[str, Any]:
    """A margin isn't a score in [0, 1]; it is kept beside the label that it means."""
    if not isinstance(answer, list):
        return {"label": classes[int(answer > 0)], "decision": answer} if len(classes) == 2 else {"value": answer}
    if len(classes) != len(answer):  # one against one
        return {"decision": answer}
    best = max(range(len(answer)), key=answer.__getitem__)
    return {"label": classes[best], "decision": dict(zip(map(category_key, classes), answer, strict=True))}


def _several(method: str, result: Any, classes: list[list[Any]]) -> list[Any]:
    """Probabilities of several outputs: one array for each."""
    parts = [outputs_of(method, part, _Classes(own)) for part, own in zip(result, classes, strict=True)]
    return [
        {
            "labels": [part.get("label") for part in row],
            "scores": {str(k): part.get("scores") for k, part in enumerate(row)},
        }
        for row in zip(*(part[:] for part in parts if not isinstance(part, Frame)), strict=True)
    ]


class _Classes:
    """One output of an estimator that has several."""

    def __init__(self, classes: list[Any]) -> None:
        self.classes_ = classes
