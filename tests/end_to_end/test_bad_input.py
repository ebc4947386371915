"""What goes wrong for users, through the installed commands: exit code, one clear line, no traceback, the rest is done."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mllog
from mllog.environment import Manifest
from watchers.stores import open_store

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
PER_HOUR = 40

FINE, FINDINGS, USAGE, FAILED = 0, 1, 2, 3


def rows(hours, seed=7):
    """Calm requests: (hour, inputs, score)."""
    rng = np.random.default_rng(seed)
    for hour in range(hours):
        for _ in range(PER_HOUR):
            country = ("DE", "AT", "CH")[rng.choice(3, p=[0.6, 0.25, 0.15])]
            yield hour, {"amount": round(float(rng.lognormal(3, 0.5)), 2), "country": country}, float(rng.beta(2, 5))


def training(hours=200):
    """Columns of a training frame."""
    made = list(rows(hours, seed=3))
    return {"amount": [r["amount"] for _, r, _ in made], "country": [r["country"] for _, r, _ in made]}, [
        s for *_, s in made
    ]


def make_card(model="shop", hours=200):
    """A card that fits the stream."""
    columns, scores = training(hours)
    return mllog.ModelCard.from_frame(columns, model, "1", predictions=scores)


def stream(folder, hours, card=None, model="shop", start=START, seed=7):
    """A store of calm requests."""
    now = 0
    with mllog.ModelLogger(
        model, version="1", card=card, sink=folder, clock=lambda: now, environment=Manifest(python="3.12")
    ) as log:
        for k, (hour, inputs, score) in enumerate(rows(hours, seed)):
            now = int((start + hour * HOUR).timestamp()) * 10**9 + (k % PER_HOUR) * 60 * 10**9
            log.prediction(inputs, {"score": score}, f"order-{hour}-{k}", latency=0.02)
    return folder


def after(hours):
    """A moment at which so many hours are closed."""
    return (START + hours * HOUR + dt.timedelta(minutes=15)).isoformat()


@pytest.fixture(scope="module")
def card_file(tmp_path_factory):
    """The card of the stream, as a file."""
    path = tmp_path_factory.mktemp("card") / "card.json"
    make_card().save(path)
    return path


@pytest.fixture
def store(tmp_path, card_file):
    """30 calm hours of a model with a card."""
    return stream(tmp_path / "events", 30, card_file)


def segment_of(store):
    """A file of events."""
    return next(path for path in sorted(store.rglob("*.ndjson")) if "_watchers" not in path.parts)


def complains(answer, code, *words, as_json=False):
    """The command ended with a code and one line that holds all the words; with ``--json`` in a document too."""
    assert answer.code == code, (answer.out, answer.err)
    lines = answer.err.strip().splitlines()
    assert len(lines) == 1, answer.err
    assert [word for word in words if word not in lines[0]] == [], lines[0]
    if as_json:
        assert answer.json["error"] in lines[0]
    else:
        assert answer.out == ""


def run(call, store, *words, hours=30) -> Any:
    """``watchers run --once --json`` as of the end of the stream."""
    return call("watchers", "run", "--once", "--store", store, "--now", after(hours), "--json", *words)


def good(answer, rejected=0, hours=30, model="shop"):
    """All hours were judged, quietly, and so many lines were rejected."""
    assert (answer.code, answer.err) == (FINE, "")
    assert answer.json == {
        "findings": [],
        "incidents": [],
        "hours": {model: hours},
        "reopened": {},
        "held": [],
        "rejected": rejected,
        "problems": [],
    }


def profiled(store):
    """Predictions in the profiles that a run stored."""
    files = (store / "_watchers" / "profiles").rglob("*.ndjson")
    return sum(json.loads(line)["n"] for path in files for line in path.read_text().splitlines())


# Lines ----------------------------------------------------------------------------------------------------------------

NO_ID = '{"@timestamp":"2026-03-02T05:00:00.000000Z","event":{"action":"predict"},"ml":{"model":{"name":"shop"}}}'


LINES = {
    '{"@timestamp": "2026-03-02T05:00': "not JSON",
    "\x00\x01\x02": "not JSON",
    '{"event":{"id":NaN}}': "not JSON",
    "[1, 2]": "not a JSON object",
    '"text"': "not a JSON object",
    NO_ID: "no event.id",
    NO_ID.replace('"action"', '"id":"x","action"').replace('"name"', '"nome"'): "no ml.model.name",
    NO_ID.replace('"action"', '"id":"x","action"').replace("2026-03-02T05:00:00.000000Z", "yesterday"): "'yesterday'",
}


def test_lines_that_are_no_events_are_rejected_and_counted(call, store):
    """Each is left out and named by file, line number and reason; everything else is judged as ever."""
    path = segment_of(store)
    events = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*events[:5], *(f"{line}\n" for line in LINES), *events[5:]]))
    good(run(call, store), rejected=len(LINES))
    assert profiled(store) == 30 * PER_HOUR
    said = call("watchers", "run", "--once", "--store", store, "--now", after(30))
    assert said.code == FINE
    printed = [line for line in said.out.splitlines() if line.startswith("rejected line: ")]
    name = path.relative_to(store).as_posix()
    for number, (line, reason) in enumerate(zip(printed, LINES.values(), strict=False), 6):
        assert line.startswith(f"rejected line: {name}:{number}: ")
        assert reason in line
    assert f"... {len(LINES)} rejected lines in all" in said.out
    assert [
        reason
        for reason, rejected in zip(LINES.values(), open_store(str(store)).rejected(), strict=True)
        if reason not in rejected.reason
    ] == []


def test_a_truncated_last_line_is_rejected_when_nobody_writes_any_more(call, store):
    """A process that was killed left half of a line: it is a reject once the file has been quiet for a while."""
    path = segment_of(store)
    content = path.read_bytes()
    whole = content.count(b'"action":"predict"')
    path.write_bytes(content[:-40])
    os.utime(path, (1_700_000_000, 1_700_000_000))
    answer = run(call, store)
    good(answer, rejected=1)
    assert profiled(store) == 30 * PER_HOUR - (
        whole - path.read_bytes()[: path.read_bytes().rfind(b"\n")].count(b'"predict"')
    )


def test_a_line_that_is_still_being_written_is_waited_for(call, store):
    """Half of a line in a file that is being written to is no reject; finished, it is an event like the others."""
    path = segment_of(store)
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    good(run(call, store, hours=10), rejected=0, hours=10)
    path.write_bytes(content)
    good(run(call, store), rejected=0, hours=20)
    assert profiled(store) == 30 * PER_HOUR


def test_many_rejects_are_all_counted(call, store):
    """The count holds every rejected line, however many there are; only the first few are printed."""
    path = segment_of(store)
    path.write_text(path.read_text() + "garbage\n" * 1500)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    answer = call("watchers", "run", "--once", "--store", store, "--now", after(30))
    assert answer.code == FINE
    assert answer.out.count("rejected line:") == 5
    assert "1500 rejected lines in all" in answer.out


# Cards ----------------------------------------------------------------------------------------------------------------


def edited(text):
    """A card whose ruler somebody changed by hand."""
    data = json.loads(text)
    data["ruler"]["features"][0]["high"] = 1.5
    return json.dumps(data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "PK\x03\x04 a pickle", ("not JSON", "ModelCard.save")),
        (lambda text: text[: len(text) // 2], ("not JSON", "ModelCard.save")),
        (edited, ("ruler_hash", "was edited", "ModelCard.from_frame")),
        (lambda text: "{}", ("no model card", "'ruler'")),
        (lambda text: text.replace('"schema":1', '"schema":99'), ("schema is 99", "upgrade")),
    ],
    ids=["not-json", "half", "edited", "other-json", "later"],
)
def test_a_broken_card_is_a_usage_error(call, store, card_file, tmp_path, change, said):
    """A card that can't be read ends the command with 2 and says which file, what is wrong and what to do."""
    path = tmp_path / "broken.json"
    path.write_text(change(card_file.read_text()))
    complains(call("watchers", "run", "--once", "--store", store, "--card", path), USAGE, "broken.json", *said)


