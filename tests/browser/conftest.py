"""Eleven weeks of a made-up model with faults in them, and the report on it."""

from __future__ import annotations

import datetime as dt
import types
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from mllog.ruler import LATENCY, LATENCY_EDGES, SCORE, SCORE_EDGES, Feature, Ruler
from watchers.finding import Effect, Finding, Window
from watchers.incidents import Engine
from watchers.profile import ALL, WindowProfile
from watchers.report import ReportData

ZONE = ZoneInfo("America/New_York")
START = dt.datetime(2026, 1, 5, 5, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DAYS = 76
HOSTILE = "<img src=x onerror=alert(1)>"
NUMBERS = {
    "distance": (1000, 400),
    "dep_hour": (13, 5),
    "temperature": (8, 6),
    "wind_speed": (11, 5),
    "visibility": (9, 2),
    "plane_age": (12, 6),
    "seats": (140, 60),
    HOSTILE: (0, 1),
}
CARRIERS = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "WN")
ORIGINS = ("EWR", "JFK", "LGA")


def make_ruler():
    """A ruler like that of a flight model."""
    numbers = [
        Feature(
            name,
            "number",
            tuple(float(mean + sd * k / 4) for k in range(-8, 9)),
            mean - 3.0 * sd,
            mean + 3.0 * sd,
        )
        for name, (mean, sd) in NUMBERS.items()
    ]
    return Ruler(
        (
            Feature("carrier", "category", categories=CARRIERS, known=frozenset(CARRIERS)),
            Feature("origin", "category", categories=ORIGINS, known=frozenset(ORIGINS)),
            Feature("holiday", "boolean", categories=("false", "true"), known=frozenset({"false", "true"})),
            *numbers,
            Feature("remarks", "text", vocabulary=frozenset(f"w{k}" for k in range(3120))),
            Feature(SCORE, "number", SCORE_EDGES, 0.0, 1.0),
            Feature(LATENCY, "number", LATENCY_EDGES),
        ),
        ("carrier", "origin"),
        "America/New_York",
    )


FAULTS = [
    # name, kind, check, feature, segment, first hour, hours, severity, sentence
    (
        "carrier nulls at EWR",
        "missing",
        "missing",
        "carrier",
        {"origin": "EWR"},
        15 * 24 + 14,
        30,
        "critical",
        "`carrier` is null in 31% of requests since 14:00 (0.4% usually); all of them have `origin` = EWR.",
    ),
    (
        "temperature in Fahrenheit",
        "unit",
        "unit_change",
        "temperature",
        None,
        26 * 24 + 9,
        40,
        "critical",
        "`temperature` looks as if multiplied by 1.8 and moved by 32 since 9:00.",
    ),
    (
        "new dispatch words",
        "text",
        "unseen_tokens",
        "remarks",
        None,
        37 * 24 + 6,
        60,
        "warning",
        "11% of the words in `remarks` were never seen in training (1.6% usually), e.g. 'diverted'.",
    ),
    (
        "visibility lost",
        "vanished",
        "vanished",
        "visibility",
        None,
        49 * 24 + 18,
        22,
        "critical",
        "`visibility` is no longer sent: absent from every request since 18:00.",
    ),
    (
        "slow model",
        "latency",
        "latency",
        LATENCY,
        None,
        58 * 24 + 11,
        14,
        "warning",
        "95% of answers take up to 240 ms since 11:00, usually 38 ms.",
    ),
    (
        "carrier WN swallows DL",
        "shift",
        "category_shift",
        "carrier",
        None,
        71 * 24 + 10,
        200,
        "warning",
        "`carrier` = WN is 27% of requests since 10:00, usually 4%.",
    ),
]


def active(hour, name):
    """Whether a fault is on in an hour."""
    return any(fault[0] == name and fault[5] <= hour < fault[5] + fault[6] for fault in FAULTS)


