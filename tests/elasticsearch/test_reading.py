"""What a run reads: few documents, whatever the traffic and however many other models there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support import streams

from watchers.finding import Window
from watchers.incidents import IncidentEvent
from watchers.profile import ALL, WindowProfile
from watchers.stores.elastic import ElasticsearchStore, plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAYS = 10


def profiles(model: str, hours: int) -> list[WindowProfile]:
    """Hours of counts."""
    ruler = streams.card_of(model).ruler
    found = []
    for hour in range(hours):
        start = streams.START + hour * streams.HOUR
        profile = WindowProfile(model, ruler.hash, Window(start, start + streams.HOUR))
        counts = profile.total()
        counts.resize(len(ruler.cells))
        counts[0] = hour
        profile.add(ruler.stratum(start), ALL, counts)
        found.append(profile)
    return found


def test_four_weeks_are_few_documents(newest: Any) -> None:
    """A document a day, and one an hour of the day that isn't over."""
    store = ElasticsearchStore(newest.name, namespace=newest.namespace)
    ruler = streams.card_of("m").ruler
    made = profiles("m", 24 * DAYS + 5)
    store.keep_profiles(made[:-5], ruler)
    store.keep_profiles(made[-5:], ruler)
    there = [0]
    get = store.searcher.get

    def counted(documents: Sequence[tuple[str, str]], source: Any = True) -> Any:
        found = get(documents, source)
        there[0] += sum(body is not None for body in found)
        return found

    store.searcher.get = counted  # type: ignore[method-assign]
    held = store.stored_profiles("m", ruler, streams.START, streams.START + (24 * DAYS + 5) * streams.HOUR)
    assert [profile.n for profile in held] == list(range(24 * DAYS + 5))
    assert there[0] == DAYS + 5


def test_changes_of_others_are_not_read(newest: Any) -> None:
    """Of a hundred models' incidents a model reads its own, and what people did to them."""
    store = ElasticsearchStore(newest.name, namespace=newest.namespace)
    data = {"onset": streams.START.isoformat(), "opened": streams.START.isoformat(), "title": "broke"}
    opened = [IncidentEvent.make(f"i{k}", streams.START, "opened", 0, {**data, "model": f"m{k}"}) for k in range(100)]
    store.write_incident_events([event.to_dict() for event in opened])
    taken = IncidentEvent.make("i7", streams.START + streams.HOUR, "acknowledged", 1, {"by": "me"})
    store.write_incident_events([taken.to_dict()])
    assert store.incident_events("m7") == [opened[7].to_dict(), taken.to_dict()]
    assert len(store.incident_events()) == 101


def test_models_are_known_without_a_look_at_their_events(newest: Any, tmp_path: Path) -> None:
    """The node counts them from its terms, whole segments at once."""
    for model in ("one", "two"):
        streams.serve(tmp_path / model, model, hours=2, broken=2, card=streams.card_of(model), namespace=newest.namespace)
        newest.ship(tmp_path / model)
    store = ElasticsearchStore(newest.name, namespace=newest.namespace)
    store.refresh()
    assert store.models() == ["one", "two"]
    body = {"size": 0, "profile": True, "aggs": plan.named_models()}
    answer = newest.ask("POST", f"/logs-mllog.prediction.*-{newest.namespace}/_search", body)
    asked = [one for shard in answer["profile"]["shards"] for one in shard["aggregations"]]
    assert {one["type"] for one in asked} == {"StringTermsAggregatorFromFilters"}
    assert {one["debug"]["delegate_debug"]["segments_collected"] for one in asked} == {0}
