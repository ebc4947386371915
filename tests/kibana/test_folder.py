"""A folder answers what a node answers: the same documents by two roads, counted by two engines."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import subprocess
import sys

import pytest
from support import story

from kibana_objects.bundles import bundles
from kibana_objects.cards import dashboard_of
from kibana_objects.cli import main
from kibana_objects.preview import ask, questions
from kibana_objects.preview.cluster import Elasticsearch
from kibana_objects.preview.folder import Folder
from kibana_objects.preview.values import dotted
from kibana_objects.queries import Span
from watchers.incidents.incident import IncidentEvent, fold
from watchers.stores.files import FilesStore

SHOWN = Span(story.END - story.SHOWN * 24 * story.HOUR, story.END + story.HOUR)
OWN = {"mllog-runs", "mllog-deadletters"}
"""Views whose documents each store has of its own."""


@pytest.fixture(scope="module")
def asked(told):
    """What every panel of every dashboard asks, a card's too, by (dashboard, panel)."""
    _, cards, _ = told
    objects = [one for each in bundles([dashboard_of(cards[0])]).values() for one in each]
    return {
        (one["id"], question.panel["embeddableConfig"].get("title") or question.panel["panelIndex"]): question
        for one in objects if one["type"] == "dashboard"
        for question in questions(one, objects, SHOWN)
    }  # fmt: skip


@pytest.fixture(scope="module")
def both(told, asked):
    """The node and the folder."""
    place, _, folder = told
    sources = Elasticsearch(place), Folder(str(folder))
    for source in sources:
        source.prepare(asked.values())
    return sources


def near(mine, other, column):
    """Whether two values of a column are the same; percentiles are estimates on a node."""
    if isinstance(mine, int | float) and isinstance(other, int | float):
        loose = column.get("operationType") in {"percentile", "median"}
        return mine == pytest.approx(other, rel=0.1 if loose else 1e-6, abs=1e-9)
    return mine == other


def test_each_layer(both, asked):
    """Row by row, in the same order."""
    node, folder = both
    compared = 0
    wrong = []
    for place, question in asked.items():
        for key, layer in question.layers.items():
            if layer.scope.view in OWN:
                continue
            columns = layer.layer["columns"]
            mine, theirs = folder.rows(layer), node.rows(layer)
            compared += len(theirs)
            if len(mine) != len(theirs):
                wrong.append((place, key, len(mine), len(theirs), mine[:2], theirs[:2]))
                continue
            for one, other in zip(mine, theirs, strict=True):
                bad = [name for name in other if not near(one.get(name), other[name], columns[name])]
                if bad:
                    wrong.append((place, key, bad, one, other))
                    break
    assert wrong == []
    assert compared > 3000


def settled(found, wanted):
    """What is shown of documents, but for those of the last place of a full list: which of them it has is chance."""
    shown = [
        ([dotted(one, name) for name, _ in wanted.sort], json.dumps([dotted(one, name) for name in wanted.columns]))
        for one in found
    ]
    last = shown[-1][0] if len(shown) == wanted.size else None
    # Those of one place stand in any order.
    return [
        (place, sorted(each for _, each in together))
        for place, together in itertools.groupby((one for one in shown if one[0] != last), key=lambda one: one[0])
    ]


def test_each_list(both, asked):
    """The same documents in the same order, marks of deployments included, with the same words in them."""
    node, folder = both
    compared = 0
    for place, question in asked.items():
        for wanted in (*question.marks, *([question.list] if question.list else [])):
            if wanted.scope.view in OWN:
                continue
            mine, theirs = settled(folder.documents(wanted), wanted), settled(node.documents(wanted), wanted)
            assert mine == theirs, place
            compared += sum(len(together) for _, together in theirs)
    assert compared > 100


