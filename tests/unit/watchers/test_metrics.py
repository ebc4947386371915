"""Figures for Prometheus: what runs and incidents come to, by few labels whatever the events hold."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.elasticsearch import free_port
from support.streams import START, card_of, serve

from mllog.errors import SettingError
from mllog.logger import ModelLogger
from watchers import metrics as module
from watchers.cli import main
from watchers.config import Config
from watchers.means import RunReport
from watchers.metrics import OTHERS, Metrics
from watchers.stores import FilesStore

HOURS = 30


def samples(text):
    """(Name without its prefix, labels' values) -> value."""
    return {
        (sample.name.removeprefix("mllog_watchers_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """A day and a few hours of a stream that loses a feature."""
    folder = tmp_path_factory.mktemp("events")
    serve(folder, "shop", hours=HOURS, each=20, broken=HOURS - 4, card=card_of("shop"))
    return folder


def run(events, file, hours=HOURS):
    """``watchers run`` as of so many hours after the first event, and what its file says."""
    now = (START + dt.timedelta(hours=hours, minutes=15)).isoformat()
    code = main(["run", "--once", "--store", str(events), "--now", now, "--metrics", str(file)])
    return code, samples(file.read_text())


def test_a_run_writes_a_file_that_node_exporter_reads(events, tmp_path, capsys):
    """Hours, findings, the open incident, and until when the model is judged; a second run goes on counting."""
    file = tmp_path / "mllog.prom"
    code, found = run(events, file)
    assert code == 1
    assert found["runs_total",] == 1
    assert found["judged_hours_total",] == HOURS
    assert found["models",] == 1
    assert found["open_incidents", "shop", "critical"] == 1
    assert found["findings_total", "vanished", "critical"] > 0
    assert found["judged_until_timestamp_seconds", "shop"] == (START + dt.timedelta(hours=HOURS)).timestamp()
    assert found["problems",] == 0
    assert found["lag_seconds",] >= 0
    again = run(events, file)[1]
    assert again["runs_total",] == 2
    assert again["judged_hours_total",] == HOURS
    assert again["findings_total", "vanished", "critical"] == found["findings_total", "vanished", "critical"]
    assert again["open_incidents", "shop", "critical"] == 1, "it is open though this run changed nothing of it"
    assert [path.name for path in tmp_path.iterdir()] == ["mllog.prom"], "written beside it and renamed"


def test_a_broken_file_is_written_anew(events, tmp_path, capsys):
    """Of whatever kind."""
    for content in (b"\xff\xfe", b"mllog_watchers_runs_total one\n", b"mllog_watchers_findings_total 3\n"):
        file = tmp_path / "mllog.prom"
        file.write_bytes(content)
        assert run(events, file)[1]["runs_total",] == 1


def test_categories_make_no_series(tmp_path, capsys):
    """10,000 values of a feature, most of them unseen, are as many series as three."""
    counts = {}
    for values in (3, 10_000):
        folder = tmp_path / str(values)
        clock = [0]
        with ModelLogger(
            "shop", version="1", card=card_of("shop"), sink=str(folder), clock=lambda at=clock: at[0], overflow="block"
        ) as log:
            for number in range(10_000):
                clock[0] = int((START.timestamp() + number * HOURS * 3600 / 10_000) * 1e9)
                log.prediction({"carrier": f"C{number % values}"}, {"label": "late", "score": 0.5})
        found = run(folder, tmp_path / f"{values}.prom")[1]
        counts[values] = len([name for name in found if name[0] not in ("findings_total", "open_incidents")])
        assert {name[1] for name in found if name[0] == "findings_total"} <= module_checks()
        assert not [name for name in found if any(str(label).startswith("C") for label in name[1:])]
    assert counts[3] == counts[10_000]


def module_checks():
    from watchers.checks import all_checks

    return {check.name for check in all_checks()} | {"training_skew"}


def test_models_beyond_a_bound_share_a_series(tmp_path, monkeypatch):
    """It says of them what is worst: the earliest moment."""
    monkeypatch.setattr(module, "MODELS", 3)
    metrics = Metrics(Config())
    judged = {f"m{number}": START + dt.timedelta(hours=number) for number in range(9, -1, -1)}
    metrics.ran(FilesStore(tmp_path), RunReport(judged=judged, found=10))
    metrics.write(tmp_path / "now.prom")
    found = samples((tmp_path / "now.prom").read_text())
    models = {name[1]: value for name, value in found.items() if name[0] == "judged_until_timestamp_seconds"}
    assert models.keys() == {"m9", "m8", "m7", OTHERS}
    assert models[OTHERS] == START.timestamp()


def test_a_scheduler_answers(events, tmp_path):
    """The real command, over a real socket; a store that goes away is a failed run, and the figures stay."""
    port = free_port()
    folder = tmp_path / "events"
    serve(folder, "shop", hours=2, each=5, card=card_of("shop"))
    process = subprocess.Popen(
        [sys.executable, "-m", "watchers.cli", "schedule", "--store", str(folder), "--every", "0.2",
         "--metrics", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ,
    )  # fmt: skip
    try:
        found = wait(port, lambda found: found.get(("runs_total",), 0) > 1)
        assert found["judged_hours_total",] > 1
        assert found["models",] == 1
        folder.rename(tmp_path / "gone")
        folder.write_text("no folder")
        assert wait(port, lambda found: found.get(("failed_runs_total",), 0) > 0)["models",] == 1
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def wait(port, condition):
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                found = samples(answer.read().decode())
            if condition(found):
                return found
        except OSError:
            found = None
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@pytest.mark.parametrize("address", ["9464", ":9464", "localhost", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:65536"])
def test_an_address_that_is_none(address):
    """It is named, and how to write one."""
    with pytest.raises(SettingError, match=r"is no address; write it as 127\.0\.0\.1:9464"):
        Metrics(Config()).serve(address)


def test_an_address_that_is_taken():
    """A usage error, before anything is judged."""
    port = free_port()
    Metrics(Config()).serve(f"127.0.0.1:{port}")
    with pytest.raises(SettingError, match="nobody can listen there"):
        Metrics(Config()).serve(f"127.0.0.1:{port}")


def test_cards_of_a_folder(events, tmp_path, capsys):
    """Each ``*.json`` is one; a wrong one is named."""
    cards = tmp_path / "cards"
    cards.mkdir()
    for name in ("a", "b"):
        card_of(name).save(cards / f"{name}.json")
    (cards / "notes.txt").write_text("no card")
    now = (START + dt.timedelta(hours=1, minutes=15)).isoformat()
    assert main(["run", "--once", "--store", str(events), "--now", now, "--card", str(cards)]) == 0
    (cards / "c.json").write_text("{}")
    assert main(["run", "--once", "--store", str(events), "--now", now, "--card", str(cards)]) == 2
    assert "c.json" in capsys.readouterr().err
