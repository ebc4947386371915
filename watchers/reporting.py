"""The report of a model in a store: what the report draws, gathered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mllog.card import ModelCard
from watchers.finding import Finding
from watchers.report import ReportData, build
from watchers.schedule import incidents_of
from watchers.stores.base import Store
from watchers.times import shifted

HOUR: Final = dt.timedelta(hours=1)


def write_report(
    store: Store,
    model: str,
    path: Path,
    *,
    now: dt.datetime,
    card: ModelCard | None = None,
    faults: Sequence[Mapping[str, Any]] | None = None,
    summary: Mapping[str, Any] | None = None,
) -> None:
    """Write the self-contained HTML report of a model.

    Args:
        store: Where events and the watchers' results are; hours that nobody judged are left out.
        model: Model's name.
        path: File to write.
        now: Time that stands on the report.
        card: The model's card (default: the one beside the events).
        faults: The demonstration's table.
        summary: Further figures for the head of the report.

    Raises:
        ValueError: there is no card, or the newest can't be read, or nothing was judged yet.
    """
    cards = [held for held in store.cards() if held.model == model]
    if card is None and (broken := store.broken_card(model)):
        raise ValueError(f"model {model!r}: {broken}")
    if card is None and not cards:
        raise ValueError(f"no card of model {model!r} lies beside the events; run `watchers run` first")
    card = card or cards[-1]
    span = store.span(model)
    judged = store.state(model).get("judged")
    profiles = []
    if span and judged:
        # One event of a clock that is years ahead must not make years to look through.
        end = min(shifted(span[1], HOUR), dt.datetime.fromisoformat(judged))
        profiles = store.stored_profiles(model, card.ruler, shifted(span[0], -HOUR), end)
    if not profiles:
        raise ValueError(f"no hour of model {model!r} was judged yet; run `watchers run --once` first")
    incidents = [incident for incident in incidents_of(store).values() if incident.model == model]
    ids = [document for incident in incidents for document in incident.documents]
    data = ReportData(
        card=card,
        profiles=profiles,
        incidents=incidents,
        findings=[Finding.from_dict(finding) for finding in store.findings(model)],
        documents=store.events(ids),
        faults=None if faults is None else [dict(fault) for fault in faults],
        generated=now,
        summary={"rejected lines": store.rejected_count(), **(summary or {})},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(build(data), encoding="utf-8")
