"""``python -m benchmarks.shipping``: the same spool into the same node, one way after the other, round by round."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import mllog
from benchmarks.logger import workload
from benchmarks.saying import say
from benchmarks.shipping import page

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[2]
NAMESPACE: Final = "bench"
MLLOG: Final = "mllog ship"
BASE: Final = "parallel_bulk"
WAYS: Final = (MLLOG, BASE, "parallel_bulk, as mllog sends")
TEMPLATE: Final = {
    "index_patterns": [f"logs-mllog.*-{NAMESPACE}*"],
    "data_stream": {},
    "priority": 950,
    "template": {
        "settings": {"number_of_replicas": 0, "index.refresh_interval": "-1"},
        # What arrives is what is measured, not how long the node works at each field.
        "mappings": {"dynamic": False, "properties": {"@timestamp": {"type": "date"}}},
    },
}
CHILD_SECONDS: Final = 900
EXAMPLE: Final = """\
examples:
  python -m benchmarks.shipping --json shipping.json
  MLLOG_TEST_ELASTICSEARCH=http://127.0.0.1:9200 python -m benchmarks.shipping --rounds 1 --events 5000

The node is the one of the tests (tests/support/elasticsearch.py): a given one, Docker's, or Maven Central's."""

Figures = dict[str, float]


def main() -> int:
    """Run the benchmark.

    Returns:
        0 where everything arrived each time.
    """
    args = _parser().parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    from support.elasticsearch import open_node  # noqa: PLC0415 - after its folder is on the path

    load = [os.getloadavg()[0]]
    rounds: list[dict[str, Figures]] = []
    with tempfile.TemporaryDirectory(prefix="mllog-bench-") as folder:
        spool = Path(folder) / "spool"
        size, events = _spool(spool, args.events)
        node = open_node()
        try:
            node.request("PUT", f"/_index_template/{NAMESPACE}", TEMPLATE)
            for number in range(-1, args.rounds):
                say("warming up" if number < 0 else f"round {number + 1} of {args.rounds}")
                # Turned each round, so that nobody always runs behind the same neighbour.
                turned = WAYS[number % len(WAYS) :] + WAYS[: number % len(WAYS)]
                found = {way: _measure(way, spool, node, events) for way in turned}
                if number >= 0:
                    rounds.append(found)
            version = node.version
        finally:
            node.stop()
    load.append(os.getloadavg()[0])
    document = {
        "benchmark": "shipping",
        "command": f"python -m benchmarks.shipping --rounds {args.rounds} --events {args.events}",
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
            "load": load,
        },
        "versions": {name: importlib.metadata.version(name) for name in ("elasticsearch", "urllib3", "orjson")},
        "node": version,
        "events": events,
        "bytes_per_event": size / events,
        "table": _table(rounds, events),
        "rounds": rounds,
    }
    if args.json:
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if args.markdown:
        args.markdown.parent.mkdir(parents=True, exist_ok=True)
        args.markdown.write_text(page.markdown(document), encoding="utf-8")
    print(page.table(document))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shipping",
        description="Events a second from a spool into an Elasticsearch node, as a ratio to elasticsearch-py's helper.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything, every round too, as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page of the documentation")
    parser.add_argument("--rounds", type=_count, default=5, help="rounds through all ways (default 5)")
    parser.add_argument("--events", type=_count, default=20_000, help="events in the spool (default 20000)")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: write a number above 0")
    return number


def _spool(folder: Path, events: int) -> tuple[int, int]:
    """Log predictions into a spool: their bytes and number."""
    with mllog.ModelLogger(
        workload.MODEL, version=workload.VERSION, sink=str(folder), namespace=NAMESPACE, overflow="block", resources=0
    ) as log:
        rows = workload.predictions()
        for k in range(events):
            row = rows[k % len(rows)]
            log.prediction(inputs=row.inputs, output=row.output)
    paths = list(folder.glob("[!_]*/*.ndjson"))
    # The events that tell of the deployment go elsewhere; only predictions are measured.
    lines = []
    for path in paths:
        lines += [line for line in path.read_bytes().splitlines(keepends=True) if b'"mllog.prediction.' in line[:400]]
        for file in path.parent.iterdir():
            file.unlink()
    paths[0].write_bytes(b"".join(lines))
    return sum(map(len, lines)), len(lines)


def _renew(spool: Path) -> str:
    """Forget what was shipped, and give the events a data stream of their own: its name."""
    for path in spool.glob("*/*"):
        if path.suffix != ".ndjson" or path.parent.name.startswith("_"):
            path.unlink()
    (path,) = spool.glob("[!_]*/*.ndjson")
    data = path.read_bytes()
    before = json.loads(data[: data.index(b"\n")])["data_stream"]
    namespace = f"{NAMESPACE}_{uuid.uuid4().hex[:8]}"
    old, new = (b'"namespace":"%b"' % name.encode() for name in (before["namespace"], namespace))
    path.write_bytes(data.replace(old, new))
    return f"logs-{before['dataset']}-{namespace}"


def _measure(way: str, spool: Path, node: Any, events: int) -> Figures:
    """One way, as a process of its own, from its start to its end; the data stream is new, and everything is in it."""
    stream = _renew(spool)
    if way == MLLOG:
        place = node.url.replace("http", "elasticsearch+http", 1)
        command = [sys.executable, "-m", "mllog.cli", "ship", str(spool), "--to", place, "--json"]
    else:
        command = [sys.executable, "-m", "benchmarks.shipping.child", way, str(spool), node.url]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = _run(command)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    node.request("POST", f"/{stream}/_refresh")
    found = node.request("GET", f"/{stream}/_count")["count"]
    if found != events:
        raise SystemExit(f"{way}: of {events} events {found} arrived: {done}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu}


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=CHILD_SECONDS, cwd=ROOT, env=os.environ
    )
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-1500:]}")
    return done.stdout.strip()


def _table(rounds: list[dict[str, Figures]], events: int) -> list[dict[str, Any]]:
    return [
        {
            "way": way,
            "per_second": events / median(found[way]["seconds"] for found in rounds),
            # Within a round, so that a machine that slows down does so for both.
            "ratio": median(found[BASE]["seconds"] / found[way]["seconds"] for found in rounds),
            "cpu_us": 1e6 * median(found[way]["cpu"] for found in rounds) / events,
            "cpu_ratio": median(found[way]["cpu"] / found[BASE]["cpu"] for found in rounds),
        }
        for way in WAYS
    ]


if __name__ == "__main__":
    sys.exit(main())
