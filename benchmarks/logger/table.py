"""The results as tables: in a terminal, and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.logger.contenders import CONTENDERS
from benchmarks.logger.fidelity import FEATURE
from benchmarks.logger.measuring import THREADS

Rows = dict[str, dict[str, Any]]
Cell = Callable[[dict[str, Any]], str]


def _micros(key: str) -> Cell:
    return lambda row: f"{row[f'{key}_us']:.1f}"


def _ratio(key: str) -> Cell:
    return lambda row: f"{row[f'{key}_ratio']:.2f}"


def _count(key: str) -> Cell:
    return lambda row: f"{row[key]:,}"


GROUPS: Final[dict[str, tuple[tuple[str, Cell], ...]]] = {
    "Burst, one thread": (
        ("call p50 µs", _micros("burst_p50")),
        ("ratio", _ratio("burst_p50")),
        ("p99 µs", _micros("burst_p99")),
        ("tax µs", _micros("burst_tax")),
        ("ratio", _ratio("burst_tax")),
        ("delivered/s", lambda row: f"{row['delivered_per_s']:,.0f}"),
    ),
    f"Burst, {THREADS} threads": (
        ("call p50 µs", _micros("threads_p50")),
        ("ratio", _ratio("threads_p50")),
        ("p99 µs", _micros("threads_p99")),
        ("p99 / p50", lambda row: f"{row['tail']:.1f}"),
        ("tax µs", _micros("threads_tax")),
        ("ratio", _ratio("threads_tax")),
    ),
    "Paced, one thread": (
        ("call p50 µs", _micros("paced_p50")),
        ("ratio", _ratio("paced_p50")),
        ("p99 µs", _micros("paced_p99")),
        ("tax µs", _micros("paced_tax")),
        ("ratio", _ratio("paced_tax")),
    ),
    "What comes out": (
        ("bytes", lambda row: f"{row['bytes_per_event']:,.0f}"),
        ("lost", _count("lost")),
        ("invalid", _count("invalid")),
        ("fidelity", lambda row: f"{row['fidelity']}/{row['fidelity_of']}"),
        ("numpy p50 µs", _micros("numpy_p50")),
        ("ratio", _ratio("numpy_p50")),
    ),
}

LEGEND: Final = f"""\
*call*: what the caller waits for one prediction, the clock's own cost subtracted. *Burst*: call after call in one
thread, or in {THREADS} at once. *Paced*: calls with sleep between them, so caches are cold. *tax*: CPU that one event
adds to the process, all threads, until everything is handed to the operating system (nobody syncs to the disk), the
empty loop subtracted. *ratio*: to the floor, run in the same process a moment before and after; median over rounds.
*delivered*: events on disk a second. *numpy*: a burst of the same rows with numpy scalars. *lost*: events that never
came out, all phases and rounds; *invalid*: lines of the burst that a strict JSON parser refuses. *fidelity*: odd
values of `{FEATURE}` that come out right.

