"""Dispatchers' notes for flights, made up from weather and delay (the data has no text).

A note is a pure function of the flight, its weather, its delay and the seed. How many clauses it has is drawn
regardless of the situation, so a storm changes the words and not the length.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from watchers.demo import _draws, _phrases

LEAST_WORDS: Final = 6
MOST_WORDS: Final = 25

_DELAY_KNOWN: Final = 0.6
"""The share of delays that the dispatcher knows of when the note is written."""

_NOTES: Final = 4
"""A note has one clause on the status, one on the weather and up to so many others."""

_RARE: Final = 0.004
"""The share of notes that tell of something unusual."""

_BETWEEN: Final = (", ", ". ", ", ", "; ", " - ")
_WORD: Final = re.compile(r"[a-z]+")
_GENERIC: Final = re.compile(
    r"\b(intl|international|airport|rgnl|regional|fld|field|county|metro|metropolitan|co|natl|afb|arpt)\b"
)
_GAPS: Final[dict[str, tuple[str, ...]]] = {
    "gate": _phrases.GATES,
    "minutes": _phrases.MINUTES,
    "fix": _phrases.FIXES,
    "person": _phrases.PERSONS,
    "item": _phrases.ITEMS,
    "cargo": _phrases.CARGOES,
}
_CLAUSE: Final = re.compile(r"^(.*?)(?:\{(\w+)\}(.*))?$")

T = TypeVar("T")

Clause = tuple[str, str, str]
"""The text before the gap, the gap's name, the text behind it."""


def write(frame: pd.DataFrame, places: Mapping[str, str], seed: int = 0) -> list[str]:
    """Write one note for each flight.

    Args:
        frame: Columns ``flight_id``, ``dest``, ``visibility``, ``wind_speed``, ``precipitation`` and
            ``dep_delay`` (minutes; missing where the flight was cancelled).
        places: Names of airports by code.
        seed: Another seed gives other notes.

    Returns:
        Notes of 6 to 25 words in lower case, in the frame's order.
    """
    key = _draws.keys(frame["flight_id"].tolist(), seed)
    status = _status(frame["dep_delay"].to_numpy(dtype=np.float64), _draws.uniform(key, "known"))
    weather = _weather(
        *(frame[name].to_numpy(dtype=np.float64) for name in ("visibility", "wind_speed", "precipitation"))
    )
    clauses = {name: [_parse(text) for text in texts] for name, texts in (_phrases.STATUS | _phrases.WEATHER).items()}
    notes = [_parse(text) for text in _phrases.NOTES]
    names = {code: _place(name) for code, name in places.items()}
    counts = 1 + (_draws.uniform(key, "count") * _NOTES).astype(np.int64)
    columns = [
        frame["dest"].tolist(),
        [clauses[name] for name in status],
        [clauses[name] for name in weather],
        counts.tolist(),
        _draws.uniform(key, "rare").tolist(),
        *(_draws.uniform(key, f"clause {k}").tolist() for k in range(_NOTES + 3)),
    ]
    fillings = zip(*(_draws.uniform(key, f"gap {k}").tolist() for k in range(_NOTES + 3)), strict=True)
    return [
        _note(
            [_evenly(at_gate, draws[0]), _evenly(outside, draws[1])]
            + ([_unusual(rare / _RARE)] if rare < _RARE else [])
            + [notes[_ranked(len(notes), draw)] for draw in draws[2 : 2 + count]],
            names.get(dest) or str(dest).lower(),
            filling,
        )
        for (dest, at_gate, outside, count, rare, *draws), filling in zip(
            zip(*columns, strict=True), fillings, strict=True
        )
    ]


def restyle(notes: Iterable[str]) -> Iterator[str]:
    """Write notes as another vendor's system does: with its own abbreviations, about 40 % of the words.

    Args:
        notes: Notes from `write`.

    Yields:
        The same notes in the other style.
    """
    vendor = _phrases.VENDOR
    for note in notes:
        words = _WORD.sub(lambda word: vendor.get(word[0], word[0]), note)
        yield words.replace(", ", " / ").replace(". ", " / ").replace("; ", " / ")


def _note(clauses: Sequence[Clause], place: str, draws: Sequence[float]) -> str:
    """Fill the gaps and join the clauses, as many as the longest note allows."""
    text, words, used = "", 0, set[str]()
    for (before, gap, behind), draw in zip(clauses, draws, strict=False):
        if not gap:
            clause = before
        elif gap == "place":
            clause = f"{before}{place}{behind}"
        else:
            choices = _GAPS[gap]
            clause = f"{before}{choices[_ranked(len(choices), draw)]}{behind}"
        length = clause.count(" ") + 1
        if before in used or words + length > MOST_WORDS:
            continue
        used.add(before)
        text += (_evenly(_BETWEEN, draw * 97 % 1) if text else "") + clause
        words += length
    return text if words >= LEAST_WORDS else f"{text}, nothing else to report"


def _unusual(draw: float) -> Clause:
    return f"station reports {_evenly(_phrases.RARE, draw)}", "", ""


def _parse(text: str) -> Clause:
    match = _CLAUSE.match(text)
    before, gap, behind = match.groups("") if match else (text, "", "")
    return str(before), str(gap), str(behind)


def _place(name: str) -> str:
    """An airport's name as people write it: "Hartsfield Jackson Atlanta Intl" -> "hartsfield jackson"."""
    words = [word for word in _WORD.findall(_GENERIC.sub("", name.lower())) if len(word) > 1]
    return " ".join(words[:2])


def _evenly(choices: Sequence[T], draw: float) -> T:
    return choices[int(draw * len(choices))]


def _ranked(n: int, draw: float) -> int:
    """A place below ``n``, drawn with chances as 1/rank (Zipf 1949)."""
    return min(int((n + 1) ** draw) - 1, n - 1)


def _status(delay: NDArray[np.float64], draw: NDArray[np.float64]) -> list[str]:
    """What the dispatcher knows of the delay; a cancelled flight has none."""
    known = draw < _DELAY_KNOWN
    names = np.select(
        [known & np.isnan(delay), known & (delay > 60), known & (delay > 15), delay > 5],
        ["unknown", "severe", "late", "slight"],
        "steady",
    )
    return [str(name) for name in names.tolist()]


def _weather(
    visibility: NDArray[np.float64], wind: NDArray[np.float64], precipitation: NDArray[np.float64]
) -> list[str]:
    """The situation that a note speaks of, the worst thing first."""
    names = np.select(
        [
            np.isnan(visibility),
            visibility < 1,
            precipitation >= 0.05,
            precipitation > 0,
            wind >= 25,
            visibility < 5,
            wind >= 15,
        ],
        ["silent", "fog", "soaked", "wet", "wind", "haze", "breeze"],
        "clear",
    )
    return [str(name) for name in names.tolist()]
