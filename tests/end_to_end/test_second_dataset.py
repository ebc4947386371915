"""A web shop's fraud model: another schema, zone and season than the demo's, and not a line of code changed for it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

import mllog
from mllog.environment import Manifest
from watchers.cli import main

pytestmark = pytest.mark.slow

BERLIN = ZoneInfo("Europe/Berlin")
TRAINING = dt.datetime(2025, 6, 30, tzinfo=BERLIN)
SERVING = dt.datetime(2025, 7, 28, tzinfo=BERLIN)
END = dt.datetime(2025, 9, 1, tzinfo=BERLIN)
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
NOW = (END + dt.timedelta(minutes=10)).isoformat()
MODEL = "Shop Fraud"

COUNTRIES = {"DE": 0.55, "AT": 0.16, "CH": 0.13, "FR": 0.09, "NL": 0.06, "LU": 0.01}
DEVICES = {"android": 0.42, "ios": 0.30, "web": 0.26, "tv": 0.02}
RISK = {"DE": 0.0, "AT": 0.1, "CH": -0.2, "FR": 0.3, "NL": 0.2, "LU": 0.5}
NOTES = (
    "Bitte beim Nachbarn abgeben", "please leave at the door", "Klingel defekt, bitte anrufen", "gift, no invoice please",
    "ring twice", "Bitte nicht vor 9 Uhr", "Danke!", "call me when you are 5 minutes away", "Hinterhaus, zweiter Stock",
    "fragile, handle with care", "Lieferung an die Packstation", "thank you",
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What was planted, and what an incident must say of it."""

    name: str
    start: dt.datetime
    hours: int
    feature: str
    segment: dict[str, str] | None
    checks: frozenset[str]

    @property
    def end(self) -> dt.datetime:
        return self.start + self.hours * HOUR

    @property
    def tolerance(self) -> dt.timedelta:
        """A segment of a few dozen requests an hour is judged by the longer windows."""
        return DAY if self.name == "cents" else HOUR


def at(day: int, hour: int) -> dt.datetime:
    return dt.datetime(2025, 8, day, hour, tzinfo=BERLIN)


FAULTS = (
    Fault("null", at(5, 10), 20, "country", {"device": "ios"}, frozenset({"missing", "vanished"})),
    Fault("cents", at(8, 9), 24, "amount", {"country": "CH"}, frozenset({"unit_change"})),
    Fault("renamed", at(12, 14), 8, "is_member", None, frozenset({"renamed"})),
    Fault("new", at(16, 8), 24, "device", None, frozenset({"unseen_category"})),
    Fault("broken", at(21, 11), 12, "@score", None, frozenset({"output_drift"})),
)


def requests(start: dt.datetime, end: dt.datetime, seed: int) -> pl.DataFrame:
    """The shop's requests: day and week have their seasons, and the world moves on a little every day."""
    rng = np.random.default_rng(seed)
    hours = [start + k * HOUR for k in range(int((end - start) / HOUR))]
    local = [moment.astimezone(BERLIN) for moment in hours]
    swing = np.array([np.cos((moment.hour - 19) / 24 * 2 * np.pi) for moment in local])
    weekend = np.array([moment.weekday() >= 5 for moment in local])
    per_hour = rng.poisson(215 * (1 + 0.28 * swing) * np.where(weekend, 1.1, 1.0))
    n = int(per_hour.sum())
    swing, weekend = np.repeat(swing, per_hour), np.repeat(weekend, per_hour)
    time = np.repeat([int(moment.timestamp()) * 10**9 for moment in hours], per_hour) + rng.integers(0, 3600 * 10**9, n)
    age = (time - int(TRAINING.timestamp()) * 10**9) / 86_400e9  # days since training began
    evening = 0.1 * swing
    phone = rng.random(n) < 0.02 * evening + 0.0005 * age / 7
    return (
        pl.DataFrame(
            {
                "time": time,
                "amount": np.round(rng.lognormal(3.6 + evening + 0.1 * weekend + 0.0005 * age, 0.8), 2),
                "basket_items": 1 + rng.poisson(1.8 + 0.3 * weekend),
                "country": rng.choice(list(COUNTRIES), n, p=list(COUNTRIES.values())),
                "device": np.where(phone, "ios", rng.choice(list(DEVICES), n, p=list(DEVICES.values()))),
                "is_member": rng.random(n) < 0.45 + 0.05 * swing,
                "account_age_days": np.floor(rng.exponential(400, n) + age),
                "note": [
                    " ".join(rng.choice(NOTES, k)) if k else None for k in rng.choice([0, 1, 2], n, p=[0.7, 0.25, 0.05])
                ],
                "latency": 0.03 * rng.lognormal(0.2 * evening, 0.3),
                "noise": rng.normal(0, 0.7, n),
                "chance": rng.random(n),
                "guest": rng.random(n) < 0.08,
            }
        )
        .with_columns(pl.when("guest").then(None).otherwise("account_age_days").alias("account_age_days"))
        .sort("time")
    )


