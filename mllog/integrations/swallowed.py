"""Exceptions that a framework answers itself, so that no middleware sees them: told by the framework's own signal.

Flask (https://flask.palletsprojects.com/en/stable/api/#flask.got_request_exception) and Django
(https://docs.djangoproject.com/en/stable/ref/signals/#got-request-exception) send one for each exception that
nobody handled. Neither is imported: whoever serves with one has imported it before.
"""

from __future__ import annotations

import sys
from typing import Any

from mllog.context import current


def listen() -> None:
    """Have the frameworks that are imported tell of exceptions; to be called any number of times."""
    flask, django = sys.modules.get("flask.signals"), sys.modules.get("django.core.signals")
    if flask is not None:
        flask.got_request_exception.connect(_flask, weak=False)
    if django is not None:
        django.got_request_exception.connect(_django, weak=False, dispatch_uid="mllog")


def _flask(sender: Any, exception: BaseException | None = None, **_: Any) -> None:
    del sender
    _tell(exception)


def _django(sender: Any, **_: Any) -> None:
    del sender
    _tell(sys.exc_info()[1])


def _tell(error: BaseException | None) -> None:
    bound = current.get()
    if bound is not None and error is not None:
        bound.fail(error)
