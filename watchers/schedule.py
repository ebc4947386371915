"""The scheduled job: every closed hour that nobody judged yet, in order, once, whoever else is at it."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from mllog.card import ModelCard
from mllog.errors import CardError, StoreError, UnreachableError
from watchers.config import Config
from watchers.incidents import Incident, IncidentEvent, fold
from watchers.keeper import Keeper, LostLeaseError
from watchers.means import Means, Progress, RunReport
from watchers.notify import Notifier
from watchers.observed import card_of
from watchers.running import ModelRun, floor, last_due
from watchers.stores.base import Leases, StaleStateError, Store
from watchers.times import shifted

__all__ = ["Progress", "RunReport", "incidents_of", "run"]

_LOG: Final = logging.getLogger(__name__)


def run(
    store: Store,
    now: dt.datetime,
    *,
    cards: Sequence[ModelCard] = (),
    config: Config | None = None,
    notifier: Notifier | None = None,
    progress: Progress | None = None,
    place: str = "PLACE",
    leases: Leases | None = None,
    patience: dt.timedelta | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> RunReport:
    """Judge all closed, unjudged hours of every model in a store, and hours that events came to late.

    Any number of runs may be at it at once, on as many machines: a lease gives each model to one of them.

    Args:
        store: Events and results.
        now: The moment as of which to judge; hours that ended ``config.lateness`` before are closed.
        cards: Cards, in addition to those that the store holds; also of models that aren't on this store, by which a
            wrong model is recognised.
        config: Settings.
        notifier: Who brings messages to ``config.notify`` (default: Apprise).
        progress: Told how far the run is.
        place: The store as commands in messages name it.
        leases: Leases of a scheduler that lives on after this run (default: new ones of the store).
        patience: How long to wait for a model whose lease somebody holds who shows no life (default: as long as a
            lease is).
        stop: Asked after each hour whether to come to an end; what was judged until then is kept.

    Returns:
        What was found. A second run as of the same moment finds nothing and changes nothing.
    """
    config = config or Config()
    report = RunReport(rejected=store.rejected_count())
    means = Means(store, config, now, report, stop, notifier, progress, place)
    leases = leases or store.leases()
    known = [*store.cards(), *cards]
    models = store.models()
    report.found = len(models)
    for model in models:
        if stop():
            break
        waits = config.lease if patience is None else patience
        try:
            # A look more than the lease is long, for the time that looking takes.
            lease = leases.acquire(model, config.lease.total_seconds(), patience=1.25 * waits.total_seconds())
            if lease is None:
                _note_judged(model, means)
                report.held.append(model)
                continue
            with Keeper(leases, lease) as keeper:
                if all(card.model != model for card in known):
                    known = [*store.cards(), *cards]  # somebody may have made one since
                if all(card.model != model for card in cards):
                    _require_whole(model, store)
                card = card_of(model, known, store)
                others = [other for other in _newest(known) if other.model != model]
                # A copy, since what checks build of a card stays for as long as the card: not for the whole fleet's.
                ModelRun(means, replace(card), others, keeper).run()
        except UnreachableError:
            raise
        except (LostLeaseError, StaleStateError):
            # It was paused for so long that somebody else went on: what it had not written is theirs to do.
            report.held.append(model)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is one model's: the others are judged
            # It says which model's hours can't be counted or kept; the next run tries again.
            _fail(model, error, means)
    # What is wrong with a model's card was said of the model.
    report.fail(*(said for said in store.problems() if not any(said in told for told in report.unjudged)))
    return report


def _require_whole(model: str, store: Store) -> None:
    """By an older card, or by one made of its events, a model would be judged by what it isn't any more."""
    if broken := store.broken_card(model):
        raise CardError(broken)


def _fail(model: str, error: Exception, means: Means) -> None:
    """Say why a model couldn't be judged, and until when it is."""
    if isinstance(error, CardError | StoreError):
        said = str(error)
    else:
        said = f"{type(error).__name__}: {error}"
        if not isinstance(error, OSError):
            _LOG.error("model %r can't be judged", model, exc_info=error)
    means.report.fail(f"model {model!r}: {said}")
    try:
        if model not in means.report.judged:
            _note_judged(model, means)
    except Exception as again:  # noqa: BLE001 - the same trouble, most likely, and that is said
        _LOG.debug("it isn't known until when model %r is judged: %s", model, again)


def _newest(cards: Sequence[ModelCard]) -> list[ModelCard]:
    return list({card.model: card for card in cards}.values())


def _note_judged(model: str, means: Means) -> None:
    """Note until when a model that this run doesn't judge is judged, and could be."""
    text = means.store.state(model).get("judged")
    if not text:
        return
    judged = means.report.judged[model] = dt.datetime.fromisoformat(text)
    # Of a stream that has ended nothing is due; where no hour is, it needn't be asked.
    if judged < floor(shifted(means.now, -means.config.lateness)) and (span := means.store.span(model)):
        means.report.ends[model] = last_due(span, means.config)


def incidents_of(store: Store) -> dict[str, Incident]:
    """All incidents of a store by id: the fold of its events."""
    return fold(IncidentEvent.from_dict(event) for event in store.incident_events())