def score(row: dict[str, Any], noise: float, *, broken: bool = False) -> float:
    """The model, of what arrived; the broken one was saved before its last layer was trained."""
    z = -2.2 + 0.45 * math.log(max(row["amount"], 0.01) / 40) + 0.1 * row["basket_items"]
    z += RISK.get(row["country"], 0.0) - 0.5 * bool(row.get("is_member"))
    z -= 0.0008 * (row["account_age_days"] or 0) - noise
    return 1 / (1 + math.exp(-(0.15 * z if broken else z)))


INPUTS = ("amount", "basket_items", "country", "device", "is_member", "account_age_days", "note")


def spoil(row: dict[str, Any], moment: dt.datetime, chance: float) -> dict[str, Any]:
    """What upstream makes of a request while a fault lasts."""
    for fault in FAULTS:
        if not fault.start <= moment < fault.end:
            continue
        if fault.name == "null" and row["device"] == "ios":
            row["country"] = None
        elif fault.name == "cents" and row["country"] == "CH":
            row["amount"] = round(100 * row["amount"], 2)
        elif fault.name == "renamed":
            row["member"] = row.pop("is_member")
        elif fault.name == "new" and row["device"] == "web" and chance < 0.3:
            row["device"] = "glasses"
    return row


@dataclass(frozen=True)
class Shop:
    """The shop's events, and what one run over all of them said."""

    folder: Path
    written: int
    code: int
    document: dict[str, Any]

    @property
    def events(self) -> Path:
        return self.folder / "events"

    def other(self, name: str) -> Path:
        """The same events as another store, judged by nobody yet."""
        target = self.folder / name
        shutil.copytree(self.events, target, copy_function=os.link, ignore=shutil.ignore_patterns("_watchers"))
        return target


@pytest.fixture(scope="session")
def shop(call, tmp_path_factory):
    """Card from polars, five weeks through the real logger in event time, one run."""
    folder = tmp_path_factory.mktemp("shop")
    card = make_card()
    card.save(folder / "card.json")
    written = serve(folder)
    answer = call("watchers", "run", "--once", "--store", folder / "events", "--now", NOW, "--json")
    assert answer.out, answer.err
    return Shop(folder, written, answer.code, answer.json)


def make_card() -> mllog.ModelCard:
    """Four weeks of training in polars."""
    training = requests(TRAINING, SERVING, 1)
    scores = [score(row, row["noise"]) for row in training.iter_rows(named=True)]
    frame = training.select(*INPUTS, pl.from_epoch("time", "ns").dt.replace_time_zone("UTC"))
    return mllog.ModelCard.from_frame(
        frame.with_columns(pl.Series("fraud", ["fraud" if value > 0.5 else "fine" for value in scores])),
        MODEL, "7", target="fraud", predictions=scores, text=["note"], segments=["country", "device"], time="time",
        time_zone="Europe/Berlin",
    )  # fmt: skip


def serve(folder: Path) -> int:
    """Five weeks of requests through the logger, faults included; how many."""
    now = 0
    broken = next(fault for fault in FAULTS if fault.name == "broken")
    log = mllog.ModelLogger(
        MODEL, version="7", card=folder / "card.json", sink=folder / "events", clock=lambda: now, overflow="block",
        environment=Manifest(python="3.12", packages={"lightgbm": "4.5.0"}),
    )  # fmt: skip
    written = 0
    for row in requests(SERVING, END, 2).iter_rows(named=True):
        now = row["time"]
        moment = dt.datetime.fromtimestamp(now / 1e9, dt.UTC)
        inputs = spoil({name: row[name] for name in INPUTS}, moment, row["chance"])
        answer = score(inputs, row["noise"], broken=broken.start <= moment < broken.end)
        output = {"score": answer, "label": "fraud" if answer > 0.5 else "fine"}
        log.prediction(inputs, output, f"order-{written}", latency=row["latency"])
        written += 1
    assert log.close()
    assert (log.status().dropped, log.status().rejected) == (0, 0)
    return written


def listed(call, store: Path) -> list[dict[str, Any]]:
    """The incidents of a store."""
    return call("watchers", "incidents", "--store", store, "list", "--json").json["incidents"]


HEARTBEAT = "runs.ndjson"


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder and the hash of its bytes; but for the heartbeat, to which each run adds."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != HEARTBEAT
    }


def results(store: Path) -> dict[str, list[Any]]:
    """What the watchers wrote, file by file; caches, locks, memory and heartbeat aside."""
    return {
        path.relative_to(store).as_posix(): [json.loads(line) for line in path.read_bytes().splitlines()]
        for path in sorted((store / "_watchers").rglob("*.ndjson"))
        if path.name != HEARTBEAT
    }


