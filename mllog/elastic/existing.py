"""Data streams and indices that are there already: a template only acts on what is made after it.

What can be added to them is added: new fields, settings that may change. Where a field's type would change it can't be
(https://www.elastic.co/docs/manage-data/data-store/mapping/update-mappings-examples): a data stream is rolled over, so
that its next backing index is made by the new template and the old ones stay searchable, a monthly index is left until
its successor, and a single one until somebody moves its documents. Nothing is deleted here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import elasticsearch

from mllog.elastic.comparing import difference, merged, normal, part
from mllog.elastic.indices import EVENTS, PLAIN, Index, matches, row_of
from mllog.elastic.report import Item
from mllog.elastic.server import Server, chunks, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Settings that hold for an index as long as it is there.
_FIXED: Final = ("mode", "codec", "mapping.ignore_malformed")
# What an index has that doesn't say it: a difference in spelling must not roll a data stream over.
_UNSAID: Final = {"mode": "standard", "codec": "default", "mapping.ignore_malformed": "false"}
_CHANGEABLE: Final = (
    "auto_expand_replicas",
    "mapping.total_fields.limit",
    "mapping.total_fields.ignore_dynamic_beyond_limit",
    "lifecycle.name",
)

_MISPLACED: Final = (
    "it is an index where a data stream should be, since events came before the templates, and it keeps new ones out: "
    "copy its documents into an index of another name (_reindex), delete it, and copy them back with op_type create; "
    "or just delete it"
)


@dataclass(frozen=True, slots=True)
class Existing:
    """One that is there.

    Attributes:
        name: Of the data stream or the index.
        write: The index that documents are added to; itself, where it is no data stream.
        row: Its row of the table.
    """

    name: str
    write: str
    row: Index

    @property
    def kind(self) -> str:
        """How a report calls it."""
        return "index" if self.name == self.write else "data stream"

    @property
    def is_misplaced(self) -> bool:
        """Whether it is an index where a data stream should be."""
        return self.row.kind == "stream" and self.name == self.write


def existing(server: Server) -> list[Existing]:
    """Data streams and indices of ours, by name."""
    # Patterns only: a full name that isn't there makes the whole answer a 404. Hidden ones too: an operator may have
    # hidden a data stream.
    answer = server.ask("GET", f"/_resolve/index/{quoted(EVENTS, PLAIN)}?expand_wildcards=open,hidden")
    answer = answer or {"data_streams": [], "indices": []}
    found = []
    for stream in answer["data_streams"]:
        row = row_of(stream["name"])
        if row is not None and row.kind == "stream":
            found.append(Existing(stream["name"], stream["backing_indices"][-1], row))
    for index in answer["indices"]:
        row = row_of(index["name"])
        if row is not None and "data_stream" not in index:
            found.append(Existing(index["name"], index["name"], row))
    return sorted(found, key=lambda one: one.name)


class Updating:
    """Brings what is there to what its template says now.

    Args:
        server: The server.
        wanted: Name of the index template -> ``{"mappings": ..., "settings": ...}`` that it makes, normal.
        change: Whether to do it, or only to say what would be done.
    """

    def __init__(self, server: Server, wanted: Mapping[str, Any], *, change: bool) -> None:
        self._server = server
        self._wanted = wanted
        self._change = change
        self._templates: dict[str, tuple[int, list[str]]] | None = None

    def items(self) -> Iterator[Item]:
        """What was found, and done, for each."""
        found = existing(self._server)
        by_write = {one.write: one for one in found if not one.is_misplaced}
        states: dict[str, Any] = {}
        for chunk in chunks(by_write):
            states |= self._server.ask("GET", f"/{quoted(*chunk)}?expand_wildcards=all") or {}
        for one in found:
            if one.is_misplaced:
                yield Item(one.kind, one.name, "left" if self._change else "different", _MISPLACED)
            elif one.write in states:
                yield self._item(one, states[one.write])

    def _item(self, one: Existing, state: Any) -> Item:
        wanted = self._wanted[one.row.name]
        there = {"mappings": normal(state["mappings"]), "settings": normal(state["settings"])}
        fields = difference(part(there["mappings"], wanted["mappings"]), wanted["mappings"])
        changeable = _some(there["settings"], wanted["settings"], _CHANGEABLE)
        fixed = _some(there["settings"], wanted["settings"], _FIXED)
        if not (fields or changeable or fixed):
            return Item(one.kind, one.name, "same")
        diff = "\n".join(filter(None, (fields, _shown(changeable | fixed))))
        other = self._made_by(one)
        if other is not None:
            return Item(
                one.kind,
                one.name,
                "skipped",
                f"index template {other} makes it, whose priority is higher: searches for fields that it lacks "
                "find nothing there",
                diff,
            )
        if not self._change:
            impossible = [f"{name} can't be changed" for name in fixed]
            impossible += retyped(there["mappings"], wanted["mappings"])
            then = "it would be rolled over" if one.row.kind == "stream" else "it would be left"
            detail = f"{', '.join(impossible)}: {then}" if impossible else ""
            return Item(one.kind, one.name, "different", detail, diff)
        if changeable:
            values = {f"index.{name}": values[1] for name, values in changeable.items()}
            self._server.ask("PUT", f"/{quoted(one.write)}/_settings", values)
        reason = self._extended(one, wanted["mappings"]) if fields else None
        if reason is None and not fixed:
            return Item(one.kind, one.name, "changed", diff=diff)
        return self._made_anew(one, reason or f"{', '.join(fixed)} can't be changed", diff)

    def _extended(self, one: Existing, mappings: Any) -> str | None:
        """Add the fields; why that can't be, where a field would have to change."""
        try:
            self._server.ask("PUT", f"/{quoted(one.write)}/_mapping", mappings)
        except elasticsearch.BadRequestError as error:
            return reason_of(error)
        return None

    def _made_anew(self, one: Existing, reason: str, diff: str) -> Item:
        if one.row.kind == "stream":
            self._server.ask("POST", f"/{quoted(one.name)}/_rollover", {})
            return Item(one.kind, one.name, "rolled over", reason, diff)
        if one.row.kind == "monthly":
            after = "next month's index will be as it should be"
        else:
            after = "copy it into an index of another name, delete it, run mllog setup, and copy the documents back"
        return Item(one.kind, one.name, "left", f"{reason}; {after}", diff)

    def _made_by(self, one: Existing) -> str | None:
        """The template that makes it instead of ours."""
        if self._templates is None:
            path = "/_index_template?filter_path=index_templates.name,index_templates.index_template.index_patterns,"
            answer = self._server.ask("GET", f"{path}index_templates.index_template.priority") or {}
            self._templates = {
                found["name"]: (found["index_template"].get("priority", 0), found["index_template"]["index_patterns"])
                for found in answer.get("index_templates", [])
            }
        above = (
            (priority, name)
            for name, (priority, patterns) in self._templates.items()
            if priority > one.row.priority and name not in self._wanted and any(matches(one.name, p) for p in patterns)
        )
        return max(above, default=(0, None))[1]


