"""scikit-learn: an estimator whose predictions are logged, one event a row.

``predict``, ``predict_proba``, ``predict_log_proba`` and ``decision_function`` are: who calls two of them for the
same rows gets two events a row. What the estimator itself calls inside of ``score`` and the like is not.
"""

from __future__ import annotations

import copy
import functools
import logging
from typing import TYPE_CHECKING, Any, Final

from mllog.errors import SettingError
from mllog.integrations.calls import outcome_of
from mllog.integrations.estimates import outputs_of
from mllog.integrations.loggers import check_logger
from mllog.integrations.matrices import arguments_of, matrix_of, rows_in
from mllog.integrations.pending import Pending, length_of
from mllog.integrations.tables import reason_of
from mllog.notices import once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mllog.logger import ModelLogger

_log: Final = logging.getLogger("mllog")

LOGGED: Final = ("predict", "predict_proba", "predict_log_proba", "decision_function")

_FLUENT: Final = ("fit", "partial_fit")
_SPECIAL: Final = ("__len__", "__getitem__", "__iter__", "__contains__", "__call__")
"""What Python looks up on the type: a pipeline has a length and parts, a forest is iterated."""


def wrap(estimator: Any, log: ModelLogger) -> Any:
    """``estimator`` with every prediction logged.

    Args:
        estimator: Anything with ``predict`` and perhaps ``predict_proba``, by scikit-learn's conventions.
        log: Where predictions go.

    Returns:
        A stand-in that answers exactly as ``estimator`` does, passes everything else on to it and is an instance
        of its class to ``isinstance``. ``.__wrapped__`` is the estimator itself. ``clone``, ``copy`` and what
        ``fit`` returns stay logged; a pickle of it is one of the estimator alone, to be wrapped where it is loaded,
        since a logger belongs to its process.

    Raises:
        SettingError: Where ``estimator`` is none, or ``log`` no logger.
    """
    if isinstance(estimator, type) or not any(hasattr(estimator, name) for name in (*LOGGED, "fit")):
        raise SettingError(f"estimator {estimator!r}: give an object with predict", field="estimator", value=estimator)
    check_logger(log)
    kind: type = type(estimator)
    return _stand_in(kind)(estimator, log)


class Wrapped:
    """Stands in for an estimator."""

    __slots__ = ("_mllog_estimator", "_mllog_log")

    _OWN: Final = frozenset({"_mllog_estimator", "_mllog_log"})

    def __init__(self, estimator: Any, log: ModelLogger) -> None:
        object.__setattr__(self, "_mllog_estimator", estimator)
        object.__setattr__(self, "_mllog_log", log)

    @property
    def __wrapped__(self) -> Any:
        return self._mllog_estimator

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._mllog_estimator)

    @property
    def __dict__(self) -> Any:  # type: ignore[override]  # scikit-learn looks there for what fitting leaves
        return vars(self._mllog_estimator)

    def __getattr__(self, name: str) -> Any:
        if name in Wrapped._OWN:  # half-made
            raise AttributeError(name)
        value = getattr(self._mllog_estimator, name)
        if name in LOGGED:
            return _logged(value, name, self._mllog_estimator, self._mllog_log)
        if name in _FLUENT or (name.startswith("set_") and callable(value)):
            return _fluent(value, self)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._mllog_estimator, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._mllog_estimator, name)

    def __dir__(self) -> list[str]:
        return dir(self._mllog_estimator)

    def __repr__(self) -> str:
        return repr(self._mllog_estimator)

    def __bool__(self) -> bool:
        return bool(self._mllog_estimator)

    def __sklearn_clone__(self) -> Any:
        from sklearn.base import clone  # noqa: PLC0415 - it is scikit-learn that calls this

        return wrap(clone(self._mllog_estimator), self._mllog_log)

    def __copy__(self) -> Any:
        return wrap(copy.copy(self._mllog_estimator), self._mllog_log)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return wrap(copy.deepcopy(self._mllog_estimator, memo), self._mllog_log)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._mllog_estimator.__reduce_ex__(protocol)


@functools.cache
def _stand_in(kind: type) -> type[Wrapped]:
    """The class that stands in for estimators of a kind: :class:`Wrapped` with the special methods that it has."""

    def passing(name: str) -> Callable[..., Any]:
        def special(self: Wrapped, *args: Any, **kwargs: Any) -> Any:
            return getattr(self.__wrapped__, name)(*args, **kwargs)

        return special

    # Messages name the class: they are to name the estimator's.
    special = {name: passing(name) for name in _SPECIAL if hasattr(kind, name)}
    return type(kind.__name__, (Wrapped,), {"__slots__": (), **special})


def _fluent(method: Callable[..., Any], wrapped: Wrapped) -> Callable[..., Any]:
    """``method``, where what it returns is the estimator, the stand-in goes on in its place."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        return wrapped if result is wrapped.__wrapped__ else result

    return call


def _logged(method: Callable[..., Any], name: str, estimator: Any, log: ModelLogger) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        # Estimators may change what they are given (copy=False); what they were given is what counts.
        pending = _pending(method, args, kwargs, estimator, log)
        start = log.now()
        answers: Any = None
        error: BaseException | None = None
        try:
            result = method(*args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        else:
            if pending is not None:
                asked = arguments_of(method, args, kwargs) if isinstance(result, tuple) else {}
                answers = _answers(name, result, estimator, pending.rows, asked)
            return result
        finally:
            if pending is not None:
                # Nobody had an answer before all had theirs: so long each row took.
                latency = (log.now() - start) / 1e9
                _finish(pending, log, answers, latency=latency, time=start, outcome=outcome_of(error), error=error)

    return call


def _pending(
    method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], estimator: Any, log: ModelLogger
) -> Pending | None:
    """The rows of a call; ``None`` of one without any argument, which the estimator itself will refuse."""
    try:
        given, matrix = matrix_of(method, args, kwargs)
        if not given:
            return None
        return Pending(log, rows_in(matrix, estimator, log.feature_names))
    except Exception as problem:  # noqa: BLE001 - never into model code; said, and marked on the events
        once(f"inputs of {type(estimator).__name__} aren't logged, only its outputs: {reason_of(problem)}")
        return Pending(log, None)


def _answers(name: str, result: Any, estimator: Any, rows: int | None, asked: Mapping[str, Any]) -> Any:
    """One output a row, or ``None``: an answer that can't be read must not stop the model."""
    try:
        outputs = outputs_of(name, result, estimator, rows, asked)
        if rows is None or length_of(outputs) == rows:
            return outputs
        problem = f"{length_of(outputs)} answers for {rows} rows"
    except Exception as error:  # noqa: BLE001 - never into model code
        problem = reason_of(error)
    if rows != 0:
        _log.warning("mllog: %s of %s is logged without outputs: %s", name, type(estimator).__name__, problem)
    return None


def _finish(pending: Pending, log: ModelLogger, answers: Any, **known: Any) -> None:
    try:
        pending.finish(answers, **known)
    except Exception as problem:  # noqa: BLE001 - never into model code; counted
        for _ in range(pending.left):
            log.refuse(problem)
