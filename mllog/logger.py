"""The three lines that a data scientist adds: make a logger, log predictions, close it."""

from __future__ import annotations

import dataclasses
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from mllog import context, events, told, values
from mllog import environment as environments
from mllog.delivery import settings, setup
from mllog.delivery.encoder import Constants
from mllog.delivery.engine import Engine
from mllog.delivery.sinks import FileSink, open_sink
from mllog.delivery.snapshot import hold, snapshot
from mllog.facts import FactLogger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mllog.card import ModelCard
    from mllog.delivery.ledger import Status
    from mllog.delivery.sinks import Sink
    from mllog.environment import Manifest
    from mllog.events import Outcome, Record
    from mllog.integrations.batch import Whole
    from mllog.integrations.calls import Request
    from mllog.places import Place
    from mllog.sampling import Sampling

P = ParamSpec("P")
R = TypeVar("R")


class ModelLogger(FactLogger):
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
        sink: A place (:mod:`mllog.places`): a folder, ``stdout:``, or Logstash or Elasticsearch, to which a thread
            of its own forwards what is first written to ``spool``; ``MLLOG_SINK``, else ``events/``.
        clock: Nanoseconds since 1970. Event times and durations come from it, so replays set it.
        role: ``champion``, ``shadow`` or ``canary``.
        service: Name of the service, or a mapping of ``name``, ``version`` and ``environment``.
        environment: The manifest to report; that of this process where none is given.
        artifact: File or folder of the model, for its hash.
        namespace: Of the data streams.
        flush_interval: Seconds after which an event is on disk.
        max_bytes: Bound of the queue's memory.
        overflow: What happens at that bound: ``drop_new``, ``drop_old`` or ``block`` (for 5 s at most).
        durable: ``each`` writes every event before the call returns, while there is room for it.
        segment_bytes: Size of the spool's files.
        spool: Folder of what isn't delivered yet, where the sink is a server.
        spool_bytes: Its bound; what comes when it is full is dropped by the rule ``overflow`` and counted.
        sampling: Share of the predictions to keep, or a :class:`mllog.Sampling`; all of them by default.
        resources: Seconds between two looks at CPU, memory and GPU of this process (60; one sampler a process,
            :mod:`mllog.environment.resources`); 0: never, which is also the default with another clock.
        salt: Secret by which values are hashed where the card's policy says so; ``MLLOG_SALT``.

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
        spool: str | os.PathLike[str] | None = None,
        spool_bytes: int | None = None,
        sampling: float | Sampling | None = None,
        resources: float | None = None,
        salt: str | bytes | None = None,
    ) -> None:
        settings.check_clock(clock)
        setup.check(model=model, version=version, artifact=artifact, card=card, environment=environment, salt=salt)
        chosen = settings.resolve(
            role=role,
            service=service,
            namespace=namespace,
            flush_interval=flush_interval,
            max_bytes=max_bytes,
            overflow=overflow,
            durable=durable,
            segment_bytes=segment_bytes,
            spool=spool,
            spool_bytes=spool_bytes,
            resources=resources,
        )
        if clock is not time.time_ns and resources is None:
            # A replay's clock says nothing of when the process used what.
            chosen = dataclasses.replace(chosen, resources=0.0)
        self.model = model
        self.version = str(version)
        self.card = setup.load_card(card or settings.variable("card"), model)
        self.environment = environment or environments.current()
        self.feature_names = tuple(f.name for f in self.card.ruler.inputs) if self.card else ()
        place = open_sink(
            sink or settings.variable("sink") or settings.DEFAULT_SINK,
            segment_bytes=chosen.segment_bytes,
            spool=chosen.spool,
            spool_bytes=chosen.spool_bytes,
            durable=chosen.durable,
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
        self._sampler = setup.sampler(sampling, self.card)
        self._engine = Engine(setup.encoder(constants, self.card, salt), place, clock, self.environment, chosen)
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
        outcome: Outcome | None = None,
        error: BaseException | None = None,
        message: str | None = None,
        user: str | None = None,
    ) -> str:
        """Log one prediction.

        Args:
            inputs: Values by name, as the model got them. Copied, never changed.
            output: A number, a label, a mapping (``label``, ``score``, ``value``, ``scores``, ``top_k``,
                ``explanation``, others), or ``None``.
            id: The caller's id, by which labels and outcomes are joined. A blank one is none; one of more than 256
                characters is cut and ends in a hash of all of it, here and wherever it is said again.
            trace_id: W3C trace id.
            latency: Seconds.
            time: When it happened, where that isn't now: nanoseconds, a ``datetime`` or ISO 8601 text.
            labels: The caller's own keys.
            outcome: ``success``, ``failure`` or ``unknown``; by default ``failure`` where there is an error, else
                ``success``.
            error: The exception that the model raised.
            message: Log message, where a logging framework is the front door.
            user: Who asked.

        Returns:
            The event's id.
        """
        try:
            # By position: arguments passed by name cost the caller a quarter of the whole.
            record = self._prediction(
                inputs, output, id, trace_id, latency, time, labels, outcome, error, message, user
            )
        except Exception as problem:  # noqa: BLE001 - never into model code; counted
            return self._engine.refuse(problem)
        if self._sampler is not None and not self._sampler.keep(record):
            self._engine.sample_out()
            return record.id
        return self._engine.accept(record)

    def hand_over(self, inputs: Any, output: Any, id: Any, message: Any) -> None:  # noqa: A002 - as in prediction()
        """:meth:`prediction` for front doors with nothing else to say: four arguments, by position."""
        try:
            record = self._prediction(inputs, output, id, None, None, None, None, "success", None, message)
        except Exception as problem:  # noqa: BLE001 - never into model code; counted
            self._engine.refuse(problem)
            return
        if self._sampler is not None and not self._sampler.keep(record):
            self._engine.sample_out()
            return
        self._engine.accept(record)

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
        *,
        user: str | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> Request:
        """A block around one prediction: captures latency, outcome and exception; set its ``.output``.

        Inputs are taken as they are when the block is entered, output and labels as they are when it is left.
        """
        from mllog.integrations.calls import Request  # noqa: PLC0415 - a cycle

        return Request(self, inputs, id, trace_id, user=user, labels=labels)

    @overload
    def monitor(self, function: Callable[P, R]) -> Callable[P, R]: ...

    @overload
    def monitor(
        self,
        function: None = None,
        *,
        inputs: str | Callable[..., Any] | None = None,
        id: str | Callable[..., Any] | None = None,
        user: str | Callable[..., Any] | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def monitor(
        self,
        function: Callable[..., Any] | None = None,
        *,
        inputs: str | Callable[..., Any] | None = None,
        id: str | Callable[..., Any] | None = None,  # noqa: A002 - as in prediction()
        user: str | Callable[..., Any] | None = None,
    ) -> Any:
        """Decorate a function, plain, async or a generator of either kind; also ``@log.monitor(id="request_id")``.

        The result is the output; of a generator, all that it gave until it was over, within bounds. The only
        argument that has named values (a dict, a pydantic model, a dataclass) holds the inputs; else they are the
        arguments by name, ``self`` aside, with the defaults of those that weren't passed.

        Args:
            function: What to decorate.
            inputs: Name of the argument that holds the inputs, or a function of the call's arguments.
            id: The same for the caller's id; an argument that is named so is no input.
            user: The same for who asked.

        Raises:
            SettingError: Where the function has no argument of that name.
        """
        from mllog.integrations.monitor import monitor  # noqa: PLC0415 - a cycle

        if function is None:
            return lambda function: monitor(self, function, inputs=inputs, id_=id, user=user)
        return monitor(self, function, inputs=inputs, id_=id, user=user)

    def batch(
        self,
        frame: Any,
        outputs: Any = None,
        time: str | None = None,
        id: str | None = None,  # noqa: A002 - as in prediction()
    ) -> list[str]:
        """Log one prediction for each row of a frame (pandas, polars, pyarrow, or a mapping of columns).

        Each event says what :meth:`prediction` would say of the row; the caller pays for a copy of the columns. A frame
        is taken in slices of about a thousand rows. Where the queue has no room for one, its rows are dropped by the
        rule ``overflow`` and counted, so a frame that is larger than ``max_bytes`` wants ``overflow="block"``.

        Args:
            frame: The inputs. Rows given as a sequence of mappings may lack keys, which are then absent.
            outputs: One output a row: a sequence, an array, a column, or a frame of ``label``, ``score``, …
            time: Name of a column of event times; it is no input.
            id: Name of a column of the caller's ids; it is no input.

        Returns:
            The events' ids, in the rows' order.
        """
        from mllog.integrations.batch import log_frame  # noqa: PLC0415 - rarely needed

        try:
            return log_frame(self, frame, outputs, time=time, id_=id, whole=self.whole())
        except Exception as problem:  # noqa: BLE001 - never into model code; counted
            self.refuse(problem)
            return []

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

    def whole(self) -> Whole | None:
        """What takes many rows at once, for front doors; ``None`` where a draw decides on each prediction."""
        from mllog.integrations.batch import Whole  # noqa: PLC0415 - rarely needed

        if self._sampler is not None:
            return None
        return Whole(self._engine, partial(self._prediction, {}, None, rows=True), self.feature_names)

    def refuse(self, problem: Exception) -> None:
        """Count an event that a front door could not make."""
        self._engine.refuse(problem)

    def _prediction(
        self,
        inputs: Any,
        output: Any,
        id: Any = None,  # noqa: A002 - the contract's name
        trace_id: Any = None,
        latency: Any = None,
        time: Any = None,
        labels: Mapping[str, Any] | None = None,
        outcome: Any = None,
        error: BaseException | None = None,
        message: str | None = None,
        user: Any = None,
        *,
        rows: bool = False,
    ) -> Record:
        record = self._engine.record("prediction", "predict", time)
        bound = context.current.get()
        if bound is not None:
            bound.attach(record)
        hold(inputs, self.feature_names, record)
        if output is not None:
            record.give(output, self.feature_names)
        if latency is not None:
            record.duration = self._engine.nanoseconds(latency)
            if record.duration is None:
                record.mark_replaced("@latency")
        outcome = ("success" if error is None else "failure") if outcome is None else outcome
        if type(outcome) is not str or outcome != "success":
            told.add_outcome(record, outcome)
        if id is not None:
            # Looked at right here: an ordinary id shouldn't cost two calls.
            usable = type(id) is str and 0 < len(id) <= values.NAME_LIMIT and not id.isspace()
            record.prediction_id = id if usable else events.prediction_key(id)
        if trace_id is not None:
            record.trace_id = events.prediction_key(trace_id)
        if labels is not None:
            told.add_labels(record, labels)
        if error is not None:
            told.add_error(record, error)
        if message is not None:
            if type(message) is str and len(message) <= values.TEXT_LIMIT:
                record.message = message
            else:
                told.add_message(record, message)
        if user is not None:
            record.user = events.prediction_key(user) or record.user
        if bound is not None:
            # The rows of a frame have ids of their own.
            key = None if rows else record.prediction_id or record.id
            bound.predicted(self, key, failed=record.outcome == "failure" or record.error is not None)
        return record
