"""`watchers`: cards, profiles, runs, incidents, reports."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mllog.card import ModelCard
from mllog.places import parse, shown
from mllog.program import FAILED, FINDINGS, FINE, Add, Parser, adder, answered, understood
from watchers import cli_runs, policy_arguments
from watchers.finding import Finding
from watchers.times import moment_of as _time
from watchers.times import shifted


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 fine, 1 findings, 2 usage, 3 could not judge or failed.
    """
    args = understood(_parser(), argv)

    def call() -> int:
        _hide_secrets(args)
        return int(args.handler(args))

    return answered(f"watchers {args.command}", call, as_json=args.json, extra="watchers", wrong=(ValueError,))


def _hide_secrets(args: argparse.Namespace) -> None:
    """Take the password of the store, and the receivers of messages, off the command line."""
    store, notify = getattr(args, "store", None), getattr(args, "notify", None)
    if notify:
        from mllog.shipping.hiding import move_to_environment  # noqa: PLC0415 - loads what ships
        from watchers.notify.routing import VARIABLE, listed  # noqa: PLC0415 - the same

        move_to_environment("--notify", notify, VARIABLE, json.dumps([*notify, *listed(os.environ)]))
    if store and parse(store).password is not None:
        from mllog.shipping.hiding import hide_passwords  # noqa: PLC0415 - the same

        hide_passwords({"--store": {store: parse(store)}})


def _parser() -> Parser:
    parser = Parser(
        prog="watchers",
        description="Scheduled jobs that say which feature broke, since when and for whom.",
        epilog="example: watchers run --once --store events/",
    )
    add = adder(parser)
    _declare_card(add)
    _declare_profile(add)
    cli_runs.declare(add)
    _declare_incidents(add)
    _declare_report(add)
    return parser


def _declare_card(add: Add) -> None:
    card = add(
        "card",
        "make a model card from training data",
        "watchers card train.parquet --model fraud --version 7 --target is_fraud",
        _card,
    )
    card.add_argument("file", help="CSV or Parquet file")
    card.add_argument("--model", required=True)
    card.add_argument("--version", required=True)
    card.add_argument("--out", default="card.json", help="file to write (default: card.json)")
    card.add_argument("--target", help="name of the target column")
    card.add_argument("--predictions", help="name of the column of the model's scores")
    card.add_argument("--time", help="name of the column of event times")
    card.add_argument("--time-zone", help="IANA zone in which hours are meant (default: UTC)")
    card.add_argument("--text", action="append", default=[], metavar="COLUMN", help="a free-text column (repeatable)")
    card.add_argument(
        "--tokenizer",
        action="append",
        default=[],
        metavar="COLUMN=NAME",
        help="how a text is cut: words (the default), characters, whitespace, or package.module:function (repeatable)",
    )
    card.add_argument("--segment", action="append", default=[], metavar="COLUMN", help="a segment column (repeatable)")
    card.add_argument("--previous", metavar="CARD", help="card whose ruler is kept wherever the features still fit")
    card.add_argument("--store", metavar="PLACE", help="put it into this store too, for watchers there")
    policy_arguments.declare(card)


def _declare_profile(add: Add) -> None:
    profile = add("profile", "print the counts of a span", "watchers profile --store events/ --model fraud", _profile)
    cli_runs.declare_store(profile)
    profile.add_argument("--model", help="which (default: the only one)")
    profile.add_argument("--card", help="card to measure by (default: the one beside the events)")
    profile.add_argument("--from", dest="start", metavar="TIME", help="ISO 8601 (default: the first event)")
    profile.add_argument("--to", dest="end", metavar="TIME", help="ISO 8601 (default: the last event)")


def _declare_incidents(add: Add) -> None:
    incidents = add(
        "incidents",
        "list incidents, show one, or take one",
        "watchers incidents --store events/ show 3f2a",
        _incidents,
    )
    cli_runs.declare_store(incidents)
    incidents.add_argument("action", nargs="?", choices=("list", "show", "ack"), default="list")
    incidents.add_argument("id", nargs="?", help="the incident's id, or its first letters")
    incidents.add_argument("--by", default="", help="ack: who takes it")
    incidents.add_argument("--as-normal", action="store_true", help="ack: the new level is right; learn it")


def _declare_report(add: Add) -> None:
    report = add("report", "write the HTML report", "watchers report --store events/ --out report.html", _report)
    cli_runs.declare_store(report)
    report.add_argument("--out", required=True, metavar="FILE")
    report.add_argument("--model", help="which (default: the only one)")


def _read_table(path: str) -> Any:
    import pandas as pd  # noqa: PLC0415 - only where a table is read

    if not Path(path).is_file():
        raise ValueError(f"file {path!r} isn't there")
    try:
        # Read as a whole a column has one type; read in pieces, a type for each piece.
        table = pd.read_parquet(path) if path.endswith((".parquet", ".pq")) else pd.read_csv(path, low_memory=False)
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise ValueError(
            f"file {path!r} is no readable {'Parquet' if path.endswith(('.parquet', '.pq')) else 'CSV'}: {error}"
        ) from error
    if table.empty:
        raise ValueError(f"file {path!r} has no rows; a card needs training data to measure")
    return table


def _tokenizers(given: Sequence[str]) -> dict[str, str]:
    pairs = [pair.rpartition("=") for pair in given]
    for pair, (column, _, name) in zip(given, pairs, strict=True):
        if not column or not name:
            raise ValueError(f"--tokenizer {pair!r} names no column and tokenizer; write it as remarks=characters")
    return {column: name for column, _, name in pairs}


