"""The matrix of privileges: what each role may do on a node with security on, and what it may not."""

from __future__ import annotations

import json
import pathlib
import urllib.error
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from mllog.elastic.roles import BY_NAME

if TYPE_CHECKING:
    from support.secured import SecuredNode

HELD: pytest.StashKey[dict[str, frozenset[str]]] = pytest.StashKey()
"""What may be done -> roles that were let."""

EVENT = {"@timestamp": "2026-11-05T00:00:00Z", "event": {"id": "a", "action": "predict"}}
PREDICTIONS = "logs-mllog.prediction.m-default"
STREAMS = {
    "prediction": PREDICTIONS,
    "label": "logs-mllog.label.m-default",
    "deployment": "logs-mllog.deployment-default",
    "pipeline": "logs-mllog.pipeline-default",
    "metric": "logs-mllog.metric-default",
    "deadletter": "logs-mllog.deadletter-default",
    "reject": "logs-mllog.reject-default",
}
MONTHS = tuple(f"mllog-{kind}-2020.01" for kind in ("profile", "window", "finding", "incident-event", "run", "told"))
SINGLE = ("mllog-incidents", "mllog-cards", "mllog-state")
OTHERS = ("somebodys-own", "logs-somebodys-default", "mllog-somebodys")
"""Others' indices; one of them begins as ours do."""

ALL = frozenset(BY_NAME)
SETUP, EXPIRE, WRITER, SHIPPER, WATCHER, VIEWER, AUDITOR = (
    f"mllog_{name}" for name in ("setup", "expire", "writer", "shipper", "watcher", "viewer", "auditor")
)


@dataclass(frozen=True)
class Action:
    """One thing that somebody may want to do.

    Attributes:
        text: As the table says it.
        allowed: Roles that may.
        method: Of the request.
        path: With ``{backing}`` for the write index of the predictions and ``{role}`` for who asks.
        body: JSON, or bytes of NDJSON.
        fine: Statuses beside 2xx that say that it was allowed, and there was nothing to do.
        clean: Request by which the superuser takes back what was done.
    """

    text: str
    allowed: frozenset[str]
    method: str
    path: str
    body: Any = None
    fine: frozenset[int] = frozenset()
    clean: tuple[str, str] | None = None


def _roles(*names: str) -> frozenset[str]:
    return frozenset(names)


def _bulk(action: str, **meta: str) -> bytes:
    lines = [{action: meta}, *([] if action == "delete" else [{"doc": {}} if action == "update" else EVENT])]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


