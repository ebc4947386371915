"""``python -m benchmarks.fleet``: one pass over a small fleet and over a large one, on the same node."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.elasticsearch.filling import ship
from benchmarks.elasticsearch.meters import Bench
from benchmarks.fleet import fleet, page
from benchmarks.saying import say, version
from mllog.elastic.setup import ensure
from watchers.stores.elastic import ElasticsearchStore

ROOT: Final = Path(__file__).parents[2]
HEAP: Final = "1g"
"""Twice what tests have: each model is a data stream, and each of these an index with a shard."""

CHILD_SECONDS: Final = 3_600
EXAMPLE: Final = """\
examples:
  python -m benchmarks.fleet --models 500 --markdown fleet.md
  python -m benchmarks.fleet --models 10 --events 20

The node is the one of the tests (tests/support/elasticsearch.py); a given one needs room for a shard a model."""


def main() -> int:
    """Run the benchmark.

    Returns:
        0; whether targets are met is what the table says.
    """
    args = _parser().parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    from support import elasticsearch as support  # noqa: PLC0415 - after its folder is on the path

    support.HEAP = HEAP
    load = [os.getloadavg()[0]]
    passes = []
    say("starting a node")
    node = support.open_node(settings={"cluster.max_shards_per_node": "4000"})
    try:
        bench = Bench(node)
        ensure(bench.client)
        like = fleet.template()
        for models in dict.fromkeys((max(1, args.models // 5), args.models)):
            with tempfile.TemporaryDirectory(prefix="mllog-bench-") as folder:
                passes.append(_pass(bench, Path(folder), models, args.events, like))
        node_version = node.version
    finally:
        node.stop()
    load.append(os.getloadavg()[0])
    document = {
        "benchmark": "fleet",
        "command": f"python -m benchmarks.fleet --models {args.models} --events {args.events}",
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
            "load": load,
        },
        "versions": {name: version(name) for name in ("elasticsearch", "numpy", "scipy")},
        "node": node_version,
        "heap": HEAP,
        "features": len(like.ruler.inputs),
        "events": args.events,
        "days": fleet.DAYS,
        "passes": passes,
    }
    if args.json:
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if args.markdown:
        args.markdown.parent.mkdir(parents=True, exist_ok=True)
        args.markdown.write_text(page.markdown(document), encoding="utf-8")
    print(page.targets(document))
    return 0


def _pass(bench: Bench, folder: Path, models: int, events: int, like: Any) -> dict[str, Any]:
    """Prepare so many models in a namespace of their own, and run one pass over them."""
    namespace = f"fleet{models}"
    say(f"{models} models: one new hour of events, and {fleet.DAYS} days of stored ones")
    fleet.write_events(folder, models, events, like, namespace)
    ship(bench, folder)
    fleet.prepare(ElasticsearchStore(bench.place, namespace=namespace, client=bench.client), models, events, like)
    bench.settle()
    say(f"{models} models: the pass")
    before = bench.node_cpu()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fleet.child", bench.node.url, namespace],
        check=False,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        cwd=ROOT,
    )
    if done.returncode:
        raise SystemExit(f"the pass ended with {done.returncode}: {done.stderr[-1500:]}")
    after = bench.node_cpu()
    found: dict[str, Any] = json.loads(done.stdout)
    if found["models"] != models or found["hours"] != models:
        raise SystemExit(
            f"of {models} models {found['models']} were judged, {found['hours']} hours: {done.stdout[:900]}"
        )
    return {**found, "node": None if before is None or after is None else after - before}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet",
        description="One pass of the scheduler over a fleet of models on one Elasticsearch node.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page of the documentation")
    parser.add_argument("--models", type=_count, default=500, help="models (default 500; a fifth of them first)")
    parser.add_argument("--events", type=_count, default=50, help="events of each in an hour (default 50)")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: write a number above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
