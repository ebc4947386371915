"""``python -m benchmarks.fleet.child URL NAMESPACE``: one pass, as a process of its own, and what it cost."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections import Counter
from functools import wraps
from types import SimpleNamespace
from typing import Any, Final, cast

from benchmarks.elasticsearch.meters import Bench
from benchmarks.fleet.fleet import HOUR, START
from benchmarks.memory import peak_mb
from watchers.schedule import run
from watchers.stores.base import Store
from watchers.stores.elastic import ElasticsearchStore

LATE: Final = dt.timedelta(minutes=30)


class Timed:
    """A store that says how often and how long it was asked for what."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)

        @wraps(found)
        def asked(*args: Any, **more: Any) -> Any:
            began = time.perf_counter()
            answer = found(*args, **more)
            # What is made while it is read counts too.
            answer = iter(list(answer)) if name == "profiles" else answer
            self.calls[name] += 1
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
            return answer

        return asked


def main() -> int:
    """Run one pass.

    Returns:
        0.
    """
    url, namespace = sys.argv[1:]
    bench = Bench(SimpleNamespace(url=url))
    timed = Timed(cast("Store", ElasticsearchStore(bench.place, namespace=namespace, client=bench.client)))
    with bench.measured() as cost:
        report = run(cast("Store", timed), START + HOUR + LATE)
    document = {
        "models": len(report.hours),
        "hours": sum(report.hours.values()),
        "alerts": len(report.findings),
        "changes": len(report.events),
        "problems": report.problems[:3],
        "wall": cost.wall,
        "cpu": cost.cpu,
        "requests": bench.requests,
        "received": bench.received,
        "peak_mb": peak_mb(),
        "calls": {name: [timed.calls[name], timed.seconds[name]] for name in sorted(timed.calls)},
    }
    print(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
