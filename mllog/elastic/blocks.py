"""Blocks on an index or a cluster: an operator's, or the node's own for want of disk, and no matter of credentials.

https://www.elastic.co/docs/reference/elasticsearch/index-settings/index-block
"""

from __future__ import annotations

import re
from typing import Final

_BLOCKED: Final = re.compile(r"(?:index \[(?P<index>[^\]]+)\] )?blocked by: \[[A-Z_]+/(?P<number>\d+)/")
_SETTINGS: Final = {
    "5": "index.blocks.read_only",
    "7": "index.blocks.read",
    "8": "index.blocks.write",
    "9": "index.blocks.metadata",
    "6": "cluster.blocks.read_only",
    "13": "cluster.blocks.read_only_allow_delete",
}
_FLOOD: Final = "12"


def block_remedy(text: str) -> str:
    """What to do about a block that a ``cluster_block_exception`` tells of; empty where it tells of none.

    Args:
        text: Its reason, or an answer that holds it.
    """
    found = _BLOCKED.search(text)
    if found is None:
        return ""
    index = found["index"] or "the index"
    if found["number"] == _FLOOD:
        return f"free disk on the node, which then lifts index.blocks.read_only_allow_delete of {index} by itself"
    setting = _SETTINGS.get(found["number"])
    if setting is None:
        return ""
    return f"remove {setting} from {index if setting.startswith('index.') else 'the settings of the cluster'}"
