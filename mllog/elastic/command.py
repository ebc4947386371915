"""The command ``mllog setup``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from mllog import __version__
from mllog.elastic.report import Item, Report
from mllog.elastic.retention import CLASSES, days
from mllog.elastic.steps import Plan, steps
from mllog.elastic.telling import print_expired, print_report
from mllog.errors import MllogError, PlaceError, SettingError, StoreError
from mllog.places import parse, without_password
from mllog.program import FAILED, FINDINGS, FINE, USAGE, fail
from mllog.shipping.hiding import hide_passwords

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mllog.elastic.retention import Class
    from mllog.places import Place

_URLS: Final = tuple(f"{kind}{scheme}://" for kind in ("", "elasticsearch+") for scheme in ("http", "https"))

_EPILOG: Final = """\
example: mllog setup --elasticsearch https://elastic.example:9200 --kibana https://kibana.example:5601 --raw 90d

Puts templates, their lifecycle, new fields and roles into Elasticsearch, then data views, dashboards, searches and
rules into Kibana, whose rules it enables; a second time it changes nothing, and it never deletes anything, but for
--expire --delete. Either server can be set up alone. Your own settings belong into the component template mllog@custom,
which it never writes, and dashboards of your own into copies. --user mllog_writer makes that user, with the role of its
name and the password in MLLOG_WRITER_PASSWORD. Credentials and certificates, for both servers, are those of mllog ship:
MLLOG_API_KEY, MLLOG_USERNAME and MLLOG_PASSWORD, MLLOG_CA_CERTS, ...

