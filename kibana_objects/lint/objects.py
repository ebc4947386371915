"""Objects for themselves: ids, versions, titles, strings that hold JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kibana_objects.lint.problem import Bundle, Json, Problem, called
from kibana_objects.objects import CORE_MIGRATION, TAG, VERSIONS

_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,254}")
_PLACEHOLDER: Final = re.compile(r"\b(?:TODO|FIXME|XXX|lorem ipsum|changeme|foo|example\.(?:org|com))\b", re.IGNORECASE)
_BRACKET: Final = "[mllog] "
_JSON: Final = frozenset({"fieldAttrs", "fieldFormatMap", "runtimeFieldMap", "sourceFilters", "esQuery"})
"""Attributes that are strings of JSON, beside those whose names say so."""


def ids(bundle: Bundle) -> Iterator[Problem]:
    """Two objects of one id are a refused file; an id that changes leaves dead links."""
    counts = Counter((one.get("type"), one.get("id")) for one in bundle.objects)
    for (kind, identity), count in counts.items():
        if count > 1:
            yield Problem(f"{kind} {identity}", "", f"is there {count} times")
        if not isinstance(identity, str) or not _ID.fullmatch(identity):
            yield Problem(f"{kind} {identity}", "id", "isn't made of a-z 0-9 . _ -, so that it could go into a URL")


def versions(bundle: Bundle) -> Iterator[Problem]:
    """An undeclared version runs every old migration; a newer one than the server's is refused."""
    for one in bundle.objects:
        wanted = VERSIONS.get(str(one.get("type")))
        if wanted is None:
            yield Problem(called(one), "type", "is none that is built here")
        elif one.get("typeMigrationVersion") != wanted:
            said = one.get("typeMigrationVersion")
            yield Problem(called(one), "typeMigrationVersion", f"is {said!r}, its shape is that of {wanted!r}")
        if one.get("coreMigrationVersion") != CORE_MIGRATION:
            said = one.get("coreMigrationVersion")
            yield Problem(called(one), "coreMigrationVersion", f"is {said!r}, not {CORE_MIGRATION!r}")
        if one.get("managed"):
            yield Problem(called(one), "managed", "makes it read-only for those who own it")
        for name in ("created_at", "updated_at", "version", "namespaces"):
            if name in one:
                yield Problem(called(one), name, "is ignored at an import, and makes builds differ")


def titles(bundle: Bundle) -> Iterator[Problem]:
    """What people find it by, and what it is for."""
    for one in bundle.objects:
        held = one.get("attributes", {})
        if one.get("type") in {"dashboard", "search"}:
            if not str(held.get("title", "")).startswith(_BRACKET):
                yield Problem(called(one), "title", f"{held.get('title')!r} doesn't begin with {_BRACKET!r}")
            if not held.get("description"):
                yield Problem(called(one), "description", "is missing: say what is seen in it")
            if not any(ref.get("type") == "tag" and ref.get("id") == TAG for ref in one.get("references", ())):
                yield Problem(called(one), "references", f"don't have the tag {TAG!r}")
        if _PLACEHOLDER.search(json.dumps(held)):
            yield Problem(called(one), "attributes", "have a text that stands for another one")


def strings(bundle: Bundle) -> Iterator[Problem]:
    """Strings of JSON, which an import doesn't parse."""
    for one in bundle.objects:
        for name, text in _strings(one.get("attributes", {})):
            try:
                json.loads(text)
            except (TypeError, ValueError) as error:
                bundle.broken.add(str(one.get("id")))
                yield Problem(called(one), name, f"is no JSON: {error}")


def _strings(held: Json) -> Iterator[tuple[str, Any]]:
    for name, value in held.items():
        if name.endswith("JSON") or name in _JSON:
            yield name, value
        elif isinstance(value, Mapping):
            yield from _strings(value)


def rules(bundle: Bundle) -> Iterator[Problem]:
    """Rules: what the alerting framework refuses when they are enabled, long after the import."""
    for one in bundle.of("alert"):
        held = one["attributes"]
        if held.get("enabled") or held.get("apiKey") or held.get("scheduledTaskId"):
            yield Problem(called(one), "enabled", "an import makes neither its key nor its task: import it disabled")
        if held.get("alertTypeId") not in {".es-query", ".index-threshold"}:
            yield Problem(called(one), "alertTypeId", f"{held.get('alertTypeId')!r} is none that a Basic licence has")
        params = held.get("params", {})
        if params.get("groupBy") == "top" and not (params.get("termField") and params.get("termSize")):
            yield Problem(called(one), "params", "groups by a field that it doesn't name")
        groups = {action.get("group") for action in held.get("actions", ())}
        if not groups:
            yield Problem(called(one), "actions", "nobody is told")
        if not groups <= {"query matched", "threshold met", "recovered"}:
            yield Problem(called(one), "actions", f"have groups that its type doesn't: {sorted(map(str, groups))}")


RULES: Final = (ids, versions, titles, strings, rules)