def effective(template: Any, components: Mapping[str, Any], custom: Any) -> Any:
    """What an index template makes, normal: its components, then the operator's own, then itself.

    Args:
        template: Body of the index template.
        components: Name -> body.
        custom: Body of ``mllog@custom``; ``None`` where there is none.
    """
    result: Any = {"mappings": {}, "settings": {}}
    for name in template["composed_of"]:
        body = components.get(name, custom) or {}
        result = merged(result, _spelled(body.get("template", {})))
    return merged(result, _spelled(template["template"]))


def retyped(there: Any, wanted: Any, path: str = "") -> list[str]:
    """Fields that have one type and should have another, each with both."""
    found = []
    for name, field in wanted.get("properties", {}).items():
        before = there.get("properties", {}).get(name)
        if before is None:
            continue
        old, new = (one.get("type", "object") for one in (before, field))
        found += [f"{path}{name} is {old} and should be {new}"] if old != new else []
        found += retyped(before, field, f"{path}{name}.")
    return found


def reason_of(error: elasticsearch.ApiError) -> str:
    """What the server says, in a few words."""
    body = error.body
    told = body.get("error", body) if isinstance(body, dict) else body
    return str(told.get("reason", told) if isinstance(told, dict) else told)


def _spelled(template: Any) -> Any:
    found = {"mappings": normal(template.get("mappings", {})), "settings": normal(template.get("settings", {}))}
    return {key: value for key, value in found.items() if value}


def _some(there: Any, wanted: Any, names: tuple[str, ...]) -> dict[str, tuple[str | None, str]]:
    """Settings that differ: name -> what is there, what should be."""
    pairs = {name: (_setting(there, name), _setting(wanted, name)) for name in names}
    return {name: (is_, to_be) for name, (is_, to_be) in pairs.items() if to_be is not None and is_ != to_be}


def _setting(settings: Any, name: str) -> str | None:
    place = settings.get("index", {})
    for step in name.split("."):
        place = place.get(step) if isinstance(place, dict) else None
    return place if isinstance(place, str) else _UNSAID.get(name)


def _shown(settings: Mapping[str, tuple[str | None, str]]) -> str:
    return "\n".join(f"-index.{name}: {is_}\n+index.{name}: {to_be}" for name, (is_, to_be) in settings.items())
