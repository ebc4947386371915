"""Puts into Elasticsearch what mllog needs there, or says what is missing; a second time it changes nothing.

In this order: lifecycle policies, component templates, index templates (the next may name the one before), then what is
there already, then roles. Nothing is ever deleted, and what a newer mllog has put there is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import elasticsearch

from mllog.elastic import lifecycle, templates
from mllog.elastic.comparing import difference, normal
from mllog.elastic.existing import Updating, effective
from mllog.elastic.indices import EVENTS, INDICES, row_of
from mllog.elastic.report import Item, Report
from mllog.elastic.retention import DEFAULTS
from mllog.elastic.roles import ROLES
from mllog.elastic.server import LackingError, Server, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from elasticsearch import Elasticsearch

    from mllog.elastic.retention import Class

_COMPONENT: Final = "component template"
_TEMPLATE: Final = "index template"
_POLICY: Final = "lifecycle policy"
_ROLE: Final = "role"
_PATHS: Final = {
    _COMPONENT: "_component_template",
    _TEMPLATE: "_index_template",
    _POLICY: "_ilm/policy",
    _ROLE: "_security/role",
}
_OPEN: Final = "security is off there (xpack.security.enabled): whoever reaches the server may do everything"
_FORBIDDEN: Final = (
    "this user may not manage roles (privilege manage_security): they are as somebody left them; run mllog setup once "
    "as one who may, such as elastic"
)


def ensure(client: Elasticsearch, keep: Mapping[Class, int] | None = None) -> Report:
    """Put what is missing or differs.

    Args:
        client: Of :func:`mllog.elastic.client.connect`; calls may be within :func:`mllog.elastic.client.explained`.
        keep: Class of retention -> days. Those that aren't given stay as they are there, else are the defaults.

    Raises:
        elasticsearch.ApiError: The server refuses.
        elasticsearch.TransportError: It can't be reached.
    """
    return _Setup(Server(client), keep or {}, change=True).run()


def check(client: Elasticsearch, keep: Mapping[Class, int] | None = None) -> Report:
    """Say what :func:`ensure` would change, and change nothing; arguments and errors are the same."""
    return _Setup(Server(client), keep or {}, change=False).run()


class _Setup:
    def __init__(self, server: Server, keep: Mapping[Class, int], *, change: bool) -> None:
        self._server = server
        self._change = change
        self._there: dict[str, dict[str, Any]] = {
            _COMPONENT: _named(server, _PATHS[_COMPONENT], "component_template"),
            _TEMPLATE: _named(server, _PATHS[_TEMPLATE], "index_template"),
        }
        self._roleless = self._roles_there()
        self._before = kept(self._there[_TEMPLATE])
        self._keep: dict[Class, int] = {**DEFAULTS, **self._before, **keep}

    def run(self) -> Report:
        report = Report(self._keep, templates.SCHEMA)
        newer = list(self._newer())
        if newer:
            report.items = newer
            return report
        policies = lifecycle.policies(self._keep, templates.meta())
        lacking = self._policies_there(policies)
        components = templates.component_templates()
        indices = templates.index_templates(self._keep, policies=lacking is None)
        if lacking is None:
            report.items += self._put(_POLICY, policies)
        else:
            report.items.append(lacking)
        report.items += self._put(_COMPONENT, components)
        report.items += self._put(_TEMPLATE, indices)
        custom = self._there[_COMPONENT].get(templates.CUSTOM)
        wanted = {name: effective(body, components, custom) for name, body in indices.items()}
        report.items += Updating(self._server, wanted, change=self._change).items()
        report.items += self._retention()
        report.items += self._roles()
        return report

    def _newer(self) -> Iterator[Item]:
        for kind, found in self._there.items():
            for name, body in found.items():
                schema = body.get("metadata" if kind == _ROLE else "_meta", {}).get("schema")
                if isinstance(schema, int) and schema > templates.SCHEMA:
                    detail = f"schema {schema}, this mllog's is {templates.SCHEMA}: install the newer mllog here"
                    yield Item(kind, name, "newer", detail)

    def _policies_there(self, wanted: Iterable[str]) -> Item | None:
        """Look for our policies; what to say where the server has none at all."""
        try:
            for name in wanted:
                answer = self._server.ask("GET", f"/{_PATHS[_POLICY]}/{quoted(name)}") or {}
                self._there.setdefault(_POLICY, {}).update({key: _policy(body) for key, body in answer.items()})
        except LackingError:
            return Item(
                "feature",
                "index lifecycle management",
                "skipped",
                f"old months of {', '.join(row.name for row in INDICES if row.kind == 'monthly')} aren't deleted by "
                "themselves: run mllog setup --expire --delete daily",
            )
        return None

    def _roles_there(self) -> Item | None:
        """Look for our roles; what to say where they can't be looked at."""
        try:
            answer = self._server.ask("GET", f"/{_PATHS[_ROLE]}/{quoted(*(role.name for role in ROLES))}") or {}
        except LackingError:
            return Item("feature", "roles", "skipped", _OPEN)
        except elasticsearch.AuthorizationException:
            return Item("feature", "roles", "skipped", _FORBIDDEN)
        self._there[_ROLE] = {name: role_as_put(body) for name, body in answer.items()}
        return None

    def _roles(self) -> Iterator[Item]:
        if self._roleless is not None:
            yield self._roleless
            return
        try:
            yield from self._put(_ROLE, {role.name: {**role.body(), "metadata": templates.meta()} for role in ROLES})
        except elasticsearch.AuthorizationException:
            yield Item("feature", "roles", "skipped", _FORBIDDEN)

    def _put(self, kind: str, wanted: Mapping[str, Any]) -> Iterator[Item]:
        there = self._there.get(kind, {})
        for name, body in wanted.items():
            diff = difference(normal(there[name]), normal(body)) if name in there else ""
            if name in there and not diff:
                yield Item(kind, name, "same")
            elif not self._change:
                yield Item(kind, name, "different" if name in there else "missing", diff=diff)
            else:
                self._server.ask("PUT", f"/{_PATHS[kind]}/{quoted(name)}", body)
                yield Item(kind, name, "changed" if name in there else "created", diff=diff)

    def _retention(self) -> Iterator[Item]:
        """Data streams have their own retention, from when they were made; what an operator gave one stays."""
        try:
            answer = self._server.ask("GET", f"/_data_stream/{quoted(EVENTS)}?expand_wildcards=open,hidden") or {}
        except LackingError:
            yield Item(
                "feature",
                "lifecycle of data streams",
                "skipped",
                "data streams that are there keep the retention that they were made with; new ones get the template's",
            )
            return
        for stream in answer.get("data_streams", []):
            row = row_of(stream["name"])
            if row is None or row.keep is None or stream.get("template") != row.name:
                continue
            name = f"{stream['name']} retention"
            there = stream.get("lifecycle", {}).get("data_retention")
            wanted = lifecycle.span(self._keep[row.keep])
            before = self._before.get(row.keep)
            if there == wanted or (there is not None and (before is None or there != lifecycle.span(before))):
                yield Item("data stream", name, "same", "" if there == wanted else f"{there}, which isn't mllog's")
                continue
            diff = difference({"data_retention": there}, {"data_retention": wanted})
            if self._change:
                path = f"/_data_stream/{quoted(stream['name'])}/_lifecycle"
                self._server.ask("PUT", path, {"data_retention": wanted})
            yield Item("data stream", name, "changed" if self._change else "different", diff=diff)


