"""Saved objects into a Kibana: imported, enabled, and seen to run.

An import that failed answers 200 too, so it is asked for ``success``; rules come in disabled, as they must, and one
that is enabled may still fail at each run: for rights, for a connector that isn't there, for an index.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kibana_objects.bundles import spelt
from kibana_objects.server import Key, Kibana, RefusedError

_NAP: Final = 1.0
Json = Mapping[str, Any]


@dataclass(slots=True)
class Imported:
    """What became of it.

    Attributes:
        objects: How many are there now.
        rules: Id -> ``ok``, ``active``, ``pending``, or why it doesn't run.
        problems: What went wrong, in words.
    """

    objects: int = 0
    rules: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def import_into(
    kibana: Kibana,
    bundles: Mapping[str, Sequence[dict[str, Any]]],
    *,
    wait: float,
    tell: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Import bundles, enable their rules and wait until each has run.

    Args:
        kibana: Where.
        bundles: File name -> its objects.
        wait: Seconds to wait for the rules' first runs.
        tell: Told what is being done.

    Returns:
        What is there now. A second time it is the same, though rules were disabled for a moment.

    Raises:
        SettingError: That Kibana is too old.
        UnreachableError: It can't be reached, or refuses a file as a whole.
    """
    kibana.refuse_old()
    done = Imported()
    for name, objects in bundles.items():
        tell(f"import {name}: {len(objects)} objects")
        answer = kibana.import_objects(name, spelt(objects))
        done.objects += answer["successCount"]
        done.problems += [f"{name}: {kind} {identity}: {why}" for (kind, identity), why in elsewhere(answer).items()]
        if not answer["success"]:
            done.problems += [f"{name}: {why_not(error)}" for error in answer.get("errors", ())] or [f"{name}: refused"]
    rules = [one for objects in bundles.values() for one in objects if one["type"] == "alert"]
    if rules and not done.problems:
        done.problems += [problem for problem in connectors(kibana, rules).values() if problem]
        for identity, (state, problem) in enabled(kibana, [one["id"] for one in rules], wait=wait, tell=tell).items():
            done.rules[identity] = state
            done.problems += [problem] if problem else []
    return done


def elsewhere(answer: Json) -> dict[Key, str]:
    """Objects that an import put under ids of Kibana's own, and why: by type and the id that they should have.

    Args:
        answer: What it answered.
    """
    return {
        (one["type"], one["id"]): "another space has an object of this id, so Kibana gave it another one here: "
        f"{one['destinationId']}; links that lead to it by its id don't"
        for one in answer.get("successResults", ())
        if one.get("destinationId", one["id"]) != one["id"]
    }


def why_not(error: Json) -> str:
    """An error of an import, in words."""
    kind = error["error"]["type"]
    who = f"{error['type']} {error['id']}"
    if kind == "missing_references":
        gone = ", ".join(f"{one['type']} {one['id']}" for one in error["error"].get("references", ()))
        return f"{who} refers to what isn't there: {gone}"
    return f"{who}: {error['error'].get('message') or kind}"


def connectors(kibana: Kibana, rules: Iterable[Json]) -> dict[str, str]:
    """Connectors that rules tell, each with what is wrong with it; empty where nothing is.

    Args:
        kibana: Where.
        rules: As they would be imported.

    Raises:
        UnreachableError: It can't be reached, or refuses.
    """
    there = kibana.connectors()
    wanted = {
        action["actionRef"].removeprefix("preconfigured:"): action["actionTypeId"]
        for rule in rules
        for action in rule["attributes"]["actions"]
    }
    found = {}
    for identity, kind in wanted.items():
        found[identity] = ""
        if identity not in there:
            found[identity] = (
                f"connector {identity!r} ({kind}) isn't there: rules run and tell nobody. Put into kibana.yml: "
                f"xpack.actions.preconfigured.{identity}: {{name: {identity}, actionTypeId: {kind}}}"
            )
        elif there[identity].get("is_missing_secrets"):
            found[identity] = f"connector {identity!r} has lost its secrets: type them in again"
    return found


def enabled(
    kibana: Kibana, ids: Sequence[str], *, wait: float, tell: Callable[[str], None]
) -> dict[str, tuple[str, str]]:
    """Enable rules and wait for their first runs.

    Args:
        kibana: Where.
        ids: The rules'.
        wait: So many seconds.
        tell: Told what is being done.

    Returns:
        Id -> what became of it, and what is wrong with that; empty where nothing is.

    Raises:
        UnreachableError: It can't be reached, or a rule isn't there.
    """
    found: dict[str, tuple[str, str]] = {}
    for identity in ids:
        tell(f"enable {identity}")
        try:
            kibana.enable(identity)
        except RefusedError as error:
            found[identity] = str(error), f"rule {identity} can't be enabled: {error}"
    deadline = time.monotonic() + wait
    waiting = [identity for identity in ids if identity not in found]
    while waiting:
        looked = {identity: ran(kibana.rule(identity), identity) for identity in waiting}
        found |= {identity: seen for identity, seen in looked.items() if seen is not None}
        waiting = [identity for identity, seen in looked.items() if seen is None]
        if waiting and time.monotonic() >= deadline:
            late = f"hasn't run within {wait:.0f} s; does Kibana's task manager?"
            return found | {identity: ("pending", f"rule {identity} {late}") for identity in waiting}
        if waiting:
            time.sleep(_NAP)
    return {identity: found[identity] for identity in ids}


def ran(rule: Json, identity: str) -> tuple[str, str] | None:
    """How the last run of a rule went, and what is wrong with it; None where it hasn't run yet.

    Args:
        rule: As ``GET /api/alerting/rule/<id>`` answers it.
        identity: Its id.
    """
    if not rule["enabled"]:
        return "disabled", f"rule {identity} was enabled and isn't"
    status = rule["execution_status"]
    state = status["status"]
    if state == "error":
        why = status.get("error") or {}
        told = str(why.get("message") or why.get("reason") or "error")
        return told, f"rule {identity} doesn't run: {told}"
    return (state, "") if state in {"ok", "active", "warning"} else None