NOBODY = _roles()
WRITING = _roles(WRITER, SHIPPER)
ACTIONS = (
    Action("add an event", WRITING, "PUT", f"/{PREDICTIONS}/_create/{{role}}", EVENT),
    Action("add an event by `_bulk`", WRITING, "POST", "/_bulk", _bulk("create", _index=PREDICTIONS, _id="bulk-{role}")),
    Action("add an event to a data stream that isn't there yet", WRITING, "PUT",
           "/logs-mllog.prediction.new_{role}-default/_create/1", EVENT),
    Action("overwrite an event by its id", NOBODY, "PUT", "/{backing}/_doc/a?if_seq_no=0&if_primary_term=1", EVENT),
    Action("update an event", NOBODY, "POST", "/{backing}/_update/a", {"doc": {"event": {"id": "b"}}}),
    Action("update an event by `_bulk`", NOBODY, "POST", "/_bulk", _bulk("update", _index="{backing}", _id="a")),
    Action("delete an event", NOBODY, "DELETE", "/{backing}/_doc/a"),
    Action("delete an event by `_bulk`", NOBODY, "POST", "/_bulk", _bulk("delete", _index="{backing}", _id="a")),
    Action("delete events and their index", NOBODY, "DELETE", "/{backing}"),
    Action("close a data stream", NOBODY, "POST", f"/{PREDICTIONS}/_close"),
    Action("count events that were written this moment (refresh)", _roles(SHIPPER), "POST", f"/{PREDICTIONS}/_refresh"),
    *(
        Action(text, _roles(*readers), "POST", f"/{STREAMS[kind]}/_search")
        for kind, text, readers in (
            ("prediction", "read predictions", (SHIPPER, WATCHER, VIEWER, AUDITOR)),
            ("metric", "read metrics", (SHIPPER, WATCHER, VIEWER, AUDITOR)),
            ("pipeline", "read pipeline steps", (SHIPPER, WATCHER, VIEWER, AUDITOR)),
            ("deployment", "read deployments", (SHIPPER, WATCHER, VIEWER, AUDITOR)),
            ("label", "read labels", (SHIPPER, WATCHER, AUDITOR)),
            ("deadletter", "read dead letters", (SHIPPER, WATCHER, AUDITOR)),
            ("reject", "read rejects", (SHIPPER, WATCHER, AUDITOR)),
        )
    ),
    Action("read an event by its id", _roles(SHIPPER, WATCHER, VIEWER, AUDITOR), "GET", "/{backing}/_doc/a"),
    Action("read profiles", _roles(EXPIRE, WATCHER, VIEWER, AUDITOR), "POST", "/mllog-profile-2020.01/_search"),
    Action("read windows", _roles(EXPIRE, WATCHER, VIEWER, AUDITOR), "POST", "/mllog-window-2020.01/_search"),
    Action("read findings", _roles(EXPIRE, WATCHER, VIEWER, AUDITOR), "POST", "/mllog-finding-2020.01/_search"),
    Action("read incidents", _roles(WATCHER, VIEWER, AUDITOR), "POST", "/mllog-incidents/_search"),
    Action("read changes of incidents", _roles(EXPIRE, WATCHER, VIEWER, AUDITOR), "POST", "/mllog-incident-event-2020.01/_search"),
    Action("read runs of watchers", _roles(EXPIRE, WATCHER, VIEWER, AUDITOR), "POST", "/mllog-run-2020.01/_search"),
    Action("read who was told what", _roles(EXPIRE, WATCHER, AUDITOR), "POST", "/mllog-told-2020.01/_search"),
    Action("read cards", _roles(WATCHER, VIEWER, AUDITOR), "POST", "/mllog-cards/_search"),
    Action("write a card", _roles(SHIPPER, WATCHER), "PUT", "/mllog-cards/_doc/{role}", {"saved": "2026-11-05T00:00:00Z"},
           clean=("DELETE", "/mllog-cards/_doc/{role}")),
    Action("delete a card", _roles(WATCHER), "DELETE", "/mllog-cards/_doc/nothing", fine=frozenset({404})),
    Action("write a finding", _roles(WATCHER), "PUT", "/mllog-finding-2020.01/_doc/{role}", EVENT),
    Action("write an incident", _roles(WATCHER), "PUT", "/mllog-incidents/_doc/{role}", {"incident": {"id": "{role}"}}),
    Action("delete an incident", _roles(WATCHER), "DELETE", "/mllog-incidents/_doc/nothing", fine=frozenset({404})),
    Action("write what watchers remember", _roles(WATCHER), "PUT", "/mllog-state/_doc/{role}", {"state": {}}),
    Action("make a month", _roles(WATCHER), "PUT", "/mllog-window-2020.02", clean=("DELETE", "/mllog-window-2020.02")),
    Action("delete a month", _roles(EXPIRE), "DELETE", "/mllog-window-2020.03", clean=("PUT", "/mllog-window-2020.03")),
    Action("delete the incidents' index", NOBODY, "DELETE", "/mllog-incidents"),
    Action("search others' indices", NOBODY, "POST", f"/{OTHERS[0]}/_search"),
    Action("search others' logs", NOBODY, "POST", f"/{OTHERS[1]}/_search"),
    Action("search an index of others that begins with `mllog-`", NOBODY, "POST", f"/{OTHERS[2]}/_search"),
    Action("write into others' indices", NOBODY, "POST", f"/{OTHERS[0]}/_doc", EVENT),
    Action("write into others' logs", NOBODY, "PUT", f"/{OTHERS[1]}/_create/{{role}}", EVENT),
    Action("write into others' indices by `_bulk`", NOBODY, "POST", "/_bulk", _bulk("create", _index=OTHERS[2])),
    Action("make an index of another name", NOBODY, "PUT", "/somebody-{role}"),
    Action("search the indices of security", NOBODY, "POST", "/.security/_search"),
    Action("read index templates", _roles(SETUP, EXPIRE, WRITER), "GET", "/_index_template/mllog-events"),
    Action("put an index template", _roles(SETUP), "PUT", "/_index_template/mllog-test", {"index_patterns": ["nothing-*"]},
           clean=("DELETE", "/_index_template/mllog-test")),
    Action("add a field to a mapping", _roles(SETUP), "PUT", f"/{PREDICTIONS}/_mapping", {"properties": {"x": {"type": "keyword"}}}),
    Action("change a setting of an index", _roles(SETUP), "PUT", "/mllog-incidents/_settings", {"index.refresh_interval": "2s"}),
    Action("put an ingest pipeline", NOBODY, "PUT", "/_ingest/pipeline/mllog-test", {"processors": []}),
    Action("change the cluster's settings", NOBODY, "PUT", "/_cluster/settings", {"persistent": {"indices.recovery.max_bytes_per_sec": "40mb"}}),
    Action("ask for the cluster's health", _roles(EXPIRE, WRITER), "GET", "/_cluster/health"),
    Action("ask for the licence", _roles(EXPIRE, WRITER), "GET", "/_license"),
    Action("read roles", NOBODY, "GET", "/_security/role/mllog_writer"),
    Action("put a role", NOBODY, "PUT", "/_security/role/mllog_test", {"cluster": ["all"]}),
    Action("put a user", NOBODY, "PUT", "/_security/user/mllog_test", {"password": "long enough", "roles": ["superuser"]}),
    Action("make an API key", NOBODY, "POST", "/_security/api_key", {"name": "mine"}),
)  # fmt: skip


