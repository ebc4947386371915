"""scikit-learn: an estimator whose ``predict`` and ``predict_proba`` are logged, one event a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mllog.integrations.batch import columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllog.logger import ModelLogger


def wrap(estimator: Any, log: ModelLogger) -> Any:
    """``estimator`` with every prediction logged.

    Args:
        estimator: Anything with ``predict`` and perhaps ``predict_proba``, by scikit-learn's conventions.
        log: Where predictions go.

    Returns:
        A stand-in that answers exactly as ``estimator`` does, and passes everything else on to it.
    """
    return Wrapped(estimator, log)


class Wrapped:
    """Stands in for an estimator."""

    __slots__ = ("_mllog_estimator", "_mllog_log")

    _OWN: Final = frozenset({"_mllog_estimator", "_mllog_log"})

    def __init__(self, estimator: Any, log: ModelLogger) -> None:
        object.__setattr__(self, "_mllog_estimator", estimator)
        object.__setattr__(self, "_mllog_log", log)

    def predict(self, X: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """What the estimator predicts."""
        return self._call("predict", X, args, kwargs)

    def predict_proba(self, X: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """The estimator's probabilities of each class."""
        return self._call("predict_proba", X, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in Wrapped._OWN:  # half-made, while it is being unpickled
            raise AttributeError(name)
        return getattr(self._mllog_estimator, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._mllog_estimator, name, value)

    def __repr__(self) -> str:
        return repr(self._mllog_estimator)

    def _call(self, method: str, X: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: N803
        estimator, log = self._mllog_estimator, self._mllog_log
        start = log.now()
        inputs = _guarded(log, lambda: [log.snapshot(row) for row in _rows(X, estimator, log)])
        error: BaseException | None = None
        outputs: Sequence[Any] | None = None
        try:
            result = getattr(estimator, method)(X, *args, **kwargs)
            outputs = _guarded(log, lambda: _outputs(method, result, estimator))
        except BaseException as raised:
            error = raised
            raise
        finally:
            latency = (log.now() - start) / 1e9
            for k, row in enumerate(inputs or ()):
                log.prediction(
                    row,
                    outputs[k] if outputs is not None and k < len(outputs) else None,
                    latency=latency,
                    time=start,
                    outcome="success" if error is None else "failure",
                    error=error,
                )
        return result


def _guarded(log: ModelLogger, make: Any) -> Any:
    """What ``make`` makes, or ``None``: a matrix that can't be read must not stop the model."""
    try:
        return make()
    except Exception as problem:  # noqa: BLE001 - never into model code; counted
        log.refuse(problem)
        return None


def _rows(matrix: Any, estimator: Any, log: ModelLogger) -> list[dict[str, Any]]:
    try:
        columns = columns_of(matrix)
    except ValueError:
        plain = matrix.toarray().tolist() if hasattr(type(matrix), "toarray") else _list(matrix)
        width = len(plain[0]) if plain else 0
        names = _names(estimator, log, width)
        return [dict(zip(names, row, strict=True)) for row in plain]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _names(estimator: Any, log: ModelLogger, width: int) -> list[str]:
    fitted = getattr(estimator, "feature_names_in_", None)
    if fitted is not None and len(fitted) == width:
        return [str(name) for name in fitted]
    if len(log.feature_names) == width:
        return list(log.feature_names)
    return [f"x{k}" for k in range(width)]


def _outputs(method: str, result: Any, estimator: Any) -> list[Any]:
    classes = _list(getattr(estimator, "classes_", ()))
    answers = _list(result)
    if method == "predict":
        return [{"label": answer} if classes else {"value": answer} for answer in answers]
    outputs = []
    for row in answers:
        best = max(range(len(row)), key=row.__getitem__)
        # Two classes: the score is that of the positive one, by scikit-learn's convention the second.
        score = row[1] if len(row) == 2 else row[best]
        outputs.append(
            {
                "label": classes[best],
                "score": score,
                "scores": {str(name): share for name, share in zip(classes, row, strict=True)},
            }
        )
    return outputs


def _list(values: Any) -> list[Any]:
    return values.tolist() if hasattr(type(values), "tolist") else list(values)
