"""The results in a terminal, and as a page of Markdown."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table as Shown

from benchmarks.detection.contenders import CONTENDERS
from benchmarks.detection.short import in_short
from benchmarks.detection.tables import Document, Table, tables

WORDS: Final = """\
*resampled*: rows drawn from all calm days with replacement, the only true null. *consecutive*: rows as they came on
calm days (under 5 % of flights cancelled); what alarms there may be true. *one day, resampled*: a window drawn from
one calm day, behind windows drawn from the 28 calm days before. Every contender gets the same reference, cut into
windows of the judged one's length. *checks*: one feature in one window. Behind each share stand its counts and the
95 % interval of Wilson. Peers are given no texts. Nulls: 1 % of two features' values are null to begin with.
"""


def show(document: Document) -> None:
    """Print everything to the terminal."""
    console = Console()
    for table in (*tables(document), in_short(document)):
        shown = Shown(title=table.heading)
        for position, column in enumerate(table.columns):
            shown.add_column(column, justify="left" if position == 0 else "right", overflow="fold")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
    console.print(f"seed {document['seed']}, {document['seconds']:.0f} s, load {document['machine']['load']}")


def markdown(document: Document) -> str:
    """The page ``docs/benchmarks/detection.md``."""
    machine = document["machine"]
    versions = ", ".join(
        f"{name} {version}".replace(f"{name} {name}==", f"{name} ") for name, version in document["versions"].items()
    )
    lines = [
        "# What is found, and how often nothing is called a fault\n",
        f"Written by `{document['command']} --markdown FILE`; `make bench-detection` prints a short one here.\n",
        (
            f"{machine['cores']} cores ({machine['architecture']}, {machine['system']}), Python {machine['python']}, "
            f"load average {machine['load'][0]:.1f} before and {machine['load'][1]:.1f} after; other work shared the "
            f"machine. Seed {document['seed']}.\n"
        ),
        WORDS,
    ]
    every = [in_short(document), *tables(document)]
    for table in (table for table in every if table.first):
        lines += [f"## {table.heading}\n", *_body(table)]
    lines.append("## All tables\n")
    for table in (table for table in every if not table.first):
        lines += [f"<details><summary>{table.heading}</summary>\n", *_body(table), "</details>\n"]
    lines += ["## Who they are\n", *(f"- {name}: {entry.note}" for name, entry in CONTENDERS.items())]
    lines += ["\n## Versions\n", versions + "."]
    return "\n".join(lines) + "\n"


def _body(table: Table) -> list[str]:
    rows = [list(table.columns), ["---"] * len(table.columns), *table.rows] if table.rows else []
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return [*lines, *([""] if rows else []), *([f"{table.note}\n"] if table.note else [])]
