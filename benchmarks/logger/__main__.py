"""``python -m benchmarks.logger``: every contender, round-robin, and the targets."""

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

from benchmarks.logger import imports, summary, table, workload
from benchmarks.logger.contenders import CONTENDERS, FLOOR
from benchmarks.saying import say, version

EXAMPLE: Final = """\
examples:
  python -m benchmarks.logger --json logger.json
  python -m benchmarks.logger --rounds 3 --contender mllog --contender "structlog, orjson"
"""
DISTRIBUTIONS: Final = (
    "orjson", "python-json-logger", "msgspec", "structlog", "ecs-logging", "loguru", "opentelemetry-sdk",
)  # fmt: skip
CHILD_SECONDS: Final = 600


def main() -> int:
    """Run the benchmark.

    Returns:
        0 where every contender could be measured, whether or not a target was missed; 3 otherwise.
    """
    args = _parser().parse_args()
    names = [name for name in CONTENDERS if name == FLOOR or not args.contender or name in args.contender]
    load = [os.getloadavg()[0]]
    rounds: summary.Rounds = []
    with tempfile.TemporaryDirectory(prefix="mllog-bench-") as folder:
        card = Path(folder) / "card.json"
        workload.save_card(card)
        for number in range(args.rounds):
            say(f"round {number + 1} of {args.rounds}")
            # Turned each round, so that nobody always runs behind the same neighbour.
            turned = names[number % len(names) :] + names[: number % len(names)]
            rounds.append({name: _child(name, Path(folder), card, args) for name in turned})
        say("imports")
        took = imports.measure(args.rounds)
    load.append(os.getloadavg()[0])
    rows = summary.summarise(rounds)
    document = {
        "benchmark": "logger",
        "command": f"python -m benchmarks.logger --rounds {args.rounds} --events {args.events}",
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
            "load": load,
        },
        "settings": {name: getattr(args, name) for name in ("rounds", "events", "paced", "rate")},
        "versions": {name: version(name) for name in DISTRIBUTIONS},
        "contenders": rows,
        "targets": summary.targets(rows, took),
        "imports": took,
        "rounds": rounds,
    }
    if args.json:
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if args.markdown:
        args.markdown.parent.mkdir(parents=True, exist_ok=True)
        args.markdown.write_text(table.markdown(document), encoding="utf-8")
    table.show(document)
    failed = {name: row["error"] for name, row in rows.items() if "error" in row}
    for name, error in failed.items():
        say(f"{name} failed: {error}")
    return 3 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.logger",
        description="What one logged prediction costs, and whether it comes out right, as ratios to orjson + write.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything, every round too, as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page of the documentation")
    parser.add_argument("--rounds", type=_count, default=5, help="rounds through all contenders (default 5)")
    parser.add_argument("--events", type=_count, default=6_000, help="events of a burst (default 6000)")
    parser.add_argument("--paced", type=_count, default=600, help="events of the paced phase (default 600)")
    parser.add_argument("--rate", type=float, default=1_000.0, help="its events a second (default 1000)")
    parser.add_argument(
        "--contender", action="append", choices=list(CONTENDERS), metavar="NAME",
        help=f"only these, may be repeated; the floor always runs ({'; '.join(CONTENDERS)})",
    )  # fmt: skip
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: write a number above 0")
    return number


def _child(name: str, folder: Path, card: Path, args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        out = Path(own) / "result.json"
        command = [
            sys.executable, "-m", "benchmarks.logger.child", name, "--folder", own, "--card", str(card),
            "--out", str(out), "--events", str(args.events), "--paced", str(args.paced), "--rate", str(args.rate),
        ]  # fmt: skip
        # Some contenders report each odd value on standard error: theirs to say, not ours to show.
        with (Path(own) / "stderr.txt").open("w+", encoding="utf-8", errors="replace") as told:
            environment = os.environ | CONTENDERS[name].environment
            done = subprocess.run(
                command, check=False, stdout=told, stderr=told, timeout=CHILD_SECONDS, env=environment
            )
            if done.returncode == 0 and out.exists():
                result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
                return result
            told.seek(0)
            return {"error": told.read().strip().rpartition("\n")[2][:300] or f"exit code {done.returncode}"}


if __name__ == "__main__":
    sys.exit(main())
