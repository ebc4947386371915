"""What runs say of themselves and of incidents, for Prometheus: served over HTTP, or a text file of a cron job.

Labels are bounded whatever the events hold: checks and severities are few, models beyond :data:`MODELS` are one, and no
value of a feature is any.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/, names: https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import prometheus_client as prometheus
from prometheus_client.parser import text_string_to_metric_families

from mllog.errors import SettingError
from watchers.config import Config
from watchers.incidents import Incident
from watchers.means import RunReport
from watchers.pulse import behind
from watchers.schedule import incidents_of
from watchers.scheduler import utc_now
from watchers.stores.base import Store

MODELS: Final = 1000
"""So many models have series of their own, those that were seen first; the others share one."""

OTHERS: Final = "(others)"
LOOK_SECONDS: Final = 300.0
"""After so long incidents are looked at again, where no run of ours has changed any: people and other schedulers do."""


class Metrics:
    """The figures of one process.

    Args:
        config: The settings of its runs.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.registry = prometheus.CollectorRegistry()
        self._models: set[str] = set()
        self._looked = -LOOK_SECONDS
        self._runs = self._counter("runs", "Runs that came to their end.")
        self._failed = self._counter("failed_runs", "Runs that weren't possible: the store, most likely.")
        self._hours = self._counter("judged_hours", "Hours that were judged, of all models.")
        self._findings = self._counter("findings", "Alerts of checks.", "check", "severity")
        self._last = self._gauge("last_run_timestamp_seconds", "When the last run ended; NaN before the first.")
        # A rule on its age would be met at every start by 0.
        self._last.set(math.nan)
        self._seconds = self._gauge("last_run_duration_seconds", "How long it took.")
        self._lag = self._gauge("lag_seconds", "For how long the oldest hour that isn't judged has been due.")
        self._found = self._gauge("models", "Models that have predictions.")
        self._problems = self._gauge("problems", "What the last run couldn't do.")
        self._unjudged = self._gauge("unjudged", "Those of them for which models or hours aren't judged.")
        self._rejected = self._gauge("rejected_lines", "Lines in the store that are no events.")
        self._until = self._gauge("judged_until_timestamp_seconds", "Until when a model is judged.", "model")
        self._open = self._gauge("open_incidents", "Incidents that aren't over.", "model", "severity")

    def ran(self, store: Store, report: RunReport) -> None:
        """Take up what a run did; incidents are read from its store."""
        self._runs.inc()
        self._hours.inc(sum(report.hours.values()))
        for finding in report.findings:
            self._findings.labels(finding.check, finding.severity).inc()
        self._last.set(utc_now().timestamp())
        self._seconds.set(report.seconds)
        self._lag.set(behind(report, utc_now(), self._config).total_seconds())
        self._found.set(report.found)
        self._problems.set(len(report.problems))
        self._unjudged.set(len(report.unjudged))
        self._rejected.set(report.rejected)
        earliest: dict[str, float] = {}
        for model, until in report.judged.items():
            label = self._label(model)
            earliest[label] = min(until.timestamp(), earliest.get(label, until.timestamp()))
        for label, moment in earliest.items():
            self._until.labels(label).set(moment)
        if report.events or time.monotonic() - self._looked >= LOOK_SECONDS:
            self._show(incidents_of(store).values())
            self._looked = time.monotonic()

    def failed(self) -> None:
        """A run wasn't possible."""
        self._failed.inc()

    def serve(self, address: str) -> None:
        """Answer ``GET /metrics`` from a thread, until the process ends.

        Args:
            address: ``HOST:PORT``.

        Raises:
            SettingError: It is none, or nobody can listen there.
        """
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise SettingError(
                f"--metrics {address!r} is no address; write it as 127.0.0.1:9464", field="metrics", value=address
            )
        try:
            prometheus.start_http_server(int(port), host.strip("[]"), self.registry)
        except (OSError, UnicodeError) as error:
            raise SettingError(
                f"--metrics {address}: nobody can listen there: {getattr(error, 'strerror', None) or error}",
                field="metrics",
                value=address,
            ) from error

    def resume(self, file: Path) -> None:
        """Go on from the counts that an earlier process left in a file; one that is broken or isn't there has none."""
        try:
            families = list(text_string_to_metric_families(file.read_text()))
        except (OSError, ValueError):
            return
        ours = {"runs": self._runs, "failed_runs": self._failed, "judged_hours": self._hours}
        for family in families:
            name = family.name.removeprefix("mllog_watchers_")
            for sample in family.samples:
                if not sample.name.endswith("_total") or not 0 <= sample.value < math.inf:
                    continue
                if name in ours:
                    ours[name].inc(sample.value)
                elif name == "findings" and sample.labels.keys() == {"check", "severity"}:
                    self._findings.labels(sample.labels["check"], sample.labels["severity"]).inc(sample.value)

    def write(self, file: Path) -> None:
        """Write a file for node_exporter's textfile collector, whole or not at all.

        Raises:
            OSError: The disk refuses.
        """
        prometheus.write_to_textfile(str(file), self.registry)

    def _show(self, incidents: Iterable[Incident]) -> None:
        counts: Counter[tuple[str, str]] = Counter()
        for incident in incidents:
            counts[self._label(incident.model), incident.severity] += incident.active
        self._open.clear()
        for labels, count in counts.items():
            self._open.labels(*labels).set(count)

    def _label(self, model: str) -> str:
        if model not in self._models and len(self._models) >= MODELS:
            return OTHERS
        self._models.add(model)
        return model

    def _counter(self, name: str, meaning: str, *labels: str) -> prometheus.Counter:
        return prometheus.Counter(f"mllog_watchers_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> prometheus.Gauge:
        return prometheus.Gauge(f"mllog_watchers_{name}", meaning, labels, registry=self.registry)
