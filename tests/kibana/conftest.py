"""A node that holds two weeks with every fault in them; shared by all tests of this folder."""

from __future__ import annotations

import pytest
from support import story


@pytest.fixture(scope="session")
def told(elasticsearch_node, tmp_path_factory):
    """(Place, cards, folder): everything is there and judged, on the node and in the folder that was shipped."""
    place = f"elasticsearch+{elasticsearch_node.url}"
    folder = tmp_path_factory.mktemp("story") / "events"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLLOG_NAMESPACE", "story")
        cards = story.tell(folder, place)
    return place, cards, folder
