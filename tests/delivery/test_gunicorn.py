"""A service under gunicorn: the logger is made before the fork, workers come and go under load."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support import processes, spools
from support.clients import Clients
from support.elasticsearch import free_port
from support.receivers import logstash

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS, THREADS = 8, 4


def serve(
    tmp_path: pathlib.Path, answers: int, options: list[str], settings: dict[str, str]
) -> tuple[Clients, list[dict[str, Any]]]:
    """Serve so many requests, then SIGTERM to the master under load: the clients, and what each process counted."""
    counts = tmp_path / "counts"
    counts.mkdir()
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", "--preload", "--worker-class", "gthread"),
        *("--workers", str(WORKERS), "--threads", str(THREADS), "--bind", f"127.0.0.1:{port}"),
        *("--graceful-timeout", "60", "--timeout", "120", "--log-level", "warning", *options, "served:application"),
    ]
    environment = processes.environment() | {"FAULTS_COUNTS": str(counts)} | settings
    log = tmp_path / "gunicorn.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, cwd=pathlib.Path(processes.__file__).parent
        )
    clients = Clients(port, threads=16)
    try:
        clients.start()
        clients.wait_for(answers, lambda: server.poll() is None)
        server.send_signal(signal.SIGTERM)
        returncode = server.wait(timeout=processes.SECONDS)
    finally:
        clients.stop()
        server.kill()
    assert returncode == 0, log.read_text()
    return clients, [json.loads(path.read_text()) for path in counts.iterdir()]


@pytest.mark.parametrize(
    ("fault", "options", "answers", "least_processes"),
    [
        ("SIGTERM", [], 3_000, WORKERS),
        ("workers that end after 100 requests", ["--max-requests", "100", "--max-requests-jitter", "50"], 3_000, 20),
    ],
    ids=["sigterm", "max_requests"],
)
def test_every_answered_request_is_on_disk(
    tmp_path: pathlib.Path,
    fault_row: Callable[..., None],
    fault: str,
    options: list[str],
    answers: int,
    least_processes: int,
) -> None:
    """8 forked workers of 4 threads, SIGTERM to the master under load: each 200 is an event on disk, once."""
    folder = tmp_path / "events"
    clients, said = serve(tmp_path, answers, options, {"FAULTS_SINK": str(folder)})
    events = processes.read(folder)
    logged = {event["event"]["id"]: int(event["ml"]["prediction_id"]) for event in events if "inputs" in event["ml"]}
    answered = {id_: k for k, id_ in clients.answered.items()}
    assert answered.items() <= logged.items()
    # A request may be logged and its answer never arrive.
    assert set(logged.values()) - set(answered.values()) <= clients.unknown
    assert processes.holes(events) == 0
    # Each process says what it counted; the master logged the announcement alone.
    assert len(said) >= least_processes + 1
    written = {process: len(given) for process, given in processes.sequences(events).items()}
    assert {status["process"]: status["accepted"] for status in said if status["accepted"]} == written
    fault_row(
        f"gunicorn, preloaded, {WORKERS} workers x {THREADS} threads: {fault}",
        repetitions=len(said) - 1,
        accepted=sum(status["accepted"] for status in said),
        delivered=len(events),
        dropped=sum(status["dropped"] for status in said),
        duplicates=processes.duplicates(events),
    )


@pytest.mark.parametrize(
    ("refusals", "bound"), [(0, None), (16, None), (200, 400_000)], ids=["answers", "refuses_at_first", "bounded"]
)
def test_every_answered_request_is_delivered_spooled_or_counted(
    tmp_path: pathlib.Path, fault_row: Callable[..., None], refusals: int, bound: int | None
) -> None:
    """The same service ships to one HTTP server: each 200 is there, or in the spool, or counted as dropped; once.

    Where the server refuses at first everybody spools, to the bound where there is a small one, and what is left at the
    end is shipped by ``mllog ship``.
    """
    spool = tmp_path / "spool"
    with logstash(*[503] * refusals) as receiver:
        settings = {"FAULTS_SINK": receiver.place(), "MLLOG_SPOOL": str(spool)}
        if bound is not None:
            settings |= {"MLLOG_SPOOL_BYTES": str(bound), "MLLOG_MAX_BYTES": "50000"}
        clients, said = serve(tmp_path, 2_000, [], settings)
        delivered = set(receiver.ids())
        spooled = {json.loads(line)["event"]["id"] for line in spools.read(spool)}
        receiver.script.clear()
        command = [sys.executable, "-m", "mllog.cli", "ship", str(spool), "--to", receiver.place(), "--delete"]
        subprocess.run(command, check=True, env=processes.environment(), timeout=processes.SECONDS)
        ids = receiver.ids()
    dropped = sum(status["dropped"] for status in said)
    assert len(said) >= WORKERS + 1
    assert sum(status["queued"] + status["rejected"] for status in said) == 0
    # What was sent and not noted is in both.
    assert set(ids) == delivered | spooled
    assert sum(status["written"] for status in said) == len(set(ids))
    assert len(set(clients.answered.values()) - set(ids)) <= dropped
    assert (dropped > 0) == (bound is not None)
    if not refusals:
        assert not spooled
    fault_row(
        f"gunicorn, preloaded, {WORKERS} workers x {THREADS} threads, shipping to one server: SIGTERM"
        + (f"; it answers the first {refusals} requests with 503" if refusals else "")
        + ("" if bound is None else f"; `spool_bytes={bound:_}`"),
        repetitions=len(said) - 1,
        accepted=sum(status["accepted"] for status in said),
        delivered=len(delivered),
        spooled=len(spooled - delivered),
        dropped=dropped,
        duplicates=len(ids) - len(set(ids)),
    )
