"""A WSGI application whose logger is made before gunicorn forks; every request is one prediction.

Its events go to ``$FAULTS_SINK``; each process that ends by itself leaves what it counted in ``$FAULTS_COUNTS/<pid>``.
"""

from __future__ import annotations

import atexit
import dataclasses
import json
import os
import pathlib
from typing import TYPE_CHECKING, Any

from mllog.environment import Manifest
from mllog.logger import ModelLogger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def leave_counts() -> None:
    """What this process counted, after its logger has closed."""
    target = pathlib.Path(os.environ["FAULTS_COUNTS"]) / str(os.getpid())
    target.write_text(json.dumps(dataclasses.asdict(log.status())), encoding="utf-8")


# Exit handlers run backwards: this one after the logger's.
atexit.register(leave_counts)
log = ModelLogger("model", version="1", sink=os.environ["FAULTS_SINK"], environment=Manifest())


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Log the number that the query string is."""
    k = int(environ["QUERY_STRING"])
    with log.request({"k": k}, str(k)) as request:
        request.output = 0.5
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(request.event_id).encode()]
