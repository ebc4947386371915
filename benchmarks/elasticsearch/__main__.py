"""``python -m benchmarks.elasticsearch``: what watching costs the node and its clients, part by part."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks.elasticsearch import data, disk, filling, page, targets, watching
from benchmarks.elasticsearch.meters import Bench
from benchmarks.saying import say, version
from mllog.elastic.setup import ensure

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "benchmarks" / "elasticsearch.md"
PARTS: Final = ("profile", "segments", "disk", "baseline", "hourly", "wire")
EXAMPLE: Final = """\
examples:
  python -m benchmarks.elasticsearch --quick --markdown elasticsearch.md
  python -m benchmarks.elasticsearch --part profile --part segments

The node is the one of the tests (tests/support/elasticsearch.py): a given one, Docker's, or Maven Central's. What a
given one has in the namespace "bench" must be nothing."""


def main() -> int:
    """Run the benchmark.

    Returns:
        0; whether targets are met is what the tables say.
    """
    args = _sized(_parser().parse_args())
    sys.path.insert(0, str(ROOT / "tests"))
    from support import elasticsearch as support  # noqa: PLC0415 - after its folder is on the path

    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="mllog-bench-") as folder:
        say("starting a node")
        node = support.open_node()
        try:
            parts, size = _parts(Bench(node), Path(folder), args)
            node_version = node.version
        finally:
            node.stop()
    load.append(os.getloadavg()[0])
    before: dict[str, Any] = {"parts": {}, "commands": []}
    if args.update:
        before = json.loads(args.update.read_text(encoding="utf-8"))
        load[0] = before["machine"]["load"][0]
        if before["parts"]["events"] != parts["events"]:
            raise SystemExit(f"{args.update} is of {before['parts']['events']:,} events a day")
    parts = {**before["parts"], **parts}
    document = {
        "benchmark": "elasticsearch",
        "commands": [*before["commands"], f"python -m benchmarks.elasticsearch{_told(args)}"],
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
            "load": load,
        },
        "versions": {name: version(name) for name in ("elasticsearch", "duckdb", "pandas", "scipy")},
        "node": node_version,
        "heap": support.HEAP,
        "bytes_per_event": size,
        "parts": parts,
        "targets": targets.targets(parts),
    }
    if args.json:
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if args.markdown:
        args.markdown.parent.mkdir(parents=True, exist_ok=True)
        args.markdown.write_text(page.markdown(document), encoding="utf-8")
    print(page.targets(document["targets"]))
    return 0


def _parts(bench: Bench, folder: Path, args: argparse.Namespace) -> tuple[dict[str, Any], float]:
    """Every part that was asked for, and the bytes of an event."""
    ensure(bench.client)
    spool = folder / "spool"
    say(f"logging {args.events:,} events")
    card, table = data.card(), data.frame(5, args.events)
    data.log(spool, table, card)
    size = sum(map(len, data.lines(spool))) / args.events
    some = list(islice(data.lines(spool), max(args.disk, args.week)))
    say("shipping them")
    parts: dict[str, Any] = {"events": args.events, "shipping": asdict(filling.ship(bench, spool))}
    work = {
        "profile": lambda: watching.profile(bench, card, table, folder, args.rounds),
        "segments": lambda: watching.segments(bench, card, min(args.rounds, 3)),
        "disk": lambda: disk.measure(bench, some[: args.disk]),
        "baseline": lambda: watching.baseline(bench, card, some[: args.week], min(args.rounds, 3)),
        "hourly": lambda: watching.hourly(bench, card, args.rounds, parts["shipping"]),
        "wire": lambda: watching.wire(bench, folder / "wire", args.wire),
    }
    for name in PARTS:
        if not args.part or name in args.part:
            say(f"measuring: {name}")
            parts[name] = work[name]()
    return parts, size


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.elasticsearch",
        description="What profiles, baselines and hourly runs cost on Elasticsearch, beside other ways to watch.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page of the documentation")
    parser.add_argument("--update", type=Path, metavar="FILE", help="JSON of an earlier run, whose other parts stay")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated")
    parser.add_argument("--rounds", type=_count, default=5, help="rounds of what is short (default 5)")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="20,000 events, to see that it runs")
    sizes.add_argument("--full", action="store_true", help="ten million events over the wire too, and a full week")
    return parser


def _sized(args: argparse.Namespace) -> argparse.Namespace:
    """How many events each part has."""
    args.events, args.disk, args.week, args.wire = 200_000, 40_000, 30_000, [100_000, 1_000_000]
    if args.quick:
        args.events, args.disk, args.week, args.wire, args.rounds = 20_000, 3_000, 1_000, [2_000, 20_000], 1
    if args.full:
        args.week, args.wire = args.events, [*args.wire, 10_000_000]
    return args


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: write a number above 0")
    return number


def _told(args: argparse.Namespace) -> str:
    said = [f" --{name}" for name in ("quick", "full") if getattr(args, name)]
    said += [f" --part {part}" for part in args.part or ()]
    return "".join(said) + (f" --rounds {args.rounds}" if args.rounds != 5 and not args.quick else "")


if __name__ == "__main__":
    sys.exit(main())
