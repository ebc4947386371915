"""What an item of a ``_bulk`` answer says: whether it is done, and if not, whose fault that is.

==========  ================================================================================================
verdict     when
==========  ================================================================================================
``done``    200, 201; 409, since the event is there already
``refused`` 413, or 4xx of a type in :data:`DOCUMENT`: the event itself doesn't fit, and never will as it is
``failed``  5xx but 503: an error of the server's own, which one event may have brought about
``wait``    everything that concerns the cluster, the index or a role: 401, 403, 404, 408, 429, 503, and other
            4xx of a type in :data:`CLUSTER`. It can be mended, and the event is as good as any
``unclear`` any other 4xx, of which the same type may mean either (``illegal_argument_exception``: a missing
            pipeline, or a term that is too long). It is the event's own fault where the same data stream has
            taken another since; until then it waits
==========  ================================================================================================

Types are names of Elasticsearch's exceptions in snake case, as its answers give them (``ElasticsearchException``'s
``getExceptionName``); those of 7.17, 8 and 9 are listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Verdict = Literal["done", "refused", "failed", "wait", "unclear"]

DOCUMENT: Final = frozenset(
    {
        "action_request_validation_exception",
        "date_time_parse_exception",
        "document_parsing_exception",
        "input_coercion_exception",
        "json_parse_exception",
        "mapper_parsing_exception",
        "max_bytes_length_exceeded_exception",
        "named_object_not_found_exception",
        "number_format_exception",
        "parsing_exception",
        "routing_missing_exception",
        "strict_dynamic_mapping_exception",
        "timestamp_error",
        "x_content_e_o_f_exception",
        "x_content_parse_exception",
    }
)
"""The event: it isn't what the mapping takes."""

CLUSTER: Final = frozenset(
    {
        "alias_not_found_exception",
        "circuit_breaking_exception",
        "cluster_block_exception",
        "es_rejected_execution_exception",
        "index_closed_exception",
        "index_creation_exception",
        "index_not_found_exception",
        "index_template_missing_exception",
        "invalid_alias_name_exception",
        "invalid_index_name_exception",
        "invalid_index_template_exception",
        "no_shard_available_action_exception",
        "process_cluster_event_timeout_exception",
        "resource_already_exists_exception",
        "resource_not_found_exception",
        "security_exception",
        "unavailable_shards_exception",
        "validation_exception",
    }
)
"""The cluster, the index or the role: blocked, full (``validation_exception``: no more shards), missing."""

_DONE: Final = frozenset({200, 201, 409})
_WAIT: Final = frozenset({401, 403, 404, 408, 429, 503})


def verdict(item: Mapping[str, Any]) -> Verdict:
    """What one item of an answer says.

    Args:
        item: What stands under its ``create``: ``status`` (an integer), and ``error`` with a ``type``, perhaps with a
            ``caused_by`` of a type.
    """
    status = item["status"]
    if status in _DONE:
        return "done"
    if status in _WAIT:
        return "wait"
    if status >= 500:
        return "failed"
    if status == 413:
        return "refused"
    found = types(item.get("error"))
    if found[:1] and found[0] in CLUSTER:
        return "wait"
    return "refused" if DOCUMENT.intersection(found) else "unclear"


def types(error: object) -> list[str]:
    """Type of an error and of what caused it, the outermost first."""
    found = []
    while isinstance(error, dict):
        if isinstance(name := error.get("type"), str):
            found.append(name)
        error = error.get("caused_by")
    return found
