"""Several lines that a server can't stand, a stream that takes nothing, a server that fails by chance: who waits."""

from __future__ import annotations

import itertools
import json
import os
import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support import spools
from support.scripted import Asked, Scripted, bulk, failure, scripted

from mllog.shipping import Shipper, inspect, open_destination
from mllog.shipping.courier import Limits
from mllog.shipping.dead import read
from mllog.shipping.destinations.elasticsearch import ElasticsearchDestination
from mllog.shipping.destinations.waiting import Streams
from mllog.shipping.pace import Pace
from mllog.shipping.replay import replay

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable

ES = "elasticsearch+http"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("MLLOG_")]:
        monkeypatch.delenv(name)


def quick(folder: pathlib.Path, place: str, *, give_up: float | None = 30.0, **options: Any) -> Shipper:
    """A shipper that doesn't wait long."""
    destination = open_destination(place)
    destination.hurry(5.0)
    shipper = Shipper(folder, destination, give_up=give_up, **options)
    shipper.pace = Pace(shipper.stop, first=0.001, longest=0.005, give_up=give_up)
    return shipper


def letters(folder: pathlib.Path) -> dict[str, str]:
    """Reasons of dead letters by id."""
    return {letter["id"]: letter["reason"] for path in (folder / "_dead").glob("*/*.ndjson") for letter in read(path)}


def unable(poison: Iterable[str], got: list[str]) -> Any:
    """Answers of a server that fails whenever one of some lines is sent."""
    bad = set(poison)

    def answer(asked: Asked) -> int:
        if bad & set(asked.ids):
            return 500
        got.extend(asked.ids)
        return 200

    return answer


@pytest.mark.parametrize(
    "poison",
    [(0, 1), (0, 7), (80, 81), tuple(range(8)), tuple(range(30)), tuple(range(0, 180, 7))],
    ids=["head", "apart", "last", "a batch", "four batches", "many"],
)
def test_lines_that_a_server_cannot_stand_keep_no_others(tmp_path: pathlib.Path, poison: tuple[int, ...]) -> None:
    """However many they are and wherever they stand: they are set aside, and all others arrive, once each."""
    spools.spool(tmp_path, "a", spools.lines("a", 200))
    spools.spool(tmp_path, "b", spools.lines("b", 30))
    got: list[str] = []
    with scripted(unable((f"a-{k}" for k in poison), got)) as server:
        shipper = quick(tmp_path, server.place(), limits=Limits(lines=8))
        shipper.run()
    assert shipper.problem is None
    assert letters(tmp_path).keys() == {f"a-{k}" for k in poison}
    good = {f"a-{k}" for k in range(200) if k not in poison} | {f"b-{k}" for k in range(30)}
    assert sorted(got) == sorted(good)
    (status,) = inspect(tmp_path)
    assert (status.delivered, status.dead, status.pending_lines) == (230 - len(poison), len(poison), 0)


@pytest.mark.parametrize("count", [1, 2, 10])
def test_a_process_of_nothing_but_such_lines(tmp_path: pathlib.Path, count: int) -> None:
    """What another process has taken meanwhile is enough to know whose fault it is."""
    spools.spool(tmp_path, "a", spools.lines("a", count))
    writer = spools.spool(tmp_path, "b", spools.lines("b", 1), closed=False)
    got: list[str] = []
    with scripted(unable((f"a-{k}" for k in range(count)), got)) as server:
        shipper = quick(tmp_path, server.place(), give_up=None)
        thread = threading.Thread(target=shipper.run, kwargs={"follow": True})
        thread.start()
        for k in itertools.count(1):
            writer.write(spools.line(f"b-{k}"))
            if len(letters(tmp_path)) == count or server.ended.wait(0.01) or k > 3000:
                break
        shipper.stop.set()
        thread.join()
    writer.close()
    assert letters(tmp_path).keys() == {f"a-{k}" for k in range(count)}
    assert set(got) <= {f"b-{j}" for j in range(k + 1)}


