"""`kibana-objects`: build the saved objects, hold a folder of them to the rules, import them."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kibana_objects import options
from kibana_objects.bundles import BUILT, build, build_bodies, bundles
from kibana_objects.cards import dashboards_of
from mllog.errors import SettingError
from mllog.program import FINDINGS, FINE, Add, Parser, adder, answered, understood

_FIRST, _LAST = 1970, 2200
"""Years that may be shown."""

_IMPORT: Final = """\
Credentials and certificates are those of mllog ship: MLLOG_API_KEY, MLLOG_USERNAME and MLLOG_PASSWORD, MLLOG_CA_CERTS.
What is there already is overwritten by its id, and every rule is disabled and enabled again: a second import ends with
the same objects.

exit code: 0 everything is there and every rule runs, 1 something isn't or doesn't, 2 wrong usage, 3 Kibana can't be
reached or refuses"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 fine, 1 findings, 2 usage, 3 failed.
    """
    args = understood(_parser(), argv)
    return answered(f"kibana-objects {args.command}", lambda: args.handler(args), as_json=args.json, extra="kibana")


def _parser() -> Parser:
    parser = Parser(
        prog="kibana-objects",
        description="Dashboards, searches and rules for Kibana 8.19 and 9.x.",
        epilog="example: kibana-objects build --card card.json --out kibana/",
    )
    add = adder(parser)
    _declare_files(add)
    _declare_servers(add)
    return parser


def _declare_files(add: Add) -> None:
    """Commands that write and read files."""
    made = add(
        "build",
        "write the saved objects as NDJSON, with a dashboard for each card",
        "kibana-objects build --card card.json --out kibana/",
        _build,
    )
    made.add_argument(
        "--card",
        action="append",
        default=[],
        metavar="FILE",
        help="a model's card, or a folder with cards in *.json (repeatable)",
    )
    made.add_argument("--out", required=True, metavar="FOLDER", help="where the files go")
    made.add_argument(
        "--api",
        action="store_true",
        help="also bodies of PUT /api/dashboards/<id>, for Kibana 9.5 and later, in FOLDER/api",
    )
    held = add(
        "check",
        "say what Kibana would refuse, drop or show wrongly",
        "kibana-objects check kibana/",
        _check,
    )
    held.add_argument(
        "folder", nargs="?", metavar="FOLDER", help="with files *.ndjson (default: those that come with mllog)"
    )


def _declare_servers(add: Add) -> None:
    """Commands that talk to a Kibana or an Elasticsearch."""
    brought = add(
        "import",
        "import dashboards, searches and rules, enable the rules, and see that they run",
        "kibana-objects import --kibana https://kibana.example:5601 --space models",
        _import,
    )
    brought.epilog = f"{brought.epilog}\n\n{_IMPORT}"
    brought.formatter_class = argparse.RawDescriptionHelpFormatter
    options.declare(brought, required=True)
    seen = add(
        "preview",
        "draw each dashboard as a page, from the answers of a real store",
        "kibana-objects preview --store events/ --out preview/",
        _preview,
    )
    seen.add_argument("--store", required=True, metavar="PLACE", help="a folder of events, or elasticsearch+http(s)://HOST:PORT")
    seen.add_argument("--out", required=True, metavar="FOLDER", help="where the pages go")
    seen.add_argument("--from", dest="start", metavar="TIME", help="ISO 8601 (default: a week before --to)")
    seen.add_argument("--to", dest="end", metavar="TIME", help="ISO 8601 (default: now; of a folder its newest event)")
    seen.add_argument("--where", default="", metavar="KQL", help="for all panels: ml.model.name : fraud")
    seen.add_argument("--card", action="append", default=[], metavar="FILE", help="a model's card (repeatable)")


def _preview(args: argparse.Namespace) -> int:
    from kibana_objects.preview import open_source, write_pages  # noqa: PLC0415 - what draws takes a while to load
    from kibana_objects.queries import Span  # noqa: PLC0415
    from mllog.steps import Steps  # noqa: PLC0415 - the same

    source = open_source(args.store)
    end = _moment(args.end) if args.end else source.until
    start = _moment(args.start) if args.start else end - dt.timedelta(days=7)
    if start >= end:
        raise SettingError(f"--from {start} isn't before --to {end}", field="from", value=str(start))
    found = bundles(dashboards_of(args.card))
    objects = [one for each in found.values() for one in each]
    with Steps(quiet=args.json) as tell:
        pages = write_pages(objects, source, Span(start, end), Path(args.out), where=args.where, tell=tell)
    if args.json:
        print(json.dumps({"pages": [{**dataclasses.asdict(page), "file": str(page.file)} for page in pages]}))
        return FINE
    for page in pages:
        nothing = f", nothing for {', '.join(map(repr, page.empty))}" if page.empty else ""
        print(f"{page.file}: {page.panels} panels{nothing}")
    panels, queries, rows = (sum(getattr(page, name) for page in pages) for name in ("panels", "queries", "rows"))
    print(f"{len(pages)} pages, {panels} panels, {queries} queries, {rows:,} rows answered")
    return FINE


def _moment(text: str) -> dt.datetime:
    """A time in ISO 8601; without a zone it is UTC.

    Raises:
        SettingError: It is none, or none that dashboards could look back from.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise SettingError(f"{text!r} is no time; write ISO 8601, such as 2026-11-23T14:00", field="time") from None
    if not _FIRST <= moment.year <= _LAST:
        raise SettingError(f"{text!r} is beyond the years {_FIRST} to {_LAST}", field="time", value=text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _import(args: argparse.Namespace) -> int:
    from kibana_objects.importing import import_into  # noqa: PLC0415 - the extra `ship`
    from kibana_objects.server import Kibana  # noqa: PLC0415 - the same
    from mllog.shipping.hiding import hide_passwords  # noqa: PLC0415 - the same

    wait = options.seconds(args)
    found = options.wanted(args)
    kibana = Kibana(args.kibana, args.space)
    hide_passwords({"--kibana": {args.kibana: kibana.place}})
    tell = (lambda _: None) if args.json else (lambda what: print(f"{what} ...", file=sys.stderr))
    done = import_into(kibana, found, wait=wait, tell=tell)
    if args.json:
        print(json.dumps({"objects": done.objects, "rules": done.rules, "problems": done.problems}))
    else:
        for identity, state in done.rules.items():
            print(f"rule {identity}: {state}")
        for problem in done.problems:
            print(f"problem: {problem}", file=sys.stderr)
        print(f"{done.objects} objects imported, {len(done.rules)} rules, {len(done.problems)} problems")
    return FINDINGS if done.problems else FINE


def _build(args: argparse.Namespace) -> int:
    more = dashboards_of(args.card)
    written = build(Path(args.out), more)
    if args.api:
        written += build_bodies(Path(args.out) / "api", more)
    if args.json:
        print(json.dumps({"files": [str(file) for file in written]}))
    else:
        for file in written:
            print(file)
    return FINE


def _check(args: argparse.Namespace) -> int:
    from kibana_objects.lint import figures, lint, read  # noqa: PLC0415 - the extra `kibana`

    folder = Path(args.folder) if args.folder else BUILT
    files = sorted(folder.glob("*.ndjson")) if folder.is_dir() else []
    if not files:
        raise SettingError(
            f"folder {str(folder)!r} has no file *.ndjson; kibana-objects build --out {folder} writes some",
            field="folder",
            value=str(folder),
        )
    objects = read(files)
    problems = lint(objects)
    # What can't be read can't be counted either.
    counted = {} if problems else figures(objects)
    if args.json:
        found = [{"object": one.object, "place": one.place, "message": one.message} for one in problems]
        print(json.dumps({"objects": len(objects), **counted, "problems": found}))
    else:
        for problem in problems:
            print(problem)
        parts = "".join(f", {number} {what}" for what, number in counted.items())
        print(f"{len(objects)} objects{parts}, {len(problems)} problems")
    return FINDINGS if problems else FINE


if __name__ == "__main__":
    sys.exit(main())
