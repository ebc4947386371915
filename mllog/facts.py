"""What is logged beside predictions: labels, outcomes, figures, steps, and the later parts of a prediction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mllog import context, events, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mllog.delivery.engine import Engine
    from mllog.events import Kind, Outcome, Record
    from mllog.integrations.calls import Step
    from mllog.sampling import Sampler


class FactLogger:
    """The methods of a logger whose events aren't whole predictions. None of them raises.

    Parts of one prediction may come in any order and at any time: they meet under its id.
    """

    feature_names: tuple[str, ...]
    _engine: Engine
    _sampler: Sampler | None

    def output(self, prediction_id: str, output: Any, at: Any = None) -> str:
        """Log the output of a prediction whose inputs were logged before (or will be).

        Args:
            prediction_id: The ``id`` that the inputs are logged with.
            output: As for :meth:`mllog.ModelLogger.prediction`.
            at: When, where that isn't now.

        Returns:
            The event's id.
        """
        names = self.feature_names
        return self._log(
            "prediction", "output", lambda record: record.give(output, names), at=at, prediction_id=prediction_id
        )

    def failure(
        self,
        prediction_id: str,
        error: BaseException | None = None,
        *,
        duration: float | None = None,
        at: Any = None,
    ) -> str:
        """Log that a prediction which was logged before came to nothing: its answer failed, say.

        An output without any: profiles count predictions, and this is none. Nothing is known here of what went in, so
        where a policy keeps something back nobody could find it in the exception's text, and only its type is told.

        Args:
            prediction_id: The ``id`` that the prediction is logged with.
            error: What was raised.
            duration: Seconds from ``at`` until then.
            at: When it began, where that isn't now.

        Returns:
            The event's id.
        """

        def fill(record: Record) -> None:
            if error is not None:
                told.add_error(record, error)
                if record.error is not None and self._engine.guarded:
                    record.error = {"type": record.error["type"]}

        return self._log(
            "prediction", "output", fill, at=at, prediction_id=prediction_id, duration=duration, outcome="failure"
        )

    def explanation(
        self, prediction_id: str, attributions: Mapping[str, float] | Sequence[float] | Any, at: Any = None
    ) -> str:
        """Log what each feature contributed to a prediction; the ten greatest are kept.

        Args:
            prediction_id: The ``id`` that the prediction is logged with.
            attributions: Contribution by feature name (SHAP values, say): a mapping, a Series, or a vector in the
                card's order of features. What is no finite number is left out, which ``@explanation`` in
                ``ml.replaced`` says.
            at: When, where that isn't now.

        Returns:
            The event's id.
        """
        names = self.feature_names
        return self._log(
            "prediction",
            "explain",
            lambda record: told.add_explanation(record, attributions, names),
            at=at,
            prediction_id=prediction_id,
        )

    def outcome(self, prediction_id: str, value: Any, at: Any = None) -> str:
        """Log what came of a prediction for the business (``"churned"``, the euros earned), when that is known.

        Args:
            prediction_id: The ``id`` that the prediction was logged with.
            value: A class or a number.
            at: When it became known, where that isn't now.

        Returns:
            The event's id.
        """
        return self._log(
            "label",
            "outcome",
            lambda record: told.add_business_outcome(record, value),
            at=at,
            prediction_id=prediction_id,
        )

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
            lambda record: told.add_label(record, value, annotator),
            at=at,
            prediction_id=prediction_id,
        )

    def kpi(
        self, name: str, value: float, prediction_id: str | None = None, unit: str | None = None, at: Any = None
    ) -> str:
        """Log a figure of the business (revenue, clicks), of one prediction or of all."""
        return self._log(
            "metric",
            "kpi",
            lambda record: told.add_metric(record, name, value, unit),
            at=at,
            prediction_id=prediction_id,
        )

    def cost(
        self, name: str, value: float, prediction_id: str | None = None, unit: str | None = None, at: Any = None
    ) -> str:
        """Log what something cost (tokens, GPU seconds, money)."""
        return self._log(
            "metric",
            "cost",
            lambda record: told.add_metric(record, name, value, unit),
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
            lambda record: told.add_step(record, name, rows_in, rows_out),
            at=at,
            duration=duration,
            outcome=outcome,
        )

    def timed(self, name: str, rows_in: int | None = None) -> Step:
        """A block around a step of a pipeline; ``.rows_out`` is to be set."""
        from mllog.integrations.calls import Step  # noqa: PLC0415 - rarely needed

        return Step(self, name, rows_in)

    def now(self) -> int:
        """Nanoseconds since 1970 by this logger's clock; by the system's where that one fails."""
        try:
            return int(self._engine.clock())
        except Exception:  # noqa: BLE001 - never into model code; the event that is about to be logged counts it
            return time.time_ns()

    def _log(
        self,
        kind: Kind,
        action: str,
        fill: Callable[[Record], None],
        *,
        at: Any,
        prediction_id: Any = None,
        duration: Any = None,
        outcome: Any = "success",
    ) -> str:
        try:
            record = self._engine.record(kind, action, at)
            bound = context.current.get()
            if bound is not None:
                bound.attach(record)
            fill(record)
            if type(outcome) is not str or outcome != "success":
                told.add_outcome(record, outcome)
            record.prediction_id = events.prediction_key(prediction_id)
            if duration is not None:
                record.duration = self._engine.nanoseconds(duration)
                if record.duration is None:
                    record.mark_replaced("@duration")
        except Exception as problem:  # noqa: BLE001 - never into model code; counted
            return self._engine.refuse(problem)
        if self._sampler is not None and not self._sampler.keep(record):
            self._engine.sample_out()
            return record.id
        return self._engine.accept(record)
