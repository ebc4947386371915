"""Writes the pages that are derived from code: ``python docs/generate.py``; a test holds them up to date."""

from __future__ import annotations

import json
from pathlib import Path

from mllog.elastic.indices import INDICES
from mllog.elastic.retention import CLASSES
from mllog.elastic.roles import ROLES
from mllog.elastic.templates import CUSTOM, SCHEMA, SETTINGS, mappings_name, settings_name
from mllog.fields import ECS_VERSION, KEYWORD_LENGTH, TABLES, Field
from watchers import skew
from watchers.checks import all_checks

EVENTS_INTRODUCTION = f"""\
Derived from `mllog/fields.py` by `python docs/generate.py`: the one table from which index templates and
data views are made too.

Names follow the Elastic Common Schema {ECS_VERSION} where it has one. Keywords of more than {KEYWORD_LENGTH} characters
are kept in the document and left out of the index. `name.*` is a map with names of its own.
"""

ELASTIC_INTRODUCTION = f"""\
Derived from `mllog/elastic/` by `python docs/generate.py`; [how to put it there](../how-to/elasticsearch.md). Schema
{SCHEMA}. Each index template is put together from its fields, its settings and the operator's own `{CUSTOM}`.
"""

ELASTIC_MONTHS = """\
`<month>` is the month of the document's `@timestamp`, in UTC, as in `mllog-window-2026.11`. Monthly indices are deleted
whole, when their last moment is older than the retention. Names and fields: [events and documents](events.md).
"""

ELASTIC_ROLES = """\
`mllog setup` makes these roles; each is the body of `PUT /_security/role/<name>`, and privileges are those of a Basic
licence. [Who needs which](../how-to/security.md), and what each was let do on a real server.
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
    "told": "Messages that were told",
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


def elastic_page() -> str:
    """The reference of templates, retention, settings and roles."""
    rows = ["| index template | for | holds | fields | kept |", "|---|---|---|---|---|"]
    for row in INDICES:
        shown = [f"{name.removesuffix('*')}<month>" if row.kind == "monthly" else name for name in row.patterns]
        names = "<br>".join(f"`{name}`" for name in shown)
        kept = "for ever" if row.keep is None else f"{CLASSES[row.keep][0]} (`--{row.keep}`)"
        parts = f"`{mappings_name(row.table)}`, `{settings_name(row)}`"
        rows.append(f"| `{row.name}` | {names} | {row.meaning} | {parts} | {kept} |")
    settings = ["| component template | setting | value |", "|---|---|---|"]
    for name, values in SETTINGS.items():
        settings += [f"| `{name}` | `{key}` | `{value}` |" for key, value in values.items()]
    roles = [f"`{role.name}`: {role.meaning}.\n\n```json\n{json.dumps(role.body())}\n```\n" for role in ROLES]
    return "\n".join(
        [
            "# What Elasticsearch holds\n",
            ELASTIC_INTRODUCTION,
            "\n".join(rows) + "\n",
            ELASTIC_MONTHS,
            "## Settings\n",
            "\n".join(settings) + "\n",
            "## Privileges\n",
            ELASTIC_ROLES,
            *roles,
        ]
    )


PAGES = {"events.md": events_page, "checks.md": checks_page, "elasticsearch.md": elastic_page}


def main() -> None:
    """Write all pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