def make_profile(ruler, hour, rng):
    """One hour of traffic."""
    begin = START + hour * HOUR
    local = begin.astimezone(ZONE)
    load = 60 + 240 * np.exp(-(((local.hour - 14) / 6) ** 2)) * (0.75 if local.weekday() >= 5 else 1)
    n = int(rng.poisson(load))
    profile = WindowProfile("flight-delay", ruler.hash, Window(begin, begin + HOUR))
    parts = {ORIGINS[k]: int(m) for k, m in enumerate(rng.multinomial(n, [0.36, 0.33, 0.31]))}
    total = np.zeros(len(ruler.cells), dtype=np.int64)
    for origin, m in parts.items():
        counts = np.zeros(len(ruler.cells), dtype=np.int64)
        counts[0] = m

        def put(feature, what, which, amount, counts=counts):
            counts[ruler.index[feature, what, str(which)]] += int(amount)

        def place(feature, values, counts=counts):
            edges = ruler.by_name[feature].edges
            first, found = ruler.index[feature, "bin", "0"], np.searchsorted(edges, values, side="right")
            counts[first : first + len(edges) + 1] += np.bincount(found, minlength=len(edges) + 1)

        put("origin", "category", origin, m)
        gone = rng.binomial(m, 0.86 if origin == "EWR" and active(hour, FAULTS[0][0]) else 0.004)
        put("carrier", "missing", "null", gone)
        shares = np.array([0.2, 0.18, 0.17, 0.15, 0.1, 0.09, 0.07, 0.04])
        if active(hour, FAULTS[5][0]):
            shares[3], shares[7] = 0.02, 0.27
        shares /= shares.sum()
        for value, count in zip(CARRIERS, rng.multinomial(m - gone, shares), strict=True):
            put("carrier", "category", value, count)
        festive = rng.binomial(m, 0.9 if hour // 24 in {14, 42} else 0.01)
        put("holiday", "category", "true", festive)
        put("holiday", "category", "false", m - festive)
        for name, (mean, sd) in NUMBERS.items():
            lost = m if name == "visibility" and active(hour, FAULTS[3][0]) else rng.binomial(m, 0.012)
            put(name, "missing", "absent", lost)
            values = rng.normal(mean, sd, m - lost)
            if name == "temperature":
                values = values + 4 * np.sin(hour / 24 / 9) + 3 * np.sin((local.hour - 9) / 24 * 6.28)
                values = values * 1.8 + 32 if active(hour, FAULTS[1][0]) else values
            if name == "wind_speed":
                values = values + 2.5 * np.sin(hour / 61)
            place(name, values)
        tokens = 9 * m
        put("remarks", "texts", "", m)
        put("remarks", "tokens", "", tokens)
        put(
            "remarks",
            "unseen_tokens",
            "",
            rng.binomial(tokens, 0.11 if active(hour, FAULTS[2][0]) else 0.016),
        )
        place(SCORE, rng.beta(2, 5, m))
        slow = 6.0 if active(hour, FAULTS[4][0]) else 1.0
        place(LATENCY, slow * rng.lognormal(-4.2, 0.55, m))
        profile.add(local.strftime("d%H"), ("origin", origin), counts)
        total += counts
    profile.add(local.strftime("d%H"), ALL, total)
    profile.count("version", "2026.1" if hour < FAULTS[0][5] else "2026.2", n)
    return profile


def make_document(number, fault):
    """An event of a fault."""
    inputs = {
        "number": {"distance": 719.0, "temperature": 46.4},
        "keyword": {"origin": "EWR", "carrier": "EV"},
    }
    missing = {}
    if fault[2] in {"missing", "vanished"}:
        inputs["keyword"].pop(fault[3], None)
        missing = {"null" if fault[2] == "missing" else "absent": [fault[3]]}
    else:
        inputs["text"] = {"remarks": f"holdshort rwy 22R, diverted {HOSTILE}"}
    at = START + (fault[5] + number) * HOUR
    return {
        "@timestamp": at.isoformat(),
        "event": {"id": f"019a-{fault[5]}-{number}"},
        "ml": {
            "inputs": inputs,
            "missing": missing,
            "outputs": {"label": "late", "score": 0.71 - number / 50},
        },
    }


@pytest.fixture(scope="module")
def report_data():
    """Everything that the report shows."""
    rng = np.random.default_rng(7)
    ruler = make_ruler()
    profiles = [make_profile(ruler, hour, rng) for hour in range(DAYS * 24)]
    engine = Engine("flight-delay")
    findings, documents, faults = [], {}, []
    for hour, profile in enumerate(profiles):
        window = profile.window
        found = [
            Finding("numeric_drift", "flight-delay", window, profile.n, feature="seats", version="2026.2")
        ]
        for fault in FAULTS:
            name, _, check, feature, segment, first, hours, severity, sentence = fault
            if not first <= hour < first + hours:
                continue
            ids = []
            for number in range(3):
                document = make_document(number, fault)
                documents[document["event"]["id"]] = document
                ids.append(document["event"]["id"])
            size = 0.31 + 0.02 * np.sin(hour)
            found.append(
                Finding(
                    check,
                    "flight-delay",
                    window,
                    profile.n,
                    feature,
                    segment,
                    "2026.2",
                    0.004,
                    size,
                    Effect("share", size, size - 0.04, size + 0.04),
                    1e-12,
                    1e-11,
                    "alert",
                    severity,
                    START + first * HOUR,
                    ids,
                    sentence,
                )
            )
            if name == FAULTS[1][0]:
                found.append(
                    Finding(
                        "output_drift",
                        "flight-delay",
                        window,
                        profile.n,
                        SCORE,
                        None,
                        "2026.2",
                        0.28,
                        0.36,
                        Effect("sd", 0.4, 0.2, 0.6),
                        1e-5,
                        4e-4,
                        "alert",
                        "warning",
                        START + first * HOUR,
                        [],
                        "moved",
                    )
                )
        findings += [finding for finding in found if finding.state == "alert"]
        engine.update(found, window, 1, profiles=profiles[max(0, hour - 30) : hour + 1])
    for fault in FAULTS:
        start = START + fault[5] * HOUR
        hit = next((i for i in engine.incidents.values() if abs(i.onset - start) < 3 * HOUR), None)
        faults.append(
            {
                "name": fault[0],
                "kind": fault[1],
                "feature": fault[3],
                "segment": fault[4],
                "start": start.isoformat(),
                "end": (start + fault[6] * HOUR).isoformat(),
                "found": hit is not None,
                "found_at": hit.opened.isoformat() if hit else None,
                "incident": hit.id if hit else None,
                "named_feature": fault[3],
                "named_segment": fault[4],
            }
        )
    stored = {
        "*": dict(zip(ruler.cells, np.sum([p.total() for p in profiles[:240]], axis=0).tolist(), strict=True))
    }
    card = types.SimpleNamespace(model="flight-delay", version="2026.2", ruler=ruler, training=stored)
    return ReportData(
        card,
        profiles,
        list(engine.incidents.values()),
        findings,
        START + dt.timedelta(days=DAYS),
        documents,
        faults,
        {"seconds": 41.7, "store": "file:events", "false_alarms": 0},
    )
