from __future__ import annotations

import datetime as dt
import hashlib
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllog import events, stamps

NOON = 1_767_355_200_000_000_000  # 2026-01-02T12:00:00Z


def test_ids_are_uuids_of_version_7() -> None:
    """Python's own parser agrees on version, variant and the time inside."""
    made = uuid.UUID(stamps.EventIds().new(NOON))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == NOON // 1_000_000


@given(st.lists(st.integers(0, 2**63 - 1), min_size=2))
def test_ids_grow_though_the_clock_jumps(times: list[int]) -> None:
    """Ids of one process are unique and in order, whatever the clock does."""
    ids = stamps.EventIds()
    made = [ids.new(time) for time in times]
    assert made == sorted(set(made))


def test_ids_of_two_processes_differ() -> None:
    """Two processes, or a child after a fork, never make the same ids in the same millisecond."""
    one, two = stamps.EventIds(), stamps.EventIds()
    assert not {one.new(NOON) for _ in range(1000)} & {two.new(NOON) for _ in range(1000)}
    before = {one.new(NOON) for _ in range(1000)}
    one.renew()
    assert not before & {one.new(NOON) for _ in range(1000)}


@pytest.mark.parametrize(
    ("kind", "model", "name"),
    [
        ("prediction", "flights", "mllog.prediction.flights"),
        ("label", "a.b_2", "mllog.label.a.b_2"),
        ("prediction", "flight-delay", "mllog.prediction.flight_delay_HASH"),
        ("prediction", "Flights", "mllog.prediction.flights_HASH"),
        ("deployment", "Flights", "mllog.deployment"),
        ("pipeline", "x", "mllog.pipeline"),
        ("metric", "x", "mllog.metric"),
    ],
)
def test_datasets(kind: events.Kind, model: str, name: str) -> None:
    """A data stream's name has only what Elasticsearch allows, and two models never share one."""
    digits = hashlib.sha256(model.encode()).hexdigest()[:6]
    assert events.dataset(kind, model) == name.replace("HASH", digits)


def test_datasets_are_cut_and_kept_apart() -> None:
    """Names that differ only beyond the cut still differ."""
    a, b = events.dataset("label", "m" * 99 + "a"), events.dataset("label", "m" * 99 + "b")
    assert a != b
    assert len(a) == len("mllog.label.") + 60 + 7
    assert events.dataset("label", "m" * 60) == "mllog.label." + "m" * 60


@pytest.mark.parametrize(
    "time",
    [
        NOON,
        NOON / 1e9,
        dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC),
        dt.datetime(2026, 1, 2, 12),  # noqa: DTZ001
        "2026-01-02T12:00:00Z",
        "2026-01-02T13:00:00+01:00",
        pd.Timestamp("2026-01-02T12:00:00", tz="UTC"),
        np.datetime64("2026-01-02T12:00:00"),
        np.int64(NOON),
    ],
)
def test_moments(time: object) -> None:
    """One moment as people write it; without a zone it is UTC."""
    assert stamps.moment(time) == NOON


@pytest.mark.parametrize("time", [None, True, float("nan"), "yesterday", {}, object()])
def test_what_is_no_moment_is_refused(time: object) -> None:
    """A wrong time is a ValueError here; the logger turns it into a mark on the event."""
    with pytest.raises(ValueError):
        stamps.moment(time)


def test_timestamps() -> None:
    """ISO 8601 in UTC with microseconds; times outside of the calendar go to its ends."""
    texts = stamps.Timestamps()
    assert texts.text(NOON + 1_234_567_899) == "2026-01-02T12:00:01.234567Z"
    assert texts.text(NOON) == "2026-01-02T12:00:00.000000Z"
    assert texts.text(-1) == "1970-01-01T00:00:00.000000Z"
    assert texts.text(10**21) == "9999-12-31T23:59:59.000000Z"


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("p1", "p1"),
        (" p1", " p1"),
        (5, "5"),
        (np.int64(5), "5"),
        (np.str_("p1"), "p1"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (None, None),
        (pd.NA, None),
        (float("nan"), None),
        ("", None),
        (" \t", None),
    ],
)
def test_ids_of_callers(value: object, key: str | None) -> None:
    """An id is a text; what is missing or blank is none, so that such predictions aren't joined."""
    assert events.prediction_key(value) == key


@given(st.text(min_size=257, max_size=400).filter(str.strip), st.text(min_size=1, max_size=3))
def test_long_ids_stay_apart(text: str, more: str) -> None:
    """An id that doesn't fit a keyword is cut, always in the same way, and two that differ still do."""
    key = events.prediction_key(text)
    assert key is not None
    assert len(key) == 256
    assert key == events.prediction_key(text)
    assert key != events.prediction_key(text + more)


def test_blank_names_of_outputs() -> None:
    """Elasticsearch takes no field without a name: it gets one, and a mark."""
    record = events.Record("prediction", "predict", 0, "", 0)
    record.give({"": 1.0, "score": 0.5})
    assert record.output == {"unnamed": 1.0, "score": 0.5}
    assert record.replaced == ["@output"]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.5, 500_000_000), (-1, -(10**9)), (None, None), ("", None)]
)
def test_nanoseconds(seconds: object, expected: int | None) -> None:
    """Durations are whole nanoseconds; what is no number is none."""
    assert stamps.nanoseconds(seconds) == expected
    assert stamps.nanoseconds(float("nan")) is None
