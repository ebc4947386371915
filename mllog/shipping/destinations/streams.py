r"""Which data stream an event goes to: ``logs-<event.dataset>-<data_stream.namespace>``, and no other than ours.

The rules for names are Elasticsearch's
(https://www.elastic.co/docs/manage-data/data-store/data-streams, "Data stream naming scheme"): lower case, none of
``\ / * ? " < > | , # :`` or a space, no ``-`` within dataset and namespace, each at most 100 bytes.
"""

from __future__ import annotations

import re
from typing import Final

from mllog.shipping.segments import Line

DEAD_LETTERS: Final = "mllog.deadletter"
ID_LENGTH: Final = 128

_DATASET: Final = re.compile(
    r"mllog\.(?:(?:prediction|label)\.[a-z0-9_.]{1,80}|deployment|pipeline|metric|deadletter|reject)"
)
_NAMESPACE: Final = re.compile(r"[^\s\\/*?\"<>|,#:\-]+")
_ID: Final = re.compile(r"[A-Za-z0-9._:-]+")
# How mllog's own lines begin; what somebody else wrote is parsed and written anew.
_HEAD: Final = re.compile(
    rb'\{"@timestamp":"[^"\\]*",'
    rb'(?:"data_stream":\{"type":"logs","dataset":"[^"\\]*","namespace":"[^"\\]*"\},)?"event":\{'
)


def problem(line: Line) -> str | None:
    """Why an event can't be sent to a data stream of ours; ``None`` where it can.

    An id of more than 512 bytes would make Elasticsearch refuse the whole request, a foreign data stream is one that
    nobody has set up for these events.
    """
    if len(line.id) > ID_LENGTH or not _ID.fullmatch(line.id):
        return f"event.id is no id: 1 to {ID_LENGTH} of A-Z a-z 0-9 . _ : -"
    if line.dataset is None or not _DATASET.fullmatch(line.dataset):
        return f"event.dataset {line.dataset!r} is none of mllog's"
    if not is_namespace(namespace(line)):
        return f"data_stream.namespace {line.namespace!r} can't be part of a data stream's name"
    return None


def is_namespace(text: str) -> bool:
    """Whether a data stream's name may end so."""
    return bool(_NAMESPACE.fullmatch(text)) and text == text.lower() and len(text.encode()) <= 100


def namespace(line: Line) -> str:
    """Its namespace, ``default`` where it says none."""
    return "default" if line.namespace is None else line.namespace


def stream(line: Line) -> str:
    """Its data stream."""
    return f"logs-{line.dataset}-{namespace(line)}"


def head_of(data: bytes) -> int | None:
    """Where ``event`` begins in a line as mllog writes it; ``None`` in any other."""
    match = _HEAD.match(data)
    return None if match is None else match.end()
