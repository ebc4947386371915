"""What something costs: wall clock, CPU of this process and of the node, requests and bytes of their answers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from elasticsearch import Elasticsearch

from mllog.elastic.client import connect

SETTLE_SECONDS: Final = 120.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Cost:
    """What one measured block cost.

    Attributes:
        wall: Seconds.
        cpu: CPU seconds of this process.
        node: CPU seconds of the node; None where it isn't a process of this machine.
        requests: Sent to the node.
        received: Bytes of the answers' bodies.
    """

    wall: float = 0.0
    cpu: float = 0.0
    node: float | None = None
    requests: int = 0
    received: int = 0


class Bench:
    """A node, a client that counts what comes over the wire, and the meters of both.

    Args:
        node: Of the tests.
    """

    def __init__(self, node: Any) -> None:
        self.node = node
        self.place = f"elasticsearch+{node.url}"
        self.client: Elasticsearch = connect(self.place, seconds=600.0)
        self.requests = self.received = 0
        for each in self.client.transport.node_pool.all():
            self._count(each)

    def _count(self, connection: Any) -> None:
        send = connection.perform_request

        def perform_request(*args: Any, **more: Any) -> Any:
            answer = send(*args, **more)
            self.requests += 1
            self.received += len(answer.body)
            return answer

        connection.perform_request = perform_request

    @contextmanager
    def measured(self) -> Iterator[Cost]:
        """What the block costs; known behind it."""
        cost = Cost()
        requests, received = self.requests, self.received
        node, cpu, wall = self.node_cpu(), time.process_time(), time.perf_counter()
        yield cost
        cost.wall, cost.cpu = time.perf_counter() - wall, time.process_time() - cpu
        after = self.node_cpu()
        cost.node = None if node is None or after is None else after - node
        cost.requests, cost.received = self.requests - requests, self.received - received

    def median(self, rounds: int, work: Callable[[], Any]) -> tuple[Cost, Any]:
        """Medians over rounds, and what the last one returned; nothing is answered from a cache of answers."""
        costs = []
        result = None
        for _ in range(rounds):
            self.forget()
            with self.measured() as cost:
                result = work()
            costs.append(cost)
        known = [cost.node for cost in costs if cost.node is not None]
        return Cost(
            median(cost.wall for cost in costs),
            median(cost.cpu for cost in costs),
            median(known) if known else None,
            costs[-1].requests,
            costs[-1].received,
        ), result

    def forget(self) -> None:
        """Empty the caches of answers and of queries: an hour is asked for once."""
        self.node.request("POST", "/_cache/clear?request=true&query=true")

    def settle(self) -> None:
        """Make everything visible, and wait until segments are no longer merged: that isn't what is measured."""
        self.node.request("POST", "/_refresh")
        self.node.request("POST", "/_flush")
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            held = self.node.request("GET", "/_stats/merge")
            if not held["_all"]["total"]["merges"]["current"]:
                return
            time.sleep(0.5)

    def node_cpu(self) -> float | None:
        """CPU seconds of the node's processes so far."""
        process = getattr(self.node, "_process", None)
        if process is None or not Path("/proc/self/stat").exists():
            return None
        # The launcher and the server are a group of their own.
        return sum(_cpu(stat) for stat in _stats() if int(stat[2]) == process.pid)


def _stats() -> Iterator[list[str]]:
    """Fields of /proc/<pid>/stat from the state on (proc(5)), of every process."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue  # it ended meanwhile
        yield text.rpartition(")")[2].split()


def _cpu(stat: list[str]) -> float:
    return (int(stat[11]) + int(stat[12])) / _TICKS
