"""Saved objects into a Kibana: imported, enabled, and seen to run.

An import that failed answers 200 too, so it is asked for ``success``; rules come in disabled, as they must, and one
that is enabled may still fail at each run: for rights, for a connector that isn't there, for an index.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kibana_objects.bundles import spelt
from kibana_objects.server import OLDEST, Kibana, RefusedError
from mllog.errors import SettingError

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
        What is there now. A second time nothing is different.

    Raises:
        SettingError: That Kibana is too old.
        UnreachableError: It can't be reached, or refuses a file as a whole.
    """
    version = kibana.version()
    if version < OLDEST:
        have, need = (".".join(map(str, each)) for each in (version, OLDEST))
        raise SettingError(f"{kibana.name} is Kibana {have}; these objects need {need}", field="kibana", value=have)
    done = Imported()
    for name, objects in bundles.items():
        tell(f"import {name}: {len(objects)} objects")
        answer = kibana.import_objects(name, spelt(objects))
        done.objects += int(answer.get("successCount", 0))
        if not answer["success"]:
            done.problems += [f"{name}: {_why(error)}" for error in answer.get("errors", ())] or [f"{name}: refused"]
    rules = [one for objects in bundles.values() for one in objects if one["type"] == "alert"]
    if rules and not done.problems:
        _connect(kibana, rules, done)
        _enable(kibana, [one["id"] for one in rules], done, wait, tell)
    return done


def _why(error: Json) -> str:
    """An error of an import, in words."""
    kind = error.get("error", {}).get("type", "unknown")
    who = f"{error.get('type')} {error.get('id')}"
    if kind == "missing_references":
        gone = ", ".join(f"{one['type']} {one['id']}" for one in error["error"].get("references", ()))
        return f"{who} refers to what isn't there: {gone}"
    return f"{who}: {error['error'].get('message') or kind}"


def _connect(kibana: Kibana, rules: Sequence[Json], done: Imported) -> None:
    """Name connectors that rules tell and that aren't there."""
    there = kibana.connectors()
    wanted = {
        action["actionRef"].removeprefix("preconfigured:"): action["actionTypeId"]
        for rule in rules
        for action in rule["attributes"]["actions"]
    }
    for identity, kind in wanted.items():
        if identity not in there:
            done.problems.append(
                f"connector {identity!r} ({kind}) isn't there: rules run and tell nobody. Put into kibana.yml: "
                f"xpack.actions.preconfigured.{identity}: {{name: {identity}, actionTypeId: {kind}}}"
            )
        elif there[identity].get("is_missing_secrets"):
            done.problems.append(f"connector {identity!r} has lost its secrets: type them in again")


def _enable(kibana: Kibana, ids: Sequence[str], done: Imported, wait: float, tell: Callable[[str], None]) -> None:
    """Enable rules and wait for their first runs."""
    for identity in ids:
        tell(f"enable {identity}")
        try:
            kibana.enable(identity)
        except RefusedError as error:
            done.rules[identity] = str(error)
            done.problems.append(f"rule {identity} can't be enabled: {error}")
    deadline = time.monotonic() + wait
    waiting = [identity for identity in ids if identity not in done.rules]
    while waiting:
        for identity in list(waiting):
            rule = kibana.rule(identity)
            status = rule.get("execution_status", {})
            state = str(status.get("status"))
            if not rule.get("enabled"):
                done.rules[identity] = "disabled"
                done.problems.append(f"rule {identity} was enabled and isn't")
            elif state == "error":
                why = status.get("error", {})
                done.rules[identity] = str(why.get("message") or why.get("reason") or "error")
                done.problems.append(f"rule {identity} doesn't run: {done.rules[identity]}")
            elif state in {"ok", "active", "warning"}:
                done.rules[identity] = state
            else:
                continue
            waiting.remove(identity)
        if waiting and time.monotonic() >= deadline:
            for identity in waiting:
                done.rules[identity] = "pending"
                done.problems.append(f"rule {identity} hasn't run within {wait:.0f} s; does Kibana's task manager?")
            return
        if waiting:
            time.sleep(_NAP)
