"""``python -m benchmarks.batch``: a frame of each library, logged as a batch and row by row."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.batch.ways import BATCH, WAYS
from benchmarks.logger import workload

EXAMPLE: Final = """\
examples:
  python -m benchmarks.batch --json batch.json
  python -m benchmarks.batch --rounds 1 --rows 5000 --library polars
"""
TARGET: Final = 5.0
"""So many times less than by single calls a batch should cost."""
CHILD_SECONDS: Final = 900
CARDS: Final = ("no", "yes")
_HEAD: Final = (
    "library", "card", "way", "caller µs/row", "ratio", "CPU µs/row", "ratio", "rows/s", "ratio", "lost",
)  # fmt: skip

Rounds = dict[tuple[str, str], list[dict[str, dict[str, float]]]]


def main() -> int:
    """Run the benchmark.

    Returns:
        0 where everything could be measured, whether or not a target was missed.
    """
    args = _parser().parse_args()
    libraries = args.library or list(WAYS)
    rounds: Rounds = {(library, card): [] for library in libraries for card in CARDS}
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="mllog-bench-") as folder:
        path = Path(folder) / "card.json"
        workload.save_card(path)
        for number in range(args.rounds):
            print(f"round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
            for (library, card), found in rounds.items():
                found.append(_child(library, path if card == "yes" else None, args.rows, number, Path(folder)))
    load.append(os.getloadavg()[0])
    table = [row for (library, card), found in rounds.items() for row in _rows(library, card, found)]
    document = {
        "benchmark": "batch",
        "command": f"python -m benchmarks.batch --rounds {args.rounds} --rows {args.rows}",
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
            "load": load,
        },
        "versions": {name: importlib.metadata.version(name) for name in ("numpy", "orjson", *libraries)},
        "table": table,
        "targets": _targets(table),
        "rounds": [{"library": library, "card": card, "rounds": found} for (library, card), found in rounds.items()],
    }
    if args.json:
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _show(document)
    return 0


def _child(library: str, card: Path | None, rows: int, turn: int, folder: Path) -> dict[str, dict[str, float]]:
    out = folder / "result.json"
    command = [sys.executable, "-m", "benchmarks.batch.child", library, "--rows", str(rows), "--turn", str(turn)]
    command += ["--out", str(out), *(["--card", str(card)] if card is not None else [])]
    subprocess.run(command, check=True, timeout=CHILD_SECONDS)
    result: dict[str, dict[str, float]] = json.loads(out.read_text(encoding="utf-8"))
    return result


def _rows(library: str, card: str, rounds: list[dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """A line of the table for each way: medians over the rounds, and ratios to single calls within each."""
    single = next(iter(WAYS[library]))
    table = []
    for way in (BATCH, *WAYS[library]):
        row: dict[str, Any] = {"library": library, "card": card, "way": way}
        for field in ("caller_us", "cpu_us", "rows_per_s", "bytes_per_event"):
            row[field] = median(one[way][field] for one in rounds)
        for field, ratio in (("caller_us", "caller_ratio"), ("cpu_us", "cpu_ratio")):
            row[ratio] = median(one[single][field] / one[way][field] for one in rounds)
        row["rate_ratio"] = median(one[way]["rows_per_s"] / one[single]["rows_per_s"] for one in rounds)
        row["lost"] = sum(one[way]["lost"] for one in rounds)
        table.append(row)
    return table


def _targets(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"target": f"{name} of single calls / of a batch", "library": row["library"], "card": row["card"],
         "least": TARGET, "measured": row[ratio], "met": row[ratio] >= TARGET}
        for row in table
        if row["way"] == BATCH
        for name, ratio in (("caller's time", "caller_ratio"), ("CPU", "cpu_ratio"))
    ]  # fmt: skip


def _show(document: dict[str, Any]) -> None:
    lines = [_HEAD] + [
        (
            row["library"], row["card"], row["way"], f"{row['caller_us']:.2f}", f"{row['caller_ratio']:.1f}",
            f"{row['cpu_us']:.1f}", f"{row['cpu_ratio']:.1f}", f"{row['rows_per_s']:,.0f}", f"{row['rate_ratio']:.1f}",
            f"{row['lost']:.0f}",
        )
        for row in document["table"]
    ]  # fmt: skip
    widths = [max(len(line[k]) for line in lines) for k in range(len(_HEAD))]
    for line in lines:
        named = [text.ljust(width) for text, width in zip(line[:3], widths[:3], strict=True)]
        print("  ".join([*named, *(text.rjust(width) for text, width in zip(line[3:], widths[3:], strict=True))]))
    machine = document["machine"]
    print(
        "\ncaller: until the calls return; CPU: of the process, until every row is written; ratio: how many times\n"
        "less (rows/s: more) than by the first of the library's single calls. 30 features, two of them texts;\n"
        "outputs: label and score."
    )
    print(f"{machine['cores']} cores, load {machine['load'][0]:.1f} before and {machine['load'][1]:.1f} after.")
    missed = [one for one in document["targets"] if not one["met"]]
    for one in missed:
        print(f"missed: {one['target']}, {one['library']}, card {one['card']}: {one['measured']:.1f}, not {TARGET:.0f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.batch",
        description="What a logged batch costs beside the same rows logged one by one.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything, every round too, as JSON")
    parser.add_argument("--rounds", type=_count, default=5, help="rounds through all libraries (default 5)")
    parser.add_argument("--rows", type=_count, default=20_000, help="rows of each frame (default 20000)")
    parser.add_argument("--library", action="append", choices=list(WAYS), help="only this one, may be repeated")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: write a number above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