def kept(index_templates: Mapping[str, Any]) -> dict[Class, int]:
    """Retention as the index templates of a server have it: class -> days."""
    found: dict[Class, int] = {}
    for row in INDICES:
        told = index_templates.get(row.name, {}).get("_meta", {}).get("keep")
        if row.keep is not None and isinstance(told, dict) and isinstance(told.get("days"), int):
            found[row.keep] = told["days"]
    return found


def _named(server: Server, path: str, key: str) -> dict[str, Any]:
    """Ours of one kind of template: name -> body."""
    answer = server.ask("GET", f"/{path}/mllog*") or {}
    return {found["name"]: found[key] for found in answer.get(f"{key}s", [])}


def retention(client: Elasticsearch) -> dict[Class, int]:
    """Retention that a server has: class -> days; empty before the first setup. Raises as :func:`ensure`."""
    return kept(_named(Server(client), _PATHS[_TEMPLATE], "index_template"))


def role_as_put(body: Mapping[str, Any]) -> dict[str, Any]:
    """A role as the server answers it, without what it adds to every one."""
    spelled = {name: value for name, value in body.items() if value not in ([], {}) and name != "transient_metadata"}
    for entry in spelled.get("indices", []):
        if entry.get("allow_restricted_indices") is False:
            del entry["allow_restricted_indices"]
    return spelled


def _policy(body: Any) -> Any:
    """A policy as it is put."""
    return {"policy": body["policy"]}
