"""`mllog demo`: real flights through a real model, faults planted, incidents found, report written."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mllog.errors import PlaceError, SettingError
from mllog.places import parse
from mllog.program import FAILED, FINE
from mllog.shipping.hiding import hide_passwords

if TYPE_CHECKING:
    from watchers.demo.drive import Drive
    from watchers.demo.verdict import Other, Verdict

_MOST_DAYS: Final = 63
"""Of history before live traffic: it ends within the ten weeks after which flights repeat."""
_NAP: Final = 0.2


@dataclass(frozen=True, slots=True)
class DemoCommand:
    """The command, for the entry points of ``mllog``."""

    name: str = "demo"
    help: str = "replay real flights with planted faults, find them, write a report"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options."""
        parser.epilog = "example: mllog demo --out demo-out"
        parser.add_argument(
            "--out", default="demo-out", metavar="DIR", help="where everything goes (default: demo-out)"
        )
        parser.add_argument(
            "--store",
            metavar="PLACE",
            help="where the events are judged: a folder (default: DIR/events), or elasticsearch+http(s)://HOST:PORT",
        )
        parser.add_argument(
            "--seed", type=int, default=0, help="another seed plants other faults on other days (default: 0)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument(
            "--live",
            metavar="PLACE",
            help="instead: log some weeks of flights up to now there, then each flight at its time, until a signal; "
            "logstash+https://HOST:PORT, elasticsearch+https://HOST:PORT or a folder",
        )
        parser.add_argument(
            "--days", type=int, metavar="N", help="--live: so many days before now (default: 42; 0: no traffic at all)"
        )

    def run(self, args: argparse.Namespace) -> int:
        """Run the demonstration.

        Returns:
            0 when every planted fault was found and named, 3 otherwise.
        """
        started = time.perf_counter()
        if args.live is not None or args.days is not None:
            return _live(args)
        place = _elasticsearch(args)
        events = _events_folder(args, None if place else args.store)
        from mllog.steps import Steps  # noqa: PLC0415
        from watchers.demo.drive import ZONE, drive  # noqa: PLC0415 - pandas and scikit-learn take seconds
        from watchers.demo.verdict import others, verdicts  # noqa: PLC0415
        from watchers.reporting import write_report  # noqa: PLC0415
        from watchers.schedule import incidents_of  # noqa: PLC0415

        with Steps(quiet=args.json, lines=True) as steps:
            done = drive(events, args.seed, steps, place)
            incidents = list(incidents_of(done.store).values())
            found = verdicts(done.faults, incidents)
            rest = others(done.faults, incidents, done.frame)
            report = Path(args.out) / "report.html"
            steps("write the report", 0, 1)
            write_report(
                done.store,
                done.cards[0].model,
                report,
                now=dt.datetime.now(dt.UTC),
                card=done.cards[0],
                faults=[verdict.to_dict() for verdict in found],
            )
            steps("write the report", 1, 1)
        seconds = time.perf_counter() - started
        if args.json:
            print(json.dumps(_document(done, found, rest, seconds, report)))
        else:
            _print(done, found, rest, seconds, report, ZONE)
        return FINE if all(verdict.named for verdict in found) else FAILED


def _live(args: argparse.Namespace) -> int:
    """Traffic until a signal; 0 then."""
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    days = _days(args)
    if not days:
        # Whoever is given the folder of cards finds none in it.
        (Path(args.out) / "cards").mkdir(parents=True, exist_ok=True)
        print("mllog demo: --days 0: no traffic", file=sys.stderr)
        while not stopped:
            time.sleep(_NAP)
        return FINE
    place = parse(args.live)
    hide_passwords({"--live": {args.live: place}})
    from mllog.steps import Steps  # noqa: PLC0415
    from watchers.demo.drive import ZONE  # noqa: PLC0415 - pandas and scikit-learn take seconds
    from watchers.demo.live import Traffic  # noqa: PLC0415

    with Steps(quiet=args.json, lines=True) as steps:
        traffic = Traffic(place, Path(args.out), days=days, seed=args.seed, tell=steps, stop=lambda: stopped)
        for fault in traffic.faults:
            if not args.json and fault.end > traffic.progress.start:
                where = _where(fault.feature, fault.segment)
                since = f"{fault.start.astimezone(ZONE):%d %b %H:%M} to {fault.end.astimezone(ZONE):%d %b %H:%M}"
                print(f"planted: {fault.name} on {where}, {since} in New York", file=sys.stderr)
        served = traffic.run()
    print(json.dumps({"events": served}) if args.json else f"{served:,} predictions logged")
    return FINE


def _days(args: argparse.Namespace) -> int:
    """How much of the past is logged first.

    Raises:
        SettingError: It is none that can be.
    """
    if args.live is None:
        raise SettingError("--days goes with --live PLACE", field="days", value=args.days)
    if args.store:
        raise SettingError("--store doesn't go with --live, which judges nothing", field="store", value=args.store)
    days = 42 if args.days is None else int(args.days)
    if not 0 <= days <= _MOST_DAYS:
        raise SettingError(
            f"--days {days} isn't from 0 to {_MOST_DAYS}: that is what there is of flights", field="days", value=days
        )
    return days


