"""Calls as events: a block around a prediction, and one around a pipeline's step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from mllog import context

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from mllog.events import Outcome
    from mllog.facts import FactLogger
    from mllog.logger import ModelLogger


class Request:
    """One prediction while it is being made; ``with`` and ``async with`` are the same.

    What a middleware bound (:mod:`mllog.context`) when the block was entered stands on the event, even where the
    block is left elsewhere, as that of a streaming answer is.

    Attributes:
        output: The model's output, to be set inside of the block; taken, as ``labels`` are, when it is left, so that
            both may be filled bit by bit.
        id: The caller's id.
        trace_id: W3C trace id.
        labels: The caller's own keys.
        user: Who asked.
        event_id: The event's id, once the block is left.
    """

    def __init__(
        self,
        log: ModelLogger,
        inputs: Any = None,
        id: str | None = None,  # noqa: A002 - the contract's name
        trace_id: str | None = None,
        *,
        user: str | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> None:
        self.output: Any = None
        self.id = id
        self.trace_id = trace_id
        self.labels = labels
        self.user = user
        self.event_id: str | None = None
        self._log = log
        self._inputs = inputs
        self._snapshot: Any = None
        self._bound: context.Bound | None = None
        self._start: int | None = None

    @property
    def inputs(self) -> Any:
        """Values by name; a snapshot is taken when the block is entered, and when this is set in it."""
        return self._inputs

    @inputs.setter
    def inputs(self, inputs: Any) -> None:
        self._inputs = inputs
        if self._start is not None:
            self._snapshot = self._log.snapshot(inputs)

    def __enter__(self) -> Self:
        # Models change what they are given; what they were given is what counts.
        self._snapshot = self._log.snapshot(self._inputs)
        self._bound = context.current.get()
        self._start = self._log.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        start = self._start or 0
        token = context.current.set(self._bound)
        try:
            self.event_id = self._log.prediction(
                self._snapshot,
                self.output,
                self.id,
                trace_id=self.trace_id,
                latency=(self._log.now() - start) / 1e9,
                time=start,
                labels=self.labels,
                outcome=outcome_of(error),
                # Whoever closes a stream early has seen enough; that is no error of anybody's.
                error=None if issubclass(type(error), GeneratorExit) else error,
                user=self.user,
            )
        finally:
            context.current.reset(token)

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
    # By its type: what an exception says of its own class is foreign code.
    return "failure" if issubclass(type(error), Exception) else "unknown"
