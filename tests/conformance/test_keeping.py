"""What every store keeps and finds again: profiles, results, documents, cards, states."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from support.predictions import (
    HOUR,
    START,
    Prediction,
    hostile_ruler,
    plain,
    write,
)

from mllog.card import ModelCard
from mllog.environment import Manifest
from mllog.logger import ModelLogger
from mllog.ruler import (
    LABEL,
    Ruler,
)
from watchers.finding import Window
from watchers.incidents import IncidentEvent
from watchers.stores._leases import RecordLeases
from watchers.stores.base import DocumentQuery, StaleStateError


def test_profiles_are_kept(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Stored profiles come back equal, once, in order, by any time zone; another ruler's stay aside."""
    place = stand.place()
    write(place, [plain(0), plain(61, c=None), plain(130, t="unheard of")], card)
    store = stand.open(place)
    made = list(store.profiles("model", ruler, START, START + 3 * HOUR))
    store.write_profiles(made, ruler)
    store.write_profiles(made[:2], ruler)
    other = hostile_ruler((0.0,))
    store.write_profiles(list(store.profiles("model", other, START, START + HOUR)), other)
    again = stand.open(place)
    east = dt.timezone(dt.timedelta(hours=9))
    for zone in (dt.UTC, east):
        held = again.stored_profiles("model", ruler, START.astimezone(zone), (START + 3 * HOUR).astimezone(zone))
        assert [p.to_dict(ruler) for p in held] == [p.to_dict(ruler) for p in made]
    assert [p.n for p in again.stored_profiles("model", ruler, START + HOUR, START + 2 * HOUR)] == [1]
    assert len(again.stored_profiles("model", other, START, START + 3 * HOUR)) == 1
    assert again.stored_profiles("nobody", ruler, START, START + 3 * HOUR) == []


QUERIES = [
    (DocumentQuery("missing", "n"), [1]),
    (DocumentQuery("missing", "c"), [2, 3]),
    (DocumentQuery("unseen", "c"), [4, 5]),
    (DocumentQuery("unseen", "c", ("it''s",)), [5]),
    (DocumentQuery("range", "n"), [6]),
    (DocumentQuery("type", "n"), [7]),
    (DocumentQuery("tokens", "t"), [8]),
    (DocumentQuery("category", "c", ("it's", "a:b")), [9, 10]),
    (DocumentQuery("category", "b", ("false",)), [11]),
    (DocumentQuery("category", LABEL, ("5",)), [12]),
    (DocumentQuery("number", "n", side="high"), [6, 13]),
    (DocumentQuery("number", "n", side="low"), [14]),
    (DocumentQuery("latency"), [15]),
    (DocumentQuery("bin", values=("@unusable:0", "@margin:24")), [16, 17]),
    (DocumentQuery("environment", values=("nothing",)), []),
    (DocumentQuery("failure"), [18]),
    (DocumentQuery("unanswered", "@score", (*(f"@score:{k}" for k in range(20)), "@unusable:0")), [12, 19]),
    (DocumentQuery("unanswered", LABEL), [0, 1]),
    (DocumentQuery("any"), [0, 1]),
]


@pytest.fixture(scope="module")
def shown(lasting_stand: Any) -> tuple[Any, list[str]]:
    """A store that has counted an hour with something for each query to find, and the ids of its events."""
    ruler = hostile_ruler()
    given_ = [
        plain(0), plain(1, n=None), plain(2, c=""), plain(3, c="N/A"), plain(4, c="ZZ"), plain(5, c="it''s"), plain(6, n=99.0),
        plain(7, n="much"), plain(8, t="unheard of"), plain(9, c="it's"), plain(10, c="a:b"), plain(11, b=False), plain(12), plain(13, n=4.9),
        plain(14, n=-4.9), plain(15), plain(16), plain(17), plain(18), plain(19),
    ]  # fmt: skip
    given_[12].output = {"label": 5}
    given_[15].latency = 3.0
    given_[18].failed, given_[18].output, given_[19].output = True, None, None
    given_[16].output, given_[17].output = {"score": math.nan}, {"label": "late", "score": 1.0}
    place = lasting_stand.place()
    ids = write(place, given_, ModelCard("model", "1", ruler, task="classification"))
    store = lasting_stand.open(place)
    list(store.profiles("model", ruler, START, START + HOUR))
    return store, ids


