"""Commands that judge: `watchers run`, `watchers schedule`; and `watchers health`, which looks after them."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import signal
import sys
from pathlib import Path
from typing import Any, Final

from mllog.card import load_cards
from mllog.places import shown
from mllog.program import FAILED, FINDINGS, FINE, Add
from watchers.config import Config
from watchers.times import moment_of

LENGTHS: Final = "judged on windows of 1, 4 and 24 hours, and against training once a day"

HEALTH_SECONDS: Final = 15.0
"""A probe that waits for a server that hangs is taken for one that found the watchers silent."""


def declare(add: Add) -> None:
    """Add the commands.

    Args:
        add: Of the program.
    """
    run = _declare_run(add)
    schedule = _declare_schedule(add)
    for command in (run, schedule):
        command.add_argument(
            "--card",
            action="append",
            default=[],
            metavar="FILE",
            help="a model's card, or a folder with cards in *.json (repeatable)",
        )
        command.add_argument(
            "--notify",
            action="append",
            default=[],
            metavar="URL",
            help="Apprise URL told of incidents (repeatable; also MLLOG_NOTIFY)",
        )
    health = add("health", "say whether the watchers are at work", "watchers health --store events/", _health)
    declare_store(health)
    health.add_argument("--now", metavar="TIME", help="as of this moment, ISO 8601 (default: the wall clock)")


def declare_store(parser: argparse.ArgumentParser) -> None:
    """Give a command ``--store``."""
    parser.add_argument(
        "--store",
        required=True,
        metavar="PLACE",
        help="where the events are: a folder (file:FOLDER), or elasticsearch+http(s)://HOST:PORT",
    )


def _declare_run(add: Add) -> argparse.ArgumentParser:
    run = add(
        "run",
        f"judge all closed, unjudged hours, {LENGTHS}",
        "watchers run --once --store events/ --card card.json",
        _run,
    )
    declare_store(run)
    run.add_argument("--once", action="store_true", required=True, help="judge what is due and stop (for cron)")
    run.add_argument("--now", metavar="TIME", help="judge as of this moment, ISO 8601 (default: the wall clock)")
    run.add_argument(
        "--metrics", metavar="FILE", help="write figures for node_exporter's textfile collector there (name.prom)"
    )
    return run


def _declare_schedule(add: Add) -> argparse.ArgumentParser:
    schedule = add(
        "schedule",
        "judge every hour, for ever; any number of them may share a store",
        "watchers schedule --store events/",
        _schedule,
    )
    declare_store(schedule)
    schedule.add_argument(
        "--metrics", metavar="HOST:PORT", help="answer GET /metrics there, for Prometheus: 127.0.0.1:9464"
    )
    schedule.add_argument(
        "--every", type=_seconds, default=60.0, metavar="SECONDS", help="how often to look (default: 60)"
    )
    return schedule


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86_400:  # which NaN isn't either
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds up to a day (86400); write it as 60")
    return seconds


def _run(args: argparse.Namespace) -> int:
    from mllog.steps import Steps  # noqa: PLC0415
    from watchers.notify import routes  # noqa: PLC0415
    from watchers.pulse import watched  # noqa: PLC0415
    from watchers.schedule import run  # noqa: PLC0415
    from watchers.stores import open_store  # noqa: PLC0415

    store = open_store(args.store)
    now = moment_of(args.now) if args.now is not None else dt.datetime.now(dt.UTC)
    cards = load_cards(args.card)
    config = Config(notify=tuple(routes(args.notify)))
    # Told as of when to judge it says nothing of how late it is.
    clock = (lambda: now) if args.now is not None else (lambda: dt.datetime.now(dt.UTC))
    with Steps(quiet=args.json) as bar:
        report = watched(
            store,
            lambda: run(store, now, cards=cards, config=config, progress=bar, place=shown(args.store)),
            clock=clock,
            interval=None,
            config=config,
        )
    if args.metrics:
        _write_metrics(Path(args.metrics), store, report, config)
    if args.json:
        print(json.dumps(_document(report)))
    else:
        _print_run(store, report)
    if report.problems:
        return FAILED
    return FINDINGS if report.findings else FINE


def _write_metrics(file: Path, store: Any, report: Any, config: Config) -> None:
    from watchers.metrics import Metrics  # noqa: PLC0415

    metrics = Metrics(config)
    metrics.resume(file)
    metrics.ran(store, report)
    metrics.write(file)


def _serve_metrics(address: str, config: Config) -> Any:
    from watchers.metrics import Metrics  # noqa: PLC0415

    metrics = Metrics(config)
    metrics.serve(address)
    return metrics


def _document(report: Any) -> dict[str, Any]:
    return {
        "findings": [finding.to_dict() for finding in report.findings],
        "incidents": [event.to_dict() for event in report.events],
        "hours": report.hours,
        "reopened": {model: [hour.isoformat() for hour in hours] for model, hours in report.reopened.items()},
        "held": report.held,
        "rejected": report.rejected,
        "problems": report.problems,
    }


def _print_run(store: Any, report: Any) -> None:
    from watchers.schedule import incidents_of  # noqa: PLC0415

    for model, hours in sorted(report.hours.items()):
        print(f"{model}: {hours} hours judged")
    for model, again in sorted(report.reopened.items()):
        print(f"{model}: events came late to {len(again)} hours, which were judged again")
    for model in report.held:
        print(f"{model}: another scheduler is at it")
    if not (report.hours or report.reopened or report.held or report.problems):
        print("nothing is due: every closed hour is judged" if report.judged else "no model has predictions here")
    for rejected in store.rejected()[:5]:
        print(f"rejected line: {rejected.place}:{rejected.line}: {rejected.reason}")
    if report.rejected > 5:
        print(f"... {report.rejected} rejected lines in all")
    incidents = incidents_of(store)
    for name in dict.fromkeys(event.incident for event in report.events):
        print(f"incident {name} {incidents[name].state}: {incidents[name].message}")
    print(f"{len(report.findings)} findings, {len({e.incident for e in report.events})} incidents touched")
    for problem in report.problems:
        print(f"problem: {problem}", file=sys.stderr)


def _schedule(args: argparse.Namespace) -> int:
    from watchers.notify import routes  # noqa: PLC0415
    from watchers.scheduler import Scheduler  # noqa: PLC0415
    from watchers.stores import open_store  # noqa: PLC0415

    def done(store: Any, report: Any) -> None:
        if metrics is not None:
            metrics.ran(store, report)
        if args.json and (report.hours or report.reopened or report.problems):
            print(json.dumps(_document(report)), flush=True)
        elif report.hours or report.reopened:
            _print_run(store, report)
            sys.stdout.flush()
        elif report.problems:
            for problem in report.problems:
                print(f"problem: {problem}", file=sys.stderr, flush=True)

    def failed(why: str) -> None:
        if metrics is not None:
            metrics.failed()
        print(f"watchers schedule: {why}; tried again in {args.every:g} s", file=sys.stderr, flush=True)

    config = Config(notify=tuple(routes(args.notify)))
    metrics = _serve_metrics(args.metrics, config) if args.metrics else None
    load_cards(args.card)  # one that is none is a usage error, as long as nobody runs by it
    open_store(args.store)  # a place that is none is a usage error, and not one to try again
    scheduler = Scheduler(
        lambda: open_store(args.store),
        every=dt.timedelta(seconds=args.every),
        done=done,
        failed=failed,
        cards=lambda: load_cards(args.card),
        config=config,
        place=shown(args.store),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: scheduler.stop())
    scheduler.run()
    return FINE


def _health(args: argparse.Namespace) -> int:
    from watchers.pulse import health  # noqa: PLC0415
    from watchers.stores import open_store  # noqa: PLC0415

    now = moment_of(args.now) if args.now is not None else dt.datetime.now(dt.UTC)
    found = health(open_store(args.store, seconds=HEALTH_SECONDS).runs(), now)
    print(json.dumps(found.to_dict()) if args.json else f"{found.state}: {found.message}")
    return {"fine": FINE, "unknown": FAILED}.get(found.state, FINDINGS)
