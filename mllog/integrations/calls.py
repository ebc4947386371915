"""Calls as events: a block around a prediction or a pipeline's step, and a decorator for functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from mllog.events import Outcome
    from mllog.facts import FactLogger
    from mllog.logger import ModelLogger

P = ParamSpec("P")
R = TypeVar("R")


class Request:
    """One prediction while it is being made; ``with`` and ``async with`` are the same.

    Attributes:
        output: The model's output, to be set inside of the block.
        inputs: Values by name; a snapshot is taken when the block is entered, and when this is set later.
        id: The caller's id.
        trace_id: W3C trace id.
        labels: The caller's own keys.
        event_id: The event's id, once the block is left.
    """

    def __init__(
        self,
        log: ModelLogger,
        inputs: Any = None,
        id: str | None = None,  # noqa: A002 - the contract's name
        trace_id: str | None = None,
    ) -> None:
        self.inputs = inputs
        self.output: Any = None
        self.id = id
        self.trace_id = trace_id
        self.labels: Mapping[str, Any] | None = None
        self.event_id: str | None = None
        self._log = log
        self._start = 0

    def __enter__(self) -> Self:
        # Models change what they are given; what they were given is what counts.
        self.inputs = self._log.snapshot(self.inputs)
        self._start = self._log.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.event_id = self._log.prediction(
            self.inputs,
            self.output,
            self.id,
            trace_id=self.trace_id,
            latency=(self._log.now() - self._start) / 1e9,
            time=self._start,
            labels=self.labels,
            outcome=outcome_of(error),
            error=error,
        )

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class Step:
    """One step of a pipeline while it runs.

    Attributes:
        rows_in: Rows that went in.
        rows_out: Rows that came out, to be set inside of the block.
    """

    def __init__(self, log: FactLogger, name: str, rows_in: int | None) -> None:
        self.rows_in = rows_in
        self.rows_out: int | None = None
        self._log = log
        self._name = name
        self._start = 0

    def __enter__(self) -> Self:
        self._start = self._log.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.step(
            self._name,
            self.rows_in,
            self.rows_out,
            duration=(self._log.now() - self._start) / 1e9,
            outcome=outcome_of(error),
            at=self._start,
        )


def outcome_of(error: BaseException | None) -> Outcome:
    """An exception is a failure; what only ends a task or a process says nothing of the model."""
    if error is None:
        return "success"
    return "failure" if isinstance(error, Exception) else "unknown"


def monitor(log: ModelLogger, function: Callable[P, R]) -> Callable[P, R]:
    """``function`` with an event for each call.

    A single mapping among the arguments is taken as the inputs themselves, else they are the arguments by
    name (``self`` aside).
    """
    signature = inspect.signature(function)

    def inputs_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            bound = dict(signature.bind(*args, **kwargs).arguments)
        except TypeError:  # the call itself is about to say so
            return None
        first = next(iter(bound), None)
        if first in {"self", "cls"}:
            del bound[first]
        if len(bound) == 1:
            (only,) = bound.values()
            if isinstance(only, Mapping) or hasattr(type(only), "model_dump") or hasattr(type(only), "keys"):
                return only
        return bound

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
            with Request(log, inputs_of(args, kwargs)) as request:
                request.output = await function(*args, **kwargs)
            return request.output

        return cast("Callable[P, R]", awaited)

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with Request(log, inputs_of(args, kwargs)) as request:
            result = request.output = function(*args, **kwargs)
        return result

    return called
