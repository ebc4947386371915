"""What a run reads: few documents, whatever the traffic and however many other models there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import streams

from watchers.finding import Window
from watchers.incidents import IncidentEvent
from watchers.profile import ALL, WindowProfile
from watchers.stores.base import StaleStateError
from watchers.stores.elastic import ElasticsearchStore, counting, keeping, plan, searching

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


def test_four_weeks_are_few_documents(newest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
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

    monkeypatch.setattr(store.searcher, "get", counted)
    held = store.stored_profiles("m", ruler, streams.START, streams.START + (24 * DAYS + 5) * streams.HOUR)
    assert [profile.n for profile in held] == list(range(24 * DAYS + 5))
    assert there[0] == DAYS + 5


def test_a_large_day_is_read_by_hours(newest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day that grows over the bound has no document of its own any more; answers are of bounded size."""
    store = ElasticsearchStore(newest.name, namespace=newest.namespace)
    ruler = streams.card_of("m").ruler
    made = profiles("m", 48)
    end = streams.START + 48 * streams.HOUR
    store.keep_profiles(made, ruler)
    monkeypatch.setattr(keeping, "DAY_BYTES", 10)
    made[3].count("version", "late")
    store.keep_profiles(made[3:4], ruler)
    asked: list[int] = []
    mget = store.searcher.client.mget

    def counted(**options: Any) -> Any:
        asked.append(len(options["docs"]))
        return mget(**options)

    monkeypatch.setattr(store.searcher.client, "mget", counted)
    monkeypatch.setattr(searching, "FIRST", 2)
    monkeypatch.setattr(searching, "ANSWER_BYTES", 3_000)
    held = store.stored_profiles("m", ruler, streams.START, end)
    assert [profile.n for profile in held] == list(range(48))
    assert held[3].names["version"] == {"late": 1}
    assert len(asked) > 3
    assert max(asked) < 24


def test_results_are_read_page_by_page(newest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, and in order."""
    store = ElasticsearchStore(newest.name, namespace=newest.namespace)
    ends = [(streams.START + k * streams.HOUR).isoformat() for k in range(10)]
    findings = [{"id": f"f{k}", "check": "missing", "window": {"start": end, "end": end}} for k, end in enumerate(ends)]
    store.write_findings("m", findings)
    monkeypatch.setattr(searching, "PAGE", 3)
    assert [finding["id"] for finding in store.findings("m")] == [finding["id"] for finding in findings]


def test_a_state_whose_answer_was_lost_is_written(newest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent again by the client it meets itself, and that is no conflict; another's is one."""
    store = ElasticsearchStore(newest.name, namespace=newest.namespace)
    index = store.searcher.client.index

    def twice(**options: Any) -> Any:
        index(**options)
        return index(**options)

    monkeypatch.setattr(store.searcher.client, "index", twice)
    store.write_state("m", {"number": 1}, after=0)
    assert store.state("m")["number"] == 1

    def overtaken(**options: Any) -> Any:
        index(**{**options, "document": store.results.state("m", {"number": 2, "other": True})[2]})
        return index(**options)

    monkeypatch.setattr(store.searcher.client, "index", overtaken)
    with pytest.raises(StaleStateError):
        store.write_state("m", {"number": 2}, after=1)


def test_what_comes_while_it_counts_is_late(newest: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour that had nothing when it was looked at has nothing in this answer, instead of events without bins."""
    card = streams.card_of("m")
    streams.serve(tmp_path, "m", hours=3, card=card, namespace=newest.namespace)
    newest.ship(tmp_path)
    store = ElasticsearchStore(newest.name, namespace=newest.namespace)
    store.refresh()

    def counts() -> list[dict[str, Any]]:
        found = store.profiles("m", card.ruler, streams.START, streams.START + 3 * streams.HOUR)
        return [profile.to_dict(card.ruler) for profile in found]

    for dense in (1, 1_000_000):
        monkeypatch.setattr(counting, "DENSE", dense)
        whole = counts()
        with monkeypatch.context() as patch:
            count = counting.Profiler._count

            def earlier(*args: Any, count: Any = count) -> Any:
                held, told = count(*args)
                return {hour: one for hour, one in held.items() if hour != streams.START + streams.HOUR}, told

            patch.setattr(counting.Profiler, "_count", earlier)
            some = counts()
        assert whole[1]["n"] > 0
        assert (some[1]["n"], some[1]["cells"], some[1]["names"]) == (0, [], {})
        assert [some[0], some[2]] == [whole[0], whole[2]]


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
