from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mllog.card import ModelCard
from mllog.environment import Manifest
from mllog.errors import PlaceError, StoreError
from mllog.logger import ModelLogger
from mllog.ruler import Feature, Ruler
from watchers.profile import merge
from watchers.stores import FilesStore, open_store
from watchers.stores._results import read_lines, upsert, write_atomically

RULER = Ruler((Feature("n", "number", edges=(0.0,), low=0.0, high=1.0), Feature("c", "category", categories=("UA",), known=frozenset({"UA"}))))
CARD = ModelCard("m", "1", RULER)
START = dt.datetime(2026, 3, 6, 10, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def event(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A prediction as the logger writes it."""
    ml = {
        "model": {"name": "m", "version": "1", "role": "champion"}, "card": RULER.hash, "bins": ["n:1"],
        "inputs": {"number": {"n": 0.5}, "keyword": {"c": "UA"}}, **changes.pop("ml", {}),
    }  # fmt: skip
    stamp = (START + dt.timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
    return {"@timestamp": stamp, "event": {"id": f"e{number}", "action": "predict", "outcome": "success"}, "ml": ml, **changes}


def put(folder: Path, *lines: dict[str, Any] | str | bytes, name: str = "a.ndjson", age: float = 60.0, end: bytes = b"\n") -> Path:
    """A segment of these lines, last written to ``age`` seconds ago."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = [json.dumps(line).encode() if isinstance(line, dict) else line.encode() if isinstance(line, str) else line for line in lines]
    path.write_bytes(b"\n".join(encoded) + end)
    os.utime(path, (time.time() - age,) * 2)
    return path


def count(folder: Path, model: str = "m", hours: int = 24) -> dict[str, int]:
    """Counts of a day by the names of their cells; absent features would be among them."""
    total = merge(FilesStore(folder).profiles(model, RULER, START, START + hours * HOUR)).total()
    return {"|".join(RULER.cells[k]): int(c) for k, c in enumerate(total) if c}


GOOD = {"|n|": 1, "n|bin|1": 1, "c|category|UA": 1}


def times(number: int) -> dict[str, int]:
    """Counts of so many good events."""
    return {name: number * c for name, c in GOOD.items()}


BAD_LINES = {
    "cut": '{"@timestamp": "2026-03-06T10:00', "no object": "5", "null": "null", "list": "[]", "zeros": b"\x00" * 40, "not UTF-8": b'{"a": "\xff"}',
    "bare NaN": '{"a": NaN}', "nulls": '{"@timestamp": null, "event": null, "ml": null}', "no id": json.dumps({**event(), "event": {"action": "predict"}}),
    "no model": json.dumps({**event(), "ml": {}}), "no time": json.dumps({**event(), "@timestamp": None}), "a bad time": json.dumps({**event(), "@timestamp": "soon"}),
    "no zone": json.dumps({**event(), "@timestamp": "2026-03-06T10:00:00"}), "a time off the calendar": json.dumps({**event(), "@timestamp": "0001-01-01T00:00:00+02:00"}),
    "bins no list": json.dumps(event(ml={"bins": "n:1"})), "missing no map": json.dumps(event(ml={"missing": ["n"]})), "kind no list": json.dumps(event(ml={"missing": {"null": "n"}})),
    "inputs no map": json.dumps(event(ml={"inputs": 5})), "numbers no map": json.dumps(event(ml={"inputs": {"number": [1]}})), "text no map": json.dumps(event(ml={"text": {"t": 5}})),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_line_that_is_no_event_is_told_and_not_counted(tmp_path: Path, name: str) -> None:
    """It is rejected with file, line and reason, events beside it count, and no feature seems to be missing."""
    put(tmp_path, event(1), BAD_LINES[name], event(2), name="sub/a.ndjson")
    assert count(tmp_path) == times(2)
    (rejected,) = FilesStore(tmp_path).rejected()
    assert (rejected.place, rejected.line) == ("sub/a.ndjson", 2)
    assert rejected.reason


def test_a_truncated_last_line_of_an_old_segment_is_rejected(tmp_path: Path) -> None:
    """What a killed process left half written is told, once, and counts as nothing."""
    put(tmp_path, event(1), json.dumps(event(2))[:50], end=b"", age=60)
    assert count(tmp_path) == times(1)
    assert [(r.place, r.line) for r in FilesStore(tmp_path).rejected()] == [("a.ndjson", 2)]


def test_a_truncated_last_line_of_a_live_segment_is_waited_for(tmp_path: Path) -> None:
    """A line that is being written is no reject; finished, it counts; left for good, it is a reject after all."""
    line = json.dumps(event(2))
    path = put(tmp_path, event(1), line[:50], end=b"", age=0)
    assert count(tmp_path) == times(1)
    store = FilesStore(tmp_path)
    assert store.rejected() == []
    with path.open("a") as file:
        file.write(line[50:] + "\n")
    assert count(tmp_path) == times(2)
    other = put(tmp_path, event(3), line[:50], name="b.ndjson", end=b"", age=4.9)
    store.refresh()
    assert store.rejected() == []
    time.sleep(0.2)
    store.refresh()
    assert [(r.place, r.line) for r in store.rejected()] == [(other.name, 2)]
    assert count(tmp_path) == times(3)


def test_a_last_line_without_its_line_feed_counts(tmp_path: Path) -> None:
    """An event is one as soon as its JSON is whole."""
    put(tmp_path, event(1), event(2), end=b"", age=0)
    assert count(tmp_path) == times(2)


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n \n", b"\r\n"])
def test_empty_files(tmp_path: Path, content: bytes) -> None:
    """An empty segment is neither an error nor an event, alone or beside others."""
    (tmp_path / "a.ndjson").write_bytes(content)
    assert FilesStore(tmp_path).models() == []
    assert FilesStore(tmp_path).latest() is None
    assert count(tmp_path) == {}
    put(tmp_path, event(1), name="b.ndjson")
    assert count(tmp_path) == times(1)
    assert FilesStore(tmp_path).rejected() == []


def test_an_event_counts_once(tmp_path: Path) -> None:
    """An event that was delivered twice, in one file or in two, by this card or without one, counts once."""
    put(tmp_path, event(1), event(1), event(2))
    put(tmp_path, event(2), event(3, ml={"card": None}), event(3, ml={"card": None}), name="b.ndjson")
    assert count(tmp_path) == times(3)
    assert len(FilesStore(tmp_path).sample("m", START, START + HOUR, 9)) == 3


def test_times_of_other_zones(tmp_path: Path) -> None:
    """An event is counted at its moment, whatever zone and form of ISO 8601 its time is written in."""
    stamps = ["2026-03-06T12:30:00+02:00", "20260306T103000Z", "2026-03-06T10:30Z", "2026-03-06 05:30:00.123456789-05:00", "2026-03-06T10:30:00,5Z"]
    put(tmp_path, *({**event(k), "@timestamp": stamp} for k, stamp in enumerate(stamps)))
    assert count(tmp_path, hours=1) == times(5)
    assert FilesStore(tmp_path).rejected() == []
    span = FilesStore(tmp_path).span("m")
    assert span is not None
    assert span[0] == START + dt.timedelta(minutes=30)


def test_windows_line_ends(tmp_path: Path) -> None:
    """A carriage return before the line feed belongs to nothing."""
    put(tmp_path, json.dumps(event(1)) + "\r", json.dumps(event(2)) + "\r", "x\r")
    assert count(tmp_path) == times(2)


def test_no_event_of_this_card(tmp_path: Path) -> None:
    """A span whose events have another card, or none, is counted from their inputs; so is one of other models alone."""
    put(tmp_path, event(1, ml={"card": None}), event(2, ml={"card": "0" * 16}))
    assert count(tmp_path) == times(2)
    assert count(tmp_path, model="other") == {}


def test_odd_outputs_of_foreign_events(tmp_path: Path) -> None:
    """Outputs and durations of other types than ours are left aside, and the event counts."""
    put(tmp_path, event(1, ml={"card": None, "outputs": {"score": "high", "label": {"a": 1}}}, event={"id": "x", "action": "predict", "duration": "1s"}))
    assert count(tmp_path) == times(1)


def test_results_are_no_events(tmp_path: Path) -> None:
    """What the watchers wrote into the folder isn't read as events; a folder that begins alike is."""
    put(tmp_path, event(1))
    put(tmp_path, event(2), name="_watchers_of_old/a.ndjson")
    store = FilesStore(tmp_path)
    store.write_profiles(list(store.profiles("m", RULER, START, START + HOUR)), RULER)
    store.write_findings("m", [{"id": "a", "window": {"end": ""}}])
    assert count(tmp_path) == times(2)
    assert FilesStore(tmp_path).rejected() == []


def test_files_are_read_again_only_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second store over the same folder decodes nothing; a changed file, a lost or broken cache is read anew."""
    from watchers.stores import _segments

    path = put(tmp_path, event(1), "broken")
    count(tmp_path)
    reads: list[Path] = []
    read = _segments.Segments._read
    monkeypatch.setattr(_segments.Segments, "_read", lambda self, p, s, m: reads.append(p) or read(self, p, s, m))
    assert count(tmp_path) == times(1)
    assert reads == []
    put(tmp_path, event(1), event(2))
    assert count(tmp_path) == times(2)
    put(tmp_path, event(1), "broken")
    assert count(tmp_path) == times(1)
    reads.clear()
    index = tmp_path / "_watchers" / "segments.json"
    for content in ("", "{", "[]", "{}", '{"version": 2, "files": {"a": 5}}', '{"a.ndjson": {"size": 1, "modified": 1}}'):
        index.write_text(content)
        assert count(tmp_path) == times(1)
    assert len(reads) == 6
    (tmp_path / "_watchers" / "clean" / "a.ndjson").unlink()
    assert count(tmp_path) == times(1)
    path.unlink()
    assert count(tmp_path) == {}
    assert FilesStore(tmp_path).rejected() == []


def test_a_segment_that_goes_while_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the shipper clears away between listing and reading is no error."""
    put(tmp_path, event(1))
    gone = tmp_path / "b.ndjson"
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: iter([tmp_path / "a.ndjson", gone]))
    assert count(tmp_path) == times(1)


def test_a_live_logger_in_another_process(tmp_path: Path) -> None:
    """While another process holds the folder and writes, the store reads what is there."""
    code = (
        "import sys, time\nfrom mllog import ModelLogger\nlog = ModelLogger('m', version='1', sink=sys.argv[1])\n"
        "log.prediction({'n': 0.5, 'c': 'UA'}, time='2026-03-06T10:00:00Z')\nlog.flush()\nprint('ready', flush=True)\nsys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        held = FilesStore(tmp_path)
        list(held.profiles("m", RULER, START, START + HOUR))
        assert count(tmp_path) == times(1)
        child.communicate(b"")
    assert count(tmp_path) == times(1)


def test_two_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    """Upserts of several writers all arrive."""
    path = tmp_path / "x.ndjson"
    threads = [threading.Thread(target=lambda k=k: [upsert(path, [{"id": f"{k}-{j}"}]) for j in range(10)]) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_lines(path)) == 40


@pytest.mark.parametrize("broken", [b'{"id": "b", "win', b"\0" * 40, b"\xff{}", b"7", b"null", b'["id"]', b"{}", b'{"id": null}'])
@pytest.mark.parametrize("name", ["incidents.ndjson", "findings/mllog.prediction.m.ndjson", "profiles/mllog.prediction.m/2026-03-06.ndjson"])
def test_a_broken_line_of_a_result(tmp_path: Path, name: str, broken: bytes) -> None:
    """File and line are named, by what reads and by what writes, which leaves the file as it is."""
    store = FilesStore(tmp_path)
    path = tmp_path / "_watchers" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # The rest of the first line isn't looked at: no ruler has this hash.
    good = b'{"id":"a","ruler":"x","window":{"start":"2026-03-06T10:00:00+00:00","end":"2026-03-06T11:00:00+00:00"}}\n\n'
    held = good + broken
    path.write_bytes(held)
    said = re.escape(f"{path}: line 3 is") + ".* take it from a backup, or delete that line"
    document = {"id": "c"}
    with pytest.raises(StoreError, match=said):
        if name.startswith("incidents"):
            store.incident_events()
        elif name.startswith("findings"):
            store.findings("m")
        else:
            store.stored_profiles("m", RULER, START, START + HOUR)
    with pytest.raises(StoreError, match=said):
        upsert(path, [document])
    assert path.read_bytes() == held
    path.write_bytes(good)
    upsert(path, [document])
    assert [one["id"] for one in read_lines(path)] == ["a", "c"]


@pytest.mark.parametrize("broken", [b'{"number": 1, "jud', b"", b"\0" * 40, b"\xff", b"[1]", b"null"])
@pytest.mark.parametrize("name", ["state/mllog.prediction.m.json", "leases/mllog.prediction.m.json"])
def test_a_broken_object(tmp_path: Path, name: str, broken: bytes) -> None:
    """The file is named, by what reads and by what writes, and stays as it is; without it there is a new beginning."""
    store = FilesStore(tmp_path)
    is_state = name.startswith("state")
    leases = store.leases()

    def write() -> object:
        return store.write_state("m", {"number": 1}, after=0) if is_state else leases.acquire("m", 60.0)

    assert is_state or write()
    path = tmp_path / "_watchers" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(broken)
    said = re.escape(str(path)) + ".* take it from a backup. Or delete it: then "
    with pytest.raises(StoreError, match=said):
        write()
    if is_state:
        with pytest.raises(StoreError, match=said):
            store.state("m")
    assert path.read_bytes() == broken
    path.unlink()
    write()
    assert path.exists()


def test_a_lease_without_a_holder(tmp_path: Path) -> None:
    """What it lacks is named."""
    leases = FilesStore(tmp_path).leases()
    assert leases.acquire("m", 60.0)
    path = tmp_path / "_watchers" / "leases" / "mllog.prediction.m.json"
    path.write_text('{"version": "1", "taken": "2026-03-06T10:00:00+00:00", "seconds": 60.0}')
    with pytest.raises(StoreError, match=r"it has no field 'holder'; .* Or delete it: then whoever comes next takes the lease"):
        leases.acquire("m", 60.0)


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a write fails, what was there stays, and nothing half stands beside it."""
    store = FilesStore(tmp_path)
    store.write_state("m", {"judged": "x"})
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        store.write_state("m", {"judged": "y"})
    monkeypatch.undo()
    assert FilesStore(tmp_path).state("m") == {"judged": "x"}
    left = [p.name for p in (tmp_path / "_watchers" / "state").iterdir() if p.suffix != ".lock"]
    assert left == ["mllog.prediction.m.json"]
    write_atomically(tmp_path / "deep" / "x", b"1")
    assert (tmp_path / "deep" / "x").read_bytes() == b"1"


def test_a_cache_that_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a folder that can only be read, events are counted all the same."""
    from watchers.stores import _segments

    put(tmp_path, event(1))

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(_segments, "write_atomically", refuse)
    assert count(tmp_path) == times(1)


def test_many_rejects_are_counted_and_some_named(tmp_path: Path) -> None:
    """A file of rubbish names its first thousand lines."""
    put(tmp_path, *["rubbish"] * 1500, event(1))
    assert count(tmp_path) == times(1)
    assert len(FilesStore(tmp_path).rejected()) == 1000


def test_places(tmp_path: Path) -> None:
    """A folder, file: and duckdb: open the same store; what isn't there, or can't be read from, is told."""
    for place in (str(tmp_path), f"file:{tmp_path}", f"duckdb:{tmp_path}"):
        assert isinstance(open_store(place), FilesStore)
    for place, message in ((str(tmp_path / "none"), "no folder"), ("stdout:", "folder"), ("logstash+http://x:1", "folder")):
        with pytest.raises(PlaceError, match=message):
            open_store(place)


def test_documents_before_anything_was_counted(tmp_path: Path) -> None:
    """Documents come of the span that was counted last: before that there are none."""
    from watchers.finding import Window
    from watchers.stores.base import DocumentQuery

    put(tmp_path, event(1))
    assert FilesStore(tmp_path).documents("m", Window(START, START + HOUR), DocumentQuery("any"), None, 5) == []


def test_the_manifest_of_a_deployment_without_packages(tmp_path: Path) -> None:
    """A deployment whose manifest is gone or odd is a fingerprint without packages."""
    deploy = {"@timestamp": "2026-03-06T10:00:00Z", "event": {"id": "d", "action": "deploy"}, "ml": {"model": {"name": "m"}, "environment": "f1"}}
    odd = {**deploy, "event": {"id": "d2", "action": "deploy"}, "ml": {"model": {"name": "m"}, "environment": "f2", "manifest": {"packages": [1]}}}
    put(tmp_path, event(1), deploy, odd)
    profile = merge(FilesStore(tmp_path).profiles("m", RULER, START, START + HOUR))
    assert profile.manifests == {"f1": {}, "f2": {}}


def test_what_the_real_logger_writes(tmp_path: Path) -> None:
    """The events of these tests have the shape of the real logger's."""
    with ModelLogger("m", version="1", card=CARD, sink=tmp_path, environment=Manifest(python="3")) as log:
        log.prediction({"n": 0.5, "c": "UA"}, time=START)
    assert count(tmp_path) == GOOD
    store = FilesStore(tmp_path)
    assert store.models() == ["m"]
    assert [card.ruler.hash for card in store.cards()] == [RULER.hash]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "no field 'ruler'"),
        ('{"k": 1}', "no field 'ruler'"),
        (json.dumps({**CARD.to_dict(), "schema": 99}), "this release reads 1"),
        (json.dumps({**CARD.to_dict(), "training": {"*": {"i": [10_000], "c": [1]}}}), "field 'training'"),
        (json.dumps({**CARD.to_dict(), "training": {"*": {"i": [0], "c": [math.inf]}}}), "OverflowError"),
        (json.dumps({**CARD.to_dict(), "model": None}), "field 'model'"),
        (None, "can't be read"),
    ],
)
def test_a_card_that_cannot_be_read(tmp_path: Path, text: str | None, said: str) -> None:
    """Others are found; it is named, and why, and whose it is."""
    twin = dataclasses.replace(CARD, model="A twin")
    store = FilesStore(tmp_path)
    store.save_card(CARD)
    path = tmp_path / "_cards" / twin.file_name
    if text is None:
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.write_text(text)
    assert store.cards() == [CARD]
    (problem,) = store.problems()
    assert str(path) in problem
    assert said in problem
    assert store.broken_card("A twin") == problem
    assert store.broken_card("m") is None
    path.unlink()
    assert store.cards() == [CARD]
    assert store.problems() == []
    assert store.broken_card("A twin") is None
