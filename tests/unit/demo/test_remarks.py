"""Remarks read like notes, have a vocabulary with a tail, and never change."""

import re
import time
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from watchers.demo import flights, remarks

PLACES = {"BOS": "General Edward Lawrence Logan Intl", "CHO": "Charlottesville-Albemarle"}


def words(text):
    return re.findall(r"[^\W_]+(?:['’\-][^\W_]+)*", text.lower())


@pytest.fixture
def situation():
    def make(n=300, **columns):
        defaults = {
            "dest": "BOS",
            "visibility": 10.0,
            "wind_speed": 5.0,
            "precipitation": 0.0,
            "dep_delay": 0.0,
        }
        flight_id = [f"20130101-XX{k}-JFK" for k in range(n)]
        return pd.DataFrame({"flight_id": flight_id, **defaults, **columns}, index=range(n))

    return make


def test_length(frame):
    """Every note has 6 to 25 words."""
    lengths = frame["remarks"].map(lambda text: len(words(text)))
    assert lengths.between(remarks.LEAST_WORDS, remarks.MOST_WORDS).all()
    assert 12 < lengths.mean() < 20


def test_vocabulary_has_a_tail(frame):
    """Some hundred words, a few of them in every other note and many in almost none."""
    counts = Counter(word for text in flights.training(frame)["remarks"] for word in words(text))
    assert 300 <= len(counts) <= 650
    assert sum(count <= 5 for count in counts.values()) >= 30
    assert counts.most_common(1)[0][1] > len(flights.training(frame)) / 2


def test_notes_vary(frame):
    """Hardly two notes of a day are the same."""
    day = frame["remarks"].iloc[:842]
    assert day.nunique() > 0.85 * len(day)


def test_vocabulary_hardly_grows(frame):
    """After the training month new words come, but only few."""
    known = {word for text in flights.training(frame)["remarks"] for word in words(text)}
    later = [word for text in flights.serving(frame)["remarks"] for word in words(text)]
    assert 0 < sum(word not in known for word in later) / len(later) < 0.001


def test_a_note_depends_on_its_flight_only(situation):
    """Order and company don't matter, the seed does."""
    whole = situation()
    notes = remarks.write(whole, PLACES, 3)
    part = whole.iloc[[200, 7]]
    assert remarks.write(part, PLACES, 3) == [notes[200], notes[7]]
    assert remarks.write(whole, PLACES, 4) != notes


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [
        ("visibility", 0.25, "fog"),
        ("visibility", 3.0, "mist"),
        ("visibility", np.nan, "report"),
        ("wind_speed", 30.0, "gusty"),
        ("precipitation", 0.01, "wet"),
        ("precipitation", 0.10, "braking"),
        ("dep_delay", 90.0, "rebooked"),
        ("dep_delay", np.nan, "cancellation"),
    ],
)
def test_notes_speak_of_the_situation(situation, column, value, word):
    """Bad weather and delays have words of their own."""
    assert any(word in words(note) for note in remarks.write(situation(**{column: value}), PLACES))


def test_notes_name_the_destination(situation):
    """Places are named as people write them; an unknown one by its code."""
    known = " ".join(remarks.write(situation(dest="CHO"), PLACES))
    assert "charlottesville albemarle" in known
    assert " qqq" in " ".join(remarks.write(situation(dest="QQQ"), PLACES))


def test_other_vendor_has_new_words(frame):
    """About 40 % of the words of the other style were never seen."""
    known = {word for text in flights.training(frame)["remarks"] for word in words(text)}
    later = flights.serving(frame)["remarks"].iloc[:3000]
    restyled = list(remarks.restyle(later))
    tokens = [word for note in restyled for word in words(note)]
    assert 0.35 < sum(word not in known for word in tokens) / len(tokens) < 0.45
    assert [len(words(note)) for note in restyled] == [len(words(note)) for note in later]
    assert list(remarks.restyle(later)) == restyled


def test_speed(situation):
    """95,000 notes take less than 3 seconds."""
    start = time.perf_counter()
    notes = remarks.write(situation(n=95_000), PLACES)
    assert time.perf_counter() - start < 3
    assert len(notes) == 95_000