@pytest.mark.parametrize("command", ["profile", "schedule"])
def test_every_command_reads_cards_alike(call, store, tmp_path, command):
    """Whichever command is given a file that is no card answers the same."""
    (tmp_path / "broken.json").write_text("PK a pickle")
    answer = call("watchers", command, "--store", store, "--card", tmp_path / "broken.json", "--json")
    complains(answer, USAGE, "broken.json", "not JSON", "ModelCard.save", as_json=True)


def test_a_card_that_is_not_there_is_a_usage_error(call, store, tmp_path):
    """A missing card is named with the reason, in JSON too."""
    answer = run(call, store, "--card", tmp_path / "none.json")
    complains(answer, USAGE, "none.json", "No such file", "ModelCard.save", as_json=True)


def test_another_models_card_measures_nothing_here(call, store, tmp_path):
    """A profile by the card of another model would call every feature absent; it is refused, with both names."""
    make_card("other").save(tmp_path / "other.json")
    answer = call("watchers", "profile", "--store", store, "--card", tmp_path / "other.json", "--json")
    complains(answer, USAGE, "other.json", "'other'", "'shop'", as_json=True)
    good(run(call, store, "--card", tmp_path / "other.json"))


# `watchers card` ------------------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    """A CSV file of training data."""
    columns, scores = training(20)
    path = tmp_path / "train.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, "score"])
        writer.writerows(zip(*columns.values(), scores, strict=True))
    return path


