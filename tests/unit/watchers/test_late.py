"""Late events: which hours they re-open, what becomes of findings and incidents, who is told what."""

from __future__ import annotations

import datetime as dt
import itertools
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import mllog
from mllog.card import ModelCard
from mllog.environment import Manifest
from watchers import late
from watchers.config import Config
from watchers.notify import Route
from watchers.schedule import incidents_of, run
from watchers.stores import FilesStore

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
PER_HOUR = 40
BOUND = 10
CONFIG = Config(
    lengths=((1, 1),), reopen=BOUND * HOUR, lateness=dt.timedelta(0), notify=(Route("json://127.0.0.1:9/"),)
)


class Carrier:
    """Takes every message."""

    def __init__(self):
        self.messages = []

    def send(self, route, message):
        self.messages.append(message)


def rows(hour):
    rng = np.random.default_rng([7, hour])
    for _ in range(PER_HOUR):
        yield {"amount": float(rng.lognormal(3, 0.5)), "country": ("DE", "AT")[rng.choice(2, p=[0.7, 0.3])]}


MADE = [row for hour in range(50) for row in rows(hour)]
CARD = ModelCard.from_frame({name: [row[name] for row in MADE] for name in ("amount", "country")}, "shop", "1")


def write(folder, hours, part=slice(None), broken=()):
    """Some hours' requests, or a part of each hour's; in broken hours the amount is null."""
    now = 0
    with mllog.ModelLogger(
        "shop", version="1", card=CARD, sink=folder, clock=lambda: now, environment=Manifest(python="3.12")
    ) as log:
        for hour in hours:
            for k, row in list(enumerate(rows(hour)))[part]:
                now = int((START + hour * HOUR).timestamp()) * 10**9 + k * 60 * 10**9
                log.prediction({**row, "amount": None} if hour in broken else row)
    return folder


def add(folder, more):
    """Let events come that were written elsewhere."""
    for path in more.rglob("*.ndjson"):
        target = folder / path.relative_to(more)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def judge(folder, hour, carrier=None, config=CONFIG):
    return run(FilesStore(folder), START + hour * HOUR, config=config, notifier=carrier or Carrier())


def profiles(folder):
    return {p.name: p.read_bytes() for p in (folder / "_watchers" / "profiles").rglob("*.ndjson")}


def findings(folder):
    return sorted(FilesStore(folder).findings("shop"), key=lambda finding: finding["id"])


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """24 hours; the second half of what was asked in hours 16 to 19 stands elsewhere, and was broken."""
    folder = tmp_path_factory.mktemp("parts")
    soon = write(folder / "soon", range(24), slice(0, 20), broken=())
    write(soon, [*range(16), *range(20, 24)], slice(20, None))
    return soon, write(folder / "late", range(16, 20), slice(20, None), broken=range(16, 20))


def test_late_events_are_judged_as_if_they_had_been_in_time(parts, tmp_path):
    """Profiles and findings are those of a run that saw all events at once; the incident is opened, and told once."""
    soon, more = parts
    at_once = Path(shutil.copytree(soon, tmp_path / "once"))
    add(at_once, more)
    judge(at_once, 22)
    folder = Path(shutil.copytree(soon, tmp_path / "late"))
    first = judge(folder, 22)
    assert (first.findings, first.events) == ([], [])
    add(folder, more)
    carrier = Carrier()
    again = judge(folder, 22, carrier)
    assert again.hours == {}
    assert again.reopened == {"shop": [START + hour * HOUR for hour in range(16, 20)]}
    assert again.problems == []
    assert profiles(folder) == profiles(at_once)
    assert findings(folder) == findings(at_once) != []
    assert {i.id: (i.title, i.onset, i.state) for i in incidents_of(FilesStore(folder)).values()} == {
        i.id: (i.title, i.onset, i.state) for i in incidents_of(FilesStore(at_once)).values()
    }
    kinds = Counter(event["kind"] for event in FilesStore(folder).incident_events())
    assert kinds["opened"] == 1
    assert len(carrier.messages) == len({message.key for message in carrier.messages}) == 1
    # A second run changes nothing, and the hours after it are judged as after the run that saw all.
    before = everything(folder)
    judge(folder, 22, carrier)
    assert everything(folder) == before
    assert len(carrier.messages) == 1
    judge(folder, 24)
    judge(at_once, 24)
    assert (profiles(folder), findings(folder)) == (profiles(at_once), findings(at_once))


@pytest.fixture(scope="module")
def gap(tmp_path_factory):
    """Events with two hours missing, judged as they went by; the missing ones; what was told."""
    folder, carrier = tmp_path_factory.mktemp("gap"), Carrier()
    write(folder / "events", [*range(80), 82, 83])
    write(folder / "more", [80, 81])
    for hour in range(80, 83):
        judge(folder / "events", hour, carrier)
    return folder / "events", folder / "more", carrier.messages


