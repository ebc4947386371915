"""The three lines that a data scientist adds: make a logger, log predictions, close it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from mllog import environment as environments
from mllog import events, values
from mllog.delivery import settings, setup
from mllog.delivery.encoder import Constants
from mllog.delivery.engine import Engine
from mllog.delivery.sinks import FileSink, open_sink
from mllog.delivery.snapshot import snapshot
from mllog.errors import SettingError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from mllog.card import ModelCard
    from mllog.delivery.ledger import Status
    from mllog.delivery.sinks import Sink
    from mllog.environment import Manifest
    from mllog.events import Kind, Outcome, Record
    from mllog.integrations.calls import Request, Step
    from mllog.places import Place

P = ParamSpec("P")
R = TypeVar("R")


class ModelLogger:
    """Writes one event for each prediction (label, KPI, cost, step) of a model.

    Once made it never raises into model code and waits only where it was asked to (``overflow="block"``,
    ``durable="each"``, :meth:`flush`, :meth:`close`). Safe for threads, asyncio and forks.

    Example::

        log = mllog.ModelLogger("flight-delay", version="2026.11.1", card="card.json", sink="events/")
        with log.request(inputs=row) as request:
            request.output = {"label": "late", "score": 0.81}

    Args:
        model: Name of the model.
        version: Its version.
        card: Path of its card, or the card; without one the watchers make theirs from the first day.
        sink: A place (:mod:`mllog.places`): a folder or ``stdout:``; ``MLLOG_SINK``, else ``events/``.
        clock: Nanoseconds since 1970. Event times and durations come from it, so replays set it.
        role: ``champion``, ``shadow`` or ``canary``.
        service: Name of the service, or a mapping of ``name``, ``version`` and ``environment``.
        environment: The manifest to report; that of this process where none is given.
        artifact: File or folder of the model, for its hash.
        namespace: Of the data streams.
        flush_interval: Seconds after which an event is on disk.
        max_bytes: Bound of the queue's memory.
        overflow: What happens at that bound: ``drop_new``, ``drop_old`` or ``block`` (for 5 s at most).
        durable: ``each`` writes every event before the call returns.
        segment_bytes: Size of the spool's files.

    Raises:
        CardError: Where the card is unreadable or another model's.
        PlaceError: Where a logger can't write to ``sink``.
        SettingError: Where another argument is impossible.
    """

    def __init__(
        self,
        model: str,
        *,
        version: str,
        card: ModelCard | str | os.PathLike[str] | None = None,
        sink: str | Place | os.PathLike[str] | Sink | None = None,
        clock: Callable[[], int] = time.time_ns,
        role: str | None = None,
        service: str | Mapping[str, str] | None = None,
        environment: Manifest | None = None,
        artifact: str | os.PathLike[str] | None = None,
        namespace: str | None = None,
        flush_interval: float | None = None,
        max_bytes: int | None = None,
        overflow: str | None = None,
        durable: str | None = None,
        segment_bytes: int | None = None,
    ) -> None:
        if not isinstance(model, str) or not model.strip():
            raise SettingError(f"model {model!r}: write the model's name", field="model", value=model)
        chosen = settings.resolve(
            role=role,
            service=service,
            namespace=namespace,
            flush_interval=flush_interval,
            max_bytes=max_bytes,
            overflow=overflow,
            durable=durable,
            segment_bytes=segment_bytes,
        )
        self.model = model
        self.version = str(version)
        self.card = setup.load_card(card or settings.variable("card"), model)
        self.environment = environment or environments.current()
        self.feature_names = tuple(f.name for f in self.card.ruler.inputs) if self.card else ()
        place = open_sink(
            sink or settings.variable("sink") or settings.DEFAULT_SINK, segment_bytes=chosen.segment_bytes
        )
        constants = Constants(
            model=model,
            version=self.version,
            role=chosen.role,
            artifact_hash=None if artifact is None else setup.artifact_hash(artifact),
            environment=self.environment.fingerprint,
            namespace=chosen.namespace,
            service=chosen.service,
        )
        self._engine = Engine(setup.encoder(constants, self.card), place, clock, self.environment, chosen)
        if self.card is not None and isinstance(place, FileSink):
            setup.leave_card(self.card, Path(place.folder) / "_cards")
        self._engine.start()

    def prediction(
        self,
        inputs: Any,
        output: Any = None,
        id: str | None = None,  # noqa: A002 - the contract's name
        *,
        trace_id: str | None = None,
        latency: float | None = None,
        time: Any = None,
        labels: Mapping[str, Any] | None = None,
        outcome: Outcome = "success",
        error: BaseException | None = None,
        message: str | None = None,
    ) -> str:
        """Log one prediction.

        Args:
            inputs: Values by name, as the model got them. Copied, never changed.
            output: A number, a label, a mapping (``label``, ``score``, ``value``, ``scores``, ``top_k``,
                ``explanation``, others), or ``None``.
            id: The caller's id, by which labels and outcomes are joined.
            trace_id: W3C trace id.
            latency: Seconds.
            time: When it happened, where that isn't now: nanoseconds, a ``datetime`` or ISO 8601 text.
            labels: The caller's own keys.
            outcome: ``success``, ``failure`` or ``unknown``.
            error: The exception that the model raised.
            message: Log message, where a logging framework is the front door.

        Returns:
            The event's id.
        """
        try:
            record = self._prediction(
                inputs,
                output,
                id=id,
                trace_id=trace_id,
                latency=latency,
                time=time,
                labels=labels,
                outcome=outcome,
                error=error,
                message=message,
            )
        except Exception as problem:  # noqa: BLE001 - never into model code; counted
            return self._engine.refuse(problem)
        return self._engine.accept(record)

    def render(self, inputs: Any, output: Any = None, **options: Any) -> bytes:
        """The line of an event, for somebody else to deliver: formatters and processors.

        Takes what :meth:`prediction` takes. The event is numbered and counted as written.
        """
        try:
            record = self._prediction(inputs, output, **options)
            return self._engine.render(record)
        except Exception as problem:  # noqa: BLE001 - never into model code; counted
            self._engine.refuse(problem)
            return b"{}\n"

    def request(
        self,
        inputs: Any = None,
        id: str | None = None,  # noqa: A002 - the contract's name
        trace_id: str | None = None,
    ) -> Request:
        """A block around one prediction: captures latency, outcome and exception; set its ``.output``."""
        from mllog.integrations.calls import Request  # noqa: PLC0415 - a cycle

        return Request(self, inputs, id, trace_id)

    def monitor(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, plain or async: its arguments are the inputs, its result the output."""
        from mllog.integrations.calls import monitor  # noqa: PLC0415 - a cycle

        return monitor(self, function)

    def batch(
        self,
        frame: Any,
        outputs: Any = None,
        time: str | None = None,
        id: str | None = None,  # noqa: A002 - as in prediction()
    ) -> list[str]:
        """Log one prediction for each row of a frame (pandas, polars, pyarrow, or a mapping of columns).

        Args:
            frame: The inputs.
            outputs: One output a row: a sequence, an array, a column, or a frame of ``label``, ``score``, …
            time: Name of a column of event times; it is no input.
            id: Name of a column of the caller's ids; it is no input.

        Returns:
            The events' ids.
        """
        from mllog.integrations.batch import rows  # noqa: PLC0415 - rarely needed

        try:
            return [
                self.prediction(row.inputs, row.output, row.id, time=row.time)
                for row in rows(frame, outputs, time=time, id_=id)
            ]
        except Exception as problem:  # noqa: BLE001 - never into model code; counted
            self.refuse(problem)
            return []

    def label(self, prediction_id: str, value: Any, at: Any = None, annotator: str | None = None) -> str:
        """Log what was true of a prediction, when that is known.

        Args:
            prediction_id: The ``id`` that the prediction was logged with.
            value: The true class or value.
            at: When it became known, where that isn't now.
            annotator: Who says so.

        Returns:
            The event's id.
        """
        return self._log(
            "label",
            "label",
            lambda: events.label_body(value, annotator),
            at=at,
            prediction_id=prediction_id,
        )

    def kpi(
        self,
        name: str,
        value: float,
        prediction_id: str | None = None,
        unit: str | None = None,
        at: Any = None,
    ) -> str:
        """Log a figure of the business (revenue, clicks), of one prediction or of all."""
        return self._log(
            "metric",
            "kpi",
            lambda: events.metric_body(name, value, unit),
            at=at,
            prediction_id=prediction_id,
        )

    def cost(
        self,
        name: str,
        value: float,
        prediction_id: str | None = None,
        unit: str | None = None,
        at: Any = None,
    ) -> str:
        """Log what something cost (tokens, GPU seconds, money)."""
        return self._log(
            "metric",
            "cost",
            lambda: events.metric_body(name, value, unit),
            at=at,
            prediction_id=prediction_id,
        )

    def step(
        self,
        name: str,
        rows_in: int | None = None,
        rows_out: int | None = None,
        *,
        duration: float | None = None,
        outcome: Outcome = "success",
        at: Any = None,
    ) -> str:
        """Log that a step of a pipeline ran, in ``duration`` seconds; :meth:`timed` does it for a block."""
        return self._log(
            "pipeline",
            "step",
            lambda: events.step_body(name, rows_in, rows_out),
            at=at,
            duration=duration,
            outcome=outcome,
        )

    def timed(self, name: str, rows_in: int | None = None) -> Step:
        """A block around a step of a pipeline; ``.rows_out`` is to be set."""
        from mllog.integrations.calls import Step  # noqa: PLC0415 - a cycle

        return Step(self, name, rows_in)

    def flush(self, timeout: float | None = None) -> bool:
        """Write everything that was accepted so far; whether that worked within ``timeout`` seconds."""
        return self._engine.flush(timeout)

    def close(self, timeout: float | None = 10.0) -> bool:
        """Flush and finish; also done at exit and on SIGTERM. Later events are written one by one."""
        return self._engine.close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def status(self) -> Status:
        """What became of the events of this process so far."""
        return self._engine.status()

    def snapshot(self, inputs: Any) -> Any:
        """Inputs as they are now, for a front door that logs them later; ``None`` where that fails."""
        try:
            return None if inputs is None else snapshot(inputs, self.feature_names)
        except Exception as problem:  # noqa: BLE001 - never into model code; counted
            self._engine.refuse(problem)
            return None

    def refuse(self, problem: Exception) -> None:
        """Count an event that a front door could not make."""
        self._engine.refuse(problem)

    def now(self) -> int:
        """Nanoseconds since 1970 by this logger's clock."""
        return self._engine.clock()

    def _prediction(
        self,
        inputs: Any,
        output: Any,
        *,
        id: Any = None,  # noqa: A002 - the contract's name
        trace_id: Any = None,
        latency: Any = None,
        time: Any = None,
        labels: Mapping[str, Any] | None = None,
        outcome: Outcome = "success",
        error: BaseException | None = None,
        message: str | None = None,
    ) -> Record:
        record = self._engine.record("prediction", "predict", time)
        if inputs is not None:
            record.take(snapshot(inputs, self.feature_names))
        record.give(output)
        if latency is not None:
            record.duration = self._engine.nanoseconds(latency)
        record.outcome = outcome if outcome in events.OUTCOMES else "unknown"
        if id is not None:
            record.prediction_id = id if type(id) is str else values.name_of(id)
        if trace_id is not None:
            record.trace_id = values.name_of(trace_id)
        if labels:
            record.labels = events.bounded_labels(labels)
        if error is not None:
            record.error = events.error_fields(error)
        if message is not None:
            record.message = values.typed(message)
        return record

    def _log(
        self,
        kind: Kind,
        action: str,
        body: Callable[[], dict[str, Any]],
        *,
        at: Any,
        prediction_id: Any = None,
        duration: float | None = None,
        outcome: Outcome = "success",
    ) -> str:
        try:
            record = self._engine.record(kind, action, at)
            record.body = body()
            record.outcome = outcome if outcome in events.OUTCOMES else "unknown"
            if prediction_id is not None:
                record.prediction_id = values.name_of(prediction_id)
            if duration is not None:
                record.duration = self._engine.nanoseconds(duration)
        except Exception as problem:  # noqa: BLE001 - never into model code; counted
            return self._engine.refuse(problem)
        return self._engine.accept(record)
