"""The results as tables, and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

MODELS: Final = 500
SECONDS: Final = 300.0
"""That so many models may take."""

FLAT: Final = 1.2
"""Peak memory of the large fleet to that of the small one."""

GROWING: Final = 1.5
"""Seconds for a model, large fleet to small one, from which on it is said to grow with the fleet."""

_WORDS: Final = """\
Every model is a data stream of its own with {events} events in the new hour, a card of {features} inputs, and {days}
days of stored hours; the pass is `watchers.schedule.run` in a process of its own, which judges the hour over 1, 4 and
24 hours. All have one ruler; cards of the node's other namespaces are read too. *client*: its CPU; *node*: CPU of the
node meanwhile. One pass over a fifth of the fleet comes first, in another namespace of the same node.
"""


def markdown(document: dict[str, Any]) -> str:
    """The page."""
    machine, versions = document["machine"], document["versions"]
    before, after = machine["load"]
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"""# One pass over a fleet

Written by `{document["command"]} --markdown FILE`.

{machine["cores"]} cores ({machine["architecture"]}, {machine["system"]}), shared with the node (heap \
{document["heap"]}) and other work; Python {machine["python"]}, Elasticsearch {document["node"]}, {told}; load average \
{before:.1f} before and {after:.1f} after.

{_WORDS.format(**document)}{document.get("note", "")}
## Targets

{targets(document)}

## The passes

{_passes(document["passes"])}

## What the store was asked

Calls and seconds for one model; what grows from the small fleet to the large one is work that each model does for all
others.

{_calls(document["passes"])}
"""


def targets(document: dict[str, Any]) -> str:
    """The targets and whether they are met."""
    small, large = document["passes"][0], document["passes"][-1]
    models = large["models"]
    # On one core client and node take turns, so their CPU is what the pass would take.
    cpu = large["cpu"] + (large["node"] or 0.0)
    what = f"one pass over {MODELS} models" + (f" at the pace of {models}" if models != MODELS else "")
    rows = [
        (f"{what}, wall, s", SECONDS, large["wall"] * MODELS / models),
        (f"{what}, CPU of client and node, s", SECONDS, cpu * MODELS / models),
        (f"peak memory, {models} models / {small['models']}", FLAT, large["peak_mb"] / small["peak_mb"]),
    ]
    return _table(
        ("what", "target", "measured", "met"),
        [(what, f"<= {limit:g}", f"{value:.3g}", "yes" if value <= limit else "**no**") for what, limit, value in rows],
    )


def _passes(passes: Sequence[dict[str, Any]]) -> str:
    return _table(
        ("models", "wall s", "client s", "node s", "ms/model", "requests/model", "kB/model", "peak MB", "alerts"),
        [
            (
                f"{row['models']}",
                f"{row['wall']:.1f}",
                f"{row['cpu']:.1f}",
                "" if row["node"] is None else f"{row['node']:.1f}",
                f"{1e3 * row['wall'] / row['models']:.0f}",
                f"{row['requests'] / row['models']:.1f}",
                f"{row['received'] / row['models'] / 1e3:,.0f}",
                f"{row['peak_mb']:.0f}",
                f"{row['alerts']}",
            )
            for row in passes
        ],
    )


def _calls(passes: Sequence[dict[str, Any]]) -> str:
    small, large = passes[0], passes[-1]
    names = sorted(large["calls"], key=lambda name: -large["calls"][name][1])
    head = ("call", "a model", *(f"ms/model of {row['models']}" for row in (small, large)), "grows")
    rows = []
    for name in names:
        each = [1e3 * row["calls"].get(name, [0, 0.0])[1] / row["models"] for row in (small, large)]
        grows = "yes" if each[1] > GROWING * each[0] and each[1] >= 1.0 else ""
        calls = large["calls"][name][0] / large["models"]
        rows.append((f"`{name}`", f"{calls:.2f}", *(f"{value:.1f}" for value in each), grows))
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))
