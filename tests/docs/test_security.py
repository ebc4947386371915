"""The page on security says what the code does, and explains every rule of bandit's that it lets through."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from support import privileges, tls

from mllog.elastic.roles import ROLES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/how-to/security.md").read_text(encoding="utf-8")
NOQA = re.compile(r"#\s*noqa:\s*([A-Z0-9, ]+)")
RULE = re.compile(r"S(\d{3})?")


def keys() -> str:
    """Bodies of API keys, by role."""
    bodies = ({"name": role.name, "role_descriptors": {role.name: role.body()}} for role in ROLES)
    return "\n".join(f"```json\n{json.dumps(body)}\n```\n" for body in bodies)


DERIVED = {
    "keys": keys,
    "privileges": lambda: privileges.table({action.text: action.allowed for action in privileges.ACTIONS}),
    "tls": tls.table,
}


def between(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


@pytest.mark.parametrize("name", DERIVED)
def test_what_is_derived_is_up_to_date(name: str) -> None:
    """Tables and bodies equal those that tests hold against a real node."""
    assert between(name) == DERIVED[name]()


def test_every_role_is_explained() -> None:
    """And none that isn't there."""
    assert re.findall(r"^\| `(mllog_\w+)` \|", PAGE.split("## API keys")[0], re.MULTILINE) != []
    assert set(re.findall(r"^\| `(mllog_\w+)` \|", PAGE.split("## API keys")[0], re.MULTILINE)) == {role.name for role in ROLES}


def let_through() -> set[tuple[str, str]]:
    """Rules of ruff's `S` that something is excused from, and what."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    found = {(rule, "everywhere") for rule in lint["ignore"] if RULE.fullmatch(rule)}
    found |= {(rule, where) for where, rules in lint["per-file-ignores"].items() for rule in rules if RULE.fullmatch(rule)}
    for folder in ("mllog", "watchers", "kibana_objects", "examples", "docs"):
        for path in (ROOT / folder).rglob("*.py"):
            for codes in NOQA.findall(path.read_text(encoding="utf-8")):
                found |= {
                    (code, path.relative_to(ROOT).as_posix()) for code in re.split(r"[,\s]+", codes) if RULE.fullmatch(code)
                }
    return found


def test_no_rule_of_security_is_let_through_unexplained() -> None:
    """Each with its place and its reason; and none is explained that isn't there."""
    rows = re.findall(r"^\| `(S\d*)` \| `?([^`|]+?)`? \| (.+) \|$", PAGE, re.MULTILINE)
    assert {(rule, where) for rule, where, _ in rows} == let_through()
    assert all(len(reason) > 20 for _, _, reason in rows)


def test_bandit_is_not_turned_off_otherwise() -> None:
    """All of its rules are chosen, and no file is excused from everything."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    for folder in ("mllog", "watchers", "kibana_objects"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search(r"#\s*(ruff:\s*noqa|noqa\s*$|noqa\s*[^:])", path.read_text(encoding="utf-8"), re.MULTILINE), path
