"""`watchers.profile` and `watchers.compare`: frames and profiles judged without any store."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from mllog.card import ModelCard
from mllog.confidence import SCORES
from mllog.counting import count_columns
from mllog.errors import CardError
from mllog.frames import columns, to_times
from mllog.privacy.columns import protect_frame
from mllog.ruler import LABEL, LATENCY, SCORE, VALUE, Feature, Ruler
from watchers.finding import Finding, Window
from watchers.history import History
from watchers.judge import judge
from watchers.profile import WindowProfile
from watchers.view import LEARNING_WINDOWS, View

DENSE: Final = 0.25
"""Windows of the reference must hold this share of the current one's rows on average, to be cut by its length."""

_OUTPUTS: Final[tuple[str, ...]] = (SCORE, SCORES, VALUE, LABEL, LATENCY)


def profile(frame: Any, card: ModelCard, time: str | None = None) -> WindowProfile:
    """Count a frame by a card's ruler.

    Args:
        frame: pandas, polars or pyarrow frame, or a dict of columns; one row an event. Columns named ``@score``,
            ``@scores`` (of all classes, as in ``ml.outputs``), ``@value``, ``@label`` or ``@latency`` (seconds) are
            outputs.
        card: Its ruler measures, after its policy was carried out (by the salt in ``MLLOG_SALT``).
        time: Name of the column of event times (never a feature).

    Returns:
        The profile; its window reaches from the least time to the greatest.

    Raises:
        mllog.CardError: ``time`` is no column, its values are no times, or the card's tokenizer can't be imported.
        mllog.SettingError: the card's policy hashes values, and ``MLLOG_SALT`` isn't the salt that it was made with.
    """
    card.require_tokenizers()
    return _profile(card, card.ruler, _Columns.of(frame, card, time))


@dataclass(frozen=True)
class _Columns:
    """A frame's columns by what they are, after the card's policy was carried out."""

    inputs: Mapping[str, Sequence[Any]]
    outputs: Mapping[str, Sequence[Any]]
    times: Sequence[dt.datetime] | None

    @classmethod
    def of(cls, frame: Any, card: ModelCard, time: str | None) -> _Columns:
        data = columns(frame)
        if time is not None and time not in data:
            raise CardError(f"time={time!r} is no column of the frame; its columns are {sorted(data)}")
        times = to_times(data.pop(time), time) if time else None
        data.pop(card.target or "", None)
        outputs = {name: data.pop(name) for name in _OUTPUTS if name in data}
        return cls(protect_frame(card, data), outputs, times)

    def take(self, rows: Sequence[int]) -> _Columns:
        """Some of the rows."""
        inputs, outputs = (
            {name: [values[row] for row in rows] for name, values in part.items()}
            for part in (self.inputs, self.outputs)
        )
        return _Columns(inputs, outputs, [self.times[row] for row in rows] if self.times is not None else None)


def _profile(card: ModelCard, ruler: Ruler, data: _Columns) -> WindowProfile:
    """Columns counted by ``ruler``, which has the layout of the card's own."""
    counted = count_columns(ruler, data.inputs, times=data.times, outputs=data.outputs)
    return WindowProfile(
        model=card.model,
        ruler=card.ruler.hash,
        window=Window(counted.start, counted.end),
        cells=counted.cells,
        names=counted.names,
    )


