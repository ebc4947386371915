"""What ``mllog setup`` prints for people."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from mllog.elastic.report import DIFFERING, STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllog.elastic.expiry import Expired
    from mllog.elastic.report import Item, Report, State
    from mllog.elastic.retention import Class

_COLOURS: Final[dict[State, str]] = {
    "same": "green", "created": "green", "changed": "green", "rolled over": "green",
    "missing": "yellow", "different": "yellow", "left": "red", "newer": "red", "skipped": "magenta",
}  # fmt: skip


def print_report(report: Report) -> None:
    """What isn't as it was, each with its difference; the others are counted."""
    rich = importlib.util.find_spec("rich") is not None
    told = [item for item in report.items if item.state != "same"]
    if told and rich:
        _print_table(told)
    else:
        for item in told:
            print(f"{item.state:12} {item.kind:19} {item.name}{f': {item.detail}' if item.detail else ''}")
    for item in told:
        if item.diff:
            print(f"\n{item.kind} {item.name}:\n{item.diff}")
    same = sum(item.state == "same" for item in report.items)
    print(f"{same} of {len(report.items)} are as they should be")
    for state in dict.fromkeys(item.state for item in told if item.state in DIFFERING):
        print(f"{state}: {STATES[state]}")


def _print_table(items: Sequence[Item]) -> None:
    from rich.console import Console  # noqa: PLC0415 - an extra
    from rich.table import Table  # noqa: PLC0415 - an extra
    from rich.text import Text  # noqa: PLC0415 - an extra

    table = Table("", "what", "name")
    for item in items:
        text = Text(item.name)
        if item.detail:
            text.append(f"\n{item.detail}", style="dim")
        table.add_row(Text(item.state, style=_COLOURS[item.state]), item.kind, text)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def print_expired(keep: dict[Class, int], found: Sequence[Expired], *, delete: bool, as_json: bool) -> None:
    """Every month that is old enough, and what became of it."""
    if as_json:
        months: list[dict[str, Any]] = [
            {"index": one.index, "days": one.days, "documents": one.documents, "kept": one.kept, "deleted": one.deleted}
            for one in found
        ]
        print(json.dumps({"keep_days": keep, "delete": delete, "indices": months}))
        return
    for one in found:
        done = f"kept: {one.kept}" if one.kept else "deleted" if one.deleted else "can go"
        print(f"{one.index}  {one.documents} documents, older than {one.days} days: {done}")
    if not keep:
        print("this server was never set up, so it has no retention: run mllog setup first, or say --windows 400d")
    elif not found:
        print("no month is older than its retention")
    elif not delete:
        print("nothing was deleted; --expire --delete does it")
