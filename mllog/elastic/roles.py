"""THE table of privileges: what each part of mllog needs, and no more. The reference page derives from it.

``mllog setup`` puts them there as roles; each is the body of ``PUT /_security/role/<name>``, and of an API key too.
Privileges that are no names but actions (``indices:admin/...``) stand where the smallest name would also let indices be
deleted. https://www.elastic.co/docs/reference/elasticsearch/security-privileges
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mllog.elastic.cards import CARDS
from mllog.elastic.indices import INDICES

STREAMS: Final = ("logs-mllog.*",)
RESULTS: Final = tuple(pattern for row in INDICES if row.kind != "stream" for pattern in row.patterns)
"""What watchers write: exact, since somebody else's index may begin with ``mllog-`` too."""

MONTHS: Final = tuple(pattern for row in INDICES if row.kind == "monthly" for pattern in row.patterns)
"""Those of them that grow old."""

SHOWN: Final = ("logs-mllog.prediction.*", "logs-mllog.metric-*", "logs-mllog.pipeline-*", "logs-mllog.deployment-*")
"""Events behind dashboards. Labels say what became of people, and who judged them; dead letters and rejects hold what
no policy has been through: nobody needs either to find out what broke."""

TOLD: Final = "mllog-told-*"
"""Whom watchers told of what: for auditors."""

READ_KIBANA: Final = tuple(
    f"feature_{name}.read"
    # Kibana 8.18 and later know the second of each pair, and those before the first.
    for feature in ("dashboard", "discover", "visualize")
    for name in (feature, f"{feature}_v2")
)


@dataclass(frozen=True, slots=True)
class Role:
    """One role.

    Attributes:
        name: Its name, and that of a user who has it.
        meaning: Who needs it.
        cluster: Cluster privileges.
        indices: Names -> privileges.
        kibana: Privileges in Kibana's default space.
    """

    name: str
    meaning: str
    cluster: tuple[str, ...]
    indices: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    kibana: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """As the server takes it."""
        body: dict[str, Any] = {"cluster": list(self.cluster)} if self.cluster else {}
        body["indices"] = [{"names": list(names), "privileges": list(rights)} for names, rights in self.indices]
        if self.kibana:
            application = {"application": "kibana-.kibana", "resources": ["space:default"]}
            body["applications"] = [{**application, "privileges": list(self.kibana)}]
        return body


ROLES: Final[tuple[Role, ...]] = (
    Role(
        "mllog_setup",
        "`mllog setup`, `--check` too; all but the roles and users, which take `manage_security`",
        ("manage_index_templates", "manage_ilm"),
        (
            (
                (*STREAMS, *RESULTS),
                (
                    "view_index_metadata",
                    "monitor",  # a rollover asks how large the index is
                    "manage_data_stream_lifecycle",
                    "indices:admin/mapping/put",
                    "indices:admin/settings/update",
                    "indices:admin/rollover",
                ),
            ),
        ),
    ),
    Role(
        "mllog_expire",
        "`mllog setup --expire --delete`",
        ("monitor",),
        ((MONTHS, ("view_index_metadata", "maintenance", "read", "delete_index")),),
    ),
    Role(
        "mllog_writer",
        "Logstash; it can add events, and neither read nor change any (`monitor`: it asks for version and licence)",
        ("monitor",),
        ((STREAMS, ("create_doc", "auto_configure")),),
    ),
    Role(
        "mllog_shipper",
        "loggers and `mllog ship`; it can add events, read them, change none, and keep the newest cards",
        (),
        (
            (STREAMS, ("create_doc", "auto_configure", "read", "maintenance")),
            ((CARDS,), ("index", "create_index", "view_index_metadata")),
        ),
    ),
    Role(
        "mllog_watcher",
        "`watchers` with Elasticsearch as their store; events are read only",
        (),
        (
            (STREAMS, ("read", "view_index_metadata")),
            (RESULTS, ("read", "write", "create_index", "view_index_metadata", "maintenance")),
        ),
    ),
    Role(
        "mllog_viewer",
        "who is on call: dashboards, incidents and the events behind them; no labels, dead letters or rejects",
        (),
        (((*SHOWN, *(name for name in RESULTS if name != TOLD)), ("read", "view_index_metadata")),),
        READ_KIBANA,
    ),
    Role(
        "mllog_auditor",
        "who has to know all of it: labels, deployments, changes of incidents, dead letters, what was told; reads only",
        (),
        (((*STREAMS, *RESULTS), ("read", "view_index_metadata")),),
        READ_KIBANA,
    ),
)

BY_NAME: Final[dict[str, Role]] = {role.name: role for role in ROLES}


def variable(user: str) -> str:
    """The environment's variable that holds the password of a user: ``MLLOG_WRITER_PASSWORD``."""
    return f"{user.upper()}_PASSWORD"
