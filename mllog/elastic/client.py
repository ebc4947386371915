"""A client of Elasticsearch for a place: credentials, certificates and time-outs as they are for shipping.

The client library is Elastic's own. Its major version must not be newer than the server's: a client 9.x is refused by
a server 8.19, while a client 8.19 talks to both
(https://www.elastic.co/docs/reference/elasticsearch/clients/python#compatibility).
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import elasticsearch
from elasticsearch import Elasticsearch

from mllog.elastic.blocks import block_remedy
from mllog.errors import PlaceError, StoreError, UnreachableError
from mllog.places import parse
from mllog.shipping.destinations.credentials import Credentials, credentials
from mllog.shipping.destinations.tls import certificate_problem, handshake_problem, tls_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.places import Place

# Its warnings repeat what is raised; without a handler Python would print them.
logging.getLogger("elastic_transport").addHandler(logging.NullHandler())

SECONDS: Final = 60.0
"""A search over a day of events of a busy model may take a while; a node that hangs must not hold up a run for ever."""

RETRIES: Final = 3
_DETAIL: Final = 300


class _Serializer(elasticsearch.OrjsonSerializer):
    """orjson for what Elasticsearch calls its JSON too: an answer about many segments has megabytes."""

    mimetype = "application/vnd.elasticsearch+json"


_SERIALIZERS: Final = {one.mimetype: one for one in (elasticsearch.OrjsonSerializer(), _Serializer())}


def connect(place: str | Place, *, seconds: float = SECONDS, retries: int = RETRIES) -> Elasticsearch:
    """A client for a place; nothing is asked of the server yet.

    Args:
        place: ``elasticsearch+http(s)://[user:password@]host:port``.
        seconds: How long one answer may take.
        retries: How often a request is sent again where the node didn't answer, or said 429, 502, 503 or 504.

    Raises:
        PlaceError: It is another kind of place.
        SettingError: A certificate or a variable (``MLLOG_API_KEY``, …) is impossible.
    """
    parsed = parse(place) if isinstance(place, str) else place
    if parsed.kind != "elasticsearch":
        raise PlaceError(
            f"place {str(parsed)!r} is no Elasticsearch; write elasticsearch+http(s)://HOST:PORT",
            field="place",
            value=str(parsed),
        )
    proof: Credentials = credentials(parsed)
    return Elasticsearch(
        parsed.location,
        headers={"authorization": proof.header} if proof.header else {},
        ssl_context=tls_context() if parsed.location.startswith("https:") else None,
        serializers=_SERIALIZERS,
        request_timeout=seconds,
        max_retries=retries,
        retry_on_timeout=True,
        retry_on_status=(429, 502, 503, 504),
    )


@contextmanager
def explained(place: str | Place) -> Iterator[None]:
    """Raise what the client or the server says as one error that names the place and a remedy, without a secret.

    Raises:
        UnreachableError: The server can't be reached.
        StoreError: It refuses, or isn't what the client can talk to.
    """
    parsed = parse(place) if isinstance(place, str) else place
    name = str(parsed)
    try:
        yield
    except elasticsearch.UnsupportedProductError as error:
        said = credentials(parsed).scrub(str(error))
        raise StoreError(f"{name}: that is no Elasticsearch: {said}", field="place", value=name) from error
    except elasticsearch.TransportError as error:
        why = certificate_problem(error) or handshake_problem(error) or str(error.message)
        remedy = "is it up, and are host, port and scheme (http or https) right?"
        raise UnreachableError(f"{name} can't be reached: {why}; {remedy}", field="place", value=name) from error
    except elasticsearch.ApiError as error:
        status = error.meta.status
        remedy = block_remedy(_reason(error))
        if remedy:
            remedy = f"; {remedy}"
        elif status in {401, 403}:
            remedy = "; set MLLOG_API_KEY, or MLLOG_USERNAME and MLLOG_PASSWORD, of a user that has these rights"
        elif "media_type_header" in str(error) or "Accept version must be" in str(error):
            remedy = (
                f"; client {version('elasticsearch')} is newer than the server: "
                "pip install 'elasticsearch>=8.19,<9'"
            )
        # A proxy may repeat what it was sent.
        said = credentials(parsed).scrub(_reason(error))[:_DETAIL]
        raise StoreError(f"{name} answered {status}: {said}{remedy}", field="place", value=name) from error


def _reason(error: elasticsearch.ApiError) -> str:
    """What the server said, in one line."""
    body = error.body
    told = body.get("error") if isinstance(body, dict) else body
    if isinstance(told, dict):
        causes = [told, *(told.get("root_cause") or []), *(told.get("failed_shards") or [])]
        reasons = [c.get("reason") if isinstance(c.get("reason"), str) else None for c in causes if isinstance(c, dict)]
        told = next((reason for reason in reasons if reason), told.get("type"))
    # Something else may answer there, with a page.
    return " ".join(str(told or error.message).split()).rstrip(";")
