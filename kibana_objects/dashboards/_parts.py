"""What several dashboards ask for in the same words."""

from __future__ import annotations

from typing import Final

from kibana_objects.model import Control, Measure, Ratio, Terms, Time

WINDOWS: Final = "mllog-windows"
PREDICTIONS: Final = "mllog-predictions"
EVENTS: Final = "mllog-events"
INCIDENTS: Final = "mllog-incidents"
"""As they are now, whatever time is shown."""

OPENED_INCIDENTS: Final = "mllog-incidents-opened"
"""Those that were opened in the time that is shown."""

RUNS: Final = "mllog-runs"

HOURS: Final = "window.seconds : 3600"
"""Windows of an hour; those of a day hold the same events once more."""

FEATURES: Final = f"kind : feature and {HOURS}"
UNSEEN: Final = f"{FEATURES} and unseen.rate : *"
"""Those of features that can have unseen values or words; numbers can't."""
BUCKETS: Final = f"kind : bucket and {HOURS}"
DAYS_BUCKETS: Final = "kind : bucket and window.seconds : 86400"
OPEN: Final = "not incident.state : recovered"
PREDICTED: Final = "event.action : predict"

OPENED: Final = Time("opened", "incident.opened")

BY_MODEL: Final = Terms("model", "ml.model.name", 20)
BY_VERSION: Final = Terms("version", "ml.model.version", 10)
BY_FEATURE: Final = Terms("feature", "feature.name", 10)

_VIEWS: Final = {"ml.model.name": "Model", "ml.model.version": "Version"}


def metric(name: str) -> str:
    """The windows of a metric."""
    return f'kind : metric and metric.name : "{name}" and {HOURS}'


def controls(view: str, *more: tuple[str, str]) -> tuple[Control, ...]:
    """Choices of model and version, and others of (title, field)."""
    common = tuple((title, name) for name, title in _VIEWS.items())
    return tuple(Control(title, view, name) for title, name in (*common, *more))


PREDICTIONS_SUM: Final = Measure("predictions", "sum", "metric.value", metric("predictions"), format="whole")
FAILURE_RATE: Final = Ratio(
    "failures",
    Measure("failed", "sum", "metric.value", metric("failed")),
    Measure("predictions", "sum", "metric.value", metric("predictions")),
)
LATENCY_P95: Final = Measure("p95 latency, worst hour", "max", "metric.value", metric("latency.p95"), format="seconds")
"""The worst hour's: quantiles of hours can't be put together."""

WORST_MISSING: Final = Measure("worst missing rate", "max", "missing.rate", FEATURES, format="percent")
WORST_UNSEEN: Final = Measure("worst unseen rate", "max", "unseen.rate", FEATURES, format="percent")
OPEN_INCIDENTS: Final = Measure("open incidents", where=OPEN, format="whole")