An event has 30 inputs, two of them texts of 10 to 20 words, and an output of label and score. The floor is
`orjson.dumps` of them with id, nanoseconds, model, version and the versions of 40 packages, and one `os.write`; the
full event has an ISO time, a UUID and ECS fields too, and is a row like any other.
"""


REASONS: Final = {
    "CPU tax": (
        "The floor is one call into C and one system call, and knows neither a time as text nor an id. The same "
        "event as mllog writes it, by hand and without looking at a value, is the row *full event*. mllog looks at "
        "each value twice, once for the caller's snapshot and once to type it and to find what is missing, both "
        "compiled; with a card it also bins 17 numbers and looks up some 30 words. Most of what is left is Python "
        "between these (the record, the queue, the line's frame) and sha256 of what is written."
    ),
    "call p50 / floor, paced": (
        "After a pause the caches are cold, and the call runs through more code than the floor does. The time between "
        "two calls is the model's, so a service that is busy sees the figures of the burst."
    ),
    "call p50 / floor, burst": (
        "Behind the standard library: `logger.info(extra=)` alone, with a handler that does nothing, takes about as "
        "long as the floor."
    ),
    "p99": "Callers and writer share one interpreter lock, and here two cores with other processes.",
    "delivered": (
        "Delivery is as fast as its CPU lets it be; python-json-logger with orjson types and measures nothing, and "
        "writes numpy scalars as texts."
    ),
    "ms to import": "Modules are loaded with the first use of a name; `import mllog` alone loads one file.",
}
"""Why a target may be missed, by how it begins."""


def show(document: dict[str, Any]) -> None:
    """Print everything to the terminal."""
    console = Console()
    rows: Rows = document["contenders"]
    for heading, columns in GROUPS.items():
        table = Table(title=heading)
        table.add_column("contender", no_wrap=True)
        for title, _ in columns:
            table.add_column(title, justify="right")
        for name, row in rows.items():
            table.add_row(name, *_cells(row, columns))
        console.print(table)
    imports = Table(title="Imports")
    imports.add_column("statement or library")
    imports.add_column("ms", justify="right")
    imports.add_column("numpy")
    for name, took in document["imports"].items():
        imports.add_row(name, f"{took['ms']:.1f}", "yes" if took["numpy"] else "no")
    console.print(imports)
    goals = Table(title="Targets")
    for title in ("target", "contender", "limit", "measured", "met"):
        goals.add_column(title, justify="left" if title in {"target", "contender"} else "right")
    for target in document["targets"]:
        goals.add_row(*_target(target))
    console.print(goals)


def markdown(document: dict[str, Any]) -> str:
    """The page ``docs/benchmarks/logger.md``."""
    rows: Rows = document["contenders"]
    missed = [target for target in document["targets"] if not target["met"]]
    lines = [
        "# What one logged prediction costs\n",
        f"Written by `{document['command']}`; `make bench` prints the same for your machine.\n",
        _machine(document["machine"], document["settings"]),
        LEGEND,
        *(_group(rows, heading) for heading in GROUPS),
        "## Targets\n",
        _markdown_table(
            ["target", "contender", "limit", "measured", "met"], [_target(target) for target in document["targets"]]
        ),
        "Missed: " + "; ".join(f"{t['what']}, {t['contender']} ({_value(t['value'])})" for t in missed) + ".\n"
        if missed
        else "All are met.\n",
        *(
            f"- *{what}*: {reason}"
            for what, reason in REASONS.items()
            if any(t["what"].startswith(what) for t in missed)
        ),
        "\n## Imports\n",
        _markdown_table(
            ["statement or library", "ms", "loads numpy"],
            [[n, f"{t['ms']:.1f}", "yes" if t["numpy"] else "no"] for n, t in document["imports"].items()],
        ),
        "## Odd values that come out wrong\n",
        *(f"- {name}: {', '.join(row['wrong']) or 'none'}" for name, row in rows.items() if "error" not in row),
        "\n## Who they are\n",
        *(f"- {name}: {entry.note}" for name, entry in CONTENDERS.items() if entry.note),
        "\n## Versions\n",
        ", ".join(f"{name} {version}" for name, version in document["versions"].items()) + ".",
    ]
    return "\n".join(lines) + "\n"


def _machine(machine: dict[str, Any], settings: dict[str, Any]) -> str:
    return (
        f"{machine['cores']} cores ({machine['architecture']}, {machine['system']}), Python {machine['python']}, "
        f"load average {machine['load'][0]:.1f} before and {machine['load'][1]:.1f} after; other work shared the "
        f"machine. {settings['rounds']} rounds; in each {settings['events']:,} events in a burst, as many in {THREADS} "
        f"threads, {settings['paced']:,} at {settings['rate']:,.0f} a second, contenders one after the other.\n"
    )


def _group(rows: Rows, heading: str) -> str:
    columns = GROUPS[heading]
    header = ["contender", *(title for title, _ in columns)]
    return f"## {heading}\n\n{_markdown_table(header, [[name, *_cells(row, columns)] for name, row in rows.items()])}"


def _cells(row: dict[str, Any], columns: Iterable[tuple[str, Cell]]) -> list[str]:
    return ["failed" if "error" in row else cell(row) for _, cell in columns]


def _target(target: dict[str, Any]) -> list[str]:
    limit = f"{'>=' if target['at_least'] else '<='} {_value(target['limit'])}"
    met = ("yes, stretch too" if target["stretch"] else "yes") if target["met"] else "NO"
    return [target["what"], target["contender"], limit, _value(target["value"]), met]


def _value(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"


def _markdown_table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