def belongs(fault: Fault, incident: dict[str, Any]) -> bool:
    """Whether an incident was opened for a fault, while it lasted or while the longest window still showed it."""
    opened = dt.datetime.fromisoformat(incident["opened"])
    return fault.start <= opened <= fault.end + DAY and bool(fault.checks & set(incident["checks"]))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found_and_named(shop, call, fault):
    """An incident leads with the feature and the segment that were hit, knows since when, and was opened in time."""
    found = [incident for incident in listed(call, shop.events) if belongs(fault, incident)]
    assert len(found) == 1
    assert (found[0]["features"][0], found[0]["segment"]) == (fault.feature, fault.segment)
    assert fault.checks & {found[0]["checks"][0]}
    assert abs(dt.datetime.fromisoformat(found[0]["onset"]) - fault.start) <= fault.tolerance
    assert found[0]["state"] == "recovered"


def test_next_to_nothing_else_alarms(shop, call):
    """In five weeks with season, growth and mild drift at most one incident is about nothing that was planted."""
    others = [
        (incident["onset"], incident["message"])
        for incident in listed(call, shop.events)
        if not any(belongs(fault, incident) for fault in FAULTS)
    ]
    assert len(others) <= 1, others


def test_the_run_says_what_it_did(shop):
    """Findings end the run with 1; every hour was judged and every request counted."""
    assert shop.code == 1
    assert shop.document["hours"] == {MODEL: int((END - SERVING) / HOUR)}
    assert (shop.document["rejected"], shop.document["problems"]) == (0, [])
    assert {finding["state"] for finding in shop.document["findings"]} == {"alert"}
    profiles = {name: rows for name, rows in results(shop.events).items() if "/profiles/" in name}
    assert sum(row["n"] for rows in profiles.values() for row in rows) == shop.written


def test_documents_show_the_fault(shop, call):
    """The documents of an incident are requests that have its fault."""
    incidents = listed(call, shop.events)

    def event(name):
        fault = next(fault for fault in FAULTS if fault.name == name)
        (document, *_) = next(i["documents"] for i in incidents if belongs(fault, i))
        return call("mllog", "show", document, "--store", shop.events, "--json").json["events"][0]["ml"]

    null, cents = event("null"), event("cents")
    assert "country" in null["missing"]["null"]
    assert null["inputs"]["keyword"]["device"] == "ios"
    assert cents["inputs"]["number"]["amount"] > 1000
    assert cents["inputs"]["keyword"]["country"] == "CH"
    assert event("renamed")["violations"]["renamed"] == ["is_member>member"]
    assert event("new")["inputs"]["keyword"]["device"] == "glasses"


def test_a_second_run_changes_nothing(shop, call):
    """Run again as of the same moment, the command finds nothing due and leaves every file as it was, to the byte."""
    before = content(shop.events)
    answer = call("watchers", "run", "--once", "--store", shop.events, "--now", NOW, "--json")
    assert answer.json == {
        "findings": [], "incidents": [], "hours": {}, "reopened": {}, "held": [], "rejected": 0, "problems": [],
    }  # fmt: skip
    assert answer.code == 0
    assert content(shop.events) == before


DAILY = 17
"""Days that are judged day by day, too: half of them, with three of the faults in them."""


def test_judged_day_by_day_is_judged_the_same(shop, call, capsys):
    """A run a day, its clock advancing, says the same of those days as one run over all of them."""
    store = shop.other("daily")
    for day in range(DAILY):
        now = SERVING + (day + 1) * DAY + dt.timedelta(minutes=10)
        code = main(["run", "--once", "--store", str(store), "--now", now.isoformat(), "--json"])
        document = json.loads(capsys.readouterr().out)
        assert document["hours"] == {MODEL: 24}
        assert code == (1 if document["findings"] else 0)
    until = SERVING + DAILY * DAY
    found = {fault.name for fault in FAULTS for incident in listed(call, store) if belongs(fault, incident)}
    assert found == {"null", "cents", "renamed"}
    daily, whole = results(store), results(shop.events)
    assert daily.keys() <= whole.keys()
    for name, rows in whole.items():
        before = [row for row in rows if dt.datetime.fromisoformat(row.get("at") or row["window"]["end"]) <= until]
        assert daily.get(name, []) == before, name


def test_a_week_without_a_request_is_judged(shop, call):
    """Two weeks after the last request the watchers still judge: one incident says that no data comes."""
    store = shop.other("quiet")
    shutil.copytree(shop.events / "_watchers", store / "_watchers")
    later = END + 15 * DAY
    answer = call("watchers", "run", "--once", "--store", store, "--now", later.isoformat(), "--json")
    assert answer.code == 1
    assert {finding["check"] for finding in answer.json["findings"] if finding["n"] == 0} == {"no_data"}
    assert [i["checks"] for i in listed(call, store) if i["state"] == "open"] == [["no_data"]]
