"""A service under gunicorn: the logger is made before the fork, workers come and go under load."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import processes
from support.clients import Clients
from support.elasticsearch import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS, THREADS = 8, 4


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
    folder, counts = tmp_path / "events", tmp_path / "counts"
    counts.mkdir()
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", "--preload", "--worker-class", "gthread"),
        *("--workers", str(WORKERS), "--threads", str(THREADS), "--bind", f"127.0.0.1:{port}"),
        *("--graceful-timeout", "60", "--timeout", "120", "--log-level", "warning", *options, "served:application"),
    ]
    environment = processes.environment() | {"FAULTS_SINK": str(folder), "FAULTS_COUNTS": str(counts)}
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

    events = processes.read(folder)
    logged = {event["event"]["id"]: int(event["ml"]["prediction_id"]) for event in events if "inputs" in event["ml"]}
    answered = {id_: k for k, id_ in clients.answered.items()}
    assert answered.items() <= logged.items()
    # A request may be logged and its answer never arrive.
    assert set(logged.values()) - set(answered.values()) <= clients.unknown
    assert processes.holes(events) == 0
    # Each process says what it counted; the master logged the announcement alone.
    said = [json.loads(path.read_text()) for path in counts.iterdir()]
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
