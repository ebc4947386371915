"""The command ``mllog setup``."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from mllog import __version__
from mllog.elastic.report import DIFFERING, STATES
from mllog.elastic.retention import CLASSES, days
from mllog.errors import PlaceError, SettingError, StoreError
from mllog.places import parse, without_password
from mllog.shipping.hiding import hide_passwords

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mllog.elastic.expiry import Expired
    from mllog.elastic.report import Item, Report, State
    from mllog.elastic.retention import Class
    from mllog.places import Place

FINE, DIFFERENT, FAILED = 0, 1, 3

_COLOURS: Final[dict[State, str]] = {
    "same": "green", "created": "green", "changed": "green", "rolled over": "green",
    "missing": "yellow", "different": "yellow", "left": "red", "newer": "red", "skipped": "magenta",
}  # fmt: skip

_URLS: Final = tuple(f"{kind}{scheme}://" for kind in ("", "elasticsearch+") for scheme in ("http", "https"))

_EPILOG: Final = """\
example: mllog setup --elasticsearch https://elastic.example:9200 --raw 90d

Puts templates, their lifecycle, new fields and roles there; a second time it changes nothing, and it never deletes
anything, but for --expire --delete. Your own settings belong into the component template mllog@custom, which it never
writes. --user mllog_writer makes that user, with the role of its name and the password in MLLOG_WRITER_PASSWORD.
Credentials and certificates are those of mllog ship: MLLOG_API_KEY, MLLOG_USERNAME and MLLOG_PASSWORD,
MLLOG_CA_CERTS, ...

exit code: 0 all is as it should be (what the server doesn't have is reported as skipped), 1 --check: something isn't;
else: something had to be left as it is, 2 wrong usage, 3 it could not be done or judged, with the reason"""


class Setup:
    """The command, as ``mllog`` finds it by its entry point."""

    name = "setup"
    help = "put templates, lifecycle, new fields and roles into Elasticsearch; idempotent"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options."""
        parser.epilog = _EPILOG
        parser.add_argument("--elasticsearch", metavar="URL", required=True, help="http(s)://HOST:9200")
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
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def run(self, args: argparse.Namespace) -> int:
        """Set up, check or expire."""
        place = _place(args.elasticsearch)
        hide_passwords({"--elasticsearch": {args.elasticsearch: place}})
        keep: dict[Class, int] = {
            name: days(getattr(args, name), name) for name in CLASSES if getattr(args, name) is not None
        }
        if args.delete and not args.expire:
            raise SettingError("--delete goes with --expire: nothing else is ever deleted", field="delete", value=True)
        if args.user and args.expire:
            raise SettingError("--user doesn't go with --expire, which makes no users", field="user", value=args.user)
        from mllog.elastic.accounts import accounts, passwords  # noqa: PLC0415 - the extra, and a slow import
        from mllog.elastic.client import connect, explained  # noqa: PLC0415 - the same
        from mllog.elastic.expiry import expire  # noqa: PLC0415 - the same
        from mllog.elastic.setup import check, ensure  # noqa: PLC0415 - the same

        users = passwords(args.user)
        try:
            with explained(place):
                client = connect(place)
                if args.expire:
                    kept, found = expire(client, keep, delete=args.delete)
                    return _print_expired(kept, found, delete=args.delete, as_json=args.json)
                report = (check if args.check else ensure)(client, keep)
                if not report.newer:
                    report.items += accounts(place, users, change=not args.check)
        except StoreError as error:
            # Not wrong usage: the same command may succeed a minute later.
            print(f"mllog setup: {error}", file=sys.stderr)
            if args.json:
                print(json.dumps({"error": str(error), "field": error.field, "value": error.value}))
            return FAILED
        if args.json:
            print(json.dumps({"place": str(place), "version": __version__, **report.to_dict()}))
        else:
            _print(report)
        if report.newer:
            return FAILED
        return DIFFERENT if report.differs else FINE


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


def _print(report: Report) -> None:
    """What isn't as it was, each with its difference; the others are counted."""
    rich = importlib.util.find_spec("rich") is not None
    told = [item for item in report.items if item.state != "same"]
    if told and rich:
        _print_table(told)
    else:
        for item in told:
            print(f"{item.state:12} {item.kind:19} {item.name}{f': {item.detail}' if item.detail else ''}")
    for item in told:
        if item.diff:
            print(f"\n{item.kind} {item.name}:\n{item.diff}")
    same = sum(item.state == "same" for item in report.items)
    print(f"{same} of {len(report.items)} are as they should be")
    for state in dict.fromkeys(item.state for item in told if item.state in DIFFERING):
        print(f"{state}: {STATES[state]}")


def _print_table(items: Sequence[Item]) -> None:
    from rich.console import Console  # noqa: PLC0415 - an extra
    from rich.table import Table  # noqa: PLC0415 - an extra
    from rich.text import Text  # noqa: PLC0415 - an extra

    table = Table("", "what", "name")
    for item in items:
        text = Text(item.name)
        if item.detail:
            text.append(f"\n{item.detail}", style="dim")
        table.add_row(Text(item.state, style=_COLOURS[item.state]), item.kind, text)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _print_expired(keep: dict[Class, int], found: Sequence[Expired], *, delete: bool, as_json: bool) -> int:
    """Every month that is old enough. What had to be kept is a finding."""
    if as_json:
        months: list[dict[str, Any]] = [
            {"index": one.index, "days": one.days, "documents": one.documents, "kept": one.kept, "deleted": one.deleted}
            for one in found
        ]
        print(json.dumps({"keep_days": keep, "delete": delete, "indices": months}))
    else:
        for one in found:
            done = f"kept: {one.kept}" if one.kept else "deleted" if one.deleted else "can go"
            print(f"{one.index}  {one.documents} documents, older than {one.days} days: {done}")
        if not keep:
            print("this server was never set up, so it has no retention: run mllog setup first, or say --windows 400d")
        elif not found:
            print("no month is older than its retention")
        elif not delete:
            print("nothing was deleted; --expire --delete does it")
    return DIFFERENT if any(one.kept for one in found) else FINE
