"""The scheduled job: every closed hour that nobody judged yet, in order, once, whoever else is at it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from mllog.card import ModelCard
from mllog.errors import CardError, StoreError, UnreachableError
from watchers.config import Config
from watchers.incidents import Incident, IncidentEvent, fold
from watchers.keeper import Keeper, LostLeaseError
from watchers.means import Means, Progress, RunReport
from watchers.notify import Notifier
from watchers.observed import card_of
from watchers.running import ModelRun
from watchers.stores.base import Leases, StaleStateError, Store

__all__ = ["Progress", "RunReport", "incidents_of", "run"]


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
    for model in store.models():
        if stop():
            break
        waits = config.lease if patience is None else patience
        # A look more than the lease is long, for the time that looking takes.
        lease = leases.acquire(model, config.lease.total_seconds(), patience=1.25 * waits.total_seconds())
        if lease is None:
            _note_judged(store, model, report)
            report.held.append(model)
            continue
        try:
            with Keeper(leases, lease) as keeper:
                if all(card.model != model for card in known):
                    known = [*store.cards(), *cards]  # somebody may have made one since
                card = card_of(model, known, store)
                others = [other for other in _newest(known) if other.model != model]
                ModelRun(means, card, others, keeper).run()
        except CardError as error:
            report.problems.append(f"model {model!r}: {error}")
        except UnreachableError:
            raise
        except StoreError as error:
            # It says which model's hours can't be counted or kept; the next run tries again, and others go on.
            report.problems.append(f"model {model!r}: {error}")
        except (LostLeaseError, StaleStateError):
            # It was paused for so long that somebody else went on: what it had not written is theirs to do.
            report.held.append(model)
    report.problems += store.problems()
    return report


def _newest(cards: Sequence[ModelCard]) -> list[ModelCard]:
    return list({card.model: card for card in cards}.values())


def _note_judged(store: Store, model: str, report: RunReport) -> None:
    judged = store.state(model).get("judged")
    if judged:
        report.judged[model] = dt.datetime.fromisoformat(judged)


def incidents_of(store: Store) -> dict[str, Incident]:
    """All incidents of a store by id: the fold of its events."""
    return fold(IncidentEvent.from_dict(event) for event in store.incident_events())