def _card(args: argparse.Namespace) -> int:
    card = ModelCard.from_frame(
        _read_table(args.file),
        args.model,
        args.version,
        target=args.target,
        predictions=args.predictions,
        text=args.text,
        segments=args.segment,
        time=args.time,
        time_zone=args.time_zone,
        previous=ModelCard.load(args.previous) if args.previous else None,
        policy=policy_arguments.policy_of(args),
        tokenizers=_tokenizers(args.tokenizer),
    )
    card.save(args.out)
    if args.store:
        from watchers.stores import open_store  # noqa: PLC0415 - as elsewhere here

        open_store(args.store).save_card(card)
    features = {feature.name: feature.kind for feature in card.ruler.inputs}
    if args.json:
        print(json.dumps({"card": args.out, "ruler": card.ruler.hash, "features": features}))
    else:
        print(f"{args.out}: {card.model} {card.version}, ruler {card.ruler.hash}, {len(features)} features")
        for name, kind in features.items():
            print(f"  {name}: {kind}")
    return FINE


def _one_model(models: Sequence[str], asked: str | None) -> str:
    if asked is None and len(models) == 1:
        return models[0]
    if asked is not None and asked in models:
        return asked
    listed = ", ".join(models) or "none"
    raise ValueError(
        f"--model {asked!r} isn't in the store; it has: {listed}"
        if asked
        else f"choose one with --model; the store has: {listed}"
    )


def _profile(args: argparse.Namespace) -> int:
    from watchers.profile import merge  # noqa: PLC0415 - numpy and duckdb load with what needs them
    from watchers.stores import open_store  # noqa: PLC0415

    store = open_store(args.store)
    model = _one_model(store.models(), args.model)
    cards = [ModelCard.load(args.card)] if args.card else [card for card in store.cards() if card.model == model]
    if not cards:
        raise ValueError(f"no card of model {model!r} lies beside the events; give one with --card FILE")
    if cards[-1].model != model:
        raise ValueError(f"--card {args.card!r} is of model {cards[-1].model!r}, not {model!r}; give that model's card")
    span = store.span(model)
    assert span is not None
    start = _time(args.start) if args.start is not None else span[0].replace(minute=0, second=0, microsecond=0)
    last = span[1].replace(minute=0, second=0, microsecond=0)
    end = _time(args.end) if args.end is not None else shifted(last, dt.timedelta(hours=1))
    if start >= end:
        raise ValueError(f"--from {start.isoformat()} isn't before --to {end.isoformat()}")
    ruler = cards[-1].ruler
    whole = merge(store.profiles(model, ruler, start, end))
    counts = whole.total()
    found = {"|".join(key): int(counts[i]) for i, key in enumerate(ruler.cells) if counts.size and counts[i]}
    document = {
        "model": model,
        "ruler": ruler.hash,
        "start": start.isoformat(),
        "end": end.isoformat(),
        "n": whole.n,
        "complete": whole.complete,
        "reason": whole.reason,
        "counts": found,
        "names": {kind: dict(names.most_common(20)) for kind, names in whole.names.items()},
    }
    print(json.dumps(document, indent=None if args.json else 1))
    return FINE if whole.n and whole.complete else FAILED


def _incidents(args: argparse.Namespace) -> int:
    from watchers.incidents import Incident, acknowledged  # noqa: PLC0415
    from watchers.incidents.text import belongs, print_incident, print_list  # noqa: PLC0415
    from watchers.schedule import incidents_of  # noqa: PLC0415
    from watchers.stores import open_store  # noqa: PLC0415

    store = open_store(args.store)
    incidents = incidents_of(store)
    if args.action == "list":
        ordered = sorted(incidents.values(), key=lambda incident: incident.opened)
        if args.json:
            print(json.dumps({"incidents": [incident.to_dict() for incident in ordered]}))
        else:
            print_list(ordered)
        return FINDINGS if any(incident.state != "recovered" for incident in incidents.values()) else FINE
    if not args.id:
        command = f"watchers incidents --store {shown(args.store)}"
        raise ValueError(
            f"the incident's id is missing; `{command} list` names those that there are, and "
            f"`{command} {args.action} ID` takes its first letters too"
        )
    matching = [incident for name, incident in incidents.items() if name.startswith(args.id)]
    if len(matching) != 1:
        raise ValueError(
            f"incident {args.id!r}: {'several' if matching else 'none'} of {len(incidents)} incidents match; "
            "`watchers incidents list` names them"
        )
    incident: Incident = matching[0]
    if args.action == "ack":
        if not args.by:
            raise ValueError("--by is missing: say who takes the incident")
        event = acknowledged(incident, args.by, dt.datetime.now(dt.UTC), as_normal=args.as_normal)
        store.write_incident_events([event.to_dict()])
        incident = incidents_of(store)[incident.id]
    related = [Finding.from_dict(f) for f in store.findings(incident.model) if belongs(f, incident)]
    if args.json:
        print(json.dumps({"incident": incident.to_dict(), "findings": [finding.to_dict() for finding in related]}))
    else:
        print_incident(incident, related, shown(args.store))
    return FINE


def _report(args: argparse.Namespace) -> int:
    from watchers.reporting import write_report  # noqa: PLC0415
    from watchers.stores import open_store  # noqa: PLC0415

    store = open_store(args.store)
    model = _one_model(store.models(), args.model)
    write_report(store, model, Path(args.out), now=dt.datetime.now(dt.UTC))
    if args.json:
        print(json.dumps({"report": args.out}))
    else:
        print(args.out)
    return FINE


if __name__ == "__main__":
    sys.exit(main())
