"""Writes the pages that are derived from code: ``python docs/generate.py``; a test holds them up to date."""

from __future__ import annotations

from pathlib import Path

from mllog.fields import ECS_VERSION, KEYWORD_LENGTH, TABLES, Field
from watchers import skew
from watchers.checks import all_checks

EVENTS_INTRODUCTION = f"""\
Derived from `mllog/fields.py` by `python docs/generate.py`: the one table from which index templates and
data views are made too.

Names follow the Elastic Common Schema {ECS_VERSION} where it has one. Keywords of more than {KEYWORD_LENGTH} characters
are kept in the document and left out of the index. `name.*` is a map with names of its own.
"""

CHECKS_INTRODUCTION = """\
Derived from `watchers/checks/` by `python docs/generate.py`; each file's docstring is the seed of its runbook. A new
check is one new file there.
"""

TITLES = {
    "event": "Events",
    "profile": "Profiles: an hour of a model, counted",
    "window": "Windows: what dashboards read",
    "finding": "Findings",
    "incident": "Incidents",
    "incident_event": "Changes of incidents",
    "card": "Cards",
    "state": "State of watchers",
    "run": "Runs of watchers",
}

REFERENCE = Path(__file__).parent / "reference"


def events_page() -> str:
    """The reference of all fields."""
    parts = [
        "# Events and documents\n",
        EVENTS_INTRODUCTION,
    ]
    for table, fields in TABLES.items():
        parts += [f"## {TITLES[table]}\n", _table(fields)]
    return "\n".join(parts)


def _table(fields: tuple[Field, ...]) -> str:
    rows = ["| field | type | meaning |", "|---|---|---|"]
    for field in fields:
        kind = field.type if field.index and field.enabled else f"{field.type}, not indexed"
        rows.append(f"| `{field.name}` | {kind} | {field.meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"


def checks_page() -> str:
    """The reference of all checks: the docstring of each file."""
    parts = [
        "# Checks\n",
        CHECKS_INTRODUCTION,
    ]
    for check in all_checks():
        module = __import__(f"watchers.checks.{check.name}", fromlist=["check"])
        when = "One window is enough." if check.immediate else "Two of three windows must alarm to open an incident."
        when += " It is judged against training too, once a day." if check.trained else ""
        parts.append(f"## `{check.name}`\n\n{(module.__doc__ or '').strip()}\n\n{when}\n")
    parts.append(f"## `{skew.NAME}`\n\n{(skew.__doc__ or '').strip()}\n\nOnce a day; two of three must find it.\n")
    return "\n".join(parts)


PAGES = {"events.md": events_page, "checks.md": checks_page}


def main() -> None:
    """Write all pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