@pytest.mark.parametrize(("query", "which"), QUERIES, ids=lambda v: f"{v.kind}-{v.feature}-{v.side}" if isinstance(v, DocumentQuery) else None)
def test_documents_show_a_finding(shown: tuple[Any, list[str]], query: DocumentQuery, which: list[int]) -> None:
    """Every kind of query brings the events that show it, the worst or first ones in front."""
    store, ids = shown
    window = Window(START, START + HOUR)
    found = store.documents("model", window, query, None, max(len(which), 1))
    assert found == [ids[k] for k in which]
    events = store.events(found)
    assert list(events) == [event["event"]["id"] for event in events.values()]
    assert set(events) == set(found)


def test_documents_of_a_segment_and_window(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """A segment and a window narrow a query, values with quotes and booleans included; a limit is kept."""
    place = stand.place()
    given_ = [plain(0, n=None, c="it's"), plain(1, n=None, b=False), plain(2, n=None, c="it's", b=False), plain(70, n=None)]
    ids = write(place, given_, card)
    store = stand.open(place)
    list(store.profiles("model", ruler, START, START + 2 * HOUR))
    query, hour = DocumentQuery("missing", "n"), Window(START, START + HOUR)
    assert store.documents("model", hour, query, {"c": "it's"}, 5) == [ids[0], ids[2]]
    assert store.documents("model", hour, query, {"b": "false"}, 5) == [ids[1], ids[2]]
    assert store.documents("model", hour, query, {"c": "it's", "b": "false"}, 5) == [ids[2]]
    assert store.documents("model", hour, query, None, 2) == ids[:2]
    assert store.documents("model", Window(START + HOUR, START + 2 * HOUR), query, None, 5) == ids[3:]


def test_documents_of_categories_that_came_as_numbers(stand: Any, ruler: Ruler) -> None:
    """Without a card 5 is a number, and to a category "5": alone and as a segment."""
    place = stand.place()
    ids = write(place, [Prediction({"c": value, "n": 1.0}) for value in (5, "5", 5.0, 6, "UA")])
    store = stand.open(place)
    list(store.profiles("model", ruler, START, START + HOUR))
    window = Window(START, START + HOUR)
    assert sorted(store.documents("model", window, DocumentQuery("category", "c", ("5",)), None, 9)) == sorted(ids[:3])
    assert sorted(store.documents("model", window, DocumentQuery("any"), {"c": "5"}, 9)) == sorted(ids[:3])


def test_everything_of_one_prediction(stand: Any, card: ModelCard) -> None:
    """By the caller's id or by the event's: prediction and label, in time order, and nothing else."""
    place = stand.place()
    (event_id, _) = write(place, [Prediction({"n": 1}, 0.5, START, id="it's-1"), plain(1)], card)
    with ModelLogger("model", version="1", sink=place, clock=lambda: int(START.timestamp()) * 10**9 + 10**9) as log:
        log.label("it's-1", "late")
        log.label("another", "late")
    store = stand.open(place)
    assert [event["event"]["action"] for event in store.events_of("it's-1")] == ["predict", "label"]
    assert [event["event"]["id"] for event in store.events_of(event_id)] == [event_id]
    assert store.events_of("nothing") == []
    assert store.events(["nothing"]) == {}


def test_manifests_are_found_by_fingerprint(stand: Any, card: ModelCard) -> None:
    """The packages behind a fingerprint are there, and an unknown fingerprint gives None."""
    place = stand.place()
    manifest = Manifest(python="3.12", packages={"scipy": "1.0"})
    write(place, [plain(0)], card, environment=manifest)
    store = stand.open(place)
    held = store.manifest(manifest.fingerprint)
    assert held is not None
    assert held["packages"] == {"scipy": "1.0"}
    assert store.manifest("0" * 16) is None


def test_cards_are_found(stand: Any, card: ModelCard) -> None:
    """The card that a logger left is there, and so is one that the watchers made."""
    place = stand.place()
    write(place, [plain(0)], card)
    store = stand.open(place)
    assert [c.ruler.hash for c in store.cards()] == [card.ruler.hash]
    made = ModelCard("model", "observed", hostile_ruler((0.0,)))
    store.save_card(made)
    store.save_card(made)
    assert {c.ruler.hash for c in stand.open(place).cards()} == {card.ruler.hash, made.ruler.hash}


def test_the_last_card_of_a_ruler_counts(stand: Any) -> None:
    """A model that was trained again may keep its ruler: its training and version are those of the card saved last."""
    place = stand.place()
    first = ModelCard.from_frame({"n": [1.0, 2.0, 3.0]}, "model", "1")
    second, third = (ModelCard.from_frame({"n": [1.0, 2.0, 3.0] * k}, "model", str(k), previous=first) for k in (2, 3))
    assert first.ruler.hash == second.ruler.hash == third.ruler.hash

    def held(store: Any) -> list[tuple[str, int]]:
        return [(card.version, sum(card.totals.values())) for card in store.cards()]

    wanted = [(card.version, sum(card.totals.values())) for card in (first, second, third)]
    for k, card in enumerate((first, second)):
        write(place, [plain(k)], card, version=card.version)
        store = stand.open(place)
        assert held(store) == wanted[k : k + 1]
    store.save_card(third)
    assert held(store) == wanted[2:]
    # Where events are shipped again, so are their cards: an older one must not come back.
    assert held(stand.open(place)) == wanted[2:]


@pytest.mark.parametrize(("limit", "n"), [(1, 1), (3, 3), (6, 6), (10, 10), (11, 10)])
def test_a_sample_is_spread_over_the_span(stand: Any, card: ModelCard, limit: int, n: int) -> None:
    """A sample is no larger than asked, full where there is enough, and not of the first hours alone."""
    place = stand.place()
    write(place, [plain(10 * k) for k in range(10)], card)
    found = stand.open(place).sample("model", START, START + 2 * HOUR, limit)
    assert len(found) == n
    assert len({event["event"]["id"] for event in found}) == n
    if limit > 1:
        assert found[-1]["@timestamp"] >= (START + dt.timedelta(minutes=50)).isoformat()


def test_results_are_upserted(stand: Any) -> None:
    """Findings replace themselves by id, incident events stay as they were written, state is whole."""
    place = stand.place()
    store = stand.open(place)
    store.write_findings("m", [{"id": "b", "window": {"end": "2026-01-02"}, "v": 1}, {"id": "a", "window": {"end": "2026-01-01"}}])
    store.write_findings("m", [{"id": "b", "window": {"end": "2026-01-02"}, "v": 2}])
    store.write_findings("m", [])
    assert [(f["id"], f.get("v")) for f in stand.open(place).findings("m")] == [("a", None), ("b", 2)]
    data = {"model": "m", "onset": START.isoformat(), "opened": START.isoformat(), "title": "what broke"}
    made = [IncidentEvent.make("i", START + k * HOUR, "updated" if k else "opened", k, {**data, "findings": k}).to_dict() for k in range(3)]
    store.write_incident_events(made[:2])
    store.write_incident_events([{**made[0], "data": {**data, "findings": 9}}, made[2]])
    assert stand.open(place).incident_events() == made
    assert store.state("m") == {}
    store.write_state("m", {"judged": "x"})
    store.write_state("m", {"judged": "y"})
    assert stand.open(place).state("m") == {"judged": "y"}
    assert store.findings("other") == []


def test_days_of_profiles_are_kept(stand: Any, ruler: Ruler, card: ModelCard) -> None:
    """Whole days and parts of some come back hour by hour; an hour of a day that is over can be replaced."""
    place = stand.place()
    write(place, [plain(60 * k) for k in range(0, 60, 7)], card)
    store = stand.open(place)
    begin, end = START - 2 * HOUR, START + 60 * HOUR
    made = list(store.profiles("model", ruler, begin, end))
    store.write_profiles(made[:30], ruler)
    store.write_profiles(made[30:], ruler)
    for first, last in ((0, 62), (4, 28), (3, 29), (5, 6), (27, 53)):
        found = stand.open(place).stored_profiles("model", ruler, begin + first * HOUR, begin + last * HOUR)
        assert [profile.to_dict(ruler) for profile in found] == [profile.to_dict(ruler) for profile in made[first:last]]
    made[10].count("host", "another", 3)
    store.write_profiles([made[10]], ruler)
    found = stand.open(place).stored_profiles("model", ruler, begin, end)
    assert [profile.to_dict(ruler) for profile in found] == [profile.to_dict(ruler) for profile in made]


def test_hours_are_counted_cheaply(stand: Any, card: ModelCard) -> None:
    """Events of each hour that has some, by whatever card, and none of those that only a rule kept."""
    place = stand.place()
    write(place, [plain(0), plain(1), plain(130)], card)
    write(place, [plain(2)], None)
    write(place, [plain(61)], None, model="other")
    counts = stand.open(place).counts("model", START, START + 3 * HOUR)
    assert counts == {START: 3, START + 2 * HOUR: 1}
    assert stand.open(place).counts("model", START + HOUR, START + 2 * HOUR) == {}
    assert stand.open(place).counts("nobody", START, START + HOUR) == {}


def test_a_state_is_swapped(stand: Any) -> None:
    """A state that builds on an older one than that which is there is refused, and changes nothing."""
    place = stand.place()
    store = stand.open(place)
    store.write_state("m", {"number": 1, "v": 1}, after=0)
    store.write_state("m", {"number": 2, "v": 2}, after=1)
    with pytest.raises(StaleStateError):
        store.write_state("m", {"number": 2, "v": 3}, after=1)
    with pytest.raises(StaleStateError):
        store.write_state("new", {"number": 2}, after=1)
    assert (store.state("m"), store.state("new")) == ({"number": 2, "v": 2}, {})


def test_what_was_told_and_run_is_kept(stand: Any) -> None:
    """Messages that were told are known at once; the newest runs come back, oldest first."""
    place = stand.place()
    store = stand.open(place)
    now = dt.datetime.now(dt.UTC)
    assert store.told(["a"]) == set()
    store.write_told({"id": "a", "@timestamp": now.isoformat(), "event": "e", "incident": "i", "route": "mail", "by": "me"})
    before = now.replace(day=1) - dt.timedelta(days=1)
    store.write_told({"id": "c", "@timestamp": before.isoformat(), "event": "e", "incident": "i", "route": "mail", "by": "me"})
    assert store.told(["a", "b", "c"]) == {"a", "c"}
    runs = [{"id": str(k), "@timestamp": (now - k * HOUR).isoformat(), "run": {"id": str(k), "pid": k}} for k in range(3)]
    for document in reversed(runs):
        store.write_run(document)
    assert stand.open(place).runs(2) == [runs[1], runs[0]]


def test_findings_are_withdrawn(stand: Any) -> None:
    """Those that are named are gone, unknown ones are passed over."""
    place = stand.place()
    store = stand.open(place)
    store.write_findings("m", [{"id": name, "window": {"end": "2026-01-02T00:00:00+00:00"}} for name in "abc"])
    store.withdraw_findings("m", ["a", "c", "nobody"])
    assert [finding["id"] for finding in stand.open(place).findings("m")] == ["b"]


def test_leases(stand: Any) -> None:
    """One at a time, until it is given back; of two stores too."""
    place = stand.place()
    mine, theirs = stand.open(place).leases(), stand.open(place).leases()
    held = mine.acquire("m", 30.0)
    assert held is not None
    assert RecordLeases(theirs._records, holder="elsewhere/1").acquire("m", 30.0) is None
    held = mine.renew(held)
    assert held is not None
    mine.release(held)
    assert RecordLeases(theirs._records, holder="elsewhere/1").acquire("m", 30.0) is not None
