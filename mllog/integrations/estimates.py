"""What goes into an estimator as rows, and what comes out of it as outputs, by scikit-learn's conventions.

https://scikit-learn.org/stable/glossary.html#methods says what each method returns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mllog.integrations.batch import columns_of


def rows_of(matrix: Any, estimator: Any, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Rows by feature name: of a frame, a list of mappings, an array, a sparse matrix, or a list of texts.

    Args:
        matrix: What the estimator is asked about.
        estimator: Knows the names that it was fitted with, where it was fitted with a frame.
        names: Those that the card knows.
    """
    if isinstance(matrix, list | tuple) and matrix and all(isinstance(row, Mapping) for row in matrix):
        yield from matrix
        return
    if hasattr(type(matrix), "tocsr"):  # one row at a time: all of it may not fit as a dense one
        sparse = matrix.tocsr()
        width = sparse.shape[1]
        chosen = _names(estimator, names, width)
        for k in range(sparse.shape[0]):
            yield dict(zip(chosen, sparse[k : k + 1].toarray().ravel().tolist(), strict=True))
        return
    try:
        columns = columns_of(matrix)
    except ValueError:
        plain = plain_list(matrix)
        several = bool(plain) and all(isinstance(row, list | tuple) or hasattr(type(row), "tolist") for row in plain)
        rows = [plain_list(row) for row in plain] if several else [[value] for value in plain]
        chosen = _names(estimator, names, len(rows[0]) if rows else 0)
        for row in rows:
            yield dict(zip(chosen, row, strict=True))
        return
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _names(estimator: Any, names: Sequence[str], width: int) -> list[str]:
    fitted = getattr(estimator, "feature_names_in_", None)
    if fitted is not None and len(fitted) == width:
        return [str(name) for name in fitted]
    return list(names) if len(names) == width else [f"x{k}" for k in range(width)]


def outputs_of(method: str, result: Any, estimator: Any) -> list[Any]:
    """One output a row.

    Args:
        method: ``predict``, ``predict_proba``, ``predict_log_proba`` or ``decision_function``.
        result: What it returned.
        estimator: Knows the classes, where it is a classifier.
    """
    classes = _classes(estimator)
    if classes and not isinstance(classes[0], str | int | float | bool):
        # Several outputs, each with classes of its own.
        if method == "predict":
            return [{"labels": answer} for answer in plain_list(result)]
        return _several(method, result, [plain_list(own) for own in classes])
    if method == "predict":
        return _predicted(result, classed=bool(classes))
    if method == "decision_function":
        return [_decided(answer, classes) for answer in plain_list(result)]
    shares = [[math.exp(x) for x in row] if method == "predict_log_proba" else row for row in plain_list(result)]
    return [_scored(row, classes) for row in shares]


def _classes(estimator: Any) -> list[Any]:
    try:
        return plain_list(getattr(estimator, "classes_", None))
    except Exception:  # noqa: BLE001 - a property of somebody's may raise anything
        return []


def _predicted(result: Any, *, classed: bool) -> list[Any]:
    # Clusters and outliers have no classes_, but whole numbers that name something.
    kind = getattr(getattr(result, "dtype", None), "kind", "f")
    name = "label" if classed or kind in "biuOSU" else "value"
    return [{f"{name}s" if isinstance(answer, list) else name: answer} for answer in plain_list(result)]


def _scored(row: list[float], classes: list[Any]) -> dict[str, Any]:
    if len(classes) != len(row):
        return {"scores": row}
    best = max(range(len(row)), key=row.__getitem__)
    return {
        "label": classes[best],
        # Two classes: the score is that of the positive one, by scikit-learn's convention the second.
        "score": row[1] if len(row) == 2 else row[best],
        "scores": {str(name): share for name, share in zip(classes, row, strict=True)},
    }


def _decided(answer: Any, classes: list[Any]) -> dict[str, Any]:
    """A margin isn't a score in [0, 1]; it is kept beside the label that it means."""
    if not isinstance(answer, list):
        return {"label": classes[int(answer > 0)], "decision": answer} if len(classes) == 2 else {"value": answer}
    if len(classes) != len(answer):  # one against one
        return {"decision": answer}
    best = max(range(len(answer)), key=answer.__getitem__)
    return {"label": classes[best], "decision": dict(zip(map(str, classes), answer, strict=True))}


def _several(method: str, result: Any, classes: list[list[Any]]) -> list[Any]:
    """Probabilities of several outputs: one array for each."""
    parts = [outputs_of(method, part, _Classes(own)) for part, own in zip(result, classes, strict=True)]
    return [
        {
            "labels": [part.get("label") for part in row],
            "scores": {str(k): part.get("scores") for k, part in enumerate(row)},
        }
        for row in zip(*parts, strict=True)
    ]


class _Classes:
    """One output of an estimator that has several."""

    def __init__(self, classes: list[Any]) -> None:
        self.classes_ = classes


def plain_list(values: Any) -> list[Any]:
    """An array, a series or any sequence as a list of Python's own values."""
    if values is None:
        return []
    if hasattr(type(values), "toarray"):
        values = values.toarray()
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(type(values), method):
            plain: list[Any] = getattr(values, method)()
            return plain
    return list(values)
