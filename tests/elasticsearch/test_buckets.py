"""Answers have at most ``search.max_buckets`` buckets: what is asked for is split before it is refused, and never cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import streams

from watchers.stores.elastic import ElasticsearchStore, counting, others

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 700


@pytest.fixture
def strict(newest: Any) -> Any:
    """A node that refuses answers of more than a few buckets."""
    newest.ask("PUT", "/_cluster/settings", {"persistent": {"search.max_buckets": LIMIT}})
    yield newest
    newest.ask("PUT", "/_cluster/settings", {"persistent": {"search.max_buckets": None}})


@pytest.mark.parametrize("measured", [True, False], ids=["by the card", "by none"])
def test_a_busy_hour_is_asked_for_in_parts(strict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: bool) -> None:
    """The same counts, segments included, as of a node that gives all at once."""
    card = streams.card_of("m")
    streams.serve(tmp_path, "m", hours=4, each=250, card=card if measured else None, namespace=strict.namespace)
    strict.ship(tmp_path)
    store = ElasticsearchStore(strict.name, namespace=strict.namespace)
    store.refresh()
    span = streams.START, streams.START + 4 * streams.HOUR
    strict.ask("PUT", "/_cluster/settings", {"persistent": {"search.max_buckets": None}})
    want = [profile.to_dict(card.ruler) for profile in store.profiles("m", card.ruler, *span)]
    assert sum(profile["n"] for profile in want) == 1000
    assert {tuple(cell["f"]) for profile in want for cell in profile["cells"]} == {("", ""), *(("carrier", c) for c in streams.CARRIERS)}
    strict.ask("PUT", "/_cluster/settings", {"persistent": {"search.max_buckets": LIMIT}})
    for module in (counting, others):
        monkeypatch.setattr(module, "BUCKETS", LIMIT * module.BUCKETS // 65_535)
    if not measured:
        monkeypatch.setattr(others, "VALUES", 60)
        monkeypatch.setattr(others, "GROUP", 2)
    assert [profile.to_dict(card.ruler) for profile in store.profiles("m", card.ruler, *span)] == want