def _elasticsearch(args: argparse.Namespace) -> str | None:
    """The Elasticsearch that was asked for, where it holds no earlier demonstration; None where a folder was."""
    place = parse(args.store) if args.store else None
    if place is None or place.kind == "file":
        return None
    hide_passwords({"--store": {args.store: place}})
    if place.kind != "elasticsearch":
        raise PlaceError(
            f"store {str(place)!r}: events can be judged in a folder or in elasticsearch+http(s)://HOST:PORT",
            field="store",
            value=str(place),
        )
    from watchers.demo.drive import MODEL  # noqa: PLC0415 - pandas and scikit-learn take seconds
    from watchers.stores import open_store  # noqa: PLC0415 - the same

    if open_store(args.store).span(MODEL) is not None:
        raise PlaceError(
            f"store {str(place)!r} has events of model {MODEL!r} in its namespace already, and events are never "
            "overwritten; choose another namespace: MLLOG_NAMESPACE=demo2",
            field="store",
            value=str(place),
        )
    return str(args.store)


def _events_folder(args: argparse.Namespace, store: str | None) -> Path:
    """An empty folder for the events; what an earlier demonstration left is put out of the way."""
    if Path(args.out).exists() and not Path(args.out).is_dir():
        raise PlaceError(f"--out {args.out!r} is a file; give a folder")
    text = store or str(Path(args.out) / "events")
    place = parse(text)
    folder = Path(place.location)
    if folder.exists() and not folder.is_dir():
        raise PlaceError(f"store {text!r} is a file; give a folder")
    if folder.is_dir() and any(folder.iterdir()):
        if store or not (Path(args.out) / "card.json").exists():
            raise PlaceError(f"store {text!r} isn't empty, and events are never overwritten; give another folder")
        number = next(n for n in range(1, 10_000) if not folder.with_name(f"{folder.name}.{n}").exists())
        folder.rename(folder.with_name(f"{folder.name}.{number}"))
    folder.mkdir(parents=True, exist_ok=True)
    Path(args.out).mkdir(parents=True, exist_ok=True)
    return folder


def _document(done: Drive, found: list[Verdict], rest: list[Other], seconds: float, report: Path) -> dict[str, Any]:
    return {
        "faults": [verdict.to_dict() for verdict in found],
        "false_alarms": [_other(other) for other in rest if not other.explained],
        "storms": [_other(other) for other in rest if other.explained],
        "events": done.predictions,
        "seconds": round(seconds, 1),
        "logged_seconds": round(done.logged, 1),
        "shipped_seconds": round(done.shipped, 1),
        "judged_seconds": round(done.judged, 1),
        "report": str(report),
    }


def _other(other: Other) -> dict[str, Any]:
    return {**other.incident.to_dict(), "cancelled": round(other.cancelled, 4)}


def _print(done: Drive, found: list[Verdict], rest: list[Other], seconds: float, report: Path, zone: dt.tzinfo) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    def local(moment: dt.datetime | None) -> str:
        return f"{moment.astimezone(zone):%d %b %H:%M}" if moment else "-"

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(
        "planted fault",
        "hits",
        "began",
        "found",
        "incident leads with",
        "since",
        "",
        title="What was planted, and what was found (New York time)",
    )
    for verdict in found:
        fault, incident = verdict.fault, verdict.incident
        table.add_row(
            fault.name,
            escape(_where(fault.feature, fault.segment)),
            local(fault.start),
            local(incident.opened if incident else None),
            escape(f"{incident.checks[0]}: {_where(verdict.feature, incident.segment)}") if incident else "-",
            local(incident.onset if incident else None),
            "[green]named[/]" if verdict.named else "[red]not named[/]" if incident else "[red]missed[/]",
        )
    console.print(table)
    if rest:
        table = Table("since", "opened", "what else alarmed", "cancelled that day", "", title="What else alarmed")
        for other in rest:
            table.add_row(
                local(other.incident.onset),
                local(other.incident.opened),
                escape(other.incident.title),
                f"{other.cancelled:.0%}",
                "storm" if other.explained else "[yellow]the data can't explain it[/]",
            )
        console.print(table)
    false_alarms = sum(not other.explained for other in rest)
    named = sum(verdict.named for verdict in found)
    console.print(
        f"{named} of {len(found)} planted faults found and named, "
        f"{false_alarms} false alarm{'' if false_alarms == 1 else 's'}. "
        f"{done.predictions:,} predictions and their labels logged in {done.logged:.0f} s, "
        + (f"shipped in {done.shipped:.0f} s, " if done.shipped else "")
        + f"judged hour by hour in {done.judged:.0f} s; {seconds:.0f} s in all.",
        highlight=False,
    )
    console.print(f"The report: {report}", highlight=False, soft_wrap=True)


def _where(feature: str | None, segment: dict[str, str] | None) -> str:
    text = feature or "the whole model"
    return text + "".join(f" where {field}={value}" for field, value in (segment or {}).items())


command = DemoCommand()
