"""Watchers watch themselves: each run says when it was, how long it took and how far behind it is."""

from __future__ import annotations

import datetime as dt
import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mllog.errors import StoreError, UnreachableError
from watchers.config import Config
from watchers.finding import Finding, Window
from watchers.means import RunReport
from watchers.stores.base import Store
from watchers.times import shifted

HOUR: Final = dt.timedelta(hours=1)
MODEL: Final = "@watchers"
"""Findings about the watchers stand under this name."""

MISSED: Final = 3
"""So many intervals without a run are silence."""

PROBLEMS: Final = 20
"""So many problems of a run are kept in its document."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the watchers are.

    Attributes:
        state: ``fine``, ``lagging``, ``silent`` or ``unknown``.
        message: One plain sentence.
        at: When the last run was, or None.
        seconds: How long it took.
        lag_seconds: For how long the oldest hour that it left had been due.
        overrun: Whether it took longer than its interval.
        interval_seconds: How often runs are due.
    """

    state: str
    message: str
    at: dt.datetime | None = None
    seconds: float = 0.0
    lag_seconds: float = 0.0
    overrun: bool = False
    interval_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As strict JSON types."""
        return {
            "state": self.state,
            "message": self.message,
            "at": self.at.isoformat() if self.at else None,
            "seconds": self.seconds,
            "lag_seconds": self.lag_seconds,
            "overrun": self.overrun,
            "interval_seconds": self.interval_seconds,
        }


def watched(
    store: Store,
    run: Callable[[], RunReport],
    *,
    clock: Callable[[], dt.datetime],
    interval: dt.timedelta | None,
    config: Config,
) -> RunReport:
    """Do a run, and leave what it says of itself in the store.

    Args:
        store: Where.
        run: The run.
        clock: As of when it is judged.
        interval: How often runs are due; None where a run is alone, and an hour is how often one may be expected.
        config: The run's settings.

    Returns:
        The run's report; where it came late, took too long or is behind, that is among its problems, and a finding.
    """
    before = store.runs(1)
    at = clock()
    started = time.monotonic()
    report = run()
    seconds = report.seconds = time.monotonic() - started
    expected = interval or HOUR
    lag = behind(report, clock(), config)
    overrun = seconds > expected.total_seconds()
    said = _findings(before, at, expected, seconds=seconds, lag=lag, alone=interval is None)
    report.problems += [finding.message for finding in said]
    identity = uuid.uuid4().hex
    document = {
        "id": identity,
        "@timestamp": at.isoformat(),
        "run": {
            "id": identity,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "seconds": round(seconds, 3),
            "interval_seconds": expected.total_seconds(),
            "lag_seconds": lag.total_seconds(),
            "overrun": overrun,
            "hours": sum(report.hours.values()),
            "reopened": sum(len(hours) for hours in report.reopened.values()),
            "models": sorted({*report.judged, *report.hours}),
            "held": report.held,
            "findings": len(report.findings),
            "problems": report.problems[:PROBLEMS],
            "found": report.found,
            "unjudged": report.unjudged[:PROBLEMS],
        },
    }
    try:
        if said:
            store.write_findings(MODEL, [{"id": _id(finding), "length": 0, **finding.to_dict()} for finding in said])
        store.write_run(document)
    except UnreachableError:
        raise
    except (StoreError, OSError) as error:
        # What the run did and found is to be told all the same.
        report.problems.append(f"watchers: this run leaves no sign of life here: {error}")
    return report


def behind(report: RunReport, now: dt.datetime, config: Config) -> dt.timedelta:
    """For how long the oldest hour that isn't judged has been due; 0 where none is.

    Args:
        report: What a run did.
        now: The moment after it.
        config: After what time an hour is due.
    """
    closed = shifted(now, -config.lateness)
    found = dt.timedelta(0)
    for model, judged in report.judged.items():
        if judged < report.ends.get(model, closed):
            found = max(found, closed - (judged + HOUR))
    return found


def health(runs: Sequence[dict[str, Any]], now: dt.datetime) -> Health:
    """How the watchers are, by what their last runs left.

    Args:
        runs: From :meth:`watchers.stores.base.Store.runs`.
        now: The moment.
    """
    if not runs:
        return Health("unknown", "no run has left a sign of life here; `watchers schedule` does")
    newest = max(runs, key=lambda document: dt.datetime.fromisoformat(document["@timestamp"]))
    at, run = dt.datetime.fromisoformat(newest["@timestamp"]), newest["run"]
    interval = float(run["interval_seconds"])
    # It may still be at work for as long as it took.
    silence = (now - at).total_seconds() - float(run["seconds"])
    lag = float(run["lag_seconds"])
    # Runs of older versions don't say it.
    blind = run.get("unjudged") or []
    state, message = "fine", f"the last run began {_span(now - at)} ago and left nothing that was due"
    if silence > MISSED * interval:
        state = "silent"
        message = f"no run for {_span(now - at)}, where one every {_span(dt.timedelta(seconds=interval))} is due"
    elif lag > interval:
        state = "lagging"
        message = f"the last run left an hour that had been due for {_span(dt.timedelta(seconds=lag))}{_first(blind)}"
    elif blind:
        state, message = "unknown", f"the last run began {_span(now - at)} ago and couldn't judge all{_first(blind)}"
    elif run.get("found") == 0:
        state = "unknown"
        message = "the last run found no model that has predictions here; is it the right place and MLLOG_NAMESPACE?"
    elif run["overrun"]:
        message += f", but took {_span(dt.timedelta(seconds=float(run['seconds'])))}, longer than its interval"
    elif run.get("problems"):
        message += f"; it said{_first(run['problems'])}"
    return Health(state, message, at, float(run["seconds"]), lag, bool(run["overrun"]), interval)


def _findings(
    before: Sequence[dict[str, Any]],
    at: dt.datetime,
    expected: dt.timedelta,
    *,
    seconds: float,
    lag: dt.timedelta,
    alone: bool,
) -> list[Finding]:
    """What is wrong with the watchers themselves; ``seconds`` is how long the run took."""
    end = at + dt.timedelta(seconds=seconds)
    found = []

    def add(check: str, start: dt.datetime, observed: float, message: str) -> None:
        found.append(
            Finding(
                check, MODEL, Window(start, end), 0, reference=expected.total_seconds(), observed=observed,
                state="alert", onset=start, message=message,
            )
        )  # fmt: skip

    if before and not alone:
        last = before[-1]["run"]
        since = dt.datetime.fromisoformat(before[-1]["@timestamp"])
        silence = at - since - dt.timedelta(seconds=float(last["seconds"]))
        if silence > MISSED * max(expected, dt.timedelta(seconds=float(last["interval_seconds"]))):
            add("heartbeat", since, silence.total_seconds(), f"watchers: no run for {_span(silence)} before this one")
    if seconds > expected.total_seconds():
        took, every = _span(dt.timedelta(seconds=seconds)), _span(expected)
        add("overrun", at, seconds, f"watchers: the run took {took}, longer than its interval of {every}")
    if lag > expected:
        add("lag", end - lag, lag.total_seconds(), f"watchers: an hour has been due for {_span(lag)} and isn't judged")
    return found


def _id(finding: Finding) -> str:
    return f"watchers-{finding.check}-{finding.window.end}"


def _first(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f": {problems[0]}{more}"


def _span(span: dt.timedelta) -> str:
    seconds = span.total_seconds()
    for size, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"