def test_lines_that_crash_a_server_that_says_503_while_it_comes_back(tmp_path: pathlib.Path) -> None:
    """Each second answer is the load balancer's: failures of the batch in hand add up over the turns."""
    spools.spool(tmp_path, "a", spools.lines("a", 40))
    got: list[str] = []
    down = False

    def answer(asked: Asked) -> Any:
        nonlocal down
        if down:
            down = False
            return 503
        if {"a-0", "a-1"} & set(asked.ids):
            down = True
            return []
        got.extend(asked.ids)
        return 200

    with scripted(answer) as server:
        shipper = quick(tmp_path, server.place(), limits=Limits(lines=20))
        shipper.run()
    assert shipper.problem is None
    assert letters(tmp_path).keys() == {"a-0", "a-1"}
    assert len(set(got)) == 38


@pytest.mark.parametrize("chance", [0.3, 0.6, 0.9])
def test_a_server_that_fails_by_chance_loses_nothing(tmp_path: pathlib.Path, chance: float) -> None:
    """However often an honest line has failed, chance explains it: all arrive, none is set aside."""
    spools.spool(tmp_path, "a", spools.lines("a", 300))
    draw = random.Random(11)
    got: set[str] = set()

    def answer(asked: Asked) -> int:
        if draw.random() < chance:
            return 502
        got.update(asked.ids)
        return 200

    with scripted(answer) as server:
        shipper = quick(tmp_path, server.place(), limits=Limits(lines=20))
        shipper.run()
    assert (shipper.problem, len(got)) == (None, 300)
    assert (shipper.counts.delivered, shipper.counts.dead, shipper.counts.lost) == (300, 0, 0)


@pytest.mark.parametrize("chance", [0.5, 0.8])
def test_an_elasticsearch_whose_items_fail_by_chance(tmp_path: pathlib.Path, chance: float) -> None:
    """The same where single items of a bulk fail with 500 beside others that are taken."""
    spools.spool(tmp_path, "a", spools.lines("a", 300))
    draw = random.Random(12)
    got: set[str] = set()

    def answer(asked: Asked) -> Any:
        if not asked.path.endswith("/_bulk"):
            return 200, {}
        failed = {identity for identity in asked.ids if draw.random() < chance}
        got.update(set(asked.ids) - failed)
        return bulk([failure(500, "i_o_exception") if name in failed else {"status": 201} for name in asked.ids])

    with scripted(answer) as server:
        shipper = quick(tmp_path, server.place(ES), limits=Limits(lines=50))
        shipper.run()
    assert (shipper.problem, len(got), shipper.counts.dead) == (None, 300, 0)


def streams_of(answers: dict[str, dict[str, Any]], stored: list[str]) -> Any:
    """Answers of an Elasticsearch where some data streams take nothing."""

    def answer(asked: Asked) -> Any:
        if not asked.path.endswith("/_bulk"):
            return 200, ({"_shards": {"failed": 0}} if asked.path.endswith("_refresh") else {})
        actions = [json.loads(line)["create"] for line in asked.body.splitlines()[::2]]
        items = [
            next((said for stream, said in answers.items() if stream in action["_index"]), {"status": 201})
            for action in actions
        ]
        stored.extend(
            a["_id"]
            for a, item in zip(actions, items, strict=True)
            if item["status"] == 201 and "deadletter" not in a["_index"]
        )
        return bulk(items)

    return answer


def patient(folder: pathlib.Path, server: Scripted, seconds: float, **options: Any) -> Shipper:
    """A shipper that takes a stream for out of order after other than sixty seconds."""
    shipper = quick(folder, server.place(ES), **options)
    assert isinstance(shipper.destination, ElasticsearchDestination)
    shipper.destination._streams = Streams(seconds)
    return shipper