@pytest.mark.parametrize("option", ["--target", "--predictions", "--time", "--text", "--segment"])
def test_an_unknown_column_is_a_usage_error(call, table, option):
    """A column that isn't there is named beside those that are, and no card is written."""
    out = table.with_name("card.json")
    answer = call(
        "watchers", "card", table, "--model", "shop", "--version", "1", option, "coutry", "--out", out, "--json"
    )
    complains(answer, USAGE, "'coutry'", "country", as_json=True)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--segment", "amount"), ("segments='amount'", "only a category")),
        (("--time", "country"), ("country", "time")),
        (("--time-zone", "Mars/Olympus"), ("'Mars/Olympus'", "'Europe/Berlin'")),
        (("--predictions", "country"), ("predictions", "numbers")),
    ],
    ids=["segment", "time", "zone", "predictions"],
)
def test_a_column_of_the_wrong_kind_is_a_usage_error(call, table, options, words):
    """A column that can't be what it was said to be is named with what would do."""
    out = table.with_name("card.json")
    answer = call("watchers", "card", table, "--model", "shop", "--version", "1", *options, "--out", out, "--json")
    complains(answer, USAGE, *words, as_json=True)
    assert not out.exists()


@pytest.mark.parametrize(
    "content", [None, b"", b"PAR1 but not quite", b"\xff\xfe\x00"], ids=["none", "empty", "parquet", "binary"]
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_that_is_no_table_is_a_usage_error(call, tmp_path, content, suffix):
    """A training file that isn't there, is empty or of another kind is named."""
    path = tmp_path / f"train.{suffix}"
    if content is not None:
        path.write_bytes(content)
    answer = call("watchers", "card", path, "--model", "m", "--version", "1", "--out", tmp_path / "card.json", "--json")
    complains(answer, USAGE, f"train.{suffix}", as_json=True)
    assert not (tmp_path / "card.json").exists()


def test_a_good_table_makes_a_card(call, table, tmp_path):
    """From CSV and from Parquet alike the command writes a card that the library reads, with each feature's kind."""
    import pandas as pd

    pd.read_csv(table).to_parquet(table.with_suffix(".parquet"))
    said = []
    for path in (table, table.with_suffix(".parquet")):
        out = tmp_path / f"{path.suffix[1:]}.json"
        options = ("--model", "shop", "--version", "1", "--predictions", "score", "--segment", "country", "--out", out)
        answer = call("watchers", "card", path, *options, "--json")
        assert answer.code == FINE
        said.append({**answer.json, "card": ""})
        assert answer.json["ruler"] == mllog.ModelCard.load(out).ruler.hash
        assert answer.json["features"] == {"amount": "number", "country": "category"}
    assert said[0] == said[1]


# Places ---------------------------------------------------------------------------------------------------------------

PLACES = {
    "nowhere/events": ("nowhere/events", "no folder", "sink"),
    "ftp://host/events": ("'ftp'", "FOLDER"),
    "logstash+tcp://127.0.0.1:9": ("logstash+tcp", "folder"),
    "stdout:": ("stdout:", "folder"),
    "": ("empty", "FOLDER"),
    "file:": ("folder is missing", "FOLDER"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_without_events_is_a_usage_error(call, tmp_path, place):
    """A place that isn't there or can't be read from ends a run with 2 and says which places can."""
    answer = call("watchers", "run", "--once", "--store", place, "--json", cwd=tmp_path)
    complains(answer, USAGE, *PLACES[place], as_json=True)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there(call, tmp_path):
    """A store that can't be reached isn't the caller's fault: 3, with its name and without a password."""
    place = "elasticsearch+http://me:secret@127.0.0.1:9"
    answer = call("watchers", "run", "--once", "--store", place, "--json", cwd=tmp_path)
    complains(answer, FAILED, "elasticsearch+http://me@127.0.0.1:9", "can't be reached", as_json=True)
    assert "secret" not in answer.err + answer.out
    answer = call("mllog", "demo", "--store", place, cwd=tmp_path)
    assert answer.code == FAILED
    assert "can't be reached" in answer.err
    assert "secret" not in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_something_else(call, tmp_path):
    """One line says what answered, however long its page is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"elasticsearch+http://127.0.0.1:{server.server_port}"
        answer = call("watchers", "run", "--once", "--store", place, cwd=tmp_path)
        server.shutdown()
    assert answer.code == FAILED
    assert f"{place} answered 501" in answer.err
    assert len(answer.err.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["profile", "schedule", "incidents list", "report --out r.html"])
def test_every_command_reads_places_alike(call, tmp_path, command):
    """Whichever command is given a place that isn't there answers the same."""
    answer = call("watchers", *command.split(), "--store", "nowhere/events", "--json", cwd=tmp_path)
    complains(answer, USAGE, *PLACES["nowhere/events"], as_json=True)
    assert list(tmp_path.iterdir()) == []


def test_show_refuses_such_places_too(call, tmp_path):
    """``mllog show`` and ``mllog demo`` use the same grammar and end with the same code."""
    answer = call("mllog", "show", "order-1", "--store", "nowhere", cwd=tmp_path)
    assert answer.code == USAGE
    assert "nowhere" in answer.err
    answer = call("mllog", "demo", "--store", "logstash+http://127.0.0.1:9", cwd=tmp_path)
    assert answer.code == USAGE
    assert "folder" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_a_file_is_a_usage_error(call, tmp_path):
    """A file where a folder should be is named."""
    (tmp_path / "events").write_text("")
    complains(run(call, tmp_path / "events"), USAGE, "events", "no folder", as_json=True)


def test_an_empty_store_is_fine(call, tmp_path):
    """A folder without events has nothing due and no incidents; what needs a model says that there is none."""
    assert run(call, tmp_path).json == {
        "findings": [], "incidents": [], "hours": {}, "reopened": {}, "held": [], "rejected": 0, "problems": [],
    }  # fmt: skip
    answer = call("watchers", "incidents", "--store", tmp_path, "--json")
    assert (answer.code, answer.json) == (FINE, {"incidents": []})
    assert "no incidents" in call("watchers", "incidents", "--store", tmp_path).out
    complains(call("watchers", "profile", "--store", tmp_path, "--json"), USAGE, "none", as_json=True)
    report = tmp_path / "report.html"
    complains(call("watchers", "report", "--store", tmp_path, "--out", report, "--json"), USAGE, "none", as_json=True)
    assert not report.exists()


# Windows, models, moments ---------------------------------------------------------------------------------------------


def test_an_empty_window_could_not_be_judged(call, store):
    """A span without events is profiled as what it is, and ends with 3."""
    answer = call("watchers", "profile", "--store", store, "--from", "2026-04-01", "--to", "2026-04-02", "--json")
    assert (answer.code, answer.json["n"], answer.json["counts"]) == (FAILED, 0, {})


def test_a_window_that_ends_before_it_begins_is_a_usage_error(call, store):
    """Both ends are named."""
    answer = call("watchers", "profile", "--store", store, "--from", "2026-03-03", "--to", "2026-03-02", "--json")
    complains(answer, USAGE, "--from", "2026-03-03", "--to", "2026-03-02", as_json=True)


@pytest.mark.parametrize("moment", ["yesterday", "", "2026-13-01", "1e9"])
def test_a_bad_moment_is_a_usage_error(call, store, moment):
    """``--now`` that is no time is named beside an example of one."""
    answer = call("watchers", "run", "--once", "--store", store, "--now", moment, "--json")
    complains(answer, USAGE, repr(moment), "ISO 8601", "2026-11-23T14:00", as_json=True)


def test_an_unknown_model_is_a_usage_error(call, store):
    """The models that the store has are named."""
    answer = call("watchers", "profile", "--store", store, "--model", "shpo", "--json")
    complains(answer, USAGE, "--model", "'shpo'", "shop", as_json=True)


def test_an_unknown_incident_is_a_usage_error(call, store):
    """An incident that isn't there is named with where to look."""
    answer = call("watchers", "incidents", "--store", store, "show", "3f2a", "--json")
    complains(answer, USAGE, "'3f2a'", "watchers incidents list", as_json=True)


def test_an_unknown_prediction_could_not_be_shown(call, store):
    """``mllog show`` of an id that no event has ends with 3 and names it."""
    answer = call("mllog", "show", "order-0-0x", "--store", store)
    assert (answer.code, "order-0-0x" in answer.err) == (FAILED, True)


def test_a_report_before_any_run_is_a_usage_error(call, store, tmp_path):
    """A report of hours that nobody judged says what to run first."""
    answer = call("watchers", "report", "--store", store, "--out", tmp_path / "report.html", "--json")
    complains(answer, USAGE, "shop", "watchers run --once", as_json=True)


def test_a_model_without_a_card_is_not_judged_in_its_first_day(call, tmp_path):
    """Less than 24 hours teach too little: the run ends with 3 and says what it waits for and what would help."""
    answer = run(call, stream(tmp_path / "events", 20), hours=20)
    assert answer.code == FAILED
    (problem,) = answer.json["problems"]
    assert [word for word in ("'shop'", "no card", "24 hours", "--card FILE") if word not in problem] == []
    assert answer.json["hours"] == {}
    said = call("watchers", "run", "--once", "--store", tmp_path / "events", "--now", after(20))
    assert said.err.strip() == f"problem: {problem}"


def test_a_model_without_a_card_is_judged_after_its_first_day(call, tmp_path):
    """From the first day a card is made and kept beside the events; all three days are judged by it, quietly."""
    store = stream(tmp_path / "events", 72)
    good(run(call, store, hours=72), hours=72)
    (card,) = (store / "_cards").iterdir()
    made = mllog.ModelCard.load(card)
    assert (made.model, made.version) == ("shop", "observed")
    assert {feature.name: feature.kind for feature in made.ruler.inputs} == {"amount": "number", "country": "category"}
    assert profiled(store) == 72 * PER_HOUR
    answer = call("watchers", "profile", "--store", store, "--json")
    assert (answer.code, answer.json["n"]) == (FINE, 72 * PER_HOUR)


def test_one_model_without_a_card_keeps_nobody_else_from_being_judged(call, store):
    """The model with a card is judged; the other one is the run's problem."""
    stream(store, 5, model="new")
    answer = run(call, store)
    assert answer.code == FAILED
    assert answer.json["hours"] == {"shop": 30}
    assert "'new'" in answer.json["problems"][0]


def test_a_clock_that_jumps_back_judges_nothing_twice(call, store):
    """As of an earlier moment nothing is due; when the clock is right again the run goes on where it was."""
    good(run(call, store, hours=20), hours=20)
    answer = run(call, store, hours=10)
    assert (answer.code, answer.json["hours"]) == (FINE, {})
    good(run(call, store), hours=10)
    assert profiled(store) == 30 * PER_HOUR


def test_a_service_whose_clock_jumped_back_is_counted_where_its_events_say(call, tmp_path, card_file):
    """Events are judged by their own times, in whatever order they were written."""
    store = stream(tmp_path / "events", 15, card_file, start=START + 15 * HOUR)
    stream(store, 15, card_file, seed=8)
    good(run(call, store))
    assert profiled(store) == 30 * PER_HOUR


def test_a_clock_far_ahead_costs_no_hour_of_those_to_come(call, store, card_file):
    """After one run as of a year too late, what comes then is still judged, and years of silence are not gone through."""
    answer = run(call, store, hours=30 + 24 * 365)
    assert answer.code in {FINE, FINDINGS}
    assert answer.json["hours"]["shop"] < 24 * 31
    stream(store, 30, card_file, start=START + 24 * 60 * HOUR)
    answer = run(call, store, hours=24 * 60 + 30)
    assert profiled(store) == 60 * PER_HOUR


def installed(name):
    """Path of an installed command."""
    command = shutil.which(name, path=str(Path(sys.executable).parent))
    assert command is not None
    return command


def test_a_reader_that_goes_away_is_no_error(store):
    """``watchers profile | head -0`` ends quietly."""
    read, write = os.pipe()
    os.close(read)
    words = [installed("watchers"), "profile", "--store", store, "--json"]
    with os.fdopen(write, "wb") as nobody:
        done = subprocess.run(words, stdout=nobody, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""


def test_the_scheduler_runs_until_it_is_stopped(store, tmp_path):
    """``watchers schedule`` judges what is due as one document a round, again what came since, and stops quietly."""
    late = stream(tmp_path / "late", 5, model="late", card=make_card("late", 150))
    words = [installed("watchers"), "schedule", "--store", store, "--every", "0.2", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        for path in sorted(late.rglob("*"), reverse=True):
            if path.is_file():
                (store / path.relative_to(late).parent).mkdir(exist_ok=True)
                path.rename(store / path.relative_to(late))
        second = next(line for line in process.stdout if json.loads(line)["hours"])
        process.terminate()
        out, said = process.communicate()
    assert (process.returncode, said) == (0, "")
    assert not any(json.loads(line)["hours"] for line in out.splitlines())
    assert json.loads(first)["hours"].keys() == {"shop"}
    assert json.loads(second)["hours"].keys() == {"late"}
    # Rounds are longer than so short an interval, and say so.
    problems = json.loads(first)["problems"] + json.loads(second)["problems"]
    assert all("longer than its interval" in problem or "no run for" in problem for problem in problems)
    assert not list((store / "_watchers" / "leases").glob("*.json"))
