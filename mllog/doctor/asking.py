"""Asks a server whether it is there, and what time it has."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from mllog.doctor.base import Reached
from mllog.errors import MllogError
from mllog.shipping import open_destination

if TYPE_CHECKING:
    from mllog.places import Place

ANSWER_SECONDS: Final = 5.0
_HALF_SECOND: Final = 0.5


def ask(place: Place) -> Reached:
    """Look whether a place can be reached; sends it no event."""
    try:
        destination = open_destination(place)
    except MllogError as error:
        return Reached(str(place), reachable=False, message=f"{place} can't be used: {error}")
    try:
        before = time.time()
        answer = destination.check(timeout=ANSWER_SECONDS)
        middle = (before + time.time()) / 2
    finally:
        destination.close()
    skew = None
    if answer.date is not None:
        # RFC 9110, section 6.6.1: whole seconds, the rest is cut off.
        skew = answer.date + _HALF_SECOND - middle
    elif answer.reachable and place.kind == "elasticsearch":
        skew = _skew_of_elasticsearch(place)
    return Reached(destination.name, answer.reachable, answer.message, destination.acknowledges, skew)


def _skew_of_elasticsearch(place: Place) -> float | None:
    """By the epoch of ``_cat/health``, since Elasticsearch sends no ``Date``; where the role may ask for it."""
    from mllog.shipping.destinations.base import UnavailableError  # noqa: PLC0415 - only for a server that answers
    from mllog.shipping.destinations.http import Client  # noqa: PLC0415 - needs an extra

    client = Client(place)
    before = time.time()
    try:
        answer = client.request("GET", "/_cat/health?h=epoch&format=json", seconds=ANSWER_SECONDS)
        return float(json.loads(answer.data)[0]["epoch"]) + _HALF_SECOND - (before + time.time()) / 2
    except (UnavailableError, ValueError, KeyError, IndexError, TypeError):
        return None
    finally:
        client.close()