exit code: 0 all is as it should be (what the server doesn't have is reported as skipped), 1 --check: something isn't;
else: something had to be left as it is, 2 wrong usage, 3 it could not be done or judged, with the reason"""

_OWN: Final = ("expire", "delete", "user", *CLASSES)
"""Options that are about Elasticsearch alone."""


class Setup:
    """The command, as ``mllog`` finds it by its entry point."""

    name = "setup"
    help = "put into Elasticsearch and Kibana what mllog needs there; idempotent"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options."""
        parser.epilog = _EPILOG
        parser.add_argument("--elasticsearch", metavar="URL", help="http(s)://HOST:9200")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--check", action="store_true", help="change nothing, and show what would be changed")
        how.add_argument(
            "--expire",
            action="store_true",
            help="name the months that are older than their retention; for servers without lifecycle management",
        )
        parser.add_argument("--delete", action="store_true", help="with --expire: delete them")
        parser.add_argument(
            "--user",
            metavar="NAME",
            action="append",
            default=[],
            help="let there be a user of a role's name, its password in NAME_PASSWORD, in upper case (repeatable); of "
            "the server's own users, such as kibana_system, only the password is set",
        )
        for keep, (default, meaning) in CLASSES.items():
            parser.add_argument(
                f"--{keep}",
                metavar="TIME",
                help=f"how long to keep {meaning}: days, weeks or years (what the server has, at first {default})",
            )
        for step in steps():
            step.add_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def run(self, args: argparse.Namespace) -> int:
        """Set up, check or expire."""
        place = None if args.elasticsearch is None else _place(args.elasticsearch)
        keep: dict[Class, int] = {
            name: days(getattr(args, name), name) for name in CLASSES if getattr(args, name) is not None
        }
        plans = [plan for step in steps() if (plan := step.plan(args)) is not None]
        _refuse(args, place, plans)
        servers = {} if place is None else {"--elasticsearch": {args.elasticsearch: place}}
        hide_passwords({**servers, **{option: places for plan in plans for option, places in plan.places.items()}})
        if place is not None and args.expire:
            return _expired(args, place, keep)
        report = Report({})
        stopped: MllogError | None = None
        try:
            if place is not None:
                report = _elasticsearch(args, place, keep)
            _further(report, plans, args)
        except MllogError as error:
            if not report.items:
                raise
            # What was done until then is there, whatever comes after it.
            stopped = error
        about = {"place": None if place is None else str(place), "further": [plan.place for plan in plans]}
        _say(report, {**about, "version": __version__}, stopped, as_json=args.json)
        if stopped is not None:
            return FAILED if isinstance(stopped, StoreError) else USAGE
        if report.newer:
            return FAILED
        return FINDINGS if report.differs else FINE


command = Setup()


def _place(text: str) -> Place:
    """The place of a URL.

    Raises:
        PlaceError: Where it is none.
    """
    if not text.lower().startswith(_URLS):
        shown = without_password(text)
        raise PlaceError(
            f"--elasticsearch {shown!r} is no URL: write http(s)://HOST:9200", field="elasticsearch", value=shown
        )
    return parse(text if text.lower().startswith("elasticsearch+") else f"elasticsearch+{text}")


def _refuse(args: argparse.Namespace, place: Place | None, plans: Sequence[Plan]) -> None:
    """Look for options that don't go together.

    Raises:
        SettingError: There are some.
    """
    if place is None and not plans:
        raise SettingError(
            "it isn't said what to set up: name --elasticsearch URL, --kibana URL, or both", field="elasticsearch"
        )
    own = next((name for name in _OWN if getattr(args, name)), None)
    if place is None and own is not None:
        raise SettingError(f"--{own} goes with --elasticsearch", field=own, value=getattr(args, own))
    if args.delete and not args.expire:
        raise SettingError("--delete goes with --expire: nothing else is ever deleted", field="delete", value=True)
    if args.user and args.expire:
        raise SettingError("--user doesn't go with --expire, which makes no users", field="user", value=args.user)
    if plans and args.expire:
        raise SettingError("--expire is about Elasticsearch alone: name no other server", field="expire", value=True)


def _expired(args: argparse.Namespace, place: Place, keep: dict[Class, int]) -> int:
    """Months that can go, or went. What had to be kept is a finding."""
    from mllog.elastic.client import connect, explained  # noqa: PLC0415 - the extra, and a slow import
    from mllog.elastic.expiry import expire  # noqa: PLC0415 - the same

    with explained(place):
        kept, found = expire(connect(place), keep, delete=args.delete)
    print_expired(kept, found, delete=args.delete, as_json=args.json)
    return FINDINGS if any(one.kept for one in found) else FINE


def _elasticsearch(args: argparse.Namespace, place: Place, keep: dict[Class, int]) -> Report:
    """What is in Elasticsearch now, or would be changed there."""
    from mllog.elastic.accounts import accounts, passwords  # noqa: PLC0415 - the extra, and a slow import
    from mllog.elastic.client import connect, explained  # noqa: PLC0415 - the same
    from mllog.elastic.setup import check, ensure  # noqa: PLC0415 - the same

    users = passwords(args.user)
    with explained(place):
        report = (check if args.check else ensure)(connect(place), keep)
        if not report.newer:
            report.items += accounts(place, users, change=not args.check)
    return report


def _further(report: Report, plans: Sequence[Plan], args: argparse.Namespace) -> None:
    """The other servers, into the same report as it goes; those of a newer mllog stay as they are."""

    def tell(what: str) -> None:
        if not args.json:
            print(f"{what} ...", file=sys.stderr)

    for plan in plans:
        if report.newer:
            report.items.append(Item("feature", plan.place, "skipped", "a newer mllog set Elasticsearch up"))
            continue
        for item in plan.run(change=not args.check, tell=tell):
            report.items.append(item)  # one by one: those before an error are told too


def _say(report: Report, about: dict[str, Any], stopped: MllogError | None, *, as_json: bool) -> None:
    """Print what was found and done, and why it went no further."""
    if as_json:
        why = {} if stopped is None else {"error": str(stopped), "field": stopped.field, "value": stopped.value}
        print(json.dumps({**about, **report.to_dict(), **why}, default=str))
    else:
        print_report(report)
    if stopped is not None:
        fail("mllog setup", str(stopped), FAILED, as_json=False)
