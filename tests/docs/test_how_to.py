"""The pages on privacy, sampling and front doors run."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import structlog

import mllog

ROOT = Path(__file__).parents[2]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SALT = "a secret of enough bytes"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Pages write into the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLLOG_SALT", raising=False)
    return tmp_path


def run(page, names):
    """Run a page's Python."""
    for text in PYTHON.findall((ROOT / "docs/how-to" / page).read_text(encoding="utf-8")):
        exec(compile(text, page, "exec"), names)
    return names


def test_privacy(folder):
    """The card of the page can be made, and an event with it holds nothing that the page says is kept back."""
    draw = np.random.default_rng(1)
    n = 300
    train = pd.DataFrame(
        {
            "customer": [f"47{k % 90:02d}-A" for k in range(n)],
            "branch": draw.choice(["north", "south"], n),
            "income": draw.lognormal(10, 1, n),
            "birthday": [f"19{k % 90 + 10}-02-03" for k in range(n)],
            "purpose": ["a car, mail jo@example.com"] * n,
            "remarks": ["nice person"] * n,
            "default": draw.integers(0, 2, n),
        }
    )
    names = run("privacy.md", {"train": train, "salt": SALT})
    log = mllog.ModelLogger("credit", version="3", card="card.json", sink="events/", salt=SALT)
    row = {name: getattr(value, "item", lambda value=value: value)() for name, value in train.iloc[11].items() if name != "default"}
    log.prediction(row, 0.3, id="order-4711", user="jane", error=KeyError(row["customer"]))
    log.close()
    written = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())
    for kept_back in (row["customer"], "north", "south", str(row["income"]), row["birthday"], "example.com", "nice person", "jane", SALT):
        assert kept_back not in written
    assert names["pseudonym"](SALT, "customer", row["customer"]) in written
    assert names["pseudonym"](SALT, "@user", "jane") in written
    assert "'<customer>'" in written
    assert "a car, mail <email>" in written


def test_front_doors(folder):
    """Every way in of the page logs, and its fixture works in pytest, for an application with a logger of its own."""
    page = (ROOT / "docs/how-to/front-doors.md").read_text(encoding="utf-8")
    (*ways, fixture) = PYTHON.findall(page)
    (folder / "test_page.py").write_text(fixture)
    (folder / "app.py").write_text(
        'import mllog\nlog = mllog.ModelLogger("flight-delay", version="7", sink="events/")\n'
        "@log.monitor\ndef predict(features):\n    return features['distance'] / 10_000\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_page.py"],
        check=False, cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert b'"predict"' not in b"".join(path.read_bytes() for path in folder.glob("events/*/*.ndjson"))
    names = {}
    try:
        for way in ways:
            exec(compile(way, "front-doors.md", "exec"), names)
    finally:
        structlog.reset_defaults()
        for handler in list(logging.getLogger("model").handlers):
            logging.getLogger("model").removeHandler(handler)
            handler.close()
    lines = [json.loads(line) for path in folder.glob("events/*/*.ndjson") for line in path.read_text().splitlines()]
    ids = {event["ml"].get("prediction_id") for event in lines}
    assert {"p1", "p2", "p3", "p4", "p6", "p7"} <= ids


def test_sampling(folder):
    """The loggers of the page keep what it says."""
    names = run("sampling.md", {})
    with names["log"] as log:
        for amount in (5, 20_000):
            for k in range(100):
                log.prediction({"amount": amount}, {"label": "ok", "score": 0.9}, id=f"{amount}-{k}")
    lines = [json.loads(line) for path in folder.rglob("*.ndjson") for line in path.read_text().splitlines()]
    found = [event["ml"] for event in lines if event["event"]["action"] == "predict"]
    assert sum(ml["inputs"]["number"]["amount"] == 20_000 for ml in found) == 100
    small = [ml for ml in found if ml["inputs"]["number"]["amount"] == 5]
    assert 0 < len(small) < 40
    assert {(ml["sample"], ml["weight"]) for ml in small} == {("head", 10.0)}


def test_scheduling(folder):
    """The run of the page judges, and its receiver drops copies."""
    with mllog.ModelLogger("shop", version="1", sink="events/") as log:
        log.prediction({"amount": 5.0}, 0.5)
    names = run("scheduling.md", {})
    (problem,) = names["report"].problems
    assert "no card" in problem
    assert (names["report"].hours, names["report"].reopened, names["report"].held) == ({}, {}, [])
    first, second = ({"message": f"something broke\n\nMessage {key}"} for key in ("a1", "b2"))
    assert [names["is_new"](body) for body in (first, second, first)] == [True, True, False]