def prepare(node: SecuredNode) -> str:
    """Something of everything that actions ask for; the write index of the predictions."""
    for stream in STREAMS.values():
        node.request("PUT", f"/{stream}/_create/a?refresh=true", EVENT)
    for index in (*MONTHS, *SINGLE, "mllog-window-2020.03", *OTHERS):
        if index.startswith("logs-"):
            node.request("PUT", f"/_index_template/{index}", {"index_patterns": [index], "priority": 900})
        node.request("PUT", f"/{index}", {})
    found = node.request("GET", f"/_resolve/index/{PREDICTIONS}")["data_streams"]
    return str(found[0]["backing_indices"][-1])


def may(action: Action, role: str, backing: str, node: SecuredNode, password: str) -> bool:
    """Whether a user of a role is let do something; nothing else may be in its way."""

    def filled(text: str) -> str:
        return text.replace("{role}", role).replace("{backing}", backing)

    body = action.body
    if isinstance(body, bytes):
        body = filled(body.decode()).encode()
    elif body is not None:
        body = json.loads(filled(json.dumps(body)))
    try:
        answer = node.request(action.method, filled(action.path), body, login=(role, password))
    except urllib.error.HTTPError as error:
        with error:
            told = json.loads(error.read() or b"{}")
        status = error.code
        assert status != 403 or "unauthorized" in json.dumps(told), told
    else:
        items = answer.get("items") if isinstance(answer, dict) else None
        status = next(iter(items[0].values()))["status"] if items else 200
    if status == 403:
        return False
    assert status < 300 or status in action.fine, (action.text, role, status)
    if action.clean is not None:
        node.request(action.clean[0], filled(action.clean[1]))
    return True


def table(held: dict[str, frozenset[str]]) -> str:
    """The matrix in markdown; what a role may not do is left empty.

    Args:
        held: What may be done -> roles that may.
    """
    names = list(BY_NAME)
    lines = [f"| | {' | '.join(f'`{name}`' for name in names)} |", f"|---|{':-:|' * len(names)}"]
    lines += [
        f"| {text} | {' | '.join('yes' if name in roles else '' for name in names)} |" for text, roles in held.items()
    ]
    return "\n".join(lines) + "\n"


def write(target: str, held: dict[str, frozenset[str]]) -> None:
    """Write it to a file."""
    pathlib.Path(target).write_text(table(held), encoding="utf-8")
