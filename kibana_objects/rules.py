"""Rules of Kibana's own alerting, on what the watchers found: they decide nothing, and need no paid feature."""

from __future__ import annotations

from typing import Final

from kibana_objects.model import Rule

_TOLD: Final = (
    "{{#context.hits}}{{_source.incident.severity}}: {{_source.incident.title}} ({{_source.ml.model.name}}), since "
    "{{_source.onset}}, incident {{_source.incident.id}}\n{{/context.hits}}"
)


_MONTH: Final = 30 * 24 * 60
"""An incident is told for as long as it is open: it changes when there is news, and by the time of its events."""


def _open(severity: str) -> dict[str, object]:
    return {
        "bool": {
            "filter": [{"term": {"incident.severity": severity}}, {"term": {"incident.state": "open"}}],
        }
    }


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "mllog-rule-critical",
        "[mllog] A critical incident is open",
        "mllog-incidents",
        "incident.updated",
        _open("critical"),
        _MONTH,
        _TOLD,
        above=0,
        group="ml.model.name",
        every="1m",
    ),
    Rule(
        "mllog-rule-warning",
        "[mllog] An incident is open",
        "mllog-incidents",
        "incident.updated",
        _open("warning"),
        _MONTH,
        _TOLD,
        above=0,
        group="ml.model.name",
    ),
    Rule(
        "mllog-rule-heartbeat",
        "[mllog] The watchers are silent",
        "mllog-run-*",
        "@timestamp",
        {"match_all": {}},
        120,
        "no run of the watchers has ended for two hours: nobody looks at the models",
        below=1,
    ),
    Rule(
        "mllog-rule-unjudged",
        "[mllog] Models can't be judged",
        "mllog-run-*",
        "@timestamp",
        {"exists": {"field": "run.unjudged"}},
        120,
        "{{#context.hits}}{{_source.run.unjudged}}\n{{/context.hits}}",
        above=0,
    ),
    Rule(
        "mllog-rule-deadletters",
        "[mllog] Events are refused",
        "logs-mllog.deadletter-*",
        "@timestamp",
        {"match_all": {}},
        60,
        "{{context.value}} events were refused; error.message says why (docs: when something breaks, dead letters)",
        above=0,
    ),
)
