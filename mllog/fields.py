"""THE table of event fields. Index templates, Kibana data views and the reference page derive from it.

Names follow the Elastic Common Schema (https://www.elastic.co/docs/reference/ecs) where it has one; ``ml.*`` are
custom fields, as ECS allows. A field that isn't in this table isn't searchable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from mllog.ruler import MISSING_KINDS

ECS_VERSION: Final = "9.2.0"
KEYWORD_LENGTH: Final = 256
"""``ignore_above`` of every keyword: a longer one would refuse the whole document (Lucene's limit is 32,766 bytes)."""
NAMES_LENGTH: Final = 2 * KEYWORD_LENGTH + 32
"""The same where a value is made of names of features, each of which may be as long as a keyword."""

Type = Literal[
    "date", "keyword", "long", "integer", "double", "float", "boolean", "text", "flattened", "object", "ip",
]  # fmt: skip


Unit = Literal["", "share", "nanoseconds", "seconds"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: dotted name, Elasticsearch type, meaning; ``index`` as in the mapping parameter of that name.

    ``name.*`` stands for a map with names of its own (``subobjects: false``); ``enabled: false`` objects are kept in
    ``_source`` and not indexed at all. ``length`` is how many characters of a keyword are indexed: a longer one isn't.
    ``unit`` is what a number is of, for who shows it: a share is in [0, 1].
    """

    name: str
    type: Type
    meaning: str
    index: bool = True
    enabled: bool = True
    length: int = KEYWORD_LENGTH
    unit: Unit = ""


_MISSING_MEANING: Final = {
    "absent": "features of the card whose key was not sent",
    "null": "features sent as null",
    "nan": "features sent as NaN",
    "infinite": "features sent as plus or minus infinity",
    "empty": "features sent as an empty or blank string",
    "sentinel": "features sent as a value that stands for missing (-999, N/A)",
}

_NAMESPACE: Final = Field("data_stream.namespace", "keyword", "namespace of the events that it is about")

EVENT: Final[tuple[Field, ...]] = (
    Field("@timestamp", "date", "when it happened (event time)"),
    Field("ecs.version", "keyword", "version of the Elastic Common Schema that names follow"),
    Field("data_stream.type", "keyword", "always logs"),
    Field("data_stream.dataset", "keyword", "the same as event.dataset"),
    Field("data_stream.namespace", "keyword", "environment chosen by the operator"),
    Field("event.id", "keyword", "ours, time-ordered (UUIDv7, RFC 9562); the document's _id"),
    Field(
        "event.action",
        "keyword",
        "predict, output, explain, outcome, label, deploy, step, kpi, cost, resource, ledger, deadletter, reject",
    ),
    Field("event.dataset", "keyword", "data stream without type and namespace, e.g. mllog.prediction.flight-delay"),
    Field("event.outcome", "keyword", "success, failure or unknown"),
    Field("event.duration", "long", "nanoseconds", unit="nanoseconds"),
    Field("event.ingested", "date", "when Logstash or the direct shipper took it"),
    Field("event.original", "keyword", "of a dead letter or a reject: what was refused, as it was", index=False),
    Field("service.name", "keyword", "name of the service that runs the model"),
    Field("service.version", "keyword", "version of that service"),
    Field("service.environment", "keyword", "production, staging, ..."),
    Field("host.name", "keyword", "host or pod"),
    Field("process.pid", "long", "process id"),
    Field("trace.id", "keyword", "W3C trace id"),
    Field("span.id", "keyword", "W3C span id"),
    Field("transaction.id", "keyword", "APM transaction id"),
    Field("http.request.id", "keyword", "id of the HTTP request"),
    Field("http.request.method", "keyword", "its method"),
    Field("http.response.status_code", "long", "status that was answered"),
    Field("http.route", "keyword", "pattern of the route, without the values in it (OpenTelemetry's name)"),
    Field("url.path", "keyword", "path of the request"),
    Field("user.id", "keyword", "user, where policy lets it pass"),
    Field("user.hash", "keyword", "salted hash of the user"),
    Field("error.type", "keyword", "class of the exception"),
    Field("error.message", "text", "its message"),
    Field("error.stack_trace", "text", "its traceback", index=False),
    Field("labels", "flattened", "the caller's own keys"),
    Field("message", "text", "log message, where the event came through a logging framework"),
    Field("ml.model.name", "keyword", "model"),
    Field("ml.model.version", "keyword", "its version"),
    Field("ml.model.role", "keyword", "champion, shadow or canary"),
    Field("ml.model.artifact_hash", "keyword", "sha256 of the artefact that answered"),
    Field(
        "ml.environment",
        "keyword",
        "fingerprint of packages, python and platform; the manifest is an event of its own",
    ),
    Field("ml.card", "keyword", "hash of the ruler that measured this event"),
    Field(
        "ml.fingerprint",
        "long",
        "CRC-32 of inputs and missing as written; equal where all inputs are, by a card that counts repeats",
        index=False,
    ),
    Field("ml.prediction_id", "keyword", "the caller's id, by which outputs, labels and outcomes are joined"),
    Field("ml.sequence.process", "keyword", "which process numbered it"),
    Field("ml.sequence.number", "long", "number after sampling, without gaps"),
    Field("ml.sample", "keyword", "head: kept by a draw, tail: kept by a rule; absent without sampling"),
    Field("ml.weight", "float", "how many events it stands for (1 / sampling rate)"),
    Field("ml.inputs.number.*", "double", "numeric inputs", index=False),
    Field("ml.inputs.keyword.*", "keyword", "categorical inputs"),
    Field("ml.inputs.boolean.*", "boolean", "boolean inputs"),
    Field("ml.inputs.text.*", "text", "texts, where the policy lets them pass"),
    Field("ml.inputs.other", "object", "inputs that the card doesn't know, kept as they came", enabled=False),
    Field("ml.outputs.label", "keyword", "predicted class"),
    Field("ml.outputs.value", "double", "predicted value"),
    Field("ml.outputs.score", "float", "score in [0, 1]"),
    Field("ml.outputs.scores", "object", "score of each class", enabled=False),
    Field("ml.outputs.top_k", "keyword", "best classes, best first"),
    Field("ml.outputs.other", "object", "further outputs, kept as they came", enabled=False),
    Field("ml.explanation.features", "keyword", "features of the top attributions"),
    Field("ml.explanation.values", "object", "their attributions", enabled=False),
    *(Field(f"ml.missing.{kind}", "keyword", _MISSING_MEANING[kind]) for kind in MISSING_KINDS),
    Field("ml.violations.range", "keyword", "features outside of the training range"),
    Field("ml.violations.category", "keyword", "features with a value that training never had"),
    Field("ml.violations.type", "keyword", "features of another type than in training"),
    Field("ml.violations.unexpected", "keyword", "names of inputs that the card doesn't know"),
    Field(
        "ml.violations.renamed",
        "keyword",
        "absent>unexpected, where the unexpected input's value fits the absent one",
        length=NAMES_LENGTH,
    ),
    Field(
        "ml.text.*",
        "integer",
        "for each text: tokens, and tokens that training never had (.tokens, .unseen)",
        index=False,
    ),
    Field("ml.unseen_tokens", "keyword", "some of the tokens that training never had"),
    Field(
        "ml.bins",
        "keyword",
        "feature:bin of numbers, outputs and texts (@score, @length:text)",
        index=False,
        length=NAMES_LENGTH,
    ),
    Field("ml.truncated", "keyword", "inputs that were cut to their size limit; with an @ other parts of the event"),
    Field("ml.withheld", "keyword", "inputs that were there, and whose value the card's policy keeps back"),
    Field(
        "ml.replaced",
        "keyword",
        "inputs whose value could not be written and was replaced; with an @ other parts of the event",
    ),
    Field("ml.label.value", "keyword", "the true class or value, as it came"),
    Field("ml.label.number", "double", "the true value, where it is a number"),
    Field("ml.label.annotator", "keyword", "who said so"),
    Field("ml.outcome.value", "keyword", "what came of it for the business, as it came"),
    Field("ml.outcome.number", "double", "the same, where it is a number"),
    Field("ml.metric.name", "keyword", "KPI, cost or resource"),
    Field("ml.metric.value", "double", "its value"),
    Field("ml.metric.unit", "keyword", "its unit"),
    Field("ml.step.name", "keyword", "pipeline step"),
    Field("ml.step.rows_in", "long", "rows that went in"),
    Field("ml.step.rows_out", "long", "rows that came out"),
    Field("ml.manifest", "object", "packages, python, platform and git commit behind a fingerprint", enabled=False),
)

FINDING: Final[tuple[Field, ...]] = (
    _NAMESPACE,
    Field("@timestamp", "date", "end of the window that was judged"),
    Field("check", "keyword", "which check found it"),
    Field("feature", "keyword", "which feature, null for a whole-model check"),
    Field("segment", "flattened", "field and value of the segment, null for all"),
    Field("model", "keyword", "model"),
    Field("version", "keyword", "model version, null for two frames"),
    Field("window.start", "date", "start of the window"),
    Field("window.end", "date", "end of the window"),
    Field("n", "long", "events in it"),
    Field("reference", "double", "what was expected"),
    Field("observed", "double", "what was seen"),
    Field("effect.name", "keyword", "what the effect measures"),
    Field("effect.value", "double", "effect size"),
    Field("effect.low", "double", "lower end of its 95 % interval"),
    Field("effect.high", "double", "upper end"),
    Field("p_value", "double", "p value"),
    Field("q_value", "double", "after Benjamini-Hochberg over the model and window"),
    Field("state", "keyword", "ok, learning, unknown or alert"),
    Field("severity", "keyword", "info, warning or critical"),
    Field("onset", "date", "since when"),
    Field("documents", "keyword", "event ids of the worst documents"),
    Field("message", "text", "one plain sentence"),
)

INCIDENT: Final[tuple[Field, ...]] = (
    _NAMESPACE,
    Field("incident.id", "keyword", "stable id"),
    Field("incident.state", "keyword", "open, acknowledged, snoozed or recovered"),
    Field("incident.severity", "keyword", "the worst severity of its findings"),
    Field("incident.opened", "date", "when it was opened"),
    Field("incident.updated", "date", "last change"),
    Field("incident.recovered", "date", "when it was over"),
    Field("incident.acknowledged_by", "keyword", "who took it"),
    Field("incident.snoozed_until", "date", "until when it is silent"),
    Field("incident.title", "text", "what broke, in one line"),
    Field("incident.message", "text", "the leading finding's sentence"),
    Field("incident.check", "keyword", "the leading finding's check"),
    Field("incident.feature", "keyword", "the leading finding's feature; @model where the whole model is meant"),
    Field("ml.model.name", "keyword", "model"),
    Field("ml.model.version", "keyword", "versions in its windows"),
    Field("features", "keyword", "features that its findings name, leading one first"),
    Field("checks", "keyword", "checks that raised it"),
    Field("segment.field", "keyword", "segment field"),
    Field("segment.value", "keyword", "segment value"),
    Field("onset", "date", "since when"),
    Field("causes", "object", "ranked causes: kind, value, share", enabled=False),
    Field("findings", "long", "how many findings stand behind it"),
    Field("worst.value", "double", "the largest effect"),
    Field("worst.at", "date", "when"),
    Field("documents", "keyword", "event ids of the worst documents"),
)

PROFILE: Final[tuple[Field, ...]] = (
    _NAMESPACE,
    Field("@timestamp", "date", "start of the hour, or day"),
    Field("ml.model.name", "keyword", "model"),
    Field("ml.card", "keyword", "hash of the ruler that counted it"),
    Field("window.seconds", "long", "3,600; 86,400 where it is all hours of a day, for whoever reads many"),
    Field("n", "long", "predictions in it"),
    Field("complete", "boolean", "false where something of the hour could not be counted"),
    Field("reason", "keyword", "why not"),
    Field("profile", "object", "the counts", enabled=False),
)

_MISSING_RATES: Final = {
    "rate": "share of events without a value of the feature, of whatever kind",
    "absent": "share whose key was not sent",
    "null": "share sent as null",
    "nan": "share sent as NaN",
    "infinite": "share sent as plus or minus infinity",
    "empty": "share sent as an empty or blank string",
    "sentinel": "share sent as a value that stands for missing",
}

WINDOW: Final[tuple[Field, ...]] = (
    _NAMESPACE,
    Field("@timestamp", "date", "start of the window"),
    Field("kind", "keyword", "feature, bucket, unseen, token or metric: what the document is about"),
    Field("ml.model.name", "keyword", "model"),
    Field("ml.model.version", "keyword", "its version, absent for all together"),
    Field("window.end", "date", "end of the window"),
    Field("window.seconds", "long", "its length"),
    Field("segment.field", "keyword", "segment field, absent for the whole model"),
    Field("segment.value", "keyword", "segment value"),
    Field("feature.name", "keyword", "feature"),
    Field("feature.kind", "keyword", "number, category, boolean or text"),
    Field("bucket.value", "keyword", "bucket: a category, or a bin's number and bounds"),
    Field("bucket.share", "double", "bucket: its share of the window", unit="share"),
    Field("bucket.reference", "double", "bucket: its share in training", unit="share"),
    Field("token.value", "keyword", "token: one that training never had"),
    Field("token.count", "long", "token: events with it"),
    Field("metric.name", "keyword", "metric: what is measured"),
    Field("metric.value", "double", "metric: its value"),
    Field("metric.low", "double", "metric: lower end of its 95 % interval"),
    Field("metric.high", "double", "metric: upper end"),
    Field("metric.reference", "double", "metric: what was expected"),
    Field("n", "long", "events in the window"),
    *(Field(f"missing.{name}", "double", meaning, unit="share") for name, meaning in _MISSING_RATES.items()),
    Field("unseen.rate", "double", "share of values or tokens that training never had", unit="share"),
    Field("unseen.count", "long", "how many they are; unseen: events with the value"),
    Field("unseen.value", "keyword", "unseen: a value of a category that training never had"),
    Field("violations.rate", "double", "share of events that break the card's range, set or type", unit="share"),
    Field("drift.statistic", "keyword", "which distance"),
    Field("drift.value", "double", "distance to the reference"),
    Field("drift.p_value", "double", "p value"),
    Field("drift.q_value", "double", "after Benjamini-Hochberg over the model and window"),
    Field("state", "keyword", "ok, learning, unknown or alert"),
    Field("severity", "keyword", "info, warning or critical"),
    Field("provisional", "boolean", "true while late events may still change it"),
    Field("label_coverage", "double", "share of its predictions whose label is there", unit="share"),
)

INCIDENT_EVENT: Final[tuple[Field, ...]] = (
    _NAMESPACE,
    Field("@timestamp", "date", "when it happened"),
    Field("incident.id", "keyword", "of which incident"),
    Field("kind", "keyword", "opened, updated, acknowledged, snoozed, recovered, ..."),
    Field("ml.model.name", "keyword", "model"),
    Field("change", "object", "the whole event", enabled=False),
)

CARD: Final[tuple[Field, ...]] = (
    Field("ml.model.name", "keyword", "model"),
    Field("ml.model.version", "keyword", "its version"),
    Field("ml.card", "keyword", "hash of its ruler"),
    Field("saved", "date", "when it was put here"),
    Field("card", "object", "the whole card", enabled=False),
)

STATE: Final[tuple[Field, ...]] = (
    _NAMESPACE,
    Field("ml.model.name", "keyword", "model"),
    Field("judged", "date", "end of the last hour that was judged"),
    Field("lease.name", "keyword", "what only one watcher may do at a time"),
    Field("lease.holder", "keyword", "which watcher does it"),
    Field("lease.until", "date", "until when, if it isn't renewed"),
    Field("lease.taken", "date", "since when"),
    Field("state", "object", "what the watcher remembers", enabled=False),
)

RUN: Final[tuple[Field, ...]] = (
    _NAMESPACE,
    Field("@timestamp", "date", "end of the run"),
    Field("run.id", "keyword", "the run's id"),
    Field("run.host", "keyword", "host or pod of the watcher"),
    Field("run.pid", "long", "its process id"),
    Field("run.seconds", "double", "how long it took", unit="seconds"),
    Field("run.lag_seconds", "double", "age of the oldest hour that waited to be judged", unit="seconds"),
    Field("run.overrun", "boolean", "true where it took longer than the time to the next run"),
    Field("run.hours", "long", "hours that it judged"),
    Field("run.interval_seconds", "double", "time from one run to the next", unit="seconds"),
    Field("run.reopened", "long", "judged hours to which events came late"),
    Field("run.models", "keyword", "models that it judged"),
    Field("run.held", "keyword", "models at which another scheduler was"),
    Field("run.findings", "long", "findings that it made"),
    Field("run.problems", "keyword", "what went wrong"),
    Field("run.found", "long", "models that had predictions"),
    Field("run.unjudged", "keyword", "those problems for which hours, or models, weren't judged"),
)

TOLD: Final[tuple[Field, ...]] = (
    _NAMESPACE,
    Field("@timestamp", "date", "when it was told"),
    Field("event.id", "keyword", "the change of an incident that was told"),
    Field("incident.id", "keyword", "the incident's id"),
    Field("route", "keyword", "service of the receiver"),
    Field("by", "keyword", "the scheduler that told it"),
)

TABLES: Final = {
    "event": EVENT,
    "profile": PROFILE,
    "window": WINDOW,
    "finding": FINDING,
    "incident": INCIDENT,
    "incident_event": INCIDENT_EVENT,
    "card": CARD,
    "state": STATE,
    "run": RUN,
    "told": TOLD,
}