def test_what_late_events_explain_is_closed_with_a_note(gap, tmp_path):
    """Two hours without events were an incident; when the events come it is over, its findings are gone, and it is said."""
    events, more, told = gap
    folder, carrier = Path(shutil.copytree(events, tmp_path / "events")), Carrier()
    carrier.messages += told
    (incident,) = incidents_of(FilesStore(folder)).values()
    assert (incident.checks, incident.state) == (["no_data"], "open")
    assert [message.title.split(":")[0] for message in carrier.messages] == [f"[shop] {incident.title}".split(":")[0]]
    add(folder, more)
    report = judge(folder, 82, carrier)
    assert report.reopened == {"shop": [START + 80 * HOUR, START + 81 * HOUR]}
    (incident,) = incidents_of(FilesStore(folder)).values()
    assert (incident.state, incident.as_normal, incident.acknowledged_by) == ("recovered", True, late.BY)
    assert "late events" in incident.message
    assert findings(folder) == []
    assert len(carrier.messages) == 2
    assert "Recovered" in carrier.messages[1].title
    before = everything(folder)
    judge(folder, 82, carrier)
    assert everything(folder) == before
    judge(folder, 84, carrier)
    assert len(carrier.messages) == 2
    assert findings(folder) == []


def test_what_was_told_is_not_told_again(tmp_path):
    """Late events of an hour before a fault's, of the same kind as those in time: the incident stays as it is."""
    folder = write(tmp_path / "events", range(20), slice(0, 38), broken=range(15, 20))
    carrier = Carrier()
    judge(folder, 20, carrier)
    before = FilesStore(folder).incident_events()
    (opened,) = carrier.messages
    assert "amount" in opened.title
    add(folder, write(tmp_path / "more", range(13, 20), slice(38, None), broken=range(15, 20)))
    assert len(judge(folder, 20, carrier).reopened["shop"]) == 7
    assert carrier.messages == [opened]
    after = FilesStore(folder).incident_events()
    assert after[: len(before)] == before
    assert {event["kind"] for event in after[len(before) :]} <= {"updated"}
    (incident,) = incidents_of(FilesStore(folder)).values()
    assert (incident.state, incident.onset) == ("open", START + 15 * HOUR)


def test_events_beyond_the_bound_are_counted_and_said_once(tmp_path):
    """What comes too late is not judged: profiles stay, the run says how many there were, the next one is silent."""
    folder = write(tmp_path / "events", range(20), slice(0, 30))
    judge(folder, 20)
    before = profiles(folder)
    add(folder, write(tmp_path / "more", [3, 9], slice(30, None)))
    report = judge(folder, 20)
    assert report.reopened == {}
    (problem,) = report.problems
    assert "20 events came too late" in problem
    assert "10:00:00" in problem
    assert profiles(folder) == before
    assert judge(folder, 20).problems == []
    # One hour within the bound and one beyond it, at once.
    add(folder, write(tmp_path / "rest", [4, 10], slice(30, None)))
    report = judge(folder, 20)
    assert report.reopened == {"shop": [START + 10 * HOUR]}
    assert "10 events came too late" in report.problems[0]
    assert judge(folder, 20).problems == []


def test_hours_before_the_first_that_was_judged_are_too_late(tmp_path):
    """A model's first hours can't be judged after its later ones."""
    folder = write(tmp_path / "events", range(6, 12))
    judge(folder, 12)
    add(folder, write(tmp_path / "more", [4]))
    report = judge(folder, 12)
    assert (report.reopened, report.hours) == ({}, {})
    assert f"{PER_HOUR} events came too late" in report.problems[0]
    assert judge(folder, 12).problems == []


@pytest.mark.parametrize("dies", ["write_profiles", "withdraw_findings", "write_incident_events", "write_state", "write_told"])
def test_a_run_that_dies_while_it_judges_again(gap, tmp_path, monkeypatch, dies):
    """Wherever it dies, the next one leaves what one good run would have, and everything is told."""
    folder = Path(shutil.copytree(gap[0], tmp_path / "events"))
    add(folder, gap[1])
    good = Path(shutil.copytree(folder, tmp_path / "good"))
    told = Carrier()
    judge(good, 82, told)

    def fail(*_, **__):
        raise OSError("disk full")

    carrier = Carrier()
    with monkeypatch.context() as broken:
        broken.setattr(FilesStore, dies, fail)
        assert judge(folder, 82, carrier).problems == ["model 'shop': OSError: disk full"]
    judge(folder, 82, carrier)
    assert FilesStore(folder).incident_events() == FilesStore(good).incident_events()
    assert (profiles(folder), findings(folder)) == (profiles(good), findings(good))
    assert {message.key for message in carrier.messages} == {message.key for message in told.messages}
    assert len(carrier.messages) == (2 if dies == "write_told" else 1)


def test_snapshots_are_few_and_one_is_old_enough():
    """However a state grew, there is a snapshot before every hour within the bound, and few in all."""
    bound = 24 * HOUR
    snapshots = [[START.isoformat(), "x"]]
    for hour in range(1, 400):
        moment = START + hour * HOUR
        if late.wanted(moment, moment, bound):
            snapshots.append([moment.isoformat(), "x"])
        snapshots = late.kept(snapshots, moment, bound)
        moments = [dt.datetime.fromisoformat(text) for text, _ in snapshots]
        assert moments[0] <= max(START, moment - bound)
        assert len(snapshots) <= 12
        assert max(moments) == moment
        assert max(b - a for a, b in itertools.pairwise(moments)) <= late.COARSE * HOUR if hour > 1 else True
    assert late.unpack(late.pack({"a": ["\udcff", 1.5]})) == {"a": ["\udcff", 1.5]}
