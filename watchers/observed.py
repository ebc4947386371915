"""Cards of models for which nobody made one: from what they saw in their first hours."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from mllog.card import ModelCard
from mllog.errors import CardError
from mllog.ruler import LABEL, SCORE, VALUE
from watchers.times import shifted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from watchers.stores.base import Store

HOUR: Final = dt.timedelta(hours=1)
BOOTSTRAP_HOURS: Final = 24
BOOTSTRAP_ROWS: Final = 20_000


def card_of(model: str, known: Sequence[ModelCard], store: Store) -> ModelCard:
    """The newest card of a model; where there is none, one of its events, which the store keeps.

    Raises:
        CardError: there is none, and there are no events of a day yet to make one from.
    """
    for card in reversed(known):
        if card.model == model:
            return card
    span = store.span(model)
    assert span is not None, "a model of the store has predictions"
    start = span[0]
    if span[1] - start < BOOTSTRAP_HOURS * HOUR:
        raise CardError(
            f"no card, and no {BOOTSTRAP_HOURS} hours of events yet to make one from; give one with --card FILE"
        )
    card = _card_of_events(model, store.sample(model, start, shifted(start, BOOTSTRAP_HOURS * HOUR), BOOTSTRAP_ROWS))
    store.save_card(card)
    return card


def _card_of_events(model: str, events: Sequence[Mapping[str, Any]]) -> ModelCard:
    """A card from what a model saw in its first hours, where nobody made one from training data."""
    rows = [event["ml"].get("inputs") or {} for event in events]
    names = sorted(
        {name for row in rows for kind in ("number", "keyword", "boolean", "text") for name in row.get(kind) or {}}
    )
    flat = [
        {name: value for kind in row.values() if isinstance(kind, dict) for name, value in kind.items()} for row in rows
    ]
    texts = sorted({name for row in rows for name in row.get("text") or {}})
    frame = {name: [row.get(name) for row in flat] for name in names}
    frame["@time"] = [event["@timestamp"] for event in events]
    for name in (SCORE, VALUE, LABEL):
        said = [(event["ml"].get("outputs") or {}).get(name[1:]) for event in events]
        # A number is a score or a value where every request has it; a class may be missing.
        if said and (
            any(value is not None for value in said)
            if name == LABEL
            else all(isinstance(value, int | float) for value in said)
        ):
            frame[name] = said
    return ModelCard.from_frame(
        frame,
        model,
        "observed",
        text=texts,
        time="@time",
    )
