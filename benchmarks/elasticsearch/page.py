"""The results as tables, and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from benchmarks.elasticsearch import disk, watching

_WORDS: Final = """\
The day: predictions of 40 inputs (30 numbers, 8 categories, 2 texts), measured by their card and written by the real
logger, brought into the node by the product's shipper. *client*: CPU of the process that asks; *node*: CPU of the
node's processes. Whatever a section compares ran one after the other on one node, in one run; medians of rounds, with
the caches of answers emptied. Ratios of walls move with what else the machine does, those of CPU less. Late labels
aren't judged yet, so that there is nothing to measure of joining them.
"""

_PROFILE: Final = """\
*mllog's store*: the counts of each of 24 hours, by aggregations; beside bins, categories, missing and violations it
counts what the others here don't: names of versions, hosts and unseen values, unseen words, scores, answers, latency,
failures. *DuckDB*: for each feature one GROUP BY of hour and bin over a Parquet file of the rows, by the same edges.
*pandas + scipy*: reads that file and one of the day before, and tests each number (Kolmogorov-Smirnov) and each
category (chi-squared), as Evidently does among other things. *A query a feature and rule*: {rules} queries, as
ElastAlert2 has them: missing, too low, too high and mean, new values and shares, hour by hour. *Export*: `helpers.scan`
and the same counts from a frame. The Parquet file doesn't hold what made it: events would have to be read first.
"""


def markdown(document: dict[str, Any]) -> str:
    """The page."""
    machine, versions = document["machine"], document["versions"]
    before, after = machine["load"]
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    parts = document["parts"]
    sections = [
        f"""# What watching on Elasticsearch costs

Written by {" and then ".join(f"`{command}`" for command in document["commands"])}.

{machine["cores"]} cores ({machine["architecture"]}, {machine["system"]}), shared with the node (heap \
{document["heap"]}) and other work; Python {machine["python"]}, Elasticsearch {document["node"]}, {told}; load average \
{before:.1f} before and {after:.1f} after. {parts["events"]:,} predictions a day of {document["bytes_per_event"]:,.0f} \
bytes.

{_WORDS}
## Targets

{targets(document["targets"])}
{_missed(document["targets"])}"""
    ]
    if "profile" in parts:
        words = _PROFILE.format(rules=parts["profile"]["rules"])
        sections.append(f"## The profile of a day\n\n{words}\n{_profile(parts)}")
    if "segments" in parts:
        sections.append(f"## All values of one segment\n\n{_costs(_named(parts['segments'], ('without', 'with')))}")
    if "disk" in parts:
        sections.append(f"## Bytes on disk\n\n{_DISK}\n{_disk(parts['disk'])}")
    if "baseline" in parts:
        rows = _named(parts["baseline"], ("rescan", "stored"))
        words = f"168 hours, {parts['baseline']['each']:,} events a day; *stored*: fetched, parsed and summed."
        sections.append(f"## A week's baseline\n\n{words}\n\n{_costs(rows)}")
    if "hourly" in parts:
        run = parts["hourly"]
        words = f"""`watchers.schedule.run` over one new hour of {run["events"]:,} events, {watching.HISTORY} days of \
stored hours before it, {run["alerts"]} alerts; *indexing* is the whole day by the product's shipper, *counting* \
its profile: an hour is a 24th of either."""
        rows = {"one hourly run": run, "counting, the day": run["counting"], "indexing, the day": run["indexing"]}
        sections.append(f"## Watching beside indexing\n\n{words}\n\n{_costs(rows)}")
    if "wire" in parts:
        rows = {f"{row['events']:,} events": row for row in parts["wire"]}
        words = "A day's profile of a card of 6 features."
        sections.append(f"## Over the wire\n\n{words}\n\n{_costs(rows)}")
    return "\n\n".join(section.rstrip("\n") for section in sections) + "\n"


_DISK: Final = """\
The same events under each mapping, one segment, `_id` and `_source` included. *plain typed fields*: every field
indexed as the node's defaults have it (`keyword`, `text`, `long`, `float`, `date`), default codec. *inputs and outputs
alone*: that mapping for documents without what the logger measured (bins, missing, violations, words). *ratio*: to
plain typed fields of the same documents, texts and all.
"""


def targets(rows: Iterable[dict[str, Any]]) -> str:
    """The targets and whether they are met."""
    said = {True: "yes", False: "**no**", None: "not measured"}
    return _table(
        ("what", "target", "measured", "met"),
        [
            (
                row["what"],
                f"{'>=' if row['at_least'] else '<='} {row['limit']:g}",
                "" if row["value"] is None else f"{row['value']:.3g}",
                said[row["met"]],
            )
            for row in rows
        ],
    )


def _missed(rows: Iterable[dict[str, Any]]) -> str:
    """Why targets are missed, each reason once."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["met"] is False:
            reasons.setdefault(row["why"] or "why isn't known", []).append(row["what"].removeprefix("... "))
    if not reasons:
        return ""
    return "\nMissed:\n\n" + "\n".join(f"- {'; '.join(what)}: {why}." for why, what in reasons.items()) + "\n"


def _profile(parts: dict[str, Any]) -> str:
    costs = parts["profile"]["costs"]
    otherwise = {name: names for name, names in parts["profile"]["otherwise"].items() if names}
    same = "DuckDB and the export count the same of every number and category."
    told = "; ".join(f"{name} counts otherwise: {', '.join(names)}" for name, names in otherwise.items())
    return f"{_costs(costs, watching.OURS)}\n\n{told or same}"


def _named(part: dict[str, Any], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {name: part[name] for name in names}


def _costs(rows: dict[str, dict[str, Any]], base: str | None = None) -> str:
    """Costs by name; ``base`` is what ratios are to, the first by default."""
    whole = rows[base or next(iter(rows))]
    return _table(
        ("way", "wall s", "ratio", "client s", "node s", "ratio", "requests", "MB received"),
        [
            (
                name,
                f"{row['wall']:.3g}",
                f"{row['wall'] / whole['wall']:.2f}",
                f"{row['cpu']:.3g}",
                *_node(row, whole),
                f"{row['requests']:,}",
                f"{row['received'] / 1e6:.3g}",
            )
            for name, row in rows.items()
        ],
    )


def _node(row: dict[str, Any], whole: dict[str, Any]) -> tuple[str, str]:
    if row["node"] is None or whole["node"] is None:
        return "", ""
    ratio = f"{row['node'] / whole['node']:.2f}" if row["node"] and whole["node"] else ""
    return f"{row['node']:.3g}", ratio


def _disk(found: dict[str, dict[str, float]]) -> str:
    ratio = disk.ratios(found)
    return _table(
        ("mapping", "bytes/event", "ratio", "node's CPU µs/event"),
        [(name, f"{row['bytes']:,.0f}", f"{ratio[name]:.2f}", f"{row['node_us']:.0f}") for name, row in found.items()],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))
