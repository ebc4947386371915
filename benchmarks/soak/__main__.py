"""``python -m benchmarks.soak``: half an hour of traffic into a secured node that is killed twice meanwhile."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.saying import say
from benchmarks.soak.counting import Held, held, waiting
from mllog.elastic.roles import ROLES

ROOT: Final = Path(__file__).parents[2]
SERVICES: Final = 2
DOWN_SECONDS: Final = 30.0
"""How long the node stays away each time, beside the time that it takes to start."""

DRAIN_SECONDS: Final = 300.0
ROLE: Final = "mllog_shipper"
PASSWORD: Final = "the soaked services' own"

EXAMPLE: Final = """\
examples:
  python -m benchmarks.soak --minutes 30 --markdown soak.md
  python -m benchmarks.soak --minutes 2 --rate 50

The node is the distribution of Maven Central with security and TLS on (tests/support/secured.py); the services log as
a user of the role mllog_shipper, and trust the node's own authority."""


def main() -> int:
    """Run the soak.

    Returns:
        0 where every accepted event is there once, else 1.
    """
    args = _parser().parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    from support.secured import SecuredNode  # noqa: PLC0415 - after its folder is on the path

    seconds = args.minutes * 60.0
    say("starting a secured node")
    node = SecuredNode()
    with tempfile.TemporaryDirectory(prefix="mllog-soak-") as folder:
        spools = Path(folder)
        try:
            node.start()
            _prepare(node)
            services = [_service(node, spools / f"service-{k}", args.rate / SERVICES, seconds) for k in range(SERVICES)]
            outages, backlog = _disturb(node, spools, seconds, args.restarts)
            said = [json.loads(service.communicate(timeout=seconds + DRAIN_SECONDS)[0]) for service in services]
            drained = _drain(spools)
            found = held(node)
        finally:
            node.stop()
    document = {
        "command": f"python -m benchmarks.soak --minutes {args.minutes:g} --rate {args.rate:g}",
        "minutes": args.minutes,
        "restarts": args.restarts,
        "outages": outages,
        "backlog": backlog,
        "left": drained,
        "services": said,
        "held": asdict(found),
    }
    if args.json:
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    page = _page(document, said, found)
    if args.markdown:
        args.markdown.write_text(page, encoding="utf-8")
    print(page)
    return 0 if _fine(said, found, drained) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description="Traffic through the shipper into a secured node that is restarted under it.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="of traffic (default 30)")
    parser.add_argument("--rate", type=float, default=100.0, help="predictions a second, of all services (default 100)")
    parser.add_argument("--restarts", type=int, default=2, help="kill -9 of the node, and a start (default 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page of the documentation")
    return parser


def _prepare(node: Any) -> None:
    """Templates, the role and a user of it; the superuser isn't needed after that."""
    environment = {"MLLOG_USERNAME": node.login[0], "MLLOG_PASSWORD": node.login[1]}
    environment["MLLOG_SOAK_PASSWORD"] = PASSWORD
    subprocess.run(
        [sys.executable, "-m", "mllog.cli", "setup", "--elasticsearch", node.url],
        check=True, stdout=subprocess.DEVNULL, env=_environment(node, **environment),
    )  # fmt: skip
    assert any(role.name == ROLE for role in ROLES), ROLE
    node.request("PUT", "/_security/user/mllog_soak", {"password": PASSWORD, "roles": [ROLE]})


def _environment(node: Any, **more: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MLLOG_")}
    return {**ours, "MLLOG_CA_CERTS": str(node.authority_file), **more}


def _service(node: Any, spool: Path, rate: float, seconds: float) -> subprocess.Popen[str]:
    place = f"elasticsearch+{node.url}"
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.soak.child", place, str(spool), str(rate), str(seconds)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=_environment(node, MLLOG_USERNAME="mllog_soak", MLLOG_PASSWORD=PASSWORD),
    )  # fmt: skip


def _disturb(node: Any, spools: Path, seconds: float, restarts: int) -> tuple[list[float], int]:
    """Kill the node so often, evenly spread; seconds that it was away each time, and the most that waited."""
    began = time.monotonic()
    outages = []
    backlog = 0
    for number in range(1, restarts + 1):
        _wait(began + seconds * number / (restarts + 1), began, seconds)
        away = time.monotonic()
        node.kill()
        say(f"killed it the {number}. time")
        time.sleep(min(DOWN_SECONDS, seconds / 10))
        backlog = max(backlog, waiting(spools))
        node.start()
        outages.append(round(time.monotonic() - away, 1))
        say(f"it is back after {outages[-1]:.0f} s; {waiting(spools)} events wait")
    _wait(began + seconds, began, seconds)
    return outages, backlog


def _wait(until: float, began: float, seconds: float) -> None:
    while (rest := until - time.monotonic()) > 0:
        time.sleep(min(60.0, rest))
        say(f"{(time.monotonic() - began) / 60:.0f} of {seconds / 60:.0f} minutes")


def _drain(spools: Path) -> int:
    """Wait until nothing waits any more; how many events do when that takes too long."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while (left := waiting(spools)) and time.monotonic() < deadline:
        time.sleep(1.0)
    return left


def _fine(said: list[dict[str, Any]], found: Held, left: int) -> bool:
    calls = sum(service["calls"] for service in said)
    accepted = sum(service["accepted"] for service in said)
    lost = sum(service["dropped"] + service["rejected"] + service["queued"] for service in said)
    once = found.documents == found.ids == found.numbers == found.highest == accepted
    return once and found.predictions == calls and not left and not lost


def _page(document: dict[str, Any], said: list[dict[str, Any]], found: Held) -> str:
    calls = sum(service["calls"] for service in said)
    accepted = sum(service["accepted"] for service in said)
    rows = [
        ("predictions that were logged", f"{calls:,}"),
        ("of them in the index", f"{found.predictions:,}"),
        ("events that the processes accepted (predictions, deployments, resources)", f"{accepted:,}"),
        ("documents in the data streams", f"{found.documents:,}"),
        ("of them with an `event.id` that another has", f"{found.documents - found.ids:,}"),
        ("dropped, rejected, still queued", f"{sum(s['dropped'] + s['rejected'] + s['queued'] for s in said):,}"),
        ("left in spools", f"{document['left']:,}"),
        ("outages of the node, s", ", ".join(f"{s:g}" for s in document["outages"])),
        ("most events that waited in spools", f"{document['backlog']:,}"),
        ("a call, p50 / p99, µs", " and ".join(f"{s['p50_us']:.0f} / {s['p99_us']:.0f}" for s in said)),
        ("the slowest call, ms", f"{max(s['worst_ms'] for s in said):.1f}"),
        ("peak memory of a service, MB", f"{max(s['peak_mb'] for s in said):.0f}"),
    ]
    fine = _fine(said, found, document["left"])
    verdict = "accepted = indexed, no duplicate" if fine else "**not everything is there once**"
    table = "\n".join(f"| {what} | {value} |" for what, value in rows)
    return f"""\
# Soak

Written by `{document["command"]} --markdown FILE`. {SERVICES} services log for {document["minutes"]:g} minutes through
their shippers, over TLS, as a user of the role `{ROLE}`, into a node with security on, which is killed (`kill -9`) and
started again {document["restarts"]} times meanwhile. Result: {verdict}.

| what | |
|---|---|
{table}
"""


if __name__ == "__main__":
    sys.exit(main())
