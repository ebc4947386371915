"""Puts into Kibana what is missing or differs, or says what would be put there; a second time it changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from kibana_objects.bundles import spelt
from kibana_objects.comparing import difference
from kibana_objects.importing import connectors, elsewhere, enabled, ran, why_not
from kibana_objects.server import Key, Kibana, RefusedError
from mllog.elastic.report import Item

_KINDS: Final = {
    "index-pattern": "data view",
    "search": "search",
    "dashboard": "dashboard",
    "tag": "tag",
    "alert": "rule",
}
"""Type -> what people call it."""

_FORBIDDEN: Final = 403
_BESIDE: Final = "it wasn't imported, since others beside it were refused"

Tell = Callable[[str], None]
Objects = Sequence[dict[str, Any]]


def ensure(kibana: Kibana, bundles: Mapping[str, Objects], *, change: bool, wait: float, tell: Tell) -> Iterator[Item]:
    """Import what is missing or differs, and enable the rules that aren't.

    Args:
        kibana: Where.
        bundles: File name -> its objects.
        change: Whether anything may be changed.
        wait: Seconds to wait for the first runs of rules that are enabled here.
        tell: Told what is being done.

    Yields:
        Each object, each rule with how it runs, and the connectors that rules tell.

    Raises:
        SettingError: That Kibana is too old.
        UnreachableError: It can't be reached, or refuses.
    """
    kibana.refuse_old()
    for name, objects in bundles.items():
        rules = [one for one in objects if one["type"] == "alert"]
        try:
            items = _objects(kibana, name, objects, change=change, tell=tell)
        except RefusedError as error:
            if not rules or error.status != _FORBIDDEN:
                raise
            yield Item("feature", "rules", "skipped", f"this user may not manage rules: {error}")
            continue
        if not rules:
            yield from items
            continue
        yield from _running(kibana, items, change=change, wait=wait, tell=tell)
        yield from _connectors(kibana, rules)


def _objects(kibana: Kibana, name: str, objects: Objects, *, change: bool, tell: Tell) -> list[Item]:
    """Objects of one file as they are there now; of those that aren't, why not."""
    there = kibana.export_objects(map(_key, objects))
    diffs = {_key(one): difference(there[_key(one)], one) for one in objects if _key(one) in there}
    lacking = [one for one in objects if diffs.get(_key(one)) != ""]
    refused: dict[Key, str] = {}
    if change and lacking:
        tell(f"import {name}: {len(lacking)} objects")
        refused = _refused(kibana.import_objects(name, spelt(lacking)), lacking)
    items = []
    for one in objects:
        key, item = _key(one), Item(_KINDS[one["type"]], one["id"], "same")
        diff = diffs.get(key)
        if diff is None:
            item = replace(item, state="created" if change else "missing")
        elif diff:
            item = replace(item, state="changed" if change else "different", diff=diff)
        items.append(replace(item, state="left", detail=refused[key]) if key in refused else item)
    return items


def _key(one: Mapping[str, Any]) -> Key:
    return one["type"], one["id"]


def _refused(answer: Mapping[str, Any], objects: Objects) -> dict[Key, str]:
    """Which objects an import didn't put where they should be, and why. One that is refused keeps all others out."""
    if answer["success"]:
        return elsewhere(answer)
    found = {(one["type"], one["id"]): why_not(one) for one in answer.get("errors", ())}
    return {_key(one): found.get(_key(one), _BESIDE) for one in objects}


def _running(kibana: Kibana, items: Sequence[Item], *, change: bool, wait: float, tell: Tell) -> Iterator[Item]:
    """Rules with how they run; those that are there and aren't enabled are, where anything may be changed."""
    there = {item.name: kibana.rule(item.name) for item in items if item.state not in {"missing", "left"}}
    idle = [identity for identity, rule in there.items() if not rule["enabled"]]
    begun = enabled(kibana, idle, wait=wait, tell=tell) if change else {}
    for item in items:
        if item.name not in there:
            yield item
        elif item.name in idle and not change:
            yield replace(item, state="different", detail="it isn't enabled")
        else:
            _, problem = begun.get(item.name) or ran(there[item.name], item.name) or ("pending", "")
            if problem:
                yield replace(item, state="left", detail=problem)
            elif item.name in begun and item.state == "same":
                yield replace(item, state="changed", detail="it is enabled now")
            else:
                yield item


def _connectors(kibana: Kibana, rules: Objects) -> Iterator[Item]:
    """What rules tell: mllog puts no connectors there, which may need secrets, and says what is missing."""
    try:
        found = connectors(kibana, rules)
    except RefusedError as error:
        if error.status != _FORBIDDEN:
            raise
        yield Item("feature", "connectors", "skipped", f"this user may not see connectors: {error}")
        return
    for identity, problem in found.items():
        yield Item("connector", identity, "left" if problem else "same", problem)