def compare(
    reference: ModelCard | Any,
    current: WindowProfile | Any,
    *,
    history: Sequence[Any] | None = None,
    time: str | None = None,
    all: bool = False,  # noqa: A002 - the contract's word
    **card_options: Any,
) -> list[Finding]:
    """Judge one window.

    Args:
        reference: The model's card, or a reference frame.
        current: A profile where ``reference`` is a card, or a frame.
        history: What is usual: profiles (or frames), oldest first, windows of like length. With fewer than 8 only what
            needs no variance is judged. None: a card is compared with training by sampling variance alone and
            larger floors; a reference frame is cut into consecutive windows of ``current``'s length, where it holds
            8 or more of them.
        time: Name of the time column of frames (never a feature).
        all: Return every check with its state, not the alerts alone.
        **card_options: For two frames: ``text``, ``segments``, ``target``, ``time_zone`` of ``ModelCard.from_frame``.

    Returns:
        Findings; alerts only, unless ``all``. An empty window gives one finding of state ``unknown``.

    Raises:
        mllog.CardError: a frame or a named column is unusable, or a profile was made by another ruler.
    """
    two_frames = not isinstance(reference, ModelCard)
    card = reference if not two_frames else ModelCard.from_frame(reference, "reference", "-", time=time, **card_options)
    window = current if isinstance(current, WindowProfile) else profile(current, card, time)
    if window.ruler != card.ruler.hash:
        raise CardError(
            f"the profile was made by ruler {window.ruler}, the card of {card.model!r} has ruler {card.ruler.hash}: "
            "profile the data with this card"
        )
    if history is None:
        past = _cut(reference, card, window, time) if two_frames else []
        history_known = len(past) >= LEARNING_WINDOWS
    else:
        past = [item if isinstance(item, WindowProfile) else profile(item, card, time) for item in history]
        history_known = True
    book = History(card, [*(past if history_known else []), window])
    last = len(book) - 1
    view = View(card, book, past=(0, last), now=(last, last + 1), any_hour=True, larger_floors=not history_known)
    findings = judge(view, every=all)
    for finding in findings:
        if two_frames:
            finding.model, finding.version = "", None
        if not history_known and finding.state != "unknown":
            finding.message += " (judged by sampling variance alone, with larger floors: there is no history)"
    return findings


def _cut(frame: Any, card: ModelCard, window: WindowProfile, time: str | None) -> list[WindowProfile]:
    """The reference as consecutive windows of the current one's length: by time where there is one, else by rows.

    By rows too where the current ones came so much faster that windows of their length would be nearly empty.

    Each is counted by what the *other* windows know: nothing in a reference is unseen to itself, and a current window
    with the usual few new values would alarm.
    """
    data = _Columns.of(frame, card, time)
    n = len(next(iter(data.inputs.values()), ()))
    groups = _rows_by_time(data.times, window) if data.times is not None else _rows_in_order(range(n), window.n)
    ruler = _without_own(card, data, groups)
    return [_profile(card, ruler, data.take(rows)) for rows in groups]


def _rows_in_order(order: Sequence[int], size: int) -> list[Sequence[int]]:
    n = len(order)
    if size == 0 or n < LEARNING_WINDOWS * size:
        return []
    return [order[first : first + size] for first in range(n % size, n, size)]


def _rows_by_time(times: Sequence[dt.datetime], window: WindowProfile) -> list[Sequence[int]]:
    order = sorted(range(len(times)), key=times.__getitem__)
    length = (window.window.end - window.window.start) if window.window.start and window.window.end else dt.timedelta(0)
    if not order or length <= dt.timedelta(0):
        return _rows_in_order(order, window.n)
    first, last = times[order[0]], times[order[-1]]
    count = int((last - first) / length)
    if len(order) < DENSE * window.n * count:
        # The current rows came in a burst: windows as short as that would hold next to nothing.
        return _rows_in_order(order, window.n)
    if count < LEARNING_WINDOWS:
        return []
    groups: dict[int, list[int]] = {}
    for row in order:
        groups.setdefault(int((last - times[row]) / length), []).append(row)
    return [rows for age, rows in sorted(groups.items(), reverse=True) if age < count]


def _without_own(card: ModelCard, data: _Columns, groups: Sequence[Sequence[int]]) -> Ruler:
    """The card's ruler without the values and words that only one of the groups of rows has (Good 1953)."""
    n = len(next(iter(data.inputs.values()), ()))
    rest = sorted(set(range(n)).difference(*groups))
    features = []
    for feature in card.ruler.features:
        values = data.inputs.get(feature.name)
        if values is not None and (feature.known or feature.vocabulary):
            often = Counter(word for rows in (*groups, rest) for word in _said(feature, [values[row] for row in rows]))
            kept = frozenset(word for word, count in often.items() if count > 1)
            known, vocabulary = (
                frozenset(word for word in kept if word in held) for held in (feature.known, feature.vocabulary)
            )
            features.append(replace(feature, known=known, vocabulary=vocabulary))
        else:
            features.append(feature)
    return replace(card.ruler, features=tuple(features))


def _said(feature: Feature, values: Sequence[Any]) -> set[str]:
    """The values, or the words of the texts, that there are."""
    if feature.kind == "text":
        return {word for text in values if isinstance(text, str) for word in feature.tokenize(text)}
    return {feature.key(value) for value in values if isinstance(value, str | int | float)}