def test_what_was_no_event_is_listed(tmp_path):
    """A line that can't be read, and a dead letter, with their reasons and as they were."""
    process = tmp_path / "vm-1"
    process.mkdir()
    (process / "1.ndjson").write_text('{"half": \n{"event": {}}\n')
    dead = tmp_path / "_dead" / "key"
    dead.mkdir(parents=True)
    letter = {"reason": "too long", "status": 413, "refused": "2026-11-30T10:00:00Z", "original": "{}"}
    (dead / "vm-1.ndjson").write_text(json.dumps(letter) + "\n")
    span = Span(dt.datetime(2026, 11, 1, tzinfo=dt.UTC), dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1))
    objects = [one for each in bundles().values() for one in each]
    (watchers,) = [one for one in objects if one["id"] == "mllog-watchers"]
    *_, refused = ask(watchers, objects, Folder(str(tmp_path)), span)
    said = [(hit["event.dataset"], hit["error.type"], hit["event.original"]) for hit in refused.hits]
    assert sorted(said) == [
        ("mllog.deadletter", "413", "{}"), ("mllog.reject", "rejected", '{"event": {}}'), ("mllog.reject", "rejected", '{"half": '),
    ]  # fmt: skip
    assert "no event.id" in [hit["error.message"] for hit in refused.hits]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("event.duration > fast", "field 'event.duration' is long, and 'fast' no number"),
        ('@timestamp > "last week"', "field '@timestamp' is date, and 'last week' no time"),
        ("ml.model.name :", "can't be read"),
        ("ml.model.nmae : x", "field 'ml.model.nmae' isn't there"),
        ("event.duration > nan", "'nan' no number"),
    ],
)
def test_a_filter_that_means_nothing(tmp_path, where, said):
    """Is said by the field and the value."""
    (tmp_path / "vm-1").mkdir()
    out = subprocess.run(
        [sys.executable, "-m", "kibana_objects.cli", "preview", "--store", str(tmp_path), "--where", where,
         "--out", str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (out.returncode, "Traceback" in out.stderr) == (2, False)
    assert said in out.stderr


@pytest.mark.parametrize("time", ["0001-01-01", "9999-12-31T23:00", "soon"])
def test_times_that_cannot_be_shown(tmp_path, time, capsys):
    """Are said, and not a traceback."""
    (tmp_path / "vm-1").mkdir()
    assert main(["preview", "--store", str(tmp_path), "--to", time, "--out", str(tmp_path / "out")]) == 2
    assert time in capsys.readouterr().err


def test_the_first_day(told, tmp_path, capsys):
    """When there is no week before, what it had is empty, and every page is there; what nobody knows has no row."""
    _, _, folder = told
    day = [(story.START + k * story.HOUR).isoformat() for k in (12, 24)]
    arguments = ["--from", day[0], "--to", day[1], "--out", str(tmp_path), "--json"]
    assert main(["preview", "--store", str(folder), *arguments]) == 0
    pages = json.loads(capsys.readouterr().out)["pages"]
    assert len(pages) == 10
    model = (tmp_path / "mllog-model.html").read_text()
    assert '<td class="number">-</td>' in model
    (tmp_path / "nothing").mkdir()
    assert main(["preview", "--store", str(tmp_path / "nothing"), *arguments]) == 0
    assert sum(page["rows"] for page in json.loads(capsys.readouterr().out)["pages"]) == 0


def test_an_open_incident_is_seen_whatever_time_is_shown(told):
    """Long after its last change, and beside what was opened in that time alone."""
    _, _, folder = told
    store = FilesStore(folder)
    state = fold(IncidentEvent.from_dict(event) for event in store.incident_events())
    active = sum(incident.active for incident in state.values())
    assert active
    objects = [one for each in bundles().values() for one in each]
    late = Span(story.END + 24 * 60 * story.HOUR, story.END + 24 * 61 * story.HOUR)
    source = Folder(str(folder))
    for identity, title, found in (
        ("mllog-overview", "Open incidents", active), ("mllog-incidents", "Open", active),
        ("mllog-incidents", "Opened in this time", 0),
    ):  # fmt: skip
        (page,) = [one for one in objects if (one["type"], one["id"]) == ("dashboard", identity)]
        (shown,) = [one for one in ask(page, objects, source, late) if one.panel["embeddableConfig"].get("title") == title]
        assert shown.layers["data"][0]["m0"] == found, title
