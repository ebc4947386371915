"""Operations: rate, errors, duration, and what the process used."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Dashboard, Documents, Figure, Measure, Ratio, Row, Table, Terms

_FAILED = Ratio("failures", Measure("failed", where="event.outcome : failure"), Measure("all"))

dashboard: Final = Dashboard(
    id="mllog-operations",
    title="[mllog] Operations",
    story="Slow, failing or silent: rate, errors and latency of each model, and which host or which error it is.",
    place=7,
    span="now-24h",
    controls=parts.controls(parts.PREDICTIONS, ("Service", "service.name"), ("Host", "host.name")),
    rows=(
        Row(
            5,
            (
                Figure(
                    title="Predictions",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=Measure("predictions", format="whole"),
                    width=12,
                ),
                Figure(
                    title="Failures",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=_FAILED,
                    steps=((0, "good"), (0.01, "warning"), (0.05, "bad")),
                    width=12,
                    drill=("documents",),
                ),
                Figure(
                    title="p95 latency",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measure=Measure("p95", "percentile", "event.duration", format="nanoseconds"),
                    width=12,
                ),
                Figure(
                    title="Refused events",
                    view="mllog-deadletters",
                    measure=Measure("refused", format="whole"),
                    steps=((0, "good"), (1, "bad")),
                    width=12,
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Latency: median, p95, p99",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measures=(
                        Measure("median", "median", "event.duration", format="nanoseconds"),
                        Measure("p95", "percentile", "event.duration", format="nanoseconds"),
                        Measure("p99", "percentile", "event.duration", percentile=99, format="nanoseconds"),
                    ),
                    drill=("documents",),
                ),
                Chart(
                    title="Predictions by model",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    measures=(Measure("predictions", format="whole"),),
                    split=parts.BY_MODEL,
                    series="bar_stacked",
                    drill=("documents", "mllog-model"),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Failures by error",
                    view=parts.PREDICTIONS,
                    where="event.outcome : failure",
                    measures=(Measure("failures", format="whole"),),
                    split=Terms("error", "error.type", 10),
                    series="bar_stacked",
                    drill=("documents",),
                ),
                Chart(
                    title="Memory of the processes, by host",
                    view=parts.EVENTS,
                    where="event.action : resource and ml.metric.name : process.memory.usage",
                    measures=(Measure("most", "max", "ml.metric.value"),),
                    split=Terms("host", "host.name", 10, by=None),
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            12,
            (
                Table(
                    title="Models",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    rows=(parts.BY_MODEL, parts.BY_VERSION),
                    measures=(
                        Measure("predictions", format="whole"),
                        _FAILED,
                        Measure("median", "median", "event.duration", format="nanoseconds"),
                        Measure("p95", "percentile", "event.duration", format="nanoseconds"),
                        Measure("last", "max", "@timestamp", format="date"),
                    ),
                    drill=("mllog-model",),
                ),
                Table(
                    title="Hosts",
                    view=parts.PREDICTIONS,
                    where=parts.PREDICTED,
                    rows=(Terms("host", "host.name", 50),),
                    measures=(
                        Measure("predictions", format="whole"),
                        _FAILED,
                        Measure("p95", "percentile", "event.duration", format="nanoseconds"),
                        Measure("last", "max", "@timestamp", format="date"),
                    ),
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="KPIs and costs",
                    view=parts.EVENTS,
                    where="event.action : kpi or event.action : cost",
                    measures=(Measure("sum", "sum", "ml.metric.value"),),
                    split=Terms("name", "ml.metric.name", 10),
                    drill=("documents",),
                ),
                Table(
                    title="Resources of the processes",
                    view=parts.EVENTS,
                    where="event.action : resource",
                    rows=(Terms("resource", "ml.metric.name", 20, by=None),),
                    measures=(
                        Measure("median", "median", "ml.metric.value"),
                        Measure("most", "max", "ml.metric.value"),
                        Measure("measured", format="whole"),
                    ),
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            12,
            (
                Table(
                    title="Steps of pipelines",
                    width=48,
                    view=parts.EVENTS,
                    where="event.action : step",
                    rows=(parts.BY_MODEL, Terms("step", "ml.step.name", 20)),
                    measures=(
                        Measure("rows out", "sum", "ml.step.rows_out", format="whole"),
                        Measure("rows in", "sum", "ml.step.rows_in", format="whole"),
                        Measure("last", "max", "@timestamp", format="date"),
                    ),
                    drill=("documents",),
                ),
            ),
        ),
        Row(12, (Documents(title="Failures", search="mllog-search-failures"),)),
    ),
)