@pytest.mark.parametrize(
    "item",
    [
        failure(403, "security_exception", "unauthorized for index"),
        failure(400, "illegal_argument_exception", "pipeline with id [x] does not exist"),
        failure(500, "null_pointer_exception"),
        failure(400, "index_closed_exception"),
    ],
    ids=lambda item: item["error"]["type"],
)
def test_a_stream_that_takes_nothing_ends_as_dead_letters(tmp_path: pathlib.Path, item: dict[str, Any]) -> None:
    """One event of a quiet stream keeps the other streams of its process for a bounded time, and is replayable."""
    writer = spools.spool(
        tmp_path, "a", [spools.line("quiet", dataset="mllog.deployment"), *spools.lines("a", 99)], closed=False
    )
    stored: list[str] = []
    with scripted(streams_of({"mllog.deployment": item}, stored)) as server:
        shipper = patient(tmp_path, server, 60.0, limits=Limits(lines=20), give_up=0.5)
        shipper.round()
        assert (shipper.counts.dead, "a-18" in stored) == (0, True)
        assert item["error"]["type"] in str(shipper.problem)
        shipper.close()
        shipper = patient(tmp_path, server, 0.1, limits=Limits(lines=20), give_up=None)
        thread = threading.Thread(target=shipper.run, kwargs={"follow": True})
        thread.start()
        for k in range(99, 3000):
            writer.write(spools.line(f"a-{k}"))
            if letters(tmp_path) or server.ended.wait(0.01):
                break
        writer.close()
        shipper.stop.set()
        thread.join()
        quick(tmp_path, server.place(ES)).run()
        assert item["error"]["type"] in letters(tmp_path)["quiet"]
        assert "took nothing" in letters(tmp_path)["quiet"]
        assert {f"a-{j}" for j in range(k + 1)} <= set(stored)
        server.answering = streams_of({}, stored)
        result = replay(quick(tmp_path, server.place(ES)))
    assert (result["delivered"], result["dead"], result["problem"]) == (1, 0, None)
    assert stored.count("quiet") == 1


def test_the_last_lines_wait_for_others(tmp_path: pathlib.Path) -> None:
    """Where nothing comes behind them nothing tells whose fault it is: they wait, with the reason, until it does."""
    writer = spools.spool(tmp_path, "a", spools.lines("a", 30), closed=False)
    got: list[str] = []
    with scripted(unable(["a-28", "a-29"], got)) as server:
        shipper = quick(tmp_path, server.place(), give_up=0.3)
        shipper.round()
        shipper.close()
        (status,) = inspect(tmp_path)
        assert (len(got), status.dead, status.pending_lines, status.failing) == (28, 0, 30, True)
        assert "answered 500" in str(status.last_error)
        for k in range(30, 90):
            writer.write(spools.line(f"a-{k}"))
        writer.close()
        shipper = quick(tmp_path, server.place())
        shipper.run()
    assert shipper.problem is None
    assert letters(tmp_path).keys() == {"a-28", "a-29"}
    assert set(got) == {f"a-{k}" for k in range(90)} - letters(tmp_path).keys()


def test_while_no_stream_takes_anything_all_wait(tmp_path: pathlib.Path) -> None:
    """Then it is the cluster, however many streams there are."""
    events = [*spools.lines("a", 20), *spools.lines("k", 20, dataset="mllog.metric")]
    spools.spool(tmp_path, "a", events)
    denied = failure(403, "security_exception")
    with scripted(streams_of({"mllog.": denied}, [])) as server:
        shipper = patient(tmp_path, server, 0.0, give_up=3.0)
        shipper.run()
        assert len(server.asked) > 30
    assert shipper.counts.dead == 0
    assert inspect(tmp_path)[0].pending_lines == 40


def test_one_letter_holds_back_no_replay(tmp_path: pathlib.Path) -> None:
    """What the server still can't stand stays, at its head or anywhere; the letters behind it arrive."""
    bad = ["a-0", "a-5", "a-6", "a-7"]
    spools.spool(tmp_path, "a", spools.lines("a", 30))
    with scripted(lambda asked: 413 if set(bad) & set(asked.ids) else 200) as server:
        quick(tmp_path, server.place()).run()
        assert letters(tmp_path).keys() == set(bad)
        got: list[str] = []
        server.answering = unable(["a-0"], got)
        result = replay(quick(tmp_path, server.place(), give_up=0.5))
        assert (result["delivered"], result["dead"], sorted(got)) == (3, 0, bad[1:])
        assert "answered 500" in result["problem"]
        assert letters(tmp_path).keys() == {"a-0"}
        server.answering = unable([], got)
        result = replay(quick(tmp_path, server.place()))
    assert (result["delivered"], result["problem"], sorted(got)) == (1, None, bad)
    assert letters(tmp_path) == {}
