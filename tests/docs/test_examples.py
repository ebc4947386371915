"""The examples run, as their pages say."""

import importlib.util
import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine
from support import servers
from support.servers import Place

from mllog.testing import assert_valid, redirect

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(folder, *words):
    done = subprocess.run(
        [sys.executable, *words], check=False, cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def events(folder, action="predict"):
    lines = [line for path in sorted(folder.glob("events/*/*.ndjson")) for line in path.read_text().splitlines()]
    found = [event for event in map(json.loads, lines) if event["event"]["action"] == action]
    assert_valid(found)
    return found


@pytest.fixture
def folder(request, tmp_path):
    """A copy of an example."""
    return Path(shutil.copytree(EXAMPLES / request.param, tmp_path / "example"))


def serve(folder, ask):
    """Run the example's server in uvicorn while ``ask`` uses it; ended by SIGTERM, as in production."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    try:
        for line in process.stderr:
            if "Uvicorn running" in line:
                break
        else:
            pytest.fail("the server did not start")
        return ask(Place(port))
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["fastapi"], indirect=True)
def test_fastapi(folder):
    """Five added lines log every prediction, and the server answers with them exactly what it answers without."""
    wine = load_wine(as_frame=True).data.iloc[0].to_dict()

    def ask(place):
        good = place.ask("/predict", wine)
        sparse = place.ask("/predict", {"alcohol": 13.2, "malic_acid": 1.8})
        bad = place.ask("/predict", {"alcohol": "strong"})
        assert (good.status, sparse.status, bad.status) == (200, 200, 422)
        return [good, sparse, bad]

    run(folder, "train.py")
    answers = serve(folder, ask)
    good, sparse, bad = events(folder)
    assert good["ml"]["outputs"]["label"] == answers[0].json()["label"] == "class_0"
    assert good["ml"]["prediction_id"] == answers[0].headers["x-request-id"]
    assert len(good["ml"]["inputs"]["number"]) == 13
    assert len(sparse["ml"]["missing"]["absent"]) == 11
    assert (bad["event"]["outcome"], bad["http"]["response"]) == ("unknown", {"status_code": 422})
    assert {event["http"]["route"] for event in (good, sparse, bad)} == {"/predict"}

    added = 0
    for path in folder.glob("*.py"):
        lines = path.read_text().splitlines()
        kept = [line for line in lines if "# added" not in line]
        added += len(lines) - len(kept)
        path.write_text("\n".join(kept))
        assert "mllog" not in path.read_text()
    assert added == 5
    run(folder, "train.py")
    assert [answer.body for answer in serve(folder, ask)] == [answer.body for answer in answers]


@pytest.mark.parametrize("folder", ["fastapi"], indirect=True)
def test_fastapi_in_the_tests_of_its_owner(folder, monkeypatch):
    """An application whose logger is made when it is imported is tested with that logger, one test after the other."""
    run(folder, "train.py")
    monkeypatch.chdir(folder)
    spec = importlib.util.spec_from_file_location("example_app", folder / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    wine = load_wine(as_frame=True).data.iloc[0].to_dict()
    with servers.asgi(module.app) as place:
        for k in range(2):
            with redirect(module.log) as captured:
                answer = place.ask("/predict", wine, {"x-request-id": f"r{k}"})
                (event,) = captured.predictions()
                assert_valid(captured.events())
            assert event["ml"]["prediction_id"] == f"r{k}"
            assert event["ml"]["outputs"]["label"] == answer.json()["label"]
            assert event["ml"]["card"]
        assert place.ask("/predict", wine, {"x-request-id": "r2"}).status == 200
    module.log.close()
    assert [event["ml"]["prediction_id"] for event in events(folder)] == ["r2"]


@pytest.mark.parametrize("folder", ["batch"], indirect=True)
def test_batch(folder):
    """Every row is an event with its own time and id; the steps say how many rows they had."""
    frame = load_diabetes(as_frame=True).frame.rename(columns={"target": "progression"})
    frame["measured"] = pd.date_range("2026-01-01", periods=len(frame), freq="h", tz="UTC")
    frame["patient"] = [f"p{k}" for k in frame.index]
    frame.to_csv(folder / "patients.csv", index=False)
    run(folder, "score.py", "train", "patients.csv")
    run(folder, "score.py", "score", "patients.csv", "scored.csv")
    found, steps = events(folder), events(folder, "step")
    scored = pd.read_csv(folder / "scored.csv")
    assert len(found) == len(frame)
    by_id = {event["ml"]["prediction_id"]: event for event in found}
    assert [by_id[name]["ml"]["outputs"]["value"] for name in scored["patient"]] == pytest.approx(
        list(scored["predicted"])
    )
    assert by_id["p17"]["@timestamp"].startswith("2026-01-01T17:00:00")
    assert {(e["ml"]["step"]["name"], e["ml"]["step"]["rows_out"]) for e in steps} == {("read", 442), ("predict", 442)}


@pytest.mark.parametrize("folder", ["text"], indirect=True)
def test_text(folder):
    """Words that training never had are named, and a correction meets its prediction."""
    run(folder, "triage.py", "train")
    queue, name = run(folder, "triage.py", "ask", "my parcel is lost").split()
    run(folder, "triage.py", "ask", "der Bildschirm bleibt schwarz")
    run(folder, "triage.py", "correct", name, "delivery")
    known, foreign = events(folder)
    assert known["ml"]["outputs"]["label"] == queue == "delivery"
    assert known["ml"]["text"]["message"] == {"tokens": 4, "unseen": 0}
    assert foreign["ml"]["text"]["message"] == {"tokens": 4, "unseen": 4}
    assert "bildschirm" in foreign["ml"]["unseen_tokens"]
    shown = subprocess.run(
        [Path(sys.executable).parent / "mllog", "show", name, "--store", "events/", "--json"],
        check=True, cwd=folder, capture_output=True, timeout=120,
    )  # fmt: skip
    assert json.loads(shown.stdout)["joined"]["parts"]["label"]["value"] == "delivery"


@pytest.mark.parametrize("name", ["fastapi", "batch", "text"])
def test_pages_name_what_is_there(name):
    """Each command of an example's page runs a file of the example."""
    page = (EXAMPLES / name / "README.md").read_text()
    for script in re.findall(r"^python (\w+\.py)", page, re.MULTILINE):
        assert (EXAMPLES / name / script).exists()
