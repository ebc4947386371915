"""Saved searches: lists of documents, for the bottom of dashboards and for Discover."""

from __future__ import annotations

from typing import Final

from kibana_objects.model import Search
from mllog.ruler import MISSING_KINDS

_WHO: Final = ("ml.model.name", "ml.model.version")
_MISSING: Final = tuple(f"ml.missing.{kind}" for kind in MISSING_KINDS)

SEARCHES: Final[tuple[Search, ...]] = (
    Search(
        "mllog-search-incidents",
        "[mllog] Incidents",
        "Every incident as it is now: what broke, for whom, since when.",
        "mllog-incidents",
        (
            "incident.severity", "incident.state", *_WHO, "incident.title", "features", "segment.field",
            "segment.value", "onset", "incident.id",
        ),
        # What is taken or open stands before what is over; what is snoozed is last, since it is to be silent.
        sort=(("incident.state", "asc"), ("incident.updated", "desc")),
    ),
    Search(
        "mllog-search-prediction",
        "[mllog] One prediction",
        "Type the caller's id into the query bar, as ml.prediction_id : \"UA-1\": all parts of one decision.",
        "mllog-events",
        (
            "event.action", *_WHO, "ml.prediction_id", "ml.outputs.label", "ml.outputs.score", "ml.label.value",
            "ml.environment", "host.name", "event.id",
        ),
    ),
    Search(
        "mllog-search-predictions",
        "[mllog] Predictions",
        "The very requests behind a chart.",
        "mllog-predictions",
        (
            *_WHO, "ml.prediction_id", "ml.outputs.label", "ml.outputs.score", "event.duration", "ml.violations.range",
            "ml.violations.category", "ml.unseen_tokens", "host.name",
        ),
        where="event.action : predict",
    ),
    Search(
        "mllog-search-missing",
        "[mllog] Predictions with missing features",
        "Requests in which a feature of the card had no value, by the way in which it had none.",
        "mllog-predictions",
        (*_WHO, "ml.prediction_id", *_MISSING, "ml.violations.renamed", "host.name"),
        where=" or ".join(f"{name} : *" for name in _MISSING),
    ),
    Search(
        "mllog-search-categories",
        "[mllog] Predictions with unseen categories",
        "Requests with a value that training never had, by the features that had it.",
        "mllog-predictions",
        (*_WHO, "ml.prediction_id", "ml.violations.category", "ml.outputs.label", "ml.outputs.score", "host.name"),
        where="ml.violations.category : *",
    ),
    Search(
        "mllog-search-words",
        "[mllog] Predictions with unseen words",
        "Requests with words that training never had, and some of the words.",
        "mllog-predictions",
        (*_WHO, "ml.prediction_id", "ml.unseen_tokens", "ml.outputs.label", "ml.outputs.score", "host.name"),
        where="ml.unseen_tokens : *",
    ),
    Search(
        "mllog-search-failures",
        "[mllog] Failures",
        "Requests that ended with an error.",
        "mllog-predictions",
        (*_WHO, "error.type", "error.message", "ml.prediction_id", "http.response.status_code", "host.name"),
        where="event.outcome : failure",
    ),
    Search(
        "mllog-search-deadletters",
        "[mllog] Refused events",
        "What Elasticsearch or Logstash refused, with the reason and the event as it was.",
        "mllog-deadletters",
        ("event.dataset", "error.type", "error.message", "event.original"),
    ),
    Search(
        "mllog-search-deployments",
        "[mllog] Deployments",
        "Which process began with which packages: the manifest is in the document.",
        "mllog-deployments",
        (*_WHO, "ml.environment", "ml.model.artifact_hash", "service.version", "host.name", "process.pid"),
        where="event.action : deploy",
    ),
    Search(
        "mllog-search-findings",
        "[mllog] Findings",
        "What each check said, with its effect and its p value.",
        "mllog-findings",
        ("severity", "model", "version", "check", "feature", "message", "effect.value", "p_value", "n"),
    ),
)  # fmt: skip
