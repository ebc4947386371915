"""What the threads of a logger import: nothing.

A child that is forked in the middle of an import inherits the lock of that module, and whoever imports it there waits
for ever (workers under ``gunicorn --preload`` whose master was just shipping its announcement).
"""

from __future__ import annotations

import contextlib
import pathlib

import pytest
from support import processes
from support.receivers import logstash, tcp

CODE = """
import threading
imported = []
def audit(event, arguments):
    if event == "import" and threading.current_thread() is not threading.main_thread():
        imported.append((threading.current_thread().name, arguments[0]))
sys.addaudithook(audit)
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
import numpy as np, pandas as pd
import logging
logging.getLogger("mllog").addHandler(logging.NullHandler())
log = make(sink=sys.argv[2] or sys.argv[1], spool=sys.argv[1] + "/spool" if sys.argv[2] else None, resources=0.05)
ids = []
for k, value in enumerate([1.5, "text " * 500, None, Decimal("1.5"), np.arange(3), pd.Timestamp(0), 10**400, object()]):
    with log.request({"value": value, "mail": "a@example.org"}, str(k)) as request:
        request.output = {"label": "a", "score": np.float64(0.5)}
    ids.append(request.event_id)
log.label("0", "a")
ids += log.batch(pd.DataFrame({"number": [1.0, None] * 50, "category": pd.Categorical(["a", "b"] * 50)}), [0.5] * 100)
assert log.flush(30)
time.sleep(0.5)
assert log.close()
print(len(ids), imported)
"""


@pytest.mark.parametrize("kind", ["file", "logstash+http", "refused", "logstash+tcp", "elasticsearch"])
def test_threads_import_nothing(tmp_path: pathlib.Path, kind: str, request: pytest.FixtureRequest) -> None:
    """Whatever is logged and wherever it goes, over a connection that is made on the shipper's thread."""
    with contextlib.ExitStack() as stack:
        if kind == "elasticsearch":
            place = request.getfixturevalue("elasticsearch_node").url.replace("http", "elasticsearch+http", 1)
        elif kind == "logstash+tcp":
            place = f"{kind}://localhost:{stack.enter_context(tcp()).port}"
        else:
            receiver = stack.enter_context(logstash(always=503 if kind == "refused" else "ok"))
            place = "" if kind == "file" else receiver.place()
        assert processes.run(tmp_path, CODE, place).strip() == "108 []"
        assert kind not in {"logstash+http", "refused"} or receiver.requests
