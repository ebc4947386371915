"""The results as a table, and as a page of Markdown."""

from __future__ import annotations

from typing import Any, Final

_HEAD: Final = ("way", "events/s", "ratio", "CPU µs/event", "ratio")
_WORDS: Final = """\
Each way is a process of its own that brings the same spool into a data stream of the same node, measured from its start
to its end; before it begins the stream is new, after it has ended all events were counted in it. *ratio*: to
`elasticsearch.helpers.parallel_bulk` as its documentation shows it, in the same round; median over rounds. *CPU*: of
that process, its start included; the node's isn't.

`parallel_bulk` sends what it finds and forgets it. `mllog ship` looks at every line, stamps `event.ingested`, and notes
each batch before it is sent and its end afterwards. *as mllog sends* is `parallel_bulk` with orjson, gzip, two threads
and 2,000 documents a request; on one machine gzip saves nothing, over a network it does. The mapping is
`dynamic: false`, so that the node has little to do with each event; with an ordinary mapping all of them wait for it,
and ratios move towards 1.
"""


def markdown(document: dict[str, Any]) -> str:
    """The page."""
    machine, versions = document["machine"], document["versions"]
    before, after = machine["load"]
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"""# How fast a spool gets into Elasticsearch

Written by `{document["command"]} --markdown FILE`.

{machine["cores"]} cores ({machine["architecture"]}, {machine["system"]}), shared with the node; Python \
{machine["python"]}, Elasticsearch {document["node"]}, {told}; load average {before:.1f} before and {after:.1f} after.
{len(document["rounds"])} rounds of {document["events"]:,} predictions of {document["bytes_per_event"]:,.0f} bytes.

{_WORDS}
{table(document)}
"""


def table(document: dict[str, Any]) -> str:
    """The figures, as Markdown."""
    rows = [
        (
            row["way"],
            f"{row['per_second']:,.0f}",
            f"{row['ratio']:.2f}",
            f"{row['cpu_us']:.0f}",
            f"{row['cpu_ratio']:.2f}",
        )
        for row in document["table"]
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (_HEAD, ("---",) * len(_HEAD), *rows))
