"""Watcher health: whether somebody looks, and how far behind."""

from __future__ import annotations

from typing import Final

from kibana_objects.dashboards import _parts as parts
from kibana_objects.model import Chart, Control, Dashboard, Documents, Figure, Measure, Ratio, Row, Table, Terms

dashboard: Final = Dashboard(
    id="mllog-watchers",
    title="[mllog] Watcher health",
    story="No news is good news only while the watchers run: when they did, how far behind, what they can't judge.",
    place=9,
    span="now-24h",
    controls=(Control("Host", parts.RUNS, "run.host"), Control("Model", parts.RUNS, "run.models")),
    rows=(
        Row(
            5,
            (
                Figure(
                    title="Last run",
                    view=parts.RUNS,
                    measure=Measure("last run", "max", "@timestamp", format="date"),
                    width=12,
                ),
                Figure(
                    title="Behind, at most",
                    view=parts.RUNS,
                    measure=Measure("lag", "max", "run.lag_seconds", format="seconds"),
                    steps=((0, "good"), (3600, "warning"), (7200, "bad")),
                    width=12,
                ),
                Figure(
                    title="Runs that couldn't judge everything",
                    view=parts.RUNS,
                    # Of no runs it is nothing, and not good.
                    measure=Ratio("of all runs", Measure("runs", where="run.unjudged : *"), Measure("all")),
                    steps=((0, "good"), (1e-9, "bad")),
                    width=12,
                ),
                Figure(
                    title="Hours judged",
                    view=parts.RUNS,
                    measure=Measure("hours", "sum", "run.hours", format="whole"),
                    width=12,
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Runs by host",
                    view=parts.RUNS,
                    measures=(Measure("runs", format="whole"),),
                    split=Terms("host", "run.host", 10),
                    series="bar_stacked",
                    annotated=False,
                    drill=("documents",),
                ),
                Chart(
                    title="How long runs take, and how far behind they are",
                    view=parts.RUNS,
                    measures=(
                        Measure("took, at most", "max", "run.seconds", format="seconds"),
                        Measure("behind, at most", "max", "run.lag_seconds", format="seconds"),
                    ),
                    annotated=False,
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            10,
            (
                Chart(
                    title="Hours judged, hours judged again, findings",
                    view=parts.RUNS,
                    measures=(
                        Measure("hours", "sum", "run.hours", format="whole"),
                        Measure("again, for late events", "sum", "run.reopened", format="whole"),
                        Measure("findings", "sum", "run.findings", format="whole"),
                    ),
                    annotated=False,
                    drill=("documents",),
                ),
                Table(
                    title="Problems",
                    view=parts.RUNS,
                    rows=(Terms("problem", "run.problems", 50),),
                    measures=(
                        Measure("runs", format="whole"),
                        Measure("last", "max", "@timestamp", format="date"),
                    ),
                    drill=("documents",),
                ),
            ),
        ),
        Row(
            12,
            (
                Table(
                    title="Models that were judged",
                    view=parts.RUNS,
                    rows=(Terms("model", "run.models", 100),),
                    measures=(
                        Measure("runs", format="whole"),
                        Measure("last", "max", "@timestamp", format="date"),
                    ),
                    drill=("mllog-model",),
                ),
                Table(
                    title="Findings by check",
                    view="mllog-findings",
                    rows=(Terms("check", "check", 30), Terms("severity", "severity", 3)),
                    measures=(
                        Measure("findings", format="whole"),
                        Measure("models", "unique_count", "model", format="whole"),
                        Measure("last", "max", "@timestamp", format="date"),
                    ),
                    drill=("documents", "mllog-incidents"),
                ),
            ),
        ),
        Row(12, (Documents(title="Refused events", search="mllog-search-deadletters"),)),
    ),
)
