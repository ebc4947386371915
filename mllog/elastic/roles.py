"""THE table of privileges: what each part of mllog needs, and no more. The reference page derives from it.

They are the bodies of ``PUT /_security/role/<name>``; roles, users and API keys are the operator's to make, so no setup
does. https://www.elastic.co/docs/reference/elasticsearch/security-privileges
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mllog.elastic.cards import CARDS
from mllog.elastic.indices import INDICES

STREAMS: Final = ("logs-mllog.*",)
RESULTS: Final = tuple(pattern for row in INDICES if row.kind != "stream" for pattern in row.patterns)
"""What watchers write: exact, since somebody else's index may begin with ``mllog-`` too."""


@dataclass(frozen=True, slots=True)
class Role:
    """One role.

    Attributes:
        name: A name for it.
        meaning: Who needs it.
        cluster: Cluster privileges.
        indices: Names -> privileges.
    """

    name: str
    meaning: str
    cluster: tuple[str, ...]
    indices: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]

    def body(self) -> dict[str, Any]:
        """As the server takes it."""
        return {
            "cluster": list(self.cluster),
            "indices": [{"names": list(names), "privileges": list(rights)} for names, rights in self.indices],
        }


ROLES: Final[tuple[Role, ...]] = (
    Role(
        "mllog_setup",
        "`mllog setup`, `--check` too",
        ("manage_index_templates", "manage_ilm"),
        (((*STREAMS, *RESULTS), ("manage",)),),
    ),
    Role(
        "mllog_expire",
        "`mllog setup --expire --delete`",
        ("monitor",),
        ((RESULTS, ("view_index_metadata", "maintenance", "read", "delete_index")),),
    ),
    Role(
        "mllog_ship",
        "loggers and `mllog ship`; it can add events and change none, and keeps the newest cards",
        (),
        (
            (STREAMS, ("create_doc", "auto_configure", "read", "maintenance")),
            ((CARDS,), ("index", "create_index", "view_index_metadata")),
        ),
    ),
    Role(
        "mllog_watch",
        "`watchers` with Elasticsearch as their store",
        (),
        (
            (STREAMS, ("read", "view_index_metadata")),
            (RESULTS, ("read", "write", "create_index", "view_index_metadata", "maintenance")),
        ),
    ),
    Role(
        "mllog_read",
        "who looks at dashboards and documents",
        (),
        (((*STREAMS, *RESULTS), ("read", "view_index_metadata")),),
    ),
)
